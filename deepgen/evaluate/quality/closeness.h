// Whether rows are copies of training rows, or nearer to them than new rows of the same kind are.
//
// The distance of two rows (Gower 1971, not divided by the number of columns):
//
//   d(a, b) = sum over numbers of |a - b| / (range in the training rows) + sum over categories of [a is not b]
//
// Two missing numbers are at distance 0, a known and a missing one at distance 1. The distance to the closest record
// is the least one to a training row. Held-out rows stand beside the synthetic ones: what they have is what new rows
// have. At most `closeness_rows` of each set, drawn at random; copies are sought among all rows.
#pragma once

#include "deepgen/core/observer.h"
#include "deepgen/evaluate/quality/columns.h"

namespace deepgen::quality {

inline constexpr std::int64_t closeness_rows = 5000;

struct Distances {
  std::int64_t rows = 0;
  double median = 0, low = 0;  // low: the 5 % quantile
};

struct Copies {
  std::vector<std::string> ignored;    // columns
  double synthetic = 0, held_out = 0;  // shares of the rows that stand in the training rows
};

struct Closeness {
  std::int64_t training_rows = 0;  // that distances were measured to
  Distances synthetic, held_out;
  Copies all;   // over all columns
  Copies some;  // without columns that are nearly unique: more values than half the training rows
};

// Of each row of `rows` the least distance to a row of `training`.
std::vector<double> closest_distances(const std::vector<Field>& fields, const Table& rows,
                                      const Table& training);

// The share of `rows` that stand in `training` as they are, but for the columns left out.
double share_of_copies(const Table& rows, const Table& training, const std::vector<bool>& left_out);

Closeness closeness(const Tables& tables, const Rng& rng, Observer& observer);

}  // namespace deepgen::quality
