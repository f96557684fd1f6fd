// Grey numbers: which levels they have, dequantised with noise of one level, and what numbers between levels go with.
#include <cmath>

#include "deepgen/parts/likelihoods/likelihood.h"
#include "tests/library/data_sets.h"
#include "tests/library/machines.h"
#include "tests/library/runs.h"

namespace deepgen::grey_levels_test {
namespace {

using namespace data_sets;
using namespace machines;
using namespace runs;

// Every 7th of so many levels, as numbers in [0, 1].
Array grey_numbers(std::int64_t levels, std::int64_t rows, std::int64_t columns) {
  std::vector<float> values;
  for (std::int64_t i = 0; i < rows * columns; ++i)
    values.push_back(
        static_cast<float>(static_cast<double>(i * 7 % levels) / static_cast<double>(levels - 1)));
  return floats({rows, columns}, values);
}

const std::map<std::string, std::string> dequantise = {{"dequantise", "true"}};

TEST(GreyLevels, Of16BitsAreDequantisedAsSuch) {
  const std::int64_t rows = 3000, columns = 4;
  const Array grey = grey_numbers(65536, rows, columns);
  const Dataset set = set_of({{"train", grey}}, dequantise);
  EXPECT_EQ(set.transform.levels, 65536);
  EXPECT_EQ(set.values, ValueKind::real);
  const Tensor x = rows_of(set.train), back = set.transform.invert(x);
  double sum = 0;
  for (std::int64_t i = 0; i < rows * columns; ++i) {
    const auto level = static_cast<double>(i * 7 % 65536);
    const double noise = x[i / columns][i % columns].item<double>() * 65536 - level;
    ASSERT_GE(noise, 0) << i;
    ASSERT_LT(noise, 1) << i;
    ASSERT_EQ(std::round(back[i / columns][i % columns].item<double>() * 65535), level);
    sum += noise;
  }
  EXPECT_NEAR(sum / static_cast<double>(rows * columns), 0.5 - 1.0 / 512, 0.015);
  EXPECT_NEAR(set.transform.log_jacobian(x)[0].item<double>(), 4 * std::log(65535.0 / 65536.0), 1e-12);
  const Learnt learnt = learnt_of(set);
  EXPECT_EQ(learnt.transform.levels, 65536);
  expect_bit_equal(rows_of(set_of({{"train", grey}}, {}, &learnt).train), x, "by a run");
}

TEST(GreyLevels, Of8BitsAreThoseOfBytes) {
  const Dataset set = set_of({{"train", grey_numbers(256, 50, 4)}}, dequantise);
  EXPECT_EQ(set.transform.levels, 256);
  EXPECT_FALSE(set.transform.to_json().contains("levels")) << "as before";
  // One part of 16 bits makes all of them such.
  const Dataset both =
      set_of({{"train", grey_numbers(256, 50, 4)}, {"test", grey_numbers(65536, 50, 4)}}, dequantise);
  EXPECT_EQ(both.transform.levels, 65536);
}

TEST(GreyLevels, BetweenLevelsAreRefusedOrTold) {
  const Array between = floats({2, 2}, {0, 1, 0.5F / 255, 1e-5F});
  expect_says(error_of(ErrorKind::data,
                       [&] {
                         set_of({{"train", between}}, dequantise);
                       }),
              {"grey levels", "65535", "row 1, column", "leave dequantise out"});
  const Learnt learnt = learnt_of(set_of({{"train", grey_numbers(256, 50, 2)}}, dequantise));
  const Dataset later = set_of({{"train", between}}, {}, &learnt);
  ASSERT_EQ(later.notes.size(), 1U);
  EXPECT_NE(later.notes[0].find("between the 256"), std::string::npos) << later.notes[0];
  EXPECT_TRUE(set_of({{"train", grey_numbers(256, 50, 2)}}, {}, &learnt).notes.empty());
}

// What the refusal of the decoder of bytes names is there, and takes these numbers.
TEST(GreyLevels, BetweenLevelsGoWithAGaussianDecoder) {
  const Dataset set = set_of({{"train", floats({2, 2}, {0.1F, 0.7F, 0.33F, 0.9F})}});
  EXPECT_EQ(set.values, ValueKind::grey);
  const Tensor x = rows_of(set.train);
  const auto automatic = make_model(settings_of({}, "vae"), set);
  expect_says(error_of(ErrorKind::data, [&] { automatic->check_data(x, "these"); }),
              {"row 0, column 0", "model.decoder=gaussian"});
  const auto gaussian = make_model(settings_of({"model.decoder=gaussian"}, "vae"), set);
  EXPECT_NO_THROW(gaussian->check_data(x, "these"));
}

}  // namespace
}  // namespace deepgen::grey_levels_test
