// Tables of mixed kinds as data sets: which rows go where, the schema of the training rows, encoded cells.
#include <fmt/format.h>

#include "deepgen/core/error.h"
#include "deepgen/data/dataset.h"

namespace deepgen {
namespace {

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

// What is stated again of a trained run's columns must be what it learnt of them.
void check_stated(const TableSchema& schema, const std::vector<std::int64_t>& columns,
                  const StatedKinds& stated, const std::string& name) {
  for (std::size_t i = 0; i < columns.size(); ++i) {
    if (columns[i] < 0) continue;
    const std::string& kind = stated[static_cast<std::size_t>(columns[i])];
    const TableColumn& column = schema.columns[i];
    if (kind.empty() || kind == column.kind || column.kind == "constant") continue;
    if (!column.modelled() && (kind == "labels" || kind == "weight")) continue;
    fail_usage(name,
               fmt::format("the run was trained with '{}' as {}, not {}", column.name, column.kind, kind));
  }
}

// The column of the file with this role: as stated, else as learnt; -1: none.
std::int64_t column_with(const std::string& role, const StatedKinds& stated, const TableSchema& schema,
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
  TableMaker(const RawSet& raw, const DataOptions& options, const TableSchema* learnt)
      : name_(raw.name), cells_(raw.table), parts_(split_rows(cells_->rows(), options, name_)) {
    refuse_other_options(options, name_);
    stated_ = stated_kinds(options, name_, cells_->names);
    set_.spec = set_.name = name_;
    set_.description = raw.description;
    if (cells_->rows() == 0) fail_data(name_, "expected at least one row, got none");
    set_.table = learnt ? *learnt : infer_table(name_, *cells_, parts_.train, stated_);
    columns_ = match_columns(set_.table, name_, *cells_);
    if (learnt) check_stated(set_.table, columns_, stated_, name_);
    find_labels();
    weights_ = column_with("weight", stated_, set_.table, columns_);
  }

  Dataset make() {
    set_.file = {cells_, columns_};
    set_.groups = set_.table.groups();
    set_.values = set_.table.values();
    set_.column_names = set_.table.encoded_names();
    set_.shape = {set_.table.width()};
    set_.binarize = set_.values == "binary" ? "static" : "none";  // as of arrays of 0 and 1
    set_.one_matrix = parts_.valid.empty() && parts_.test.empty();
    fill(set_.train, "train", parts_.train);
    fill(set_.valid, "valid", parts_.valid);
    fill(set_.test, "test", parts_.test);
    return std::move(set_);
  }

 private:
  // Labels of the run keep their classes; others are numbered by this file.
  void find_labels() {
    labels_ = column_with("labels", stated_, set_.table, columns_);
    if (labels_ < 0) return;
    for (std::size_t i = 0; i < columns_.size(); ++i)
      if (columns_[i] == labels_ && set_.table.columns[i].kind == "labels")
        label_column_ = set_.table.columns[i];
    if (label_column_.kind.empty())
      label_column_ = infer_column(name_, *cells_, parts_.train, labels_, "labels");
    set_.classes = static_cast<std::int64_t>(label_column_.values.size());
  }

  void fill(Split& split, const char* name, const std::vector<std::int64_t>& rows) {
    split.name = name;
    if (rows.empty()) return;
    split.table_rows = rows;
    split.x = to_tensor(encode_table(set_.table, name_, *cells_, columns_, rows));
    if (weights_ >= 0) split.weights = to_tensor(table_weights(name_, *cells_, weights_, rows));
    if (labels_ < 0) return;
    split.y = to_tensor(table_labels(label_column_, name_, *cells_, labels_, rows));
    set_.classes = std::max(set_.classes, split.y.max().item<std::int64_t>() + 1);
  }

  const std::string name_;
  const std::shared_ptr<const CsvCells> cells_;
  const RowParts parts_;
  StatedKinds stated_;
  std::vector<std::int64_t> columns_;
  std::int64_t labels_ = -1, weights_ = -1;
  TableColumn label_column_;
  Dataset set_;
};

}  // namespace

Dataset make_table_dataset(const RawSet& raw, const DataOptions& options, const TableSchema* learnt) {
  return TableMaker(raw, options, learnt).make();
}

}  // namespace deepgen
