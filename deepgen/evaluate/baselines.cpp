#include "deepgen/evaluate/baselines.h"

#include <cmath>
#include <functional>

#include "deepgen/core/constants.h"
#include "deepgen/evaluate/chow_liu.h"

namespace deepgen {
namespace {

constexpr std::int64_t widest = 2000;

// Sums over the training rows of f(x), chunk by chunk.
Tensor total(const Split& train, const Rng& rng, const std::function<Tensor(const Tensor&)>& f) {
  Tensor sum;
  map_rows(train, rng, [&](const Rows& rows) {
    const Tensor part = f(rows.x.to(at::kDouble));
    sum = sum.defined() ? sum + part : part;
    return at::zeros({rows.size()});
  });
  return sum;
}

std::function<Tensor(const Tensor&)> base_rate(const Split& train, const Rng& rng) {
  const Tensor ones = total(train, rng, [](const Tensor& x) { return x.sum(0); });
  const Tensor p = (ones + 1) / (static_cast<double>(train.rows()) + 2);
  return [p](const Tensor& x) { return x.mv(p.log()) + (1 - x).mv((-p).log1p()); };
}

std::function<Tensor(const Tensor&)> full_gaussian(const Split& train, const Rng& rng) {
  const double n = static_cast<double>(train.rows());
  const Tensor mean = total(train, rng, [](const Tensor& x) { return x.sum(0); }) / n;
  Tensor covariance = total(train, rng, [&](const Tensor& x) { return (x - mean).t().mm(x - mean); }) / n;
  covariance.diagonal().mul_(1 + 1e-6).add_(1e-12);  // each column by its own scale
  const Tensor factor = at::linalg_cholesky(covariance);
  const double constant =
      factor.diagonal().log().sum().item<double>() + 0.5 * static_cast<double>(mean.size(0)) * log_two_pi;
  return [mean, factor, constant](const Tensor& x) {
    const Tensor z = at::linalg_solve_triangular(factor, (x - mean).t().contiguous(), false);
    return -(z.square().sum(0) / 2 + constant);
  };
}

}  // namespace

std::optional<Score> baseline_score(const Dataset& data, const Split& split, const Rng& rng) {
  torch::NoGradGuard no_graph;
  const bool binary = data.values == ValueKind::binary && data.groups.empty();
  const bool real = data.values == ValueKind::real && data.columns() <= widest;
  if (data.one_matrix || (!binary && !real)) return std::nullopt;
  auto log_prob = binary ? base_rate(data.train, rng) : full_gaussian(data.train, rng);
  const Tensor values = map_rows(split, rng, [&](const Rows& rows) -> Tensor {
    return log_prob(rows.x.to(at::kDouble)) + data.log_jacobian(rows);
  });
  if (!values.isfinite().all().item<bool>()) return std::nullopt;  // gaps
  return case_score("baseline_log_prob", split.name, ScoreKind::exact, values, split.starts,
                    binary ? "for comparison: independent bits at their training frequencies"
                           : "for comparison: one Gaussian with full covariance");
}

std::vector<Score> table_baselines(const Dataset& fitted, const Dataset& scored, const Split& split,
                                   const Rng& rng) {
  torch::NoGradGuard no_graph;
  const auto variables = discrete_variables(fitted.groups);
  if (!variables || variables->empty() || fitted.train.rows() == 0) return {};
  const ChowLiuTree tree(*variables, fitted.train, rng.fork({1}));
  const Tensor values = map_rows(split, rng.fork({2}), [&](const Rows& rows) -> Tensor {
    const Tensor units = scored.log_jacobian(rows);
    return at::stack({tree.independent_log_prob(rows.x) + units, tree.log_prob(rows.x) + units}, 1);
  });
  const auto score = [&](const char* metric, std::int64_t column, const char* how) {
    return case_score(metric, split.name, ScoreKind::exact, values.select(1, column), split.starts, how);
  };
  return {score("baseline_independent", 0, "for comparison: the columns one by one, numbers in bins"),
          score("baseline_chow_liu", 1, "for comparison: a Chow-Liu tree of pairs of columns")};
}

}  // namespace deepgen
