// Draws of a table's rows under conditions: "sex=Female,income=>50K,age>=30".
//
// A condition names a column and a value it has (=), or for numbers and dates a range (=30..40, >=, <=, >, <).
// Values are given to the model, which draws the other cells given them as in completion. Of a range, and of a
// number that the model knows only by its bin, draws that do not fit are thrown away: exact, at a price that
// is told.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "deepgen/core/observer.h"
#include "deepgen/runs/open_run.h"

namespace deepgen {

struct Condition {
  std::size_t column = 0;  // of the schema
  bool exact = true;       // one value, as spelled in `value`
  std::string value;
  double low = 0, high = 0;  // else the range, both included
};

// Throws usage errors for what names no column of the table, for ranges of what is no number, and for two
// conditions on one column.
std::vector<Condition> parse_conditions(const std::string& text, const TableSchema& table);

struct ConditionalDraws {
  std::int64_t drawn = 0, fitting = 0, kept = 0;  // kept: as many of those that fit as were asked for
};

// `count` rows as of table_values (data/files/table.h; `beyond` too), block after block to the sink;
// [n, columns] float64.
// Throws a data error for a value that training did not have, a usage error for one that stands for a gap, and a numerical one when hardly any draw fits
// (fewer than one in 10,000).
ConditionalDraws draw_given(const OpenRun& run, const std::vector<Condition>& conditions, std::int64_t count,
                            std::int64_t steps, std::uint64_t seed, Observer& observer,
                            const std::function<void(const Tensor& values)>& sink, bool beyond = false);

}  // namespace deepgen
