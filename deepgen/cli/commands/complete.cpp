// complete: missing cells filled in, and how sure the model is of them.
#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <limits>
#include <memory>
#include <optional>
#include <span>

#include "deepgen/cli/commands/commands.h"
#include "deepgen/cli/commands/console.h"
#include "deepgen/cli/commands/opened.h"
#include "deepgen/core/error.h"
#include "deepgen/data/cell_facts.h"
#include "deepgen/parts/checks/check_cells.h"
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
  Split first = split;
  first.each_row_tensor([&](Tensor& each) { each = each.narrow(0, 0, rows); });
  if (split.starts.defined()) first.starts = split.starts.narrow(0, 0, limit);
  if (!split.table_rows.empty()) first.table_rows.resize(static_cast<std::size_t>(rows));
  return first;
}

// What a completion is made of.
struct Task {
  const OpenRun& run;
  const Dataset& data;
  const Split& split;
  const Arguments& arguments;
};

// Some of its rows, with their gaps and those of --hide, and all draws of them.
struct Block {
  std::int64_t first_row = 0;
  Tensor given;  // [n, D] for the model
  DrawSums draws;

  std::int64_t rows() const { return given.size(0); }
  // A piece of it: what comes after the draws needs more memory a row.
  Block narrow(std::int64_t first, std::int64_t count) const {
    return {first_row + first, given.narrow(0, first, count), draws.narrow(first, count)};
  }
};

// Completed rows and, of the cells that were filled, how much the draws differ; NaN elsewhere.
struct Completion {
  Tensor rows, spread;
};

// --- a table of mixed kinds --------------------------------------------------------------------------------

// Completed tables go to their files as the kind of the file asks for.
class CompletedTable {
 public:
  explicit CompletedTable(const Task& task)
      : task_(task), table_(task.run.learnt.table), file_(task.data.file) {
    const Arguments& arguments = task.arguments;
    const auto open = [&](const std::string& path, std::unique_ptr<FileWriter>& text,
                          std::unique_ptr<RowsFile>& rows) {
      if (path.empty()) return;
      if (!path.ends_with(".csv")) {
        rows =
            std::make_unique<RowsFile>(path, task.split.rows(), std::vector<std::string>{}, task.run.shape);
        return;
      }
      text = std::make_unique<FileWriter>(path);
      text->append(&text == &text_ ? completed_csv_header(*file_.cells)
                                   : table_csv_header(file_.cells->names));
    };
    open(arguments.out, text_, rows_);
    open(arguments.spread, spread_text_, spread_rows_);
  }

  void append(const Block& block) {
    const Tensor mean = block.draws.mean(), known = table_known(table_, block.given);
    const Array values = drawn_table_values(table_, mean, stream_, block.first_row);
    const auto rows =
        std::span<const std::int64_t>(task_.split.table_rows)
            .subspan(static_cast<std::size_t>(block.first_row), static_cast<std::size_t>(block.rows()));
    if (text_) {
      const Tensor filled = to_tensor(values).masked_fill(known, missing);
      text_->append(completed_csv_rows(table_, *file_.cells, file_.columns, rows, to_array(filled)));
    } else if (task_.arguments.out.ends_with(".npy")) {
      const Tensor numbers = to_tensor(table_file_numbers(table_, *file_.cells, file_.columns, rows));
      rows_->append(at::where(known.logical_and(numbers == numbers), numbers, to_tensor(values)));
    } else {
      rows_->append(mean.to(at::kFloat));
    }
    if (task_.arguments.spread.empty()) return;
    const Tensor spread = table_spread(table_, block.draws).masked_fill(known, missing);
    if (spread_text_)
      spread_text_->append(spread_csv_rows(table_, *file_.cells, file_.columns, to_array(spread)));
    else
      spread_rows_->append(spread);
  }

  void close() {
    for (const auto& text : {&text_, &spread_text_})
      if (*text) (*text)->close();
    for (const auto& rows : {&rows_, &spread_rows_})
      if (*rows) (*rows)->close();
  }

 private:
  const Task& task_;
  const TableSchema& table_;
  const TableFile& file_;
  const Stream stream_ = Rng(task_.arguments.seed).fork({0xB175}).next();  // of numbers within their bins
  std::unique_ptr<FileWriter> text_, spread_text_;
  std::unique_ptr<RowsFile> rows_, spread_rows_;
};

// --- arrays, pictures, tables of numbers -------------------------------------------------------------------

// Cells that stay as they are have no spread: the known ones, and those of columns that the run has set
// aside.
Tensor without_known(const Transform& transform, const Tensor& spread, const Tensor& known) {
  return spread.to(at::kFloat).masked_fill(transform.put_back(known.to(at::kFloat), 1) > 0, missing);
}

// One-hot columns of whole numbers: the most frequent one.
Completion complete_onehot(const Transform& transform, const Block& block) {
  const Tensor mean = block.draws.mean().to(at::kFloat);
  Transform shares_only = transform;
  shares_only.group_sizes.clear(), shares_only.set_aside.clear();
  const Tensor shares = shares_only.invert(mean);
  std::vector<Tensor> spread, known;
  std::int64_t first = 0;
  for (const std::int64_t size : transform.group_sizes) {
    spread.push_back(1 - std::get<0>(shares.narrow(1, first, size).max(1)));
    known.push_back(block.given.select(1, first).isnan().logical_not());
    first += size;
  }
  return {transform.invert(mean),
          without_known(transform, transform.put_back(at::stack(spread, 1)), at::stack(known, 1))};
}

Completion complete_numbers(const Task& task, const Block& block) {
  const Transform& transform = task.run.learnt.transform;
  if (!transform.group_sizes.empty()) return complete_onehot(transform, block);
  const DataShape learnt = data_shape_from_json(task.run.checkpoint.data, task.run.folder.name());
  const bool binary = learnt.values == ValueKind::binary && transform.identity();
  const Tensor mean = block.draws.mean();
  const Tensor spread = binary ? 1 - at::maximum(mean, 1 - mean) : block.draws.deviation();
  const Tensor filled = binary ? (mean >= 0.5).to(at::kFloat) : mean;
  return {filled, without_known(transform, spread, block.given.isnan().logical_not())};
}

// Cells of a block as they are in the file.
Tensor file_cells(const Task& task, const Block& block) {
  const Split& split = task.split;
  const Transform& transform = task.run.learnt.transform;
  const bool wide = !split.before.defined() && split.x.scalar_type() == at::kDouble && !split.binarise;
  if (split.before.defined() || wide) {
    if (split.mapped) split.mapped->check_unchanged();
    const Tensor cells = (wide ? split.x : split.before).narrow(0, block.first_row, block.rows());
    if (wide) return transform.put_back(cells);
    return cells.scalar_type() == at::kDouble ? cells : cells.to(at::kFloat) * split.before_scale;
  }
  Split rows = split;
  rows.starts = Tensor();
  return transform.put_back(Dataset::block(rows, block.first_row, block.rows(), Rng(0)).x);
}

// Numbers of float32 among those of float64, as text: of each that was filled the double with the same shortest
// decimals.
void shorten_filled(Tensor& rows, const Tensor& known) {
  const Tensor all_known = known.contiguous();
  const bool* is_known = all_known.data_ptr<bool>();
  double* cells = rows.data_ptr<double>();
  char text[64];
  for (std::int64_t i = 0; i < rows.numel(); ++i) {
    const auto narrow = static_cast<float>(cells[i]);
    if (is_known[i] || !std::isfinite(narrow)) continue;
    const auto written = std::to_chars(text, text + sizeof text, narrow);
    std::from_chars(text, written.ptr, cells[i]);
  }
}

// Whether the transform gives numbers back in float64.
bool makes_float64(const OpenRun& run) {
  const Transform& transform = run.learnt.transform;
  return transform.columns() >= 0 &&
         transform.invert(at::zeros({1, transform.columns()})).scalar_type() == at::kDouble;
}

class CompletedArray {
 public:
  explicit CompletedArray(const Task& task)
      : task_(task),
        compare_(task.arguments.out.ends_with(".png") && !task.arguments.hide.empty()),
        wide_(makes_float64(task.run)),
        names_(column_names(task.run).empty() ? task.data.column_names : column_names(task.run)),
        rows_(task.arguments.out, task.split.rows(), names_, task.run.shape),
        truth_(task.split.rows()),
        left_(task.split.rows()),
        done_(task.split.rows()) {
    if (!task.arguments.spread.empty())
      spread_ = std::make_unique<RowsFile>(task.arguments.spread, task.split.rows(), names_);
  }

  void append(const Block& block) {
    Completion done = complete_numbers(task_, block);
    const Tensor known = done.spread.isnan();
    Tensor before = file_cells(task_, block);
    if (task_.arguments.out.ends_with(".png")) before = before.to(at::kFloat);
    // Known cells as they are in the file, to the last bit, not as they come back from the transform.
    done.rows = at::where(known, before, done.rows.to(before.scalar_type())).contiguous();
    const bool text = task_.arguments.out.ends_with(".csv") && before.scalar_type() == at::kDouble;
    if (text && !wide_) shorten_filled(done.rows, known);
    if (compare_) {
      truth_.append(before), left_.append(task_.run.learnt.transform.invert(block.given));
      done_.append(done.rows);
    } else {
      rows_.append(done.rows);
    }
    if (spread_) spread_->append(done.spread);
  }

  void close() {
    const std::int64_t rows = task_.split.rows();
    if (compare_)
      write_rows(task_.arguments.out, interleave({truth_.rows(), left_.rows(), done_.rows()}), names_,
                 task_.run.shape, {.columns = std::min(picture_columns, rows)});
    else
      rows_.close();
    if (spread_) spread_->close();
  }

 private:
  const Task& task_;
  const bool compare_;  // a picture of truth, what is left, and completion
  const bool wide_;     // what is filled is known more exactly than float32
  const std::vector<std::string> names_;
  RowsFile rows_;
  std::unique_ptr<RowsFile> spread_;
  GatheredRows truth_, left_, done_;
};

// --- block after block -------------------------------------------------------------------------------------

// Single draws of models that draw directly do not depend on how rows are cut; chains and repeated draws do.
std::int64_t rows_of_a_block(const Task& task) {
  const bool direct = as<CanComplete>(*task.run.model) && !task.split.starts.defined();
  return direct && task.arguments.draws == 1 ? draw_block : completion_block;
}

// The rows to complete.
Rows given_rows(const Task& task, const CaseBlock& place, const std::optional<Hiding>& hiding) {
  const TableSchema& table = task.run.learnt.table;
  Rows rows = Dataset::block(task.split, place.first, place.count, Rng(0));
  if (hiding)
    rows.x = table.empty() ? hiding->cells(rows.x, task.run.shape, place.first_row)
                           : hiding->groups(rows.x, variable_sizes(table), place.first_row);
  rows.x = without_marks(table, rows.x);
  return rows;
}

std::int64_t missing_cells(const Task& task, const Tensor& given) {
  const TableSchema& table = task.run.learnt.table;
  return (table.empty() ? given.isnan() : table_known(table, given).logical_not()).sum().item<std::int64_t>();
}

// Completes every row and hands it on in pieces; how many cells were missing.
template <class Completed>
std::int64_t complete_split(const Task& task, Completed& completed, Observer& observer) {
  constexpr std::int64_t piece = 1000;  // rows
  const Arguments& arguments = task.arguments;
  const Transform& transform = task.run.learnt.transform;
  const bool in_file_units = task.run.learnt.table.empty() && transform.group_sizes.empty();
  Rng rng(arguments.seed);
  std::optional<Hiding> hiding;
  if (!arguments.hide.empty()) hiding.emplace(arguments.hide, rng);
  const std::vector<CaseBlock> places =
      case_blocks(task.split.starts, task.split.rows(), rows_of_a_block(task));
  Completer completer(*task.run.model, arguments.steps, task.data.groups, rng, observer, task.split.rows(),
                      static_cast<std::int64_t>(places.size()), arguments.draws);
  const bool several = places.size() > 1 && (hiding || task.split.first_gap());
  std::int64_t gaps = 0;
  for (const CaseBlock& place : places) {
    const Rows rows = given_rows(task, place, hiding);
    Block block{place.first_row, rows.x, {}};
    const bool any = several || first_missing_cell(rows.x);  // with no gap anywhere nothing is drawn
    for (std::int64_t k = 0; k < arguments.draws; ++k) {
      const Tensor drawn = any ? completer.complete(rows) : rows.x;
      block.draws.add(in_file_units ? transform.invert(drawn) : drawn);
    }
    for (std::int64_t first = 0; first < place.rows; first += piece)
      completed.append(block.narrow(first, std::min(piece, place.rows - first)));
    gaps += missing_cells(task, rows.x);
  }
  completed.close();
  return gaps;
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
  if (const std::int64_t classes = needed_classes(*run.model))
    check_labels(split.y, split.rows(), classes, "complete");
  const Task task{run, data, split, arguments};
  std::int64_t gaps = 0;
  if (run.learnt.table.empty()) {
    CompletedArray completed(task);
    gaps = complete_split(task, completed, observer);
  } else {
    CompletedTable completed(task);
    gaps = complete_split(task, completed, observer);
  }
  observer.message(
      fmt::format("{} missing cells of {} rows filled in {}", gaps, split.rows(), arguments.out));
}

}  // namespace deepgen
