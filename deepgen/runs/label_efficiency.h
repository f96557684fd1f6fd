// How far a machine that learnt without labels helps a classifier that has few of them.
//
// For each number of labels two classifiers of the same layers learn from the same labelled rows: one begins with
// random weights, the other with the machine's. The state of each is chosen by its log p(y | x) of the validation
// rows, and it is judged once on the test rows.
//
// Source of the comparison: Erhan, Bengio, Courville, Manzagol, Vincent, Bengio 2010, "Why does unsupervised
// pre-training help deep learning?".
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "deepgen/core/observer.h"
#include "deepgen/runs/label_efficiency_plan.h"

namespace deepgen {

struct LabelEfficiencyRow {
  std::int64_t labels = 0;  // training rows with a label
  std::string start;        // "random" or "machine"
  std::int64_t draws = 0;
  // Right answers among the test rows in percent, mean over the draws; its standard error from the test rows, and
  // the deviation between draws where there are several (else 0).
  double accuracy = 0, standard_error = 0, between_draws = 0;
  double valid_log_loss = 0;  // nats a row, of the chosen state
};

struct LabelEfficiencyTable {
  LabelEfficiencyPlan plan;
  std::string model, data;  // of the classifier
  std::int64_t test_rows = 0;
  std::vector<LabelEfficiencyRow> rows;
};

// Trains into folders of plan.out (labels-100/random-1, ...); a training that is there already, under the same
// settings, is not repeated. Throws a usage error for a run of another model. Interruptible between and within
// trainings.
LabelEfficiencyTable measure_label_efficiency(const LabelEfficiencyPlan& plan, Observer& observer);

std::string label_efficiency_text(const LabelEfficiencyTable& table);
nlohmann::ordered_json label_efficiency_json(const LabelEfficiencyTable& table);
std::string label_efficiency_page(const LabelEfficiencyTable& table);

}  // namespace deepgen
