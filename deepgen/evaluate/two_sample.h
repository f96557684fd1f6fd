// Two-sample tests: could these two sets of rows come from one distribution? And: are they copies?
//
// Under the null hypothesis a p-value below a has probability a (at most, and nearly), whatever the
// distribution is; a small one says that the sets differ. A large one says only that this test with so many
// rows sees no difference.
//
// Sources: Lopez-Paz and Oquab 2017, "Revisiting classifier two-sample tests"; Gretton, Borgwardt, Rasch,
// Schoelkopf, Smola 2012, "A kernel two-sample test", lemma 6 (unbiased estimate).
#pragma once

#include "deepgen/core/observer.h"
#include "deepgen/core/rng.h"
#include "deepgen/core/torch.h"

namespace deepgen {

struct TestResult {
  double statistic = 0, p_value = 1;
  double standard_error = 0;  // of the statistic, where it is known
  double scale = 0;           // MMD: the kernel's width
  std::int64_t held_out = 0;  // classifier: rows that were judged
};

// A small network learns to tell a random half of the rows of a [N, D] from one of b [M, D]; the statistic is
// its accuracy on the other halves, each set counting half. p-value: one-sided, by the normal distribution
// that this accuracy has under the null. At least 10 rows on either side.
TestResult classifier_test(const Tensor& a, const Tensor& b, Rng& rng, Observer& observer);

// The unbiased estimate of the squared maximum mean discrepancy under a Gaussian kernel, exp(-d^2 / (2 w^2)),
// w the median distance between rows of both sets together. p-value: the rank of the estimate among those of
// `permutations` random cuts of the joint set, itself counted: (1 + those not smaller) / (1 + permutations).
// At least 2 rows on either side. Cost: a product [N + M, D] x [D, N + M], and memory for its result.
TestResult mmd_test(const Tensor& a, const Tensor& b, std::int64_t permutations, Rng& rng);

// The distance of each row of x [B, D] to the nearest row of `known` [N, D], Euclidean: [B] float64.
Tensor nearest_distances(const Tensor& x, const Tensor& known);

}  // namespace deepgen
