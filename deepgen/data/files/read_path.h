// Files by their path: arrays as they are, CSV files as numbers or as tables of mixed kinds.
#pragma once

#include <string>

#include "deepgen/data/files/known_sets.h"

namespace deepgen {

// Whether the name of a file ends so, whatever the case of its letters.
bool has_ending(const std::string& path, const std::string& ending);

// .csv or .tsv, also inside gzip (.gz), by its ending.
bool is_csv(const std::string& path);

// See read_set.
RawSet read_path(const std::string& path, const DataOptions& options, const TableSchema* learnt);

// A set from the text of a CSV file with a header.
RawSet raw_table(const std::string& name, const std::string& description, const std::string& text);

}  // namespace deepgen
