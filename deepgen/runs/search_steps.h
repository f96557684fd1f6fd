// The steps of a search that touch data and models: rows without the test part, the time of an epoch, the
// score of a run.
#pragma once

#include <string>
#include <utility>

#include "deepgen/core/observer.h"
#include "deepgen/data/dataset.h"
#include "deepgen/runs/run_folder.h"
#include "deepgen/runs/training_plan.h"
#include "deepgen/train/trainer.h"

namespace deepgen {

// The data as given, but with an empty test part: it is dropped before it is looked at. Where there are no
// validation rows, a tenth of the training rows, drawn at random, become them; the spec then says so.
// `reading`: how the model wants a table.
Dataset load_search_data(const std::string& spec, const TableReading& reading = {});

// Training rows with the validation rows at their end, and no other part.
Dataset with_valid_rows(const Dataset& data);

// What is known of settings before they are trained.
struct Probe {
  bool staged = false;  // layers of a stack, say: more epochs need a new beginning
  bool scored = false;  // its kind of model has a validation score
  double start_seconds = 0, score_seconds = 0;
};
// Makes a model, scores it untrained and throws it away.
Probe probe_settings(const TrainingPlan& plan, const Dataset& data);

// Seconds of an epoch, from some steps with a model that is then thrown away.
double measure_epoch(const TrainingPlan& plan, const Dataset& data, Observer& observer);

// The validation score of a run with the weights that users get. Throws a numerical error when it is not
// finite, and when the run has diverged although it is.
ValidationScore score_run(const std::string& folder, const Dataset& data, std::uint64_t seed);

// Whether the folder has a run, perhaps unfinished, under just these settings.
bool holds_run_of(const RunFolder& folder, const TrainingPlan& plan);

// Shows the work on one trial as part of a whole: its progress under this name with the time left of all.
class TrialObserver : public Observer {
 public:
  TrialObserver(Observer& inner, std::string name, double seconds_left)
      : inner_(inner), name_(std::move(name)), seconds_left_(seconds_left) {}
  void progress(const Progress& progress, const Metrics& metrics) override;
  bool stop_requested() override { return inner_.stop_requested(); }

 private:
  Observer& inner_;
  std::string name_;
  double seconds_left_;        // of the whole, at the start; negative while unknown
  double first_seconds_ = -1;  // of the progress seen first: a resumed run does not begin at 0
};

}  // namespace deepgen
