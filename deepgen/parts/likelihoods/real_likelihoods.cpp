// Likelihoods of numbers: Gaussian, and discretised logistic of grey bytes.
#include <cmath>
#include <numbers>

#include "deepgen/core/constants.h"
#include "deepgen/ops/layers.h"
#include "deepgen/ops/unit_layers.h"
#include "deepgen/parts/likelihoods/likelihood.h"
#include "deepgen/parts/likelihoods/likelihood_checks.h"

namespace deepgen {
namespace {

// Cases [B, D] beside parameters [B * draws, D], as [B, 1, D] and [B, draws, D].
Tensor by_case(const Tensor& parameters, const Tensor& x) {
  return parameters.reshape({x.size(0), -1, x.size(1)});
}
Tensor row_sums(const Tensor& terms) { return terms.to(at::kDouble).sum(2).view({-1}); }

// Cells with 0 where they are missing, and which are not, [B, 1, D] float32; undefined: all are there.
struct KnownNumbers {
  Tensor x, there;
};
KnownNumbers known_numbers(const Tensor& x) {
  const Tensor gaps = x.isnan();
  if (!gaps.any().item<bool>()) return {x, {}};
  return {at::nan_to_num(x), gaps.logical_not().to(at::kFloat).unsqueeze(1)};
}
Tensor of_known(const Tensor& terms, const Tensor& there) { return there.defined() ? terms * there : terms; }

struct Columns {
  Tensor mean, deviation;  // [D] float64
};

// Of the known cells; of a column without any the mean and the deviation are 0.
Columns moments(const Tensor& x) {
  const Tensor wide = x.to(at::kDouble), gaps = x.isnan();
  if (!gaps.any().item<bool>()) {
    const Tensor mean = wide.mean(0);
    return {mean, (wide - mean).square().mean(0).sqrt()};
  }
  const Tensor count = gaps.logical_not().sum(0, false, at::kDouble).clamp_min(1);
  const Tensor mean = at::nan_to_num(wide).sum(0) / count;
  return {mean, (at::nan_to_num(wide - mean).square().sum(0) / count).sqrt()};
}

class GaussianCases : public Likelihood {
 public:
  GaussianCases(std::int64_t columns, double smallest)
      : columns_(columns),
        smallest_(smallest),
        centre_(register_buffer("centre", at::zeros({columns}))),
        scale_(register_buffer("scale", at::ones({columns}))) {}
  std::int64_t width() const override { return 2 * columns_; }
  std::int64_t columns() const override { return columns_; }
  bool bounded() const override { return false; }

  void start(const Tensor& x) override {
    const Columns each = moments(x);
    centre_.copy_(each.mean);
    scale_.copy_(at::where(each.deviation > 0, each.deviation, at::ones_like(each.deviation)));
  }
  Tensor input_of(const Tensor& x) const override { return (x - centre_) / scale_; }
  Tensor log_prob(const Tensor& parameters, const Tensor& x) const override {
    const KnownNumbers known = known_numbers(x);
    const Tensor u = input_of(known.x).unsqueeze(1), m = by_case(parameters.narrow(1, 0, columns_), x);
    const Tensor s = by_case(deviation(parameters), x);
    const Tensor terms = of_known(((u - m) / s).square() * -0.5 - s.log(), known.there);
    return row_sums(terms) - constants(known.there, s.size(1));
  }
  Tensor mean(const Tensor& parameters) const override {
    return parameters.narrow(1, 0, columns_) * scale_ + centre_;
  }
  Tensor sample(const Tensor& parameters, Rng& rng) const override {
    return mean(parameters) +
           deviation(parameters) * scale_ * normal(parameters.size(0), columns_, rng.next());
  }
  Tensor marginals(const Tensor& x) const override {
    const Columns each = moments(input_of(x));
    const Tensor excess = (each.deviation - smallest_).clamp_min(1e-3);
    return at::cat({each.mean, excess + (-(-excess).expm1()).log()}).to(at::kFloat);  // softplus backwards
  }
  void check(const Tensor& x, const std::string& what, std::int64_t first_row,
             std::int64_t first_column) const override {
    likelihood_checks::columns(x, columns_, what);
    likelihood_checks::refuse(x, x.isinf(), what, {first_row, first_column}, "a number in every cell");
  }

 private:
  // What does not depend on the parameters: of each row and draw where cells are missing, else one number.
  Tensor constants(const Tensor& there, std::int64_t draws) const {
    const Tensor logs = scale_.to(at::kDouble).log();
    if (!there.defined()) return 0.5 * static_cast<double>(columns_) * log_two_pi + logs.sum();
    return row_sums((there.to(at::kDouble) * (logs + 0.5 * log_two_pi)).expand({-1, draws, -1}));
  }
  Tensor deviation(const Tensor& parameters) const {
    return activate(parameters.narrow(1, columns_, columns_), Activation::softplus) + smallest_;
  }
  std::int64_t columns_;
  double smallest_;
  Tensor centre_, scale_;
};

constexpr double half_step = 1.0 / 510;  // between two grey levels
constexpr double least_steepness = -1,
                 most_steepness = 8;  // logarithm of the inverse scale: 2.7 grey ranges to 1/12 level

class LogisticBytes : public Likelihood {
 public:
  explicit LogisticBytes(std::int64_t columns) : columns_(columns) {}
  std::int64_t width() const override { return 2 * columns_; }
  std::int64_t columns() const override { return columns_; }

  // S(b) - S(a) = S(b) S(-a) (1 - exp(a - b)), and b - a is the same for all levels: no difference of nearly
  // equal numbers.
  Tensor log_prob(const Tensor& parameters, const Tensor& x) const override {
    const KnownNumbers known = known_numbers(x);
    const Tensor level = known.x.unsqueeze(1), m = by_case(parameters.narrow(1, 0, columns_), x);
    const Tensor k = by_case(steepness(parameters), x);
    const Tensor above = k * (level + half_step - m), below = k * (level - half_step - m);
    const Tensor has_above = (level < 1 - half_step).to(at::kFloat),
                 has_below = (level > half_step).to(at::kFloat);
    const Tensor width = (-(k * (-2 * half_step)).expm1()).log();
    const Tensor terms = width * (has_above * has_below) -
                         activate(-above, Activation::softplus) * has_above -
                         activate(below, Activation::softplus) * has_below;
    return row_sums(of_known(terms, known.there));
  }
  // The sum of P(x > level) over the levels.
  Tensor mean(const Tensor& parameters) const override {
    const Tensor m = parameters.narrow(1, 0, columns_), k = steepness(parameters);
    Tensor sum = at::zeros(m.sizes());
    for (int level = 0; level < 255; ++level)
      sum += activate(k * (m - (level + 0.5) / 255), Activation::sigmoid);
    return sum / 255;
  }
  Tensor sample(const Tensor& parameters, Rng& rng) const override {
    const Tensor u = uniform(parameters.size(0), columns_, rng.next()), noise = u.log() - (-u).log1p();
    const Tensor x = parameters.narrow(1, 0, columns_) + noise / steepness(parameters);
    return (x.clamp(0, 1) * 255).round() / 255;
  }
  Tensor marginals(const Tensor& x) const override {
    const Columns each = moments(x);
    const Tensor scale = each.deviation.clamp_min(0.02) * (std::sqrt(3.0) / std::numbers::pi);
    return at::cat({each.mean, -scale.log()}).to(at::kFloat);
  }
  void check(const Tensor& x, const std::string& what, std::int64_t first_row,
             std::int64_t first_column) const override {
    likelihood_checks::columns(x, columns_, what);
    const Tensor level = x * 255, whole = (level - level.round()).abs() < 1e-3;
    const Tensor inside = at::logical_and(x >= 0, x <= 1);
    likelihood_checks::refuse(
        x, at::logical_and(at::logical_and(whole, inside).logical_not(), x == x), what,
        {first_row, first_column},
        "grey levels, bytes divided by 255, in every cell (other numbers go with model.decoder=gaussian)");
  }

 private:
  Tensor steepness(const Tensor& parameters) const {
    return parameters.narrow(1, columns_, columns_).clamp(least_steepness, most_steepness).exp();
  }
  std::int64_t columns_;
};

}  // namespace

std::shared_ptr<Likelihood> gaussian_likelihood(std::int64_t columns, double smallest_deviation) {
  return std::make_shared<GaussianCases>(columns, smallest_deviation);
}

std::shared_ptr<Likelihood> logistic_likelihood(std::int64_t columns) {
  return std::make_shared<LogisticBytes>(columns);
}

}  // namespace deepgen
