#include "deepgen/evaluate/quality/usefulness.h"

#include <algorithm>
#include <cmath>

#include "deepgen/core/error.h"
#include "deepgen/core/work.h"
#include "deepgen/evaluate/quality/boosted_trees.h"
#include "deepgen/evaluate/quality/detection.h"

namespace deepgen::quality {
namespace {

// What is predicted, as numbers for the trees.
struct Target {
  std::size_t column = 0;
  TreeLoss loss = TreeLoss::squared;
  std::vector<std::int64_t> class_of;  // of each code; -1: not known
  std::size_t classes = 1;
  double mean = 0, deviation = 1;  // of a number in the real training rows

  // NaN where it is not known.
  double of(const Column& cells, std::size_t row) const {
    if (loss == TreeLoss::squared) return (cells.numbers[row] - mean) / deviation;
    const std::int64_t known = class_of[static_cast<std::size_t>(cells.codes[row])];
    return known < 0 ? std::nan("") : static_cast<double>(known);
  }
};

Target number_target(std::size_t column, const Column& real) {
  Target target{.column = column, .loss = TreeLoss::squared, .class_of = {}};
  const std::vector<double> known = sorted_known(real);
  double sum = 0, squares = 0;
  for (const double value : known) sum += value;
  const auto n = static_cast<double>(std::max(known.size(), std::size_t{1}));
  target.mean = sum / n;
  for (const double value : known) squares += (value - target.mean) * (value - target.mean);
  const double deviation = std::sqrt(squares / n);
  if (deviation > 0) target.deviation = deviation;
  return target;
}

// The most frequent values of the real rows are classes; where there are more, all others are one. Of two, only these
// two are asked for.
Target class_target(std::size_t column, const Field& field, const Column& real) {
  const std::vector<double> counts = code_counts(real, field.codes());
  Index order;
  for (std::int64_t code = 0; code < field.codes(); ++code)
    if (code != field.missing_code && counts[static_cast<std::size_t>(code)] > 0) order.push_back(code);
  const bool two = order.size() <= 2;
  if (order.size() > most_classes)
    std::stable_sort(order.begin(), order.end(), [&](std::int64_t a, std::int64_t b) {
      return counts[static_cast<std::size_t>(a)] > counts[static_cast<std::size_t>(b)];
    });
  Target target{.column = column, .loss = two ? TreeLoss::logistic : TreeLoss::softmax, .class_of = {}};
  const std::size_t own = std::min(order.size(), most_classes);
  target.classes = two ? 2 : own + 1;  // the last: all others
  target.class_of.assign(static_cast<std::size_t>(field.codes()), two ? -1 : static_cast<std::int64_t>(own));
  for (std::size_t k = 0; k < own; ++k)
    target.class_of[static_cast<std::size_t>(order[k])] = static_cast<std::int64_t>(k);
  if (field.missing_code >= 0) target.class_of[static_cast<std::size_t>(field.missing_code)] = -1;
  return target;
}

// Rows with a known target, and their targets.
struct Examples {
  Table table;
  std::vector<double> y;
};

Examples examples_of(const Table& table, const Target& target, std::int64_t most, const Rng& rng) {
  Index rows;
  const Column& cells = table.columns[target.column];
  for (const std::int64_t row : some_rows(table.rows, most, rng))
    if (!std::isnan(target.of(cells, static_cast<std::size_t>(row)))) rows.push_back(row);
  Examples examples{rows_of(table, rows), {}};
  for (const std::int64_t row : rows) examples.y.push_back(target.of(cells, static_cast<std::size_t>(row)));
  return examples;
}

std::vector<Figure> number_figures(const std::vector<double>& f, const std::vector<double>& y,
                                   double deviation) {
  double mean = 0, errors = 0, spread = 0;
  for (const double each : y) mean += each;
  mean /= static_cast<double>(y.size());
  for (std::size_t i = 0; i < y.size(); ++i) {
    errors += (y[i] - f[i]) * (y[i] - f[i]);
    spread += (y[i] - mean) * (y[i] - mean);
  }
  return {{"RMSE", deviation * std::sqrt(errors / static_cast<double>(y.size()))},
          {"R2", spread > 0 ? 1 - errors / spread : std::nan("")}};
}

std::vector<Figure> class_figures(const std::vector<std::vector<double>>& f, const std::vector<double>& y) {
  std::vector<std::size_t> predicted, truth;
  double right = 0;
  for (std::size_t i = 0; i < y.size(); ++i) {
    std::size_t best = 0;
    for (std::size_t k = 1; k < f.size(); ++k)
      if (f[k][i] > f[best][i]) best = k;
    predicted.push_back(best), truth.push_back(static_cast<std::size_t>(y[i]));
    if (best == truth.back()) ++right;
  }
  return {{"accuracy", right / static_cast<double>(y.size())},
          {"macro-F1", macro_f1(predicted, truth, f.size())}};
}

Learning learn_and_judge(const std::vector<Field>& fields, const Examples& learn, const Examples& judge,
                         const Target& target, const BoostingPlan& plan) {
  std::vector<std::size_t> inputs;
  for (std::size_t j = 0; j < fields.size(); ++j)
    if (j != target.column) inputs.push_back(j);
  const BinnedTable binned(fields, joined(learn.table, judge.table), inputs, learn.table.rows);
  Index judged;
  for (std::int64_t row = learn.table.rows; row < binned.rows(); ++row) judged.push_back(row);
  const BoostedTrees trees(binned, counted(learn.table.rows), learn.y, target.loss,
                           static_cast<std::int64_t>(target.classes), plan);
  const std::vector<std::vector<double>> f = trees.scores(binned, judged);
  Learning result{learn.table.rows, {}};
  if (target.loss == TreeLoss::squared) result.figures = number_figures(f[0], judge.y, target.deviation);
  if (target.loss == TreeLoss::softmax) result.figures = class_figures(f, judge.y);
  if (target.loss == TreeLoss::logistic) result.figures = {{"AUC", area_under_curve(f[0], judge.y)}};
  return result;
}

}  // namespace

double macro_f1(const std::vector<std::size_t>& predicted, const std::vector<std::size_t>& truth,
                std::size_t classes) {
  std::vector<double> right(classes), said(classes), is(classes);
  for (std::size_t i = 0; i < truth.size(); ++i) {
    ++said[predicted[i]], ++is[truth[i]];
    if (predicted[i] == truth[i]) ++right[truth[i]];
  }
  double sum = 0, present = 0;
  for (std::size_t k = 0; k < classes; ++k)
    if (is[k] > 0) ++present, sum += 2 * right[k] / (said[k] + is[k]);  // 2 TP + FP + FN = said + is
  return present > 0 ? sum / present : std::nan("");
}

std::size_t target_column(const std::vector<Field>& fields, const std::string& name) {
  std::size_t last = fields.size() - 1;
  std::vector<std::string> names;
  for (std::size_t j = 0; j < fields.size(); ++j) {
    if (fields[j].name == name) return j;
    names.push_back(fields[j].name);
    if (!fields[j].is_number) last = j;
  }
  if (!name.empty()) fail_usage("--target", unknown_name("column", name, names));
  return last;
}

Usefulness usefulness(const Tables& tables, const std::string& wanted, const Rng& rng, Observer& observer) {
  const std::size_t column = target_column(tables.fields, wanted);
  const Field& field = tables.fields[column];
  const Column& real = tables.real.columns[column];
  const Target target = field.is_number ? number_target(column, real) : class_target(column, field, real);
  const Examples judge = examples_of(tables.test, target, usefulness_rows, rng.fork({1}));
  Usefulness result{field.name, wanted.empty(), judge.table.rows, {}, {}};
  BoostingPlan plan;
  Work work(observer, "learning from the rows", 2 * plan.trees);
  plan.after = [&] { work.advance(1); };
  if (judge.y.empty() || tables.fields.size() < 2) return result;
  const auto judged = [&](const Table& table, std::uint64_t path) {
    const Examples learn = examples_of(table, target, usefulness_rows, rng.fork({path}));
    return learn.y.empty() ? Learning{} : learn_and_judge(tables.fields, learn, judge, target, plan);
  };
  result.from_synthetic = judged(tables.synthetic, 2);
  result.from_real = judged(tables.real, 3);
  return result;
}

}  // namespace deepgen::quality
