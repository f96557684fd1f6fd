// The baselines of tables: a tree of pairs against enumeration.
#include "deepgen/evaluate/chow_liu.h"

#include <cmath>

#include "tests/library/runs.h"

namespace deepgen::chow_liu_test {
namespace {

// A bit, a category of three, a category of four.
const std::vector<ColumnGroup> groups = {
    {ColumnKind::binary, 0, 1}, {ColumnKind::softmax, 1, 3}, {ColumnKind::softmax, 4, 4}};

// One row of values, -1 where a cell is missing.
std::vector<float> encoded(int bit, int three, int four) {
  std::vector<float> row(8, 0);
  const float gap = std::nanf("");
  row[0] = bit < 0 ? gap : static_cast<float>(bit);
  for (int j = 0; j < 3; ++j)
    row[static_cast<std::size_t>(1 + j)] = three < 0 ? gap : j == three ? 1.0F : 0.0F;
  for (int j = 0; j < 4; ++j) row[static_cast<std::size_t>(4 + j)] = four < 0 ? gap : j == four ? 1.0F : 0.0F;
  return row;
}

Tensor rows_of(const std::vector<std::vector<float>>& rows) {
  std::vector<float> all;
  for (const auto& row : rows) all.insert(all.end(), row.begin(), row.end());
  return at::tensor(all).reshape({static_cast<std::int64_t>(rows.size()), -1});
}

// The category of four follows the bit, the one of three follows the one of four, a tenth of the time neither.
Split training(std::int64_t count, bool gaps) {
  Rng rng(3);
  std::vector<std::vector<float>> rows;
  for (std::int64_t i = 0; i < count; ++i) {
    const int bit = static_cast<int>(rng.below(2));
    const int four =
        rng.below(10) == 0 ? static_cast<int>(rng.below(4)) : 2 * bit + static_cast<int>(rng.below(2));
    const int three = rng.below(10) == 0 ? static_cast<int>(rng.below(3)) : four % 3;
    const auto hide = [&](int value) { return gaps && rng.below(5) == 0 ? -1 : value; };
    rows.push_back(encoded(hide(bit), hide(three), hide(four)));
  }
  Split split;
  split.name = "train", split.x = rows_of(rows);
  return split;
}

Tensor every_cell() {
  std::vector<std::vector<float>> rows;
  for (int bit = 0; bit < 2; ++bit)
    for (int three = 0; three < 3; ++three)
      for (int four = 0; four < 4; ++four) rows.push_back(encoded(bit, three, four));
  return rows_of(rows);
}

double total(const Tensor& log_probs) { return log_probs.exp().sum().item<double>(); }

TEST(ChowLiu, ProbabilitiesOverAllCellsSumToOne) {
  for (const bool gaps : {false, true}) {
    const ChowLiuTree tree(*discrete_variables(groups), training(500, gaps), Rng(1));
    EXPECT_NEAR(total(tree.log_prob(every_cell())), 1, 1e-12);
    EXPECT_NEAR(total(tree.independent_log_prob(every_cell())), 1, 1e-6);
  }
}

TEST(ChowLiu, RecoversATree) {
  const ChowLiuTree tree(*discrete_variables(groups), training(5000, false), Rng(1));
  EXPECT_EQ(tree.parents(), (std::vector<std::int64_t>{-1, 2, 0}));
  // p(four = 0 | bit = 0) = 0.9 / 2 + 0.1 / 4, p(three = 0 | four = 0) = 0.9 + 0.1 / 3
  const double truth = 0.5 * 0.475 * (0.9 + 0.1 / 3);
  EXPECT_NEAR(tree.log_prob(rows_of({encoded(0, 0, 0)})).exp().item<double>(), truth, 0.02);
}

TEST(ChowLiu, ColumnsThatAreIndependentAreLeftSo) {
  std::vector<std::vector<float>> rows;  // each cell equally often
  for (int repeat = 0; repeat < 10; ++repeat)
    for (int bit = 0; bit < 2; ++bit)
      for (int three = 0; three < 3; ++three)
        for (int four = 0; four < 4; ++four) rows.push_back(encoded(bit, three, four));
  Split split;
  split.name = "train", split.x = rows_of(rows);
  const ChowLiuTree tree(*discrete_variables(groups), split, Rng(1));
  EXPECT_EQ(tree.parents(), (std::vector<std::int64_t>{-1, -1, -1}));
  const Tensor cells = every_cell();
  EXPECT_TRUE(at::allclose(tree.log_prob(cells), tree.independent_log_prob(cells), 1e-6, 1e-6));
}

TEST(ChowLiu, AGapIsTheSumOverItsValues) {
  const ChowLiuTree tree(*discrete_variables(groups), training(500, true), Rng(1));
  const auto probability = [&](const std::vector<std::vector<float>>& rows) {
    return total(tree.log_prob(rows_of(rows)));
  };
  std::vector<std::vector<float>> fours, ends;
  for (int four = 0; four < 4; ++four) fours.push_back(encoded(1, 2, four));
  EXPECT_NEAR(probability({encoded(1, 2, -1)}), probability(fours), 1e-12) << "the middle of the chain";
  for (int bit = 0; bit < 2; ++bit)
    for (int three = 0; three < 3; ++three) ends.push_back(encoded(bit, three, 1));
  EXPECT_NEAR(probability({encoded(-1, -1, 1)}), probability(ends), 1e-12);
  EXPECT_NEAR(probability({encoded(-1, -1, -1)}), 1, 1e-12);
}

TEST(ChowLiu, IsForCategoriesAndBits) {
  EXPECT_FALSE(discrete_variables({{ColumnKind::binary, 0, 1}, {ColumnKind::gaussian, 1, 1}}));
  EXPECT_EQ(discrete_variables({{ColumnKind::binary, 0, 3}, {ColumnKind::softmax, 3, 4}})->size(), 4U);
}

}  // namespace
}  // namespace deepgen::chow_liu_test
