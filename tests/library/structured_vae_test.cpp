// The variational autoencoder of the rest of a case given a part of it: its baseline, its second bound, its
// completions and what it refuses. (bound_laws_test.cpp has the laws of its bound.)
//
// Statistical checks fail by chance once in a million runs of a fresh seed; the seeds are fixed.
#include "deepgen/models/structured_vae.h"

#include <map>

#include "deepgen/evaluate/bounds.h"
#include "deepgen/parts/regions.h"
#include "tests/library/machines.h"

namespace deepgen {
namespace {

using namespace machines;

constexpr std::int64_t columns = 8;  // the first four are given

class StructuredVaes : public ::testing::Test {
 protected:
  void SetUp() override { build({}); }
  void build(const StructuredVaeLearning& learning) {
    StructuredVaeOptions options;
    options.latent = 2, options.hidden = "6";
    const Tensor given = region_mask("model.given", "left", {columns}, columns);
    vae = std::make_shared<StructuredVae>(options, learning, bernoulli_likelihood(columns),
                                          bernoulli_likelihood(columns / 2), given);
    Rng rng(3);
    vae->initialise({bits_tensor(50, columns, rng, 0.4), {}}, rng);
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
      const std::vector<OwnScore> own = vae->own_scores({rows, {}}, 100, rng);
      ASSERT_EQ(own.size(), 2U);
      EXPECT_EQ(own[0].metric, "conditional_log_prob_prior");
      EXPECT_EQ(own[1].metric, "conditional_log_prob_baseline");
      EXPECT_TRUE(own[1].exact && !own[0].exact);
      EXPECT_NEAR(own[1].rows.exp().sum().item<double>(), 1, 1e-5);
      sums.add({own[0].rows.exp().sum().item<double>()});
    }
    EXPECT_LT(sums.largest_z({1}, 1e-5), one_in_a_million + 1.2) << "60 repeats: Student's distribution";
  }
}

TEST_F(StructuredVaes, BothBoundsAgreeInTheLimit) {
  Rng rng(7);
  const Tensor rows = agreeing(6);
  const Tensor prior = vae->own_scores({rows, {}}, 30000, rng)[0].rows;
  expect_near(doubles(prior), doubles(vae->conditional_bound(rows, {}, 30000, rng)), 0.05, "30,000 draws");
}

TEST_F(StructuredVaes, CompletionsFollowTheConditional) {
  Rng rng(9);
  const std::int64_t known = 9;
  const Doubles p = doubles(vae->conditional_bound(agreeing(known), {}, 30000, rng).exp());
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
  const Batch batch{at::cat({half, half}, 1), {}};
  const auto score = [&] { return vae->own_scores(batch, 1, rng)[1].rows.mean().item<double>(); };
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
  const Batch batch{bits_tensor(20, columns, data), {}};
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
    return bound_scores(*vae, data, data.test, plan, Rng(3), silent);
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

}  // namespace
}  // namespace deepgen
