// The figures of a quality report against small examples worked out by hand, and what they must say of identical,
// shuffled and copied rows.
#include "deepgen/evaluate/quality/quality.h"

#include <nlohmann/json.hpp>

#include "deepgen/evaluate/quality/boosted_trees.h"
#include "deepgen/evaluate/quality/page.h"
#include "deepgen/evaluate/quality/read_tables.h"
#include "tests/library/machines.h"

namespace deepgen::quality_test {
namespace {

using namespace machines;
using quality::Column;
using quality::Field;
using quality::Table;
using quality::Tables;
using Codes = std::vector<std::int32_t>;

const double missing = std::nan("");

Field number(const std::string& name) { return {name, true, {}, -1}; }
Field category(const std::string& name, std::vector<std::string> values) {
  return {name, false, std::move(values), -1};
}
Column numbers(Doubles values) { return {std::move(values), {}}; }
Column codes(Codes values) { return {{}, std::move(values)}; }

TEST(ColumnShapes, OfNumbersAreOneLessTheKolmogorovSmirnovDistance) {
  // F of {1, 2, 3, 4} and of {2, 3, 4, 5}: at 1 they are 1/4 and 0, at 4 they are 1 and 3/4; never further apart.
  EXPECT_DOUBLE_EQ(quality::ks_similarity({1, 2, 3, 4}, {2, 3, 4, 5}), 0.75);
  // At 0: 1/2 and 1. Ties on both sides are passed together.
  EXPECT_DOUBLE_EQ(quality::ks_similarity({0, 0, 1, 1}, {0, 0, 0}), 0.5);
  EXPECT_DOUBLE_EQ(quality::ks_similarity({1, 2}, {3, 4}), 0);
  EXPECT_DOUBLE_EQ(quality::ks_similarity({}, {1}), 0);
}

TEST(ColumnShapes, OfCategoriesAreOneLessTheTotalVariation) {
  // (1/2, 1/2, 0) and (1/4, 1/4, 1/2): 1 - (1/4 + 1/4 + 1/2) / 2.
  EXPECT_DOUBLE_EQ(quality::variation_similarity({2, 2, 0}, {1, 1, 2}), 0.5);
  EXPECT_DOUBLE_EQ(quality::variation_similarity({3, 0}, {0, 5}), 0);
}

TEST(ColumnShapes, CountMissingNumbersBesideTheShape) {
  const std::vector<Field> fields = {number("a")};
  const Table real{4, {numbers({1, 2, missing, missing})}}, synthetic{4, {numbers({1, 2, 1, missing})}};
  const quality::Shape shape = quality::shapes(fields, real, synthetic).at(0);
  EXPECT_EQ(shape.real_known, 2);
  EXPECT_EQ(shape.synthetic_known, 3);
  EXPECT_DOUBLE_EQ(shape.missing_score(), 0.75);         // shares 1/2 and 1/4
  EXPECT_NEAR(shape.score, 1 - (2.0 / 3 - 0.5), 1e-12);  // at 1: F is 1/2 and 2/3
}

TEST(PairTrends, OfNumbersCompareCorrelations) {
  EXPECT_DOUBLE_EQ(quality::correlation({1, 2, 3}, {2, 4, 6}), 1);
  EXPECT_DOUBLE_EQ(quality::correlation({1, 2, 3}, {1, 0, 1}), 0);
  // Only the rows where both are known: (1, 3), (2, 2).
  EXPECT_DOUBLE_EQ(quality::correlation({1, 2, missing, 7}, {3, 2, 1, missing}), -1);
  const std::vector<Field> fields = {number("a"), number("b")};
  const Table rising{3, {numbers({1, 2, 3}), numbers({2, 4, 6})}};
  const Table falling{3, {numbers({1, 2, 3}), numbers({6, 4, 2})}};
  const Table flat{3, {numbers({1, 2, 3}), numbers({1, 1, 1})}};
  EXPECT_NEAR(quality::trends(fields, rising, falling, Rng(1)).at(0).score, 0, 1e-12);  // 1 - |1 + 1| / 2
  EXPECT_NEAR(quality::trends(fields, rising, flat, Rng(1)).at(0).score, 0.5, 1e-12);   // not defined: 0
}

TEST(PairTrends, OfCategoriesCompareTheCellsOfTheirTables) {
  const std::vector<Field> fields = {category("a", {"x", "y"}), category("b", {"u", "v"})};
  const Table real{4, {codes({0, 0, 1, 1}), codes({0, 0, 1, 1})}};
  const Table synthetic{4, {codes({0, 0, 1, 1}), codes({0, 1, 0, 1})}};
  // Real cells xu, yv: 1/2 each; synthetic ones 1/4 each of four: 1 - (1/4 + 1/4 + 1/4 + 1/4) / 2.
  const quality::Trend trend = quality::trends(fields, real, synthetic, Rng(1)).at(0);
  EXPECT_DOUBLE_EQ(trend.score, 0.5);
  // chi2 / n = 1, n = 4: phi2 = 1 - 1/3, k' - 1 = l' - 1 = 1 - 1/3: V = 1. Of the synthetic rows it is 0.
  EXPECT_NEAR(trend.real, 1, 1e-12);
  EXPECT_NEAR(trend.synthetic, 0, 1e-12);
  EXPECT_TRUE(trend.is_associated());
}

TEST(PairTrends, CutNumbersIntoTenPartsOfTheRealRange) {
  const std::vector<Field> fields = {number("a"), category("b", {"u"})};
  const Table real{4, {numbers({0, 0.5, 9.5, 10}), codes({0, 0, 0, 0})}};
  // Parts of width 1: 0.9 is with 0 and 0.5, 5 in a part of its own, 11 with 10, a gap in none of the real parts.
  const Table synthetic{4, {numbers({0.9, 5, 11, missing}), codes({0, 0, 0, 0})}};
  // Real: 2/4 in the first, 1/4 in the last, 1/4 at the end. Synthetic: 1/4 first, 1/4 middle, 1/4 end, 1/4 missing.
  // Differences 1/4, 1/4, 0, 1/4, 1/4.
  EXPECT_DOUBLE_EQ(quality::trends(fields, real, synthetic, Rng(1)).at(0).score, 0.5);
}

TEST(AreaUnderCurve, CountsPairsAndHalvesTies) {
  // Ones 3 and 1, zeros 2 and 1: 3 beats both, 1 loses to 2 and ties with 1: 2.5 of 4.
  EXPECT_DOUBLE_EQ(quality::area_under_curve({3, 1, 2, 1}, {1, 1, 0, 0}), 0.625);
  EXPECT_DOUBLE_EQ(quality::area_under_curve({1, 2}, {1, 1}), 0.5);
  // Areas .75, .5 and .3 (no better than chance): 1 - (.5 + 0 + 0) / 3.
  EXPECT_DOUBLE_EQ(quality::detection_score({0.75, 0.5, 0.3}), 1 - 0.5 / 3);
}

TEST(MacroF1, IsTheMeanOverTheClassesThatOccur) {
  // Class 0: TP 1, said 1, is 2: 2/3. Class 1: TP 1, said 2, is 1: 2/3. Class 2 does not occur.
  EXPECT_DOUBLE_EQ(quality::macro_f1({0, 1, 1}, {0, 0, 1}, 3), 2.0 / 3);
}

TEST(ClosestRecords, AddScaledNumbersAndUnlikeCategories) {
  const std::vector<Field> fields = {number("a"), category("b", {"u", "v"})};
  const Table training{3, {numbers({0, 10, missing}), codes({0, 1, 0})}};
  const Table rows{4, {numbers({1, 10, missing, 20}), codes({0, 0, 1, 1})}};
  const Doubles closest = quality::closest_distances(fields, rows, training);
  EXPECT_NEAR(closest[0], 0.1, 1e-6);  // (0, u): 1/10
  EXPECT_NEAR(closest[1], 1, 1e-6);    // (10, v) but for the category; (0, u) and (missing, u) are as far
  EXPECT_NEAR(closest[2], 1, 1e-6);    // (missing, u), or (10, v) across the gap
  EXPECT_NEAR(closest[3], 1, 1e-6);    // (10, v): beyond the range
}

TEST(Copies, AreCountedOverTheColumnsThatCount) {
  const Table training{3, {numbers({1, 2, missing}), codes({0, 1, 0})}};
  const Table rows{4, {numbers({1, 2, missing, 5}), codes({0, 0, 0, 1})}};
  EXPECT_DOUBLE_EQ(quality::share_of_copies(rows, training, {false, false}), 0.5);  // rows 0 and 2
  EXPECT_DOUBLE_EQ(quality::share_of_copies(rows, training, {true, false}), 1);     // all have u or v
}

// ---------------------------------------------------------------- trees

struct Xor {
  std::vector<Field> fields = {number("a"), number("b")};
  Table table;
  Doubles y;
};

Xor xor_problem(std::int64_t rows, std::uint64_t seed) {
  Rng rng(seed);
  Xor problem;
  problem.table = {rows, {numbers({}), numbers({})}};
  for (std::int64_t i = 0; i < rows; ++i) {
    const double a = rng.uniform() - 0.5, b = rng.uniform() - 0.5;
    problem.table.columns[0].numbers.push_back(a), problem.table.columns[1].numbers.push_back(b);
    problem.y.push_back(a * b > 0 ? 1 : 0);
  }
  return problem;
}

TEST(BoostedTrees, LearnWhatALinearModelCannot) {
  const Xor problem = xor_problem(4000, 3);
  const quality::BinnedTable binned(problem.fields, problem.table, {0, 1}, 4000);
  quality::Index learn, judge;
  Doubles judged_y;
  for (std::int64_t i = 0; i < 4000; ++i) (i < 3000 ? learn : judge).push_back(i);
  for (const std::int64_t i : judge) judged_y.push_back(problem.y[size(i)]);
  const quality::BoostedTrees trees(binned, learn, problem.y, quality::TreeLoss::logistic);
  EXPECT_GT(quality::area_under_curve(trees.scores(binned, judge)[0], judged_y), 0.99);
}

TEST(BoostedTrees, TellRowsApartThatLogisticRegressionCannot) {
  // Both sets have the same columns; in one the signs agree, in the other they differ.
  const Xor problem = xor_problem(3000, 5);
  quality::Index same, other;
  for (std::int64_t i = 0; i < 3000; ++i) (problem.y[size(i)] > 0 ? same : other).push_back(i);
  Observer silent;
  const quality::Detection found = quality::detect(problem.fields, quality::rows_of(problem.table, same),
                                                   quality::rows_of(problem.table, other), Rng(1), silent);
  EXPECT_LT(found.trees_score(), 0.05);
  EXPECT_GT(found.linear_score(), 0.85);
  EXPECT_EQ(found.rows, static_cast<std::int64_t>(std::min(same.size(), other.size())));
  ASSERT_EQ(found.trees_auc.size(), 3U);
}

TEST(BoostedTrees, OneStumpIsTheNewtonStep) {
  // y = 0 0 1 1, score 0, so g = 1/2 1/2 -1/2 -1/2 and h = 1/4 each. The category splits them; each side has
  // G = 1 (-1) and H = 1/2: the leaf is -rate G / (H + penalty) = -+ 0.1 / 1.5.
  const std::vector<Field> fields = {category("a", {"u", "v"})};
  const Table table{4, {codes({0, 0, 1, 1})}};
  const quality::BinnedTable binned(fields, table, {0}, 4);
  quality::BoostingPlan plan;
  plan.trees = 1, plan.depth = 1, plan.least_curvature = 0.1;
  const quality::BoostedTrees trees(binned, quality::counted(4), {0, 0, 1, 1}, quality::TreeLoss::logistic, 1,
                                    plan);
  const Doubles f = trees.scores(binned, quality::counted(4))[0];
  EXPECT_NEAR(f[0], -0.1 / 1.5, 1e-12);
  EXPECT_NEAR(f[3], 0.1 / 1.5, 1e-12);
}

TEST(BoostedTrees, SendMissingCellsWhereTheyBelong) {
  // The target is 1 for missing cells and for large numbers.
  const std::vector<Field> fields = {number("a")};
  Table table{300, {numbers({})}};
  Doubles y;
  for (int i = 0; i < 300; ++i) {
    table.columns[0].numbers.push_back(i % 3 == 0 ? missing : i);
    y.push_back(i % 3 == 0 || i > 150 ? 1 : 0);
  }
  const quality::BinnedTable binned(fields, table, {0}, 300);
  const quality::BoostedTrees trees(binned, quality::counted(300), y, quality::TreeLoss::logistic);
  EXPECT_DOUBLE_EQ(quality::area_under_curve(trees.scores(binned, quality::counted(300))[0], y), 1);
}

TEST(BoostedTrees, DoNotDependOnTheThreads) {
  const Xor problem = xor_problem(3000, 7);
  const quality::BinnedTable binned(problem.fields, problem.table, {0, 1}, 3000);
  const auto learnt = [&] {
    const quality::BoostedTrees trees(binned, quality::counted(3000), problem.y, quality::TreeLoss::logistic);
    return trees.scores(binned, quality::counted(3000))[0];
  };
  const int before = threads();
  set_threads(1);
  const Doubles one = learnt();
  set_threads(3);
  const Doubles three = learnt();
  set_threads(before);
  EXPECT_EQ(one, three);
}

// ---------------------------------------------------------------- whole reports

// A number, a category that follows its sign, and a category of three that follows nothing.
Table made_rows(std::int64_t rows, std::uint64_t seed) {
  Rng rng(seed);
  Table table{rows, {numbers({}), codes({}), codes({})}};
  for (std::int64_t i = 0; i < rows; ++i) {
    const double x = rng.normal();
    table.columns[0].numbers.push_back(x);
    table.columns[1].codes.push_back(x + 0.3 * rng.normal() > 0 ? 1 : 0);
    table.columns[2].codes.push_back(static_cast<std::int32_t>(rng.below(3)));
  }
  return table;
}

Tables made_tables() {
  return {{number("size"), category("sign", {"minus", "plus"}), category("kind", {"a", "b", "c"})},
          made_rows(3000, 1),
          made_rows(1500, 2),
          made_rows(3000, 3),
          {}};
}

TEST(QualityReport, OfIdenticalTablesIsOneEverywhere) {
  Tables tables = made_tables();
  tables.synthetic = tables.real;
  Observer silent;
  const quality::Report report = quality::judge(tables, {"s", "r", "t"}, "sign", 1, silent);
  EXPECT_DOUBLE_EQ(quality::mean_score(report.likeness.shapes), 1);
  EXPECT_DOUBLE_EQ(quality::mean_score(report.likeness.trends), 1);
  EXPECT_GT(report.likeness.detection.linear_score(), 0.95);
  EXPECT_GT(report.likeness.detection.trees_score(), 0.95);
  EXPECT_DOUBLE_EQ(report.closeness.all.synthetic, 1);
  EXPECT_DOUBLE_EQ(report.closeness.all.held_out, 0) << "a real number is not drawn twice";
  EXPECT_EQ(report.closeness.some.ignored, std::vector<std::string>{"size"});
  EXPECT_DOUBLE_EQ(report.closeness.some.held_out, 1) << "six combinations, all of them known";
  ASSERT_EQ(report.usefulness.from_real.figures.size(), 1U);
  EXPECT_EQ(report.usefulness.from_real.figures[0].name, "AUC");
  EXPECT_GT(report.usefulness.from_real.figures[0].value, 0.9);
  EXPECT_DOUBLE_EQ(report.usefulness.from_real.figures[0].value,
                   report.usefulness.from_synthetic.figures[0].value);
}

TEST(QualityReport, OfIndependentColumnsKeepsTheShapesAlone) {
  Tables tables = made_tables();
  tables.synthetic = quality::independent_columns(tables.real, Rng(9));
  Observer silent;
  const quality::Report report = quality::judge(tables, {"s", "r", "t"}, "sign", 1, silent);
  EXPECT_DOUBLE_EQ(quality::mean_score(report.likeness.shapes), 1);
  EXPECT_LT(quality::mean_associated(report.likeness.trends), 0.7);
  EXPECT_EQ(quality::count_associated(report.likeness.trends), 1) << "size and sign";
  // Half of the shuffled rows have the wrong sign: the best AUC is 1/2 + 1/4, the score 1/2.
  EXPECT_LT(report.likeness.detection.trees_score(), 0.65);
  EXPECT_GT(report.likeness.detection.trees_score(), 0.4);
  EXPECT_LT(report.usefulness.from_synthetic.figures[0].value, report.usefulness.from_real.figures[0].value);
  const std::size_t worst = report.worst_columns()[0];
  EXPECT_NE(report.fields[worst].name, "kind");
}

TEST(QualityReport, SaysTheFiguresThatSuitTheTarget) {
  const Tables tables = made_tables();
  Observer silent;
  const quality::Usefulness several = quality::usefulness(tables, "", Rng(1), silent);
  EXPECT_EQ(several.target, "kind");
  EXPECT_TRUE(several.chosen);
  ASSERT_EQ(several.from_real.figures.size(), 2U);
  EXPECT_NEAR(several.from_real.figures[0].value, 1.0 / 3, 0.08) << "nothing predicts it";
  const quality::Usefulness size = quality::usefulness(tables, "size", Rng(1), silent);
  EXPECT_EQ(size.from_real.figures.at(1).name, "R2");
  // The sign of a normal number, seen through noise, explains about 2/pi * 0.9 of its variance.
  EXPECT_GT(size.from_real.figures.at(1).value, 0.4);
  EXPECT_LT(size.from_real.figures.at(1).value, 0.7);
  EXPECT_NEAR(size.from_real.figures.at(0).value, std::sqrt(1 - size.from_real.figures.at(1).value), 0.08);
}

TEST(QualityReport, IsWrittenWithEveryNumberOfRows) {
  Tables tables = made_tables();
  tables.fields[0].name = "<b>";
  Observer silent;
  const quality::Report report = quality::judge(tables, {"s", "r", "t"}, "", 1, silent);
  const nlohmann::ordered_json json = quality::report_json(report);
  EXPECT_EQ(json["rows"]["synthetic"], 3000);
  EXPECT_EQ(json["shapes"]["columns"].size(), 3U);
  EXPECT_EQ(json["trends"]["all"].size(), 3U);
  EXPECT_EQ(json["detection"].size(), 4U);
  EXPECT_EQ(json["detection"][1]["rows_of_each"], 1500);
  const std::string page = quality::report_page(report, tables);
  EXPECT_EQ(page.find("<b>"), page.npos) << "names are escaped";
  EXPECT_NE(page.find("&lt;b&gt;"), page.npos);
  EXPECT_NE(page.find(quality::sections_begin), page.npos);
}

}  // namespace
}  // namespace deepgen::quality_test
