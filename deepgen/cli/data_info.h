// data info: what a set or a file is, and what each column of a table is taken for, as text or JSON.
#pragma once

#include <string>

#include "deepgen/data/files/array.h"

namespace deepgen {

// Prints it. `json`: one JSON object with all that the text says, numbers as numbers.
void show_data_info(const std::string& spec, bool json);

// "  train           [60000, 28, 28] uint8" and the line's end.
std::string array_line(const std::string& name, const Array& array);

}  // namespace deepgen
