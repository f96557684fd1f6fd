// Columns of a case that belong together, and what kind of values they hold.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

namespace deepgen {

// binary      0 or 1
// softmax     one-hot: one category
// count       0, 1, 2, ...
// gaussian    real, standardised
// mean_field  in [0, 1]
enum class ColumnKind { binary, softmax, count, gaussian, mean_field };

const std::string& name_of(ColumnKind kind);

// A missing cell is NaN in every column of its group. Columns of one kind that need no grouping may share a
// group: all kinds but softmax are column by column.
struct ColumnGroup {
  ColumnKind kind = ColumnKind::binary;
  std::int64_t first = 0, size = 1;  // columns first .. first + size - 1
  // A single binary column that says whether the cell of the group before it is missing: known in training
  // rows, missing in all others.
  bool marks = false;

  bool operator==(const ColumnGroup&) const = default;
};

// Groups as a checkpoint keeps them: [["softmax", 0, 5], ...].
nlohmann::ordered_json groups_to_json(const std::vector<ColumnGroup>& groups);

// Throws a data error naming `what` unless the groups are of known kinds and cover `columns` columns in
// order; none at all is allowed.
std::vector<ColumnGroup> groups_from_json(const nlohmann::ordered_json& json, std::int64_t columns,
                                          const std::string& what);

}  // namespace deepgen
