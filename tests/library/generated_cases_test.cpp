// What a generator of a table makes of its numbers: draws that let gradients through against plain softmax
// and sigmoid, their limits, samples, and where means begin.
//
// Statistical checks fail by chance once in a million runs of a fresh seed; the seeds are fixed.
#include "deepgen/models/adversarial/generated_cases.h"

#include "deepgen/ops/binary_units.h"
#include "tests/library/machines.h"

namespace deepgen::generated_cases_test {
namespace {

using namespace machines;

constexpr std::int64_t columns = 9;
constexpr double five_deviations = 5;

DataShape table() {
  return {columns,
          {columns},
          0,
          ValueKind::mixed,
          {{ColumnKind::softmax, 0, 3},
           {ColumnKind::binary, 3, 1},
           {ColumnKind::gaussian, 4, 1},
           {ColumnKind::softmax, 5, 2},
           {ColumnKind::binary, 7, 1},
           {ColumnKind::mean_field, 8, 1}}};
}

// The same case in torch's own operations and float64, from the uniform numbers that `rng` gives next.
Tensor plain_case(const Tensor& a, double temperature, Rng& rng) {
  const Tensor u = uniform(a.size(0), columns, rng.next()).to(at::kDouble).clamp_min(1e-9);
  const Tensor gumbel = -(-u.log()).log(), logistic = u.log() - at::log1p(-u);
  const auto part = [&](const Tensor& x, std::int64_t first, std::int64_t size) {
    return x.narrow(1, first, size);
  };
  const auto category = [&](std::int64_t first, std::int64_t size) {
    return ((part(a, first, size) + part(gumbel, first, size)) / temperature).softmax(1);
  };
  const auto bit = [&](std::int64_t j) {
    return ((part(a, j, 1) + part(logistic, j, 1)) / temperature).sigmoid();
  };
  return at::cat({category(0, 3), bit(3), part(a, 4, 1), category(5, 2), bit(7), part(a, 8, 1).sigmoid()}, 1);
}

TEST(GeneratedCases, RelaxedDrawsAndTheirGradientsAreThoseOfTheirEquations) {
  const GeneratedCases cases("gan", table());
  Rng rng(3);
  const Tensor start = normal_tensor({40, columns}, 1.5, rng), weights = normal_tensor({40, columns}, 1, rng);
  for (const double temperature : {0.2, 0.7, 2.0}) {
    Rng ours(5), plain(5);
    const Tensor a = start.clone().requires_grad_(), wide = start.to(at::kDouble).requires_grad_();
    const Tensor x = cases.relaxed(a, temperature, ours), wanted = plain_case(wide, temperature, plain);
    expect_near(doubles(x), doubles(wanted), 2e-5, "values");
    (x * weights).sum().backward();
    (wanted * weights.to(at::kDouble)).sum().backward();
    expect_near(doubles(a.grad()), doubles(wide.grad()), 1e-4 / temperature, "gradients");
  }
}

TEST(GeneratedCases, TheMeanIsASoftmaxOrSigmoidAndNeedsNoNumbers) {
  const GeneratedCases cases("gan", table());
  Rng rng(3);
  const Tensor a = normal_tensor({7, columns}, 2, rng), x = cases.mean(a);
  const Tensor wanted = at::cat({a.narrow(1, 0, 3).softmax(1), a.narrow(1, 3, 1).sigmoid(), a.narrow(1, 4, 1),
                                 a.narrow(1, 5, 2).softmax(1), a.narrow(1, 7, 2).sigmoid()},
                                1);
  expect_near(doubles(x), doubles(wanted), 2e-6, "means");
}

// The largest of a group is a draw from p at any temperature, and so is a bit above one half; samples are too.
TEST(GeneratedCases, DrawsHaveTheFrequenciesOfTheirProbabilities) {
  const GeneratedCases cases("gan", table());
  Rng rng(3);
  constexpr std::int64_t rows = 40000;
  const Tensor row = normal_tensor({1, columns}, 1, rng), a = row.expand({rows, columns}).contiguous();
  const Doubles p = doubles(cases.mean(row));
  const Tensor x = cases.sample(a, rng), soft = cases.relaxed(a, 0.2, rng);
  cases.check(x, "samples", 0);
  Tensor hard = (soft > 0.5).to(at::kFloat);
  for (const auto& [first, size] : std::vector<std::pair<std::int64_t, std::int64_t>>{{0, 3}, {5, 2}}) {
    const Tensor group = soft.narrow(1, first, size);
    EXPECT_LT((group.sum(1) - 1).abs().max().item<double>(), 1e-5);
    hard.narrow(1, first, size).copy_(at::one_hot(group.argmax(1), size));
  }
  for (const std::int64_t j : {0, 1, 2, 3, 5, 6, 7}) {
    const double deviation = std::sqrt(p[size(j)] * (1 - p[size(j)]) / rows);
    for (const Tensor& drawn : {x, hard})
      EXPECT_NEAR(drawn.select(1, j).mean(0, false, at::kDouble).item<double>(), p[size(j)],
                  five_deviations * deviation)
          << j;
  }
  for (const std::int64_t j : {4, 8})
    EXPECT_LT((x.select(1, j) - p[size(j)]).abs().max().item<double>(), 1e-5) << "no noise: " << j;
  const Tensor both = x.select(1, 0) * x.select(1, 3);  // groups are drawn apart
  EXPECT_NEAR(both.mean(0, false, at::kDouble).item<double>(), p[0] * p[3], five_deviations * 0.5 / 200);
}

TEST(GeneratedCases, ColderDrawsAreNearerToRowsOfTheData) {
  const GeneratedCases cases("gan", table());
  Rng rng(3);
  const Tensor a = normal_tensor({4000, columns}, 1, rng);
  double before = 0;
  for (const double temperature : {2.0, 0.7, 0.2, 0.05}) {
    Rng own(7);
    const Tensor largest = cases.relaxed(a, temperature, own).narrow(1, 0, 3).amax(1);
    const double now = largest.mean(0, false, at::kDouble).item<double>();
    EXPECT_GT(now, before) << temperature;
    before = now;
  }
  EXPECT_GT(before, 0.95);
}

TEST(GeneratedCases, MeansBeginAtTheFrequenciesOfTheRows) {
  const GeneratedCases cases("gan", table());
  Rng rng(3);
  const Tensor x = layer_rows(UnitLayer::of(table().groups), 500, rng);
  const Tensor bias = cases.bias_at(x).to(at::kFloat).unsqueeze(0);
  expect_near(doubles(cases.mean(bias)), doubles(x.mean(0)), 1e-5, "means");
  // A category that no row has keeps a small share, so that it can be learnt.
  Tensor never = at::zeros({10, columns});
  never.select(1, 0).fill_(1), never.select(1, 5).fill_(1);
  const Doubles mean = doubles(cases.mean(cases.bias_at(never).to(at::kFloat).unsqueeze(0)));
  EXPECT_NEAR(mean[1], 0.001, 1e-4);
  EXPECT_NEAR(mean[3], 0.01, 1e-4);
}

TEST(GeneratedCases, DrawsDependOnSeedAndPlaceAlone) {
  const GeneratedCases cases("gan", table());
  Rng rng(3);
  const Tensor a = normal_tensor({6000, columns}, 1, rng);
  std::vector<Tensor> one;
  for (const int count : {1, 4}) {
    const Threads threads(count);
    Rng own(9);
    const std::vector<Tensor> now = {cases.relaxed(a, 0.2, own), cases.sample(a, own)};
    if (count == 1) one = now;
    for (std::size_t i = 0; i < now.size(); ++i) expect_bit_equal(one[i], now[i], "threads");
  }
  Rng same(9);
  expect_bit_equal(cases.relaxed(a.narrow(0, 0, 10), 0.2, same), one[0].narrow(0, 0, 10), "fewer rows");
}

}  // namespace
}  // namespace deepgen::generated_cases_test
