// The RBM's hot loops against their bound, the matrix products alone, and against plain torch operations.
//
// All variants of a case run interleaved in one process and every figure is a ratio of best times, since
// absolute times on a shared machine mean little. Before timing, each fused loop is checked against its plain
// twin.
#include <fmt/format.h>

#include <memory>

#include "bench/harness.h"
#include "bench/random_bits.h"
#include "deepgen/models/boltzmann/rbm.h"
#include "deepgen/ops/binary_units.h"
#include "deepgen/train/trainer.h"

namespace deepgen::bench {
namespace {

constexpr std::int64_t visible = digit_columns, hidden = 500;
// Half of the hidden units are on before training, and far fewer soon: times are those of a machine that has
// learnt a little.
constexpr int first_steps = 300;

DataShape bits() { return {visible, {visible}, 0, ValueKind::binary, {}}; }

Settings step_settings(std::int64_t batch, const std::string& learning, bool centring) {
  Settings settings("rbm");
  settings.set("model.hidden=500");
  settings.set(fmt::format("training.batch={}", batch));
  settings.set("training.learning=" + learning);
  settings.set(fmt::format("training.chains={}", batch));
  settings.set(fmt::format("training.centring={}", centring));
  return settings;
}

// A machine at work on digits.
struct Training {
  Training(const Dataset& data, Settings settings)
      : model(std::dynamic_pointer_cast<Rbm>(make_model(settings, data))),
        trainer(model, data, std::move(settings), 1) {
    for (int i = 0; i < first_steps; ++i) trainer.step();
  }
  std::shared_ptr<Rbm> model;
  Trainer trainer;
};

// The five products of a CD-1 step, into buffers that are there.
class Products {
 public:
  explicit Products(std::int64_t batch)
      : v_(at::rand({batch, visible})),
        w_(at::rand({visible, hidden})),
        h_(at::empty({batch, hidden})),
        h1_(at::empty({batch, hidden})),
        v1_(at::empty({batch, visible})),
        g_(at::empty({visible, hidden})) {}
  void step() {
    at::mm_out(h_, v_, w_);
    at::addmm_out(g_, g_, v_.t(), h_, 0, -1);
    at::mm_out(v1_, h_, w_.t());
    at::mm_out(h1_, v1_, w_);
    at::addmm_out(g_, g_, v1_.t(), h1_, 1, 1);
  }

 private:
  Tensor v_, w_, h_, h1_, v1_, g_;
};

// The same step written plainly with torch operations, as one would from its tutorial.
class Eager {
 public:
  Eager(const Dataset& data, std::int64_t batch)
      : x_(data.train.x),
        batch_(batch),
        w_(at::randn({visible, hidden}) * 0.01),
        b_(at::zeros({visible})),
        c_(at::zeros({hidden})) {}
  void step() {
    const Tensor index = at::randint(x_.size(0), {batch_}, at::kLong);
    const Tensor v0 = x_.index_select(0, index).to(at::kFloat);
    const Tensor h0 = at::sigmoid(at::mm(v0, w_) + c_);
    const Tensor v1 = at::bernoulli(at::sigmoid(at::mm(at::bernoulli(h0), w_.t()) + b_));
    const Tensor h1 = at::sigmoid(at::mm(v1, w_) + c_);
    const double rate = 0.05 / static_cast<double>(batch_);
    w_.add_(at::mm(v0.t(), h0) - at::mm(v1.t(), h1), rate);
    b_.add_((v0 - v1).sum(0), rate);
    c_.add_((h0 - h1).sum(0), rate);
  }

 private:
  Tensor x_;
  std::int64_t batch_;
  Tensor w_, b_, c_;
};

// The same by autograd on the difference of mean free energies, as tutorials write it.
class Tutorial {
 public:
  Tutorial(const Dataset& data, std::int64_t batch)
      : x_(data.train.x),
        batch_(batch),
        w_((at::randn({visible, hidden}) * 0.01).requires_grad_(true)),
        b_(at::zeros({visible}).requires_grad_(true)),
        c_(at::zeros({hidden}).requires_grad_(true)) {}
  void step() {
    const Tensor v0 = x_.index_select(0, at::randint(x_.size(0), {batch_}, at::kLong)).to(at::kFloat);
    Tensor v1;
    {
      torch::NoGradGuard no_graph;
      const Tensor h0 = at::bernoulli(at::sigmoid(at::mm(v0, w_) + c_));
      v1 = at::bernoulli(at::sigmoid(at::mm(h0, w_.t()) + b_));
    }
    const Tensor loss = free_energy(v0) - free_energy(v1);
    for (Tensor* p : {&w_, &b_, &c_}) p->mutable_grad().reset();
    loss.backward();
    torch::NoGradGuard no_graph;
    for (Tensor* p : {&w_, &b_, &c_}) p->sub_(p->grad(), 0.05);
  }

 private:
  Tensor free_energy(const Tensor& v) const {
    return -(at::mv(v, b_) + at::softplus(at::mm(v, w_) + c_).sum(1)).mean();
  }
  Tensor x_;
  std::int64_t batch_;
  Tensor w_, b_, c_;
};

// The gradient of the fused step equals the plain formula with the same random numbers.
void check_gradient() {
  RbmOptions options;
  options.hidden = hidden;
  RbmLearning learning;
  learning.learning = "cd", learning.centring = false;
  Rbm rbm(options, learning, bits());
  Rng seed(5);
  const Tensor v0 = (uniform(100, visible, seed.next()) < 0.13).to(at::kFloat);
  rbm.initialise({v0, {}}, seed);
  Rng fused = seed.fork({1}), plain = seed.fork({1});
  rbm.gradients({v0, {}}, Turn{}, fused);
  const Tensor h0 = at::sigmoid(at::mm(v0, rbm.weights) + rbm.hidden_bias);
  const Tensor s0 = (uniform(100, hidden, plain.next()) < h0).to(at::kFloat);
  const Tensor m1 = at::sigmoid(at::mm(s0, rbm.weights.t()) + rbm.visible_bias);
  const Tensor v1 = (uniform(100, visible, plain.next()) < m1).to(at::kFloat);
  const Tensor h1 = at::sigmoid(at::mm(v1, rbm.weights) + rbm.hidden_bias);
  const Tensor expected = (at::mm(v1.t(), h1) - at::mm(v0.t(), h0)) / 100;
  require(at::allclose(rbm.weights.grad(), expected, 1e-3, 1e-5),
          "the fused CD-1 gradient differs from the plain one");
}

void bench_step(std::int64_t batch, const std::string& learning, bool centring, double aim,
                double eager_aim) {
  const Dataset data = digits(5000);
  Training training(data, step_settings(batch, learning, centring));
  Products products(batch);
  Eager eager(data, batch);
  Tutorial tutorial(data, batch);
  const std::string name =
      fmt::format("rbm 784x500 {}-1{}, batch {}", learning, centring ? " centred" : "", batch);
  Comparison c(name);
  c.add("products", [&] { products.step(); });
  c.add("step", [&] { training.trainer.step(); });
  c.add("eager", [&] { eager.step(); });
  c.add("tutorial", [&] { tutorial.step(); });
  c.run();
  c.ratio("step", "products", aim, false);
  c.ratio("eager", "step", eager_aim, true);
  c.ratio("tutorial", "step", 0, true);
}

// From samples, near temperature one, where most of a run's temperatures are.
void bench_annealing() {
  constexpr double from = 0.9, by = 1e-5;
  constexpr std::int64_t chains = 100, steps = 20;
  const Dataset data = digits(5000);
  const Training training(data, step_settings(100, "pcd", true));
  const Rbm& rbm = *training.model;
  Rng rng(7);
  const auto fused = rbm.anneal_from(digit_batch(chains));
  Tensor log_weights = at::zeros({chains}, at::kDouble);
  const Tensor v = at::rand({chains, visible}), h = at::rand({chains, hidden});
  Tensor v_out = at::empty_like(v), h_out = at::empty_like(h);
  Comparison c("annealing 784x500, 100 chains, a temperature");
  c.add("products", [&] {
    for (std::int64_t k = 0; k < steps; ++k)
      at::mm_out(v_out, h, rbm.weights.t()), at::mm_out(h_out, v, rbm.weights);
  });
  double beta = from;
  c.add("step", [&] {
    for (std::int64_t k = 0; k < steps; ++k) {
      const double next = beta + by > 1 ? from : beta + by;
      fused->step(beta, next, log_weights, rng);
      beta = next;
    }
  });
  c.run();
  c.ratio("step", "products", 0.8, false);
  require(log_weights.isfinite().all().item<bool>(), "annealing weights are not finite");
}

const Registration cd("rbm-cd1", [] {
  check_gradient();
  bench_step(20, "cd", false, 0, 0);
  bench_step(100, "cd", false, 0.6, 3);
  bench_step(500, "cd", false, 0, 0);
});
const Registration pcd("rbm-pcd1", [] { bench_step(100, "pcd", false, 0.6, 0); });
const Registration centred("rbm-centred", [] { bench_step(100, "pcd", true, 0.75, 0); });
const Registration annealing("rbm-annealing", bench_annealing);

}  // namespace
}  // namespace deepgen::bench
