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

// ---------------------------------------------------------------- pairs

GeneratedSet pairs(std::map<std::string, std::string> own) {
  own.insert({{"train", "400"}, {"valid", "0"}, {"test", "0"}});
  return generate("glyph_pairs", own);
}

// Pixel (i, j) of picture 0 or 1 of a row, paper beyond the edges.
int pixel(const GeneratedSet& set, std::size_t row, int picture, int i, int j) {
  if (i < 0 || j < 0 || i >= 28 || j >= 28) return 0;
  return set.train.bytes[row * 1568 + static_cast<std::size_t>(picture * 784 + i * 28 + j)];
}

// Pixels that have no place in the other picture may have been left there.
TEST(GlyphPairs, TheSecondGlyphIsTheFirstShiftedByTheLabel) {
  const GeneratedSet set = pairs({{"reach", "2"}, {"step", "2"}});
  EXPECT_EQ(set.case_shape, (std::vector<std::int64_t>{1, 56, 28}));
  std::set<int> seen;
  int ink = 0;
  for (std::size_t row = 0; row < 400; ++row) {
    const int label = set.train_labels.bytes[row];
    const int down = 2 * (label / 5 - 2), right = 2 * (label % 5 - 2);
    seen.insert(label);
    for (int i = std::max(0, -down); i < std::min(28, 28 - down); ++i)
      for (int j = std::max(0, -right); j < std::min(28, 28 - right); ++j) {
        ASSERT_NEAR(pixel(set, row, 0, i, j), pixel(set, row, 1, i + down, j + right), 1) << row;
        ink += pixel(set, row, 0, i, j) > 127;
      }
  }
  EXPECT_EQ(seen.size(), 25U);
  EXPECT_EQ(*seen.rbegin(), 24);
  EXPECT_GT(ink, 400 * 50);
}

// A right angle needs no interpolation: clockwise, the pixel at (i, j) goes to (j, 27 - i).
TEST(GlyphPairs, LabelsRunFromTurnsToTheLeftToTurnsToTheRight) {
  const GeneratedSet set = pairs({{"reach", "0"}, {"turns", "1"}, {"angle", "90"}});
  std::set<int> seen;
  for (std::size_t row = 0; row < 400; ++row) {
    const int label = set.train_labels.bytes[row];
    seen.insert(label);
    for (int i = 0; i < 28; ++i)
      for (int j = 0; j < 28; ++j) {
        const int left = pixel(set, row, 1, 27 - j, i), still = pixel(set, row, 1, i, j);
        const int clockwise = pixel(set, row, 1, j, 27 - i);
        ASSERT_NEAR(pixel(set, row, 0, i, j), label == 0 ? left : label == 1 ? still : clockwise, 1) << row;
      }
  }
  EXPECT_EQ(seen, (std::set<int>{0, 1, 2}));
}

// Shifts vary faster than turns, and the largest set of motions fits the labels' byte.
TEST(GlyphPairs, EveryMotionHasALabel) {
  const GeneratedSet set =
      pairs({{"reach", "3"}, {"step", "1"}, {"turns", "2"}, {"train", "6000"}, {"variation", "0"}});
  std::set<int> seen(set.train_labels.bytes.begin(), set.train_labels.bytes.end());
  EXPECT_EQ(seen.size(), 245U);  // 5 angles, 7 x 7 shifts
  EXPECT_EQ(*seen.rbegin(), 244);
  EXPECT_EQ(set.train_factors.columns(), 10);
}

}  // namespace
}  // namespace deepgen::glyphs_test
