// What a number proves. Torch-free.
#pragma once

namespace deepgen {

// exact        computed in full
// lower_bound  the truth is higher, on average over the estimator's randomness
// upper_bound  the truth is lower, likewise
// estimate     may err to either side
// proxy        only correlates with quality and is never called a likelihood
enum class ScoreKind { exact, lower_bound, upper_bound, estimate, proxy };

const char* kind_name(ScoreKind kind);

// What the value of a row proves, before rows are averaged.
struct RowScoreKind {
  ScoreKind kind = ScoreKind::lower_bound;  // of the mean over the estimator's draws; one row's value may lie
                                            // on either side
  bool owes_log_partition = false;  // of an unnormalised probability: a log Z, the same for all rows, is owed
  bool tightens = true;             // the mean rises with the number of draws
};

}  // namespace deepgen
