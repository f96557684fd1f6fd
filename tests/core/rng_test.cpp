// Statistical tests use fixed seeds; each states how often it would fail by chance under a fresh seed.
#include "deepgen/core/rng.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "deepgen/core/error.h"

namespace deepgen::rng_test {
namespace {

// Sum of (count - expected)^2 / expected.
double chi_square(const std::vector<int>& counts, double expected) {
  double sum = 0;
  for (const int count : counts) sum += (count - expected) * (count - expected) / expected;
  return sum;
}

TEST(Rng, SameSeedSameNumbers) {
  Rng a(7), b(7), c(8);
  for (int i = 0; i < 100; ++i) {
    const std::uint64_t value = a.bits();
    EXPECT_EQ(value, b.bits());
    EXPECT_NE(value, c.bits());
  }
}

// Saved runs are resumed by forking anew, so these numbers may never change.
TEST(Rng, NumbersArePinned) {
  Rng rng(42);
  EXPECT_EQ(rng.bits(), 13284715015320441503U);
  EXPECT_EQ(rng.fork({1, 2, 3}).bits(), 11139024908765439393U);
}

TEST(Rng, ForkDependsOnValuesOrderAndLength) {
  const Rng root(1);
  std::set<std::uint64_t> firsts;
  const auto add = [&](Rng rng) { firsts.insert(rng.next().key); };
  add(root);
  add(root.fork({}));
  add(root.fork({0}));
  add(root.fork({0, 0}));
  add(root.fork({1, 2}));
  add(root.fork({2, 1}));
  add(root.fork({1}));
  add(root.fork({1}).fork({2}));
  add(root.fork({1ULL << 32}));
  add(root.fork({2ULL << 32 | 1}));
  add(Rng(2).fork({1}));
  EXPECT_EQ(firsts.size(), 11U);
}

TEST(Rng, ForkNeitherAdvancesNorDependsOnThePosition) {
  Rng used(3), fresh(3);
  (void)used.fork({9});
  EXPECT_EQ(used.bits(), fresh.bits());
  EXPECT_EQ(used.fork({9}).bits(), Rng(3).fork({9}).bits());
}

TEST(Rng, KeysOfNeighbouringForksDoNotCollide) {
  std::set<std::uint64_t> keys;
  const Rng root(0);
  for (std::uint64_t i = 0; i < 300; ++i)
    for (std::uint64_t j = 0; j < 300; ++j) keys.insert(root.fork({i, j}).next().key);
  EXPECT_EQ(keys.size(), 90000U);  // by chance: 2e-10
}

// Every bit of neighbouring forks agrees half of the time: 64 tests at 5 sigma, false alarm 4e-5.
TEST(Rng, NeighbouringForksAreUncorrelated) {
  const Rng root(5);
  const int trials = 20000;
  std::vector<int> agree(64);
  for (std::uint64_t i = 0; i < trials; ++i) {
    const std::uint64_t same = ~(root.fork({i}).bits() ^ root.fork({i + 1}).bits());
    for (std::size_t bit = 0; bit < 64; ++bit) agree[bit] += static_cast<int>(same >> bit & 1);
  }
  for (const int count : agree) EXPECT_NEAR(count, trials / 2, 5 * std::sqrt(trials / 4.0));
}

TEST(Rng, EveryStreamIsNew) {
  Rng rng(1);
  const Stream a = rng.next(), b = rng.next();
  EXPECT_EQ(a.key, b.key);
  EXPECT_NE(a.call, b.call);
  EXPECT_NE(a.block(0), b.block(0));
}

TEST(Rng, BelowStaysBelowAndRefusesZero) {
  Rng rng(2);
  for (int i = 0; i < 1000; ++i) EXPECT_LT(rng.below(3), 3U);
  EXPECT_EQ(rng.below(1), 0U);
  EXPECT_THROW(rng.below(0), Error);
  EXPECT_THROW(rng.permutation(-1), Error);
}

// Uniform by chi-square, 9 degrees of freedom: above 50 with probability 1e-7.
TEST(Rng, BelowIsUniform) {
  Rng rng(11);
  std::vector<int> counts(10);
  for (int i = 0; i < 100000; ++i) ++counts[rng.below(10)];
  EXPECT_LT(chi_square(counts, 10000), 50);
}

// With n = 3 * 2^62, remainders of 64 random bits would hit the lowest third of the range twice as often as
// they should: half of the time. 5 sigma, false alarm 6e-7.
TEST(Rng, BelowHasNoBiasAtLargeN) {
  Rng rng(12);
  const std::uint64_t n = 3ULL << 62;
  const int trials = 30000;
  int low = 0;
  for (int i = 0; i < trials; ++i) low += rng.below(n) < n / 3 ? 1 : 0;
  EXPECT_NEAR(low, trials / 3.0, 5 * std::sqrt(trials * 2 / 9.0));
}

// Mean, variance, third and fourth moment, each at 5 sigma: false alarm 2e-6.
TEST(Rng, NormalMoments) {
  Rng rng(13);
  const int trials = 200000;
  double sums[5] = {};
  for (int i = 0; i < trials; ++i) {
    const double x = rng.normal();
    ASSERT_TRUE(std::isfinite(x));
    for (int power = 1; power <= 4; ++power) sums[power] += std::pow(x, power);
  }
  const double sigma = 5 / std::sqrt(trials);  // times the standard deviation of x^power
  EXPECT_NEAR(sums[1] / trials, 0, sigma);
  EXPECT_NEAR(sums[2] / trials, 1, sigma * std::sqrt(2));
  EXPECT_NEAR(sums[3] / trials, 0, sigma * std::sqrt(15));
  EXPECT_NEAR(sums[4] / trials, 3, sigma * std::sqrt(96));
}

// Mean 1/2 and variance 1/12 at 5 sigma: false alarm 1e-6.
TEST(Rng, UniformMoments) {
  Rng rng(14);
  const int trials = 100000;
  double sum = 0, squares = 0;
  for (int i = 0; i < trials; ++i) {
    const double u = rng.uniform();
    ASSERT_GE(u, 0);
    ASSERT_LT(u, 1);
    sum += u;
    squares += (u - 0.5) * (u - 0.5);
  }
  EXPECT_NEAR(sum / trials, 0.5, 5 * std::sqrt(1 / 12.0 / trials));
  EXPECT_NEAR(squares / trials, 1 / 12.0, 5 * std::sqrt(1 / 180.0 / trials));
}

TEST(Rng, PermutationHoldsEveryNumberOnce) {
  Rng rng(15);
  for (const std::int64_t n : {0, 1, 2, 100, 1000}) {
    std::vector<std::int64_t> order = rng.permutation(n);
    std::sort(order.begin(), order.end());
    ASSERT_EQ(static_cast<std::int64_t>(order.size()), n);
    for (std::int64_t i = 0; i < n; ++i) EXPECT_EQ(order[static_cast<std::size_t>(i)], i);
  }
}

// All 24 orders of four, 23 degrees of freedom: above 80 with probability 3e-8.
TEST(Rng, PermutationIsUniform) {
  Rng rng(16);
  std::map<std::vector<std::int64_t>, int> seen;
  const int trials = 48000;
  for (int i = 0; i < trials; ++i) ++seen[rng.permutation(4)];
  ASSERT_EQ(seen.size(), 24U);
  std::vector<int> counts;
  for (const auto& [order, count] : seen) counts.push_back(count);
  EXPECT_LT(chi_square(counts, trials / 24.0), 80);
}

}  // namespace
}  // namespace deepgen::rng_test
