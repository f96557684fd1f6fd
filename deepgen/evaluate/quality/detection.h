// Whether classifiers can tell synthetic rows from real ones (Lopez-Paz and Oquab 2017, "Revisiting classifier
// two-sample tests"). As in the detection metrics of SDMetrics (DataCebo, docs.sdv.dev/sdmetrics): three folds with
// equal shares of both sets, each judged by a classifier that learnt from the other two,
//
//   score = 1 - mean over folds of (2 max(AUC, 1/2) - 1)
//
// 1: they cannot be told apart; 0: always. The classifiers:
//
//   logistic regression   numbers standardised (a missing one is the mean, and an indicator beside it says so), a
//                         column for each of the 100 most frequent values of a category; penalty |w|^2 / (2 n)
//   boosted trees         boosted_trees.h
//
// Both sets are cut to the same size, and to `most_rows` each, at random.
#pragma once

#include "deepgen/core/observer.h"
#include "deepgen/evaluate/quality/columns.h"

namespace deepgen::quality {

inline constexpr std::int64_t detection_rows = 50000;
inline constexpr int detection_folds = 3;

struct Detection {
  std::int64_t rows = 0;                      // of each set
  std::vector<double> linear_auc, trees_auc;  // fold by fold
  double linear_score() const;
  double trees_score() const;
};

// The area under the ROC curve: the probability that a row with y = 1 has a higher score than one with y = 0, equal
// scores counting half (Hanley and McNeil 1982). 1/2 where one of the two is missing.
double area_under_curve(const std::vector<double>& scores, const std::vector<double>& y);

// 1 - mean of (2 max(AUC, 1/2) - 1).
double detection_score(const std::vector<double>& auc);

// At least 3 rows in each, else a data error.
Detection detect(const std::vector<Field>& fields, const Table& real, const Table& synthetic, const Rng& rng,
                 Observer& observer);

}  // namespace deepgen::quality
