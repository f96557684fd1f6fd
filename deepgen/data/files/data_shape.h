// What a model must know of the data it is made for. Torch-free.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "deepgen/data/files/column_group.h"

namespace deepgen {

// binary       0 or 1
// grey         in [0, 1]
// real         any number
// categorical  one-hot groups alone
// count        0, 1, 2, ... alone
// mixed        columns of several kinds: `groups` says which
enum class ValueKind { binary, grey, real, categorical, count, mixed };

const std::string& name_of(ValueKind kind);
// An unknown name is a data error naming `what`.
ValueKind value_kind(const std::string& name, const std::string& what);

struct DataShape {
  std::int64_t columns = 0;              // D of a case
  std::vector<std::int64_t> shape = {};  // of a case, product D: {1, 28, 28}, {123}; {}: {columns}
  std::int64_t classes = 0;              // labels are 0 .. classes - 1; 0: there are none
  ValueKind values = ValueKind::binary;
  std::vector<ColumnGroup> groups = {};  // of a table of mixed kinds, covering all columns in order

  // The groups, or one of all columns that says the same as `values`.
  std::vector<ColumnGroup> column_groups() const;
};

// From the data description of a checkpoint. Throws a data error naming `what` when it is malformed.
DataShape data_shape_from_json(const nlohmann::ordered_json& description, const std::string& what);

}  // namespace deepgen
