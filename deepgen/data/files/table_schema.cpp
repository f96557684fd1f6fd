#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "deepgen/core/error.h"
#include "deepgen/data/files/csv_cells.h"
#include "deepgen/data/files/table.h"

namespace deepgen {
namespace {

using Kind = TableColumnKind;

const std::vector<std::string>& table_kind_names() {  // in the order of TableColumnKind
  static const std::vector<std::string> names = {"binary",   "categorical", "count",  "real",
                                                 "constant", "ignore",      "weight", "labels",
                                                 "sequence", "identifier",  "text"};
  return names;
}

ColumnKind group_kind(const TableColumn& column) {
  if (column.kind == Kind::binary) return ColumnKind::binary;
  if (column.is_category()) return ColumnKind::softmax;
  return column.kind == Kind::count ? ColumnKind::count : ColumnKind::gaussian;
}

ValueKind value_kind_of(const TableColumn& column) {
  if (column.kind == Kind::binary) return ValueKind::binary;
  if (column.is_category()) return ValueKind::categorical;
  return column.kind == Kind::count ? ValueKind::count : ValueKind::real;
}

nlohmann::ordered_json column_json(const TableColumn& column) {
  nlohmann::ordered_json json = {{"name", column.name}, {"kind", name_of(column.kind)}};
  if (!column.values.empty()) json["values"] = column.values;
  if (column.kind == Kind::real) {
    json["mean"] = column.mean, json["deviation"] = column.deviation;
    json["decimals"] = column.decimals;
    if (column.least_decimals >= 0 && column.least_decimals < column.decimals)
      json["least_decimals"] = column.least_decimals;
  }
  if (column.is_number()) json["range"] = {column.low, column.high};
  json["missing"] = column.missing;
  if (column.step > 0) json["step"] = column.step;
  if (column.ordered) json["ordered"] = true;
  if (column.quoted) json["quoted"] = true;
  if (!column.format.plain()) json["format"] = column.format.to_json();
  if (!column.missing_as.empty()) json["missing_as"] = column.missing_as;
  if (!column.gap.empty()) json["gap"] = column.gap;
  if (!column.bins.empty()) json["bins"] = column.bins.to_json();
  if (column.marks_missing) json["marks_missing"] = true;
  return json;
}

// How many values a kind must have, at least and at most.
bool fits(const TableColumn& column) {
  const std::size_t count = column.values.size();
  if (!column.bins.empty() && column.kind != Kind::real) return false;
  if (column.marks_missing && !column.modelled()) return false;
  if (column.kind == Kind::binary) return count == 2;
  if (column.kind == Kind::categorical) return count >= 2;
  if (column.kind == Kind::constant) return count <= 1;
  if (column.kind == Kind::real)
    return std::isfinite(column.mean) && std::isfinite(column.deviation) && column.deviation > 0 &&
           column.decimals >= 0 && column.decimals <= 1000 && std::isfinite(column.step);
  return true;
}

[[noreturn]] void fail_column(const std::string& what, const std::string& name) {
  fail_data(what, fmt::format("the column '{}' of the table is malformed", name));
}

TableColumn column_from_json(const nlohmann::ordered_json& json, const std::string& what) {
  TableColumn column;
  column.name = json.at("name").get<std::string>();
  const auto kind = table_column_kind(json.at("kind").get<std::string>());
  if (!kind) fail_column(what, column.name);
  column.kind = *kind;
  column.values = json.value("values", std::vector<std::string>{});
  column.mean = json.value("mean", 0.0), column.deviation = json.value("deviation", 1.0);
  column.decimals = json.value("decimals", 0), column.least_decimals = json.value("least_decimals", -1);
  if (json.contains("range"))
    column.low = json["range"].at(0).get<double>(), column.high = json["range"].at(1).get<double>();
  column.missing = json.value("missing", 0.0);
  column.step = json.value("step", 0.0), column.ordered = json.value("ordered", false);
  column.quoted = json.value("quoted", false);
  if (json.contains("format")) column.format = CellFormat::from_json(json["format"], what);
  column.missing_as = json.value("missing_as", std::vector<std::string>{});
  column.gap = json.value("gap", std::string());
  if (json.contains("bins")) column.bins = NumberBins::from_json(json["bins"], what);
  column.marks_missing = json.value("marks_missing", false);
  if (!fits(column)) fail_column(what, column.name);
  return column;
}

}  // namespace

const std::string& name_of(TableColumnKind kind) {
  return table_kind_names()[static_cast<std::size_t>(kind)];
}

std::optional<TableColumnKind> table_column_kind(const std::string& name) {
  const auto found = std::find(table_kind_names().begin(), table_kind_names().end(), name);
  if (found == table_kind_names().end()) return std::nullopt;
  return static_cast<TableColumnKind>(found - table_kind_names().begin());
}

bool TableColumn::is_category() const { return kind == Kind::categorical || !bins.empty(); }

std::int64_t TableColumn::value_width() const {
  if (!bins.empty()) return bins.count();
  if (kind == Kind::categorical) return static_cast<std::int64_t>(values.size());
  return kind == Kind::binary || kind == Kind::count || kind == Kind::real ? 1 : 0;
}

std::int64_t TableSchema::width() const {
  std::int64_t sum = 0;
  for (const TableColumn& column : columns) sum += column.width();
  return sum;
}

std::int64_t TableSchema::numbers_in_bins() const {
  return std::count_if(columns.begin(), columns.end(),
                       [](const TableColumn& column) { return !column.bins.empty(); });
}

CodeLayout TableSchema::code_layout() const {
  CodeLayout layout;
  for (const TableColumn& column : columns) {
    if (!column.modelled()) continue;
    if (!column.is_category() && column.kind != Kind::binary) return {};
    layout.sizes.push_back(column.value_width());
    if (column.marks_missing) layout.sizes.push_back(1);
  }
  return layout;
}

std::vector<ColumnGroup> TableSchema::groups() const {
  std::vector<ColumnGroup> groups;
  std::int64_t first = 0;
  for (const TableColumn& column : columns) {
    if (!column.modelled()) continue;
    const ColumnKind kind = group_kind(column);
    const std::int64_t width = column.value_width();
    if (kind != ColumnKind::softmax && !groups.empty() && groups.back().kind == kind &&
        !groups.back().marks && !column.marks_missing)
      groups.back().size += width;
    else
      groups.push_back({kind, first, width});
    first += width;
    if (column.marks_missing) groups.push_back({ColumnKind::binary, first++, 1, true});
  }
  return groups;
}

std::vector<std::string> TableSchema::encoded_names() const {
  std::vector<std::string> names;
  for (const TableColumn& column : columns) {
    if (!column.bins.empty())
      for (std::int64_t bin = 0; bin < column.bins.count(); ++bin)
        names.push_back(fmt::format("{}={}", column.name, column.bins.range_text(bin)));
    else if (column.kind == Kind::categorical)
      for (const std::string& value : column.values) names.push_back(column.name + "=" + value);
    else if (column.modelled())
      names.push_back(column.name);
    if (column.modelled() && column.marks_missing) names.push_back(column.name + " is missing");
  }
  return names;
}

ValueKind TableSchema::values() const {
  std::optional<ValueKind> common;
  for (const TableColumn& column : columns) {
    if (!column.modelled()) continue;
    if (column.marks_missing || (common && *common != value_kind_of(column))) return ValueKind::mixed;
    common = value_kind_of(column);
  }
  return common.value_or(ValueKind::mixed);
}

nlohmann::ordered_json TableSchema::to_json() const {
  nlohmann::ordered_json json = nlohmann::ordered_json::array();
  for (const TableColumn& column : columns) json.push_back(column_json(column));
  if (separator != ',') json = {{"separator", std::string(1, separator)}, {"columns", std::move(json)}};
  return json;
}

TableSchema TableSchema::from_json(const nlohmann::ordered_json& json, const std::string& what) {
  TableSchema schema;
  try {
    const std::string separator = json.is_object() ? json.at("separator").get<std::string>() : ",";
    const nlohmann::ordered_json& listed = json.is_object() ? json.at("columns") : json;
    if (!listed.is_array() || separator.size() != 1 || separator[0] == '"' || separator[0] == '\n')
      fail_data(what, "the columns of the table are malformed");
    schema.separator = separator[0];
    for (const auto& each : listed) schema.columns.push_back(column_from_json(each, what));
  } catch (const nlohmann::json::exception&) {
    fail_data(what, "the columns of the table are malformed");
  }
  if (!schema.empty() && schema.width() == 0) fail_data(what, "the table has no column for a model");
  return schema;
}

std::string table_place(const CsvCells& file, std::int64_t row, std::int64_t column) {
  return fmt::format("line {}, column '{}'", file.line(row), file.names[static_cast<std::size_t>(column)]);
}

}  // namespace deepgen
