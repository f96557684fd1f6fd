// Layers of networks against their composed twins, values and gradients, and against finite differences.
#include "deepgen/ops/layers.h"

#include "deepgen/parts/nets/nets.h"
#include "deepgen/parts/nets/sizes.h"
#include "tests/library/machines.h"

namespace deepgen::layers_test {
namespace {

using namespace machines;

struct Inputs {
  Tensor x, w, b;
};

Inputs inputs(std::int64_t rows, std::int64_t in, std::int64_t out, std::uint64_t seed) {
  Rng rng(seed);
  Inputs all{normal_tensor({rows, in}, 1, rng), normal_tensor({in, out}, 0.5, rng),
             normal_tensor({out}, 1, rng)};
  for (Tensor* each : {&all.x, &all.w, &all.b}) each->requires_grad_(true);
  return all;
}

// Gradients of sum(weights * f) for fixed weights.
std::vector<Tensor> gradients(const Tensor& y, const std::vector<Tensor>& of) {
  Rng rng(5);
  const Tensor weights = normal_tensor(y.sizes(), 1, rng).to(y.scalar_type());
  return torch::autograd::grad({(y * weights).sum()}, of);
}

TEST(DenseLayers, EqualTheirComposedTwins) {
  for (const std::string& name : activation_names()) {
    const Activation f = activation_of(name);
    const Inputs i = inputs(7, 33, 450, 1);
    for (const bool biased : {true, false}) {
      const Tensor b = biased ? i.b : Tensor();
      std::vector<Tensor> of = {i.x, i.w};
      if (biased) of.push_back(i.b);
      const Tensor ours = dense(i.x, i.w, b, f), twin = composed::dense(i.x, i.w, b, f);
      expect_near(doubles(ours), doubles(twin), 2e-5, name);
      const auto g = gradients(ours, of), h = gradients(twin, of);
      for (std::size_t k = 0; k < g.size(); ++k) expect_near(doubles(g[k]), doubles(h[k]), 3e-4, name);
    }
  }
}

TEST(DenseLayers, OneRowLeavesItsArgumentsAsTheyAre) {
  const Inputs i = inputs(1, 5, 7, 9);
  const Tensor bias = i.b.detach().clone();
  const Tensor first = dense(i.x, i.w, i.b), again = dense(i.x, i.w, i.b);
  expect_bit_equal(i.b, bias, "the bias");
  expect_bit_equal(first, again, "twice");
}

TEST(DenseLayers, GradientsAreNotAskedForInVain) {
  const Inputs i = inputs(3, 4, 5, 2);
  const Tensor x = i.x.detach();
  const auto g = gradients(dense(x, i.w, i.b, Activation::tanh), {i.w, i.b});
  const auto h = gradients(composed::dense(x, i.w, i.b, Activation::tanh), {i.w, i.b});
  for (std::size_t k = 0; k < 2; ++k) expect_near(doubles(g[k]), doubles(h[k]), 1e-5, "given the input");
}

TEST(DenseLayers, LeaveTheirArgumentsAsTheyAre) {
  for (const std::int64_t rows : {1, 3}) {
    const Inputs i = inputs(rows, 4, 5, 2);
    const Tensor x = i.x.detach().clone(), w = i.w.detach().clone(), b = i.b.detach().clone();
    dense(i.x, i.w, i.b, Activation::tanh);
    expect_bit_equal(i.x, x, "x");
    expect_bit_equal(i.w, w, "w");
    expect_bit_equal(i.b, b, "b");
  }
}

TEST(DenseLayers, DoNotDependOnTheNumberOfThreads) {
  const Inputs i = inputs(101, 700, 903, 3);
  std::vector<Tensor> one, four;
  for (const int count : {1, 4}) {
    const Threads threads(count);
    std::vector<Tensor>& all = count == 1 ? one : four;
    const Tensor y = dense(i.x, i.w, i.b, Activation::softplus);
    all = torch::autograd::grad(
        {bernoulli_log_prob(y, i.x.detach().narrow(1, 0, 1).expand_as(y).contiguous()).sum()},
        {i.x, i.w, i.b});
    all.push_back(y);
  }
  for (std::size_t k = 0; k < one.size(); ++k) expect_bit_equal(one[k], four[k], "threads");
}

// Sizes that no vector divides, so that every share of a thread has a remainder.
TEST(Activations, EqualTheirComposedTwinsOnAnyNumberOfThreads) {
  Rng rng(8);
  for (const std::string& name : activation_names()) {
    const Activation f = activation_of(name);
    const Tensor a = normal_tensor({151, 7, 43}, 3, rng).requires_grad_(true);
    const Tensor twin = composed::activate(a, f), slope = gradients(twin, {a})[0];
    std::vector<Tensor> one;
    for (const int count : {1, 2, 3, 4}) {
      const Threads threads(count);
      const Tensor y = activate(a, f);
      const std::vector<Tensor> now = {y, gradients(y, {a})[0]};
      if (count == 1) one = now;
      for (std::size_t k = 0; k < 2; ++k) expect_bit_equal(now[k], one[k], name);
    }
    expect_near(doubles(one[0]), doubles(twin), 2e-6, name);
    expect_near(doubles(one[1]), doubles(slope), 1e-5, name);
  }
}

TEST(BernoulliLogProb, GradientsDoNotDependOnTheNumberOfThreads) {
  Rng rng(9);
  const Tensor x = bits_tensor(151, 301, rng), a = normal_tensor({151, 301}, 3, rng).requires_grad_(true);
  std::vector<Tensor> all;
  for (const int count : {1, 2, 3, 4}) {
    const Threads threads(count);
    all.push_back(gradients(bernoulli_log_prob(a, x), {a})[0]);
    expect_bit_equal(all.back(), all.front(), "threads");
  }
}

TEST(BernoulliLogProb, EqualsItsComposedTwin) {
  Rng rng(4);
  const Tensor x = bits_tensor(9, 70, rng), a = normal_tensor({9, 70}, 6, rng).requires_grad_(true);
  const Tensor ours = bernoulli_log_prob(a, x), twin = composed::bernoulli_log_prob(a, x);
  ASSERT_EQ(ours.scalar_type(), at::kDouble);
  expect_near(doubles(ours), doubles(twin), 1e-4, "value");
  expect_near(doubles(gradients(ours, {a})[0]), doubles(gradients(twin, {a})[0]), 1e-5, "gradient");
}

TEST(Networks, BeginWithTheScaleOfTheirLayers) {
  Rng rng(6), again(6);
  for (const char* name : {"relu", "tanh", "gated"}) {
    Mlp net(400, {300, 200}, name);
    net.initialise(rng);
    const Tensor w = net.layers()[1]->weight;
    const double wanted = std::string(name) == "relu" ? 2.0 / 300 : 2.0 / 500;
    EXPECT_NEAR(w.pow(2).mean().item<double>() / wanted, 1, 0.03)
        << name;  // 60,000 draws: 0.4 % is one deviation
    EXPECT_EQ(net.forward(at::ones({3, 400})).sizes(), at::IntArrayRef({3, 200}));
  }
  Mlp none(5, {}, "tanh");
  EXPECT_EQ(none.out(), 5);
  EXPECT_EQ(none.parameters().size(), 0U);
}

TEST(Networks, FillGradientsWritesEveryParameter) {
  Rng rng(7);
  Mlp net(6, {5, 4}, "gated");
  net.initialise(rng);
  std::vector<Tensor> parameters = net.parameters();
  Tensor unused = at::ones({3}).requires_grad_(true);
  unused.mutable_grad() = at::ones({3});
  parameters.push_back(unused);
  const Tensor x = normal_tensor({8, 6}, 1, rng);
  fill_gradients(net.forward(x).sum(), parameters);
  const std::vector<Tensor> first = [&] {
    std::vector<Tensor> all;
    for (const Tensor& each : parameters) all.push_back(each.grad().clone());
    return all;
  }();
  EXPECT_EQ(unused.grad().abs().sum().item<double>(), 0);
  fill_gradients(net.forward(x).sum(), parameters);  // written, not added to
  for (std::size_t k = 0; k < parameters.size(); ++k)
    expect_bit_equal(parameters[k].grad(), first[k], "again");
  EXPECT_GT(first[0].abs().sum().item<double>(), 0);
}

// So many that torch shares their sum out among its threads.
TEST(OrderedMeans, DoNotDependOnTheNumberOfThreads) {
  Rng rng(8);
  const Tensor x = normal_tensor({3, 40001}, 1e3, rng).to(at::kDouble).requires_grad_(true);
  std::vector<Tensor> one;
  for (const int count : {1, 2, 3, 8}) {
    const Threads threads(count);
    const Tensor mean = ordered_mean(x);
    const std::vector<Tensor> now = {mean, torch::autograd::grad({mean}, {x})[0]};
    if (count == 1) one = now;
    for (std::size_t k = 0; k < now.size(); ++k) expect_bit_equal(now[k], one[k], "threads");
  }
  EXPECT_NEAR(one[0].item<double>(), x.mean().item<double>(), 1e-9);
  EXPECT_LT((one[1] * 120003 - 1).abs().max().item<double>(), 1e-12);
  const Tensor few = x.detach().flatten().narrow(0, 0, 21);
  EXPECT_EQ(ordered_mean(few).item<double>(), few.mean().item<double>());
}

TEST(LayerSizes, AreReadOrRefused) {
  EXPECT_EQ(parse_sizes("model.hidden", "200,100"), (std::vector<std::int64_t>{200, 100}));
  EXPECT_EQ(parse_sizes("model.hidden", "7"), (std::vector<std::int64_t>{7}));
  EXPECT_TRUE(parse_sizes("model.hidden", "").empty());
  for (const char* bad : {"0", "-3", "a", "5,", ",5", "5,,6", "1e3", "5 6", "2000000"})
    expect_says(error_of(ErrorKind::usage, [&] { parse_sizes("model.hidden", bad); }), {"model.hidden", bad});
}

}  // namespace
}  // namespace deepgen::layers_test
