// The gated PixelCNN: a step against its matrix products alone, and sampling that keeps what it needs against
// passes over whole pictures.
#include <fmt/format.h>

#include <chrono>

#include "bench/harness.h"
#include "deepgen/kernels/kernels.h"
#include "deepgen/models/autoregressive/pixelcnn.h"
#include "deepgen/ops/binary_units.h"
#include "deepgen/ops/products.h"

namespace deepgen::bench {
namespace {

constexpr std::int64_t side = 28, batch = 50, drawn = 20;

std::shared_ptr<PixelCnn> make_model() {
  const DataShape pictures{side * side, {1, side, side}, 0, ValueKind::binary, {}};
  auto model = std::make_shared<PixelCnn>(PixelCnnOptions{}, PixelCnnLearning{}, pictures);
  Rng rng(3);
  model->initialise({(uniform(100, side * side, rng.next()) < 0.13).to(at::kFloat), {}}, rng);
  return model;
}

// All products of one picture's pass, forward and backward, in memory that is there.
class Products {
 public:
  explicit Products(const PixelNet& net) : memory_(at::rand({threads(), floats})) {
    const std::int64_t p = net.sizes().channels;
    for (const auto& block : net.blocks()) {
      add(block->vertical.taps() * block->in, 2 * p);
      add(block->horizontal.taps() * block->in + 2 * p, 2 * p);
      add(p, p);
    }
    add(p, net.sizes().head);
    add(net.sizes().head, net.sizes().outputs);
  }
  void step() {
    share_items(batch, [&](std::int64_t, int thread) {
      float* memory = memory_.data_ptr<float>() + thread * floats;
      float *a = memory, *b = a + floats / 4, *c = b + floats / 4, *d = c + floats / 4;
      const std::int64_t m = side * side;
      for (const auto& [k, n] : sizes_) {
        multiply_alone({a, m, k, k}, {b, k, n, n}, c, n, false);        // forward
        multiply_alone({c, m, n, n}, {b, n, k, n, true}, d, k, false);  // gradient of what comes in
        multiply_alone({a, k, m, k, true}, {c, m, n, n}, b, n, false);  // of the weights
      }
    });
  }

 private:
  static constexpr std::int64_t floats = 4 * 200000;
  void add(std::int64_t k, std::int64_t n) {
    require(k * side * side <= floats / 4, "room for a product");
    sizes_.emplace_back(k, n);
  }
  Tensor memory_;
  std::vector<std::pair<std::int64_t, std::int64_t>> sizes_;
};

void bench_step() {
  const auto model = make_model();
  Products products(model->net());
  Rng rng(5);
  const Tensor x = (uniform(batch, side * side, rng.next()) < 0.13).to(at::kFloat);
  Comparison c(fmt::format("pixelcnn 28x28, 16 channels, 8 blocks, batch {}", batch));
  c.add("products", [&] { products.step(); });
  c.add("step", [&] { model->gradients({x, {}}, Turn{}, rng); });
  c.run();
  c.ratio("step", "products", 0, false);
}

double seconds(const std::function<void()>& body) {
  const auto start = std::chrono::steady_clock::now();
  body();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

// Once, not in turns: the slow way takes half a minute.
void bench_sampling() {
  NoGradGuard no_graph;
  const auto model = make_model();
  Rng fast(7), slow(7);
  Tensor ours, x = at::zeros({drawn, side * side});
  const double kept = seconds([&] { ours = model->sample(drawn, fast); });
  const double full = seconds([&] {
    const Tensor u = uniform(drawn, side * side, slow.next());
    for (std::int64_t i = 0; i < side * side; ++i)
      x.select(1, i).copy_(u.select(1, i) < at::sigmoid(model->outputs(x).select(1, i).select(1, 0)));
  });
  require(at::equal(ours, x), "samples are not those of full passes");
  fmt::print(
      "pixelcnn, sampling {} pictures\n  kept {:.3f} s, full passes {:.3f} s\n  full / kept = {:.1f}\n",
      drawn, kept, full, full / kept);
}

const Registration step("pixelcnn-step", bench_step);
const Registration sampling("pixelcnn-sampling", bench_sampling);

}  // namespace
}  // namespace deepgen::bench
