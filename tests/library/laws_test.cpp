// Laws that every model of the registry with a free energy owes for the capabilities it has, checked against
// enumeration of the small cases of bits. (energy_laws_test.cpp: of any values; exact_laws_test.cpp: models
// that compute their log-probability.)
//
// Each statistical check fails by chance once in a million runs of a fresh seed; the seeds are fixed.
#include "deepgen/core/observer.h"
#include "deepgen/models/boltzmann/discriminative_rbm.h"
#include "deepgen/tasks/tasks.h"
#include "tests/library/energy_laws.h"
#include "tests/library/plain_boltzmann_machine.h"
#include "tests/library/plain_conv_rbm.h"
#include "tests/library/plain_gated_rbm.h"

namespace deepgen::laws_test {
namespace {

using namespace energy_laws;

// The units of the label follow those of the case, and one of them is on.
Doubles over_labels(const DiscriminativeRbm& model) {
  const PlainRbm pairs(model.joint());
  Doubles logs;
  for (std::int64_t v = 0; v < std::int64_t{1} << columns; ++v) {
    Doubles terms;
    for (std::int64_t y = 0; y < model.classes(); ++y)
      terms.push_back(pairs.log_unnormalised(v | std::int64_t{1} << (columns + y)));
    logs.push_back(log_sum_exp(terms));
  }
  return logs;
}

// log p*(v) of all states by brute force over every unit of the model, independent of the library's free
// energy.
Doubles brute_force(const Model& model) {
  if (const auto* rbm = dynamic_cast<const Rbm*>(&model)) return PlainRbm(*rbm).log_unnormalised();
  if (const auto* pairs = dynamic_cast<const DiscriminativeRbm*>(&model)) return over_labels(*pairs);
  if (const auto* machine = dynamic_cast<const BoltzmannMachine*>(&model))
    return PlainBoltzmannMachine(*machine).log_unnormalised();
  if (const auto* filters = dynamic_cast<const ConvRbm*>(&model))
    return PlainConvRbm(*filters).log_unnormalised();
  if (const auto* gated = dynamic_cast<const GatedRbm*>(&model))
    return PlainGatedRbm(*gated).log_unnormalised();
  ADD_FAILURE() << "a new model needs its own brute force here";
  return {};
}

class Laws : public ::testing::TestWithParam<Case> {
 protected:
  void SetUp() override {
    Rng rng(17);
    model = random_model(GetParam(), rng);
    energy = as<HasFreeEnergy>(*model);
    logs = brute_force(*model);
    p = probabilities(logs);
    states = all_states(columns);
  }
  // Errors of float32 inputs grow with the energies; at scale 1 and below this is the 1e-6 of the
  // specification.
  double tolerance() const { return 1e-6 * std::max(1.0, 2 * GetParam().scale); }

  std::shared_ptr<Model> model;
  HasFreeEnergy* energy = nullptr;
  Doubles logs, p;
  Tensor states;
};

INSTANTIATE_TEST_SUITE_P(Registry, Laws, ::testing::ValuesIn(cases_at({0.0, 0.2, 1.0, 3.0, 12.0}, true)),
                         [](const auto& about) { return name_of(about.param); });

TEST_P(Laws, ProbabilitiesOfAllStatesSumToOne) {
  const auto* partition = as<HasLogPartition>(*model);
  if (!partition) GTEST_SKIP() << "no log Z";
  const auto log_z = partition->exact_log_partition();
  ASSERT_TRUE(log_z);
  const Tensor f = energy->free_energy(states);
  ASSERT_EQ(f.scalar_type(), at::kDouble);
  ASSERT_EQ(f.sizes(), at::IntArrayRef({states.size(0)}));
  double sum = 0;
  for (const double value : doubles(f)) sum += std::exp(-value - *log_z);
  EXPECT_NEAR(sum, 1, tolerance());
  EXPECT_NEAR(*log_z, log_sum_exp(logs), 1e-10 * std::max(1.0, std::abs(*log_z)));  // float64 throughout
}

TEST_P(Laws, DifferencesOfFreeEnergyAreDifferencesOfLogProbability) {
  const Doubles f = doubles(energy->free_energy(states));
  for (std::size_t s = 1; s < f.size(); ++s)
    ASSERT_NEAR(f[0] - f[s], logs[s] - logs[0], tolerance() * 2) << "state " << s;
}

TEST_P(Laws, FreeEnergyOfARowIsThatOfTheRowAlone) {
  const Tensor all = energy->free_energy(states);
  for (const std::int64_t s : {0, 1, 37, 63}) {
    const double alone = energy->free_energy(states.narrow(0, s, 1)).item<double>();
    EXPECT_NEAR(all[s].item<double>(), alone, tolerance());
  }
}

TEST_P(Laws, AChainStartedAtTheModelStaysThere) {
  const auto* chain = as<HasChain>(*model);
  if (!chain) GTEST_SKIP() << "no chain";
  Rng rng(23);
  const Tensor start = exact_samples(p, columns, 40000, rng);
  for (const std::int64_t steps : {1, 2, 7}) {
    const Tensor end = chain->chain_steps(start, steps, rng);
    expect_drawn_from(end, p, std::to_string(steps) + " steps");
  }
}

TEST_P(Laws, ChainMeansAreMeansOfTheChain) {
  const auto* chain = as<HasChain>(*model);
  if (!chain) GTEST_SKIP() << "no chain";
  Rng rng(29);
  const Tensor start = exact_samples(p, columns, 20000, rng);
  const Tensor mean = chain->chain_mean(start, rng);
  ASSERT_EQ(mean.sizes(), start.sizes());
  EXPECT_TRUE(at::logical_and(mean >= 0, mean <= 1).all().item<bool>());
  Doubles wanted(size(columns));
  for (std::size_t s = 0; s < p.size(); ++s)
    for (std::int64_t i = 0; i < columns; ++i) wanted[size(i)] += static_cast<double>(s >> i & 1) * p[s];
  Moments moments;
  for (std::int64_t r = 0; r < mean.size(0); ++r) moments.add(doubles(mean[r]));
  EXPECT_LT(moments.largest_z(wanted, 1e-6), 5.5);  // six units at one in a million, and float32
}

// A clamped chain leaves p(missing | known) unchanged: started at p, it stays at p, and what is known stays.
TEST_P(Laws, AClampedChainKeepsItsConditionalDistribution) {
  const auto* chain = as<CanClamp>(*model);
  if (!chain) GTEST_SKIP() << "no clamped chain";
  Rng rng(31);
  for (const std::int64_t mask : {0b000111, 0b100001, 0b111110, 0b010010}) {
    const std::int64_t value = 0b011010 & mask;
    Doubles conditional(p.size());
    double total = 0;
    for (std::size_t s = 0; s < p.size(); ++s)
      if ((static_cast<std::int64_t>(s) & mask) == value)
        total += conditional[s] = std::exp(logs[s] - logs[size(value)]);
    for (double& each : conditional) each /= total;
    const Tensor start = exact_samples(conditional, columns, 20000, rng);
    Tensor known = at::zeros({columns}, at::kBool);
    for (std::int64_t i = 0; i < columns; ++i) known[i] = (mask >> i & 1) == 1;
    known = known.expand({start.size(0), columns});
    const Tensor end = chain->clamped_steps(start, 3, known, rng);
    expect_drawn_from(end, conditional, "mask " + std::to_string(mask));
  }
}

TEST_P(Laws, KnownCellsComeBackBitForBit) {
  const auto* chain = as<CanClamp>(*model);
  if (!chain) GTEST_SKIP() << "no clamped chain";
  Rng rng(37);
  expect_known_cells_kept(*chain, bits_tensor(500, columns, rng), rng);
}

TEST_P(Laws, EqualGeneratorEqualAnswer) {
  const auto* chain = as<HasChain>(*model);
  if (!chain) GTEST_SKIP() << "no chain";
  // One state with nine tenths of the probability may well be all that fifty chains end in.
  const bool spread = *std::max_element(p.begin(), p.end()) < 0.9;
  expect_equal_answers(*chain, GetParam().scale < 4 && spread);
}

// What step(0, 1) adds to a state's weight defines log p*_0(x) = -F(x) - weight: its sum must be the base's
// Z.
TEST_P(Laws, TheBaseOfAnnealingHasTheStatedPartition) {
  const auto* annealed = as<CanAnneal>(*model);
  if (!annealed) GTEST_SKIP() << "no annealing";
  Rng rng(41);
  Tensor weights = at::zeros({states.size(0)}, at::kDouble);
  annealed->anneal_from(states)->step(0, 1, weights, rng);
  Doubles base = doubles(weights);
  for (std::size_t s = 0; s < base.size(); ++s) base[s] = logs[s] - base[s];
  EXPECT_NEAR(log_sum_exp(base), annealed->log_base_partition(), 2 * tolerance());
  // And the chains of a forward run begin at that very distribution; a step at temperature 0 keeps it.
  const auto chains = annealed->anneal_from_base(30000, rng);
  expect_drawn_from(chains->states(rng), probabilities(base), "the start of forward runs");
  Tensor none = at::zeros({30000}, at::kDouble);
  chains->step(0, 0, none, rng);
  expect_drawn_from(chains->states(rng), probabilities(base), "a step at temperature 0");
}

// Increments are differences of one function of temperature: they add up along any path from the same state.
TEST_P(Laws, AnnealingIncrementsAddUp) {
  const auto* annealed = as<CanAnneal>(*model);
  if (!annealed) GTEST_SKIP() << "no annealing";
  Rng rng(43);
  auto increment = [&](double from, double to) {
    Tensor weights = at::zeros({states.size(0)}, at::kDouble);
    annealed->anneal_from(states)->step(from, to, weights, rng);
    return doubles(weights);
  };
  const Doubles whole = increment(0, 1), back = increment(1, 0), still = increment(0.4, 0.4);
  Doubles sum(whole.size());
  const Doubles betas = {0, 0.01, 0.25, 0.5, 0.5001, 0.9, 1};
  for (std::size_t k = 1; k < betas.size(); ++k) {
    const Doubles part = increment(betas[k - 1], betas[k]);
    for (std::size_t s = 0; s < sum.size(); ++s) sum[s] += part[s];
  }
  expect_near(sum, whole, 2 * tolerance(), "sum of increments");
  for (std::size_t s = 0; s < sum.size(); ++s) ASSERT_NEAR(back[s], -whole[s], 2 * tolerance());
  expect_near(still, Doubles(still.size()), 1e-12, "no change of temperature");
}

// Each transition leaves its own temperature's distribution unchanged: log p*_b(x) = log p*(x) - weight(b to
// 1).
TEST_P(Laws, AnnealingTransitionsLeaveTheirTemperatureUnchanged) {
  const auto* annealed = as<CanAnneal>(*model);
  if (!annealed) GTEST_SKIP() << "no annealing";
  Rng rng(47);
  for (const double beta : {0.0, 0.3, 0.8, 1.0}) {
    Tensor weights = at::zeros({states.size(0)}, at::kDouble);
    annealed->anneal_from(states)->step(beta, 1, weights, rng);
    Doubles at_beta = doubles(weights);
    for (std::size_t s = 0; s < at_beta.size(); ++s) at_beta[s] = logs[s] - at_beta[s];
    const Doubles wanted = probabilities(at_beta);
    const std::int64_t count = 30000;
    const auto chains = annealed->anneal_from(exact_samples(wanted, columns, count, rng));
    Tensor none = at::zeros({count}, at::kDouble), after = at::zeros({count}, at::kDouble);
    chains->step(beta, beta, none, rng);
    expect_drawn_from(chains->states(rng), wanted, "beta " + std::to_string(beta));
    // What is annealed may be hidden: its weights to temperature 1 are not, and differ from state to state.
    chains->step(beta, 1, after, rng);
    Doubles mean(1), table = doubles(weights);
    for (std::size_t s = 0; s < wanted.size(); ++s) mean[0] += wanted[s] * table[s];
    Doubles variance(1);  // of what is seen of a state, at most that of all there is
    for (std::size_t s = 0; s < wanted.size(); ++s)
      variance[0] += wanted[s] * std::pow(table[s] - mean[0], 2);
    Moments moments;
    for (const double value : doubles(after)) moments.add({value});
    EXPECT_LT(moments.largest_z(mean, tolerance(), variance), 4.9) << "beta " << beta;  // one in a million
  }
}

// Where the weights' tail is not too heavy for a test of their mean.
class MildLaws : public Laws {};
INSTANTIATE_TEST_SUITE_P(Registry, MildLaws, ::testing::ValuesIn(cases_at({0.0, 0.2, 1.0}, true)),
                         [](const auto& about) { return name_of(about.param); });

// E[w] = Z_1 / Z_0 whatever the schedule: the mean of many weights must reach it, even along a rough one.
TEST_P(MildLaws, ForwardAnnealingIsUnbiasedForThePartition) {
  const auto* annealed = as<CanAnneal>(*model);
  if (!annealed) GTEST_SKIP() << "no annealing";
  Rng rng(53);
  const std::int64_t count = 40000;
  for (const Doubles& betas : {Doubles{0, 0.3, 0.7, 1}, Doubles{0, 0.05, 0.2, 0.4, 0.6, 0.8, 0.9, 1}}) {
    const auto chains = annealed->anneal_from_base(count, rng);
    Tensor weights = at::zeros({count}, at::kDouble);
    for (std::size_t k = 1; k < betas.size(); ++k) chains->step(betas[k - 1], betas[k], weights, rng);
    const double log_ratio = log_sum_exp(logs) - annealed->log_base_partition();
    Moments moments;
    for (const double value : doubles(weights)) moments.add({std::exp(value - log_ratio)});
    EXPECT_LT(moments.largest_z({1}, 1e-6), 5.5);  // skewed: normal quantiles would be too narrow
  }
}

TEST_P(Laws, DecodedBitsAreMeans) {
  const auto* encoder = as<CanEncode>(*model);
  const auto* decoder = as<CanDecode>(*model);
  if (!encoder || !decoder) GTEST_SKIP() << "no decoder";
  const Tensor mean = decoder->decode(encoder->encode(states));
  ASSERT_EQ(mean.sizes(), states.sizes());
  EXPECT_TRUE(at::logical_and(mean >= 0, mean <= 1).all().item<bool>());
}

TEST_P(Laws, PseudoLikelihoodIsTheSumOfConditionals) {
  const auto* pseudo = as<HasPseudoLikelihood>(*model);
  if (!pseudo) GTEST_SKIP() << "no pseudo-likelihood";
  const auto rows = pseudo->pseudo_log_likelihood(states);
  ASSERT_TRUE(rows) << "bits have two values each";
  const Doubles ours = doubles(*rows);
  for (std::size_t s = 0; s < ours.size(); ++s) {
    double wanted = 0;
    for (std::int64_t i = 0; i < columns; ++i)
      wanted += logs[s] - log_sum_exp({logs[s], logs[s ^ (std::size_t{1} << i)]});
    ASSERT_NEAR(ours[s], wanted, 6 * tolerance()) << "state " << s;
  }
}

// ---------------------------------------------------------------- kernels that are wrong

// The check of stationarity must see kernels that are wrong in the ways one gets wrong.
class BrokenKernel : public ::testing::Test {
 protected:
  void SetUp() override {
    rbm = make_rbm(columns, 4, 1.5, 3);
    p = probabilities(PlainRbm(*rbm).log_unnormalised());
    start = exact_samples(p, columns, 40000, rng);
  }
  double verdict(const Tensor& end) const { return chi_square_z(state_numbers(end), p); }

  std::shared_ptr<Rbm> rbm;
  Doubles p;
  Rng rng{59};
  Tensor start;
};

TEST_F(BrokenKernel, ItsOwnStartPasses) { EXPECT_LT(verdict(start), one_in_a_million); }

TEST_F(BrokenKernel, AWrongBiasFails) {
  NoGradGuard no_graph;
  auto wrong = make_rbm(columns, 4, 1.5, 3);
  wrong->visible_bias[2] += 0.15;
  EXPECT_GT(verdict(wrong->chain_steps(start, 4, rng)), one_in_a_million);
}

TEST_F(BrokenKernel, WeightsReadTransposedFail) {
  auto square = make_rbm(5, 5, 1.0, 3), transposed = make_rbm(5, 5, 1.0, 3);
  NoGradGuard no_graph;
  transposed->weights.copy_(square->weights.t().clone());
  const Doubles right = probabilities(PlainRbm(*square).log_unnormalised());
  const Tensor from = exact_samples(right, 5, 40000, rng);
  EXPECT_GT(chi_square_z(state_numbers(transposed->chain_steps(from, 4, rng)), right), one_in_a_million);
}

// Hidden units in two halves, one of them computed from visible units of ten steps ago.
TEST_F(BrokenKernel, HiddenUnitsFromStaleVisibleOnesFail) {
  const Tensor stale = rbm->sample_h_given_v(start, rng);
  const Tensor fresh = rbm->sample_h_given_v(rbm->chain_steps(start, 10, rng), rng);
  const Tensor mixed = at::cat({stale.narrow(1, 0, 2), fresh.narrow(1, 2, 2)}, 1);
  EXPECT_LT(verdict(rbm->sample_v_given_h(fresh, rng)), one_in_a_million);
  EXPECT_GT(verdict(rbm->sample_v_given_h(mixed, rng)), one_in_a_million);
}

TEST_F(BrokenKernel, MeansInPlaceOfSamplesFail) {
  const Tensor mean = rbm->mean_h_given_v(start);
  EXPECT_GT(verdict(rbm->sample_v_given_h(mean, rng)), one_in_a_million);
}

TEST(Completion, FillsOnlyWhatIsMissingAndByTheConditional) {
  const auto rbm = make_rbm(columns, 4, 1.0, 61);
  const Doubles logs = PlainRbm(*rbm).log_unnormalised();
  const std::int64_t mask = 0b001101, value = 0b001001;
  Doubles conditional(logs.size());
  double total = 0;
  for (std::size_t s = 0; s < logs.size(); ++s)
    if ((static_cast<std::int64_t>(s) & mask) == value) total += conditional[s] = std::exp(logs[s]);
  for (double& each : conditional) each /= total;
  Tensor x = at::full({20000, columns}, std::nanf(""));
  for (std::int64_t i = 0; i < columns; ++i)
    if (mask >> i & 1) x.select(1, i).fill_(static_cast<double>(value >> i & 1));
  Rng rng(67);
  Observer silent;
  const Tensor done =
      complete_rows(*rbm, {x, {}}, 200, rng, silent);  // from the marginals: 200 steps mix at this scale
  expect_drawn_from(done, conditional, "completed rows");
  EXPECT_TRUE(x.isnan().any().item<bool>()) << "the argument was changed";
}

}  // namespace
}  // namespace deepgen::laws_test
