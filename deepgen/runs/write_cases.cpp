#include "deepgen/runs/write_cases.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "deepgen/core/error.h"
#include "deepgen/data/files/csv_scanner.h"
#include "deepgen/tasks/draw_sums.h"
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

// ---------------------------------------------------------------- rows

RowsFile::RowsFile(const std::string& path, std::int64_t rows, const std::vector<std::string>& names,
                   const std::vector<std::int64_t>& shape, const Grid& grid)
    : path_(path), rows_(rows), names_(names), shape_(shape), grid_(grid) {}

RowsFile::~RowsFile() = default;

// The first rows say how many columns there are and of what type.
void RowsFile::begin(const Tensor& rows) {
  if (path_.ends_with(".npy")) {
    std::vector<std::int64_t> sizes = rows.sizes().vec();
    sizes[0] = rows_;
    const DType type = rows.scalar_type() == at::kDouble ? DType::f64 : DType::f32;
    npy_ = std::make_unique<NpyWriter>(path_, type, sizes);
  } else if (path_.ends_with(".csv")) {
    std::vector<std::string> columns = names_;
    const std::int64_t count = rows.dim() == 1 ? 1 : rows.size(1);
    for (auto j = static_cast<std::int64_t>(columns.size()); j < count; ++j)
      columns.push_back(fmt::format("v{}", j));
    csv_ = std::make_unique<CsvWriter>(path_, columns);
  } else if (path_.ends_with(".png") && rows.dim() == 2) {
    picture_ = std::make_unique<GatheredRows>(rows_);
  } else {
    fail_usage("--out", fmt::format("expected a file that ends in .npy, .csv{}, got '{}'",
                                    rows.dim() == 2 ? " or .png" : "", path_));
  }
}

void RowsFile::append(const Tensor& rows) {
  if (!npy_ && !csv_ && !picture_) begin(rows);
  if (npy_) npy_->append(to_array(rows));
  if (csv_) csv_->append(to_array(rows.dim() == 1 ? rows.unsqueeze(1) : rows));
  if (picture_) picture_->append(rows);
}

void RowsFile::close() {
  if (npy_) npy_->close();
  if (csv_) csv_->close();
  if (picture_) write_png(path_, picture_of(picture_->rows(), shape_, grid_));
}

void write_rows(const std::string& path, const Tensor& rows, const std::vector<std::string>& names,
                const std::vector<std::int64_t>& shape, const Grid& grid) {
  RowsFile file(path, rows.size(0), names, shape, grid);
  file.append(rows);
  file.close();
}

// ---------------------------------------------------------------- cases of a run

CasesFile::CasesFile(const OpenRun& run, const std::string& path, std::int64_t rows, const Grid& grid,
                     std::uint64_t seed, bool beyond)
    : run_(run),
      file_(path, rows, run.learnt.table.empty() ? column_names(run) : std::vector<std::string>{}, run.shape,
            grid),
      numbers_(path.ends_with(".npy")),
      beyond_(beyond),
      stream_(Rng(seed).fork({0xB175}).next()) {
  const TableSchema& table = run.learnt.table;
  if (table.empty() || !path.ends_with(".csv")) return;
  table_ = std::make_unique<FileWriter>(path);
  table_->append(table_csv_header(table_value_names(table), table.separator));
}

CasesFile::~CasesFile() = default;

void CasesFile::append(const Tensor& rows) {
  if (!run_.learnt.transform.whitened()) return write(rows);
  for (std::int64_t first = 0; first < rows.size(0);) {
    const std::int64_t count = std::min(Transform::block_rows - waiting_rows_, rows.size(0) - first);
    waiting_.push_back(rows.narrow(0, first, count));
    waiting_rows_ += count, first += count;
    if (waiting_rows_ < Transform::block_rows) continue;
    write(at::cat(waiting_));
    waiting_.clear(), waiting_rows_ = 0;
  }
}

void CasesFile::write(const Tensor& rows) {
  const TableSchema& table = run_.learnt.table;
  if (table.empty()) return file_.append(run_.learnt.transform.invert(rows));
  if (!table_ && !numbers_) return file_.append(rows);
  append_values(to_tensor(drawn_table_values(table, rows, stream_, written_, beyond_)));
  written_ += rows.size(0);
}

void CasesFile::append_values(const Tensor& values) {
  if (table_)
    table_->append(table_csv_rows(run_.learnt.table, to_array(values)));
  else
    file_.append(values);
}

void CasesFile::close() {
  if (!waiting_.empty()) write(at::cat(waiting_));
  waiting_.clear();
  table_ ? table_->close() : file_.close();
}

void write_cases(const OpenRun& run, const std::string& path, const Tensor& rows, const Grid& grid) {
  CasesFile file(run, path, rows.size(0), grid);
  file.append(rows);
  file.close();
}

// ---------------------------------------------------------------- classes

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
