// Autoregressive models: a training step of NADE against the matrix products of one hidden layer of its size,
// and sampling column by column against full passes, one for each column.
#include <fmt/format.h>

#include <chrono>
#include <cstring>

#include "bench/harness.h"
#include "deepgen/models/autoregressive/fvbn.h"
#include "deepgen/models/autoregressive/made.h"
#include "deepgen/models/autoregressive/nade.h"
#include "deepgen/ops/binary_units.h"
#include "deepgen/train/trainer.h"

namespace deepgen::bench {
namespace {

constexpr std::int64_t columns = 784, cases = 100;
constexpr double least_ratio = 20;  // of 784 full passes and one ancestral pass

DataShape bits_shape() { return {columns, {columns}, 0, ValueKind::binary, {}}; }

Tensor random_bits(std::int64_t rows, double share, std::uint64_t seed) {
  Rng rng(seed);
  return (uniform(rows, columns, rng.next()) < share).to(at::kFloat);
}

double seconds_of(const std::function<void()>& body) {
  const auto start = std::chrono::steady_clock::now();
  body();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

using Logits = std::function<Tensor(const Tensor&)>;

// As one would without an incremental pass: all logits anew for every column.
Tensor draw_by_full_passes(const Logits& logits, const Tensor& u, const std::vector<std::int64_t>& order) {
  Tensor x = at::zeros({cases, columns});
  for (const std::int64_t i : order)
    x.select(1, i).copy_(u.select(1, i) < at::sigmoid(logits(x).select(1, i)));
  return x;
}

// Rows may part where rounding decides: at a column whose uniform number is its probability, to 1e-5.
void check_equal(const Tensor& ours, const Tensor& theirs, const Tensor& u, const Logits& logits,
                 const std::vector<std::int64_t>& order) {
  const Tensor p = at::sigmoid(logits(theirs));
  std::int64_t parted = 0;
  for (std::int64_t r = 0; r < cases; ++r)
    for (const std::int64_t i : order) {
      if (ours[r][i].item<float>() == theirs[r][i].item<float>()) continue;
      require(std::abs(u[r][i].item<double>() - p[r][i].item<double>()) < 1e-5,
              fmt::format("row {} differs at column {}", r, i));
      ++parted;
      break;
    }
  require(parted <= 3, "rows part more often than rounding explains");
}

void bench_sampling(const std::string& name, Model& model, const Logits& logits,
                    const std::vector<std::int64_t>& order) {
  NoGradGuard no_graph;
  Rng a(7), b(7);
  const Tensor ours = as<CanSample>(model)->sample(cases, a), u = uniform(cases, columns, b.next());
  Tensor theirs;
  const double slow = seconds_of([&] { theirs = draw_by_full_passes(logits, u, order); });
  check_equal(ours, theirs, u, logits, order);
  Comparison c(fmt::format("{}: {} samples of {} columns", name, cases, columns));
  double fast = 1e9;
  c.add("pass", [&] { logits(ours); });
  c.add("sample",
        [&] { fast = std::min(fast, seconds_of([&] { as<CanSample>(model)->sample(cases, a); })); });
  c.run();
  c.ratio("sample", "pass", columns / least_ratio, false);
  fmt::print("  {} full passes, one a column: {:.1f} ms, {:.0f} times a sample (aim at least {:.0f}: {})\n",
             columns, slow * 1e3, slow / fast, least_ratio,
             slow / fast >= least_ratio ? "reached" : "not reached");
}

void bench_made(const std::string& hidden, const std::string& order) {
  MadeOptions options;
  options.hidden = hidden, options.order = order;
  Made made(options, MadeLearning{}, bits_shape());
  Rng rng(3);
  made.initialise({random_bits(1000, 0.13, 3), {}}, rng);
  bench_sampling(
      "made " + hidden, made, [&](const Tensor& x) { return made.logits(x, 0); }, made.ranks(0).order);
}

void bench_nade() {
  Nade nade(NadeOptions{}, NoOptions{}, bits_shape());
  Rng rng(3);
  nade.initialise({random_bits(1000, 0.13, 3), {}}, rng);
  bench_sampling(
      "nade 500", nade, [&](const Tensor& x) { return nade.logits(x); }, natural_order(columns));
}

void bench_fvbn() {
  Fvbn fvbn({}, {}, bits_shape());
  Rng rng(3);
  fvbn.initialise({random_bits(1000, 0.13, 3), {}}, rng);
  bench_sampling(
      "fvbn", fvbn, [&](const Tensor& x) { return fvbn.logits(x); }, natural_order(columns));
}

// The three products of a hidden layer of this size, forwards and backwards, are no bound of NADE's step:
// they are what a network with the same weights and one state a row would cost.
void bench_step(double share, double aim_ns) {
  constexpr std::int64_t hidden = 500;
  Nade nade(NadeOptions{}, NoOptions{}, bits_shape());
  Rng rng(3);
  const Rows batch{random_bits(cases, share, 5), {}};
  nade.initialise(batch, rng);
  const Tensor h = at::rand({cases, hidden}), w = at::rand({columns, hidden});
  Tensor out = at::empty({cases, columns}), back = at::empty({cases, hidden}),
         g = at::empty({columns, hidden});
  Comparison c(fmt::format("nade 784x500, batch {}, {:.0f} % ones: a gradient", cases, 100 * share));
  c.add("products", [&] { at::mm_out(out, h, w.t()), at::mm_out(back, out, w), at::mm_out(g, out.t(), h); });
  c.add("gradient", [&] { nade.gradients(batch, Turn{}, rng); });
  c.run();
  c.ratio("gradient", "products", 0, false);
  c.nanoseconds("gradient", static_cast<double>(cases * columns * hidden), aim_ns);
}

const Registration sampling("autoregressive-sampling", [] {
  bench_fvbn();
  bench_nade();
  bench_made("500", "natural");
  bench_made("500,500", "random");
});
const Registration step("nade-step", [] {
  bench_step(0.13, 0.3);
  bench_step(0.5, 0.6);
});

}  // namespace
}  // namespace deepgen::bench
