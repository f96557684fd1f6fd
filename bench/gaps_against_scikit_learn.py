#!/usr/bin/env python3
"""Gaps of small tables filled by deepgen and by scikit-learn: the same cells, the same errors.

  DEEPGEN_DATA=../shared/data python3 bench/gaps_against_scikit_learn.py [wine breast_cancer iris wine_red titanic]
      [--program build/release/deepgen] [--seeds 3] [--budget 60s]
      [--model "gaussian_mixture:numbers=gaussian model.components=2 model.covariance=full"]...

Needs numpy and scikit-learn (Debian: python3-sklearn), which deepgen does not; the exit code is 77 without them.
wine_red and titanic are read from the folder DEEPGEN_DATA and left out where it has none.

A quarter of the rows is held out. A fifth of all cells, of the training rows and of the held-out ones, is hidden at
random. What is filled into the hidden cells of held-out rows is compared with what stood there: numbers by the absolute
error over the range of the training rows, categories by 0 or 1. The mean is over all those cells.

  ridge       IterativeImputer(BayesianRidge()): chained equations
  forest      IterativeImputer(RandomForestRegressor(...)): chained forests
  neighbours  KNNImputer(5)
  middle      the median, or the most frequent category, of the training rows
  auto        deepgen train auto, then deepgen complete --draws 50; --model adds others

Those of scikit-learn learn from numbers scaled to [0, 1] and categories one by one (the largest is filled in).

Coverage of 90 % intervals, of numbers: each held-out row is written fifty times, and the file completed with one draw a
row, so that a hidden cell has 50 independent draws. Its true value stands somewhere among the 51: with b draws below and
e equal to it, evenly in [b / 51, (b + e + 1) / 51]. The share of this piece that lies in [0.05, 0.95] is what the cell
counts. A right model gets 0.9 on average whatever the number of draws, for values that repeat too.
"""

import argparse
import csv
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time
import warnings

import scikit_learn_scripts

parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
parser.add_argument("sets", nargs="*", metavar="SET", help="wine, breast_cancer, iris, wine_red, titanic; none: all")
parser.add_argument("--program", default="build/release/deepgen")
parser.add_argument("--seeds", type=int, default=3, help="of rows held out, cells hidden, and all methods")
parser.add_argument("--budget", default="60s", help="of train auto")
parser.add_argument("--threads", type=int, default=1)
parser.add_argument("--trees", type=int, default=50, help="of each forest")
parser.add_argument("--rounds", type=int, default=5, help="of chained forests")
parser.add_argument("--model", action="append", default=[], metavar="MODEL[:OPTIONS] [SETTING ...]")
parser.add_argument("--without", action="append", default=[], metavar="METHOD", help="to leave out, as in auto")
options = parser.parse_args()

program_environment = scikit_learn_scripts.limit_threads(options.threads)
try:
    import numpy as np
    import sklearn
    from sklearn import datasets
    from sklearn.ensemble import RandomForestRegressor
    from sklearn.experimental import enable_iterative_imputer  # noqa: F401, makes the next line possible
    from sklearn.impute import IterativeImputer, KNNImputer
    from sklearn.linear_model import BayesianRidge
except ImportError as missing:
    scikit_learn_scripts.pass_over("gaps_against_scikit_learn", f"{missing.name} is not installed (apt install python3-sklearn)")
scikit_learn_scripts.need_program("gaps_against_scikit_learn", options.program)

HELD_OUT, HIDDEN, DRAWS = 0.25, 0.2, 50
LOW, HIGH = 0.05, 0.95


# --- tables: a header, and rows of texts, "" where a cell is missing ---


def of_sklearn(load):
    read = load()
    names = [str(name).replace(",", " ") for name in read.feature_names]
    return names, [[repr(float(value)) for value in row] for row in read.data]


def of_folder(path):
    folder = os.environ.get("DEEPGEN_DATA")
    if not folder or not (pathlib.Path(folder) / path).exists():
        return None
    return pathlib.Path(folder) / path


def wine_red():
    path = of_folder("uci/wine_red.npz")
    if path is None:
        return None
    names = path.with_name("wine_red_columns.txt").read_text().split("\n")
    return [name for name in names if name], [[str(value) for value in row] for row in np.load(path)["data"]]


def titanic():
    import gzip

    path = of_folder("tables/titanic.csv.gz")
    if path is None:
        return None
    with gzip.open(path, "rt", newline="") as file:
        rows = list(csv.reader(file))
    return rows[0], rows[1:]


SETS = {
    "wine": lambda: of_sklearn(datasets.load_wine),
    "breast_cancer": lambda: of_sklearn(datasets.load_breast_cancer),
    "iris": lambda: of_sklearn(datasets.load_iris),
    "wine_red": wine_red,
    "titanic": titanic,
}


def is_number(text):
    try:
        float(text)
    except ValueError:
        return False
    return True


class Task:
    """Held-out rows with hidden cells, and training rows with others."""

    def __init__(self, names, rows, seed):
        rng = np.random.default_rng(seed)
        cells = np.array(rows, dtype=object)
        order = rng.permutation(len(cells))
        held_out = round(HELD_OUT * len(cells))
        self.names = names
        self.truth, self.train = cells[order[:held_out]], cells[order[held_out:]].copy()
        self.train[rng.random(self.train.shape) < HIDDEN] = ""
        self.hidden = (rng.random(self.truth.shape) < HIDDEN) & (self.truth != "")
        self.holes = self.truth.copy()
        self.holes[self.hidden] = ""
        self.categories = []  # of each column its values, or None
        for column in cells.T:
            known = sorted({cell for cell in column if cell})
            self.categories.append(known if len(known) <= 2 or not all(map(is_number, known)) else None)

    def numbers(self):
        return [j for j, values in enumerate(self.categories) if values is None]

    def known_numbers(self, column):
        return np.array([float(cell) for cell in self.train[:, column] if cell])

    def range(self, column):
        known = self.known_numbers(column)
        return known.min(), max(known.max() - known.min(), 1e-12)

    def errors(self, filled):
        """Of each column those of its hidden cells."""
        result = []
        for j, values in enumerate(self.categories):
            true, mine = self.truth[self.hidden[:, j], j], filled[self.hidden[:, j], j]
            if values is None:
                result.append(np.abs(true.astype(float) - mine.astype(float)) / self.range(j)[1])
            else:
                result.append((true != mine).astype(float))
        return result


# --- scikit-learn ---


def encode(task, rows):
    columns = []
    for j, values in enumerate(task.categories):
        known = rows[:, j] != ""
        if values is None:
            least, width = task.range(j)
            columns.append([(float(cell) - least) / width if cell else np.nan for cell in rows[:, j]])
        else:
            columns.extend(np.where(known, (rows[:, j] == value).astype(float), np.nan) for value in values)
    return np.array(columns, dtype=float).T


def decode(task, encoded):
    filled, first = task.holes.copy(), 0
    for j, values in enumerate(task.categories):
        if values is None:
            least, width = task.range(j)
            mine = [repr(float(value)) for value in least + width * encoded[:, first]]
        else:
            mine = [values[k] for k in encoded[:, first : first + len(values)].argmax(1)]
        filled[task.hidden[:, j], j] = np.array(mine, dtype=object)[task.hidden[:, j]]
        first += 1 if values is None else len(values)
    return filled


def by_sklearn(imputer):
    def fill(task, _place, _seed):
        imputer_of_task = imputer(_seed)
        imputer_of_task.fit(encode(task, task.train))
        return decode(task, imputer_of_task.transform(encode(task, task.holes))), float("nan"), ""

    return fill


def forest(seed):
    trees = RandomForestRegressor(options.trees, random_state=seed, n_jobs=options.threads)
    return IterativeImputer(trees, max_iter=options.rounds, random_state=seed)


def middle(task, _place, _seed):
    filled = task.holes.copy()
    for j, values in enumerate(task.categories):
        if values is None:
            fill = repr(float(np.median(task.known_numbers(j))))
        else:
            fill = max(values, key=lambda value: np.sum(task.train[:, j] == value))
        filled[task.hidden[:, j], j] = fill
    return filled, float("nan"), ""


# --- deepgen ---


def write(path, names, rows):
    with open(path, "w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(names)
        writer.writerows(rows)


def call(*command):
    done = subprocess.run([options.program, *map(str, command), "--quiet", "--threads", str(options.threads)],
                          capture_output=True, text=True, env=program_environment)
    if done.returncode:
        raise RuntimeError(done.stderr.strip().split("\n")[-1])


def complete(task, place, rows, seed, draws):
    write(place / "holes.csv", task.names, rows)
    call("complete", place / "run", "--data", place / "holes.csv", "--out", place / "filled.csv",
         "--draws", draws, "--seed", seed)
    with open(place / "filled.csv", newline="") as file:
        return np.array(list(csv.reader(file))[1:], dtype=object)


def coverage(task, place, seed):
    """The mean over hidden cells of numbers."""
    columns = task.numbers()
    if not columns:
        return float("nan")
    filled = complete(task, place, np.tile(task.holes, (DRAWS, 1)), seed, 1)
    draws = filled.reshape(DRAWS, *task.holes.shape)
    counts = []
    for j in columns:
        drawn = draws[:, task.hidden[:, j], j].astype(float)
        true = task.truth[task.hidden[:, j], j].astype(float)
        low = (drawn < true).sum(0) / (DRAWS + 1)
        high = ((drawn <= true).sum(0) + 1) / (DRAWS + 1)
        counts.append(np.clip(np.minimum(high, HIGH) - np.maximum(low, LOW), 0, None) / (high - low))
    return float(np.concatenate(counts).mean())


def by_deepgen(line):
    """`line`: a model, options of the data behind a colon, and settings."""
    head, *settings = line.split()
    model, *data_options = head.split(":", maxsplit=1)

    def fill(task, place, seed):
        write(place / "train.csv", task.names, task.train)
        spec = ":".join([str(place / "train.csv"), *data_options])
        how = ["--budget", options.budget] if model == "auto" else (["--set", *settings] if settings else [])
        call("train", model, "--data", spec, "--out", place / "run", "--overwrite", "--seed", seed, *how)
        told = json.loads((place / "run" / "run.json").read_text()).get("auto", {}).get("chosen", "")
        return complete(task, place, task.holes, seed, DRAWS), coverage(task, place, seed), told

    return fill


METHODS = {
    "middle": middle,
    "ridge": by_sklearn(lambda seed: IterativeImputer(BayesianRidge(), random_state=seed)),
    "forest": by_sklearn(forest),
    "neighbours": by_sklearn(lambda seed: KNNImputer(n_neighbors=5)),
    "auto": by_deepgen("auto"),
    **{line: by_deepgen(line) for line in options.model},
}


# --- the table ---


def with_error(values):
    values = np.array(values, dtype=float)
    mean = values.mean()
    error = values.std(ddof=1) / np.sqrt(len(values)) if len(values) > 1 else float("nan")
    return f"{mean:.4f} +- {error:.4f}"


def compare(name, method, table):
    means, covered, chosen, start = [], [], [], time.perf_counter()
    for seed in range(1, options.seeds + 1):
        task = Task(*table, seed)
        with tempfile.TemporaryDirectory() as folder:
            try:
                filled, share, told = METHODS[method](task, pathlib.Path(folder), seed)
            except RuntimeError as refusal:
                print(f"{name:<14} {method}: {refusal}", flush=True)
                return
        means.append(np.concatenate(task.errors(filled)).mean())
        covered.append(share)
        chosen.append(told)
    share = "" if np.isnan(covered).any() else with_error(covered)
    seconds = (time.perf_counter() - start) / options.seeds
    print(f"{name:<14} {with_error(means)}   {share:<18} {seconds:7.1f} s  {method}  {' '.join(chosen)}", flush=True)


def main():
    for name in options.sets:
        if name not in SETS:
            parser.error(f"expected one of {', '.join(SETS)}, got {name}")
    warnings.simplefilter("ignore")  # that chained equations did not converge
    print(f"scikit-learn {sklearn.__version__}, {options.seeds} seeds, forests of {options.trees} trees in "
          f"{options.rounds} rounds, train auto --budget {options.budget}, {options.threads} threads")
    print(f"{'set':<14} {'absolute error':<18} {'90 % intervals':<18} {'time':>9}  method")
    for name, read in SETS.items():
        if options.sets and name not in options.sets:
            continue
        table = read()
        if table is None:
            print(f"{name:<14} passed over: not in DEEPGEN_DATA")
            continue
        for method in METHODS:
            if method not in options.without:
                compare(name, method, table)


if __name__ == "__main__":
    main()
