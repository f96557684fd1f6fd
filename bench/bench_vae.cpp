// A step of the variational autoencoder against its bound, the matrix products alone, and against the same
// step written plainly with torch operations; and what its importance-weighted bound costs.
#include <fmt/format.h>

#include <array>
#include <cmath>

#include "bench/harness.h"
#include "bench/random_bits.h"
#include "deepgen/models/variational/vae.h"
#include "deepgen/ops/binary_units.h"
#include "deepgen/ops/products.h"
#include "deepgen/train/trainer.h"

namespace deepgen::bench {
namespace {

constexpr std::int64_t visible = 784, batch = 100;

std::unique_ptr<Trainer> make_trainer(const Dataset& data, const std::string& hidden, std::int64_t latent,
                                      std::int64_t importance) {
  Settings settings("vae");
  settings.set("model.hidden=" + hidden);
  settings.set(fmt::format("model.latent={}", latent));
  settings.set(fmt::format("training.importance={}", importance));
  settings.set(fmt::format("training.batch={}", batch));
  const auto model = make_model(settings, data);
  return std::make_unique<Trainer>(model, data, std::move(settings), 1);
}

// Sizes of the layers from the data to the data, the code counted twice where it is inferred.
struct Layer {
  std::int64_t rows, in, out;
  bool first;  // its input has no gradient
};

std::vector<Layer> layers_of(const std::vector<std::int64_t>& hidden, std::int64_t latent,
                             std::int64_t draws) {
  std::vector<Layer> all;
  std::int64_t in = visible;
  for (const std::int64_t size : hidden) all.push_back({batch, in, size, in == visible}), in = size;
  all.push_back({batch, in, 2 * latent, false});
  in = latent;
  for (auto size = hidden.rbegin(); size != hidden.rend(); ++size)
    all.push_back({batch * draws, in, *size, false}), in = *size;
  all.push_back({batch * draws, in, visible, false});
  return all;
}

// The products of a step, forwards and backwards, into buffers that are there.
class Products {
 public:
  explicit Products(const std::vector<Layer>& layers) : layers_(layers) {
    for (const Layer& l : layers)
      buffers_.push_back({at::rand({l.rows, l.in}), at::rand({l.in, l.out}), at::rand({l.rows, l.out}),
                          at::empty({l.in, l.out})});
  }
  void step() {
    for (auto& [x, w, y, g] : buffers_) at::mm_out(y, x, w);
    for (std::size_t i = layers_.size(); i-- > 0;) {
      auto& [x, w, y, g] = buffers_[i];
      at::mm_out(g, x.t(), y);
      if (!layers_[i].first) at::mm_out(x, y, w.t());
    }
  }

 private:
  std::vector<Layer> layers_;
  std::vector<std::array<Tensor, 4>> buffers_;
};

// The same step as one would write it in a tutorial, Adam as torch::optim::Adam does it.
class Eager {
 public:
  Eager(const Dataset& data, const std::vector<std::int64_t>& hidden, std::int64_t latent, std::int64_t draws)
      : x_(data.train.x), latent_(latent), draws_(draws), depth_(hidden.size()) {
    for (const Layer& l : layers_of(hidden, latent, draws)) add(l.in, l.out);
    for (const Tensor& p : parameters_) {
      first_.push_back(at::zeros_like(p));
      second_.push_back(at::zeros_like(p));
    }
  }
  void step() {
    const Tensor x = x_.index_select(0, at::randint(x_.size(0), {batch}, at::kLong)).to(at::kFloat);
    const Tensor code = layer(depth_, body(x, 0)), mean = code.narrow(1, 0, latent_);
    const Tensor log_variance = code.narrow(1, latent_, latent_);
    Tensor loss;
    if (draws_ == 1) {
      const Tensor z = mean + (log_variance * 0.5).exp() * at::randn_like(mean);
      const Tensor kl = -0.5 * (1 + log_variance - mean.square() - log_variance.exp()).sum();
      loss = (kl - score(z, x).sum()) / static_cast<double>(batch);
    } else {
      const Tensor m = mean.repeat_interleave(draws_, 0), v = log_variance.repeat_interleave(draws_, 0);
      const Tensor n = at::randn_like(m), z = m + (v * 0.5).exp() * n;
      const Tensor log_w =
          score(z, x.repeat_interleave(draws_, 0)) + ((n.square() + v).sum(1) - z.square().sum(1)) * 0.5;
      loss = -at::logsumexp(log_w.view({batch, draws_}), 1).mean();
    }
    for (Tensor& p : parameters_) p.mutable_grad().reset();
    loss.backward();
    adam();
  }

 private:
  void add(std::int64_t in, std::int64_t out) {
    parameters_.push_back((at::randn({in, out}) / std::sqrt(static_cast<double>(in))).requires_grad_(true));
    parameters_.push_back(at::zeros({out}).requires_grad_(true));
  }
  Tensor layer(std::size_t i, const Tensor& x) const {
    return at::addmm(parameters_[2 * i + 1], x, parameters_[2 * i]);
  }
  Tensor body(Tensor x, std::size_t first) const {
    for (std::size_t i = 0; i < depth_; ++i) x = at::tanh(layer(first + i, x));
    return x;
  }
  Tensor score(const Tensor& z, const Tensor& x) const {
    const Tensor a = layer(2 * depth_ + 1, body(z, depth_ + 1));
    return -at::binary_cross_entropy_with_logits(a, x, {}, {}, at::Reduction::None).sum(1);
  }
  void adam() {
    NoGradGuard no_graph;
    ++steps_;
    const double c1 = 1 - std::pow(0.9, steps_), c2 = 1 - std::pow(0.999, steps_);
    for (std::size_t i = 0; i < parameters_.size(); ++i) {
      const Tensor& g = parameters_[i].grad();
      first_[i].mul_(0.9).add_(g, 0.1);
      second_[i].mul_(0.999).addcmul_(g, g, 0.001);
      const Tensor denominator = (second_[i].sqrt() / std::sqrt(c2)).add_(1e-8);
      parameters_[i].addcdiv_(first_[i], denominator, -1e-3 / c1);
    }
  }
  Tensor x_;
  std::int64_t latent_, draws_;
  std::size_t depth_;
  std::vector<Tensor> parameters_, first_, second_;
  int steps_ = 0;
};

void bench_step(const std::string& sizes, std::int64_t latent, std::int64_t draws, double aim,
                double eager_aim) {
  const Dataset data = digits(5000);
  const std::vector<std::int64_t> hidden = parse_sizes("sizes", sizes);
  const auto trainer = make_trainer(data, sizes, latent, draws);
  Products products(layers_of(hidden, latent, draws));
  Eager eager(data, hidden, latent, draws);
  Comparison c(fmt::format("vae 784,{},{}, batch {}, {} draws", sizes, latent, batch, draws));
  c.add("products", [&] { products.step(); });
  c.add("step", [&] { trainer->step(); });
  c.add("eager", [&] { eager.step(); });
  c.run();
  c.ratio("step", "products", aim, false);
  c.ratio("eager", "step", eager_aim, true);
}

// 10 rows with 1,000 draws each: 1/5000 of the bound with k = 5,000 of 10,000 rows.
void bench_bound() {
  VaeOptions options;
  Vae vae(options, {}, DataShape{visible, {visible}});
  Rng rng(5);
  const Tensor x = (uniform(1000, visible, rng.next()) < 0.13).to(at::kFloat), some = x.narrow(0, 0, 10);
  vae.initialise(x, rng);
  const Tensor bound = vae.log_prob_bound(some, 1000, rng);
  require(bound.isfinite().all().item<bool>() && (bound < 0).all().item<bool>(),
          "the bound is no log-probability");
  const Tensor code = at::rand({1000, 50}), h0 = at::rand({1000, 200}), h1 = at::rand({1000, 200});
  const Tensor w0 = at::rand({50, 200}), w1 = at::rand({200, 200}), w2 = at::rand({200, visible});
  Tensor y0 = at::empty_like(h0), y1 = at::empty_like(h1), y2 = at::empty({1000, visible});
  Comparison c(
      "bound of vae 784,200,200,50: 10 rows x 1,000 draws (k = 5,000 of 10,000 rows takes 5,000 such)");
  c.add("products", [&] {
    for (int i = 0; i < 10; ++i) at::mm_out(y0, code, w0), at::mm_out(y1, h0, w1), at::mm_out(y2, h1, w2);
  });
  c.add("bound", [&] { vae.log_prob_bound(some, 1000, rng); });
  c.run();
  c.ratio("bound", "products", 0, false);
}

// What a network does first with a batch of bits, and last: x w and the gradient x^T g of its weights.
void bench_first_layer() {
  constexpr std::int64_t hidden = 500;
  const Tensor x = digit_batch(batch), w = at::randn({visible, hidden}), g = at::randn({batch, hidden});
  Tensor y = at::empty({batch, hidden}), gw = at::empty({visible, hidden});
  Tensor dense_y = at::empty_like(y), dense_gw = at::empty_like(gw);
  auto forward = [&] { multiply(y, x, w); };
  auto gradient = [&] { multiply(gw, x.t(), g); };
  auto dense_forward = [&] { composed::multiply(dense_y, x, w); };
  auto dense_gradient = [&] { composed::multiply(dense_gw, x.t(), g); };
  forward(), gradient(), dense_forward(), dense_gradient();
  require(at::allclose(y, dense_y, 1e-4, 1e-3) && at::allclose(gw, dense_gw, 1e-4, 1e-3),
          "the products of bits differ from the dense ones");
  Comparison c(
      fmt::format("first layer 784x500, batch {}, {:.0f} % ones", batch, 100 * x.mean().item<double>()));
  c.add("forward", forward);
  c.add("dense forward", dense_forward);
  c.add("gradient", gradient);
  c.add("dense gradient", dense_gradient);
  c.add("both", [&] { forward(), gradient(); });
  c.add("dense both", [&] { dense_forward(), dense_gradient(); });
  c.run();
  c.ratio("forward", "dense forward", 0, false);
  c.ratio("gradient", "dense gradient", 0, false);
  c.ratio("both", "dense both", 0.5, false);
}

const Registration first_layer("first-layer", bench_first_layer);
const Registration step("vae-step", [] { bench_step("500,500", 20, 1, 1.35, 1.8); });
const Registration small("vae-small", [] { bench_step("200,200", 50, 1, 0, 1.8); });
const Registration weighted("vae-weighted", [] { bench_step("200,200", 50, 5, 0, 1.8); });
const Registration bound("vae-bound", bench_bound);

}  // namespace
}  // namespace deepgen::bench
