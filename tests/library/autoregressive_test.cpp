// What only autoregressive models can fail at: the order of what sees what, gradients by hand, and passes
// that draw column by column. (exact_laws_test.cpp has what they owe as exact models.)
#include <fmt/format.h>

#include "deepgen/models/autoregressive/fvbn.h"
#include "deepgen/models/autoregressive/made.h"
#include "deepgen/models/autoregressive/nade.h"
#include "deepgen/ops/binary_units.h"
#include "deepgen/ops/layers.h"
#include "deepgen/ops/ranked_weights.h"
#include "tests/library/machines.h"
#include "tests/library/on_kernels.h"

namespace deepgen::autoregressive_test {
namespace {

using namespace machines;

template <class M>
std::shared_ptr<M> randomised(std::shared_ptr<M> model, std::int64_t columns, double scale,
                              std::uint64_t seed) {
  Rng rng(seed);
  model->initialise({bits_tensor(40, columns, rng), {}}, rng);
  randomise(*model, scale, rng);
  return model;
}

std::shared_ptr<Made> make_made(std::int64_t columns, const MadeOptions& options, double scale,
                                std::uint64_t seed) {
  return randomised(std::make_shared<Made>(options, MadeLearning{}, bits_shape(columns)), columns, scale,
                    seed);
}

std::shared_ptr<Nade> make_nade(std::int64_t columns, std::int64_t hidden, double scale, std::uint64_t seed) {
  NadeOptions options;
  options.hidden = hidden;
  return randomised(std::make_shared<Nade>(options, NoOptions{}, bits_shape(columns)), columns, scale, seed);
}

std::shared_ptr<Fvbn> make_fvbn(std::int64_t columns, const std::string& order, double scale,
                                std::uint64_t seed) {
  FvbnOptions options;
  options.order = order;
  return randomised(std::make_shared<Fvbn>(options, NoOptions{}, bits_shape(columns)), columns, scale, seed);
}

MadeOptions made_options(const std::string& hidden, const std::string& activation, bool direct,
                         std::int64_t masks, const std::string& order) {
  MadeOptions options;
  options.hidden = hidden, options.activation = activation, options.direct = direct;
  options.masks = masks, options.order = order;
  return options;
}

// Which logits change when one input does: strictly those later in the order, and nearly all of them.
void expect_triangular(const std::function<Tensor(const Tensor&)>& logits,
                       const std::vector<std::int64_t>& order, double least_share, const std::string& what) {
  const auto n = static_cast<std::int64_t>(order.size());
  Rng rng(3);
  Tensor x = normal_tensor({1, n}, 1, rng).requires_grad_(true);
  const Tensor out = logits(x);
  std::int64_t reached = 0;
  for (std::int64_t later = 0; later < n; ++later) {
    const Tensor row = torch::autograd::grad({out[0][order[size(later)]]}, {x}, {}, true, false, true)[0];
    for (std::int64_t p = 0; p < n; ++p) {
      const double slope = row.defined() ? row[0][order[size(p)]].item<double>() : 0;
      if (p >= later)
        EXPECT_EQ(slope, 0) << what << ": position " << p << " reaches " << later;
      else
        reached += slope != 0;
    }
  }
  EXPECT_GE(real(reached), least_share * real(n * (n - 1) / 2)) << what << ": too little is seen";
}

TEST(AutoregressiveOrder, JacobiansAreStrictlyTriangular) {
  for (const char* order : {"natural", "random"}) {
    const auto fvbn = make_fvbn(12, order, 1, 1);
    EXPECT_EQ(fvbn->ranks().order == natural_order(12), order == std::string("natural"));
    expect_triangular([&](const Tensor& x) { return fvbn->logits(x); }, fvbn->ranks().order, 1, "fvbn");
  }
  for (const char* hidden : {"", "40", "40,30", "30,30,30"})
    for (const char* order : {"natural", "random"})
      for (const bool direct : {false, true}) {
        const auto made = make_made(12, made_options(hidden, "tanh", direct, 4, order), 1, 5);
        for (std::int64_t mask = 0; mask < 4; ++mask)
          expect_triangular([&](const Tensor& x) { return made->logits(x, mask); }, made->ranks(mask).order,
                            direct ? 1 : 0.5, fmt::format("made {} {} mask {}", hidden, order, mask));
      }
  const auto nade = make_nade(9, 11, 1, 2);
  expect_triangular([&](const Tensor& x) { return composed::nade_logits(x, nade->weights); },
                    natural_order(9), 1, "nade");
}

TEST(AutoregressiveOrder, ThatOfFvbnComesFromTheSeedAndADamagedOneIsRefused) {
  const auto fvbn = make_fvbn(12, "random", 1, 1);
  EXPECT_EQ(fvbn->ranks().order, make_fvbn(12, "random", 1, 1)->ranks().order);
  EXPECT_NE(fvbn->ranks().order, make_fvbn(12, "random", 1, 2)->ranks().order);
  for (const std::int64_t wrong : {std::int64_t{-1}, std::int64_t{1} << 40, fvbn->ranks().order[3]}) {
    fvbn->named_buffers()["order"][5] = wrong;
    expect_says(error_of(ErrorKind::data, [&] { fvbn->log_prob(at::zeros({2, 12})); }), {"order", "once"});
  }
}

TEST(AutoregressiveOrder, MasksDifferAndComeFromTheSeed) {
  const auto made = make_made(30, made_options("20", "relu", true, 3, "random"), 1, 5);
  EXPECT_NE(made->ranks(0).order, made->ranks(1).order);
  EXPECT_EQ(made->ranks(1).order,
            make_made(30, made_options("20", "relu", true, 3, "random"), 1, 5)->ranks(1).order);
  EXPECT_NE(made->ranks(1).order,
            make_made(30, made_options("20", "relu", true, 3, "random"), 1, 6)->ranks(1).order);
  EXPECT_FALSE(at::equal(made->ranks(0).layers[1], made->ranks(1).layers[1]));
}

TEST(AutoregressiveOrder, UnknownMasksAndHiddenSizesAreRefused) {
  const auto made = make_made(5, made_options("4", "relu", true, 3, "natural"), 1, 5);
  const Tensor x = at::zeros({2, 5});
  for (const std::int64_t mask : {-1, 3, 100})
    expect_says(error_of(ErrorKind::usage, [&] { made->log_prob_under(x, mask); }),
                {"mask from 0 to 2", std::to_string(mask)});
  for (const char* bad : {"0", "5,", "x"})
    error_of(ErrorKind::usage, [&] { make_made(5, made_options(bad, "relu", true, 1, "natural"), 1, 5); });
}

TEST(AutoregressiveData, WhatIsNoCompleteRowOfBitsIsRefused) {
  const auto nade = make_nade(4, 3, 1, 2);
  Tensor x = at::zeros({3, 4});
  nade->check_data(x, "train");
  x[1][2] = 0.5;
  expect_says(error_of(ErrorKind::data, [&] { nade->check_data(x, "train", 10); }),
              {"row 11", "column 2", "0.5"});
  x[1][2] = std::nanf("");
  expect_says(error_of(ErrorKind::data, [&] { nade->check_data(x, "train", 10); }),
              {"row 11", "column 2", "missing", "deepgen complete"});
  error_of(ErrorKind::data, [&] { nade->check_data(at::zeros({3, 5}), "train"); });
}

TEST(RankedWeights, EqualTheirComposedTwin) {
  Rng rng(4);
  const Tensor w = normal_tensor({37, 53}, 1, rng).requires_grad_(true), k = normal_tensor({37, 53}, 1, rng);
  auto ranks = [&](std::int64_t n) {
    Tensor r = at::empty({n}, at::kInt);
    for (std::int64_t i = 0; i < n; ++i) r[i] = static_cast<std::int64_t>(rng.below(20));
    return r;
  };
  const Tensor from = ranks(37), to = ranks(53);
  const Tensor ours = ranked_weights(w, from, to), twin = composed::ranked_weights(w, from, to);
  expect_bit_equal(ours, twin, "value");
  expect_bit_equal(torch::autograd::grad({(ours * k).sum()}, {w})[0],
                   torch::autograd::grad({(twin * k).sum()}, {w})[0], "gradient");
}

// ---------------------------------------------------------------- NADE by hand

class NadeKernels : public OnKernels {};

INSTANTIATE_TEST_SUITE_P(Kernels, NadeKernels, ::testing::ValuesIn(available_kernels()),
                         [](const auto& about) { return about.param; });

struct NadeCase {
  std::int64_t columns, hidden, rows;
  double share;  // of ones
};
// The last one has several groups of rows.
const std::vector<NadeCase> nade_cases = {{1, 1, 3, 0.5},    {2, 5, 1, 1},       {9, 16, 7, 0},
                                          {13, 37, 20, 0.3}, {30, 64, 9, 1},     {21, 131, 33, 0.5},
                                          {5, 300, 4, 0.7},  {40, 300, 200, 0.9}};

TEST_P(NadeKernels, LogitsAndGradientsEqualTheirComposedTwin) {
  for (const NadeCase& c : nade_cases) {
    const std::string what = fmt::format("{} columns, {} hidden", c.columns, c.hidden);
    const auto nade = make_nade(c.columns, c.hidden, 0.7, 5);
    Rng rng(6), unused(0);
    const Tensor x = bits_tensor(c.rows, c.columns, rng, c.share);
    const Tensor twin = composed::nade_logits(x, nade->weights);
    expect_near(doubles(nade->logits(x)), doubles(twin), 2e-5, what);
    const Tensor loss = -composed::bernoulli_log_prob(twin, x).mean();
    const auto items = nade->named_parameters();
    std::vector<Tensor> parameters, ours;
    for (const auto& item : items) parameters.push_back(item.value());
    nade->gradients({x, {}}, Turn{}, unused);
    for (const auto& item : items) ours.push_back(item.value().grad().clone());
    const auto theirs = torch::autograd::grad({loss}, parameters, {}, false, false, true);
    for (std::size_t k = 0; k < parameters.size(); ++k) {
      const Tensor wanted = theirs[k].defined() ? theirs[k] : at::zeros_like(parameters[k]);
      expect_near(doubles(ours[k]), doubles(wanted), 2e-5, what + ", " + items[k].key());
    }
    nade->gradients({x, {}}, Turn{}, unused);  // written, not added to
    for (std::size_t k = 0; k < parameters.size(); ++k)
      expect_bit_equal(items[k].value().grad(), ours[k], what + ", again " + items[k].key());
  }
}

TEST_P(NadeKernels, GradientsAreThoseOfTheLogProbByFiniteDifferences) {
  const auto nade = make_nade(6, 5, 0.8, 7);
  Rng rng(8), unused(0);
  const Tensor x = bits_tensor(40, 6, rng);
  nade->gradients({x, {}}, Turn{}, unused);
  NoGradGuard no_graph;
  for (auto& item : nade->named_parameters()) {
    Tensor flat = item.value().view({-1});
    for (std::int64_t i = 0; i < flat.size(0); ++i) {
      const float kept = flat[i].item<float>();
      auto loss_at = [&](double step) {
        flat[i] = kept + step;
        return -nade->log_prob(x).mean().item<double>();
      };
      const double slope = (loss_at(1e-2) - loss_at(-1e-2)) / 2e-2;
      flat[i] = kept;
      EXPECT_NEAR(item.value().grad().view({-1})[i].item<double>(), slope, 2e-4) << item.key() << " " << i;
    }
  }
}

// Blocks of rows are made where their states need too much memory.
TEST_P(NadeKernels, ManyRowsAddUp) {
  const auto nade = make_nade(7, 3, 0.8, 7);
  Rng rng(9), unused(0);
  const Tensor x = bits_tensor(2500, 7, rng);
  nade->gradients({x, {}}, Turn{}, unused);
  std::vector<Tensor> whole;
  for (const Tensor& p : nade->parameters()) whole.push_back(p.grad().clone().mul_(2500));
  for (const auto& [first, count] : std::vector<std::pair<int, int>>{{0, 1000}, {1000, 700}, {1700, 800}}) {
    nade->gradients({x.narrow(0, first, count), {}}, Turn{}, unused);
    for (std::size_t k = 0; k < whole.size(); ++k)
      whole[k].sub_(nade->parameters()[k].grad(), static_cast<double>(count));
  }
  for (const Tensor& rest : whole) EXPECT_LT(rest.abs().max().item<double>(), 5e-3);
}

TEST(NadeThreads, NumbersDoNotDependOnThem) {
  const auto nade = make_nade(301, 70, 0.3, 7);
  Rng rng(9), unused(0);
  const Tensor x = bits_tensor(600, 301, rng, 0.3);  // so many that torch would share them out too
  std::vector<Tensor> one;
  for (const int count : {1, 2, 3, 4}) {
    const Threads threads(count);
    std::vector<Tensor> all;
    nade->gradients({x, {}}, Turn{}, unused);
    for (const Tensor& p : nade->parameters()) all.push_back(p.grad().clone());
    all.push_back(nade->log_prob(x));
    Rng own(3);
    all.push_back(nade->sample(90, own));
    if (count == 1) one = all;
    for (std::size_t k = 0; k < one.size(); ++k) expect_bit_equal(one[k], all[k], "threads");
  }
}

// Step after step another mask, each with the gradient of its own likelihood.
TEST(MadeGradients, AreThoseOfTheMaskOfTheStep) {
  const auto made = make_made(9, made_options("12", "tanh", true, 3, "random"), 0.7, 5);
  Rng rng(3), unused(0);
  const Tensor x = bits_tensor(30, 9, rng);
  for (const std::int64_t step : {0, 1, 2, 3, 7}) {
    const Metrics metrics = made->gradients({x, {}}, {.step = step, .steps = 10}, unused);
    const Tensor loss = -composed::bernoulli_log_prob(made->logits(x, step % 3), x).mean();
    EXPECT_NEAR(metrics.front().second, -loss.item<double>(), 1e-5);
    for (const auto& p : made->named_parameters()) {
      const Tensor wanted = torch::autograd::grad({loss}, {p.value()}, {}, true)[0];
      expect_near(doubles(p.value().grad()), doubles(wanted), 1e-5, p.key());
    }
  }
}

// ---------------------------------------------------------------- passes column by column

// One pass gives cells that are right under the logits of all columns at once, and holds what is held.
void expect_a_true_pass(Model& model, const std::function<Tensor(const Tensor&)>& logits, std::int64_t n,
                        const std::string& what) {
  Rng a(7), b(7);
  const Tensor x = as<CanSample>(model)->sample(60, a);
  const Tensor u = uniform(60, n, b.next()), p = at::sigmoid(logits(x).detach());
  const Tensor wrong = at::logical_and((u < p) != (x > 0.5), (u - p).abs() > 1e-5);
  EXPECT_EQ(wrong.sum().item<std::int64_t>(), 0) << what;
}

TEST(AncestralPasses, DrawUnderTheLogitsOfAllColumnsAtOnce) {
  for (const char* hidden : {"", "33", "40,21", "20,20,20"})
    for (const char* f : {"relu", "tanh", "sigmoid"})
      for (const char* order : {"natural", "random"}) {
        const auto made = make_made(45, made_options(hidden, f, true, 2, order), 0.4, 5);
        expect_a_true_pass(
            *made, [&](const Tensor& x) { return made->logits(x, 0); }, 45,
            fmt::format("made {} {} {}", hidden, f, order));
      }
  const auto nade = make_nade(45, 37, 0.4, 3);
  expect_a_true_pass(
      *nade, [&](const Tensor& x) { return nade->logits(x); }, 45, "nade");
  for (const char* order : {"natural", "random"}) {
    const auto fvbn = make_fvbn(45, order, 0.4, 4);
    expect_a_true_pass(
        *fvbn, [&](const Tensor& x) { return fvbn->logits(x); }, 45, "fvbn");
  }
}

}  // namespace
}  // namespace deepgen::autoregressive_test
