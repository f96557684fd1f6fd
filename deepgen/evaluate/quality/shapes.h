// How alike the columns are, each by itself; 1 is alike, 0 has nothing in common.
//
//   numbers (dates)   1 - max over v of |F_real(v) - F_synthetic(v)|
//   categories        1 - 1/2 sum over values of |p_real(value) - p_synthetic(value)|
//   missing cells     1 - |share_real - share_synthetic|
//
// F is the share of the KNOWN values up to v: the first is 1 less the Kolmogorov-Smirnov distance. The second is
// 1 less the total variation distance, with the missing cell as one of the values. These are KSComplement,
// TVComplement and MissingValueSimilarity of SDMetrics (DataCebo, docs.sdv.dev/sdmetrics). Of a number the third
// stands beside its shape and is no part of it.
#pragma once

#include "deepgen/evaluate/quality/columns.h"

namespace deepgen::quality {

struct Shape {
  std::string name;
  bool is_number = false;
  double score = 0;
  std::int64_t real_known = 0, synthetic_known = 0;  // cells
  double real_missing = 0, synthetic_missing = 0;    // shares
  double missing_score() const;
};

// Both ascending. 1 when neither has values, 0 when only one has.
double ks_similarity(const std::vector<double>& real, const std::vector<double>& synthetic);

// Counts of the same values on both sides.
double variation_similarity(const std::vector<double>& real, const std::vector<double>& synthetic);

std::vector<Shape> shapes(const std::vector<Field>& fields, const Table& real, const Table& synthetic);

double mean_score(const std::vector<Shape>& shapes);

}  // namespace deepgen::quality
