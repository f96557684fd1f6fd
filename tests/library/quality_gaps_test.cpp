// Hidden cells: figures against models whose conditionals are known in closed form or by enumeration.
//
// Each statistical check fails by chance less than once in 100,000 runs of a fresh seed; the seeds are fixed.
#include "deepgen/evaluate/quality/gaps.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "deepgen/tasks/draw_sums.h"
#include "tests/library/data_sets.h"
#include "tests/library/machines.h"

namespace deepgen::quality_gaps_test {
namespace {

using namespace data_sets;
using namespace machines;
using fixtures::Folder;
using fixtures::text;
using nlohmann::ordered_json;

TEST(GapCoverage, IsTheShareOfThePlaceOfTheTruth) {
  // Three draws, four places of a quarter each; the middle half is [1/4, 3/4].
  EXPECT_DOUBLE_EQ(quality::covered({1, 2, 3}, 2.5, 0.5), 1);  // in the third
  EXPECT_DOUBLE_EQ(quality::covered({1, 2, 3}, 0, 0.5), 0);    // in the first
  EXPECT_DOUBLE_EQ(quality::covered({1, 2, 3}, 3, 0.5), 0.5);  // the third or the last
  EXPECT_DOUBLE_EQ(quality::covered({7, 7, 7}, 7, 0.5), 0.5);  // anywhere
  EXPECT_NEAR(quality::covered({7, 7, 7}, 7, 0.9), 0.9, 1e-12);
}

TEST(GapCoverage, OfOneMoreDrawIsTheShareOfTheInterval) {
  // Numbers of few values, so that most are equal: the mean over truths is exact but for chance, sd below 0.4 / 100.
  Rng rng(3);
  double half = 0, most = 0;
  constexpr int rounds = 10000;
  for (int i = 0; i < rounds; ++i) {
    Doubles draws;
    for (int k = 0; k < 20; ++k) draws.push_back(std::floor(3 * rng.uniform() * rng.uniform()));
    const double truth = std::floor(3 * rng.uniform() * rng.uniform());
    half += quality::covered(draws, truth, 0.5) / rounds,
        most += quality::covered(draws, truth, 0.9) / rounds;
  }
  EXPECT_NEAR(half, 0.5, 0.02);
  EXPECT_NEAR(most, 0.9, 0.02);
}

// ---------------------------------------------------------------- numbers

constexpr double rho = 0.8;

// Two normal numbers of correlation rho, in units of their own.
class GapsOfNumbers : public ::testing::Test {
 protected:
  static constexpr std::int64_t count = 1000;
  void SetUp() override {
    Rng rng(5);
    std::string csv = "x,y\n";
    for (std::int64_t i = 0; i < count; ++i) {
      const double x = rng.normal(), y = rho * x + std::sqrt(1 - rho * rho) * rng.normal();
      csv += fmt::format("{:.6f},{:.6f}\n", 100 + 10 * x, 5 * y);
    }
    set = load_dataset(folder.write("normal.csv", text(csv)));
    truth = quality::table_truth(set.table, set.name, *set.file.cells, set.train.table_rows);
    z = rows_of(set.train).to(at::kDouble);
  }

  // One normal of correlation rho, of which y given x has `scale` times the right deviation.
  std::shared_ptr<Model> normal(double scale = 1) const {
    const auto model = make_model("gaussian_mixture", ordered_json{{"components", 1}, {"covariance", "full"}},
                                  ordered_json::object(), set.data_shape());
    NoGradGuard no_graph;
    auto parameters = model->named_parameters();
    for (auto& item : parameters) item.value().zero_();
    parameters["components.factor"][0][1][0] = rho;
    parameters["components.log_diagonal"][0][1] = std::log(scale * std::sqrt(1 - rho * rho));
    return model;
  }

  quality::Gaps judged(const Model& model, const Split& rows) const {
    Tensor hidden = at::zeros({rows.rows(), 2}, at::kBool);
    hidden.select(1, 1).fill_(true);
    Observer silent;
    return quality::judge_hidden(model, set, rows, hidden, truth, {.draws = 50, .seed = 7}, silent);
  }

  Folder folder;
  Dataset set;
  Tensor truth, z;
};

TEST_F(GapsOfNumbers, ErrorsAndCoverageAreThoseOfTheConditional) {
  const quality::Gaps gaps = judged(*normal(), set.train);
  ASSERT_EQ(gaps.columns.size(), 1U) << "only y was hidden";
  const quality::ColumnGaps& y = gaps.columns[0];
  EXPECT_EQ(y.name, "y");
  EXPECT_TRUE(y.is_number);
  EXPECT_EQ(y.cells, count);
  const TableColumn& about = set.table.columns[1];
  const Tensor off = (z.select(1, 1) - rho * z.select(1, 0)).abs();
  const double best = off.mean().item<double>() * about.deviation / (about.high - about.low);
  EXPECT_NEAR(y.error, 1.01 * best, 0.03 * best);  // the mean of 50 draws adds a fiftieth of the variance
  EXPECT_NEAR(y.coverage_50, 0.5, 0.08);
  EXPECT_NEAR(y.coverage_90, 0.9, 0.05);
  const Tensor values = truth.select(1, 1);
  const double middle = std::get<0>(values.sort()).narrow(0, count / 2 - 1, 2).mean().item<double>();
  EXPECT_NEAR(y.middle_error, (values - middle).abs().mean().item<double>() / (about.high - about.low), 1e-9);
  EXPECT_GT(y.middle_error, 1.4 * y.error);  // 1 / sqrt(1 - rho^2) times
}

TEST_F(GapsOfNumbers, DrawsThatAreTooSureCoverTooLittle) {
  // The middle 90 % of a third of the deviation reach to 0.548 deviations: 41.6 % of the truths.
  EXPECT_NEAR(judged(*normal(1.0 / 3), set.train).columns.at(0).coverage_90, 0.416, 0.08);
}

TEST_F(GapsOfNumbers, ProbabilitiesAreThoseOfTheConditionalInTheUnitsOfTheFile) {
  constexpr std::int64_t some = 300;  // all of which are told
  const quality::Gaps gaps = judged(*normal(), select_cases(set.train, quality::counted(some)));
  const Tensor given = z.narrow(0, 0, some);
  const double variance = 1 - rho * rho;
  const Tensor off = (given.select(1, 1) - rho * given.select(1, 0)).square();
  const double expected = (-off / (2 * variance)).mean().item<double>() -
                          0.5 * std::log(2 * M_PI * variance) - std::log(set.table.columns[1].deviation);
  EXPECT_EQ(gaps.columns.at(0).probabilities, some);
  EXPECT_NEAR(gaps.columns.at(0).log_prob, expected, 1e-4);
  EXPECT_EQ(judged(*normal(), set.train).columns.at(0).probabilities, quality::gap_probabilities);
}

TEST_F(GapsOfNumbers, AreHiddenBySeedAtTheShareThatIsAsked) {
  Observer silent;
  const quality::GapPlan plan{.share = 0.3, .draws = 5, .seed = 2};
  const auto model = normal();
  const quality::Gaps gaps = quality::judge_gaps(*model, set, set.train, truth, plan, silent);
  EXPECT_EQ(gaps.rows, count);
  EXPECT_NEAR(real(gaps.cells()), 0.3 * 2 * real(count), 5 * std::sqrt(0.21 * 2 * real(count)));
  const quality::Gaps again = quality::judge_gaps(*model, set, set.train, truth, plan, silent);
  EXPECT_EQ(again.cells(), gaps.cells());
  EXPECT_EQ(again.total(true, true).error, gaps.total(true, true).error);
  EXPECT_EQ(gaps.total(false, true).cells, 0);
}

// ---------------------------------------------------------------- categories

// Colours, some of which are missing, and a bit beside them.
std::string colours(std::int64_t rows) {
  Rng rng(11);
  const char* const names[] = {"red", "green", "blue", ""};
  std::string csv = "colour,light\n";
  for (std::int64_t i = 0; i < rows; ++i)
    csv += fmt::format("{},{}\n", names[i < 3 ? i : static_cast<std::int64_t>(rng.below(4))],
                       rng.uniform() < 0.3 ? "on" : "off");
  return csv;
}

std::shared_ptr<Model> random_model(const std::string& name, const Dataset& set,
                                    const ordered_json& options) {
  const auto model = make_model(name, options, ordered_json::object(), set.data_shape());
  Rng rng(13);
  randomise(*model, 0.7, rng);
  return model;
}

quality::Gaps without_colours(const Model& model, const Dataset& set, const Split& rows) {
  Tensor hidden = at::zeros({rows.rows(), 2}, at::kBool);
  hidden.select(1, 0).fill_(true);
  const Tensor truth = quality::table_truth(set.table, set.name, *set.file.cells, set.train.table_rows);
  Observer silent;
  return quality::judge_hidden(model, set, rows, hidden, truth, {.draws = 20, .seed = 3}, silent);
}

TEST(GapsOfCategories, ProbabilitiesAreThoseOfEnumeration) {
  const Folder folder;
  const Dataset set = load_dataset(folder.write("a.csv", text(colours(80))));
  const auto model = random_model("latent_class", set, {{"components", 3}});
  const quality::Gaps gaps = without_colours(*model, set, set.train);
  const auto& exact = *as<HasLogProb>(*model);
  NoGradGuard no_graph;
  double expected = 0;
  std::int64_t known = 0;
  const Tensor all = rows_of(set.train);
  for (std::int64_t r = 0; r < all.size(0); ++r) {
    if (all[r][0].isnan().item<bool>()) continue;
    Tensor values = all[r].repeat({3, 1});
    values.narrow(1, 0, 3).copy_(at::eye(3));
    expected += (exact.log_prob(all.narrow(0, r, 1)) - exact.log_prob(values).logsumexp(0)).item<double>();
    ++known;
  }
  ASSERT_EQ(gaps.columns.size(), 1U);
  EXPECT_EQ(gaps.columns[0].cells, known) << "cells that are missing anyway do not count";
  EXPECT_LT(known, 80);
  EXPECT_NEAR(gaps.columns[0].log_prob, expected / real(known), 1e-4);
  EXPECT_TRUE(std::isnan(gaps.columns[0].coverage_90));
  EXPECT_GE(gaps.columns[0].middle_error, 0);
  EXPECT_LE(gaps.columns[0].middle_error, 2.0 / 3) << "the most frequent of three has a third at least";
}

TEST(GapsOfCategories, ProbabilitiesOfAnOrderSumToOneOverTheValues) {
  const Folder folder;
  const Dataset set =
      load_dataset(folder.write("a.csv", text("colour,light\nred,on\ngreen,on\nblue,on\nred,off\n")) +
                   ":categorical=colour,binary=light");
  const auto model = random_model("orderless_nade", set, {{"hidden", "8"}});
  double sum = 0;
  for (std::int64_t r = 0; r < 3; ++r)
    sum += std::exp(without_colours(*model, set, select_cases(set.train, {r})).columns.at(0).log_prob);
  EXPECT_NEAR(sum, 1, 1e-5);
}

TEST(GapsOfCategories, AreNotJudgedWhereTheyCannotBeFilled) {
  const Folder folder;
  const Dataset set = load_dataset(folder.write("a.csv", text(colours(20))));
  EXPECT_EQ(quality::no_gaps_because(*random_model("latent_class", set, {{"components", 2}}), set, set.test),
            "");
  const Dataset matrix = set_of({{"train", numbered(6, 2)}});
  EXPECT_NE(
      quality::no_gaps_because(*random_model("latent_class", set, {{"components", 2}}), matrix, matrix.test),
      "");
}

}  // namespace
}  // namespace deepgen::quality_gaps_test
