// complete: missing cells filled in, and how sure the model is of them.
#include <fmt/format.h>

#include <limits>

#include "deepgen/cli/commands/commands.h"
#include "deepgen/cli/commands/console.h"
#include "deepgen/cli/commands/opened.h"
#include "deepgen/core/error.h"
#include "deepgen/runs/write_cases.h"
#include "deepgen/tasks/draw_sums.h"
#include "deepgen/tasks/tasks.h"
#include "deepgen/train/check_split.h"

namespace deepgen {
namespace {

constexpr double missing = std::numeric_limits<double>::quiet_NaN();
constexpr std::int64_t picture_columns = 20;

// Bands of at most picture_columns cases: of each band first the rows of a, then of b, then of c.
Tensor interleave(const std::vector<Tensor>& kinds) {
  std::vector<Tensor> bands;
  const std::int64_t rows = kinds.front().size(0);
  for (std::int64_t first = 0; first < rows; first += picture_columns)
    for (const Tensor& kind : kinds) {
      Tensor band = kind.narrow(0, first, std::min(picture_columns, rows - first));
      if (band.size(0) < picture_columns &&
          rows > picture_columns)  // the last band keeps its columns in line
        band = at::cat({band, at::full({picture_columns - band.size(0), band.size(1)}, 0.5)});
      bands.push_back(band);
    }
  return at::cat(bands);
}

// The first cases of a part, at most `limit`.
Split first_cases(const Split& split, std::int64_t limit) {
  if (limit >= split.cases()) return split;
  const std::int64_t rows = split.starts.defined() ? split.starts[limit].item<std::int64_t>() : limit;
  const auto cut = [&](const Tensor& all) { return all.defined() ? all.narrow(0, 0, rows) : all; };
  Split first = split;
  first.x = cut(split.x), first.y = cut(split.y), first.weights = cut(split.weights);
  first.before = cut(split.before);
  if (split.starts.defined()) first.starts = split.starts.narrow(0, 0, limit);
  if (!split.table_rows.empty()) first.table_rows.resize(static_cast<std::size_t>(rows));
  return first;
}

// What a completion is made of: rows with their gaps, and the same cells before --hide.
struct Task {
  const OpenRun& run;
  const Dataset& data;
  const Split& split;
  Tensor truth;  // [N, D] for the model
  Rows given;    // the same with cells hidden
};

// Completed rows and, of the cells that were filled, how much the draws differ; NaN elsewhere.
struct Completion {
  Tensor rows, spread;
};

// Every draw is of every missing cell, given the known ones.
template <class F>
DrawSums draw(const Task& task, const Arguments& arguments, Rng& rng, Observer& observer, F units) {
  DrawSums sums;
  for (std::int64_t k = 0; k < arguments.draws; ++k)
    sums.add(
        units(complete_rows(*task.run.model, task.given, arguments.steps, rng, observer, task.data.groups)));
  return sums;
}

Tensor model_units(const Tensor& rows) { return rows; }

// --- a table of mixed kinds --------------------------------------------------------------------------------

std::vector<std::int64_t> group_sizes(const TableSchema& table) {
  std::vector<std::int64_t> sizes;
  for (const TableColumn& column : table.columns)
    if (column.modelled()) sizes.push_back(column.width());
  return sizes;
}

void complete_table(const Task& task, const Arguments& arguments, Rng& rng, Observer& observer) {
  const TableSchema& table = task.run.learnt.table;
  const TableFile& file = task.data.file;
  const DrawSums sums = draw(task, arguments, rng, observer, model_units);
  const Tensor mean = sums.mean(), known = table_known(table, task.given.x);
  const Array values = table_values(table, to_array(mean.to(at::kFloat)));
  if (arguments.out.ends_with(".csv")) {
    const Tensor filled = to_tensor(values).masked_fill(known, missing);
    write_text(arguments.out,
               complete_table_csv(table, *file.cells, file.columns, task.split.table_rows, to_array(filled)));
  } else if (arguments.out.ends_with(".npy")) {
    write_rows(arguments.out, to_tensor(values));
  } else {
    write_rows(arguments.out, mean.to(at::kFloat), {}, task.run.shape);
  }
  if (arguments.spread.empty()) return;
  const Tensor spread = table_spread(table, sums).masked_fill(known, missing);
  if (arguments.spread.ends_with(".csv"))
    write_text(arguments.spread, spread_table_csv(table, *file.cells, file.columns, to_array(spread)));
  else
    write_rows(arguments.spread, spread);
}

// --- arrays, pictures, tables of numbers -------------------------------------------------------------------

// Cells that stay as they are have no spread: the known ones, and those of columns that the run has set
// aside.
Tensor without_known(const Transform& transform, const Tensor& spread, const Tensor& known) {
  return spread.to(at::kFloat).masked_fill(transform.put_back(known.to(at::kFloat), 1) > 0, missing);
}

// One-hot columns of whole numbers: the most frequent one.
Completion complete_onehot(const Task& task, const Arguments& arguments, Rng& rng, Observer& observer) {
  const Transform& transform = task.run.learnt.transform;
  const DrawSums sums = draw(task, arguments, rng, observer, model_units);
  const Tensor mean = sums.mean().to(at::kFloat);
  Transform shares_only = transform;
  shares_only.group_sizes.clear(), shares_only.set_aside.clear();
  const Tensor shares = shares_only.invert(mean);
  std::vector<Tensor> spread, known;
  std::int64_t first = 0;
  for (const std::int64_t size : transform.group_sizes) {
    spread.push_back(1 - std::get<0>(shares.narrow(1, first, size).max(1)));
    known.push_back(task.given.x.select(1, first).isnan().logical_not());
    first += size;
  }
  return {transform.invert(mean),
          without_known(transform, transform.put_back(at::stack(spread, 1)), at::stack(known, 1))};
}

Completion complete_numbers(const Task& task, const Arguments& arguments, Rng& rng, Observer& observer) {
  const Transform& transform = task.run.learnt.transform;
  if (!transform.group_sizes.empty()) return complete_onehot(task, arguments, rng, observer);
  const DrawSums sums =
      draw(task, arguments, rng, observer, [&](const Tensor& rows) { return transform.invert(rows); });
  const DataShape learnt = data_shape_from_json(task.run.checkpoint.data, task.run.folder.name());
  const bool binary = learnt.values == ValueKind::binary && transform.identity();
  const Tensor mean = sums.mean();
  const Tensor spread = binary ? 1 - at::maximum(mean, 1 - mean) : sums.deviation();
  const Tensor filled = binary ? (mean >= 0.5).to(at::kFloat) : mean.to(at::kFloat);
  return {filled, without_known(transform, spread, task.given.x.isnan().logical_not())};
}

void complete_array(const Task& task, const Arguments& arguments, Rng& rng, Observer& observer) {
  const Transform& transform = task.run.learnt.transform;
  Completion done = complete_numbers(task, arguments, rng, observer);
  // Known cells as they are in the file, not as they come back from the transform.
  const Tensor before = task.split.before.defined() ? task.split.before : transform.put_back(task.truth);
  done.rows = at::where(done.spread.isnan(), before, done.rows);
  const bool picture = arguments.out.ends_with(".png"), compare = picture && !arguments.hide.empty();
  const std::vector<std::string> names =
      column_names(task.run).empty() ? task.data.column_names : column_names(task.run);
  const Tensor shown = compare ? interleave({before, transform.invert(task.given.x), done.rows}) : done.rows;
  write_rows(arguments.out, shown, names, task.run.shape,
             {.columns = compare ? std::min(picture_columns, done.rows.size(0)) : 0});
  if (!arguments.spread.empty()) write_rows(arguments.spread, done.spread, names);
}

}  // namespace

void complete_command(const Arguments& arguments) {
  ConsoleObserver observer(arguments.quiet);
  const OpenRun run = open_and_tell(arguments, observer);
  if (run.learnt.transform.whitened())
    fail_usage("complete",
               "the run was trained on whitened columns, which are mixtures of all cells of a row");
  const Dataset data = load_and_tell(run, arguments, observer);
  const Split split = first_cases(data.split(arguments.split), arguments.limit);
  // Missing cells fit; the known ones must, and are looked at before --hide.
  check_split(*run.model, split, arguments.data,
              [&](const Tensor& x) { return fill_missing(x, data.groups); });
  const Rows truth = Dataset::rows(split, 0, split.cases(), Rng(0));
  Task task{run, data, split, truth.x, truth};
  Rng rng(arguments.seed);
  const bool table = !run.learnt.table.empty();
  if (!arguments.hide.empty())
    task.given.x = table ? hide_groups(truth.x, group_sizes(run.learnt.table), arguments.hide, rng)
                         : hide_cells(truth.x, run.shape, arguments.hide, rng);
  table ? complete_table(task, arguments, rng, observer) : complete_array(task, arguments, rng, observer);
  const Tensor gaps =
      table ? table_known(run.learnt.table, task.given.x).logical_not() : task.given.x.isnan();
  observer.message(fmt::format("{} missing cells of {} rows filled in {}", gaps.sum().item<std::int64_t>(),
                               truth.x.size(0), arguments.out));
}

}  // namespace deepgen
