// Numbers as categories: the density within the bins sums to one, and draws stay on the grid.
#include "deepgen/data/files/number_bins.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>

#include "deepgen/core/error.h"
#include "deepgen/core/rng.h"

namespace deepgen::number_bins_test {
namespace {

// Values of several sorts, by name.
std::map<std::string, std::pair<std::vector<double>, int>> columns() {
  Rng rng(3);
  std::map<std::string, std::pair<std::vector<double>, int>> all;
  for (int i = 0; i < 2000; ++i) {
    all["whole"].first.push_back(std::floor(20 + 50 * rng.uniform() * rng.uniform()));
    all["money"].first.push_back(rng.uniform() < 0.9 ? 0 : std::floor(rng.uniform() * 20) * 137);
    all["tenths"].first.push_back(std::round(10 * std::exp(rng.normal())) / 10), all["tenths"].second = 1;
    all["fives"].first.push_back(2 + 5 * std::floor(9 * rng.uniform()));
    all["negative"].first.push_back(std::round(100 * rng.normal()) / 100), all["negative"].second = 2;
  }
  all["two"] = {{1, 1, 1, 4}, 0};
  all["one"] = {{7}, 0};
  return all;
}

// Every grid value from far below to far above: sum of exp(log density) * step over the cells of a bin is 1.
TEST(NumberBins, TheDensityWithinEachBinSumsToOne) {
  for (const auto& [name, column] : columns()) {
    const NumberBins bins = learn_number_bins(column.first, column.second, 16);
    std::vector<double> sums(static_cast<std::size_t>(bins.count()), 0);
    const double low = *std::min_element(column.first.begin(), column.first.end()),
                 high = *std::max_element(column.first.begin(), column.first.end()),
                 reach = high - low + 2 * bins.step();
    for (double value = low - reach; value <= high + reach + bins.step() / 2; value += bins.step())
      if (const auto place = bins.place(value))
        sums[static_cast<std::size_t>(place->bin)] += std::exp(place->log_density) * bins.step();
    for (const double sum : sums) EXPECT_NEAR(sum, 1, 1e-9) << name;
  }
}

TEST(NumberBins, EveryTrainingValueHasAPlaceAndBinsHoldAboutEqualShares) {
  for (const auto& [name, column] : columns()) {
    const NumberBins bins = learn_number_bins(column.first, column.second, 16);
    std::vector<double> held(static_cast<std::size_t>(bins.count()), 0);
    for (const double value : column.first) {
      const auto place = bins.place(value);
      ASSERT_TRUE(place) << name << " " << value;
      held[static_cast<std::size_t>(place->bin)] += 1;
    }
    const auto rows = static_cast<double>(column.first.size());
    for (const double count : held) EXPECT_GT(count, 0) << name;
    // At most 16 shares of values, and those that are a share by themselves.
    EXPECT_LE(bins.count(), 2 * 16 + 1) << name;
    if (rows > 100 && name != "money") {
      EXPECT_LT(*std::max_element(held.begin(), held.end()), 2.2 * rows / 16) << name;
    }
  }
}

TEST(NumberBins, ARepeatedValueIsABinOfItsOwn) {
  const NumberBins bins = learn_number_bins(columns().at("money").first, 0, 16);
  const auto zero = bins.place(0);
  ASSERT_TRUE(zero);
  for (int i = 0; i < 50; ++i) EXPECT_EQ(bins.draw(zero->bin, i / 50.0), 0);
  EXPECT_NEAR(zero->log_density, -std::log(bins.step()), 1e-3);  // but for the tail
}

TEST(NumberBins, DrawsAreOnTheGridWithinTheRangeAndOfTheBin) {
  for (const auto& [name, column] : columns()) {
    const NumberBins bins = learn_number_bins(column.first, column.second, 16);
    const double low = *std::min_element(column.first.begin(), column.first.end()),
                 high = *std::max_element(column.first.begin(), column.first.end());
    for (std::int64_t bin = 0; bin < bins.count(); ++bin)
      for (int i = 0; i < 200; ++i) {
        const double value = bins.draw(bin, (i + 0.5) / 200);
        ASSERT_GE(value, low) << name;
        ASSERT_LE(value, high) << name;
        ASSERT_EQ(bins.place(value)->bin, bin) << name << " " << value;
        const double cells = (value - low) / bins.step();
        ASSERT_NEAR(cells, std::round(cells), 1e-6) << name << " " << value;
      }
  }
  EXPECT_EQ(learn_number_bins(columns().at("fives").first, 0, 16).step(), 5);
}

// Draws under the training shares of the bins have the training distribution: Kolmogorov-Smirnov distance.
TEST(NumberBins, DrawsFollowTheTrainingValues) {
  for (const char* name : {"whole", "money", "tenths", "negative"}) {
    std::vector<double> values = columns().at(name).first, drawn;
    const NumberBins bins = learn_number_bins(values, columns().at(name).second, 16);
    Rng rng(5);
    for (int k = 0; k < 5; ++k)
      for (const double value : values) drawn.push_back(bins.draw(bins.place(value)->bin, rng.uniform()));
    std::sort(values.begin(), values.end()), std::sort(drawn.begin(), drawn.end());
    double largest = 0;
    for (const double at : values) {
      const auto share = [at](const std::vector<double>& all) {
        return static_cast<double>(std::upper_bound(all.begin(), all.end(), at) - all.begin()) /
               static_cast<double>(all.size());
      };
      largest = std::max(largest, std::abs(share(values) - share(drawn)));
    }
    EXPECT_LT(largest, 0.015) << name;
  }
}

TEST(NumberBins, QuantilesAreThoseOfTheMixtureOfBins) {
  std::vector<double> values(100);
  for (int i = 0; i < 100; ++i) values[static_cast<std::size_t>(i)] = i;
  const NumberBins bins = learn_number_bins(values, 0, 10);
  const std::vector<double> even(static_cast<std::size_t>(bins.count()), 1);
  EXPECT_NEAR(bins.quantile(even, 0.5), 49, 1);
  EXPECT_NEAR(bins.quantile(even, 0.1), 9, 1);
  std::vector<double> last(static_cast<std::size_t>(bins.count()), 0);
  last.back() = 1;
  EXPECT_EQ(bins.place(bins.quantile(last, 0.01))->bin, bins.count() - 1);
  EXPECT_EQ(bins.quantile(last, 1), 99);
}

TEST(NumberBins, MomentsAreThoseOfManyDraws) {
  const NumberBins bins = learn_number_bins(columns().at("tenths").first, 1, 16);
  for (std::int64_t bin = 0; bin < bins.count(); ++bin) {
    double sum = 0, squares = 0;
    constexpr int draws = 20000;
    for (int i = 0; i < draws; ++i) {
      const double value = bins.draw(bin, (i + 0.5) / draws);
      sum += value, squares += (value - 1) * (value - 1);
    }
    EXPECT_NEAR(bins.mean(bin), sum / draws, 2e-3 * (1 + std::abs(sum / draws)));
    EXPECT_NEAR(bins.mean_square(bin, 1), squares / draws, 5e-3 * (1 + squares / draws));
  }
}

TEST(NumberBins, ValuesBeyondTheTailsHaveNoPlaceAndTailsAreDrawnOnlyWhenAsked) {
  const NumberBins bins = learn_number_bins(columns().at("whole").first, 0, 16);
  EXPECT_FALSE(bins.place(-1e6));
  EXPECT_FALSE(bins.place(1e6));
  EXPECT_FALSE(bins.place(std::nan("")));
  const auto above = bins.place(75);  // the greatest is 69
  ASSERT_TRUE(above);
  EXPECT_LT(above->log_density, -3);
  EXPECT_LE(bins.draw(above->bin, 0.999999), 69);
  EXPECT_GT(bins.draw(above->bin, 0.999999, true), 69);
}

TEST(NumberBins, LargeAndSmallNumbersKeepTheirDigits) {
  std::vector<double> large, small;
  for (int i = 0; i < 20; ++i) large.push_back(1e9 + i), small.push_back(1e-9 * (i + 1));
  const NumberBins bins = learn_number_bins(large, 0, 4);
  EXPECT_EQ(bins.step(), 1);
  EXPECT_EQ(bins.draw(bins.place(1e9 + 19)->bin, 0.999), 1e9 + 19);
  const NumberBins tiny = learn_number_bins(small, 9, 4);
  EXPECT_NEAR(tiny.step(), 1e-9, 1e-15);
  const NumberBins huge = learn_number_bins({1e300, 2e300, 3e300}, 0, 4);
  EXPECT_TRUE(huge.place(2e300));
}

// Numbers with all the digits of a double: their cells fill the range that a checkpoint may hold.
TEST(NumberBins, NumbersWithAllDigitsComeBackFromJson) {
  Rng rng(3);
  std::vector<double> values;
  for (int i = 0; i < 300; ++i) values.push_back(rng.normal());
  const NumberBins bins = learn_number_bins(values, 17, 15);
  const NumberBins back = NumberBins::from_json(bins.to_json(), "x");
  for (const double value : values) {
    ASSERT_TRUE(back.place(value)) << value;
    EXPECT_EQ(back.place(value)->bin, bins.place(value)->bin);
    EXPECT_NEAR(back.draw(back.place(value)->bin, 0.5), value, 5);
  }
}

TEST(NumberBins, TheyComeBackFromJsonAndMalformedOnesAreRefused) {
  const NumberBins bins = learn_number_bins(columns().at("tenths").first, 1, 16);
  const nlohmann::ordered_json json = bins.to_json();
  const NumberBins back = NumberBins::from_json(json, "x");
  EXPECT_EQ(back.pieces(), bins.pieces());
  EXPECT_EQ(back.step(), bins.step());
  EXPECT_EQ(back.draw(3, 0.3), bins.draw(3, 0.3));
  for (const auto& spoil : std::vector<std::function<void(nlohmann::ordered_json&)>>{
           [](auto& j) { j["pieces"].erase(1); }, [](auto& j) { j["pieces"][1][2] = -1; },
           [](auto& j) { j["pieces"][1][3] = 5000000; }, [](auto& j) { j["multiple"] = 0; },
           [](auto& j) { j["multiple"] = std::int64_t{1} << 62; },
           [](auto& j) { j["origin"] = std::int64_t{1} << 62; }, [](auto& j) { j["decimals"] = 350; },
           [](auto& j) { j["pieces"] = nlohmann::ordered_json::array(); }}) {
    nlohmann::ordered_json spoilt = json;
    spoil(spoilt);
    EXPECT_THROW(NumberBins::from_json(spoilt, "x"), Error);
  }
}

}  // namespace
}  // namespace deepgen::number_bins_test
