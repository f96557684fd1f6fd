#!/usr/bin/env python3
"""One pass of deepgen beside one of scikit-learn: same rows, same precision, same number of threads.

  python3 bench/against_scikit_learn.py [diagonal] [full] [bits] [rbm] [--program build/release/deepgen]

Needs numpy and scikit-learn, and a quiet machine. Programs are timed in turns; what is printed is the best
time of each and their ratio. A pass of deepgen is what `seconds` in metrics.jsonl grows by, with all that an
epoch does; one of scikit-learn is the difference of two fits over the number of passes between them.

A race between different sums would be none. So mixtures are compared to the digit: deepgen's parameters after
some passes are given to scikit-learn (of bits: to a program of ten lines, as scikit-learn has no such model),
whose next pass must find the same log-likelihood and the same new parameters. The exit code is 1 where they
differ and 77 where there is nothing to compare with.
"""

import argparse
import json
import os
import pathlib
import struct
import subprocess
import sys
import tempfile
import time
import warnings

import scikit_learn_scripts

parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
parser.add_argument("races", nargs="*", metavar="RACE", help="diagonal, full, bits, rbm; none: all")
parser.add_argument("--program", default="build/release/deepgen")
parser.add_argument("--threads", type=int, default=2)
parser.add_argument("--batch", type=int, default=100, help="rows a step of deepgen: its default")
parser.add_argument("--turns", type=int, default=3)
options = parser.parse_args()

program_environment = scikit_learn_scripts.limit_threads(options.threads)
try:
    import numpy as np
    import sklearn
    from sklearn.mixture import GaussianMixture
    from sklearn.neural_network import BernoulliRBM
except ImportError as missing:
    scikit_learn_scripts.pass_over("against_scikit_learn", f"{missing.name} is not installed (pip install scikit-learn)")
scikit_learn_scripts.need_program("against_scikit_learn", options.program)

COMPONENTS = 10
BEGINNING = 5  # passes before parameters are compared
wrong = []


# --- data ---


def gaussian_rows(rows=50000, columns=63):
    """Ten clusters that overlap, each with correlated columns."""
    rng = np.random.default_rng(1)
    which = rng.integers(COMPONENTS, size=rows)
    x = np.empty((rows, columns))
    for k in range(COMPONENTS):
        mixing = 0.7 * np.eye(columns) + 0.7 * rng.normal(size=(columns, columns)) / np.sqrt(columns)
        mine = which == k
        x[mine] = 0.3 * rng.normal(size=columns) + rng.normal(size=(mine.sum(), columns)) @ mixing.T
    return x.astype(np.float32)


def bit_rows(rows=20000, columns=784):
    """Some 15 % ones: noisy copies of forty patterns."""
    rng = np.random.default_rng(2)
    patterns = np.where(rng.random((40, columns)) < 0.15, 0.75, 0.04)
    return (rng.random((rows, columns)) < patterns[rng.integers(40, size=rows)]).astype(np.uint8)


# --- deepgen ---


def train(place, model, data, epochs, settings):
    """(metrics of each epoch, tensors of the checkpoint)"""
    run = place / "run"
    command = [options.program, "train", model, "--data", str(data), "--out", str(run), "--overwrite",
               "--quiet", "--threads", str(options.threads), "--seed", "1",
               "--set", f"training.epochs={epochs}", f"training.batch={options.batch}",
               "training.checkpoint_every=1000", *settings]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=program_environment)
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [line for line in lines if "epoch" in line], read_tensors(run / "model.safetensors")


def read_tensors(path):
    content = path.read_bytes()
    start = 8 + struct.unpack("<Q", content[:8])[0]
    tensors = {}
    for key, about in json.loads(content[8:start]).items():
        kind = {"F32": np.float32, "F64": np.float64}.get(about.get("dtype"))
        if kind is not None:
            first, last = (start + offset for offset in about["data_offsets"])
            numbers = np.frombuffer(content[first:last], kind).reshape(about["shape"])
            tensors[key] = numbers.astype(np.float64)
    return tensors


def seconds_a_pass(metrics):
    times = [line["seconds"] for line in metrics]
    return min(after - before for before, after in zip(times, times[1:]))


# --- the race ---


def seconds_between(fit, few, many):
    times = []
    for passes in (few, many):
        start = time.perf_counter()
        fit(passes)
        times.append(time.perf_counter() - start)
    return (times[1] - times[0]) / (many - few)


def race(title, ours, other, theirs, aim):
    """`ours` and `theirs` give the seconds of a pass."""
    best = [float("inf"), float("inf")]
    for _ in range(options.turns):
        best = [min(best[0], ours()), min(best[1], theirs())]
    ratio = best[1] / best[0]
    said = "reached" if ratio >= aim else "not reached"
    print(f"{title}\n  deepgen {best[0]:.4f} s, {other} {best[1]:.4f} s: {ratio:.2f} times as fast  "
          f"(aim at least {aim}: {said})", flush=True)


def expect_equal(what, ours, theirs, tolerance):
    difference = float(np.max(np.abs(np.asarray(ours) - np.asarray(theirs))))
    print(f"  {what}: largest difference {difference:.1e}", flush=True)
    if not difference <= tolerance:
        wrong.append(what)


def weights_of(tensors):
    mixing = np.exp(tensors["model.mixing"])
    return mixing / mixing.sum()


# --- mixtures of Gaussians ---


def covariances_of(tensors, full):
    if not full:
        return np.exp(2 * tensors["model.components.log_deviation"])
    diagonal = np.exp(tensors["model.components.log_diagonal"])
    lower = np.tril(tensors["model.components.factor"], -1) + diagonal[:, :, None] * np.eye(diagonal.shape[1])
    return lower @ lower.transpose(0, 2, 1)


def gaussian(full, passes, begin):
    covariances = covariances_of(begin, full)
    return GaussianMixture(COMPONENTS, covariance_type="full" if full else "diag", max_iter=passes, tol=0,
                           reg_covar=0, init_params="random_from_data", random_state=0,
                           weights_init=weights_of(begin), means_init=begin["model.components.mean"],
                           precisions_init=np.linalg.inv(covariances) if full else 1 / covariances)


def gaussian_race(place, full):
    kind = "full" if full else "diagonal"
    rows = gaussian_rows()
    np.save(place / "rows.npy", rows)
    wide = rows.astype(np.float64)
    settings = [f"model.covariance={kind}", f"model.components={COMPONENTS}", "training.tolerance=0",
                "training.pseudo_count=0", "training.smallest_deviation=0.0001"]

    def run(epochs):
        return train(place, "gaussian_mixture", place / "rows.npy", epochs, settings)

    begin = run(BEGINNING)[1]
    race(f"gaussian_mixture, {kind} covariances, {rows.shape[0]} x {rows.shape[1]}, {COMPONENTS} components",
         lambda: seconds_a_pass(run(12)[0]), "scikit-learn on float64",
         lambda: seconds_between(lambda passes: gaussian(full, passes, begin).fit(wide), 2, 8), 1)
    metrics, end = run(BEGINNING + 1)
    theirs = gaussian(full, 1, begin).fit(wide)
    expect_equal("mean log-likelihood", metrics[-1]["train_log_prob"], theirs.lower_bound_, 1e-6)
    expect_equal("means after a pass", end["model.components.mean"], theirs.means_, 1e-5)
    expect_equal("covariances after a pass", covariances_of(end, full), theirs.covariances_, 1e-5)


# --- mixtures of bits ---


def bit_pass(x, weights, logits):
    """Log-likelihood, new weights and new probabilities; in the precision of its arguments."""
    joint = x @ logits.T + (np.log(weights) - np.logaddexp(0, logits).sum(1))
    largest = joint.max(1, keepdims=True)
    shares = np.exp(joint - largest)
    total = shares.sum(1, keepdims=True)
    shares /= total
    mass = shares.sum(0)
    return float(np.mean(largest + np.log(total))), mass / len(x), shares.T @ x / mass[:, None]


def bit_passes(x, passes):
    rng = np.random.default_rng(3)
    probabilities = 0.25 + 0.5 * x[rng.integers(len(x), size=COMPONENTS)]
    weights = np.full(COMPONENTS, 1 / COMPONENTS, x.dtype)
    for _ in range(passes):
        logits = np.log(probabilities) - np.log1p(-probabilities)
        _, weights, probabilities = bit_pass(x, weights, logits)
        probabilities = np.clip(probabilities, 1e-6, 1 - 1e-6)


def bits_race(place):
    bits = bit_rows()
    np.save(place / "bits.npy", bits)
    narrow, wide = bits.astype(np.float32), bits.astype(np.float64)
    settings = [f"model.components={COMPONENTS}", "training.tolerance=0", "training.pseudo_count=0"]

    def run(epochs):
        return train(place, "bernoulli_mixture", place / "bits.npy", epochs, settings)

    race(f"bernoulli_mixture, {bits.shape[0]} x {bits.shape[1]}, {COMPONENTS} components",
         lambda: seconds_a_pass(run(12)[0]), "numpy on float32",
         lambda: seconds_between(lambda passes: bit_passes(narrow, passes), 2, 8), 1)
    begin = run(BEGINNING)[1]
    metrics, end = run(BEGINNING + 1)
    value, weights, probabilities = bit_pass(wide, weights_of(begin), begin["model.components.logits"])
    likelihood_tolerance = 1e-3  # sums of 784 float32 numbers
    expect_equal("mean log-likelihood", metrics[-1]["train_log_prob"], value, likelihood_tolerance)
    expect_equal("weights after a pass", weights_of(end), weights, 1e-5)
    ours = 1 / (1 + np.exp(-end["model.components.logits"]))
    expect_equal("probabilities after a pass", ours, probabilities, 1e-5)


# --- restricted Boltzmann machines ---


def machine_race(place):
    """Persistent chains and one Gibbs step in both, deepgen with centred units: no numbers to compare."""
    bits = bit_rows()
    np.save(place / "bits.npy", bits)
    narrow = bits.astype(np.float32)

    def ours():
        settings = ["model.hidden=500", "training.batch=100"]
        return seconds_a_pass(train(place, "rbm", place / "bits.npy", 4, settings)[0])

    def fit(epochs):
        BernoulliRBM(500, learning_rate=0.05, batch_size=100, n_iter=epochs, random_state=0).fit(narrow)

    race(f"rbm, {bits.shape[0]} x {bits.shape[1]}, 500 hidden units, batch 100",
         ours, "scikit-learn on float32", lambda: seconds_between(fit, 1, 3), 3)


RACES = {
    "diagonal": lambda place: gaussian_race(place, full=False),
    "full": lambda place: gaussian_race(place, full=True),
    "bits": bits_race,
    "rbm": machine_race,
}


def main():
    for name in options.races:
        if name not in RACES:
            parser.error(f"expected one of {', '.join(RACES)}, got {name}")
    warnings.simplefilter("ignore")  # that a fit was stopped before it converged
    print(f"scikit-learn {sklearn.__version__}, numpy {np.__version__}, {options.threads} threads, "
          f"batch {options.batch}, {options.turns} turns", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        place = pathlib.Path(folder)
        for name, run in RACES.items():
            if not options.races or name in options.races:
                run(place)
    if wrong:
        sys.exit("against_scikit_learn: different numbers: " + ", ".join(wrong))


if __name__ == "__main__":
    main()
