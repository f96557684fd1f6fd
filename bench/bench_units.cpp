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

const Registration normal_units("units-normal", bench_normal);
const Registration rectified_units("units-rectified", bench_rectified);
const Registration softmax_units("units-softmax", bench_softmax);

}  // namespace
}  // namespace deepgen::bench
