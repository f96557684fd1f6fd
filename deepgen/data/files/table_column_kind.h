// What a column of a table is taken for; the names are those of options and checkpoints.
#pragma once

#include <optional>
#include <string>

namespace deepgen {

// The first four are for the model; see table.h.
enum class TableColumnKind {
  binary,
  categorical,
  count,
  real,
  constant,
  ignore,
  weight,
  labels,
  sequence,
  identifier,
  text
};

const std::string& name_of(TableColumnKind kind);

// Nothing for an unknown name.
std::optional<TableColumnKind> table_column_kind(const std::string& name);

}  // namespace deepgen
