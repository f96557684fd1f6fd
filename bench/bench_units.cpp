// The layers of units by nanoseconds an element, beside the same in plain torch operations; on one thread an
// element of normal or rectified units should cost at most 2 ns and one of softmax units at most 3 ns.
//
// Before timing, each layer is checked against its plain twin.
#include <fmt/format.h>

#include "bench/harness.h"
#include "deepgen/ops/unit_layers.h"

namespace deepgen::bench {
namespace {

constexpr std::int64_t batch = 100, visible = 784, hidden = 500;
constexpr double elements = static_cast<double>(batch * visible);
constexpr Stream stream{1, 2};

// Means and, up to rounding at the borders of a draw, samples agree.
void check(const UnitOutputs& ours, const UnitOutputs& twin, const std::string& name) {
  require(at::allclose(ours.mean, twin.mean, 1e-5, 1e-6), name + ": means differ from the plain ones");
  const Tensor wrong = at::logical_not(at::isclose(ours.sample, twin.sample, 1e-4, 1e-5)).sum();
  require(wrong.item<std::int64_t>() <= 4, name + ": samples differ from the plain ones");
}

using Layer = std::function<void(UnitOutputs)>;

UnitOutputs blank() { return {at::empty({batch, visible}), at::empty({batch, visible})}; }

void bench_layer(const std::string& name, double aim_ns, const Layer& fused, const Layer& composed) {
  const UnitOutputs ours = blank(), twin = blank();
  fused(ours), composed(twin);
  check(ours, twin, name);
  Comparison c(fmt::format("{}, {}x{}", name, batch, visible));
  c.add("mean", [&] { fused({.mean = ours.mean}); });
  c.add("sample", [&] { fused({.sample = ours.sample}); });
  c.add("both", [&] { fused(ours); });
  c.add("composed", [&] { composed(twin); });
  c.run();
  c.nanoseconds("mean", elements, 0);
  c.nanoseconds("sample", elements, aim_ns);
  c.nanoseconds("both", elements, 0);
  c.ratio("composed", "both", 0, true);
}

void bench_normal() {
  const Tensor input = at::randn({batch, visible}), bias = at::randn({visible});
  const NormalShape shape{at::rand({visible}) + 0.5, at::rand({visible}) + 0.5};
  bench_layer(
      "normal units", 2, [&](UnitOutputs out) { normal_layer(input, bias, shape, 1, stream, out); },
      [&](UnitOutputs out) { composed::normal_layer(input, bias, shape, 1, stream, out); });
}

void bench_rectified() {
  const Tensor input = at::randn({batch, visible}), bias = at::randn({visible});
  bench_layer(
      "rectified units", 2, [&](UnitOutputs out) { rectified_layer(input, bias, 1, stream, out); },
      [&](UnitOutputs out) { composed::rectified_layer(input, bias, 1, stream, out); });
}

// Groups of 2, of 10, of sizes 2 to 16 in turn, of 20, of 100, and one.
std::vector<Tensor> kinds_of_groups() {
  std::vector<Tensor> kinds;
  for (const std::vector<std::int64_t>& sizes : std::vector<std::vector<std::int64_t>>{
           {2}, {10}, {2, 7, 3, 16, 5, 9, 4, 12, 11, 8, 6, 15, 13, 14, 10}, {20}, {100}, {visible}}) {
    std::vector<std::int64_t> offsets = {0};
    for (std::size_t i = 0; offsets.back() < visible; ++i)
      offsets.push_back(std::min(visible, offsets.back() + sizes[i % sizes.size()]));
    kinds.push_back(at::tensor(offsets));
  }
  return kinds;
}

void bench_softmax() {
  const Tensor input = at::randn({batch, visible}), bias = at::randn({visible});
  for (const Tensor& offsets : kinds_of_groups())
    bench_layer(
        fmt::format("softmax units in {} groups", offsets.size(0) - 1), 3,
        [&](UnitOutputs out) { softmax_layer(input, bias, offsets, 1, stream, out); },
        [&](UnitOutputs out) { composed::softmax_layer(input, bias, offsets, 1, stream, out); });
}

// The products of a CD-1 step and the layers of units that it needs: hidden, visible, hidden. The aim of the
// whole is 1.25 times the products.
using LayerOf = std::function<void(Tensor& activity, UnitOutputs)>;

void bench_step_of(const std::string& name, const LayerOf& of_visible, const LayerOf& of_hidden) {
  const Tensor w = at::randn({visible, hidden}) * 0.01, v0 = at::rand({batch, visible});
  Tensor v1 = at::empty_like(v0), h0 = at::empty({batch, hidden}), h1 = at::empty_like(h0);
  Tensor sample = at::empty_like(h0), g = at::empty_like(w);
  const auto step = [&](bool units) {
    at::mm_out(h0, v0, w);
    if (units) of_hidden(h0, {.mean = h0, .sample = sample});
    at::addmm_out(g, g, v0.t(), h0, 0, -1);
    at::mm_out(v1, sample, w.t());
    if (units) of_visible(v1, {.sample = v1});
    at::mm_out(h1, v1, w);
    if (units) of_hidden(h1, {.mean = h1});
    at::addmm_out(g, g, v1.t(), h1, 1, 1);
  };
  step(true);
  require(g.isfinite().all().item<bool>(), name + ": the step is not finite");
  Comparison c(
      fmt::format("{}, products and layers of a CD-1 step, {}x{}, batch {}", name, visible, hidden, batch));
  c.add("products", [&] { step(false); });
  c.add("step", [&] { step(true); });
  c.run();
  c.ratio("step", "products", 1.25, false);
}

void bench_steps() {
  const Tensor b = at::randn({visible}), c = at::randn({hidden});
  const LayerOf normal_visible = [&](Tensor& x, UnitOutputs out) { normal_layer(x, b, {}, 1, stream, out); };
  const LayerOf rectified = [&](Tensor& x, UnitOutputs out) { rectified_layer(x, c, 1, stream, out); };
  const LayerOf binary = [&](Tensor& x, UnitOutputs out) { binary_layer(x, c, 1, stream, out); };
  const Tensor tens = at::cat({at::arange(0, visible, 10, at::kLong), at::tensor({visible})});
  const LayerOf softmax = [&](Tensor& x, UnitOutputs out) { softmax_layer(x, b, tens, 1, stream, out); };
  bench_step_of("normal-binary", normal_visible, binary);
  bench_step_of("normal-rectified", normal_visible, rectified);
  bench_step_of("softmax-binary", softmax, binary);
}

const Registration normal_units("units-normal", bench_normal);
const Registration rectified_units("units-rectified", bench_rectified);
const Registration softmax_units("units-softmax", bench_softmax);
const Registration steps("units-step", bench_steps);

}  // namespace
}  // namespace deepgen::bench
