// How alike pairs of columns are; 1 is alike.
//
//   number, number       1 - |r_real - r_synthetic| / 2                  r: Pearson's correlation
//   all other pairs      1 - 1/2 sum over cells of |p_real(cell) - p_synthetic(cell)|
//
// r is over the rows where both are known; where it is not defined (a column without variance) it counts as 0. A
// cell is a pair of values; a number is cut into ten parts of equal width of its real range first, with a part of
// its own for what is below, for what is at the end or above, and for missing cells. These are
// CorrelationSimilarity, ContingencySimilarity and the column pair trends of SDMetrics (DataCebo,
// docs.sdv.dev/sdmetrics).
//
// Of two columns that have nothing to do with each other even independent columns get nearly 1. So a second mean is
// over the ASSOCIATED pairs alone: those whose real |r|, or Cramer's V, is at least `associated`. V without its bias
// (Bergsma 2013): of a table of k x l values, n rows and the statistic chi2,
//
//   phi2 = max(0, chi2 / n - (k - 1)(l - 1) / (n - 1))
//   k'   = k - (k - 1)^2 / (n - 1),  l' = l - (l - 1)^2 / (n - 1)
//   V    = sqrt(phi2 / min(k' - 1, l' - 1))
#pragma once

#include "deepgen/evaluate/quality/columns.h"

namespace deepgen::quality {

inline constexpr double associated = 0.1;
inline constexpr std::int64_t most_pairs = 5000;  // of more, so many drawn at random

struct Trend {
  std::size_t first = 0, second = 0;  // columns, first < second
  double score = 0;
  double real = 0, synthetic = 0;  // their association: r, or V of the cells
  bool numbers = false;
  bool is_associated() const { return real >= associated || (numbers && real <= -associated); }
};

// Over the rows where both are known; NaN where it is not defined.
double correlation(const std::vector<double>& x, const std::vector<double>& y);

std::vector<Trend> trends(const std::vector<Field>& fields, const Table& real, const Table& synthetic,
                          const Rng& rng);

double mean_score(const std::vector<Trend>& trends);
// NaN where no pair is associated.
double mean_associated(const std::vector<Trend>& trends);
std::int64_t count_associated(const std::vector<Trend>& trends);

// The mean over the pairs of each column; NaN for a column without any.
std::vector<double> means_by_column(const std::vector<Trend>& trends, std::size_t columns);

}  // namespace deepgen::quality
