// Laws that every model of the registry owes that computes its log-probability, over all states of ten bits:
// on all small cases of bits. (What needs no enumeration runs on all small cases: exact_rows_test.cpp.)
//
// Each statistical check fails by chance once in a million runs of a fresh seed; the seeds are fixed.
#include <map>

#include "tests/library/machines.h"
#include "tests/library/small_cases.h"

namespace deepgen::exact_laws_test {
namespace {

using namespace machines;
using small_cases::Instance;

constexpr std::int64_t columns = 10, classes = 3;

bool enumerable(const Instance& instance) {
  return instance.small().values == ValueKind::binary && !instance.small().pictures &&
         instance.small().groups.empty();
}

struct Case {
  Instance instance;
  double scale;  // of every parameter
};

std::ostream& operator<<(std::ostream& out, const Case& c) {
  return out << c.instance << " at scale " << c.scale;
}

const std::vector<double> all_scales = {0, 0.5, 2, 6};

template <class... Capabilities>
std::vector<Case> cases(const std::vector<double>& scales = all_scales) {
  std::vector<Case> all;
  for (const Instance& instance : small_cases::with<HasLogProb, Capabilities...>())
    if (enumerable(instance))
      for (const double scale : scales) all.push_back({instance, scale});
  return all;
}

std::string name_of_case(const ::testing::TestParamInfo<Case>& about) {
  return about.param.instance.title() + "_" + std::to_string(static_cast<int>(about.param.scale * 10));
}

// The sums of other values are integrals, or too many to enumerate: each such case has laws of its own there.
const std::map<std::string, std::string> laws_of_their_own = {
    {"gaussian_mixture", "mixtures_test.cpp"},
    {"gaussian_mixture_full", "mixtures_test.cpp"},
    {"naive_bayes_mixed", "naive_bayes_test.cpp"},
    {"rnade", "rnade_test.cpp"},
    {"orderless_nade_groups", "orderless_tables_test.cpp"},
    {"latent_class_table", "latent_class_test.cpp"},
    {"latent_class_categories", "latent_class_test.cpp"},
    {"pixelcnn_grey", "pixel_output_test.cpp"},
    {"conditional_pixelcnn_grey", "pixel_output_test.cpp"},
    {"fvbn_groups", "autoregressive_groups_test.cpp"},
    {"made_groups", "autoregressive_groups_test.cpp"},
    {"nade_groups", "autoregressive_groups_test.cpp"}};

TEST(ExactCases, AreEnumeratedOrHaveLawsOfTheirOwn) {
  std::size_t found = 0;
  for (const Instance& instance : small_cases::with<HasLogProb>()) {
    if (enumerable(instance)) continue;
    EXPECT_TRUE(laws_of_their_own.contains(instance.title()))
        << instance
        << ": test that its density integrates to one and that its samples follow it, and say where";
    ++found;
  }
  EXPECT_EQ(found, laws_of_their_own.size()) << "a case is named above that is no longer there";
}

// Models that cannot sum missing cells out refuse them as data.
bool takes_gaps(const Model& model) {
  try {
    model.check_data(at::full({1, columns}, std::nanf("")), "gaps");
    return true;
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::data) << error.what();
    return false;
  }
}

class Exact : public ::testing::TestWithParam<Case> {
 protected:
  void SetUp() override {
    Rng rng(17);
    const Instance& instance = GetParam().instance;
    model = instance.make(columns, classes);
    Tensor y = at::empty({60}, at::kLong);
    for (std::int64_t i = 0; i < 60; ++i) y[i] = static_cast<std::int64_t>(rng.below(classes));
    model->initialise({bits_tensor(60, columns, rng, 0.3), y}, rng);
    randomise(*model, GetParam().scale, rng);
    exact = as<HasLogProb>(*model);
    states = all_states(columns);
    logs = doubles(exact->log_prob(states));
    for (const double each : logs) p.push_back(std::exp(each));
  }

  // Rows that agree with `bits` where `mask` is set and lack the rest.
  Tensor with_gaps(std::int64_t rows, std::int64_t mask, std::int64_t bits) const {
    Tensor x = at::full({rows, columns}, std::nanf(""));
    for (std::int64_t i = 0; i < columns; ++i)
      if (mask >> i & 1) x.select(1, i).fill_(static_cast<double>(bits >> i & 1));
    return x;
  }
  // Probabilities of the states that agree with `bits` where `mask` is set, and their sum.
  Doubles agreeing(std::int64_t mask, std::int64_t bits, double& sum) const {
    Doubles some(p.size());
    sum = 0;
    for (std::size_t s = 0; s < p.size(); ++s)
      if ((static_cast<std::int64_t>(s) & mask) == (bits & mask)) sum += some[s] = p[s];
    return some;
  }
  // The normalised conditional of the missing cells given those that `mask` knows.
  Doubles conditional(std::int64_t mask) const {
    double sum = 0;
    Doubles some = agreeing(mask, value, sum);
    for (double& each : some) each /= sum;
    return some;
  }
  // Rows of several sets [n, columns], now one of each: what one row lacks must not touch its neighbours.
  static Tensor interleaved(const std::vector<Tensor>& sets) {
    return at::stack(sets, 1).reshape({-1, sets[0].size(1)}).contiguous();
  }
  Tensor of_mask(const Tensor& rows, std::size_t which) const {
    return rows.view({-1, static_cast<std::int64_t>(masks.size()), columns})
        .select(1, static_cast<std::int64_t>(which))
        .contiguous();
  }

  std::shared_ptr<Model> model;
  const HasLogProb* exact = nullptr;
  Doubles logs, p;
  Tensor states;
  const std::vector<std::int64_t> masks = {0b0000011111, 0b1000000001, 0b1111111110, 0b0100100100};
  const std::int64_t value = 0b0110100101;
};

// ---------------------------------------------------------------- scores

class ExactLaws : public Exact {};
INSTANTIATE_TEST_SUITE_P(Registry, ExactLaws, ::testing::ValuesIn(cases<>()), name_of_case);

TEST_P(ExactLaws, ProbabilitiesOfAllStatesSumToOne) {
  const Tensor log_prob = exact->log_prob(states);
  ASSERT_EQ(log_prob.scalar_type(), at::kDouble);
  ASSERT_EQ(log_prob.sizes(), at::IntArrayRef({states.size(0)}));
  double sum = 0;
  for (const double each : p) sum += each;
  EXPECT_NEAR(sum, 1, 1e-5);
}

TEST_P(ExactLaws, MissingCellsAreSummedOutOrRefusedAsData) {
  const auto* ordered = as<HasOrders>(*model);
  if (!takes_gaps(*model)) return;
  if (ordered && ordered->orders() == 0) return;  // the order of what is there: orderless_tables_test.cpp
  for (const std::int64_t mask : masks) {
    double sum = 0;
    agreeing(mask, value, sum);
    const double ours = exact->log_prob(with_gaps(1, mask, value)).item<double>();
    EXPECT_NEAR(ours, std::log(sum), 2e-5 * std::max(1.0, std::abs(ours))) << "mask " << mask;
  }
  EXPECT_NEAR(exact->log_prob(with_gaps(1, 0, 0)).item<double>(), 0, 1e-5) << "nothing known";
}

// Each order is a distribution of its own, and so is the mean of several.
class ExactOrders : public Exact {};
INSTANTIATE_TEST_SUITE_P(Registry, ExactOrders, ::testing::ValuesIn(cases<HasOrders>()), name_of_case);

TEST_P(ExactOrders, EveryOrderIsADistribution) {
  const auto* ordered = as<HasOrders>(*model);
  const std::int64_t count = ordered->orders() > 0 ? ordered->orders() : 5;
  Doubles ensemble(p.size());
  for (std::int64_t order = 0; order < count; ++order) {
    const Doubles own = doubles(ordered->log_prob_under(states, order));
    double sum = 0;
    for (std::size_t s = 0; s < own.size(); ++s) sum += std::exp(own[s]), ensemble[s] += std::exp(own[s]);
    EXPECT_NEAR(sum, 1, 1e-5) << "order " << order;
  }
  double sum = 0;
  for (const double each : ensemble) sum += each / real(count);
  EXPECT_NEAR(sum, 1, 1e-5) << "the mean of all";
  expect_near(doubles(ordered->log_prob_under(states, 0)), logs, 0, "order 0");
  error_of(ErrorKind::usage, [&] { ordered->log_prob_under(states, -1); });
  if (ordered->orders() > 0) error_of(ErrorKind::usage, [&] { ordered->log_prob_under(states, count); });
}

// ---------------------------------------------------------------- samples and completion

class ExactSamples : public Exact {};
INSTANTIATE_TEST_SUITE_P(Registry, ExactSamples, ::testing::ValuesIn(cases<CanSample>()), name_of_case);

TEST_P(ExactSamples, FollowTheProbabilities) {
  const auto* direct = as<CanSample>(*model);
  const auto* ordered = as<HasOrders>(*model);
  Rng a(5), b(5);
  const Tensor first = direct->sample(40000, a), again = direct->sample(40000, b);
  ASSERT_EQ(first.sizes(), at::IntArrayRef({40000, columns}));
  expect_bit_equal(first, again, "equal seed");
  const bool varied = *std::max_element(p.begin(), p.end()) < 0.999;
  EXPECT_FALSE(varied && at::equal(first, direct->sample(40000, a))) << "the generator stood still";
  EXPECT_TRUE(at::logical_or(first == 0, first == 1).all().item<bool>());
  // Each sample has an order of its own: orderless_nade_test.cpp.
  if (!ordered || ordered->orders() > 0) expect_drawn_from(first, p, "samples");
}

// Models of endlessly many orders complete under orders that begin with what is known: they have a test of
// their own (orderless_nade_test.cpp).
std::vector<Case> completing() {
  std::vector<Case> some;
  for (const Case& each : cases<CanComplete>()) {
    const auto model = each.instance.make(columns, classes);
    const auto* ordered = as<HasOrders>(*model);
    if (!ordered || ordered->orders() > 0) some.push_back(each);
  }
  return some;
}

class ExactCompletions : public Exact {};
INSTANTIATE_TEST_SUITE_P(Registry, ExactCompletions, ::testing::ValuesIn(completing()), name_of_case);

TEST_P(ExactCompletions, FollowTheConditional) {
  Rng rng(7);
  std::vector<Tensor> sets;
  for (const std::int64_t mask : masks) sets.push_back(with_gaps(20000, mask, value));
  const Tensor x = interleaved(sets), done = as<CanComplete>(*model)->complete(x, rng);
  EXPECT_TRUE(x.isnan().any().item<bool>()) << "the argument was changed";
  for (std::size_t m = 0; m < masks.size(); ++m)
    expect_drawn_from(of_mask(done, m), conditional(masks[m]), "mask " + std::to_string(masks[m]));
}

// ---------------------------------------------------------------- chains

class ExactChains : public Exact {};
INSTANTIATE_TEST_SUITE_P(Registry, ExactChains, ::testing::ValuesIn(cases<HasChain>()), name_of_case);

TEST_P(ExactChains, KeepTheDistribution) {
  Rng rng(31);
  const Tensor start = exact_samples(p, columns, 20000, rng);
  expect_drawn_from(as<HasChain>(*model)->chain_steps(start, 3, rng), p, "three steps");
  expect_bit_equal(as<HasChain>(*model)->chain_steps(start, 0, rng), start, "no step");
}

// A clamped chain leaves p(missing | known) unchanged: started there, it stays there, and what is known
// stays, whatever the rows beside it lack.
class ExactClampedChains : public Exact {};
INSTANTIATE_TEST_SUITE_P(Registry, ExactClampedChains, ::testing::ValuesIn(cases<CanClamp>()), name_of_case);

TEST_P(ExactClampedChains, KeepTheConditionalDistribution) {
  Rng rng(31);
  std::vector<Tensor> starts, holds;
  for (const std::int64_t mask : masks) {
    starts.push_back(exact_samples(conditional(mask), columns, 20000, rng));
    holds.push_back(with_gaps(20000, mask, value).isnan().logical_not());
  }
  const Tensor start = interleaved(starts), known = interleaved(holds);
  const Tensor end = as<CanClamp>(*model)->clamped_steps(start, 3, known, rng);
  expect_bit_equal(end.masked_select(known), start.masked_select(known), "known cells");
  for (std::size_t m = 0; m < masks.size(); ++m)
    expect_drawn_from(of_mask(end, m), conditional(masks[m]), "mask " + std::to_string(masks[m]));
}

// At larger scales the means hang on rare rows.
class ExactChainMeans : public Exact {};
INSTANTIATE_TEST_SUITE_P(Registry, ExactChainMeans, ::testing::ValuesIn(cases<HasChain>({0, 0.5, 2})),
                         name_of_case);

TEST_P(ExactChainMeans, AreThoseOfTheModel) {
  Rng rng(29);
  const Tensor mean = as<HasChain>(*model)->chain_mean(exact_samples(p, columns, 20000, rng), rng);
  ASSERT_EQ(mean.sizes(), at::IntArrayRef({20000, columns}));
  EXPECT_TRUE(at::logical_and(mean >= 0, mean <= 1).all().item<bool>());
  Doubles wanted(size(columns));
  for (std::size_t s = 0; s < p.size(); ++s)
    for (std::int64_t i = 0; i < columns; ++i) wanted[size(i)] += static_cast<double>(s >> i & 1) * p[s];
  Moments moments;
  for (std::int64_t r = 0; r < mean.size(0); ++r) moments.add(doubles(mean[r]));
  EXPECT_LT(moments.largest_z(wanted, 1e-5), 5.6);  // ten units at one in a million
}

// ---------------------------------------------------------------- classes

class ExactClasses : public Exact {
 protected:
  void SetUp() override {
    Exact::SetUp();
    given_x = as<CanClassify>(*model)->log_class_probs(states).exp();
    joint = given_x * at::tensor(p, at::kDouble).unsqueeze(1);
  }
  Tensor given_x, joint;  // p(y | x), p(x, y) of all states: [states, classes] float64
};
INSTANTIATE_TEST_SUITE_P(Registry, ExactClasses, ::testing::ValuesIn(cases<CanClassify>()), name_of_case);

// The marginal over the missing cells of p(y, x), over that of p(x).
TEST_P(ExactClasses, MissingCellsAreSummedOut) {
  if (!takes_gaps(*model)) return;
  const auto* classifier = as<CanClassify>(*model);
  std::vector<std::int64_t> all = masks;
  all.push_back(0);
  for (const std::int64_t mask : all) {
    Tensor wanted = at::zeros({classes}, at::kDouble);
    for (std::int64_t s = 0; s < states.size(0); ++s)
      if ((s & mask) == (value & mask)) wanted += joint[s];
    const Tensor ours = classifier->log_class_probs(with_gaps(1, mask, value)).exp()[0];
    expect_near(doubles(ours), doubles(wanted / wanted.sum()), 1e-4, "mask " + std::to_string(mask));
  }
}

// p(x | y) = p(y | x) p(x) / p(y): what is drawn given a label is drawn from it.
class ExactClassSamples : public ExactClasses {};
INSTANTIATE_TEST_SUITE_P(Registry, ExactClassSamples,
                         ::testing::ValuesIn(cases<CanClassify, CanSampleGiven>()), name_of_case);

TEST_P(ExactClassSamples, FollowBayesRule) {
  Rng rng(37);
  for (std::int64_t y = 0; y < classes; ++y) {
    const Tensor given_y = joint.select(1, y) / joint.select(1, y).sum();
    const Tensor drawn = as<CanSampleGiven>(*model)->sample_given(at::full({20000}, y, at::kLong), rng);
    expect_drawn_from(drawn, doubles(given_y), "label " + std::to_string(y));
  }
}

}  // namespace
}  // namespace deepgen::exact_laws_test
