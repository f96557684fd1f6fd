// The kernels of networks of every variant this processor has, against long double and against the reference.
#include <limits>

#include "tests/core/kernel_inputs.h"

namespace deepgen::network_kernels_test {
namespace {

using namespace kernel_tests;

class NetworkVariant : public KernelVariant {};

INSTANTIATE_TEST_SUITE_P(Kernels, NetworkVariant, ::testing::ValuesIn(available_kernels()),
                         [](const auto& about) { return about.param; });

TEST_P(NetworkVariant, BernoulliScores) {
  each_shape([&](std::int64_t rows, std::int64_t columns) {
    for (const std::int64_t draws : {1, 3}) {
      const std::int64_t cases = (rows - 1) / draws + 1;
      const Floats logits = random_floats(rows * columns, 4, 1), x = random_floats(cases * columns, 1, 2);
      Floats bits = x, residual = guarded(rows * columns);
      for (float& each : bits) each = each > 0 ? 1.0F : 0.0F;
      Doubles sums(size(rows), 5), plain(size(rows), 5);
      BernoulliScore score{.logits = logits.data(),
                           .cases = bits.data(),
                           .draws = draws,
                           .columns = columns,
                           .row_sum = sums.data(),
                           .residual = residual.data() + guard};
      table.bernoulli_score(score, 0, rows);
      expect_guards(residual);
      score.residual = nullptr, score.row_sum = plain.data();
      table.bernoulli_score(score, 0, rows);
      EXPECT_EQ(sums, plain) << "with the residual and without";
      for (std::int64_t r = 0; r < rows; ++r) {
        long double sum = 0, magnitude = 1;
        for (std::int64_t j = 0; j < columns; ++j) {
          const long double a = logits[size(r * columns + j)], bit = bits[size(r / draws * columns + j)];
          sum += bit * a - softplus(a), magnitude += std::abs(a);
          const auto wanted = static_cast<double>(bit - 1 / (1 + std::exp(-a)));
          ASSERT_NEAR(residual[size(guard + r * columns + j)], wanted, 3e-7);
        }
        EXPECT_NEAR(sums[size(r)], static_cast<double>(sum), static_cast<double>(3e-7L * magnitude));
      }
    }
  });
}

TEST_P(NetworkVariant, BernoulliScoresOfCertainLogits) {
  const Floats logits = {1e4F, -1e4F, 200, -200, 0, 90};
  const Floats right = {1, 0, 1, 0, 0, 1}, wrong = {0, 1, 0, 1, 0, 0};
  Doubles sum(1);
  table.bernoulli_score({.logits = logits.data(), .cases = right.data(), .columns = 6, .row_sum = sum.data()},
                        0, 1);
  EXPECT_NEAR(sum[0], -std::log(2.0), 1e-6);
  table.bernoulli_score({.logits = logits.data(), .cases = wrong.data(), .columns = 6, .row_sum = sum.data()},
                        0, 1);
  EXPECT_NEAR(sum[0], -std::log(2.0) - 20490, 0.01);
}

long double activated(Activation f, long double a) {
  switch (f) {
    case Activation::identity:
      return a;
    case Activation::relu:
      return std::fmax(a, 0.0L);
    case Activation::leaky:
      return a < 0 ? 0.2L * a : a;
    case Activation::tanh:
      return std::tanh(a);
    case Activation::sigmoid:
      return 1 / (1 + std::exp(-a));
    case Activation::softplus:
      return softplus(a);
  }
  return 0;
}

// dy/da, written by a and not by y.
long double slope(Activation f, long double a) {
  const long double s = 1 / (1 + std::exp(-a)), t = std::tanh(a);
  switch (f) {
    case Activation::identity:
      return 1;
    case Activation::relu:
      return a > 0 ? 1 : 0;
    case Activation::leaky:
      return a > 0 ? 1 : 0.2L;
    case Activation::tanh:
      return 1 - t * t;
    case Activation::sigmoid:
      return s * (1 - s);
    case Activation::softplus:
      return s;
  }
  return 0;
}

constexpr Activation functions[] = {Activation::identity, Activation::relu,    Activation::leaky,
                                    Activation::tanh,     Activation::sigmoid, Activation::softplus};

TEST_P(NetworkVariant, ActivationsAndTheirSlopes) {
  for (const Activation f : functions)
    for (const std::int64_t n : {1, 15, 16, 17, 100, 1025}) {
      Floats a = random_floats(n, 3, 3);
      for (std::size_t i = 0; i < a.size(); i += 7) a[i] *= 1e-4F;  // near zero precision is relative
      const Floats g = random_floats(n, 1, 4);
      Floats y = guarded(n), out = guarded(n);
      std::copy(a.begin(), a.end(), y.begin() + guard);
      table.activation({f, y.data() + guard}, 0, n);
      table.activation_gradient({f, g.data(), y.data() + guard, out.data() + guard}, 0, n);
      expect_guards(y);
      expect_guards(out);
      for (std::size_t i = 0; i < a.size(); ++i) {
        const auto wanted = static_cast<double>(activated(f, a[i]));
        ASSERT_NEAR(y[i + guard], wanted, 4e-7 * std::abs(wanted))
            << "function " << static_cast<int>(f) << " of " << a[i];
        const auto steep = static_cast<double>(slope(f, a[i]));
        ASSERT_NEAR(out[i + guard], g[i] * steep, 1e-6 * std::abs(g[i]))
            << "function " << static_cast<int>(f);
      }
    }
}

TEST_P(NetworkVariant, ActivationsOfExtremes) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  for (const Activation f : functions) {
    Floats y = {-1e30F, 1e30F, -200, 200, 0, nan};
    table.activation({f, y.data()}, 0, 6);
    const double top = f == Activation::tanh || f == Activation::sigmoid ? 1 : 1e30;
    EXPECT_FLOAT_EQ(y[1], static_cast<float>(top));
    EXPECT_TRUE(std::isfinite(y[0]) && std::isfinite(y[2]) && std::isfinite(y[3]));
    EXPECT_TRUE(std::isnan(y[5])) << "function " << static_cast<int>(f);
  }
}

// However a pass is cut, its bits are the same: threads cut it.
TEST_P(NetworkVariant, DoNotDependOnCuts) {
  constexpr std::int64_t n = 4096;
  for (const Activation f : functions) {
    Floats whole = random_floats(n, 2, 5), cut = whole;
    table.activation({f, whole.data()}, 0, n);
    for (std::int64_t at = 0; at < n; at += 1024) table.activation({f, cut.data()}, at, at + 1024);
    EXPECT_EQ(whole, cut);
  }
}

}  // namespace
}  // namespace deepgen::network_kernels_test
