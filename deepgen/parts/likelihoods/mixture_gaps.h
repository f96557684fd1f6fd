// Gaussians with full covariances as rows that lack some of their cells see them.
#pragma once

#include <vector>

#include "deepgen/core/torch.h"

namespace deepgen {

// Rows that lack the same cells: the columns, known ones first, and the rows' numbers.
struct GapPattern {
  std::vector<std::int64_t> order;
  std::int64_t known = 0;
  std::vector<std::int64_t> rows;
};

struct RowsByGaps {
  std::vector<std::int64_t> complete;  // numbers of the rows without gaps
  std::vector<GapPattern> patterns;    // the others
};
RowsByGaps rows_by_gaps(const Tensor& x);  // float32, dense

// A component seen from rows of one pattern: its columns with the known ones first, and the Cholesky factor of
// the covariance in this order. With z = L^-1 (x - mean) for the known columns, the missing ones have mean + L
// z and the covariance of the rest of L.
class GapView {
 public:
  // `lower` [D, D] with zeros above the diagonal and mean [D] in the order of the data.
  GapView(const double* lower, const double* mean, const GapPattern& pattern);
  // z [D]: of the known columns of x; returns log p(known).
  double solve(const float* x, double* z) const;
  // The values of the missing columns, given z of them (zero: their expectation), into out [D].
  void fill(const double* z, double* out) const;
  // sums [D, D] += weight * covariance of the missing columns given the known ones, lower half.
  void add_conditional(double weight, double* sums) const;

 private:
  const double* row(std::int64_t i) const { return factor_.data() + i * size_; }
  std::int64_t size_, known_;
  std::vector<std::int64_t> order_;
  std::vector<double> factor_, mean_;  // [D, D], [D], in this order
};

// The lower Cholesky factor in place; false when the matrix is not positive definite.
bool cholesky(double* a, std::int64_t n);

// Says that a covariance is not positive definite.
[[noreturn]] void fail_covariance();

}  // namespace deepgen
