// Variational autoencoders of rows with gaps: the bound of what is known, its gradient, and what the encoder is
// told. (bound_laws_test.cpp: samples and completions of the small case with a column that marks gaps.)
//
// Statistical checks fail by chance once in a million runs of a fresh seed; the seeds are fixed.
#include "tests/library/small_vaes.h"

namespace deepgen::vae_gaps_test {
namespace {

using namespace machines;
using small_vaes::gradients_of;

// A category of three, a bit that marks its gaps, two bits, a category of two.
DataShape table() {
  return {.columns = 8,
          .shape = {8},
          .values = ValueKind::mixed,
          .groups = {{ColumnKind::softmax, 0, 3},
                     {ColumnKind::binary, 3, 1, true},
                     {ColumnKind::binary, 4, 2},
                     {ColumnKind::softmax, 6, 2}}};
}

std::shared_ptr<Vae> make_vae(VaeOptions options, const VaeLearning& learning, double scale) {
  options.hidden = "6,4";
  auto vae = std::make_shared<Vae>(options, learning, table());
  Rng rng(3);
  vae->initialise(rows_of_shape(table(), 50, rng), rng);
  randomise(*vae, scale, rng);
  // A wide q: weights of a narrow one may have no variance.
  NoGradGuard no_graph;
  for (auto& item : vae->named_parameters())
    if (item.key().starts_with("encoder.mean") || item.key().starts_with("encoder.log_variance"))
      item.value().mul_(0.1);
  return vae;
}

struct Range {
  std::int64_t first, size;
};
const std::vector<std::vector<Range>> patterns = {{},       {{3, 1}}, {{0, 3}, {3, 1}}, {{0, 4}, {5, 1}},
                                                  {{4, 4}}, {{0, 8}}};

Tensor without(const Tensor& x, const std::vector<Range>& gaps) {
  Tensor holes = x.clone();
  for (const Range& gap : gaps) holes.narrow(1, gap.first, gap.size).fill_(std::nanf(""));
  return holes;
}

// log p(known) of a row by the integral over one latent unit, from the decoded means.
double log_prob_by_integral(const Vae& vae, const Tensor& row) {
  constexpr std::int64_t points = 4001;
  const Tensor z = at::linspace(-10, 10, points, at::kDouble);
  const Tensor m = vae.decode(z.to(at::kFloat).unsqueeze(1)).to(at::kDouble), x = row.to(at::kDouble);
  Tensor sum = (z.square() + std::log(2 * M_PI)) * -0.5;
  for (std::int64_t j = 0; j < 8; ++j) {
    if (std::isnan(x[0][j].item<double>())) continue;
    const double value = x[0][j].item<double>();
    const bool bit = j >= 3 && j < 6;
    if (value == 1) sum = sum + m.select(1, j).log();
    if (value == 0 && bit) sum = sum + (-m.select(1, j)).log1p();
  }
  return at::logsumexp(sum, 0).item<double>() + std::log(20.0 / (points - 1));
}

TEST(VaeGaps, WeightsHaveTheProbabilityOfWhatIsKnownAsTheirMean) {
  for (const char* told : {"auto", "never"}) {
    VaeOptions options;
    options.latent = 1, options.gap_inputs = told;
    const auto vae = make_vae(options, {}, 0.8);
    Rng rng(5);
    const Tensor rows = rows_of_shape(table(), 2, rng);
    for (const auto& gaps : patterns)
      for (std::int64_t r = 0; r < 2; ++r) {
        const Tensor x = without(rows.narrow(0, r, 1), gaps);
        const double exact = log_prob_by_integral(*vae, x);
        const Tensor p = vae->log_prob_bound(x.repeat({60, 1}), 1000, rng).exp();
        const double error = p.std().item<double>() / std::sqrt(60.0);
        EXPECT_NEAR(p.mean().item<double>(), std::exp(exact), one_in_a_million * error + 1e-5) << told;
        const Tensor bound = vae->log_prob_bound(x.repeat({2000, 1}), 1, rng);
        const double noise = bound.std().item<double>() / std::sqrt(2000.0);
        EXPECT_LT(bound.mean().item<double>(), exact + one_in_a_million * noise + 1e-5) << told;
      }
  }
}

// Along a random direction in each parameter, with the same noise on both sides.
TEST(VaeGaps, GradientsEqualFiniteDifferences) {
  Rng cells(13);
  std::vector<Tensor> parts;
  for (const auto& gaps : patterns) parts.push_back(without(rows_of_shape(table(), 2, cells), gaps));
  const Tensor x = at::cat(parts);
  for (const std::int64_t variant : {0, 1, 2, 3}) {
    VaeLearning learning;
    learning.samples = 2, learning.importance = variant % 2 == 0 ? 1 : 5;
    VaeOptions options;
    options.latent = 3;
    if (variant >= 2) options.prior = "vamp", options.prior_components = 3;
    if (variant == 3) options.gap_inputs = "never";
    const auto vae = make_vae(options, learning, 0.5);
    const Turn turn{.step = 24, .steps = 100};
    const auto loss = [&] {
      Rng same(21);
      return -vae->gradients(x, turn, same).front().second;
    };
    Rng directions(5);
    expect_slopes(*vae, loss, directions, 4e-3, 2e-3, 2e-3, "variant " + std::to_string(variant));
  }
}

std::int64_t encoder_inputs(const Vae& vae) {
  return vae.named_parameters()["encoder.body.layer0.weight"].size(0);
}

// Tables without gaps, and pictures, have the encoders that they had before there were gaps.
TEST(VaeGaps, EncodersAreToldOfGapsWhereTheDataMarkThemOrItIsAsked) {
  VaeOptions options;
  EXPECT_EQ(encoder_inputs(Vae(options, {}, bits_shape(7))), 7);
  EXPECT_EQ(encoder_inputs(Vae(options, {}, table())), 8 + 4);
  options.gap_inputs = "always";
  EXPECT_EQ(encoder_inputs(Vae(options, {}, bits_shape(7))), 14);
  options.gap_inputs = "never";
  EXPECT_EQ(encoder_inputs(Vae(options, {}, table())), 8);
  options.gap_inputs = "always", options.network = "convolutional";
  expect_says(error_of(ErrorKind::usage, [&] { options.check(); }), {"model.gap_inputs", "convolutional"});
}

TEST(VaeGaps, EncodersSeeWhatIsThereAndNoMarks) {
  const auto vae = make_vae({}, {}, 0.8);
  ASSERT_TRUE(vae->encodes_gaps());
  Rng rng(7);
  const Tensor x = rows_of_shape(table(), 9, rng), code = vae->encode(x);
  Tensor other = x.clone();
  other.select(1, 3).mul_(-1).add_(1);
  expect_bit_equal(vae->encode(other), code, "another mark");
  expect_bit_equal(vae->encode(without(x, {{3, 1}})), code, "no mark");
  EXPECT_FALSE(at::equal(vae->encode(without(x, {{4, 1}})), code));
  Tensor zero = x.clone();
  zero.select(1, 4).fill_(0);
  EXPECT_FALSE(at::equal(vae->encode(without(x, {{4, 1}})), vae->encode(zero))) << "a gap is no zero";
}

TEST(VaeGaps, ACategoryIsMissingAsAWhole) {
  const auto vae = make_vae({}, {}, 0.8);
  Rng rng(7);
  const Tensor x = rows_of_shape(table(), 9, rng);
  for (const auto& gaps : patterns) vae->check_data(without(x, gaps), "file");
  expect_says(error_of(ErrorKind::data,
                       [&] {
                         vae->check_data(without(x, {{1, 1}}), "file", 10);
                       }),
              {"file", "exactly one", "row 10"});
}

}  // namespace
}  // namespace deepgen::vae_gaps_test
