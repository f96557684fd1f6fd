#include "deepgen/data/files/data_shape.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>

#include "deepgen/core/error.h"

namespace deepgen {
namespace {

const std::vector<std::string>& value_names() {  // in the order of ValueKind
  static const std::vector<std::string> names = {"binary", "grey", "real", "categorical", "count", "mixed"};
  return names;
}

std::int64_t whole_number(const nlohmann::ordered_json& json, const char* name, const std::string& what) {
  if (!json.is_number_integer()) fail_data(what, fmt::format("the {} of the data is malformed", name));
  return json.get<std::int64_t>();
}

// The sizes of a case, and their product.
void read_shape(const nlohmann::ordered_json& json, const std::string& what, DataShape& data) {
  if (!json.is_array() || json.empty()) fail_data(what, "the shape of a case is malformed or empty");
  data.columns = 1;
  for (const auto& each : json) {
    const std::int64_t size = whole_number(each, "shape", what);
    if (size < 1 || data.columns > std::numeric_limits<std::int64_t>::max() / size)
      fail_data(what, fmt::format("expected a shape of sizes from 1 whose product can be told, got {}",
                                  json.dump()));
    data.columns *= size;
    data.shape.push_back(size);
  }
}

}  // namespace

const std::string& name_of(ValueKind kind) { return value_names()[static_cast<std::size_t>(kind)]; }

ValueKind value_kind(const std::string& name, const std::string& what) {
  const auto found = std::find(value_names().begin(), value_names().end(), name);
  if (found == value_names().end()) fail_data(what, unknown_name("kind of values", name, value_names()));
  return static_cast<ValueKind>(found - value_names().begin());
}

std::vector<ColumnGroup> DataShape::column_groups() const {
  if (!groups.empty()) return groups;
  const ColumnKind kind = values == ValueKind::binary  ? ColumnKind::binary
                          : values == ValueKind::grey  ? ColumnKind::mean_field
                          : values == ValueKind::count ? ColumnKind::count
                                                       : ColumnKind::gaussian;
  return {{kind, 0, columns}};
}

DataShape data_shape_from_json(const nlohmann::ordered_json& description, const std::string& what) {
  DataShape data;
  try {
    read_shape(description.at("shape"), what, data);
    if (description.contains("classes")) data.classes = whole_number(description["classes"], "classes", what);
    if (data.classes < 0) fail_data(what, fmt::format("expected 0 classes or more, got {}", data.classes));
    if (description.contains("values"))
      data.values = value_kind(description["values"].get<std::string>(), what);
    if (description.contains("groups"))
      data.groups = groups_from_json(description["groups"], data.columns, what);
  } catch (const nlohmann::json::exception&) {
    fail_data(what, "the description of the data is malformed");
  }
  return data;
}

}  // namespace deepgen
