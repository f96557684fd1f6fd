#include "deepgen/data/files/part_facts.h"

#include <fmt/format.h>

#include <numeric>

#include "deepgen/core/error.h"
#include "deepgen/data/files/array_bytes.h"

namespace deepgen {
namespace {

const Array* find_array(const RawSet& set, const std::string& name) {
  const auto found = set.arrays.find(name);
  return found == set.arrays.end() ? nullptr : &found->second;
}

std::string place_of(std::int64_t column, const std::string& part) {
  return fmt::format("column {} of {}", column, part);
}

// A column of a part; all parts have the columns of train.
std::vector<double> values_of(const RawSet& set, const Array& rows, std::int64_t column,
                              const std::string& part) {
  const std::int64_t columns = set.arrays.at("train").columns();
  if (rows.columns() != columns)
    fail_data(set.name,
              fmt::format("expected {} columns in {}, as in train, got {}", columns, part, rows.columns()));
  return column_values(rows, column);
}

void refuse_pictures(const RawSet& set, const Array& rows) {
  const std::vector<std::int64_t>& shape = set.case_shape.empty() ? rows.shape : set.case_shape;
  if (shape.size() > (set.case_shape.empty() ? 2U : 1U))
    fail_data(set.name, fmt::format("expected sequences of rows of columns, got pictures {}; sequence=none "
                                    "makes every picture a case",
                                    shape_text(shape)));
}

// Known and unknown labels of all rows of a table.
std::optional<LabelCounts> table_label_counts(const RawSet& set, const StatedKinds& stated) {
  const CsvCells& file = *set.table;
  std::vector<std::int64_t> rows(static_cast<std::size_t>(file.rows()));
  std::iota(rows.begin(), rows.end(), std::int64_t{0});
  for (std::size_t j = 0; j < stated.size(); ++j) {
    if (stated[j] != TableColumnKind::labels) continue;
    const auto column = static_cast<std::int64_t>(j);
    const TableColumn about = infer_column(set.name, file, rows, column, stated[j]);
    return count_labels(table_labels(about, set.name, file, column, rows));
  }
  return std::nullopt;
}

PartFacts facts_of_table(const RawSet& set, const DataOptions& options) {
  const StatedKinds stated = stated_kinds(options, set.name, set.table->names);
  PartFacts facts{.name = "train", .rows = set.table->rows(), .labels = table_label_counts(set, stated)};
  const Starts starts = starts_of_table(set, stated);
  facts.sequences = !starts.empty();
  facts.cases = facts.sequences ? static_cast<std::int64_t>(starts.size()) : facts.rows;
  return facts;
}

}  // namespace

Starts starts_of_table(const RawSet& set, const StatedKinds& stated) {
  for (std::size_t j = 0; j < stated.size(); ++j)
    if (stated[j] == TableColumnKind::sequence)
      return starts_of_cells(*set.table, static_cast<std::int64_t>(j), set.name);
  return {};
}

BesideColumns beside_columns(const RawSet& set, const DataOptions& options) {
  const std::int64_t columns = set.arrays.at("train").columns();
  const auto find = [&](const char* role, const std::string& wanted) {
    return find_column(set.name + " " + role, wanted, set.column_names, columns);
  };
  BesideColumns beside;
  if (options.has_labels()) beside.labels = find("labels", options.labels);
  if (options.has_sequence_column()) beside.sequence = find("sequence", options.sequence);
  if (beside.labels >= 0 && beside.labels == beside.sequence)
    fail_usage(set.name,
               fmt::format("expected one kind for the column '{}', got labels and sequence", options.labels));
  return beside;
}

Starts starts_of_part(const RawSet& set, const DataOptions& options, const std::string& name) {
  const Array* rows = find_array(set, name);
  const Array* lengths = find_array(set, name + "_lengths");
  if (options.sequence == "none" || (!rows && !lengths)) return {};
  if (!rows) fail_data(set.name, fmt::format("expected an array {} beside {}_lengths", name, name));
  if (options.has_sequence_column()) {
    if (lengths)
      fail_data(set.name,
                fmt::format("has {}_lengths of its own; leave sequence={} out", name, options.sequence));
    refuse_pictures(set, *rows);
    const std::int64_t column = beside_columns(set, options).sequence;
    return starts_of_numbers(values_of(set, *rows, column, name), set.name, place_of(column, name));
  }
  // Either all parts are of sequences or none.
  if (!lengths && (options.sequence == "lengths" || find_array(set, "train_lengths")))
    fail_data(set.name, fmt::format("expected an array {}_lengths, the rows of each sequence", name));
  if (!lengths) return {};
  if (!find_array(set, "train_lengths"))
    fail_data(set.name, fmt::format("expected an array train_lengths beside {}_lengths", name));
  refuse_pictures(set, *rows);
  return starts_of_lengths(*lengths, rows->rows(), set.name, name + "_lengths");
}

std::optional<Array> labels_of_part(const RawSet& set, const DataOptions& options, const std::string& name) {
  const Array* rows = find_array(set, name);
  if (rows && options.has_labels()) {
    const std::int64_t column = beside_columns(set, options).labels;
    return read_labels(values_of(set, *rows, column, name), set.name, place_of(column, name));
  }
  const Array* labels = find_array(set, name + "_labels");
  if (!labels) return std::nullopt;
  const std::int64_t count = rows ? rows->rows() : 0;
  if (labels->items() != count)
    fail_data(set.name, fmt::format("expected {} labels of {}, got {}", count, name, labels->items()));
  Array flat = *labels;
  flat.shape = {count};
  return read_labels(column_values(flat, 0), set.name, name + "_labels");
}

std::vector<PartFacts> facts_of_parts(const RawSet& set, const DataOptions& options) {
  if (set.table) return {facts_of_table(set, options)};
  std::vector<PartFacts> all;
  for (const char* name : {"train", "valid", "test"}) {
    const Array* rows = find_array(set, name);
    if (!rows) continue;
    const Starts starts = starts_of_part(set, options, name);
    PartFacts facts{.name = name, .rows = rows->rows(), .cases = rows->rows(), .sequences = !starts.empty()};
    if (facts.sequences) facts.cases = static_cast<std::int64_t>(starts.size());
    if (const auto labels = labels_of_part(set, options, name)) facts.labels = count_labels(*labels);
    all.push_back(std::move(facts));
  }
  return all;
}

}  // namespace deepgen
