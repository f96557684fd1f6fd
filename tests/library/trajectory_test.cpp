// training.learning=trajectory: chains that swap between the machine and earlier states of its training.
#include "tests/library/runs.h"

namespace deepgen::trajectory_test {
namespace {

using namespace machines;
using namespace runs;

RbmLearning rule(std::int64_t snapshots, std::int64_t chains, double target) {
  RbmLearning learning;
  learning.learning = "trajectory", learning.centring = false;
  learning.snapshots = snapshots, learning.chains = chains, learning.swap_target = target;
  return learning;
}

Doubles p_hidden(const Rbm& rbm) {
  const PlainRbm plain(rbm);
  Doubles logs(std::size_t{1} << plain.H);
  for (std::size_t h = 0; h < logs.size(); ++h) {
    Doubles terms;
    for (std::int64_t v = 0; v < std::int64_t{1} << plain.V; ++v)
      terms.push_back(plain.log_joint(v, static_cast<std::int64_t>(h)));
    logs[h] = log_sum_exp(terms);
  }
  return probabilities(logs);
}

// Chains of a machine and two snapshots with parameters of their own, each level begun at its exact distribution.
class Levels : public ::testing::Test {
 protected:
  static constexpr std::int64_t visible = 5, hidden = 3, chains = 40000;

  void SetUp() override {
    NoGradGuard no_graph;
    rbm = make_rbm(visible, hidden, 0.8, 3, rule(2, chains, 0));  // a target of 0: never renewed
    for (const std::int64_t t : {0, 1}) {
      const auto other = make_rbm(visible, hidden, 0.5 + 0.2 * real(t), 5 + static_cast<std::uint64_t>(t));
      rbm->snapshot_weights[t].copy_(other->weights);
      rbm->snapshot_visible_bias[t].copy_(other->visible_bias);
      rbm->snapshot_hidden_bias[t].copy_(other->hidden_bias);
      p.push_back(p_hidden(*other));
    }
    p.push_back(p_hidden(*rbm));
    for (std::int64_t t = 0; t < 3; ++t)
      rbm->chains.narrow(0, t * chains, chains).copy_(exact_samples(p[size(t)], hidden, chains, rng));
    for (const double high : p[2])  // level 0 holds the lowest bits
      for (const double middle : p[1])
        for (const double low : p[0]) product.push_back(low * middle * high);
  }
  Tensor together() const {
    return at::cat({rbm->chains.narrow(0, 0, chains), rbm->chains.narrow(0, chains, chains),
                    rbm->chains.narrow(0, 2 * chains, chains)},
                   1);
  }
  std::shared_ptr<Rbm> rbm;
  std::vector<Doubles> p;
  Doubles product;
  Rng rng{11};
};

TEST_F(Levels, ExchangesKeepTheProductOfTheDistributions) {
  expect_drawn_from(together(), product, "the start");
  const Tensor x = bits_tensor(20, visible, rng);
  for (std::int64_t step = 1; step < 5; ++step) {  // both parities
    rbm->gradients({x, {}}, {.step = step, .steps = 10}, rng);
    expect_drawn_from(together(), product, "after update " + std::to_string(step));
  }
  EXPECT_LT(rbm->swap_rates.max().item<double>(), 1) << "some swaps are refused";
  EXPECT_GT(rbm->swap_rates.min().item<double>(), 0.5);
}

// The check sees levels that change places without asking, and chains left at another level's distribution.
TEST_F(Levels, SwapsThatAreAlwaysTakenWouldBeSeen) {
  const Tensor wrong = rbm->chains.clone();
  wrong.narrow(0, 0, chains / 4).copy_(rbm->chains.narrow(0, 2 * chains, chains / 4));
  wrong.narrow(0, 2 * chains, chains / 4).copy_(rbm->chains.narrow(0, 0, chains / 4));
  rbm->chains.copy_(wrong);
  EXPECT_GT(chi_square_z(state_numbers(together()), product), one_in_a_million);
}

// In equilibrium the model's statistics are exact: the mean of many gradients is <.>_model - <.>_data.
TEST_F(Levels, GradientsInEquilibriumAreExact) {
  const Tensor x = bits_tensor(20, visible, rng);
  rbm->gradients({x, {}}, {.step = 1, .steps = 10}, rng);
  const PlainRbm plain(*rbm);
  const Statistics model = plain.model_statistics(), data = plain.data_statistics(x);
  const Doubles ours = doubles(rbm->weights.grad()), biases = doubles(rbm->visible_bias.grad());
  const double bound = 6 * 0.5 / std::sqrt(real(chains));  // of means of numbers in [0, 1]
  for (std::size_t i = 0; i < ours.size(); ++i) EXPECT_NEAR(ours[i], model.vh[i] - data.vh[i], bound) << i;
  for (std::size_t i = 0; i < biases.size(); ++i) EXPECT_NEAR(biases[i], model.v[i] - data.v[i], bound) << i;
}

// ---------------------------------------------------------------- snapshots

TEST(Snapshots, BeginAsTheMachineAtItsFirstUpdate) {
  const auto rbm = make_rbm(5, 3, 0.8, 3, rule(3, 10, 0.3));
  rbm->swap_rates.fill_(0.7), rbm->snapshot_weights.fill_(9);
  Rng rng(13);
  const Tensor x = bits_tensor(20, 5, rng);
  rbm->gradients({x, {}}, {.step = 0, .steps = 10}, rng);
  for (std::int64_t t = 0; t < 3; ++t) {
    expect_bit_equal(rbm->snapshot_weights[t].contiguous(), rbm->weights, "weights");
    expect_bit_equal(rbm->snapshot_visible_bias[t].contiguous(), rbm->visible_bias, "visible_bias");
    expect_bit_equal(rbm->snapshot_hidden_bias[t].contiguous(), rbm->hidden_bias, "hidden_bias");
  }
  EXPECT_NEAR(rbm->swap_rates.min().item<double>(), 1, 1e-6) << "equal machines take every swap";
}

// Snapshots whose hidden biases tell them apart by so little that every swap is taken; rates are set by hand.
struct Renewed {
  Doubles biases, rates;  // first hidden bias of each snapshot
  std::shared_ptr<Rbm> rbm;
};
Renewed after_update(const Doubles& rates, double target) {
  NoGradGuard no_graph;
  const auto count = static_cast<std::int64_t>(rates.size());
  const auto rbm = make_rbm(5, 3, 0.5, 17, rule(count, 200, target));
  rbm->hidden_bias.zero_();
  for (std::int64_t t = 0; t < count; ++t) {
    rbm->snapshot_weights[t].copy_(rbm->weights);
    rbm->snapshot_visible_bias[t].copy_(rbm->visible_bias);
    rbm->snapshot_hidden_bias[t].fill_(-1e-7 * real(count - t));
    rbm->swap_rates[t].fill_(rates[size(t)]);
  }
  Rng rng(19);
  const Tensor x = bits_tensor(20, 5, rng);
  rbm->gradients({x, {}}, {.step = 1, .steps = 10}, rng);
  return {doubles(rbm->snapshot_hidden_bias.select(1, 0) * 1e7), doubles(rbm->swap_rates), rbm};
}

TEST(Snapshots, StayWhileSwapsAreTaken) {
  const Renewed same = after_update({0.9, 0.8, 0.5}, 0.3);
  expect_near(same.biases, {-3, -2, -1}, 1e-3, "snapshots");
}

// At odd updates the middle pair of three swaps: 0.95 of its old rate and 0.05 of 1.
TEST(Snapshots, TheEasiestToPassOverMakesRoom) {
  const Renewed first = after_update({0.9, 0.8, 0.1}, 0.3);  // 0.9 * 0.81 against 0.81 * 0.1
  expect_near(first.biases, {-3, -1, 0}, 1e-3, "the second went");
  expect_near(first.rates, {0.9 * 0.81, 0.1, 1}, 1e-5, "rates");
  const Renewed last = after_update({0.05, 0.9, 0.2}, 0.3);
  expect_near(last.biases, {-3, -2, 0}, 1e-3, "the third went");
  expect_near(last.rates, {0.05, 0.905 * 0.2, 1}, 1e-5, "rates");
  const Renewed one = after_update({0.1}, 0.3);  // a pair of levels swaps at even updates alone
  expect_near(one.biases, {0}, 1e-3, "the only one");
  expect_near(one.rates, {1}, 1e-6, "rates");
}

TEST(Snapshots, TheNewestBeginsWithTheChainsOfTheMachine) {
  const Renewed renewed = after_update({0.9, 0.8, 0.1}, 0.3);
  const Tensor chains = renewed.rbm->chains;
  expect_bit_equal(chains.narrow(0, 400, 200), chains.narrow(0, 600, 200), "newest and machine");
  EXPECT_FALSE(at::equal(chains.narrow(0, 200, 200), chains.narrow(0, 600, 200)));
}

// Training moves the machine far from its start: snapshots follow, the first stays, and neighbours swap.
TEST(Snapshots, FollowTheTraining) {
  Rng rng(23);
  Tensor x = at::zeros({100, 8});
  x.narrow(0, 0, 50).fill_(1);
  RbmLearning learning = rule(4, 50, 0.4);
  const auto rbm = make_rbm(8, 4, 0.05, 29, learning);
  const Tensor start = rbm->weights.clone();
  NoGradGuard no_graph;
  for (std::int64_t step = 0; step < 3000; ++step) {
    rbm->gradients({x, {}}, {.step = step, .steps = 3000}, rng);
    for (Tensor& each : rbm->parameters()) each.sub_(each.grad(), 0.02);
  }
  expect_bit_equal(rbm->snapshot_weights[0].contiguous(), start, "the oldest");
  const Doubles norms = doubles(rbm->snapshot_weights.flatten(1).norm(2, 1));
  for (std::size_t t = 1; t < norms.size(); ++t) EXPECT_GT(norms[t], norms[t - 1] - 0.1) << t;
  EXPECT_GT(norms.back(), 2 * norms[0]);
  EXPECT_GE(rbm->swap_rates[3].item<double>(), 0.4);
  EXPECT_GT(rbm->swap_rates.min().item<double>(), 0.01);
  EXPECT_GT(PlainRbm(*rbm).mean_log_prob(x), -2.5) << "log 2 at best, 5.5 of independent cells";
}

TEST(Trajectory, MetricsHaveTheSwapRates) {
  const auto rbm = make_rbm(5, 3, 0.5, 17, rule(3, 20, 0.3));
  Rng rng(31);
  const Tensor x = bits_tensor(30, 5, rng);
  rbm->gradients({x, {}}, {.step = 0, .steps = 9}, rng);
  const Metrics metrics = rbm->diagnose({x, {}}, {x, {}}, rng);
  EXPECT_NEAR(metric(metrics, "swap_rate_min"), 1, 1e-6);
  EXPECT_NEAR(metric(metrics, "swap_rate_mean"), 1, 1e-6);
}

TEST(Trajectory, IsResumedBitForBit) {
  const Assignments assignments = {"model.hidden=5",       "training.epochs=3",
                                   "training.batch=5",     "training.rate=0.2",
                                   "training.chains=11",   "training.learning=trajectory",
                                   "training.snapshots=3", "training.swap_target=0.99"};
  const Dataset set = random_bits(23, 7);
  const Checkpoint whole = straight(assignments, set);
  for (const std::int64_t stop : {1, 4, 5, 9})
    expect_equal_runs(in_sittings(assignments, set, {stop}), whole, std::to_string(stop));
}

// Levels of a machine of mixed columns have couplings and precisions of their own.
TEST(Trajectory, DoesNotDependOnThreads) {
  const UnitLayer mixed({{UnitKind::binary, 0, 60},
                         {UnitKind::softmax, 60, 4},
                         {UnitKind::gaussian, 64, 50},
                         {UnitKind::count, 114, 10}});
  auto results = [&](int count) {
    const Threads threads(count);
    const auto rbm = unit_rbm(mixed, "binary", 70, 0.1, 37, rule(2, 100, 0.9));
    Rng rng(41);
    const Tensor x = layer_rows(mixed, 200, rng);
    NoGradGuard no_graph;
    for (std::int64_t step = 0; step < 4; ++step) {
      rbm->gradients({x, {}}, {.step = step, .steps = 4}, rng);
      for (Tensor& each : rbm->parameters()) each.sub_(each.grad(), 0.01);
    }
    std::vector<Tensor> all;
    for (const auto& item : rbm->named_parameters()) all.push_back(item.value().clone());
    for (const auto& item : rbm->named_buffers()) all.push_back(item.value().clone());
    return all;
  };
  const std::vector<Tensor> one = results(1), four = results(4);
  for (std::size_t i = 0; i < one.size(); ++i) expect_bit_equal(one[i], four[i], std::to_string(i));
}

}  // namespace
}  // namespace deepgen::trajectory_test
