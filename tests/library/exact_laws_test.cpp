// Laws that every model of the registry owes that computes its log-probability, over all states of ten bits.
//
// Each statistical check fails by chance once in a million runs of a fresh seed; the seeds are fixed.
#include "deepgen/core/observer.h"
#include "deepgen/tasks/tasks.h"
#include "tests/library/machines.h"
#include "tests/library/runs.h"

namespace deepgen {
namespace {

using namespace machines;

constexpr std::int64_t columns = 10, classes = 3;

// Models whose cases are no bits even where the data are: their sums are integrals (mixtures_test.cpp).
bool continuous(const std::string& name) { return name == "gaussian_mixture" || name == "rnade"; }

// A model's name, or that with this ending: its columns in a random order.
const std::string random_ending = "_random";

std::string base_name(const std::string& name) {
  return name.ends_with(random_ending) ? name.substr(0, name.size() - random_ending.size()) : name;
}

std::shared_ptr<Model> small_model(const std::string& name) {
  const bool random_order = name.ends_with(random_ending);
  const ModelCard& card = model_card(base_name(name));
  nlohmann::ordered_json options = nlohmann::ordered_json::object();
  const nlohmann::ordered_json defaults = options_to_json(*card.options());
  if (defaults.contains("components")) options["components"] = 4;
  if (defaults.contains("masks")) options["masks"] = 3;
  if (random_order) options["order"] = "random";
  if (defaults.contains("hidden") && defaults["hidden"].is_string())
    options["hidden"] = "9,7";
  else if (defaults.contains("hidden"))
    options["hidden"] = 5;
  if (defaults.contains("blocks")) options["blocks"] = 3, options["channels"] = 4;
  return make_model(card.name, options, nlohmann::ordered_json::object(), {columns, {columns}, classes});
}

struct Case {
  std::string model;
  double scale;  // of every parameter
};

std::ostream& operator<<(std::ostream& out, const Case& c) {
  return out << c.model << " at scale " << c.scale;
}

std::vector<Case> cases() {
  std::vector<Case> all;
  for (const ModelCard& card : model_catalog()) {
    if (continuous(card.name) || for_pictures(card.name) || !as<HasLogProb>(*small_model(card.name)))
      continue;
    std::vector<std::string> names = {card.name};
    if (options_to_json(*card.options()).contains("order")) names.push_back(card.name + random_ending);
    for (const std::string& name : names)
      for (const double scale : {0.0, 0.5, 2.0, 6.0}) all.push_back({name, scale});
  }
  return all;
}

Batch labelled_bits(std::int64_t rows, Rng& rng) {
  Tensor y = at::empty({rows}, at::kLong);
  for (std::int64_t i = 0; i < rows; ++i) y[i] = static_cast<std::int64_t>(rng.below(classes));
  return {bits_tensor(rows, columns, rng, 0.3), y};
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

class ExactLaws : public ::testing::TestWithParam<Case> {
 protected:
  void SetUp() override {
    Rng rng(17);
    model = small_model(GetParam().model);
    model->initialise(labelled_bits(60, rng), rng);
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
    return rows.view({-1, mask_count(), columns}).select(1, static_cast<std::int64_t>(which)).contiguous();
  }
  std::int64_t mask_count() const { return static_cast<std::int64_t>(masks.size()); }

  std::shared_ptr<Model> model;
  HasLogProb* exact = nullptr;
  Doubles logs, p;
  Tensor states;
  const std::vector<std::int64_t> masks = {0b0000011111, 0b1000000001, 0b1111111110, 0b0100100100};
  const std::int64_t value = 0b0110100101;
};

INSTANTIATE_TEST_SUITE_P(Registry, ExactLaws, ::testing::ValuesIn(cases()), [](const auto& about) {
  return about.param.model + "_" + std::to_string(static_cast<int>(about.param.scale * 10));
});

TEST_P(ExactLaws, ProbabilitiesOfAllStatesSumToOne) {
  const Tensor log_prob = exact->log_prob(states);
  ASSERT_EQ(log_prob.scalar_type(), at::kDouble);
  ASSERT_EQ(log_prob.sizes(), at::IntArrayRef({states.size(0)}));
  double sum = 0;
  for (const double each : p) sum += each;
  EXPECT_NEAR(sum, 1, 1e-5);
}

TEST_P(ExactLaws, LogProbOfARowIsThatOfTheRowAlone) {
  const Tensor before = states.clone();
  for (const std::int64_t s : {0, 1, 37, 1023}) {
    const double alone = exact->log_prob(states.narrow(0, s, 1)).item<double>();
    EXPECT_NEAR(logs[size(s)], alone, 1e-5 * std::max(1.0, std::abs(alone))) << "state " << s;
  }
  expect_bit_equal(states, before, "the argument");
}

TEST_P(ExactLaws, MissingCellsAreSummedOut) {
  if (!takes_gaps(*model)) GTEST_SKIP() << "refuses missing cells";
  for (const std::int64_t mask : masks) {
    double sum = 0;
    agreeing(mask, value, sum);
    const double ours = exact->log_prob(with_gaps(1, mask, value)).item<double>();
    EXPECT_NEAR(ours, std::log(sum), 2e-5 * std::max(1.0, std::abs(ours))) << "mask " << mask;
  }
  EXPECT_NEAR(exact->log_prob(with_gaps(1, 0, 0)).item<double>(), 0, 1e-5) << "nothing known";
}

TEST_P(ExactLaws, SamplesFollowTheProbabilities) {
  auto* direct = as<CanSample>(*model);
  if (!direct) GTEST_SKIP() << "no direct samples";
  Rng a(5), b(5);
  const Tensor first = direct->sample(40000, a), again = direct->sample(40000, b);
  ASSERT_EQ(first.sizes(), at::IntArrayRef({40000, columns}));
  expect_bit_equal(first, again, "equal seed");
  const bool varied = *std::max_element(p.begin(), p.end()) < 0.999;
  EXPECT_FALSE(varied && at::equal(first, direct->sample(40000, a))) << "the generator stood still";
  EXPECT_TRUE(at::logical_or(first == 0, first == 1).all().item<bool>());
  expect_drawn_from(first, p, "samples");
}

TEST_P(ExactLaws, CompletionsFollowTheConditional) {
  auto* completes = as<CanComplete>(*model);
  if (!completes) GTEST_SKIP() << "no completion";
  if (auto* ordered = as<HasOrders>(*model); ordered && ordered->orders() == 0)
    GTEST_SKIP() << "completes under orders that begin with what is known";
  Rng rng(7);
  std::vector<Tensor> sets;
  for (const std::int64_t mask : masks) sets.push_back(with_gaps(20000, mask, value));
  const Tensor x = interleaved(sets), done = completes->complete(x, rng);
  EXPECT_TRUE(x.isnan().any().item<bool>()) << "the argument was changed";
  for (std::size_t m = 0; m < masks.size(); ++m)
    expect_drawn_from(of_mask(done, m), conditional(masks[m]), "mask " + std::to_string(masks[m]));
}

TEST_P(ExactLaws, KnownCellsComeBackBitForBit) {
  auto* completes = as<CanComplete>(*model);
  if (!completes) GTEST_SKIP() << "no completion";
  Rng rng(11);
  const Tensor whole = bits_tensor(500, columns, rng), gaps = bits_tensor(500, columns, rng) > 0.5;
  const Tensor x = whole.masked_fill(gaps, std::nanf("")), known = gaps.logical_not();
  const Tensor done = completes->complete(x, rng);
  expect_bit_equal(done.masked_select(known), whole.masked_select(known), "known cells");
  EXPECT_TRUE(at::logical_or(done == 0, done == 1).all().item<bool>());
  expect_bit_equal(completes->complete(whole, rng), whole, "nothing missing");
}

// Each order is a distribution of its own, and so is the mean of several.
TEST_P(ExactLaws, EveryOrderIsADistribution) {
  auto* ordered = as<HasOrders>(*model);
  if (!ordered) GTEST_SKIP() << "one order";
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

// A clamped chain leaves p(missing | known) unchanged: started there, it stays there, and what is known
// stays, whatever the rows beside it lack.
TEST_P(ExactLaws, AClampedChainKeepsItsConditionalDistribution) {
  auto* chain = as<HasChain>(*model);
  if (!chain) GTEST_SKIP() << "no chain";
  Rng rng(31);
  const Tensor all = chain->chain_steps(exact_samples(p, columns, 20000, rng), 3, {}, rng);
  expect_drawn_from(all, p, "nothing known");
  std::vector<Tensor> starts, holds;
  for (const std::int64_t mask : masks) {
    starts.push_back(exact_samples(conditional(mask), columns, 20000, rng));
    holds.push_back(with_gaps(20000, mask, value).isnan().logical_not());
  }
  const Tensor start = interleaved(starts), known = interleaved(holds);
  const Tensor end = chain->chain_steps(start, 3, known, rng);
  expect_bit_equal(end.masked_select(known), start.masked_select(known), "known cells");
  for (std::size_t m = 0; m < masks.size(); ++m)
    expect_drawn_from(of_mask(end, m), conditional(masks[m]), "mask " + std::to_string(masks[m]));
}

TEST_P(ExactLaws, TheMeansOfAChainAreThoseOfTheModel) {
  auto* chain = as<HasChain>(*model);
  if (!chain) GTEST_SKIP() << "no chain";
  if (GetParam().scale > 4) GTEST_SKIP() << "means that hang on rare rows";
  Rng rng(29);
  const Tensor mean = chain->chain_mean(exact_samples(p, columns, 20000, rng), rng);
  ASSERT_EQ(mean.sizes(), at::IntArrayRef({20000, columns}));
  EXPECT_TRUE(at::logical_and(mean >= 0, mean <= 1).all().item<bool>());
  Doubles wanted(size(columns));
  for (std::size_t s = 0; s < p.size(); ++s)
    for (std::int64_t i = 0; i < columns; ++i) wanted[size(i)] += static_cast<double>(s >> i & 1) * p[s];
  Moments moments;
  for (std::int64_t r = 0; r < mean.size(0); ++r) moments.add(doubles(mean[r]));
  EXPECT_LT(moments.largest_z(wanted, 1e-5), 5.6);  // ten units at one in a million
}

TEST_P(ExactLaws, TheTasksTakeTheDirectRoute) {
  Rng rng(13);
  Observer silent;
  if (as<CanSample>(*model)) {
    SamplingPlan plan;
    plan.count = 30, plan.rows = 2;
    EXPECT_EQ(sample_model(*model, plan, rng, silent).sizes(), at::IntArrayRef({60, columns}));
  }
  if (as<CanComplete>(*model)) {
    const Tensor done = complete_rows(*model, {with_gaps(30, 0b11, 0b01), {}}, 10, rng, silent);
    EXPECT_FALSE(done.isnan().any().item<bool>());
  }
}

TEST_P(ExactLaws, CodesHaveTheirShape) {
  auto* encoder = as<CanEncode>(*model);
  if (!encoder) GTEST_SKIP() << "no code";
  const Tensor code = encoder->encode(states);
  ASSERT_EQ(code.dim(), 2);
  ASSERT_EQ(code.size(0), states.size(0));
  EXPECT_TRUE(code.isfinite().all().item<bool>());
}

// What is trained by this name comes back from its file with the same bits, also when it was stopped within
// an epoch.
class ExactRuns : public ::testing::TestWithParam<std::string> {
 protected:
  std::string name() const { return base_name(GetParam()); }
  runs::Assignments with(runs::Assignments settings) const {
    if (GetParam().ends_with(random_ending)) settings.push_back("model.order=random");
    return settings;
  }
};

std::vector<std::string> exact_models() {
  std::vector<std::string> names;
  for (const Case& each : cases())
    if (each.scale == 0) names.push_back(each.model);
  return names;
}

INSTANTIATE_TEST_SUITE_P(Registry, ExactRuns, ::testing::ValuesIn(exact_models()),
                         [](const auto& about) { return about.param; });

Dataset labelled_set() {
  Array labels = make_array(DType::u8, {70}), valid_labels = make_array(DType::u8, {9});
  for (std::size_t i = 0; i < 70; ++i) labels.bytes[i] = static_cast<std::uint8_t>(i % classes);
  return runs::dataset_of({{"train", runs::random_bytes(70, columns, 1, 3)},
                           {"valid", runs::random_bytes(9, columns, 1, 4)},
                           {"train_labels", labels},
                           {"valid_labels", valid_labels}});
}

TEST_P(ExactRuns, AreTheSameInSittings) {
  const Dataset data = labelled_set();
  const runs::Assignments settings = with({"training.epochs=4", "training.batch=20"});
  const Checkpoint whole = runs::straight(settings, data, 7, name());
  for (const std::vector<std::int64_t>& stops : {std::vector<std::int64_t>{1}, {6}, {3, 2, 5}})
    runs::expect_equal_runs(whole, runs::in_sittings(settings, data, stops, 7, name()), "in sittings");
}

TEST_P(ExactRuns, ComeBackFromTheirFile) {
  const Dataset data = labelled_set();
  const auto trainer = runs::trainer_for(with({"training.epochs=2", "training.batch=20"}), data, 7, name());
  Observer silent;
  trainer->run(silent);
  const fixtures::Folder folder;
  const std::string path = folder.path("model.safetensors");
  save_checkpoint(path, trainer->checkpoint());
  const auto loaded = load_model(load_checkpoint(path), path);
  const auto again = load_model(load_checkpoint(path), path);
  const Tensor states = all_states(columns), log_prob = as<HasLogProb>(*loaded)->log_prob(states);
  expect_bit_equal(log_prob, as<HasLogProb>(*again)->log_prob(states), "loaded twice");
  std::map<std::string, Tensor> theirs;
  collect_tensors(*loaded, "model.", theirs);
  const Checkpoint ours = trainer->checkpoint();
  for (const auto& [name, tensor] : theirs) expect_bit_equal(tensor, ours.tensors.at(name), name);
}

TEST_P(ExactRuns, DoNotDependOnTheNumberOfThreads) {
  const Dataset data = labelled_set();
  const runs::Assignments settings = with({"training.epochs=3", "training.batch=35"});
  Checkpoint one, four;
  {
    const Threads threads(1);
    one = runs::straight(settings, data, 7, name());
  }
  {
    const Threads threads(4);
    four = runs::straight(settings, data, 7, name());
  }
  runs::expect_equal_runs(one, four, "threads");
}

}  // namespace
}  // namespace deepgen
