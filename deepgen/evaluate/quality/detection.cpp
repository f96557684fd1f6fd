#include "deepgen/evaluate/quality/detection.h"

#include <fmt/format.h>

#include <algorithm>

#include "deepgen/core/error.h"
#include "deepgen/core/work.h"
#include "deepgen/evaluate/linear_classifier.h"
#include "deepgen/evaluate/quality/boosted_trees.h"
#include "deepgen/evaluate/quality/linear_features.h"

namespace deepgen::quality {
namespace {

constexpr int linear_steps = 200;

// Which rows learn and which are judged; y is 1 for the second half of all rows.
struct Fold {
  Index learn, judge;
  std::vector<double> judged_y;
};

std::vector<Fold> folds_of(std::int64_t rows_each, const Rng& rng) {
  std::vector<Fold> folds(detection_folds);
  for (const std::int64_t set : {std::int64_t{0}, std::int64_t{1}}) {
    const Index order = rng.fork({static_cast<std::uint64_t>(set)}).permutation(rows_each);
    for (std::size_t i = 0; i < order.size(); ++i)
      for (std::size_t k = 0; k < folds.size(); ++k) {
        const std::int64_t row = set * rows_each + order[i];
        if (i % folds.size() != k) {
          folds[k].learn.push_back(row);
        } else {
          folds[k].judge.push_back(row);
          folds[k].judged_y.push_back(static_cast<double>(set));
        }
      }
  }
  return folds;
}

double linear_auc_of(const Tensor& features, const std::vector<double>& y, const Fold& fold, Work& work) {
  std::vector<std::int64_t> labels;
  for (const std::int64_t row : fold.learn)
    labels.push_back(static_cast<std::int64_t>(y[static_cast<std::size_t>(row)]));
  const Tensor learn = features.index_select(0, at::tensor(fold.learn, at::kLong));
  const Tensor judge = features.index_select(0, at::tensor(fold.judge, at::kLong));
  MinimisePlan plan{.tolerance = 1e-4, .most_steps = linear_steps, .after = [&](int) { work.listen(); }};
  // Of two opposite weight vectors, |w|^2 / (2 n) of their difference w.
  const double penalty = 2 / static_cast<double>(labels.size());
  const LinearClassifier classifier = fit_linear_classifier(learn, labels, 2, penalty, plan);
  const Tensor weights = (classifier.weights[1] - classifier.weights[0]).to(at::kDouble);
  std::vector<double> scores(fold.judge.size());
  const auto cells = judge.accessor<float, 2>();
  const auto w = weights.accessor<double, 1>();
  for (std::int64_t i = 0; i < cells.size(0); ++i)
    for (std::int64_t j = 0; j < cells.size(1); ++j)
      scores[static_cast<std::size_t>(i)] += static_cast<double>(cells[i][j]) * w[j];
  return area_under_curve(scores, fold.judged_y);
}

}  // namespace

double Detection::linear_score() const { return detection_score(linear_auc); }
double Detection::trees_score() const { return detection_score(trees_auc); }

double area_under_curve(const std::vector<double>& scores, const std::vector<double>& y) {
  std::vector<std::size_t> order(scores.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return scores[a] < scores[b]; });
  double ones = 0, zeros = 0, won = 0;  // pairs in which the one is above the zero
  for (std::size_t i = 0; i < order.size();) {
    double ones_here = 0, zeros_here = 0;
    const double here = scores[order[i]];
    for (; i < order.size() && scores[order[i]] == here; ++i) (y[order[i]] > 0 ? ones_here : zeros_here) += 1;
    won += ones_here * (zeros + zeros_here / 2);
    ones += ones_here, zeros += zeros_here;
  }
  return ones > 0 && zeros > 0 ? won / (ones * zeros) : 0.5;
}

double detection_score(const std::vector<double>& auc) {
  double sum = 0;
  for (const double area : auc) sum += 2 * std::max(area, 0.5) - 1;
  return auc.empty() ? 1 : 1 - sum / static_cast<double>(auc.size());
}

Detection detect(const std::vector<Field>& fields, const Table& real, const Table& synthetic, const Rng& rng,
                 Observer& observer) {
  Detection result;
  result.rows = std::min({real.rows, synthetic.rows, detection_rows});
  if (result.rows < detection_folds)
    fail_data("quality",
              fmt::format("expected at least {} rows to tell apart, got {}", detection_folds, result.rows));
  const Table both = joined(rows_of(real, some_rows(real.rows, result.rows, rng.fork({1}))),
                            rows_of(synthetic, some_rows(synthetic.rows, result.rows, rng.fork({2}))));
  std::vector<double> y(static_cast<std::size_t>(both.rows));
  std::fill(y.begin() + static_cast<std::ptrdiff_t>(result.rows), y.end(), 1.0);
  std::vector<std::size_t> columns;
  for (std::size_t j = 0; j < fields.size(); ++j) columns.push_back(j);
  const BinnedTable binned(fields, both, columns, both.rows);
  const Tensor features = linear_features(fields, both);
  BoostingPlan plan;
  Work work(observer, "telling rows apart", detection_folds * (plan.trees + 1));
  plan.after = [&] { work.advance(1); };
  for (const Fold& fold : folds_of(result.rows, rng.fork({3}))) {
    result.linear_auc.push_back(linear_auc_of(features, y, fold, work));
    work.advance(1);
    const BoostedTrees trees(binned, fold.learn, y, TreeLoss::logistic, 1, plan);
    result.trees_auc.push_back(area_under_curve(trees.scores(binned, fold.judge)[0], fold.judged_y));
  }
  return result;
}

}  // namespace deepgen::quality
