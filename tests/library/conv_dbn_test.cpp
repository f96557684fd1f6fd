// The convolutional deep belief network against enumeration of all its units. (Runs in sittings, threads and what
// bounds owe: bound_laws_test.cpp, bound_rows_test.cpp.)
//
// Each statistical check fails by chance once in a million runs of a fresh seed; the seeds are fixed.
#include "deepgen/models/belief/conv_dbn.h"

#include "tests/library/plain_conv_rbm.h"
#include "tests/library/runs.h"

namespace deepgen::conv_dbn_test {
namespace {

using namespace machines;

DataShape picture_of(const std::vector<std::int64_t>& shape) { return ConvSmall{.picture = shape}.shape(); }

// Pictures of 3 x 3; two filters of 2 x 2 with one block each; two of 1 x 1 upon their pooling units.
ConvDbnOptions small_stack() {
  ConvDbnOptions options;
  options.layers = "2,2", options.filter_sizes = "2,1", options.pool_sizes = "2,1";
  return options;
}

std::shared_ptr<ConvDbn> random_net(double scale, std::uint64_t seed,
                                    const ConvDbnOptions& options = small_stack(),
                                    const std::vector<std::int64_t>& shape = {1, 3, 3}) {
  auto net = std::make_shared<ConvDbn>(options, ConvDbnLearning(), picture_of(shape));
  Rng rng(seed);
  net->initialise({rows_of_shape(picture_of(shape), 60, rng), {}}, rng);
  randomise(*net, scale, rng);
  return net;
}

// Two layers in double precision, by their definitions alone.
struct PlainConvDbn {
  PlainConvRbm lower, upper;
  double log_z = 0;
  Doubles pooled_logs;               // log p(s) of the pooling units' states
  std::vector<std::int64_t> pooled;  // which of them each hidden state of the lower machine has

  explicit PlainConvDbn(const ConvDbn& net) : lower(net.machine(0)), upper(net.machine(1)) {
    pooled_logs = upper.log_unnormalised();
    log_z = log_sum_exp(pooled_logs);
    for (double& each : pooled_logs) each -= log_z;
    for (const auto& on : lower.hidden_states) pooled.push_back(pooled_state(on));
  }
  // The upper machine's picture is [K, rows, columns], blocks come filter after filter within a place.
  std::int64_t pooled_state(const std::vector<std::int64_t>& on) const {
    const auto blocks = static_cast<std::int64_t>(lower.block_units.size()), places = blocks / lower.K;
    std::int64_t state = 0;
    for (const std::int64_t u : on)
      for (std::int64_t g = 0; g < blocks; ++g)
        for (const std::int64_t member : lower.block_units[size(g)])
          if (member == u) state |= std::int64_t{1} << (g % lower.K * places + g / lower.K);
    return state;
  }
  // log p(v | h) p(h | s) p(s) of each h.
  Doubles joints(const Doubles& v) const {
    const double choices = std::log(static_cast<double>(lower.block_units[0].size()));
    Doubles all;
    for (std::size_t h = 0; h < lower.hidden_states.size(); ++h) {
      const auto& on = lower.hidden_states[h];
      const Doubles input = lower.input_from(on);
      double sum = pooled_logs[size(pooled[h])] - choices * static_cast<double>(on.size());
      for (std::size_t i = 0; i < v.size(); ++i) {
        const double a = lower.b[i] + input[i];
        sum += a * v[i] - std::log1p(std::exp(a));
      }
      all.push_back(sum);
    }
    return all;
  }
  double log_prob(const Doubles& v) const { return log_sum_exp(joints(v)); }
  double bound(const Doubles& v) const {
    const Doubles q = probabilities(lower.log_joints(v)), logs = joints(v);
    double sum = 0;
    for (std::size_t h = 0; h < q.size(); ++h) sum += q[h] * (logs[h] - std::log(q[h]));
    return sum;
  }
  Doubles cases() const {
    Doubles all;
    const Tensor states = all_states(lower.visible());
    for (std::int64_t s = 0; s < states.size(0); ++s) all.push_back(log_prob(doubles(states[s])));
    return all;
  }
};

TEST(ConvDbn, ProbabilitiesOfItsCasesSumToOne) {
  const PlainConvDbn plain(*random_net(1, 3));
  EXPECT_NEAR(log_sum_exp(plain.cases()), 0, 1e-9);
}

TEST(ConvDbn, ImportanceWeightsAreRightOnAverage) {
  const auto net = random_net(0.5, 5);
  const PlainConvDbn plain(*net);
  ASSERT_TRUE(net->exact_log_partition());
  EXPECT_NEAR(*net->exact_log_partition(), plain.log_z, 1e-9);
  const Tensor truth = at::tensor(plain.cases(), at::kDouble), states = all_states(9);
  Rng rng(7);
  Moments moments;
  for (int repeat = 0; repeat < 60; ++repeat)
    moments.add(doubles((net->log_prob_bound(states, 50, rng) - plain.log_z - truth).exp()));
  EXPECT_LT(moments.largest_z(Doubles(512, 1), 1e-4), 6.5);  // 512 at once, of skewed numbers
}

TEST(ConvDbn, OneDrawIsTheVariationalBound) {
  const auto net = random_net(1, 9);
  const PlainConvDbn plain(*net);
  const Tensor states = all_states(9).slice(0, 0, 512, 9);
  Doubles bounds;
  for (std::int64_t s = 0; s < states.size(0); ++s) {
    bounds.push_back(plain.bound(doubles(states[s])));
    EXPECT_LE(bounds.back(), plain.log_prob(doubles(states[s])) + 1e-9);
  }
  Rng rng(11);
  Moments moments;
  for (int repeat = 0; repeat < 400; ++repeat)
    moments.add(doubles(net->log_prob_bound(states, 1, rng) - plain.log_z));
  EXPECT_LT(moments.largest_z(bounds, 1e-4), 5.9);
}

TEST(ConvDbn, CasesOfTheTopMachinesStatesFollowTheNet) {
  const auto net = random_net(1, 13);
  const PlainConvDbn plain(*net);
  EXPECT_EQ(&net->top_machine(), &net->machine(1));
  Rng rng(15);
  const Tensor states = exact_samples(probabilities(plain.pooled_logs), 2, 40000, rng);
  expect_drawn_from(net->cases_of(states, false, rng), probabilities(plain.cases()), "cases");
  const Tensor means = net->cases_of(states, true, rng);
  EXPECT_TRUE(at::logical_and(means >= 0, means <= 1).all().item<bool>());
}

TEST(ConvDbn, InfersPoolingUnitsByTheMachineBelow) {
  const auto net = random_net(1, 17);
  const PlainConvDbn plain(*net);
  Rng rng(19);
  const Tensor x = bits_tensor(1, 9, rng);
  const Doubles q = probabilities(plain.lower.log_joints(doubles(x[0])));
  Doubles wanted(4);
  for (std::size_t h = 0; h < q.size(); ++h) wanted[size(plain.pooled[h])] += q[h];
  expect_drawn_from(net->states_of(x.repeat({20000, 1}), rng), wanted, "states");
}

TEST(ConvDbn, TheCodeIsThatOfAllLayers) {
  const auto net = random_net(1, 21);
  Rng rng(23);
  const Tensor x = bits_tensor(5, 9, rng), code = net->encode(x);
  ASSERT_EQ(code.sizes(), at::IntArrayRef({5, 4}));
  const Tensor first = net->machine(0).pooled_mean(x);
  expect_bit_equal(code.narrow(1, 0, 2).contiguous(), first, "layer 1");
  expect_bit_equal(code.narrow(1, 2, 2).contiguous(), net->machine(1).pooled_mean(first), "layer 2");
}

// ---------------------------------------------------------------- layer by layer

// The network of which layer 1 alone has begun is its machine, and scored as such.
TEST(ConvDbn, OneLayerIsItsMachine) {
  const auto net = random_net(1, 25);
  Rng rng(27);
  net->begin_stage({.stage = 0}, bits_tensor(20, 9, rng), rng);
  EXPECT_EQ(net->depth(), 1U);
  const Tensor x = bits_tensor(6, 9, rng);
  expect_near(doubles(net->log_prob_bound(x, 3, rng)), doubles(-net->machine(0).free_energy(x)), 1e-9,
              "bound");
  expect_bit_equal(net->states_of(x, rng), x, "states");
  EXPECT_EQ(net->encode(x).size(1), 2);
  EXPECT_EQ(net->filters().size(0), 2);
}

TEST(ConvDbn, LayersTrainOneAfterAnotherAndLeaveTheLowerOnesAsTheyAre) {
  const auto net = random_net(0.3, 29);
  Rng rng(31);
  const Tensor x = bits_tensor(40, 9, rng);
  const std::vector<Stage> stages = net->stages();
  ASSERT_EQ(stages.size(), 2U);
  EXPECT_EQ(stages[1].name, "layer2");
  EXPECT_EQ(stages[1].phases[0].parameters.size(), 3U);
  const Tensor before = net->machine(0).weights.clone();
  net->begin_stage({.stage = 1}, x, rng);
  net->gradients(x, {.stage = 1}, rng);
  EXPECT_FALSE(net->machine(0).weights.grad().defined());
  EXPECT_TRUE(net->machine(1).weights.grad().defined());
  expect_bit_equal(before, net->machine(0).weights, "layer 1");
}

TEST(ConvDbn, FiltersOfLayerTwoArePulledBackToThePicture) {
  ConvDbnOptions options;
  options.layers = "2,3", options.filter_sizes = "3,2", options.pool_sizes = "2,1";
  const auto net = random_net(1, 33, options, {1, 8, 8});  // maps of 6 x 6, pooled 3 x 3, then 2 x 2
  const Tensor pictures = net->filters();
  ASSERT_EQ(pictures.sizes(), at::IntArrayRef({5, 64}));
  expect_bit_equal(pictures.narrow(0, 0, 2).contiguous(), net->machine(0).filters(), "layer 1");
  const PlainConvRbm lower(net->machine(0));
  const Tensor upper = net->machine(1).filters();  // [3, 2 * 3 * 3]
  for (std::int64_t f = 0; f < 3; ++f) {
    Doubles wanted(64);
    for (std::int64_t g = 0; g < 18; ++g) {  // blocks come filter after filter within a place
      const double weight = upper[f][g % 2 * 9 + g / 2].item<double>() / 4;
      for (const std::int64_t u : lower.block_units[size(g)]) {
        const Doubles input = lower.input_from({u});
        for (std::size_t i = 0; i < 64; ++i) wanted[i] += weight * input[i];
      }
    }
    expect_near(doubles(pictures[2 + f]), wanted, 1e-5, "layer 2");
  }
}

// ---------------------------------------------------------------- what it refuses

TEST(ConvDbn, RefusesWhatDoesNotFit) {
  const auto usage = [](const std::string& layers, const std::string& filters, const std::string& pools,
                        const std::string& shares = "") {
    return error_of(ErrorKind::usage, [&] {
      ConvDbnOptions options;
      options.layers = layers, options.filter_sizes = filters, options.pool_sizes = pools;
      ConvDbnLearning learning;
      learning.shares = shares;
      ConvDbn(options, learning, picture_of({1, 28, 28}));
    });
  };
  expect_says(usage("4,4", "11,5", "2,2"), {"model.pool_sizes", "5 x 5", "9 x 9"});
  expect_says(usage("4,4", "11,10", "2,2"), {"model.filter_sizes", "9 x 9"});
  expect_says(usage("4,4", "11", "2,2"), {"model.filter_sizes", "2 numbers", "got 1"});
  expect_says(usage("4,4", "11,6", "2,2,2"), {"model.pool_sizes", "got 3"});
  expect_says(usage("", "", ""), {"model.layers"});
  expect_says(usage("4,4", "11,6", "2,2", "1,2,3"), {"training.shares", "got 3"});
  const auto net = random_net(0.1, 35);
  Tensor x = at::zeros({3, 9});
  x[1][2] = std::nanf("");
  expect_says(error_of(ErrorKind::data, [&] { net->check_data(x, "rows"); }), {"row 1", "column 2"});
}

}  // namespace
}  // namespace deepgen::conv_dbn_test
