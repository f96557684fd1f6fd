// Glyphs: balanced, centred, inked like handwriting, known by their factors, and quick to draw.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <limits>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "deepgen/data/generated/generated.h"

namespace deepgen::glyphs_test {
namespace {

TEST(Glyphs, LabelsAreBalanced) {
  const GeneratedSet set = generate("glyphs", {{"train", "20000"}, {"valid", "0"}, {"test", "0"}});
  std::vector<double> counts(10);
  for (const std::uint8_t label : set.train_labels.bytes) counts.at(label) += 1;
  // Chi-square with 9 degrees of freedom exceeds 45.1 by chance once in a million.
  double statistic = 0;
  for (const double count : counts) statistic += (count - 2000) * (count - 2000) / 2000;
  EXPECT_LT(statistic, 45.1);
}

TEST(Glyphs, InkIsLikeHandwriting) {
  const GeneratedSet set = generate("glyphs", {{"train", "5000"}, {"valid", "0"}, {"test", "0"}});
  double ink = 0, black = 0, full = 0;
  for (const std::uint8_t value : set.train.bytes) {
    ink += value / 255.0;
    black += value == 0;
    full += value == 255;
  }
  const auto pixels = static_cast<double>(set.train.bytes.size());
  EXPECT_NEAR(ink / pixels, 0.133, 0.01);  // handwritten digits of this size have 0.13
  // Most is paper, the edges are grey.
  EXPECT_NEAR(black / pixels, 0.80, 0.05);
  EXPECT_GT((pixels - black - full) / pixels, 0.05);
}

TEST(Glyphs, FewReachTheEdgeOfThePaper) {
  const GeneratedSet set = generate("glyphs", {{"train", "5000"}, {"valid", "0"}, {"test", "0"}});
  int cut = 0;
  for (std::size_t row = 0; row < 5000; ++row) {
    const std::uint8_t* x = set.train.bytes.data() + row * 784;
    bool touches = false;
    for (std::size_t i = 0; i < 28; ++i) {
      touches = touches || x[i] > 0 || x[756 + i] > 0 || x[28 * i] > 0 || x[28 * i + 27] > 0;
    }
    cut += touches;
  }
  EXPECT_LT(cut, 100);  // 2 %
}

TEST(Glyphs, FactorsAreWithinTheirRanges) {
  const GeneratedSet set = generate("glyphs", {{"train", "2000"}, {"valid", "10"}, {"test", "10"}});
  const std::size_t columns = set.factor_names.size();
  ASSERT_EQ(set.train_factors.columns(), static_cast<std::int64_t>(columns));
  for (std::size_t row = 0; row < 2000; ++row) {
    const float* value = set.train_factors.as<float>() + row * columns;
    EXPECT_EQ(value[0], static_cast<float>(set.train_labels.bytes[row]));
    for (std::size_t i = 0; i < columns; ++i) {
      EXPECT_GE(value[i], static_cast<float>(set.factor_ranges[i][0])) << set.factor_names[i];
      EXPECT_LE(value[i], static_cast<float>(set.factor_ranges[i][1])) << set.factor_names[i];
    }
  }
}

TEST(Glyphs, WithoutVariationOnlyTheSkeletonsRemain) {
  const GeneratedSet set = generate("glyphs", {{"train", "300"}, {"variation", "0"}});
  std::set<std::string> seen;
  for (std::int64_t row = 0; row < 300; ++row) {
    seen.emplace(reinterpret_cast<const char*>(set.train.bytes.data()) + row * 784, 784);
  }
  EXPECT_GE(seen.size(), 20U);  // two or three ways of writing each digit
  EXPECT_LE(seen.size(), 23U);
}

TEST(Glyphs, TheNearestNeighbourKnowsTheDigitButNotAlways) {
  const GeneratedSet set = generate("glyphs", {{"train", "2000"}, {"valid", "0"}, {"test", "500"}});
  int right = 0;
  for (std::size_t i = 0; i < 500; ++i) {
    const std::uint8_t* x = set.test.bytes.data() + i * 784;
    std::pair<int, std::uint8_t> best = {std::numeric_limits<int>::max(), 255};
    for (std::size_t j = 0; j < 2000; ++j) {
      const std::uint8_t* y = set.train.bytes.data() + j * 784;
      int distance = 0;
      for (std::size_t k = 0; k < 784; ++k) distance += (x[k] - y[k]) * (x[k] - y[k]);
      best = std::min(best, {distance, set.train_labels.bytes[j]});
    }
    right += best.second == set.test_labels.bytes[i];
  }
  EXPECT_GT(right, 425);  // 85 %
  EXPECT_LT(right, 495);  // varied enough not to be trivial
}

TEST(Glyphs, TheWholeSetTakesSeconds) {
  const auto start = std::chrono::steady_clock::now();
  const GeneratedSet set = generate("glyphs");
  const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - start;
  EXPECT_EQ(set.train.rows() + set.valid.rows() + set.test.rows(), 70000);
  EXPECT_LT(taken.count(), 10) << "seconds";
}

}  // namespace
}  // namespace deepgen::glyphs_test
