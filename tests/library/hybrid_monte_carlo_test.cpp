// Hybrid Monte Carlo on a Gaussian whose moments are known: trajectories run backwards and keep volume, moves
// leave the distribution as it is, and steps that are wrong are seen.
//
// Each statistical check fails by chance once in a million runs of a fresh seed; the seeds are fixed.
#include "deepgen/models/boltzmann/hybrid_monte_carlo.h"

#include "tests/library/machines.h"

namespace deepgen::hybrid_monte_carlo_test {
namespace {

using namespace machines;

// N(mean, variance) with a correlation of two columns.
class TwoColumns : public EnergyField {
 public:
  static constexpr double correlation = 0.6;
  const Tensor mean = at::tensor({0.5F, -1.0F}), deviation = at::tensor({1.5F, 0.7F});

  Tensor energy(const Tensor& x) const override {
    const Tensor u = standardised(x).to(at::kDouble);
    const Tensor a = u.select(1, 0), b = u.select(1, 1);
    return (a * a - 2 * correlation * a * b + b * b) / (2 * (1 - correlation * correlation));
  }
  Tensor slope(const Tensor& x) const override {
    const Tensor u = standardised(x);
    return (u - correlation * u.flip({1})) / ((1 - correlation * correlation) * deviation);
  }
  Tensor draws(std::int64_t count, Rng& rng) const {
    Tensor u = normal_tensor({count, 2}, 1, rng);
    u.select(1, 1).copy_(correlation * u.select(1, 0) +
                         std::sqrt(1 - correlation * correlation) * u.select(1, 1));
    return mean + deviation * u;
  }
  // x, y, x^2, y^2, x y of the standardised columns.
  void expect_moments(const Tensor& x, const std::string& what) const {
    EXPECT_LT(largest_z(x), 5.2) << what;
  }
  double largest_z(const Tensor& x) const {
    const Tensor u = standardised(x), a = u.select(1, 0), b = u.select(1, 1);
    const Tensor terms = at::stack({a, b, a * a, b * b, a * b}, 1);
    Moments moments;
    for (std::int64_t r = 0; r < terms.size(0); ++r) moments.add(doubles(terms[r]));
    return moments.largest_z({0, 0, 1, 1, correlation}, 1e-5);
  }

 private:
  Tensor standardised(const Tensor& x) const { return (x - mean) / deviation; }
};

HybridPlan plan_of(const TwoColumns& field, double step, std::int64_t leapfrogs) {
  return {step, leapfrogs, field.deviation};
}

TEST(HybridMonteCarlo, TrajectoriesRunBackwards) {
  const TwoColumns field;
  Rng rng(3);
  const PhasePoint start{field.draws(50, rng), normal_tensor({50, 2}, 1, rng)};
  const HybridPlan plan = plan_of(field, 0.2, 17);
  const PhasePoint end = leapfrog(field, start, plan);
  EXPECT_GT((end.x - start.x).abs().max().item<double>(), 0.5);
  const PhasePoint back = leapfrog(field, {end.x, -end.p}, plan);
  EXPECT_LT((back.x - start.x).abs().max().item<double>(), 1e-4);
  EXPECT_LT((back.p + start.p).abs().max().item<double>(), 1e-4);
}

// The Jacobian of (x, p) by differences; the field is linear, so they are exact but for rounding.
TEST(HybridMonteCarlo, TrajectoriesKeepVolume) {
  const TwoColumns field;
  const HybridPlan plan = plan_of(field, 0.3, 7);
  Rng rng(5);
  const Tensor point = normal_tensor({4}, 1, rng);
  auto ends = [&](const Tensor& both) {
    const PhasePoint end = leapfrog(field, {both.narrow(1, 0, 2), both.narrow(1, 2, 2)}, plan);
    return at::cat({end.x, end.p}, 1).to(at::kDouble);
  };
  const Tensor jacobian = (ends(point + at::eye(4)) - ends(point - at::eye(4))) / 2;
  EXPECT_NEAR(jacobian.det().abs().item<double>(), 1, 1e-3);
}

// The error of the total energy falls with the square of the step.
TEST(HybridMonteCarlo, EnergyIsKeptToSecondOrder) {
  const TwoColumns field;
  Rng rng(7);
  const PhasePoint start{field.draws(400, rng), normal_tensor({400, 2}, 1, rng)};
  auto error = [&](double step, std::int64_t leapfrogs) {
    const PhasePoint end = leapfrog(field, start, plan_of(field, step, leapfrogs));
    auto total = [&](const PhasePoint& at) { return field.energy(at.x) + at.p.square().sum(1) / 2; };
    return (total(end) - total(start)).abs().mean().item<double>();
  };
  const double ratio = error(0.2, 5) / error(0.1, 10);
  EXPECT_GT(ratio, 3);
  EXPECT_LT(ratio, 5);
}

TEST(HybridMonteCarlo, MovesLeaveTheDistributionAsItIs) {
  const TwoColumns field;
  for (const double step : {0.1, 0.5, 1.0}) {
    Rng rng(11);
    Tensor x = field.draws(60000, rng);
    double accepted = 0;
    for (int k = 0; k < 4; ++k) {
      const HybridMove move = hybrid_move(field, x, plan_of(field, step, 5), rng);
      x = move.x, accepted += move.accepted / 4;
    }
    field.expect_moments(x, "step " + std::to_string(step));
    EXPECT_GT(accepted, 0.3);
    if (step > 0.9) {
      EXPECT_LT(accepted, 0.99) << "nothing was refused: the test of the rule says little";
    }
  }
}

// From far away chains come to the distribution.
TEST(HybridMonteCarlo, ChainsFindTheDistribution) {
  const TwoColumns field;
  Rng rng(13);
  Tensor x = at::full({40000, 2}, 4.0F);
  for (int k = 0; k < 60; ++k) x = hybrid_move(field, x, plan_of(field, 0.3, 8), rng).x;
  field.expect_moments(x, "60 moves");
}

// A chain without the test of acceptance is at another distribution, and the check sees it.
TEST(HybridMonteCarlo, WithoutRefusalsTheMomentsAreWrong) {
  const TwoColumns field;
  Rng rng(17);
  Tensor x = field.draws(60000, rng);
  for (int k = 0; k < 20; ++k)
    x = leapfrog(field, {x, normal_tensor(x.sizes(), 1, rng)}, plan_of(field, 1.0, 5)).x;
  EXPECT_GT(field.largest_z(x), 6);
}

TEST(HybridMonteCarlo, ColumnsOfNoScaleAreHeld) {
  const TwoColumns field;
  Rng rng(19);
  Tensor x = field.draws(30000, rng);
  x.select(1, 0).fill_(1.1F);
  x[0][0] = -0.0F;
  Tensor scale = field.deviation.expand(x.sizes()).clone();
  scale.select(1, 0).zero_();
  Tensor moved = x;
  for (int k = 0; k < 25; ++k) moved = hybrid_move(field, moved, {0.3, 6, scale}, rng).x;
  expect_bit_equal(moved.select(1, 0).clone(), x.select(1, 0).clone(), "held");
  // The other column is at its distribution given the held one.
  const Tensor rest = moved.narrow(0, 1, moved.size(0) - 1).select(1, 1).to(at::kDouble);
  const double mean = -1.0 + 0.7 * 0.6 * (1.1 - 0.5) / 1.5, deviation = 0.7 * 0.8;
  EXPECT_NEAR(rest.mean().item<double>(), mean, 4.9 * deviation / std::sqrt(3e4));
  EXPECT_NEAR(rest.std().item<double>(), deviation, 4.9 * deviation / std::sqrt(6e4));
}

TEST(HybridMonteCarlo, EndsThatAreNoNumbersAreRefused) {
  class Cliff : public EnergyField {
   public:
    Tensor energy(const Tensor& x) const override {
      const Tensor own = x.select(1, 0).to(at::kDouble);
      return at::where(own > 0.5, at::full_like(own, std::nan("")), own.square() / 2);
    }
    Tensor slope(const Tensor& x) const override { return x; }
  };
  Rng rng(23);
  Tensor x = at::zeros({1000, 1});
  for (int k = 0; k < 10; ++k) x = hybrid_move(Cliff(), x, {0.5, 3, at::ones({1})}, rng).x;
  EXPECT_LE(x.max().item<double>(), 0.5);
  EXPECT_LT(x.min().item<double>(), -0.5);
}

TEST(HybridMonteCarlo, TheStepComesToNineTenthsOfTheMoves) {
  const TwoColumns field;
  for (const double first : {0.01, 1.0}) {
    Rng rng(29);
    Tensor x = field.draws(500, rng), length = new_step_length(first);
    double late = 0;
    for (int k = 0; k < 600; ++k) {
      const HybridMove move = hybrid_move(field, x, plan_of(field, length[0].item<double>(), 10), rng);
      x = move.x;
      follow_acceptance(length, move.accepted);
      if (k >= 400) late += move.accepted / 200;
    }
    EXPECT_NEAR(late, 0.9, 0.06) << first;
  }
}

TEST(HybridMonteCarlo, ThreadsChangeNothing) {
  const TwoColumns field;
  std::vector<Tensor> ends;
  for (const int count : {1, 4}) {
    const Threads threads(count);
    Rng rng(31);
    ends.push_back(hybrid_move(field, field.draws(30000, rng), plan_of(field, 0.4, 6), rng).x);
  }
  expect_bit_equal(ends[0], ends[1], "threads");
}

}  // namespace
}  // namespace deepgen::hybrid_monte_carlo_test
