// Laws of the unit algebra, kind by kind, against sums and integrals of the density's definition.
#include "deepgen/parts/units/unit_layer.h"

#include "deepgen/parts/units/unit_functions.h"
#include "tests/library/machines.h"

namespace deepgen::units_test {
namespace {

using namespace machines;

constexpr std::int64_t copies = 6;

// One unit (or one softmax group of four) of every kind.
UnitLayer layer_of(UnitKind kind) {
  return UnitLayer::of(kind, kind == UnitKind::softmax ? 4 : 1, 4, copies);
}

std::vector<UnitKind> all_kinds() {
  std::vector<UnitKind> kinds;
  for (const std::string& name : unit_kind_names()) kinds.push_back(unit_kind(name, "test"));
  return kinds;
}

std::string name_of(UnitKind kind) { return unit_kind_names()[static_cast<std::size_t>(kind)]; }

// Values of the unit with their share of the sum or integral: log of the cell's width, 0 for discrete ones.
struct Support {
  Tensor x;  // [S, N] float64
  double log_width = 0;
};

Support support_of(UnitKind kind) {
  switch (kind) {
    case UnitKind::binary:
      return {at::arange(2, at::kDouble).unsqueeze(1)};
    case UnitKind::softmax:
      return {at::eye(4, at::kDouble)};
    case UnitKind::stepped:
      return {at::arange(copies + 1, at::kDouble).unsqueeze(1)};
    case UnitKind::rectified:
    case UnitKind::count:
      return {at::arange(200, at::kDouble).unsqueeze(1)};
    case UnitKind::mean_field: {
      const std::int64_t cells = 20000;
      return {((at::arange(cells, at::kDouble) + 0.5) / static_cast<double>(cells)).unsqueeze(1),
              -std::log(static_cast<double>(cells))};
    }
    case UnitKind::gaussian: {
      const std::int64_t cells = 60000;
      const double width = 60.0 / static_cast<double>(cells);
      return {((at::arange(cells, at::kDouble) + 0.5) * width - 30).unsqueeze(1), std::log(width)};
    }
  }
  return {};
}

Tensor activations(UnitKind kind, double a) {
  Tensor row = at::full({1, kind == UnitKind::softmax ? 4 : 1}, a, at::kDouble);
  if (kind == UnitKind::softmax) row = row * at::tensor({0.3, -1.0, 0.6, 0.1}, at::kDouble);
  return row;
}

const Tensor precision_of(UnitKind kind, std::int64_t n) {
  return kind == UnitKind::gaussian ? at::full({n}, 1.7, at::kDouble) : Tensor();
}

TEST(Units, LogPartitionIsTheLogOfTheSumOverAllValues) {
  for (const UnitKind kind : all_kinds())
    for (const double a : {-6.0, -0.7, 0.0, 1e-5, 0.4, 3.0, 4.5}) {
      const UnitLayer layer = layer_of(kind);
      const Tensor row = activations(kind, a), gamma = precision_of(kind, row.size(1));
      const Support support = support_of(kind);
      const Tensor weights = layer.log_weight(support.x, row.squeeze(0), gamma) + support.log_width;
      EXPECT_NEAR(layer.log_partition(row, gamma).item<double>(), at::logsumexp(weights, 0).item<double>(),
                  2e-6)
          << name_of(kind) << " at " << a;
    }
}

TEST(Units, DerivativesOfLogPartitionAreMeanAndVariance) {
  constexpr double step = 1e-4;
  for (const UnitKind kind : all_kinds())
    for (const double a : {-5.0, -0.3, 0.0, 0.9, 4.2}) {
      const UnitLayer layer = layer_of(kind);
      const Tensor row = activations(kind, a), gamma = precision_of(kind, row.size(1));
      const Support support = support_of(kind);
      const Tensor p = (layer.log_weight(support.x, row.squeeze(0), gamma)).softmax(0);
      const Tensor mean = p.unsqueeze(0).mm(support.x), square = p.unsqueeze(0).mm(support.x.square());
      expect_near(doubles(layer.mean(row, gamma)), doubles(mean), 5e-5, name_of(kind) + " mean");
      for (std::int64_t j = 0; j < row.size(1); ++j) {
        Tensor up = row.clone(), down = row.clone();
        up.select(1, j).add_(step), down.select(1, j).sub_(step);
        const double high = layer.log_partition(up, gamma).item<double>(),
                     middle = layer.log_partition(row, gamma).item<double>(),
                     low = layer.log_partition(down, gamma).item<double>();
        const double m = mean[0][j].item<double>(), v = square[0][j].item<double>() - m * m;
        EXPECT_NEAR((high - low) / (2 * step), m, 1e-6 * (1 + std::abs(m))) << name_of(kind) << " at " << a;
        EXPECT_NEAR((high - 2 * middle + low) / (step * step), v, 1e-4 * (1 + v))
            << name_of(kind) << " at " << a;
      }
    }
}

// Mean and variance of 200,000 draws; with 90 checks at 5 standard errors a false alarm is rarer than 1e-4.
TEST(Units, SamplesHaveTheMeanAndVarianceOfTheDensity) {
  constexpr std::int64_t draws = 200000;
  Rng rng(5);
  for (const UnitKind kind : all_kinds())
    for (const double a : {-3.0, 0.0, 0.8, 2.9}) {
      const UnitLayer layer = layer_of(kind);
      const Tensor row = activations(kind, a);
      const Tensor gamma = precision_of(kind, row.size(1));
      const Support support = support_of(kind);
      const Tensor p = layer.log_weight(support.x, row.squeeze(0), gamma).softmax(0);
      const Tensor x = layer.sample(row.to(at::kFloat).expand({draws, row.size(1)}).contiguous(),
                                    gamma.defined() ? gamma.to(at::kFloat) : gamma, rng);
      layer.check(x, "test", name_of(kind), 0);
      for (std::int64_t j = 0; j < row.size(1); ++j) {
        const Tensor s = support.x.select(1, j), d = x.select(1, j).to(at::kDouble);
        const double m = p.dot(s).item<double>(), v = p.dot((s - m).square()).item<double>();
        const double fourth = p.dot((s - m).pow(4)).item<double>();
        const double n = static_cast<double>(draws);
        EXPECT_NEAR(d.mean().item<double>(), m, 5 * std::sqrt(v / n) + 1e-6) << name_of(kind) << " at " << a;
        EXPECT_NEAR((d - m).square().mean().item<double>(), v, 5 * std::sqrt((fourth - v * v) / n) + 1e-5)
            << name_of(kind) << " at " << a;
      }
    }
}

TEST(Units, LargeCountsAreDrawnFromThePoissonLaw) {
  Rng rng(6);
  const double mean = 37.5;
  const Tensor a = at::full({100000, 1}, std::log(mean));
  const Tensor x = poisson_sample(a, rng).to(at::kLong).flatten();
  std::vector<std::int64_t> draws(x.data_ptr<std::int64_t>(), x.data_ptr<std::int64_t>() + x.numel());
  Doubles p;
  for (int k = 0; k < 200; ++k) p.push_back(std::exp(k * std::log(mean) - mean - std::lgamma(k + 1.0)));
  EXPECT_LT(chi_square_z(draws, p), one_in_a_million);
}

TEST(Units, SteppedUnitsCountTiedBinaryCopies) {
  Rng rng(7);
  const double a = 1.3;
  const Tensor rows = at::full({100000, 1}, a);
  const Tensor x = steps_sample(rows, copies, rng).to(at::kLong).flatten();
  Doubles p(copies + 1);
  for (std::int64_t s = 0; s < std::int64_t{1} << copies; ++s) {
    double prob = 1;
    std::size_t on = 0;
    for (std::int64_t k = 0; k < copies; ++k) {
      const double up = 1 / (1 + std::exp(-(a - real(k) - 0.5)));
      prob *= (s >> k & 1) ? up : 1 - up;
      on += static_cast<std::size_t>(s >> k & 1);
    }
    p[on] += prob;
  }
  std::vector<std::int64_t> draws(x.data_ptr<std::int64_t>(), x.data_ptr<std::int64_t>() + x.numel());
  EXPECT_LT(chi_square_z(draws, p), one_in_a_million);
  // and the closed form of the same law
  const Tensor base = steps_log_base(at::arange(copies + 1, at::kDouble), copies);
  const Tensor closed = (base + a * at::arange(copies + 1, at::kDouble)).softmax(0);
  expect_near(doubles(closed), p, 1e-12, "q-binomial");
}

// Nair and Hinton 2010, section 2: max(0, a + n), n of variance sigmoid(a), stands in for endlessly many
// copies. Its mean is right away from zero and up to 0.42 too small near it.
TEST(Units, RectifiedSamplesApproachManySteppedCopies) {
  Rng rng(8);
  const UnitLayer layer = UnitLayer::of(UnitKind::rectified, 1);
  double worst = 0;
  for (const double a : {-8.0, -5.0, -2.0, 0.0, 1.0, 3.0, 6.0, 10.0}) {
    const Tensor rows = at::full({200000, 1}, a);
    Tensor noisy = at::empty_like(rows);
    layer.activate(rows, {at::zeros({1}), {}, {}}, 1, rng, {.sample = noisy}, true);
    const double gap =
        steps_mean(at::full({1, 1}, a, at::kDouble), 0).item<double>() - noisy.mean().item<double>();
    worst = std::max(worst, std::abs(gap));
    if (std::abs(a) >= 5) {
      EXPECT_LT(std::abs(gap), 0.02) << a;
    }
  }
  EXPECT_GT(worst, 0.35);  // it is an approximation, and the docs say how good
  EXPECT_LT(worst, 0.45);
  const Tensor a = at::linspace(-6, 20, 200, at::kDouble).unsqueeze(0);
  EXPECT_LT((steps_mean(a, 0) - steps_mean(a, 60)).abs().max().item<double>(), 1e-12);
  EXPECT_LT((steps_mean(a, 0) - at::softplus(a)).abs().max().item<double>(), 0.011);
}

TEST(Units, RectifiedCodesAreEquivariantToScale) {
  RbmOptions options;
  options.hidden = 7, options.hidden_units = "rectified";
  Rbm rbm(options, {}, UnitLayer::of(UnitKind::gaussian, 5));
  Rng rng(9);
  rbm.initialise({normal_tensor({50, 5}, 1, rng), {}}, rng);
  randomise(rbm, 0.7, rng);
  {
    NoGradGuard no_graph;
    rbm.hidden_bias.zero_();
  }
  const Tensor v = normal_tensor({20, 5}, 1, rng);
  EXPECT_LT((rbm.encode(v * 3.5) - rbm.encode(v) * 3.5).abs().max().item<double>(), 1e-5);
  EXPECT_GT((rbm.encode(v * 3.5) - rbm.encode(v)).abs().max().item<double>(), 0.1);
}

TEST(Units, RowsThatUnitsCannotTakeAreRefusedByRowAndColumn) {
  const std::vector<std::pair<UnitKind, float>> bad = {
      {UnitKind::binary, 0.5F},      {UnitKind::mean_field, 1.5F}, {UnitKind::stepped, 7.0F},
      {UnitKind::stepped, 1.5F},     {UnitKind::rectified, -1.0F}, {UnitKind::count, 2.5F},
      {UnitKind::gaussian, INFINITY}};
  for (const auto& [kind, value] : bad) {
    const UnitLayer layer = UnitLayer::of(kind, 3, 2, copies);
    Tensor x = at::zeros({4, 3});
    x[2][1] = value;
    expect_says(error_of(ErrorKind::data, [&] { layer.check(x, "rbm", "file", 100); }),
                {"file", "row 102", "column 1"});
    x[2][1] = std::numeric_limits<float>::quiet_NaN();
    EXPECT_NO_THROW(layer.check(x, "rbm", "file", 0)) << name_of(kind);
  }
  const UnitLayer groups = UnitLayer::of(UnitKind::softmax, 4, 2);
  Tensor x = at::tensor({1.0F, 0.0F, 0.0F, 1.0F}).view({1, 4});
  EXPECT_NO_THROW(groups.check(x, "rbm", "file", 0));
  x[0][0] = 0;
  expect_says(error_of(ErrorKind::data, [&] { groups.check(x, "rbm", "file", 5); }),
              {"one-hot", "columns 0 to 1", "row 5"});
  x[0][0] = 1, x[0][1] = 1;
  expect_says(error_of(ErrorKind::data, [&] { groups.check(x, "rbm", "file", 5); }), {"one-hot", "row 5"});
}

// What else could be set is for the caller to say: a layer knows no model.
TEST(Units, RefusedBitsComeWithTheHintOfTheCaller) {
  const UnitLayer layer = UnitLayer::of(UnitKind::binary, 2);
  const Tensor x = at::full({1, 2}, 0.5);
  const std::string plain = error_of(ErrorKind::data, [&] { layer.check(x, "rbm", "file", 0); });
  EXPECT_EQ(plain.find("model."), std::string::npos) << plain;
  expect_says(plain, {"binarize"});
  expect_says(error_of(ErrorKind::data, [&] { layer.check(x, "rbm", "file", 0, "choose others"); }),
              {"binarize", " or choose others"});
}

// Layers of every kind, and one with several; units that draw as many numbers as they need come last.
std::vector<std::pair<std::string, UnitLayer>> all_layers() {
  std::vector<std::pair<std::string, UnitLayer>> all;
  for (const UnitKind kind : all_kinds()) all.emplace_back(name_of(kind), UnitLayer::of(kind, 6, 3, copies));
  all.emplace_back("mixed", UnitLayer({{UnitKind::binary, 0, 2},
                                       {UnitKind::softmax, 2, 3},
                                       {UnitKind::gaussian, 5, 2},
                                       {UnitKind::count, 7, 1},
                                       {UnitKind::mean_field, 8, 1},
                                       {UnitKind::rectified, 9, 2}}));
  return all;
}

// theta [B, N], and gamma where the layer has a precision.
NaturalParameters biases_by_row(const UnitLayer& layer, std::int64_t rows, Rng& rng) {
  NaturalParameters p{normal_tensor({rows, layer.size()}, 0.8, rng), {}, {}};
  const Tensor gaussian = layer.columns_of(UnitKind::gaussian);
  if (layer.any(UnitKind::gaussian)) p.gamma = at::ones({layer.size()}).masked_fill(gaussian, 1.7);
  return p;
}

// A bias that differs from row to row: every row is what the layer with that bias alone makes of it. All rows
// of the layer are evaluated each time, since a draw depends on its place.
TEST(Units, BiasesByRowAreThoseOfEachRowAlone) {
  constexpr std::int64_t rows = 7;
  Rng rng(10);
  for (const auto& [name, layer] : all_layers())
    for (const bool coupled : {false, true})
      for (const bool noisy : {false, true}) {
        const Tensor input = normal_tensor({rows, layer.size()}, 1, rng);
        NaturalParameters p = biases_by_row(layer, rows, rng);
        if (coupled) p.couple = normal_tensor({layer.size()}, 0.3, rng).abs() + 0.5;
        auto activated = [&](const Tensor& theta) {
          LayerOutputs out{at::empty_like(input), at::empty_like(input)};
          Rng own(11);
          layer.activate(input, {theta, p.gamma, p.couple}, 0.7, own, out, noisy);
          return out;
        };
        const LayerOutputs together = activated(p.theta);
        EXPECT_FALSE(at::allclose(together.mean, activated(p.theta[0]).mean, 1e-3, 1e-3)) << name;
        for (std::int64_t r = 0; r < rows; ++r) {
          const LayerOutputs alone = activated(p.theta[r]);
          expect_near(doubles(together.mean[r]), doubles(alone.mean[r]), 1e-5, name + " mean");
          expect_near(doubles(together.sample[r]), doubles(alone.sample[r]), 1e-4, name + " sample");
        }
      }
}

TEST(Units, ScoresOfBiasesByRowAreThoseOfEachRowAlone) {
  constexpr std::int64_t rows = 7;
  Rng rng(12);
  for (const auto& [name, layer] : all_layers()) {
    const NaturalParameters p = biases_by_row(layer, rows, rng);
    const Tensor x = layer.sample(p.theta, p.gamma, rng), mean = layer.mean(p.theta, p.gamma),
                 partition = layer.log_partition(p.theta, p.gamma),
                 weight = layer.log_weight(x, p.theta, p.gamma);
    ASSERT_EQ(partition.sizes(), at::IntArrayRef({rows})) << name;
    for (std::int64_t r = 0; r < rows; ++r) {
      const Tensor a = p.theta[r];  // [N]: one row
      expect_near(doubles(mean[r]), doubles(layer.mean(a, p.gamma)), 1e-5, name + " mean");
      EXPECT_NEAR(partition[r].item<double>(), layer.log_partition(a, p.gamma).item<double>(), 1e-5) << name;
      EXPECT_NEAR(weight[r].item<double>(), layer.log_weight(x.narrow(0, r, 1), a, p.gamma).item<double>(),
                  1e-5)
          << name;
      Rng one(13);
      EXPECT_EQ(layer.sample(a, p.gamma, one).sizes(), at::IntArrayRef({1, layer.size()})) << name;
    }
  }
}

// So many rows that torch shares every part's elements out among threads, and an odd number of them.
TEST(Units, LogPartitionsAreEqualOnAnyNumberOfThreads) {
  constexpr std::int64_t rows = 32771;
  Rng rng(14);
  for (const auto& [name, layer] : all_layers()) {
    const NaturalParameters p = biases_by_row(layer, rows, rng);
    auto results = [&, &units = layer](int count) {
      const Threads threads(count);
      return std::vector<Tensor>{units.log_partition_terms(p.theta, p.gamma),
                                 units.log_partition(p.theta, p.gamma), binary_mean(p.theta.to(at::kDouble))};
    };
    const std::vector<Tensor> one = results(1), four = results(4);
    expect_bit_equal(one[0], four[0], name + " terms");
    expect_bit_equal(one[1], four[1], name + " log partition");
    expect_bit_equal(one[2], four[2], name + " sigmoid");
  }
}

TEST(Units, MomentsAndNaturalParametersAgree) {
  for (const UnitKind kind : all_kinds()) {
    if (kind == UnitKind::softmax) continue;
    const UnitLayer layer = UnitLayer::of(kind, 3, 2, copies);
    const Tensor mean = at::tensor({0.2, 0.5, 0.9}, at::kDouble),
                 variance = at::tensor({0.5, 1.0, 2.0}, at::kDouble);
    const NaturalParameters p = layer.at_moments(mean, variance);
    expect_near(doubles(layer.mean(p.theta, p.gamma)), doubles(mean), 1e-4, name_of(kind));
  }
}

}  // namespace
}  // namespace deepgen::units_test
