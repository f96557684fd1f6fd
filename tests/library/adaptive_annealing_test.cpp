// --ais adaptive: temperatures by the effective sample size of a pilot run, and what is said where neither
// direction of annealing can be trusted.
#include "deepgen/evaluate/adaptive_annealing.h"

#include "deepgen/evaluate/bracket.h"
#include "tests/library/machines.h"

namespace deepgen::adaptive_annealing_test {
namespace {

using namespace machines;

void expect_schedule(const Doubles& betas, std::int64_t steps) {
  ASSERT_EQ(betas.size(), size(steps + 1));
  EXPECT_EQ(betas.front(), 0);
  EXPECT_EQ(betas.back(), 1);
  for (std::size_t k = 1; k < betas.size(); ++k) ASSERT_GT(betas[k], betas[k - 1]) << k;
}

// ---------------------------------------------------------------- names

TEST(AdaptiveNames, SayHowManyTemperatures) {
  EXPECT_EQ(adaptive_temperatures("adaptive"), 1450);
  EXPECT_EQ(adaptive_temperatures("adaptive-7"), 7);
  for (const char* other :
       {"standard", "linear-7", "adaptive-", "adaptive-0", "adaptive-x", "adaptive-7x", "adapt"})
    EXPECT_FALSE(adaptive_temperatures(other)) << other;
  for (const char* known : {"adaptive", "adaptive-30", "quick", "linear-3", "standard"})
    EXPECT_NO_THROW(check_schedule(known)) << known;
  for (const char* wrong : {"adaptive-", "adaptive-0", "adaptve", "linear-0"})
    error_of(ErrorKind::usage, [&] { check_schedule(wrong); });
  expect_says(error_of(ErrorKind::usage, [] { check_schedule("adaptve"); }), {"adaptive"});
  error_of(ErrorKind::usage, [] { annealing_schedule("adaptive"); });
}

// ---------------------------------------------------------------- lengths

TEST(StepLength, IsThatOfTheConditionalEffectiveSampleSize) {
  EXPECT_EQ(step_length(at::full({50}, 3.0, at::kDouble)), 0);
  EXPECT_EQ(step_length(at::full({1}, 3.0, at::kDouble)), 0);
  const Tensor two = at::tensor({0.0, -1000.0}, at::kDouble);  // one of two chains carries it all
  EXPECT_NEAR(step_length(two), std::sqrt(std::log(2.0)), 1e-12);
  EXPECT_NEAR(step_length(two + 700), step_length(two), 1e-12);
  Rng rng(3);
  Tensor u = at::empty({100000}, at::kDouble);
  for (std::int64_t i = 0; i < u.size(0); ++i) u.data_ptr<double>()[i] = 0.3 * rng.normal();
  EXPECT_NEAR(step_length(u), 0.3, 0.01) << "of normal increments their deviation";
  EXPECT_NEAR(step_length(u / 10), 0.03, 0.001) << "a part of a step has that part of its length";
}

TEST(EqualLengths, DivideThePathEvenly) {
  expect_schedule(equal_lengths({0, 0.5, 1}, {0, 0}, 10), 10);  // nothing to go by: even steps
  EXPECT_NEAR(equal_lengths({0, 0.5, 1}, {0, 0}, 10)[3], 0.3, 1e-12);
  const Doubles betas = equal_lengths({0, 0.5, 1}, {1, 3}, 1000);
  expect_schedule(betas, 1000);
  // A tenth of the steps by beta, the others by length: up to 0.5 lie 0.1 / 2 + 0.9 / 4 of all.
  std::int64_t low = 0;
  for (const double beta : betas) low += beta > 0 && beta <= 0.5;
  EXPECT_NEAR(real(low), 275, 1.5);
  const Doubles one = equal_lengths({0, 0.9, 1}, {0, 5}, 50);
  expect_schedule(one, 50);
  std::int64_t late = 0;
  for (const double beta : one) late += beta > 0.9;
  EXPECT_GT(late, 44);
  expect_schedule(equal_lengths({0, 1}, {2}, 1), 1);
}

// ---------------------------------------------------------------- schedules of machines

Doubles chosen(const Rbm& rbm, const std::string& name, std::uint64_t seed = 5, std::int64_t chains = 100) {
  Observer silent;
  const Rng rng(seed);
  return schedule_for(rbm, name, chains, rng, silent);
}

TEST(AdaptiveSchedule, AscendsFromZeroToOneInTheNumberOfStepsAsked) {
  for (const double scale : {0.0, 0.3, 3.0})
    for (const std::int64_t steps : {1, 2, 19, 20, 333})
      expect_schedule(chosen(*make_rbm(12, 6, scale, 7), "adaptive-" + std::to_string(steps)), steps);
  EXPECT_EQ(chosen(*make_rbm(12, 6, 1, 7), "linear-9"), annealing_schedule("linear-9"));
  expect_schedule(chosen(*make_rbm(12, 6, 1, 7), "adaptive-30", 5, 1), 30);  // one chain sees nothing
}

TEST(AdaptiveSchedule, IsThatOfTheSeedOnAnyNumberOfThreads) {
  const auto rbm = make_rbm(60, 40, 0.4, 11);
  auto on = [&](int count, std::uint64_t seed) {
    const Threads threads(count);
    return chosen(*rbm, "adaptive-100", seed);
  };
  EXPECT_EQ(on(1, 5), on(4, 5));
  EXPECT_NE(on(1, 5), on(1, 6));
}

// Units without weights that turn from mostly off to mostly on, each by itself: what the path is like is known at
// every temperature, and the chains are always where they should be.
TEST(AdaptiveSchedule, HasMoreTemperaturesWhereTheMachineIsHard) {
  const auto rbm = make_rbm(40, 1, 0, 13);
  {
    NoGradGuard no_graph;
    rbm->data_mean.fill_(0.05);
    rbm->visible_bias.fill_(8);
  }
  const double base = std::log(0.05 / 0.95), tilt = 8 - base;
  auto deviation = [&](double beta) {  // of d log p*_beta / d beta, but for a factor
    const double on = 1 / (1 + std::exp(-(base + beta * tilt)));
    return std::sqrt(on * (1 - on));
  };
  auto length = [&](double from, double to) {
    double sum = 0;
    for (int k = 0; k < 1000; ++k)
      sum += deviation(from + (to - from) * (k + 0.5) / 1000) * (to - from) / 1000;
    return sum;
  };
  const Doubles betas = chosen(*rbm, "adaptive-1000", 5, 400);
  for (const auto& [from, to] : std::vector<std::pair<double, double>>{{0.17, 0.37}, {0.5, 1}, {0, 0.1}}) {
    const double wanted = 1000 * (0.1 * (to - from) + 0.9 * length(from, to) / length(0, 1));
    std::int64_t inside = 0;
    for (const double beta : betas) inside += beta >= from && beta < to;
    EXPECT_NEAR(real(inside), wanted, 0.1 * wanted + 2) << from << " to " << to;
  }
  std::int64_t hard = 0;
  for (const double beta : betas) hard += beta >= 0.17 && beta < 0.37;
  EXPECT_GT(hard, 300) << "even steps would give 200";
}

// ---------------------------------------------------------------- estimates

class AdaptiveEstimate : public ::testing::TestWithParam<double> {};
INSTANTIATE_TEST_SUITE_P(Scales, AdaptiveEstimate, ::testing::Values(0.3, 0.7));

// Both directions along the chosen temperatures; 5.5 standard errors.
TEST_P(AdaptiveEstimate, ReachesTheExactValueFromBothSides) {
  const auto rbm = make_rbm(20, 10, GetParam(), 127);
  const double exact = *rbm->exact_log_partition();
  Rng rng(131);
  Observer silent;
  const Doubles schedule = schedule_for(*rbm, "adaptive-1000", 100, rng, silent);
  const LogPartition forward = anneal_forward(*rbm, schedule, 300, rng, silent);
  const PlainRbm plain(*rbm);
  Doubles logs;
  for (std::int64_t h = 0; h < 1024; ++h) {
    double sum = 0;
    for (std::int64_t j = 0; j < 10; ++j) sum += h >> j & 1 ? plain.c[size(j)] : 0;
    for (std::int64_t i = 0; i < 20; ++i) {
      double input = plain.b[size(i)];
      for (std::int64_t j = 0; j < 10; ++j) input += h >> j & 1 ? plain.w[size(i * 10 + j)] : 0;
      sum += std::max(input, 0.0) + std::log1p(std::exp(-std::abs(input)));
    }
    logs.push_back(sum);
  }
  const Tensor start = rbm->sample_v_given_h(exact_samples(probabilities(logs), 10, 300, rng), rng);
  const LogPartition reverse = anneal_reverse(*rbm, schedule, start, rng, silent);
  EXPECT_EQ(forward.temperatures, 1000);
  EXPECT_NEAR(forward.value, exact, 5.5 * forward.standard_error + 1e-3);
  EXPECT_NEAR(reverse.value, exact, 5.5 * reverse.standard_error + 1e-3);
}

// E[w] = Z_1 / Z_0 with a schedule from rough pilots of few chains, drawn anew for each run.
TEST_P(AdaptiveEstimate, IsUnbiasedWhateverThePilotSaw) {
  const auto rbm = make_rbm(6, 4, GetParam(), 17);
  const double ratio = *rbm->exact_log_partition() - rbm->log_base_partition();
  Observer silent;
  Moments moments;
  for (std::uint64_t run = 0; run < 300; ++run) {
    Rng rng(run);
    const Doubles schedule = schedule_for(*rbm, "adaptive-5", 3, rng, silent);
    const AnnealedRun forward = run_forward(*rbm, schedule, 100, rng, silent);
    moments.add({(forward.log_weights - ratio).exp().mean().item<double>()});
  }
  EXPECT_LT(moments.largest_z({1}, 1e-6), 5.5);
}

TEST(AdaptiveBracket, HoldsTheExactValue) {
  const auto rbm = make_rbm(20, 10, 0.5, 19);
  Rng rng(23);
  Observer silent;
  const Tensor data = rbm->chain_steps(rbm->chain_start(100, rng), 2000, rng);
  const PartitionBracket bracket = bracket_log_partition(*rbm, {"adaptive-500", 100, 500}, data, rng, silent);
  EXPECT_EQ(bracket.forward.temperatures, 500);
  EXPECT_EQ(bracket.reverse.temperatures, 500);
  ASSERT_TRUE(bracket.upper) << bracket.warning;
  EXPECT_LT(bracket.lower, *rbm->exact_log_partition());
  EXPECT_GT(*bracket.upper, *rbm->exact_log_partition());
  EXPECT_EQ(bracket.warning, "");
}

TEST(NeitherDirection, IsSaidOfRoughRunsAndOfNoOthers) {
  const auto hard = make_rbm(40, 12, 3, 137), easy = make_rbm(20, 10, 0.3, 137);
  Rng rng(29);
  Observer silent;
  const Tensor data = hard->chain_steps(hard->chain_start(100, rng), 500, rng);
  const PartitionBracket rough = bracket_log_partition(*hard, {"linear-1", 100, 100}, data, rng, silent);
  ASSERT_LT(rough.forward.effective_chains, 5) << "the case is not hard";
  expect_says(rough.warning, {"neither direction can be trusted"});
  const Tensor rows = easy->chain_steps(easy->chain_start(100, rng), 500, rng);
  const PartitionBracket fine = bracket_log_partition(*easy, {"linear-300", 100, 300}, rows, rng, silent);
  EXPECT_EQ(fine.warning.find("neither direction"), std::string::npos) << fine.warning;
}

}  // namespace
}  // namespace deepgen::adaptive_annealing_test
