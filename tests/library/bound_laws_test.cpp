// Laws that every model of the registry owes whose log-probability is bounded by sampling, over all states of
// ten bits: of x itself (HasBound), or of x given a label or a part of it (HasConditionalBound).
//
// The laws rest on one fact: exp of a bound from k draws is the mean of k importance weights, each of which
// has mean p(x); so it is right on average for any k, while the bound itself is too low. Each statistical
// check fails by chance once in a million runs of a fresh seed; the seeds are fixed.
#include "deepgen/core/observer.h"
#include "deepgen/evaluate/bounds.h"
#include "deepgen/tasks/tasks.h"
#include "tests/library/machines.h"
#include "tests/library/runs.h"

namespace deepgen {
namespace {

using namespace machines;

constexpr std::int64_t columns = 10, classes = 3;

// A model of the registry with options that change what it computes.
struct Variant {
  std::string name, model;
  std::map<std::string, std::string> options = {};
};

std::vector<Variant> variants() {
  std::vector<Variant> all;
  for (const ModelCard& card : model_catalog())
    if (!for_pictures(card.name)) all.push_back({card.name, card.name});
  all.push_back({"vae_mixture", "vae", {{"prior", "mixture"}}});
  all.push_back({"vae_vamp", "vae", {{"prior", "vamp"}}});
  all.push_back({"cvae_vamp", "cvae", {{"prior", "vamp"}}});
  all.push_back({"vae_full", "vae", {{"covariance", "full"}}});
  all.push_back({"vae_upper", "vae", {{"upper_latent", "2"}, {"upper_hidden", "4"}}});
  all.push_back({"vae_upper_vamp", "vae", {{"upper_latent", "2"}, {"upper_hidden", "4"}, {"prior", "vamp"}}});
  return all;
}

nlohmann::ordered_json small_options(const Variant& variant) {
  nlohmann::ordered_json options = nlohmann::ordered_json::object();
  for (const auto& [name, value] : variant.options) options[name] = value;
  const nlohmann::ordered_json all = options_to_json(*model_card(variant.model).options());
  for (const char* size : {"hidden", "components"})
    if (all.contains(size)) options[size] = 5;
  if (all.contains("latent")) options["latent"] = 2;
  if (all.contains("prior_components")) options["prior_components"] = 3;
  return options;
}

std::shared_ptr<Model> small_model(const Variant& variant) {
  return make_model(variant.model, small_options(variant), nlohmann::ordered_json::object(),
                    {columns, {columns}, classes});
}

struct Case {
  Variant variant;
  double scale;  // of every parameter
};

std::ostream& operator<<(std::ostream& out, const Case& c) {
  return out << c.variant.name << " at scale " << c.scale;
}

std::vector<Variant> bounded_variants() {
  std::vector<Variant> some;
  for (const Variant& variant : variants()) {
    const auto model = small_model(variant);
    if (as<HasBound>(*model) || as<HasConditionalBound>(*model)) some.push_back(variant);
  }
  return some;
}

std::vector<Case> cases() {
  std::vector<Case> all;
  for (const Variant& variant : bounded_variants())
    for (const double scale : {0.2, 1.0}) all.push_back({variant, scale});
  return all;
}

Tensor labels_of(std::int64_t rows) { return at::arange(rows, at::kLong).remainder(classes); }

class BoundLaws : public ::testing::TestWithParam<Case> {
 protected:
  void SetUp() override {
    Rng rng(17);
    model = small_model(GetParam().variant);
    model->initialise({bits_tensor(60, columns, rng, 0.3), labels_of(60)}, rng);
    randomise(*model, GetParam().scale, rng);
    states = all_states(columns);
    conditional = as<IsConditional>(*model);
    if (conditional && conditional->condition_classes() == 0) mask = conditional->condition_mask();
  }
  // The bound of states x, all under one label where there are labels.
  Tensor bound(const Tensor& x, std::int64_t samples, Rng& rng, std::int64_t label = 0) const {
    NoGradGuard no_graph;
    if (auto* free = as<HasBound>(*model)) return free->log_prob_bound(x, samples, rng);
    const bool labelled = conditional->condition_classes() > 0;
    const Tensor y = labelled ? at::full({x.size(0)}, label, at::kLong) : Tensor();
    return as<HasConditionalBound>(*model)->conditional_bound(x, y, samples, rng);
  }
  // Sums over the states that share their condition, [conditions]; one where there is none, or a label.
  Doubles totals(const Tensor& p) const {
    if (!mask.defined()) return {p.sum().item<double>()};
    std::map<std::int64_t, double> sums;
    const Doubles all = doubles(p);
    const std::vector<std::int64_t> groups = state_numbers(states * mask.to(at::kFloat));
    for (std::size_t s = 0; s < all.size(); ++s) sums[groups[s]] += all[s];
    Doubles result;
    for (const auto& [condition, sum] : sums) result.push_back(sum);
    return result;
  }

  std::shared_ptr<Model> model;
  IsConditional* conditional = nullptr;
  Tensor states, mask;
};

INSTANTIATE_TEST_SUITE_P(Registry, BoundLaws, ::testing::ValuesIn(cases()), [](const auto& about) {
  return about.param.variant.name + "_" + std::to_string(static_cast<int>(about.param.scale * 10));
});

TEST_P(BoundLaws, AreOneNumberARow) {
  Rng a(3), b(3);
  const Tensor before = states.clone(), first = bound(states, 7, a);
  ASSERT_EQ(first.scalar_type(), at::kDouble);
  ASSERT_EQ(first.sizes(), at::IntArrayRef({states.size(0)}));
  EXPECT_TRUE(first.isfinite().all().item<bool>());
  expect_bit_equal(states, before, "the argument");
  expect_bit_equal(first, bound(states, 7, b), "equal generators");
  if (GetParam().scale > 0) {
    EXPECT_FALSE(at::equal(first, bound(states, 7, a))) << "the generator stood still";
  }
  expect_says(error_of(ErrorKind::usage, [&] { bound(states, 0, a); }), {"sample", "0"});
}

TEST_P(BoundLaws, DoNotDependOnTheNumberOfThreads) {
  Tensor results[2];
  for (const int count : {1, 4}) {
    const Threads threads(count);
    Rng rng(5);
    results[count / 4] = bound(states, 30, rng);
  }
  expect_bit_equal(results[0], results[1], "threads");
}

// Averaged as logarithms, the bounds of all states are too low for probabilities; their weights averaged as
// they are, these have the sum one.
TEST_P(BoundLaws, WeightsOfAllStatesSumToOneAndBoundsToLess) {
  constexpr int repeats = 40;
  const bool tame = GetParam().scale < 0.5;  // else q may be so narrow that weights have no variance
  const std::int64_t label = conditional && !mask.defined() ? 1 : 0;
  Moments sums;
  Tensor logs = at::zeros({states.size(0)}, at::kDouble);
  Rng rng(7);
  for (int r = 0; r < repeats; ++r) {
    const Tensor rows = bound(states, 20, rng, label);
    sums.add(totals(rows.exp()));
    logs += rows / repeats;
  }
  for (const double total : totals(logs.exp())) EXPECT_LT(total, 1.01);
  const Doubles ones(totals(logs).size(), 1);
  if (tame) {
    EXPECT_LT(sums.largest_z(ones, 1e-5), one_in_a_million + 2) << "40 repeats: Student's law";
  }
}

TEST_P(BoundLaws, RiseWithTheNumberOfDraws) {
  Rng rng(9);
  double before = -1e300;
  for (const std::int64_t samples : {1, 8, 64}) {
    Tensor mean = at::zeros({states.size(0)}, at::kDouble);
    for (int r = 0; r < 4; ++r) mean += bound(states, samples, rng) / 4;
    const double now = mean.mean().item<double>();  // over 4096 rows: a standard error below 0.04
    EXPECT_GT(now, before - 0.03) << samples;
    before = now;
  }
}

// p from 1500 weights a state is some per cent off in each, at random: some units of a chi-square whose
// deviation is 45.
TEST_P(BoundLaws, SamplesFollowTheProbabilities) {
  auto* direct = as<CanSample>(*model);
  const bool labelled = conditional && conditional->condition_classes() > 0;
  if (!direct && !labelled) GTEST_SKIP() << "no direct samples";
  if (GetParam().scale > 0.5) GTEST_SKIP() << "weights may have no variance";
  Rng rng(11), a(5), b(5);
  auto draw = [&](Rng& own) {
    return direct ? direct->sample(4000, own)
                  : conditional->sample_given(at::full({4000}, 2, at::kLong), own);
  };
  const Tensor first = draw(a);
  ASSERT_EQ(first.sizes(), at::IntArrayRef({4000, columns}));
  expect_bit_equal(first, draw(b), "equal generators");
  EXPECT_FALSE(at::equal(first, draw(a))) << "the generator stood still";
  expect_drawn_from(first, doubles(bound(states, 1500, rng, 2).exp()), "samples");
}

TEST_P(BoundLaws, CodesAndMeansHaveTheirShape) {
  auto* encoder = as<CanEncode>(*model);
  auto* decoder = as<CanDecode>(*model);
  auto* given = as<CanCodeGiven>(*model);
  if (!encoder && !given) GTEST_SKIP() << "no code";
  const Tensor y = labels_of(states.size(0)),
               code = encoder ? encoder->encode(states) : given->encode_given(states, y);
  ASSERT_EQ(code.dim(), 2);
  ASSERT_EQ(code.size(0), states.size(0));
  EXPECT_TRUE(code.isfinite().all().item<bool>());
  if (!decoder && !given) return;
  const Tensor mean = decoder ? decoder->decode(code) : given->decode_given(code, y);
  ASSERT_EQ(mean.sizes(), states.sizes());
  EXPECT_TRUE(at::logical_and(mean >= 0, mean <= 1).all().item<bool>());
}

TEST_P(BoundLaws, CodesGivenLabelsDependOnThemAndNeedThem) {
  auto* given = as<CanCodeGiven>(*model);
  if (!given) GTEST_SKIP() << "no code given labels";
  const std::int64_t rows = states.size(0);
  const Tensor ones = at::full({rows}, 1, at::kLong), twos = at::full({rows}, 2, at::kLong);
  const Tensor code = given->encode_given(states, ones);
  EXPECT_GT((code - given->encode_given(states, twos)).abs().max().item<float>(), 0.01);
  const Tensor apart = given->decode_given(code, ones) - given->decode_given(code, twos);
  EXPECT_GT(apart.abs().max().item<float>(), 0.01);
  error_of(ErrorKind::data, [&] { given->encode_given(states, {}); });
  error_of(ErrorKind::data, [&] { given->decode_given(code, at::full({rows}, classes, at::kLong)); });
}

TEST_P(BoundLaws, KnownCellsComeBackBitForBit) {
  auto* completes = as<CanComplete>(*model);
  auto* given = as<CanCompleteGiven>(*model);
  if (!completes && !given) GTEST_SKIP() << "no completion";
  auto complete = [&](const Tensor& x, Rng& own) {
    return completes ? completes->complete(x, own) : given->complete_given(x, labels_of(x.size(0)), own);
  };
  Rng rng(11);
  const Tensor whole = bits_tensor(300, columns, rng);
  Tensor gaps = bits_tensor(300, columns, rng) > 0.5;
  if (mask.defined()) gaps = mask.logical_not().unsqueeze(0).expand_as(whole);
  const Tensor x = whole.masked_fill(gaps, std::nanf("")), known = gaps.logical_not();
  const Tensor done = complete(x, rng);
  EXPECT_TRUE(x.isnan().any().item<bool>()) << "the argument was changed";
  expect_bit_equal(done.masked_select(known), whole.masked_select(known), "known cells");
  EXPECT_TRUE(at::logical_or(done == 0, done == 1).all().item<bool>());
  expect_bit_equal(complete(whole, rng), whole, "nothing missing");
}

// Given one label and three known cells, the others' distribution against the probabilities of all states.
TEST_P(BoundLaws, CompletionsGivenALabelFollowTheConditional) {
  auto* given = as<CanCompleteGiven>(*model);
  if (!given) GTEST_SKIP() << "no completion given labels";
  if (GetParam().scale > 0.5) GTEST_SKIP() << "weights may have no variance";
  constexpr std::int64_t known = 3, rows = 4000;
  Rng rng(11);
  for (const std::int64_t label : {0, 2}) {
    Doubles p = doubles(bound(states, 1500, rng, label).exp());
    double sum = 0;
    for (std::size_t s = 0; s < p.size(); ++s)
      sum += states[static_cast<std::int64_t>(s)].narrow(0, 0, known).all().item<bool>() ? p[s] : (p[s] = 0);
    for (double& each : p) each /= sum;
    Tensor x = at::ones({rows, columns});
    x.narrow(1, known, columns - known).fill_(std::nanf(""));
    expect_drawn_from(given->complete_given(x, at::full({rows}, label, at::kLong), rng), p, "completions");
  }
  error_of(ErrorKind::data, [&] { given->complete_given(states, {}, rng); });
  Observer silent;
  error_of(ErrorKind::data, [&] { complete_rows(*model, {states, {}}, 1, rng, silent); });
}

TEST_P(BoundLaws, ConditionsAreNamedAndNeeded) {
  if (!conditional) GTEST_SKIP() << "no condition";
  EXPECT_FALSE(conditional->condition().empty());
  Rng rng(13);
  if (mask.defined()) {
    ASSERT_EQ(mask.sizes(), at::IntArrayRef({columns}));
    EXPECT_TRUE(mask.any().item<bool>());
    EXPECT_FALSE(mask.all().item<bool>());
    error_of(ErrorKind::usage, [&] { conditional->sample_given(labels_of(4), rng); });
    return;
  }
  EXPECT_EQ(conditional->condition_classes(), classes);
  auto* given = as<HasConditionalBound>(*model);
  if (given) error_of(ErrorKind::data, [&] { given->conditional_bound(states, {}, 1, rng); });
  Tensor wrong = labels_of(4);
  wrong[2] = classes;
  error_of(ErrorKind::data, [&] { conditional->sample_given(wrong, rng); });
}

// ---------------------------------------------------------------- runs

class BoundRuns : public ::testing::TestWithParam<Variant> {
 protected:
  // Settings of the small model and these.
  runs::Assignments with(runs::Assignments more) const {
    const nlohmann::ordered_json small = small_options(GetParam());
    for (const auto& [name, value] : small.items())
      more.push_back("model." + name + "=" + (value.is_string() ? value.get<std::string>() : value.dump()));
    return more;
  }
};

INSTANTIATE_TEST_SUITE_P(Registry, BoundRuns, ::testing::ValuesIn(bounded_variants()),
                         [](const auto& about) { return about.param.name; });

// Rows near all ones or all zeros, with labels that say nothing.
Dataset labelled_set() {
  Array labels = make_array(DType::u8, {70}), valid_labels = make_array(DType::u8, {9});
  for (std::size_t i = 0; i < 70; ++i) labels.bytes[i] = static_cast<std::uint8_t>(i % classes);
  for (std::size_t i = 0; i < 9; ++i) valid_labels.bytes[i] = static_cast<std::uint8_t>(i % classes);
  Array train = make_array(DType::u8, {70, columns});
  Rng rng(3);
  for (std::size_t i = 0; i < train.bytes.size(); ++i)
    train.bytes[i] = static_cast<std::uint8_t>((i / columns % 2 == 0) != (rng.uniform() < 0.1));
  return runs::dataset_of({{"train", train},
                           {"valid", runs::random_bytes(9, columns, 1, 4)},
                           {"train_labels", labels},
                           {"valid_labels", valid_labels}});
}

TEST_P(BoundRuns, AreTheSameInSittings) {
  const Dataset data = labelled_set();
  const runs::Assignments settings = with({"training.epochs=4", "training.batch=20", "training.average=0.9"});
  const Checkpoint whole = runs::straight(settings, data, 7, GetParam().model);
  for (const std::vector<std::int64_t>& stops : {std::vector<std::int64_t>{1}, {6}, {3, 2, 5}})
    runs::expect_equal_runs(whole, runs::in_sittings(settings, data, stops, 7, GetParam().model),
                            "in sittings");
}

TEST_P(BoundRuns, DoNotDependOnTheNumberOfThreads) {
  const Dataset data = labelled_set();
  Checkpoint results[2];
  for (const int count : {1, 4}) {
    const Threads threads(count);
    results[count / 4] =
        runs::straight(with({"training.epochs=3", "training.batch=35"}), data, 7, GetParam().model);
  }
  runs::expect_equal_runs(results[0], results[1], "threads");
}

// A run of a few steps raises the bound of its own rows: a gradient of the wrong sign would lower it.
TEST_P(BoundRuns, RaiseTheBound) {
  const Dataset data = labelled_set();
  const runs::Assignments settings = with({"training.batch=20", "training.rate=0.01"});
  auto value = [&](int epochs) {
    runs::Assignments all = settings;
    all.push_back("training.epochs=" + std::to_string(epochs));
    const auto trainer = runs::trainer_for(all, data, 7, GetParam().model);
    Observer silent;
    trainer->run(silent);
    const fixtures::Folder folder;
    const std::string path = folder.path("model.safetensors");
    save_checkpoint(path, trainer->checkpoint());
    const auto model = load_model(load_checkpoint(path), path);
    Rng rng(3);
    return bound_rows(*model, data, data.train, 50, rng, silent).mean().item<double>();
  };
  EXPECT_GT(value(40), value(1) + 0.5);
}

}  // namespace
}  // namespace deepgen
