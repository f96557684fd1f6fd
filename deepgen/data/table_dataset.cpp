// Tables of mixed kinds as data sets: which rows go where, the schema of the training rows, encoded cells.
#include <fmt/format.h>

#include <algorithm>

#include "deepgen/core/error.h"
#include "deepgen/data/dataset.h"
#include "deepgen/data/files/array_bytes.h"
#include "deepgen/data/read_parts.h"

namespace deepgen {
namespace {

using Kind = TableColumnKind;

void refuse_other_options(const DataOptions& options, const std::string& name) {
  const auto refuse = [&](bool asked, const char* option) {
    if (asked)
      fail_usage(name,
                 fmt::format("the columns of a table are encoded by their kinds; leave {} out", option));
  };
  refuse(!options.binarize.empty() && options.binarize != "none", "binarize");
  refuse(options.dequantise, "dequantise");
  refuse(options.onehot, "onehot");
  refuse(options.whiten, "whiten");  // standardise is what is done with real columns anyway
}

// Kinds of columns that say something of the rows and are not for a model.
bool is_beside(Kind kind) { return kind == Kind::labels || kind == Kind::weight || kind == Kind::sequence; }

// What is stated again of a trained run's columns must be what it learnt of them.
void check_stated(const TableSchema& schema, const std::vector<std::int64_t>& columns,
                  const StatedKinds& stated, const std::string& name) {
  for (std::size_t i = 0; i < columns.size(); ++i) {
    if (columns[i] < 0) continue;
    const std::optional<Kind> kind = stated[static_cast<std::size_t>(columns[i])];
    const TableColumn& column = schema.columns[i];
    if (!kind || *kind == column.kind || column.kind == Kind::constant) continue;
    if (!column.modelled() && is_beside(*kind)) continue;
    fail_usage(name, fmt::format("the run was trained with '{}' as {}, not {}", column.name,
                                 name_of(column.kind), name_of(*kind)));
  }
}

bool has_kind(const TableSchema& schema, Kind kind) {
  return std::any_of(schema.columns.begin(), schema.columns.end(),
                     [&](const TableColumn& column) { return column.kind == kind; });
}

// The column of the file with this role: as stated, else as learnt; -1: none.
std::int64_t column_with(Kind role, const StatedKinds& stated, const TableSchema& schema,
                         const std::vector<std::int64_t>& columns) {
  for (std::size_t j = 0; j < stated.size(); ++j)
    if (stated[j] == role) return static_cast<std::int64_t>(j);
  for (std::size_t i = 0; i < columns.size(); ++i)
    if (schema.columns[i].kind == role) return columns[i];
  return -1;
}

// One table while it becomes a data set.
class TableMaker {
 public:
  TableMaker(const RawSet& raw, const DataOptions& options, const TableSchema* learnt,
             const TableReading& reading)
      : name_(raw.name), cells_(raw.table), learnt_(learnt != nullptr), strict_(options.strict) {
    refuse_other_options(options, name_);
    stated_ = stated_kinds(options, name_, cells_->names);
    set_.spec = set_.name = name_;
    set_.description = raw.description;
    if (!learnt) set_.notes = raw.notes;
    if (cells_->rows() == 0) fail_data(name_, "expected at least one row, got none");
    if (learnt) use_schema(*learnt), check_stated(set_.table, columns_, stated_, name_);
    const Starts starts = find_sequences(options);
    parts_ = split_rows(cells_->rows(), options, name_, starts);
    if (!learnt) learn_schema(options, reading);
    find_labels();
    weights_ = column_with(Kind::weight, stated_, set_.table, columns_);
    if (weights_ >= 0 && !starts.empty())
      fail_usage(name_, "weights are of rows and do not go with sequences; leave weight= or sequence= out");
  }

  Dataset make() {
    set_.file = {cells_, columns_};
    set_.groups = set_.table.groups();
    set_.values = set_.table.values();
    set_.column_names = set_.table.encoded_names();
    set_.shape = {set_.table.width()};
    set_.binarize = set_.values == ValueKind::binary ? "static" : "none";  // as of arrays of 0 and 1
    set_.one_matrix = parts_.valid.empty() && parts_.test.empty();
    fill(set_.train, "train", parts_.train, parts_.train_starts);
    fill(set_.valid, "valid", parts_.valid, parts_.valid_starts);
    fill(set_.test, "test", parts_.test, parts_.test_starts);
    if (!set_.train.codes.defined()) keep_bits_as_bytes(set_);
    if (!learnt_)
      for (std::string& note : table_notes(set_.table)) set_.notes.push_back(std::move(note));
    return std::move(set_);
  }

 private:
  void use_schema(const TableSchema& schema) {
    set_.table = schema;
    columns_ = match_columns(set_.table, name_, *cells_);
  }

  // Numbers in bins and marks of missing cells: as stated, else as suits the model.
  void learn_schema(const DataOptions& options, const TableReading& reading) {
    TableSchema schema = infer_table(name_, *cells_, parts_.train, stated_);
    if (options.numbers.empty() ? reading.bins : options.numbers == "bins")
      learn_table_bins(schema, *cells_, parts_.train);
    if (options.gaps.empty() ? reading.marks : options.gaps == "learn")
      for (TableColumn& column : schema.columns)
        column.marks_missing = column.modelled() && column.missing > 0;
    use_schema(schema);
  }

  // A run reads its files as it read its training file: as sequences or row by row.
  Starts find_sequences(const DataOptions& options) const {
    if (options.sequence == "lengths")
      fail_data(name_, "a table has no lengths; expected the column that names the sequence, got lengths");
    const bool before = learnt_ && has_kind(set_.table, Kind::sequence);
    if (learnt_ && !before && options.has_sequence_column())
      fail_usage(name_, "the run was not trained on sequences; leave sequence= out");
    const std::int64_t column =
        options.sequence == "none" ? -1 : column_with(Kind::sequence, stated_, set_.table, columns_);
    if (before && column < 0)
      fail_data(name_, "expected the column that names the sequence, as in the training file, got none");
    return column < 0 ? Starts{} : starts_of_cells(*cells_, column, name_);
  }

  // Labels of the run keep their classes; others are numbered by this file.
  void find_labels() {
    labels_ = column_with(Kind::labels, stated_, set_.table, columns_);
    if (labels_ < 0) return;
    const TableColumn* known = nullptr;
    for (std::size_t i = 0; i < columns_.size(); ++i)
      if (columns_[i] == labels_ && set_.table.columns[i].kind == Kind::labels)
        known = &set_.table.columns[i];
    label_column_ = known ? *known : infer_column(name_, *cells_, parts_.train, labels_, Kind::labels);
    set_.classes = static_cast<std::int64_t>(label_column_.values.size());
  }

  // What says whether a cell is missing is known in training rows: elsewhere the cells alone are scored.
  void encode(Split& split, const std::vector<std::int64_t>& rows) {
    const bool marks = !learnt_ && &split == &set_.train;
    split.code_sizes = set_.table.code_layout().sizes;
    const auto size = std::max_element(split.code_sizes.begin(), split.code_sizes.end());
    UnreadCells unread;
    UnreadCells* const counted = strict_ ? nullptr : &unread;
    Array densities;
    Array* const asked = set_.table.numbers_in_bins() > 0 ? &densities : nullptr;
    if (size != split.code_sizes.end() && *size > 1)
      split.codes = to_tensor(table_codes(set_.table, name_, *cells_, columns_, rows, marks, counted, asked));
    else
      split.x = to_tensor(encode_table(set_.table, name_, *cells_, columns_, rows, marks, counted, asked));
    if (asked) split.densities = to_tensor(std::move(densities));
    if (!learnt_ && &split == &set_.train) return;
    for (std::string& note : unread.notes(set_.table, *cells_, learnt_ ? "this file" : split.name))
      set_.notes.push_back(std::move(note));
  }

  void fill(Split& split, const char* name, const std::vector<std::int64_t>& rows, const Starts& starts) {
    split.name = name;
    if (rows.empty()) return;
    split.table_rows = rows;
    encode(split, rows);
    if (!learnt_) refuse_nothing_known(split, name_);
    if (!starts.empty()) split.starts = at::tensor(starts, at::kLong);
    if (weights_ >= 0) split.weights = to_tensor(table_weights(name_, *cells_, weights_, rows));
    if (labels_ < 0) return;
    split.y = to_tensor(table_labels(label_column_, name_, *cells_, labels_, rows));
    count_classes(set_, split);
  }

  const std::string name_;
  const std::shared_ptr<const CsvCells> cells_;
  const bool learnt_, strict_;
  RowParts parts_;
  StatedKinds stated_;
  std::vector<std::int64_t> columns_;
  std::int64_t labels_ = -1, weights_ = -1;
  TableColumn label_column_;
  Dataset set_;
};

}  // namespace

Dataset make_table_dataset(const RawSet& raw, const DataOptions& options, const TableSchema* learnt,
                           const TableReading& reading) {
  return TableMaker(raw, options, learnt, reading).make();
}

}  // namespace deepgen
