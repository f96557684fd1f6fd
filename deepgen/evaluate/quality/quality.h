// The quality report of synthetic rows: how like the real ones they are, and whether they are more than copies.
//
// Beside the synthetic rows stand two controls, judged in the same way against the training rows: the held-out rows,
// which are what a perfect model would draw, and the columns of the training rows shuffled each on its own, which are
// the least that a model must beat.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

#include "deepgen/evaluate/quality/closeness.h"
#include "deepgen/evaluate/quality/detection.h"
#include "deepgen/evaluate/quality/gaps.h"
#include "deepgen/evaluate/quality/shapes.h"
#include "deepgen/evaluate/quality/trends.h"
#include "deepgen/evaluate/quality/usefulness.h"

namespace deepgen::quality {

// Of one set of rows against the training rows.
struct Likeness {
  std::vector<Shape> shapes;
  std::vector<Trend> trends;
  Detection detection;
};

struct Report {
  std::string synthetic, real, test;  // names
  std::uint64_t seed = 0;
  std::int64_t synthetic_rows = 0, real_rows = 0, test_rows = 0;
  std::vector<Field> fields;
  std::vector<std::string> notes;
  Likeness likeness, of_held_out, of_independent;
  Detection from_held_out;  // synthetic rows against the held-out rows
  Usefulness usefulness;
  Closeness closeness;
  std::optional<Gaps> gaps;  // of a run: judge_gaps

  // Columns by the mean of their shape and of their pairs' trends, the worst first.
  std::vector<std::size_t> worst_columns() const;
};

struct Names {
  std::string synthetic, real, test;
};

Report judge(const Tables& tables, const Names& names, const std::string& target, std::uint64_t seed,
             Observer& observer);

nlohmann::ordered_json report_json(const Report& report);

// For a console: the figures, then the worst columns.
std::string report_text(const Report& report);

}  // namespace deepgen::quality
