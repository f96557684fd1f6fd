// What rows are worth to those who learn from them: boosted trees (boosted_trees.h) predict one column from all others,
// once learnt from synthetic rows and once from real ones, both judged on the same held-out real rows.
//
//   target of two values   AUC
//   several values         accuracy, and macro-F1: the mean over the values that held-out rows have of 2 TP / (2 TP + FP +
//                          FN); values beyond the 20 most frequent real ones count as one
//   number                 RMSE = sqrt(mean (y - f)^2) and R2 = 1 - sum (y - f)^2 / sum (y - mean y)^2
//
// Rows without a known target are left out. At most 100,000 rows learn, drawn at random.
#pragma once

#include "deepgen/core/observer.h"
#include "deepgen/evaluate/quality/columns.h"

namespace deepgen::quality {

inline constexpr std::int64_t usefulness_rows = 100000;
inline constexpr std::size_t most_classes = 20;

struct Figure {
  std::string name;  // AUC, accuracy, macro-F1, RMSE, R2
  double value = 0;
};

struct Learning {
  std::int64_t rows = 0;
  std::vector<Figure> figures;
};

struct Usefulness {
  std::string target;
  bool chosen = false;  // by us: the last column with two or several values
  std::int64_t held_out_rows = 0;
  Learning from_synthetic, from_real;
};

// The column of this name; of "": the last category, or the last column where there is none. An unknown name is a
// usage error.
std::size_t target_column(const std::vector<Field>& fields, const std::string& name);

Usefulness usefulness(const Tables& tables, const std::string& target, const Rng& rng, Observer& observer);

// Of predicted and true classes.
double macro_f1(const std::vector<std::size_t>& predicted, const std::vector<std::size_t>& truth,
                std::size_t classes);

}  // namespace deepgen::quality
