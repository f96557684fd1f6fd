#include "deepgen/runs/run_record.h"

#include <sys/resource.h>

#include <functional>

#include "deepgen/core/version.h"
#include "deepgen/runs/findings.h"

namespace deepgen {
namespace {

using Clock = std::chrono::steady_clock;

// Of the validation rows, where they were computed.
Baselines baselines_of(const nlohmann::ordered_json& run) {
  Baselines found;
  if (!run.contains("baselines")) return found;
  for (const nlohmann::ordered_json& score : run["baselines"])
    (score.at("metric") == "baseline_independent" ? found.independent : found.chow_liu) =
        score.at("value").get<double>();
  return found;
}

// What the learning curve says about the training so far.
void add_findings(const RunFolder& folder, nlohmann::ordered_json& run) {
  const std::vector<nlohmann::ordered_json> curve = folder.metrics();
  run["rollbacks"] = nlohmann::ordered_json::array();
  for (const nlohmann::ordered_json& line : curve)
    if (line.contains("event")) run["rollbacks"].push_back(line);
  run["findings"] = findings(curve, baselines_of(run));
}

}  // namespace

nlohmann::ordered_json describe_run(const TrainingPlan& plan, const Dataset& data) {
  nlohmann::ordered_json run = {{"model", plan.settings.model},
                                {"data", data.spec},
                                {"binarize", data.binarize},
                                {"status", "training"},
                                {"commit", program_commit()},
                                {"version", program_version()},
                                {"seed", plan.seed},
                                {"threads", at::get_num_threads()},
                                {"train_rows", data.train.rows()}};
  run["options"] = plan.settings.to_json();
  return run;
}

void record_end(const RunFolder& folder, nlohmann::ordered_json run, const TrainingResult& result,
                Observer& observer) {
  run["status"] = result.interrupted ? "interrupted" : "done";
  if (result.stopped_early) run["stopped_early"] = "no better validation score for training.patience epochs";
  if (result.converged) run["stopped_early"] = "a pass over the rows gained no more than training.tolerance";
  run["training_seconds"] = result.seconds;
  run["peak_memory_bytes"] = peak_memory_bytes();
  add_findings(folder, run);
  folder.write_run(run);
  folder.write_report();
  if (run["findings"].empty()) observer.message("no problems found in the learning curves");
  for (const auto& finding : run["findings"]) observer.message(finding.get<std::string>());
}

void record_failure(const RunFolder& folder, nlohmann::ordered_json run, const std::exception& error) {
  const std::string what = error.what();
  run["status"] = "failed";
  run["warnings"] = nlohmann::ordered_json::array({what.substr(0, what.find('\n'))});
  const std::function<void()> steps[] = {[&] { add_findings(folder, run); }, [&] { folder.write_run(run); },
                                         [&] { folder.write_report(); }};
  for (const auto& step : steps) {
    try {
      step();
    } catch (const std::exception&) {
    }
  }
}

RunObserver::RunObserver(Observer& inner, const RunFolder& folder, double seconds)
    : inner_(inner), folder_(folder), end_(Clock::time_point::max()) {
  if (seconds > 0)
    end_ = Clock::now() + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
}

void RunObserver::metrics(const Metrics& m) {
  folder_.append_metrics(m);
  inner_.metrics(m);
}

bool RunObserver::stop_requested() { return inner_.stop_requested() || Clock::now() > end_; }

double peak_memory_bytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) * 1024;
}

}  // namespace deepgen
