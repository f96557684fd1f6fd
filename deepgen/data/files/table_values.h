// Inside of the tables: how the values of a column are compared and ordered.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "deepgen/data/files/csv_cells.h"

namespace deepgen {

// 0, 1, 2, ... as far as float32 holds every whole number.
bool is_count(double value);

// What a label that is a number must be, for messages.
constexpr const char* expected_label = "a label 0, 1, 2, ... (empty or -1: unknown)";

// What two cells of one value have in common: the number where all values of the column are numbers, else the
// text.
std::string value_key(std::string_view cell, bool numeric);

// Whether each is a number.
bool all_numbers(const std::vector<std::string>& values);

// By number, or by the bytes of the text.
void sort_values(std::vector<std::string>& values, bool numeric);

// Throws a data error when two columns have one name.
void check_names(const std::string& path, const CsvCells& file);

}  // namespace deepgen
