// What is said of a pixel: probabilities, gradients and draws of each kind of value; grey and labelled
// PixelCNNs.
//
// Each statistical check fails by chance once in a million runs of a fresh seed; the seeds are fixed.
#include "deepgen/parts/pixels/pixel_output.h"

#include "deepgen/core/observer.h"
#include "deepgen/models/autoregressive/conditional_pixelcnn.h"
#include "deepgen/tasks/tasks.h"
#include "tests/library/machines.h"

namespace deepgen::pixel_output_test {
namespace {

using namespace machines;

struct Kind {
  std::string name;
  std::unique_ptr<PixelOutput> output;
  std::int64_t levels;
};

std::vector<Kind> kinds() {
  std::vector<Kind> all;
  all.push_back({"binary", pixel_output("auto", ValueKind::binary, 256, 5), 2});
  all.push_back({"categorical", pixel_output("categorical", ValueKind::grey, 7, 5), 7});
  all.push_back({"logistic", pixel_output("auto", ValueKind::grey, 9, 3), 9});
  all.push_back({"logistic of two levels", pixel_output("logistic", ValueKind::grey, 2, 2), 2});
  return all;
}

float value_of(const Kind& kind, std::int64_t level) {
  return static_cast<float>(level) / static_cast<float>(kind.levels - 1);
}

std::vector<float> random_outputs(const PixelOutput& output, double scale, Rng& rng) {
  std::vector<float> all(size(output.outputs()));
  for (float& each : all) each = static_cast<float>(scale * rng.normal());
  return all;
}

TEST(PixelOutputs, ProbabilitiesSumToOneAndDrawsInvertThem) {
  Rng rng(1);
  for (const Kind& kind : kinds())
    for (const double scale : {0.0, 1.0, 3.0, 8.0}) {
      const std::vector<float> outputs = random_outputs(*kind.output, scale, rng);
      double sum = 0, mean = 0;
      for (std::int64_t k = 0; k < kind.levels; ++k) {
        const double p = std::exp(kind.output->log_prob(outputs.data(), value_of(kind, k)));
        // A draw at a quantile within the level's share is the level. (Bits are on below their probability.)
        const double middle = kind.name == "binary" ? (k == 1 ? p / 2 : 1 - p / 2) : sum + p / 2;
        if (p > 1e-5) {
          EXPECT_EQ(kind.output->quantile(outputs.data(), static_cast<float>(middle)), value_of(kind, k))
              << kind.name << " level " << k;
        }
        sum += p;
        mean += p * static_cast<double>(value_of(kind, k));
      }
      EXPECT_NEAR(sum, 1, 1e-9) << kind.name << " scale " << scale;
      EXPECT_NEAR(kind.output->mean(outputs.data()), mean, 1e-5) << kind.name;
    }
}

TEST(PixelOutputs, GradientsAreFiniteDifferences) {
  Rng rng(2);
  for (const Kind& kind : kinds())
    for (std::int64_t k = 0; k < kind.levels; ++k) {
      std::vector<float> outputs = random_outputs(*kind.output, 1, rng), gradient(outputs.size());
      kind.output->gradient(outputs.data(), value_of(kind, k), gradient.data());
      for (std::size_t i = 0; i < outputs.size(); ++i) {
        const float before = outputs[i];
        auto objective = [&](float moved) {
          outputs[i] = moved;
          return -kind.output->log_prob(outputs.data(), value_of(kind, k));
        };
        const float above = before + 0.01F, below = before - 0.01F;
        const double slope =
            (objective(above) - objective(below)) / (static_cast<double>(above) - static_cast<double>(below));
        outputs[i] = before;
        EXPECT_NEAR(gradient[i], slope, 2e-3 * std::max(1.0, std::abs(slope)))
            << kind.name << " output " << i;
      }
    }
}

TEST(PixelOutputs, StayFiniteFarOut) {
  const auto output = pixel_output("logistic", ValueKind::grey, 256, 2);
  std::vector<float> gradient(6);
  for (const float mean : {-30.0F, 0.0F, 0.99F, 30.0F})
    for (const float log_scale : {-50.0F, -7.0F, 0.0F, 20.0F})
      for (const float level : {0.0F, 100.0F, 255.0F}) {
        const std::vector<float> outputs = {0, -90, mean, 0, log_scale, 0};
        const double log_prob = output->log_prob(outputs.data(), level / 255);
        EXPECT_TRUE(std::isfinite(log_prob)) << mean << " " << log_scale << " " << level;
        EXPECT_LE(log_prob, 1e-12);
        output->gradient(outputs.data(), level / 255, gradient.data());
        for (const float each : gradient) EXPECT_TRUE(std::isfinite(each)) << mean << " " << log_scale;
      }
}

TEST(PixelOutputs, BaseOutputsSayTheValuesTheyAreGiven) {
  Rng rng(3);
  for (const Kind& kind : kinds()) {
    if (kind.name == "logistic of two levels") continue;  // two equal components cannot say a quarter
    Tensor values = at::empty({4000});
    for (std::int64_t i = 0; i < 4000; ++i)
      values[i] = value_of(kind, rng.below(4) == 0 ? kind.levels - 1 : 0);
    const Tensor outputs = kind.output->base_outputs(values).contiguous();
    ASSERT_EQ(outputs.numel(), kind.output->outputs()) << kind.name;
    EXPECT_NEAR(kind.output->mean(outputs.data_ptr<float>()), 0.25, 0.15) << kind.name;
  }
}

TEST(PixelOutputs, RefuseOtherValues) {
  const auto grey = pixel_output("auto", ValueKind::grey, 256, 5);
  Tensor x = at::full({2, 3}, 7 / 255.0);
  grey->check(x, "model", "rows", 0);
  x[1][2] = 0.501;
  expect_says(error_of(ErrorKind::data, [&] { grey->check(x, "model", "rows", 5); }),
              {"[rows]", "256 grey levels", "row 6, column 2"});
  expect_says(error_of(ErrorKind::data, [&] { pixel_output("auto", ValueKind::real, 256, 5); }),
              {"binary or grey", "real"});
}

PixelCnnOptions small_options(const std::string& pixels, std::int64_t levels) {
  PixelCnnOptions options;
  options.channels = 4, options.blocks = 3, options.first_kernel = 5, options.head = 6;
  options.pixels = pixels, options.levels = levels, options.mixture = 2;
  return options;
}

// All pictures of n pixels with this many levels, level 0 to levels - 1 as values from 0 to 1.
Tensor all_pictures(std::int64_t n, std::int64_t levels) {
  std::int64_t count = 1;
  for (std::int64_t i = 0; i < n; ++i) count *= levels;
  Tensor all = at::empty({count, n});
  for (std::int64_t s = 0; s < count; ++s)
    for (std::int64_t i = 0, left = s; i < n; ++i, left /= levels)
      all.data_ptr<float>()[s * n + i] = static_cast<float>(left % levels) / static_cast<float>(levels - 1);
  return all;
}

// Of pictures of 2 x 3 pixels with three levels.
void expect_sums_and_samples(PixelCnn& model, const std::string& what) {
  Rng rng(5);
  randomise(model, 0.8, rng);
  Doubles p;
  double sum = 0;
  for (const double each : doubles(model.log_prob(all_pictures(6, 3))))
    p.push_back(std::exp(each)), sum += p.back();
  EXPECT_NEAR(sum, 1, 1e-5) << what;
  std::vector<std::int64_t> draws(20000);
  const Tensor samples = model.sample(20000, rng);
  for (std::int64_t r = 0; r < 20000; ++r)
    for (std::int64_t i = 5; i >= 0; --i)
      draws[size(r)] = 3 * draws[size(r)] + std::lround(2 * samples.data_ptr<float>()[r * 6 + i]);
  EXPECT_LT(chi_square_z(draws, p), one_in_a_million) << what;
}

TEST(GreyPixelCnn, ProbabilitiesSumToOneAndSamplesFollowThem) {
  for (const std::string pixels : {"categorical", "logistic"}) {
    const PixelCnnOptions options = small_options(pixels, 3);
    PixelCnn plain(options, {}, {6, {2, 3}, 0, ValueKind::grey, {}});
    expect_sums_and_samples(plain, pixels);
    ConditionalPixelCnn labelled(options, {}, {6, {2, 3}, 2, ValueKind::grey, {}});
    expect_sums_and_samples(labelled, pixels + " given labels");
  }
}

class LabelledPixels : public ::testing::Test {
 protected:
  void SetUp() override {
    Rows batch{bits_tensor(60, 9, rng, 0.3), at::arange(60, at::kLong).remainder(5).clamp_max(2)};
    model.initialise(batch, rng);
    randomise(model, 0.9, rng);
    for (const double each : doubles(model.log_prob(states))) p.push_back(std::exp(each));
  }
  Rng rng{7};
  static DataShape pictures(std::int64_t classes) { return {9, {3, 3}, classes, ValueKind::binary, {}}; }
  ConditionalPixelCnn model{small_options("auto", 2), {}, pictures(3)};
  const Tensor states = all_states(9);
  Doubles p;
};

TEST_F(LabelledPixels, SamplesGivenALabelFollowBayesRule) {
  const Tensor posterior = model.log_class_probs(states).exp();  // p(y | x)
  const Doubles prior = {13.0 / 63, 13.0 / 63, 37.0 / 63};
  for (std::int64_t y = 0; y < 3; ++y) {
    Doubles given = doubles(posterior.select(1, y));
    double sum = 0;
    for (std::size_t s = 0; s < given.size(); ++s) sum += given[s] *= p[s] / prior[size(y)];
    EXPECT_NEAR(sum, 1, 1e-4) << "label " << y;  // so p(x | y) sums to one, and p(y) is the prior
    expect_drawn_from(model.sample_given(at::full({20000}, y, at::kLong), rng), given,
                      "label " + std::to_string(y));
  }
  expect_drawn_from(model.sample(20000, rng), p, "labels drawn too");
}

TEST_F(LabelledPixels, ChainLeavesTheConditionalUnchanged) {
  for (const std::int64_t mask : {0b100010100, 0b000001111}) {
    Doubles given(p.size());
    double sum = 0;
    for (std::size_t s = 0; s < p.size(); ++s)
      if ((static_cast<std::int64_t>(s) & mask) == (0b101100110 & mask)) sum += given[s] = p[s];
    for (double& each : given) each /= sum;
    Tensor known = at::zeros({9}, at::kBool);
    for (std::int64_t i = 0; i < 9; ++i) known[i] = (mask >> i & 1) != 0;
    const Tensor start = exact_samples(given, 9, 12000, rng);
    const Tensor end = model.clamped_steps(start, 2, known.expand({12000, 9}), rng);
    expect_drawn_from(end, given, "mask " + std::to_string(mask));
    EXPECT_TRUE(at::where(known, end, start).equal(start));
  }
}

// p(y) comes from labels alone, and scores are p(x) whatever is known of them.
TEST_F(LabelledPixels, LabelsOfScoredRowsPlayNoPart) {
  const Tensor y = at::zeros({states.size(0)}, at::kLong);
  expect_bit_equal(model.log_prob({states, y}), model.log_prob(states), "log p(x)");
  expect_bit_equal(model.log_class_probs({states, y}), model.log_class_probs(states), "log p(y | x)");
  EXPECT_TRUE(model.has_label_distribution());
  EXPECT_EQ(needed_classes(model), 0);
}

// Dark and light pictures: the best classifier errs on 3 % of them.
TEST(LabelledPixelsTraining, TellsClassesApart) {
  ConditionalPixelCnn model{small_options("auto", 2), {}, {4, {2, 2}, 2, ValueKind::binary, {}}};
  Rng rng(3);
  const Tensor y = at::arange(400, at::kLong).remainder(2), flips = bits_tensor(400, 4, rng, 0.1);
  const Rows rows{(y.unsqueeze(1).to(at::kFloat) - flips).abs(), y};
  model.initialise(rows, rng);
  const auto error = [&] {
    return (model.log_class_probs(rows).argmax(1) != rows.y).to(at::kFloat).mean().item<double>();
  };
  EXPECT_GT(error(), 0.3);
  NoGradGuard no_graph;
  for (int step = 0; step < 300; ++step) {
    model.gradients(rows, Turn{}, rng);
    for (Tensor each : model.parameters()) each.sub_(each.grad(), 0.3);
  }
  EXPECT_LT(error(), 0.15);
}

TEST_F(LabelledPixels, NeedsLabels) {
  const Tensor partly = at::arange(states.size(0), at::kLong).remainder(4) - 1;  // every fourth is unknown
  for (const auto& train : {std::function<void()>([&] {
                              model.initialise({states, partly}, rng);
                            }),
                            std::function<void()>([&] {
                              model.gradients({states, partly}, Turn{}, rng);
                            })})
    expect_says(error_of(ErrorKind::data, train), {"conditional_pixelcnn", "128 of 512", "pixelcnn"});
  expect_says(error_of(ErrorKind::data, [&] { model.initialise({states, {}}, rng); }), {"label"});
  expect_says(error_of(ErrorKind::data, [&] { model.gradients({states, {}}, Turn{}, rng); }), {"label"});
  expect_says(error_of(ErrorKind::data,
                       [&] {
                         ConditionalPixelCnn none{small_options("auto", 2), {}, pictures(0)};
                       }),
              {"labels", "pixelcnn"});
  for (const std::int64_t wrong : {-1, 99})
    expect_says(error_of(ErrorKind::data, [&] { model.sample_given(at::full({4}, wrong, at::kLong), rng); }),
                {"labels", std::to_string(wrong)});
  for (const auto& item : model.named_parameters()) {
    EXPECT_EQ(model.decays(item.key(), item.value()), item.key().ends_with("weight")) << item.key();
  }
}

}  // namespace
}  // namespace deepgen::pixel_output_test
