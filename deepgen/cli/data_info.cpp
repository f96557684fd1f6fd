#include "deepgen/cli/data_info.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "deepgen/cli/arguments.h"
#include "deepgen/data/files/array_bytes.h"
#include "deepgen/data/files/known_sets.h"
#include "deepgen/data/files/labels.h"
#include "deepgen/data/files/part_facts.h"
#include "deepgen/data/generated/generated.h"

namespace deepgen {
namespace {

using Json = nlohmann::ordered_json;

// "'no', 'yes'", "'clerk', 'farmer', ... (6)", "16 to 97.5, mean 41.2, deviation 17.9".
std::string column_text(const TableColumn& column) {
  constexpr std::size_t few = 4;
  const std::size_t count = column.values.size();
  if (column.kind == TableColumnKind::count) return fmt::format("{:g} to {:g}", column.low, column.high);
  if (column.kind == TableColumnKind::real && column.format.is_date())
    return fmt::format("{} to {}", column.format.write(column.low, 0), column.format.write(column.high, 0));
  if (column.kind == TableColumnKind::real)
    return fmt::format("{:g} to {:g}, mean {:.4g}, deviation {:.4g}", column.low, column.high, column.mean,
                       column.deviation);
  if (column.kind == TableColumnKind::constant && count == 0) return "all missing: set aside";
  if (column.kind == TableColumnKind::labels && count == 0) return "whole numbers";
  std::string text;
  for (std::size_t i = 0; i < std::min(count, few); ++i)
    text += (i > 0 ? ", " : "") + shown(column.values[i]);
  return count > few ? fmt::format("{}, ... ({})", text, count) : text;
}

// "90 known (3 classes), 10 unknown".
std::string label_text(const LabelCounts& counts) {
  return fmt::format("{} known ({} classes), {} unknown", counts.known, counts.classes, counts.unknown);
}

LabelCounts label_counts(const RawSet& set, const TableColumn& column, const RowParts& parts, std::size_t i) {
  return count_labels(table_labels(column, set.name, *set.table, static_cast<std::int64_t>(i), parts.train));
}

// What is known of column `i` of the file.
std::string about_column(const RawSet& set, const TableSchema& schema, const RowParts& parts, std::size_t i) {
  const TableColumn& column = schema.columns[i];
  std::string text = plain_text(column_text(column));
  if (column.kind == TableColumnKind::labels)
    return text + "; of the training rows " + label_text(label_counts(set, column, parts, i));
  if (column.missing > 0 && column.missing < 1)
    text += fmt::format("; {:.1f} % missing", 100 * column.missing);
  const std::string why = column.reason == "stated" ? std::string() : plain_text(column.reason);
  if (!why.empty()) text += (text.empty() ? "" : "; ") + why;
  const std::string change = plain_text(remedy_text(column));
  return why.empty() || change.empty() ? text : text + fmt::format(" (else state {})", change);
}

void describe_columns(const RawSet& set, const TableSchema& schema, const RowParts& parts) {
  std::size_t longest = 4;
  for (const TableColumn& column : schema.columns) longest = std::max(longest, column.name.size());
  for (std::size_t i = 0; i < schema.columns.size(); ++i) {
    const std::string name = plain_text(schema.columns[i].name), kind = kind_text(schema.columns[i]);
    const std::string about = about_column(set, schema, parts, i);
    if (about.empty())
      fmt::print("  {:<{}}  {}\n", name, longest, kind);
    else
      fmt::print("  {:<{}}  {:<12}{}\n", name, longest, kind, about);
  }
}

// A table as its training rows have it.
struct ReadTable {
  RowParts parts;
  TableSchema schema;
};

ReadTable read_table(const RawSet& set, const DataOptions& options) {
  const CsvCells& file = *set.table;
  const StatedKinds stated = stated_kinds(options, set.name, file.names);
  ReadTable table{split_rows(file.rows(), options, set.name, starts_of_table(set, stated)), {}};
  table.schema = infer_table(set.name, file, table.parts.train, stated);
  return table;
}

void describe_table(const RawSet& set, const DataOptions& options) {
  const CsvCells& file = *set.table;
  const auto [parts, schema] = read_table(set, options);
  fmt::print("{}: {}\n  {} rows: {} train, {} valid, {} test; {} columns, {} for a model, values {}\n",
             set.name, set.description, file.rows(), parts.train.size(), parts.valid.size(),
             parts.test.size(), file.columns, schema.width(), name_of(schema.values()));
  describe_columns(set, schema, parts);
}

// The sequences and labels of each part, as loading reads them.
void describe_labels(const RawSet& set, const DataOptions& options) {
  for (const PartFacts& part : facts_of_parts(set, options)) {
    if (part.sequences)
      fmt::print("  {:<16}{} sequences of {} rows\n", "cases of " + part.name, part.cases, part.rows);
    if (part.labels) fmt::print("  {:<16}{}\n", "labels of " + part.name, label_text(*part.labels));
  }
}

void describe_set(const RawSet& set, const DataOptions& options) {
  fmt::print("{}: {}\n", set.name, set.description);
  for (const auto& [name, array] : set.arrays) fmt::print("{}", array_line(name, array));
  describe_labels(set, options);
  if (!set.case_shape.empty()) fmt::print("  a case is [{}]", fmt::join(set.case_shape, ", "));
  if (set.values) fmt::print(", values {}", name_of(*set.values));
  fmt::print("\n");
}

// What a user should know before training, beside the columns.
std::vector<std::string> notes_of(const RawSet& set) {
  std::vector<std::string> notes = set.notes;
  if (set.values == ValueKind::grey)
    notes.emplace_back(
        "for binary models say which binarisation: :binarize=threshold, static or dynamic; numbers under "
        "different ones are not comparable");
  if (set.default_valid > 0)
    notes.push_back(fmt::format("the last {} training rows are the validation part (:valid=N changes that)",
                                set.default_valid));
  return notes;
}

std::vector<std::string> own_options(const RawSet& set) {
  std::vector<std::string> texts;
  for (const GeneratedInfo& info : generated_sets())
    if (info.name == set.name)
      for (const GeneratedOption& option : info.options) texts.push_back(option_text(option));
  return texts;
}

void print_info(const RawSet& set, const DataOptions& options) {
  set.table ? describe_table(set, options) : describe_set(set, options);
  for (const std::string& note : notes_of(set)) fmt::print("  {}\n", plain_text(note));
  if (!set.column_names.empty()) fmt::print("  columns: {}\n", fmt::join(set.column_names, ", "));
  if (set.entropy)
    fmt::print("  entropy {:.4f} nats: no model's expected log-probability is above {:.4f}\n", *set.entropy,
               -*set.entropy);
  for (const std::string& option : own_options(set)) fmt::print("  option {}\n", option);
}

// ---------------------------------------------------------------- the same as JSON

Json json_of(const LabelCounts& counts) {
  return {{"known", counts.known}, {"classes", counts.classes}, {"unknown", counts.unknown}};
}

// Numbers in the units of the file; dates as they are spelled there, their step in days or seconds.
void add_numbers(Json& json, const TableColumn& column) {
  if (column.format.is_date())
    json["range"] = {column.format.write(column.low, 0), column.format.write(column.high, 0)};
  else
    json["range"] = {column.low, column.high};
  if (column.kind != TableColumnKind::real) return;
  json["step"] = column.step > 0 ? Json(column.step) : Json();
  json["decimals"] = column.decimals;
  if (column.format.is_date()) return;
  json["mean"] = column.mean, json["deviation"] = column.deviation;
}

Json json_of_column(const RawSet& set, const ReadTable& table, std::size_t i) {
  using Kind = TableColumnKind;
  const TableColumn& column = table.schema.columns[i];
  const bool looked_at =
      column.kind != Kind::ignore && column.kind != Kind::weight && column.kind != Kind::sequence;
  Json json = {
      {"name", column.name},     {"kind", kind_text(column)},    {"stated", column.reason == "stated"},
      {"reason", column.reason}, {"remedies", remedies(column)}, {"columns_for_model", column.width()}};
  if (looked_at) json["missing"] = column.missing;
  if (column.is_number()) add_numbers(json, column);
  if (const std::string spelling = column.format.description(); !spelling.empty())
    json["spelling"] = spelling;
  if (!column.values.empty()) json["categories"] = column.values.size(), json["values"] = column.values;
  if (column.kind == Kind::labels) json["labels"] = json_of(label_counts(set, column, table.parts, i));
  return json;
}

void add_table(Json& json, const RawSet& set, const DataOptions& options) {
  const ReadTable table = read_table(set, options);
  json["rows"] = {{"all", set.table->rows()},
                  {"train", table.parts.train.size()},
                  {"valid", table.parts.valid.size()},
                  {"test", table.parts.test.size()}};
  json["columns_for_model"] = table.schema.width();
  json["values"] = name_of(table.schema.values());
  json["columns"] = Json::array();
  for (std::size_t i = 0; i < table.schema.columns.size(); ++i)
    json["columns"].push_back(json_of_column(set, table, i));
}

void add_arrays(Json& json, const RawSet& set, const DataOptions& options) {
  json["arrays"] = Json::array(), json["parts"] = Json::array();
  for (const auto& [name, array] : set.arrays)
    json["arrays"].push_back({{"name", name}, {"shape", array.shape}, {"type", dtype_name(array.type)}});
  for (const PartFacts& part : facts_of_parts(set, options)) {
    Json facts = {
        {"name", part.name}, {"rows", part.rows}, {"cases", part.cases}, {"sequences", part.sequences}};
    if (part.labels) facts["labels"] = json_of(*part.labels);
    json["parts"].push_back(std::move(facts));
  }
  if (!set.case_shape.empty()) json["case_shape"] = set.case_shape;
  if (set.values) json["values"] = name_of(*set.values);
  if (!set.column_names.empty()) json["columns"] = Json::array();
  for (const std::string& name : set.column_names) json["columns"].push_back(Json::object({{"name", name}}));
}

Json json_of_set(const RawSet& set, const DataOptions& options) {
  Json json = {{"name", set.name}, {"description", set.description}};
  set.table ? add_table(json, set, options) : add_arrays(json, set, options);
  if (set.default_valid > 0) json["rows_held_out_for_validation"] = set.default_valid;
  if (set.entropy) json["entropy"] = *set.entropy;
  json["notes"] = notes_of(set);
  if (const auto texts = own_options(set); !texts.empty()) json["options"] = texts;
  return json;
}

}  // namespace

std::string array_line(const std::string& name, const Array& array) {
  return fmt::format("  {:<16}[{}] {}\n", name, fmt::join(array.shape, ", "), dtype_name(array.type));
}

void show_data_info(const std::string& text, bool json) {
  const DataSpec spec = parse_data_spec(text);
  const DataOptions options = check_spec(spec);
  const RawSet set = read_set(spec);
  if (!json) return print_info(set, options);
  // A path need not be UTF-8.
  fmt::print("{}\n", json_of_set(set, options).dump(2, ' ', false, Json::error_handler_t::replace));
}

}  // namespace deepgen
