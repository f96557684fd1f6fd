#include "deepgen/runs/write_cases.h"

#include <fmt/format.h>

#include <cmath>

#include "deepgen/core/error.h"
#include "deepgen/core/file_bytes.h"
#include "deepgen/data/files/csv.h"
#include "deepgen/data/files/csv_scanner.h"
#include "deepgen/data/files/npy.h"
#include "deepgen/tasks/tasks.h"

namespace deepgen {
namespace {

// The names of the classes as in the file the run was trained on, or numbers.
std::vector<std::string> class_names(const OpenRun& run, std::int64_t classes) {
  for (const TableColumn& column : run.learnt.table.columns)
    if (column.kind == TableColumnKind::labels && static_cast<std::int64_t>(column.values.size()) == classes)
      return column.values;
  std::vector<std::string> names;
  for (std::int64_t k = 0; k < classes; ++k) names.push_back(std::to_string(k));
  return names;
}

std::string classes_csv(const std::vector<std::string>& names, const Tensor& probabilities,
                        const Tensor& labels) {
  const auto name_of_class = [&](std::int64_t k) {  // a label may be above the classes of the model
    const auto at = static_cast<std::size_t>(k);
    return quoted_cell(at < names.size() ? names[at] : std::to_string(k));
  };
  std::string text;
  for (const std::string& name : names) text += quoted_cell("p_" + name) + ",";
  text += labels.defined() ? "class,label\n" : "class\n";
  const auto p = probabilities.accessor<double, 2>();
  const Tensor best = probabilities.argmax(1), known = labels.defined() ? labels.to(at::kLong) : best;
  const auto most = best.accessor<std::int64_t, 1>(), label = known.accessor<std::int64_t, 1>();
  for (std::int64_t row = 0; row < p.size(0); ++row) {
    for (std::int64_t k = 0; k < p.size(1); ++k) text += fmt::format("{},", p[row][k]);
    text += name_of_class(most[row]);
    if (labels.defined()) text += label[row] < 0 ? "," : "," + name_of_class(label[row]);
    text += '\n';
  }
  return text;
}

}  // namespace

void write_text(const std::string& path, const std::string& text) {
  write_file(path, ByteView(reinterpret_cast<const std::uint8_t*>(text.data()), text.size()));
}

void write_cases(const OpenRun& run, const std::string& path, const Tensor& rows, const Grid& grid) {
  const TableSchema& table = run.learnt.table;
  if (table.empty())
    return write_rows(path, run.learnt.transform.invert(rows), column_names(run), run.shape, grid);
  if (path.ends_with(".csv"))
    return write_text(path, encode_table_csv(table, table_values(table, to_array(rows))));
  if (path.ends_with(".npy")) return write_npy(path, table_values(table, to_array(rows)));
  write_rows(path, rows, {}, run.shape, grid);
}

void write_rows(const std::string& path, const Tensor& rows, const std::vector<std::string>& names,
                const std::vector<std::int64_t>& shape, const Grid& grid) {
  if (path.ends_with(".npy")) return write_npy(path, to_array(rows));
  const Tensor table = rows.dim() == 1 ? rows.unsqueeze(1) : rows;
  if (path.ends_with(".csv")) {
    std::vector<std::string> columns = names;
    for (std::int64_t j = static_cast<std::int64_t>(columns.size()); j < table.size(1); ++j)
      columns.push_back(fmt::format("v{}", j));
    return write_csv(path, columns, to_array(table));
  }
  if (path.ends_with(".png") && rows.dim() == 2) return write_png(path, picture_of(rows, shape, grid));
  fail_usage("--out", fmt::format("expected a file that ends in .npy, .csv{}, got '{}'",
                                  rows.dim() == 2 ? " or .png" : "", path));
}

void write_classes(const OpenRun& run, const Split& split, const std::string& path, const Tensor& log_probs) {
  const Tensor probabilities = log_probs.to(at::kDouble).exp().contiguous(), labels = split.y;
  if (path.ends_with(".csv"))
    return write_text(path, classes_csv(class_names(run, log_probs.size(1)), probabilities, labels));
  std::vector<Tensor> columns = {probabilities, probabilities.argmax(1, true).to(at::kDouble)};
  if (labels.defined())
    columns.push_back(labels.to(at::kDouble).masked_fill(labels < 0, std::nan("")).unsqueeze(1));
  write_rows(path, at::cat(columns, 1));
}

}  // namespace deepgen
