#include "deepgen/data/files/column_group.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "deepgen/core/error.h"

namespace deepgen {

nlohmann::ordered_json groups_to_json(const std::vector<ColumnGroup>& groups) {
  nlohmann::ordered_json json = nlohmann::ordered_json::array();
  for (const ColumnGroup& group : groups) json.push_back({group.kind, group.first, group.size});
  return json;
}

std::vector<ColumnGroup> groups_from_json(const nlohmann::ordered_json& json, std::int64_t columns,
                                          const std::string& what) {
  static const std::vector<std::string> kinds = {"binary", "softmax", "count", "gaussian", "mean_field"};
  std::vector<ColumnGroup> groups;
  std::int64_t next = 0;
  try {
    for (const auto& each : json) {
      ColumnGroup group{each.at(0).get<std::string>(), each.at(1).get<std::int64_t>(),
                        each.at(2).get<std::int64_t>()};
      const bool known = std::find(kinds.begin(), kinds.end(), group.kind) != kinds.end();
      if (!known || group.first != next || group.size < 1 || group.size > columns - next)
        fail_data(what, fmt::format("the groups of columns do not cover {} columns in order", columns));
      next += group.size;
      groups.push_back(std::move(group));
    }
  } catch (const nlohmann::json::exception&) {
    fail_data(what, "the groups of columns are malformed");
  }
  if (!groups.empty() && next != columns)
    fail_data(what, fmt::format("the groups of columns cover {} of {} columns", next, columns));
  return groups;
}

}  // namespace deepgen
