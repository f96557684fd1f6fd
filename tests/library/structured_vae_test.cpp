// The variational autoencoder of the rest of a case given a part of it: its baseline, its second bound, its
// completions and what it refuses. (bound_laws_test.cpp has the laws of its bound.)
//
// Statistical checks fail by chance once in a million runs of a fresh seed; the seeds are fixed.
#include "deepgen/models/variational/structured_vae.h"

#include <map>

#include "deepgen/evaluate/bounds.h"
#include "tests/library/machines.h"
#include "tests/library/small_cases.h"

namespace deepgen::structured_vae_test {
namespace {

using namespace machines;

constexpr std::int64_t columns = 8;  // the first four are given

class StructuredVaes : public ::testing::Test {
 protected:
  void SetUp() override { build({}); }
  void build(const StructuredVaeLearning& learning) {
    StructuredVaeOptions options;
    options.latent = 2, options.hidden = "6";
    vae = std::make_shared<StructuredVae>(options, learning, bits_shape(columns));
    Rng rng(3);
    vae->initialise(bits_tensor(50, columns, rng, 0.4), rng);
    randomise(*vae, 0.3, rng);
  }
  // The states that agree with `known` in the given part, and their numbers.
  Tensor agreeing(std::int64_t known) const {
    std::vector<std::int64_t> numbers;
    for (std::int64_t rest = 0; rest < 16; ++rest) numbers.push_back(known + 16 * rest);
    return all_states(columns).index_select(0, at::tensor(numbers, at::kLong));
  }
  std::shared_ptr<StructuredVae> vae;
};

TEST_F(StructuredVaes, BaselineAndBothBoundsAreNormalised) {
  Rng rng(5);
  for (const std::int64_t known : {0, 5, 15}) {
    const Tensor rows = agreeing(known);
    Moments sums;
    for (int r = 0; r < 60; ++r) {
      const std::vector<ExtraScore> own = vae->extra_scores(rows, 100, rng);
      ASSERT_EQ(own.size(), 2U);
      EXPECT_EQ(own[0].metric, "conditional_log_prob_prior");
      EXPECT_EQ(own[1].metric, "conditional_log_prob_baseline");
      EXPECT_EQ(own[0].kind, ScoreKind::lower_bound);
      EXPECT_EQ(own[1].kind, ScoreKind::exact);
      EXPECT_NEAR(own[1].rows.exp().sum().item<double>(), 1, 1e-5);
      sums.add({own[0].rows.exp().sum().item<double>()});
    }
    EXPECT_LT(sums.largest_z({1}, 1e-5), one_in_a_million + 1.2) << "60 repeats: Student's distribution";
  }
}

TEST_F(StructuredVaes, BothBoundsAgreeInTheLimit) {
  Rng rng(7);
  const Tensor rows = agreeing(6);
  const Tensor prior = vae->extra_scores(rows, 30000, rng)[0].rows;
  expect_near(doubles(prior), doubles(vae->log_prob_bound(rows, 30000, rng)), 0.05, "30,000 draws");
}

TEST_F(StructuredVaes, CompletionsFollowTheConditional) {
  Rng rng(9);
  const std::int64_t known = 9;
  const Doubles p = doubles(vae->log_prob_bound(agreeing(known), 30000, rng).exp());
  Doubles all(256, 0);
  for (std::int64_t rest = 0; rest < 16; ++rest) all[size(known + 16 * rest)] = p[size(rest)];
  Tensor x = agreeing(known).narrow(0, 0, 1).repeat({10000, 1});
  x.narrow(1, 4, 4).fill_(std::nanf(""));
  expect_drawn_from(vae->complete(x, rng), all, "completions");
}

// The baseline learns p(rest | given) where the rest repeats the given part, and the others learn beside it.
TEST_F(StructuredVaes, TheBaselineIsTrainedBesideIt) {
  Rng rng(11);
  const Tensor half = bits_tensor(200, 4, rng);
  const Rows batch(at::cat({half, half}, 1));
  const auto score = [&] { return vae->extra_scores(batch, 1, rng)[1].rows.mean().item<double>(); };
  const double before = score();
  for (int step = 0; step < 300; ++step) {
    const Metrics metrics = vae->gradients(batch, {.step = step, .steps = 300}, rng);
    EXPECT_EQ(metrics.back().first, "baseline");
    NoGradGuard no_graph;
    for (Tensor& parameter : vae->parameters()) parameter.sub_(parameter.grad(), 0.5);
  }
  EXPECT_GT(score(), before + 1);
  EXPECT_GT(score(), -0.7);  // four bits of 0.17 nats at most
}

// The gradient of the share alone is that of the metric "prediction" by central differences, draws held
// fixed; the recognition network is not in it. A half of either is the mean of the two gradients.
TEST_F(StructuredVaes, TheHybridObjectiveHasItsGradient) {
  Rng data(15);
  const Rows batch(bits_tensor(20, columns, data));
  std::map<double, std::map<std::string, Doubles>> of_share;
  for (const double share : {0.0, 0.5, 1.0}) {
    StructuredVaeLearning learning;
    learning.hybrid = share;
    build(learning);
    Rng rng(17);
    vae->gradients(batch, {}, rng);
    for (const auto& p : vae->named_parameters()) of_share[share][p.key()] = doubles(p.value().grad());
  }
  const auto prediction = [&] {
    Rng rng(17);
    for (const auto& [name, value] : vae->gradients(batch, {}, rng))
      if (name == "prediction") return value;
    return std::nan("");
  };
  for (const auto& p : vae->named_parameters()) {
    const std::string& name = p.key();
    const Doubles &none = of_share[0][name], &half = of_share[0.5][name], &whole = of_share[1][name];
    const bool is_baseline = name.find("baseline") == 0, infers = name.find("encoder") == 0;
    for (std::size_t i = 0; i < whole.size(); i += 3) {
      EXPECT_NEAR(half[i], (none[i] + whole[i]) / 2, 1e-5) << name;
      if (is_baseline) continue;
      float& entry = p.value().data_ptr<float>()[i];
      const float kept = entry;
      entry = kept + 0.01F;
      const double above = prediction();
      entry = kept - 0.01F;
      const double below = prediction();
      entry = kept;
      EXPECT_NEAR(whole[i], -(above - below) / 0.02, 1e-3) << name << " " << i;
      if (infers) {
        EXPECT_EQ(whole[i], 0) << name;
      }
    }
  }
}

// Of data that were divided by deviations, all scores are those of the rest in its own units; what the given
// part was divided by does not matter.
TEST_F(StructuredVaes, ScoresAreThoseOfTheRestInItsOwnUnits) {
  Rng rng(19);
  Dataset plain;
  plain.test.name = "test", plain.test.x = bits_tensor(40, columns, rng), plain.one_matrix = true;
  Dataset scaled = plain;
  scaled.transform.mean.assign(columns, 0);
  scaled.transform.deviation = {100, 100, 100, 100, 1, 1, 1, 2};
  Observer silent;
  const auto scores = [&](const Dataset& data) {
    EvaluationPlan plan;
    plan.samples = 20;
    return bound_scores(*vae, data, data.test, plan, {}, Rng(3), silent);
  };
  const std::vector<Score> before = scores(plain), after = scores(scaled);
  ASSERT_EQ(before.size(), 4U);
  for (std::size_t i = 0; i < before.size(); ++i)
    EXPECT_NEAR(after[i].value, before[i].value - std::log(2), 1e-9) << before[i].metric;
}

TEST_F(StructuredVaes, RefuseWhatTheyCannotComplete) {
  Rng rng(13);
  Tensor x = bits_tensor(3, columns, rng);
  x[1][5] = std::nanf("");
  expect_says(error_of(ErrorKind::data, [&] { vae->complete(x, rng); }), {"structured_vae", "as a whole"});
  x[1].narrow(0, 4, 4).fill_(std::nanf(""));
  EXPECT_FALSE(vae->complete(x, rng).isnan().any().item<bool>());
  x[2][0] = std::nanf("");
  expect_says(error_of(ErrorKind::data, [&] { vae->complete(x, rng); }), {"left", "missing"});
  EXPECT_EQ(vae->condition(), "the part left");
}

TEST_F(StructuredVaes, NeedNoLabelsAndGiveNoSamplesOfThem) {
  EXPECT_EQ(needed_classes(*vae), 0);
  EXPECT_EQ(as<CanSampleGiven>(static_cast<const Model&>(*vae)), nullptr);
  EXPECT_EQ(as<CanSample>(static_cast<const Model&>(*vae)), nullptr);
}

// Of a table whose condition ends between two groups: the rest is of its own kinds, at its own columns.
TEST(StructuredTables, HaveARestOfTheirOwnKinds) {
  const DataShape table{9,
                        {9},
                        0,
                        ValueKind::mixed,
                        {{ColumnKind::gaussian, 0, 2},
                         {ColumnKind::softmax, 2, 2},
                         {ColumnKind::gaussian, 4, 1},
                         {ColumnKind::softmax, 5, 4}}};
  StructuredVaeOptions options;
  options.latent = 2, options.hidden = "6";
  StructuredVae model(options, {}, table);
  Rng rng(3);
  const Tensor x = small_cases::cells(table, 300, rng);
  model.initialise(x, rng);
  randomise(model, 0.3, rng);
  ASSERT_EQ(model.condition_mask().sum().item<std::int64_t>(), 4);
  Tensor gaps = x.clone();
  gaps.narrow(1, 4, 5).fill_(std::nanf(""));
  const Tensor done = model.complete(gaps, rng);
  expect_bit_equal(done.narrow(1, 0, 4), x.narrow(1, 0, 4), "the condition");
  model.check_data(done, "completed");
  EXPECT_GT((done.select(1, 4) - x.select(1, 4)).abs().min().item<float>(), 0)
      << "a real column was not drawn";
  EXPECT_TRUE(model.log_prob_bound(x, 5, rng).isfinite().all().item<bool>());
}

TEST(StructuredTables, KeepCategoriesWhole) {
  const DataShape table{
      6, {6}, 0, ValueKind::categorical, {{ColumnKind::softmax, 0, 2}, {ColumnKind::softmax, 2, 4}}};
  expect_says(error_of(ErrorKind::data, [&] { StructuredVae({}, {}, table); }),
              {"left", "columns 2 to 5", "model.given"});
  StructuredVaeOptions options;
  options.decoder = "categorical", options.group = 3;
  StructuredVae model(options, {}, bits_shape(6));  // 3 columns given, one category left
  options.group = 2;
  expect_says(error_of(ErrorKind::data, [&] { StructuredVae(options, {}, bits_shape(6)); }),
              {"columns 2 to 3"});
}

}  // namespace
}  // namespace deepgen::structured_vae_test
