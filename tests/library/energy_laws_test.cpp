// Laws that every model of the registry with a free energy owes whatever its values are: bits, grey values,
// reals, tables of mixed kinds. (laws_test.cpp: those that need enumeration.)
#include "tests/library/energy_laws.h"

namespace deepgen::energy_laws_test {
namespace {

using namespace energy_laws;

// Small cases of every kind of values, bits among them.
class EnergyLaws : public ::testing::TestWithParam<Case> {
 protected:
  void SetUp() override {
    model = random_model(GetParam(), rng);
    energy = as<HasFreeEnergy>(*model);
    rows = small_cases::cells(GetParam().shape(), 500, rng);
    model->check_data(rows, "rows of the law");
  }

  Rng rng{19};
  std::shared_ptr<Model> model;
  HasFreeEnergy* energy = nullptr;
  Tensor rows;
};
INSTANTIATE_TEST_SUITE_P(Registry, EnergyLaws, ::testing::ValuesIn(cases_at({0.3}, false)),
                         [](const auto& about) { return name_of(about.param); });

TEST_P(EnergyLaws, FreeEnergyOfARowIsThatOfTheRowAlone) {
  const Tensor all = energy->free_energy(rows);
  ASSERT_EQ(all.scalar_type(), at::kDouble);
  for (const std::int64_t r : {0, 1, 250, 499}) {
    const double alone = energy->free_energy(rows.narrow(0, r, 1)).item<double>();
    EXPECT_NEAR(all[r].item<double>(), alone, 1e-5 * std::max(1.0, std::abs(alone)));
  }
}

TEST_P(EnergyLaws, NothingIsSummedOutOfCompleteRows) {
  const auto marginal = energy->marginal_free_energy(rows);
  ASSERT_TRUE(marginal);
  expect_bit_equal(*marginal, energy->free_energy(rows), "complete rows");
}

TEST_P(EnergyLaws, KnownCellsComeBackBitForBit) {
  const auto* chain = as<CanClamp>(*model);
  if (!chain) GTEST_SKIP() << "no clamped chain";
  expect_known_cells_kept(*chain, rows, rng);
  const Tensor nothing = at::zeros(rows.sizes(), at::kBool);
  model->check_data(chain->clamped_steps(rows, 5, nothing, rng), "a chain that nothing holds");
}

TEST_P(EnergyLaws, EqualGeneratorEqualAnswer) {
  const auto* chain = as<HasChain>(*model);
  if (!chain) GTEST_SKIP() << "no chain";
  expect_equal_answers(*chain, true);
}

TEST_P(EnergyLaws, ReverseChainsBeginWhereTheyAreTold) {
  const auto* annealed = as<CanAnneal>(*model);
  if (!annealed) GTEST_SKIP() << "no annealing";
  const auto chains = annealed->anneal_from(rows);
  expect_bit_equal(chains->states(rng), rows, "before the first step");
  Tensor weights = at::zeros({rows.size(0)}, at::kDouble);
  chains->step(1, 0.5, weights, rng);
  const Tensor after = chains->states(rng);
  ASSERT_EQ(after.sizes(), rows.sizes());
  EXPECT_FALSE(at::equal(after, rows));
  model->check_data(after, "annealed chains");
  chains->step(0.5, 0, weights, rng);
  EXPECT_FALSE(at::equal(after, chains->states(rng))) << "states that were handed out have moved";
}

TEST_P(EnergyLaws, AnnealingIncrementsAddUp) {
  const auto* annealed = as<CanAnneal>(*model);
  if (!annealed) GTEST_SKIP() << "no annealing";
  auto increment = [&](double from, double to) {
    Tensor weights = at::zeros({rows.size(0)}, at::kDouble);
    annealed->anneal_from(rows)->step(from, to, weights, rng);
    return weights;
  };
  const Tensor whole = increment(0, 1);
  const Tensor sum = increment(0, 0.25) + increment(0.25, 0.9) + increment(0.9, 1);
  const double width = 1e-6 * std::max(1.0, whole.abs().max().item<double>());
  expect_near(doubles(sum), doubles(whole), 4 * width, "sum of increments");
}

TEST_P(EnergyLaws, CodesHaveTheirShape) {
  const auto* encoder = as<CanEncode>(*model);
  const auto* decoder = as<CanDecode>(*model);
  if (!encoder) GTEST_SKIP() << "no code";
  const Tensor before = rows.clone(), code = encoder->encode(rows);
  ASSERT_EQ(code.dim(), 2);
  ASSERT_EQ(code.size(0), rows.size(0));
  EXPECT_TRUE(code.isfinite().all().item<bool>());
  expect_bit_equal(code, encoder->encode(rows), "encoding again");
  expect_bit_equal(rows, before, "the argument");
  if (!decoder) return;
  const Tensor kept = code.clone(), mean = decoder->decode(code);
  ASSERT_EQ(mean.sizes(), rows.sizes());
  EXPECT_TRUE(mean.isfinite().all().item<bool>());
  expect_bit_equal(code, kept, "the argument");
}

// Enough rows that both torch and the kernels share them out among threads.
TEST_P(EnergyLaws, ThreadsChangeNothing) {
  const Tensor many = small_cases::cells(GetParam().shape(), 8000, rng);
  auto results = [&](int count) {
    const Threads threads(count);
    Rng own(7);
    std::vector<Tensor> all = {energy->free_energy(many)};
    if (const auto* chain = as<HasChain>(*model)) {
      all.push_back(chain->chain_steps(many, 2, own));
      all.push_back(chain->chain_mean(many, own));
    }
    if (const auto* annealed = as<CanAnneal>(*model)) {
      Tensor weights = at::zeros({many.size(0)}, at::kDouble);
      const auto chains = annealed->anneal_from(many);
      chains->step(1, 0.5, weights, own), chains->step(0.5, 0, weights, own);
      all.push_back(weights), all.push_back(chains->states(own));
    }
    if (const auto* encoder = as<CanEncode>(*model)) all.push_back(encoder->encode(many));
    return all;
  };
  const std::vector<Tensor> one = results(1), four = results(4);
  ASSERT_EQ(one.size(), four.size());
  for (std::size_t i = 0; i < one.size(); ++i)
    expect_bit_equal(one[i], four[i], "result " + std::to_string(i));
}

// One number a row: of so many rows that torch shares them out, and an odd number of them.
TEST_P(EnergyLaws, PseudoLikelihoodsAreEqualOnAnyNumberOfThreads) {
  const auto* pseudo = as<HasPseudoLikelihood>(*model);
  if (!pseudo || !pseudo->pseudo_log_likelihood(rows)) GTEST_SKIP() << "no pseudo-likelihood";
  const Tensor many = small_cases::cells(GetParam().shape(), 32771, rng);
  auto scores = [&](int count) {
    const Threads threads(count);
    return *pseudo->pseudo_log_likelihood(many);
  };
  expect_bit_equal(scores(1), scores(4), "pseudo-likelihood");
}

// So many rows that the work is worth the wake-up of threads.
TEST_P(EnergyLaws, GradientsAreEqualOnAnyNumberOfThreads) {
  if (!as<HasGradients>(*model)) GTEST_SKIP() << "no gradients";
  const Rows many(small_cases::cells(GetParam().shape(), 20000, rng), some_labels(GetParam().shape(), 20000));
  auto gradients = [&](int count) {
    const Threads threads(count);
    Rng start(23), own(29);
    const auto fresh = random_model(GetParam(), start);  // chains move with every gradient
    as<HasGradients>(*fresh)->gradients(many, {}, own);
    std::vector<Tensor> all;
    for (const Tensor& parameter : fresh->parameters())
      if (parameter.grad().defined()) all.push_back(parameter.grad().clone());
    return all;
  };
  const std::vector<Tensor> one = gradients(1), four = gradients(4);
  ASSERT_FALSE(one.empty());
  for (std::size_t i = 0; i < one.size(); ++i)
    expect_bit_equal(one[i], four[i], "gradient " + std::to_string(i));
}

}  // namespace
}  // namespace deepgen::energy_laws_test
