#include "deepgen/data/files/column_group.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "deepgen/core/error.h"

namespace deepgen {
namespace {

const std::vector<std::string>& group_kind_names() {  // in the order of ColumnKind
  static const std::vector<std::string> names = {"binary", "softmax", "count", "gaussian", "mean_field"};
  return names;
}

}  // namespace

const std::string& name_of(ColumnKind kind) { return group_kind_names()[static_cast<std::size_t>(kind)]; }

nlohmann::ordered_json groups_to_json(const std::vector<ColumnGroup>& groups) {
  nlohmann::ordered_json json = nlohmann::ordered_json::array();
  for (const ColumnGroup& group : groups) {
    json.push_back({name_of(group.kind), group.first, group.size});
    if (group.marks) json.back().push_back("marks");
  }
  return json;
}

std::vector<ColumnGroup> groups_from_json(const nlohmann::ordered_json& json, std::int64_t columns,
                                          const std::string& what) {
  std::vector<ColumnGroup> groups;
  std::int64_t next = 0;
  try {
    if (!json.is_array()) fail_data(what, "the groups of columns are malformed");
    for (const auto& each : json) {
      const auto kind =
          std::find(group_kind_names().begin(), group_kind_names().end(), each.at(0).get<std::string>());
      if (kind == group_kind_names().end()) fail_data(what, "the groups of columns are of an unknown kind");
      if (!each.at(1).is_number_integer() || !each.at(2).is_number_integer())
        fail_data(what, "the groups of columns are malformed");
      ColumnGroup group{static_cast<ColumnKind>(kind - group_kind_names().begin()),
                        each.at(1).get<std::int64_t>(), each.at(2).get<std::int64_t>()};
      group.marks = each.size() > 3 && each.at(3).get<std::string>() == "marks";
      if (group.marks && (group.kind != ColumnKind::binary || group.size != 1 || next == 0))
        fail_data(what, "the groups of columns are malformed");
      if (group.first != next || group.size < 1 || group.size > columns - next)
        fail_data(what, fmt::format("the groups of columns do not cover {} columns in order", columns));
      next += group.size;
      groups.push_back(group);
    }
  } catch (const nlohmann::json::exception&) {
    fail_data(what, "the groups of columns are malformed");
  }
  if (!groups.empty() && next != columns)
    fail_data(what, fmt::format("the groups of columns cover {} of {} columns", next, columns));
  return groups;
}

}  // namespace deepgen
