// Pairs of pictures of which the second is the first one moved: what is said of them is true.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "deepgen/core/error.h"
#include "deepgen/data/generated/generated.h"

namespace deepgen::shifts_test {
namespace {

using Options = std::map<std::string, std::string>;

GeneratedSet shifts(const Options& own, const std::string& train = "400") {
  Options all = own;
  all.insert({{"train", train}, {"valid", "5"}, {"test", "5"}});
  return generate("shifts", all);
}

std::vector<float> row_of(const GeneratedSet& set, std::int64_t row) {
  const std::int64_t columns = set.case_shape[1] * set.case_shape[2];
  const std::uint8_t* bytes = set.train.as<std::uint8_t>() + row * columns;
  return {bytes, bytes + columns};
}

TEST(Shifts, ProbabilitiesSumToOne) {
  for (const Options& own : {Options{{"size", "2"}}, Options{{"size", "2"}, {"turns", "1"}},
                             Options{{"size", "3"}, {"reach", "1"}}, Options{{"size", "2"}, {"reach", "3"}},
                             Options{{"size", "2"}, {"reach", "0"}}}) {
    const GeneratedSet set = shifts(own);
    const std::int64_t columns = set.case_shape[1] * set.case_shape[2];
    double sum = 0;
    std::vector<float> x(static_cast<std::size_t>(columns));
    for (std::uint64_t state = 0; state < std::uint64_t{1} << columns; ++state) {
      for (std::size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(state >> i & 1U);
      sum += std::exp(set.log_prob(x.data()));
    }
    EXPECT_NEAR(sum, 1, 1e-9);
  }
}

// The label is the motion: shifts row by row of a picture with one bit per place that tells it from all
// others.
TEST(Shifts, TheSecondPictureIsTheFirstMovedByTheLabel) {
  const GeneratedSet set = shifts({{"size", "5"}, {"reach", "2"}});
  EXPECT_EQ(set.case_shape, (std::vector<std::int64_t>{1, 10, 5}));
  for (std::int64_t r = 0; r < set.train.rows(); ++r) {
    const std::vector<float> x = row_of(set, r);
    const int label = set.train_labels.bytes[static_cast<std::size_t>(r)];
    const int down = label / 5 - 2, right = label % 5 - 2;
    for (int i = 0; i < 5; ++i)
      for (int j = 0; j < 5; ++j)
        ASSERT_EQ(x[static_cast<std::size_t>(25 + (i + down + 5) % 5 * 5 + (j + right + 5) % 5)],
                  x[static_cast<std::size_t>(i * 5 + j)]);
    EXPECT_GE(set.log_prob(x.data()), -25 * std::log(2.0) - std::log(25.0) - 1e-9);
  }
}

TEST(Shifts, AQuarterTurnIsClockwise) {
  const GeneratedSet set = shifts({{"size", "4"}, {"reach", "0"}, {"turns", "1"}});
  bool quarter = false;
  for (std::int64_t r = 0; r < set.train.rows(); ++r) {
    const std::vector<float> x = row_of(set, r);
    const int turns = set.train_labels.bytes[static_cast<std::size_t>(r)];
    if (turns != 1) continue;
    quarter = true;  // clockwise: the pixel at (i, j) goes to (j, n - 1 - i)
    for (int i = 0; i < 4; ++i)
      for (int j = 0; j < 4; ++j)
        ASSERT_EQ(x[static_cast<std::size_t>(16 + j * 4 + 3 - i)], x[static_cast<std::size_t>(i * 4 + j)]);
  }
  EXPECT_TRUE(quarter);
}

// Every motion comes equally often: Pearson's statistic of 9 motions stays below its quantile of one in a
// million.
TEST(Shifts, MotionsAreEven) {
  const GeneratedSet set = shifts({{"size", "4"}}, "9000");
  std::vector<double> counts(9);
  for (const std::uint8_t label : set.train_labels.bytes) counts.at(label) += 1;
  double statistic = 0;
  for (const double count : counts) statistic += (count - 1000) * (count - 1000) / 1000;
  EXPECT_LT(statistic, 42.7);  // chi-square with 8 degrees of freedom
}

TEST(Shifts, OtherCasesHaveNoProbability) {
  const GeneratedSet set = shifts({{"size", "4"}});
  std::vector<float> x = row_of(set, 0);
  x[3] = 0.5F;
  EXPECT_EQ(set.log_prob(x.data()), -std::numeric_limits<double>::infinity());
  std::vector<float> odd(32);
  odd[0] = 1;
  EXPECT_EQ(set.log_prob(odd.data()), -std::numeric_limits<double>::infinity());
  EXPECT_THROW(shifts({{"reach", "4"}}), Error);
}

}  // namespace
}  // namespace deepgen::shifts_test
