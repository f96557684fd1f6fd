// Annealed importance sampling against exact normalisers, from both sides. Statistical checks fail by chance
// about once in a million fresh seeds unless they say otherwise; the seeds are fixed.
#include "deepgen/evaluate/annealing.h"

#include "deepgen/evaluate/bracket.h"
#include "deepgen/evaluate/likelihood.h"
#include "tests/library/machines.h"

namespace deepgen::annealing_test {
namespace {

using namespace machines;

TEST(AnnealingSchedule, Has14500TemperaturesInThreeParts) {
  const Doubles betas = annealing_schedule("salakhutdinov_murray");
  ASSERT_EQ(betas.size(), 14501U);  // 14,500 steps between them
  EXPECT_EQ(betas.front(), 0);
  EXPECT_EQ(betas.back(), 1);
  std::int64_t coarse = 0, middle = 0, fine = 0;
  for (std::size_t k = 1; k < betas.size(); ++k) {
    const double step = betas[k] - betas[k - 1], at = betas[k - 1];
    ASSERT_GT(step, 0) << k;
    const double wanted = at < 0.5 - 1e-9 ? 1e-3 : at < 0.9 - 1e-9 ? 1e-4 : 1e-5;
    ASSERT_NEAR(step, wanted, 1e-12) << k;
    (wanted == 1e-3 ? coarse : wanted == 1e-4 ? middle : fine)++;
  }
  EXPECT_EQ(coarse, 500);
  EXPECT_EQ(middle, 4000);
  EXPECT_EQ(fine, 10000);
}

TEST(AnnealingSchedule, OthersRunFrom0To1) {
  const std::vector<std::pair<std::string, std::size_t>> steps = {
      {"standard", 1450}, {"quick", 300}, {"linear-1", 1}, {"linear-7", 7}, {"linear-1000", 1000}};
  for (const auto& [name, count] : steps) {
    const Doubles betas = annealing_schedule(name);
    ASSERT_EQ(betas.size(), count + 1) << name;
    EXPECT_EQ(betas.front(), 0);
    EXPECT_EQ(betas.back(), 1);
    for (std::size_t k = 1; k < betas.size(); ++k) ASSERT_GT(betas[k], betas[k - 1]) << name << " " << k;
  }
  const Doubles seven = annealing_schedule("linear-7");
  for (std::size_t k = 0; k < seven.size(); ++k) EXPECT_NEAR(seven[k], static_cast<double>(k) / 7, 1e-15);
  for (const char* wrong : {"", "linear", "linear-", "linear-0", "linear--3", "linear-2.5", "linear-9x",
                            "Standard", "linear-99999999999999999999"})
    error_of(ErrorKind::usage, [&] { annealing_schedule(wrong); });
  expect_says(error_of(ErrorKind::usage, [] { annealing_schedule("standart"); }), {"standard"});
}

// log of the sum over the other layer, for all states of a layer of n units: bias of the layer, weight(own,
// other) and the other layer's bias.
template <class Weight>
Doubles log_marginals(const Doubles& own, const Doubles& other, Weight weight) {
  Doubles logs(std::size_t{1} << own.size());
  for (std::size_t s = 0; s < logs.size(); ++s) {
    for (std::size_t i = 0; i < own.size(); ++i) logs[s] += s >> i & 1 ? own[i] : 0;
    for (std::size_t j = 0; j < other.size(); ++j) {
      double input = other[j];
      for (std::size_t i = 0; i < own.size(); ++i) input += s >> i & 1 ? weight(i, j) : 0;
      logs[s] += std::max(input, 0.0) + std::log1p(std::exp(-std::abs(input)));
    }
  }
  return logs;
}

// Exact draws of the visible units: the smaller layer from its enumerated marginal, then v given h.
Tensor exact_visible(const Rbm& rbm, std::int64_t count, Rng& rng) {
  const Doubles w = doubles(rbm.weights), b = doubles(rbm.visible_bias), c = doubles(rbm.hidden_bias);
  const auto weight = [&](std::size_t i, std::size_t j) { return w[i * c.size() + j]; };
  if (rbm.visible() <= rbm.hidden())
    return exact_samples(probabilities(log_marginals(b, c, weight)), rbm.visible(), count, rng);
  const Doubles p =
      probabilities(log_marginals(c, b, [&](std::size_t j, std::size_t i) { return weight(i, j); }));
  return rbm.sample_v_given_h(exact_samples(p, rbm.hidden(), count, rng), rng);
}

struct Machine {
  std::int64_t visible, hidden;
  double scale;
};
std::ostream& operator<<(std::ostream& out, const Machine& m) {
  return out << m.visible << " x " << m.hidden << " at scale " << m.scale;
}

class Annealing : public ::testing::TestWithParam<Machine> {
 protected:
  void SetUp() override {
    rbm = make_rbm(GetParam().visible, GetParam().hidden, GetParam().scale, 127);
    exact = *rbm->exact_log_partition();
  }
  std::shared_ptr<Rbm> rbm;
  double exact = 0;
  Rng rng{131};
  Observer silent;
};
INSTANTIATE_TEST_SUITE_P(Machines, Annealing,
                         ::testing::Values(Machine{20, 10, 0.5}, Machine{100, 10, 0.3}, Machine{40, 12, 0.4},
                                           Machine{20, 13, 0.7}, Machine{12, 30, 0.4}));

void expect_sound(const LogPartition& estimate, std::int64_t chains, std::int64_t temperatures) {
  EXPECT_EQ(estimate.chains, chains);
  EXPECT_EQ(estimate.temperatures, temperatures);
  EXPECT_GT(estimate.effective_chains, 0);
  EXPECT_LE(estimate.effective_chains, real(chains) * (1 + 1e-12));
  EXPECT_GE(estimate.standard_error, 0);
  EXPECT_TRUE(std::isfinite(estimate.value));
}

// Along a fine schedule the weights are nearly equal and the error of their mean nearly normal.
TEST_P(Annealing, BothDirectionsReachTheExactValue) {
  const Doubles schedule = annealing_schedule("standard");
  const LogPartition forward = anneal_forward(*rbm, schedule, 300, rng, silent);
  const LogPartition reverse = anneal_reverse(*rbm, schedule, exact_visible(*rbm, 300, rng), rng, silent);
  expect_sound(forward, 300, 1450);
  expect_sound(reverse, 300, 1450);
  EXPECT_GT(forward.effective_chains, 30);
  EXPECT_NEAR(forward.value, exact, 5.5 * forward.standard_error + 1e-4);
  EXPECT_NEAR(reverse.value, exact, 5.5 * reverse.standard_error + 1e-4);
  EXPECT_LT(forward.standard_error, 0.3);
}

// E[log of the mean weight] <= log Z forward, >= log Z in reverse, along any schedule. 40 short runs of few
// chains, whose mean may stray by five standard errors.
TEST_P(Annealing, ForwardIsLowAndReverseHighOnAverage) {
  const Doubles schedule = annealing_schedule("linear-12");
  Moments forward, reverse;
  double forward_sum = 0, reverse_sum = 0;
  const int runs = 40;
  const Tensor starts = exact_visible(*rbm, 10 * runs, rng);
  for (int run = 0; run < runs; ++run) {
    const double low = anneal_forward(*rbm, schedule, 10, rng, silent).value;
    const double high = anneal_reverse(*rbm, schedule, starts.narrow(0, 10 * run, 10), rng, silent).value;
    forward.add({low}), reverse.add({high});
    forward_sum += low, reverse_sum += high;
  }
  const double low = forward_sum / runs, high = reverse_sum / runs;
  EXPECT_TRUE(low < exact || forward.largest_z({exact}, 1e-6) < 5) << low << " against " << exact;
  EXPECT_TRUE(high > exact || reverse.largest_z({exact}, 1e-6) < 5) << high << " against " << exact;
  EXPECT_LT(low, high);
}

TEST_P(Annealing, BracketHoldsTheExactValue) {
  const PartitionBracket bracket =
      bracket_log_partition(*rbm, {"standard", 100, 1000}, exact_visible(*rbm, 100, rng), rng, silent);
  const double slack = 5.5;
  EXPECT_LT(bracket.forward.value - slack * bracket.forward.standard_error, exact);
  EXPECT_GT(bracket.reverse.value + slack * bracket.reverse.standard_error, exact);
  EXPECT_NEAR(bracket.forward.value, bracket.reverse.value,
              slack * std::hypot(bracket.forward.standard_error, bracket.reverse.standard_error) + 1e-4);
  EXPECT_EQ(bracket.warning, "");
  ASSERT_TRUE(bracket.upper) << "the start of the reverse run passes its test";
  EXPECT_LT(bracket.lower, bracket.forward.value);
  EXPECT_GT(*bracket.upper, bracket.reverse.value);
  EXPECT_LT(*bracket.upper - bracket.lower, 1);
}

TEST_P(Annealing, EqualGeneratorEqualEstimate) {
  const Doubles schedule = annealing_schedule("linear-20");
  Rng a(1), b(1), c(2);
  const double first = anneal_forward(*rbm, schedule, 20, a, silent).value;
  EXPECT_EQ(first, anneal_forward(*rbm, schedule, 20, b, silent).value);
  EXPECT_NE(first, anneal_forward(*rbm, schedule, 20, c, silent).value);
}

// Large weights: one temperature or two cannot follow them and must say so.
TEST(RoughAnnealing, WarnsInPlaceOfASilentWrongNumber) {
  const auto rbm = make_rbm(40, 12, 1.5, 137);
  const double exact = *rbm->exact_log_partition();
  Rng rng(139);
  Observer silent;
  const Tensor data = exact_visible(*rbm, 100, rng);
  for (const char* schedule : {"linear-1", "linear-2"}) {
    const PartitionBracket bracket = bracket_log_partition(*rbm, {schedule, 100, 100}, data, rng, silent);
    EXPECT_GT(std::abs(bracket.forward.value - exact), 1) << "the case is not hard";
    EXPECT_NE(bracket.warning, "") << schedule;
    expect_sound(bracket.forward, 100, schedule[7] - '0');
    const Normaliser n = normaliser_of(*rbm, {schedule, 100, 100}, data, rng, silent);
    EXPECT_EQ(n.kind, ScoreKind::exact) << "enumeration comes first where it can be had";
    EXPECT_NEAR(n.log_z, exact, 1e-9);
  }
}

// One chain has no spread to tell an error by: its standard error of 0 must not pass for certainty.
TEST(RoughAnnealing, OneChainIsWarnedOf) {
  const auto rbm = make_rbm(20, 10, 0.5, 127);
  Rng rng(1);
  Observer silent;
  const PartitionBracket one =
      bracket_log_partition(*rbm, {"linear-50", 1, 10}, bits_tensor(1, 20, rng), rng, silent);
  EXPECT_NE(one.warning, "");
  EXPECT_NEAR(one.forward.effective_chains, 1, 1e-12);
}

// What reaches a user: a large machine's score is an estimate with both ends, the reverse run giving the
// lower.
TEST(AnnealedScore, OfALargeMachineHasBothEnds) {
  const auto rbm = make_rbm(60, 30, 0.15, 149);
  Rng rng(151);
  Observer silent;
  RawSet raw;
  raw.name = "bits";
  raw.arrays["train"] = make_array(DType::u8, {120, 60});
  for (auto& byte : raw.arrays["train"].bytes) byte = rng.below(2) == 1;
  const Dataset data = make_dataset(raw, {});
  const std::vector<Score> scores = evaluate_model(*rbm, data, "train", {"quick", 60, 200}, rng, silent);
  ASSERT_FALSE(scores.empty());
  const Score& score = scores.front();
  EXPECT_EQ(score.metric, "log_prob");
  EXPECT_EQ(score.kind, ScoreKind::estimate);
  ASSERT_TRUE(score.lower && score.upper);
  EXPECT_LE(*score.lower, score.value);
  EXPECT_GE(*score.upper, score.value);
  EXPECT_GT(score.standard_error.value_or(0), 0);
  EXPECT_EQ(score.rows, 120);
  for (const Score& other : scores)
    EXPECT_TRUE(other.metric == "log_prob" || other.kind == ScoreKind::proxy) << other.metric;
}

// ---------------------------------------------------------------- the exact side

TEST(ExactPartition, SeparableMachinesHaveAClosedForm) {
  for (const auto& [visible, hidden] : std::vector<std::pair<std::int64_t, std::int64_t>>{
           {1, 1}, {20, 3}, {3, 20}, {18, 18}, {500, 7}, {7, 500}, {26, 4}, {4, 26}}) {
    const auto rbm = make_rbm(visible, hidden, 2, 157);
    NoGradGuard no_graph;
    rbm->weights.zero_();
    double wanted = 0;
    for (const Tensor& bias : {rbm->visible_bias, rbm->hidden_bias})
      for (const double x : doubles(bias)) wanted += std::max(x, 0.0) + std::log1p(std::exp(-std::abs(x)));
    EXPECT_NEAR(*rbm->exact_log_partition(), wanted, 1e-11 * std::abs(wanted)) << visible << " x " << hidden;
  }
}

TEST(ExactPartition, EndsAt25Units) {
  const auto above = make_rbm(26, 26, 0.1, 163);
  EXPECT_EQ(above->enumeration_units(), 26);
  EXPECT_FALSE(above->exact_log_partition());
  EXPECT_FALSE(make_rbm(784, 500, 0, 1)->exact_log_partition());
  EXPECT_EQ(make_rbm(25, 26, 0, 1)->enumeration_units(), 25);
}

TEST(ExactPartitionSlow, ReachesUpTo25Units) {
  for (const auto& [visible, hidden] :
       std::vector<std::pair<std::int64_t, std::int64_t>>{{25, 26}, {26, 25}}) {
    const auto rbm = make_rbm(visible, hidden, 1, 167);
    NoGradGuard no_graph;
    rbm->weights.zero_();
    double wanted = 0;
    for (const Tensor& bias : {rbm->visible_bias, rbm->hidden_bias})
      for (const double x : doubles(bias)) wanted += std::max(x, 0.0) + std::log1p(std::exp(-std::abs(x)));
    const auto value = rbm->exact_log_partition();
    ASSERT_TRUE(value);
    EXPECT_NEAR(*value, wanted, 1e-9);
  }
}

// Both layers can be the one that is summed out; a machine and its mirror have one Z.
TEST(ExactPartition, IsTheSameFromEitherLayer) {
  const auto rbm = make_rbm(9, 13, 1, 173), mirror = make_rbm(13, 9, 1, 173);
  NoGradGuard no_graph;
  mirror->weights.copy_(rbm->weights.t().clone());
  mirror->visible_bias.copy_(rbm->hidden_bias);
  mirror->hidden_bias.copy_(rbm->visible_bias);
  EXPECT_NEAR(*rbm->exact_log_partition(), *mirror->exact_log_partition(), 1e-10);
}

// docs/numerics.md: sums over the units of a free energy are taken in float64.
TEST(FreeEnergy, OfManyUnitsIsSummedInDouble) {
  const auto rbm = make_rbm(5000, 3, 3, 179);
  NoGradGuard no_graph;
  rbm->weights.zero_();
  Rng rng(181);
  const Tensor x = bits_tensor(20, 5000, rng);
  const Tensor hidden = at::softplus(rbm->hidden_bias.to(at::kDouble), 1, 40).sum();
  const Tensor wanted = -(x.to(at::kDouble).mv(rbm->visible_bias.to(at::kDouble)) + hidden);
  expect_near(doubles(rbm->free_energy(x)), doubles(wanted), 1e-6, "free energy");
}

}  // namespace
}  // namespace deepgen::annealing_test
