#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "deepgen/core/error.h"
#include "deepgen/data/files/csv_cells.h"
#include "deepgen/data/files/table.h"

namespace deepgen {
namespace {

std::string group_kind(const TableColumn& column) {
  if (column.kind == "categorical") return "softmax";
  return column.kind == "real" ? "gaussian" : column.kind;
}

nlohmann::ordered_json column_json(const TableColumn& column) {
  nlohmann::ordered_json json = {{"name", column.name}, {"kind", column.kind}};
  if (!column.values.empty()) json["values"] = column.values;
  if (column.kind == "real") {
    json["mean"] = column.mean, json["deviation"] = column.deviation;
    json["decimals"] = column.decimals;
  }
  if (column.kind == "real" || column.kind == "count") json["range"] = {column.low, column.high};
  json["missing"] = column.missing;
  return json;
}

// How many values a kind must have, at least and at most.
bool fits(const TableColumn& column) {
  const std::size_t count = column.values.size();
  if (column.kind == "binary") return count == 2;
  if (column.kind == "categorical") return count >= 2;
  if (column.kind == "constant") return count <= 1;
  if (column.kind == "real")
    return std::isfinite(column.mean) && std::isfinite(column.deviation) && column.deviation > 0 &&
           column.decimals >= 0 && column.decimals <= 1000;
  return column.kind == "count" || column.kind == "ignore" || column.kind == "weight" ||
         column.kind == "labels";
}

TableColumn column_from_json(const nlohmann::ordered_json& json) {
  TableColumn column;
  column.name = json.at("name").get<std::string>();
  column.kind = json.at("kind").get<std::string>();
  column.values = json.value("values", std::vector<std::string>{});
  column.mean = json.value("mean", 0.0), column.deviation = json.value("deviation", 1.0);
  column.decimals = json.value("decimals", 0);
  if (json.contains("range"))
    column.low = json["range"].at(0).get<double>(), column.high = json["range"].at(1).get<double>();
  column.missing = json.value("missing", 0.0);
  return column;
}

}  // namespace

std::int64_t TableColumn::width() const {
  if (kind == "categorical") return static_cast<std::int64_t>(values.size());
  return kind == "binary" || kind == "count" || kind == "real" ? 1 : 0;
}

std::int64_t TableSchema::width() const {
  std::int64_t sum = 0;
  for (const TableColumn& column : columns) sum += column.width();
  return sum;
}

std::vector<ColumnGroup> TableSchema::groups() const {
  std::vector<ColumnGroup> groups;
  std::int64_t first = 0;
  for (const TableColumn& column : columns) {
    if (!column.modelled()) continue;
    const std::string kind = group_kind(column);
    if (kind != "softmax" && !groups.empty() && groups.back().kind == kind)
      groups.back().size += column.width();
    else
      groups.push_back({kind, first, column.width()});
    first += column.width();
  }
  return groups;
}

std::vector<std::string> TableSchema::encoded_names() const {
  std::vector<std::string> names;
  for (const TableColumn& column : columns) {
    if (column.kind == "categorical")
      for (const std::string& value : column.values) names.push_back(column.name + "=" + value);
    else if (column.modelled())
      names.push_back(column.name);
  }
  return names;
}

std::string TableSchema::values() const {
  std::string common;
  for (const TableColumn& column : columns) {
    if (!column.modelled()) continue;
    if (!common.empty() && common != column.kind) return "mixed";
    common = column.kind;
  }
  return common;
}

nlohmann::ordered_json TableSchema::to_json() const {
  nlohmann::ordered_json json = nlohmann::ordered_json::array();
  for (const TableColumn& column : columns) json.push_back(column_json(column));
  return json;
}

TableSchema TableSchema::from_json(const nlohmann::ordered_json& json, const std::string& what) {
  TableSchema schema;
  try {
    if (!json.is_array()) fail_data(what, "the columns of the table are malformed");
    for (const auto& each : json) {
      schema.columns.push_back(column_from_json(each));
      const TableColumn& column = schema.columns.back();
      if (!fits(column))
        fail_data(what, fmt::format("the column '{}' of the table is malformed", column.name));
    }
  } catch (const nlohmann::json::exception&) {
    fail_data(what, "the columns of the table are malformed");
  }
  return schema;
}

std::string table_place(const CsvCells& file, std::int64_t row, std::int64_t column) {
  return fmt::format("line {}, column '{}'", file.line(row), file.names[static_cast<std::size_t>(column)]);
}

}  // namespace deepgen
