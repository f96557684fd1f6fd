#include "deepgen/evaluate/quality/gaps.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "deepgen/core/error.h"
#include "deepgen/core/interruption.h"
#include "deepgen/data/files/table_values.h"
#include "deepgen/evaluate/row_scores.h"
#include "deepgen/tasks/completion.h"
#include "deepgen/tasks/draw_sums.h"

namespace deepgen::quality {
namespace {

constexpr double no_value = std::numeric_limits<double>::quiet_NaN();

// A column that is judged, and where it is.
struct Variable {
  const TableColumn* about = nullptr;
  std::int64_t value = 0;  // column of table_values
  std::int64_t first = 0;  // of its encoded columns

  bool is_number() const { return about->is_number(); }
  double range() const { return about->high > about->low ? about->high - about->low : 1; }
};

std::vector<Variable> variables_of(const TableSchema& table) {
  std::vector<Variable> variables;
  std::int64_t value = 0, first = 0;
  for (const TableColumn& column : table.columns) {
    if (column.modelled()) variables.push_back({&column, value, first});
    if (column.written()) ++value;
    first += column.width();
  }
  return variables;
}

// A hidden cell of which the truth is known.
struct HiddenCell {
  std::int64_t row = 0;
  std::size_t variable = 0;
  double truth = 0;
  std::vector<double> draws = {};
  double fill = 0;
};

double mean_of(double sum, std::int64_t count) {
  return count > 0 ? sum / static_cast<double>(count) : no_value;
}

// The median of the known numbers, or the most frequent of the known categories (of equals the first).
double middle_of(const Tensor& column, bool is_number) {
  const Tensor known = std::get<0>(column.masked_select(column.isnan().logical_not()).sort());
  const std::int64_t count = known.size(0);
  if (count == 0) return no_value;
  const auto* values = known.data_ptr<double>();
  if (is_number) return (values[(count - 1) / 2] + values[count / 2]) / 2;
  double most = values[0];
  std::int64_t times = 0;
  for (std::int64_t i = 0; i < count;) {
    const std::int64_t next = std::upper_bound(values + i, values + count, values[i]) - values;
    if (next - i > times) times = next - i, most = values[i];
    i = next;
  }
  return most;
}

// ---------------------------------------------------------------- draws

// Fills `cells` from draws of the rows; `given`: what the model is told.
void draw_cells(const Model& model, const Dataset& data, const Rows& given,
                const std::vector<Variable>& variables, const GapPlan& plan, std::vector<HiddenCell>& cells,
                Observer& observer) {
  Rng chain = Rng(plan.seed).fork({0x6A9, 1}), within = Rng(plan.seed).fork({0x6A9, 2});
  Completer completer(model, plan.steps, data.groups, chain, observer, given.size(), 1, plan.draws);
  DrawSums sums;
  const auto values_of = [&](const Tensor& encoded, auto keep) {
    const Tensor values = to_tensor(drawn_table_values(data.table, encoded, within.next(), 0)).contiguous();
    const auto* value = values.data_ptr<double>();
    for (HiddenCell& cell : cells)
      keep(cell, value[cell.row * values.size(1) + variables[cell.variable].value]);
  };
  for (std::int64_t k = 0; k < plan.draws; ++k) {
    const Tensor drawn = completer.complete(given);
    sums.add(drawn);
    values_of(drawn, [](HiddenCell& cell, double value) { cell.draws.push_back(value); });
  }
  values_of(sums.mean(), [](HiddenCell& cell, double value) { cell.fill = value; });
}

// ---------------------------------------------------------------- probabilities

// log p(truth | known) of some cells, NaN where it is not exact.
class CellProbabilities {
 public:
  // `truth` and `known`: rows as the data set gives them, before and after cells were hidden.
  CellProbabilities(const Model& model, const Dataset& data, const Rows& truth, const Rows& known)
      : model_(model), data_(data), truth_(truth), known_(known), exact_(as<HasLogProb>(model)) {
    const auto* conditional = as<IsConditional>(model);
    if (conditional && conditional->condition_mask().defined()) exact_ = nullptr;
    if (!exact_) return;
    try {
      model.check_data(known.x, "gaps");
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::data) throw;
      exact_ = nullptr;  // it cannot sum out gaps
    }
  }

  bool exact() const { return exact_ != nullptr; }

  double log_prob(std::int64_t row, const Variable& variable) const {
    const std::int64_t first = variable.first, width = variable.about->value_width();
    const Rows known = known_.narrow(row, 1);
    Rows with = known;
    with.x = known.x.clone();
    with.x.narrow(1, first, width).copy_(truth_.x.narrow(0, row, 1).narrow(1, first, width));
    const Tensor units = told_jacobian(model_, data_, with) - told_jacobian(model_, data_, known);
    const Tensor others = as<HasOrders>(model_) ? over_values(with, variable) : exact_->log_prob(known);
    return others.defined() ? (exact_->log_prob(with) + units - others).item<double>() : no_value;
  }

 private:
  // log sum over the values of the cell of p(known and value), [1]; undefined of endlessly many.
  Tensor over_values(const Rows& with, const Variable& variable) const {
    const TableColumn& about = *variable.about;
    const bool bit = about.kind == TableColumnKind::binary;
    if (!bit && !about.is_category()) return {};
    const std::int64_t width = about.value_width();
    Rows all = with.select(at::zeros({bit ? 2 : width}, at::kLong));
    all.x.narrow(1, variable.first, width)
        .copy_(bit ? at::arange(2).to(at::kFloat).unsqueeze(1) : at::eye(width));
    return exact_->log_prob(all).logsumexp(0, true);
  }

  const Model& model_;
  const Dataset& data_;
  const Rows &truth_, &known_;
  const HasLogProb* exact_;
};

void tell_probabilities(const CellProbabilities& probabilities, const std::vector<Variable>& variables,
                        const std::vector<HiddenCell>& cells, std::uint64_t seed,
                        std::vector<ColumnGaps>& columns, Observer& observer) {
  if (!probabilities.exact()) return;
  NoGradGuard no_graph;
  const Index some =
      some_rows(static_cast<std::int64_t>(cells.size()), gap_probabilities, Rng(seed).fork({0x6A9, 3}));
  Work work(observer, "scoring", static_cast<std::int64_t>(some.size()));
  for (const std::int64_t i : some) {
    const HiddenCell& cell = cells[static_cast<std::size_t>(i)];
    const double value = probabilities.log_prob(cell.row, variables[cell.variable]);
    work.advance(1);
    if (std::isnan(value)) continue;
    columns[cell.variable].log_prob += value;
    ++columns[cell.variable].probabilities;
  }
}

// ---------------------------------------------------------------- figures

void add_cell(const HiddenCell& cell, const Variable& variable, double middle, ColumnGaps& column) {
  const auto error = [&](double fill) {
    return column.is_number ? std::abs(fill - cell.truth) / variable.range() : fill == cell.truth ? 0.0 : 1.0;
  };
  ++column.cells;
  column.error += error(cell.fill), column.middle_error += error(middle);
  if (!column.is_number) return;
  column.coverage_50 += covered(cell.draws, cell.truth, 0.5);
  column.coverage_90 += covered(cell.draws, cell.truth, 0.9);
}

// Sums become means; columns without hidden cells go.
void finish(std::vector<ColumnGaps>& columns) {
  for (ColumnGaps& column : columns) {
    for (double* sum : {&column.error, &column.middle_error}) *sum = mean_of(*sum, column.cells);
    for (double* sum : {&column.coverage_50, &column.coverage_90})
      *sum = column.is_number ? mean_of(*sum, column.cells) : no_value;
    column.log_prob = mean_of(column.log_prob, column.probabilities);
  }
  std::erase_if(columns, [](const ColumnGaps& column) { return column.cells == 0; });
}

std::vector<HiddenCell> cells_of(const Tensor& hidden, const Tensor& known, const Tensor& truth,
                                 const std::vector<Variable>& variables) {
  std::vector<HiddenCell> cells;
  for (std::int64_t row = 0; row < truth.size(0); ++row)
    for (std::size_t v = 0; v < variables.size(); ++v) {
      const std::int64_t value = variables[v].value;
      const double there = truth[row][value].item<double>();
      if (hidden[row][static_cast<std::int64_t>(v)].item<bool>() && known[row][value].item<bool>() &&
          !std::isnan(there))
        cells.push_back({row, v, there});
    }
  return cells;
}

}  // namespace

std::int64_t Gaps::cells() const {
  std::int64_t count = 0;
  for (const ColumnGaps& column : columns) count += column.cells;
  return count;
}

ColumnGaps Gaps::total(bool numbers, bool categories) const {
  ColumnGaps sum;
  sum.is_number = numbers && !categories;
  for (const ColumnGaps& column : columns) {
    if (column.is_number ? !numbers : !categories) continue;
    const auto cells = static_cast<double>(column.cells);
    sum.cells += column.cells, sum.probabilities += column.probabilities;
    sum.error += cells * column.error, sum.middle_error += cells * column.middle_error;
    sum.coverage_50 += cells * column.coverage_50, sum.coverage_90 += cells * column.coverage_90;
    if (column.probabilities > 0) sum.log_prob += static_cast<double>(column.probabilities) * column.log_prob;
  }
  std::vector<ColumnGaps> one = {sum};
  finish(one);
  return one.empty() ? ColumnGaps{"", sum.is_number, 0, no_value, no_value, no_value, no_value, 0, no_value}
                     : one[0];
}

double covered(const std::vector<double>& draws, double truth, double share) {
  double below = 0, equal = 0;
  for (const double draw : draws) below += draw < truth ? 1 : 0, equal += draw == truth ? 1 : 0;
  const double places = static_cast<double>(draws.size()) + 1, margin = (1 - share) / 2;
  const double low = below / places, high = (below + equal + 1) / places;
  return std::max(0.0, std::min(high, 1 - margin) - std::max(low, margin)) / (high - low);
}

std::string no_gaps_because(const Model& model, const Dataset& data, const Split& rows) {
  if (!can_complete(model)) return "the model does not complete rows";
  if (data.table.empty()) return "the run was not trained on a table";
  if (data.train.starts.defined()) return "the rows are those of sequences";
  const Tensor& labels = rows.y;
  if (needed_classes(model) > 0 && (!labels.defined() || (labels < 0).any().item<bool>()))
    return "the model needs labels, and some are not known";
  return "";
}

Tensor table_truth(const TableSchema& table, const std::string& path, const CsvCells& cells,
                   const Index& rows) {
  const std::vector<std::int64_t> places = match_columns(table, path, cells);
  const std::vector<Variable> variables = variables_of(table);
  const auto width = static_cast<std::int64_t>(table_value_names(table).size());
  Tensor truth = at::full({static_cast<std::int64_t>(rows.size()), width}, no_value, at::kDouble);
  auto* out = truth.data_ptr<double>();
  for (const Variable& variable : variables) {
    const auto column = static_cast<std::size_t>(variable.about - table.columns.data());
    const ColumnCells column_cells(*variable.about, cells, places[column]);
    for (std::size_t r = 0; r < rows.size(); ++r) {
      if (column_cells.missing(rows[r])) continue;
      double& cell = out[static_cast<std::int64_t>(r) * width + variable.value];
      if (variable.is_number())
        cell = column_cells.number(rows[r]).value_or(no_value);
      else if (const std::int64_t value = column_cells.value(rows[r]); value >= 0)
        cell = static_cast<double>(value);
    }
  }
  return truth;
}

Gaps judge_hidden(const Model& model, const Dataset& data, const Split& rows, const Tensor& hidden,
                  const Tensor& training, const GapPlan& plan, Observer& observer) {
  const InterruptionScope scope(observer, "gaps");
  const std::vector<Variable> variables = variables_of(data.table);
  const Rows truth = Dataset::block(rows, 0, rows.rows(), Rng(0));
  const std::vector<std::int64_t> sizes = variable_sizes(data.table);
  Rows known = truth;
  known.x = truth.x.masked_fill(hidden.repeat_interleave(at::tensor(sizes, at::kLong), 1), std::nanf(""));
  std::vector<HiddenCell> cells =
      cells_of(hidden, table_known(data.table, truth.x),
               table_truth(data.table, data.name, *data.file.cells, rows.table_rows), variables);
  Gaps gaps{truth.size(), plan.share, plan.draws, {}};
  for (const Variable& variable : variables)
    gaps.columns.push_back({variable.about->name, variable.is_number(), 0, 0, 0, 0, 0, 0, 0});
  Rows given = known;
  given.x = without_marks(data.table, known.x);
  if (!cells.empty()) draw_cells(model, data, given, variables, plan, cells, observer);
  std::vector<double> middles;
  for (const Variable& variable : variables)
    middles.push_back(middle_of(training.select(1, variable.value), variable.is_number()));
  for (const HiddenCell& cell : cells)
    add_cell(cell, variables[cell.variable], middles[cell.variable], gaps.columns[cell.variable]);
  tell_probabilities({model, data, truth, known}, variables, cells, plan.seed, gaps.columns, observer);
  finish(gaps.columns);
  return gaps;
}

Gaps judge_gaps(const Model& model, const Dataset& data, const Split& rows, const Tensor& training,
                const GapPlan& plan, Observer& observer) {
  const Rng rng = Rng(plan.seed).fork({0x6A9, 4});
  const Split some = select_cases(rows, some_rows(rows.rows(), gap_rows, rng.fork({1})));
  const auto count = static_cast<std::int64_t>(variables_of(data.table).size());
  Rng hiding = rng.fork({2});
  const Tensor hidden =
      hide_cells(at::zeros({some.rows(), count}), {count}, fmt::format("{}", plan.share), hiding).isnan();
  return judge_hidden(model, data, some, hidden, training, plan, observer);
}

}  // namespace deepgen::quality
