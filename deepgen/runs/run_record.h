// What a training writes down beside its checkpoint: run.json, the learning curve, what it has found.
#pragma once

#include <chrono>
#include <exception>
#include <nlohmann/json.hpp>

#include "deepgen/core/observer.h"
#include "deepgen/data/dataset.h"
#include "deepgen/runs/run_folder.h"
#include "deepgen/runs/training_plan.h"
#include "deepgen/train/trainer.h"

namespace deepgen {

// run.json as it stands when training begins.
nlohmann::ordered_json describe_run(const TrainingPlan& plan, const Dataset& data);

// run.json and report.html of a training that has ended, with what its learning curve shows, which the
// observer is told.
void record_end(const RunFolder& folder, nlohmann::ordered_json run, const TrainingResult& result,
                Observer& observer);

// Notes why it failed, as far as the disk allows: the error that is reported is the first one.
void record_failure(const RunFolder& folder, nlohmann::ordered_json run, const std::exception& error);

// Writes every line of the learning curve into the run's folder and hands it on; asks for a stop when the
// seconds are over (0: there is no limit), beside what the inner observer asks.
class RunObserver : public Observer {
 public:
  RunObserver(Observer& inner, const RunFolder& folder, double seconds);
  void progress(const Progress& p, const Metrics& m) override { inner_.progress(p, m); }
  void metrics(const Metrics& m) override;
  void message(const std::string& text) override { inner_.message(text); }
  void picture(const std::string& name, const Image& image) override { inner_.picture(name, image); }
  bool stop_requested() override;

 private:
  Observer& inner_;
  const RunFolder& folder_;
  std::chrono::steady_clock::time_point end_;
};

double peak_memory_bytes();  // of this process so far

}  // namespace deepgen
