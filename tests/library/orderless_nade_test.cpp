// The order-agnostic NADE against its definition: conditionals from one pass given what is known.
#include "deepgen/models/autoregressive/orderless_nade.h"

#include <map>

#include "deepgen/ops/layers.h"
#include "tests/library/machines.h"

namespace deepgen::orderless_nade_test {
namespace {

using namespace machines;

std::shared_ptr<OrderlessNade> make_orderless(std::int64_t columns, const std::string& hidden,
                                              const std::string& activation, double scale,
                                              std::uint64_t seed) {
  OrderlessNadeOptions options;
  options.hidden = hidden, options.activation = activation;
  auto model = std::make_shared<OrderlessNade>(options, OrderlessNadeLearning{}, bits_shape(columns));
  Rng rng(seed);
  model->initialise({bits_tensor(40, columns, rng), {}}, rng);
  randomise(*model, scale, rng);
  return model;
}

// log p of column i of rows x given the columns that are known, [B].
Doubles conditional(const OrderlessNade& model, const Tensor& x, const Tensor& known, std::int64_t i) {
  NoGradGuard no_graph;
  Rng unused(0);
  const Tensor a = model.logits_given(x, known, 0, unused).select(1, i).to(at::kDouble);
  return doubles(x.select(1, i) * a - at::softplus(a, 1, 40));
}

// log p(x | order) column by column, each from a pass of its own.
Doubles by_definition(const OrderlessNade& model, const Tensor& x, const std::vector<std::int64_t>& order) {
  Tensor known = at::zeros(x.sizes());
  Doubles sum(size(x.size(0)));
  for (const std::int64_t i : order) {
    const Doubles own = conditional(model, x, known, i);
    for (std::size_t r = 0; r < sum.size(); ++r) sum[r] += own[r];
    known.select(1, i).fill_(1);
  }
  return sum;
}

TEST(OrderlessNade, LogProbsOfOrdersAreThoseOfTheDefinition) {
  Rng rng(3);
  const Tensor x = bits_tensor(300, 11, rng);
  for (const char* hidden : {"17", "9,13", "8,8,8"})
    for (const char* f : {"relu", "tanh", "sigmoid"}) {
      const auto model = make_orderless(11, hidden, f, 0.6, 5);
      for (const std::int64_t order : {0, 1, 1000})
        expect_near(doubles(model->log_prob_under(x, order)), by_definition(*model, x, model->order(order)),
                    3e-5, std::string(hidden) + " " + f);
    }
}

TEST(OrderlessNade, AKnownColumnDoesNotReachWhatIsMissingUnlessMarked) {
  const auto model = make_orderless(6, "10", "tanh", 1, 5);
  Rng rng(3);
  const Tensor x = bits_tensor(20, 6, rng), other = 1 - x, none = at::zeros({20, 6});
  expect_bit_equal(model->logits_given(x, none, 0, rng), model->logits_given(other, none, 0, rng),
                   "nothing known");
}

TEST(OrderlessNade, UnknownOrdersAndNoLayersAreRefused) {
  const auto model = make_orderless(5, "4", "relu", 1, 5);
  expect_says(error_of(ErrorKind::usage,
                       [&] {
                         model->log_prob_under(at::zeros({2, 5}), -1);
                       }),
              {"order", "-1"});
  expect_says(error_of(ErrorKind::usage, [&] { make_orderless(5, "", "relu", 1, 5); }), {"model.hidden"});
}

// The mean over random splits is the mean over all orders of log p(x | order).
TEST(OrderlessNade, TheObjectiveIsUnbiasedForTheMeanOverOrders) {
  const std::int64_t n = 4;
  const auto model = make_orderless(n, "7", "tanh", 0.8, 9);
  Rng rng(3);
  const Tensor x = bits_tensor(1, n, rng);
  std::vector<std::int64_t> order = {0, 1, 2, 3};
  double sum = 0, count = 0;
  do {
    sum += by_definition(*model, x, order)[0], count += 1;
  } while (std::next_permutation(order.begin(), order.end()));
  const Tensor many = x.expand({400, n}).contiguous();
  Moments moments;
  for (int k = 0; k < 100; ++k) {
    const Metrics metrics = model->diagnose({many, {}}, {many, {}}, rng);
    moments.add({metrics[0].second});
  }
  EXPECT_LT(moments.largest_z({sum / count}, 1e-5), 4.9);  // one in a million
}

// The share of rows that lack n columns is q(n), for a single row of a batch and for all; the rows of a batch
// cover the range; each column is missing as often as any other; weights are 1 / (n q(n)).
TEST(OrderlessNade, SplitsFollowTheirDistributionAndAreSpreadOverTheBatch) {
  constexpr std::int64_t n = 9, rows = 6, draws = 4000;
  const auto model = make_orderless(n, "3", "tanh", 0.8, 9);
  Rng rng(3);
  Tensor first = at::zeros({n}), all = at::zeros({n}), columns = at::zeros({n});
  for (std::int64_t k = 0; k < draws; ++k) {
    const OrderlessNade::Splits splits = model->draw_splits(rows, rng);
    const Tensor missing = n - splits.known.sum(1);
    for (std::int64_t r = 0; r < rows; ++r) all[missing[r].item<std::int64_t>() - 1] += 1;
    first[missing[0].item<std::int64_t>() - 1] += 1;
    columns += (1 - splits.known).sum(0);
    const Tensor q = (missing / n).sqrt() - ((missing - 1) / n).sqrt();
    ASSERT_TRUE(at::allclose(splits.weight.view({rows}), 1 / (missing * q), 1e-5)) << splits.weight;
    // u of the r-th row lies between r / rows and (r + 1) / rows.
    const Tensor sorted = std::get<0>(missing.sort());
    for (std::int64_t r = 0; r < rows; ++r)
      ASSERT_LE(std::abs(sorted[r].item<double>() - n * std::pow((static_cast<double>(r) + 0.5) / rows, 2)),
                2.6)
          << sorted;
  }
  const Tensor counts = at::arange(1, n + 1).to(at::kFloat),
               q = (counts / n).sqrt() - ((counts - 1) / n).sqrt(), even = q * draws;
  EXPECT_LT(((first - even).square() / even).sum().item<double>(), 40.5);  // chi-square of 8, p = 3e-6
  // Stratified counts vary less than independent ones.
  EXPECT_LT(((all - rows * even).square() / (rows * even)).sum().item<double>(), 40.5);
  EXPECT_LT((columns - columns.mean()).abs().max().item<double>(), 4.9 * std::sqrt(0.25 * rows * draws));
}

// Along a random direction in each parameter, splits drawn alike on both sides.
TEST(OrderlessNade, GradientsAreThoseOfTheObjective) {
  const auto model = make_orderless(6, "7,5", "tanh", 0.8, 9);
  Rng data(3), directions(5);
  const Rows batch{bits_tensor(40, 6, data), {}};
  const auto loss = [&] {
    Rng same(11);
    return -model->gradients(batch, Turn{}, same).front().second;
  };
  expect_slopes(*model, loss, directions, 4e-3, 2e-3, 2e-3, "bits");
}

TEST(OrderlessNade, NumbersDoNotDependOnThreads) {
  const auto model = make_orderless(301, "200", "sigmoid", 0.1, 9);
  Rng data(3);
  const Tensor x = bits_tensor(600, 301, data);
  std::vector<Tensor> one;
  for (const int count : {1, 2, 3, 5, 7, 8}) {
    const Threads threads(count);
    Rng same(11);
    model->gradients({x, {}}, Turn{}, same);
    std::vector<Tensor> all = {model->log_prob(x.narrow(0, 0, 20))};
    for (const Tensor& p : model->parameters()) all.push_back(p.grad().clone());
    if (count == 1) one = all;
    for (std::size_t k = 0; k < one.size(); ++k) expect_bit_equal(one[k], all[k], "threads");
  }
}

// exactly that: the mean, over the orders of the missing columns, of the product of the conditionals.
TEST(OrderlessNade, CompletionsFollowTheConditionalsOfTheirOrders) {
  const std::int64_t n = 6, value = 0b011010;
  const auto model = make_orderless(n, "9,8", "tanh", 1.2, 4);
  const Tensor states = all_states(n);
  Rng rng(7);
  for (const std::int64_t mask : {0b000111, 0b111110, 0b100001, 0b010010, 0b000000}) {  // 0: samples
    std::vector<std::int64_t> missing;
    Tensor row = at::full({n}, std::nanf("")), known = at::zeros(states.sizes());
    for (std::int64_t i = 0; i < n; ++i) {
      if (mask >> i & 1)
        row[i] = static_cast<double>(value >> i & 1), known.select(1, i).fill_(1);
      else
        missing.push_back(i);
    }
    Doubles wanted(size(states.size(0)));
    double orders = 0;
    do {
      Tensor seen = known.clone();
      Doubles logs(wanted.size());
      for (const std::int64_t i : missing) {
        const Doubles own = conditional(*model, states, seen, i);
        for (std::size_t s = 0; s < logs.size(); ++s) logs[s] += own[s];
        seen.select(1, i).fill_(1);
      }
      for (std::size_t s = 0; s < logs.size(); ++s)
        if ((static_cast<std::int64_t>(s) & mask) == (value & mask)) wanted[s] += std::exp(logs[s]);
      orders += 1;
    } while (std::next_permutation(missing.begin(), missing.end()));
    for (double& each : wanted) each /= orders;
    const Tensor done =
        mask == 0 ? model->sample(20000, rng) : model->complete(row.expand({20000, n}).contiguous(), rng);
    expect_drawn_from(done, wanted, "mask " + std::to_string(mask));
  }
}

// Rows with gaps of different sizes go through the same steps.
TEST(OrderlessNade, RowsAreCompletedEachOnItsOwn) {
  const auto model = make_orderless(5, "9", "tanh", 1.2, 4);
  Rng rng(7);
  Tensor x = bits_tensor(700, 5, rng);
  const Tensor gaps = bits_tensor(700, 5, rng) > 0.5, holes = x.masked_fill(gaps, std::nanf(""));
  const Tensor done = model->complete(holes, rng);
  EXPECT_FALSE(done.isnan().any().item<bool>());
  expect_bit_equal(done.masked_select(gaps.logical_not()), x.masked_select(gaps.logical_not()),
                   "known cells");
  expect_bit_equal(model->complete(x, rng), x, "nothing missing");
}

}  // namespace
}  // namespace deepgen::orderless_nade_test
