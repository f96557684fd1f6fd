#include "deepgen/runs/search_steps.h"

#include <fmt/format.h>

#include <chrono>
#include <cmath>

#include "deepgen/core/error.h"
#include "deepgen/evaluate/validation.h"
#include "deepgen/runs/open_run.h"

namespace deepgen {
namespace {

constexpr double held_out_share = 0.1;

double now_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

struct Candidate {
  std::shared_ptr<Model> model;
  std::unique_ptr<Trainer> trainer;  // has initialised the model
};

Candidate make_candidate(const TrainingPlan& plan, const Dataset& data) {
  Settings settings(plan.settings.model);
  settings.set_all(plan.settings.to_json());
  Candidate made;
  made.model = make_model(settings, data);
  made.trainer = std::make_unique<Trainer>(made.model, data, std::move(settings), plan.seed);
  return made;
}

// The values of `part` in the units of `like`, so that they can stand in one tensor.
Tensor in_units_of(const Split& like, const Split& part) {
  if (like.x.scalar_type() != at::kByte) return part.x.to(at::kFloat) * part.scale;
  if (part.x.scalar_type() == at::kByte && part.scale == like.scale) return part.x;
  return (part.x.to(at::kFloat) * (part.scale / like.scale)).round().to(at::kByte);  // bits become 0 and 255
}

Tensor labels_of(const Split& part) {
  return part.y.defined() ? part.y : at::full({part.rows()}, -1, at::kLong);
}

Tensor weights_of(const Split& part) {
  return part.weights.defined() ? part.weights : at::ones({part.rows()});
}

}  // namespace

Dataset load_search_data(const std::string& text, const TableReading& reading) {
  const DataSpec spec = parse_data_spec(text);
  DataOptions options = check_spec(spec);
  refuse_unsaid_binarisation(spec, options);
  RawSet raw = read_set(spec);
  for (const char* name : {"test", "test_labels", "test_lengths"}) raw.arrays.erase(name);
  const bool has_valid =
      raw.arrays.contains("valid") || options.valid > 0 || (options.valid < 0 && raw.default_valid > 0);
  if (!has_valid && spec.options.contains("valid"))
    fail_usage("search",
               fmt::format("expected validation rows to choose by, got valid={}; leave it out and a "
                           "tenth of the training rows is held out",
                           spec.options.at("valid")));
  const std::int64_t rows = raw.table ? raw.table->rows() : raw.arrays.at("train").rows();
  if (!has_valid && rows < 10)
    fail_data(text, fmt::format("expected at least 10 rows to hold a tenth of them out, got {}", rows));
  if (!has_valid) options.valid = held_out_share;
  Dataset data = make_dataset(std::move(raw), options, nullptr, reading);
  data.spec = text;
  if (!has_valid) data.spec += fmt::format("{}valid={}", spec.options.empty() ? ":" : ",", held_out_share);
  const std::string name = data.test.name;
  data.test = Split{};  // rows that the spec itself holds out for testing
  data.test.name = name;
  if (data.valid.rows() == 0)
    fail_data(text, fmt::format("expected at least 10 rows to hold a tenth of them out, got {}",
                                data.train.rows()));
  return data;
}

Dataset with_valid_rows(const Dataset& data) {
  Dataset all = data;
  const Split &train = data.train, &valid = data.valid;
  if (train.codes.defined())
    all.train.codes = at::cat({train.codes, valid.codes});
  else
    all.train.x = at::cat({train.x, in_units_of(train, valid)});
  if (train.densities.defined()) all.train.densities = at::cat({train.densities, valid.densities});
  if (train.y.defined() || valid.y.defined()) all.train.y = at::cat({labels_of(train), labels_of(valid)});
  if (train.weights.defined() || valid.weights.defined())
    all.train.weights = at::cat({weights_of(train), weights_of(valid)});
  if (train.starts.defined()) all.train.starts = at::cat({train.starts, valid.starts + train.rows()});
  all.valid = Split{};
  all.valid.name = valid.name;
  return all;
}

Probe probe_settings(const TrainingPlan& plan, const Dataset& data) {
  const double begin = now_seconds();
  const Candidate candidate = make_candidate(plan, data);
  Probe probe;
  probe.start_seconds = now_seconds() - begin;
  probe.staged = candidate.model->stages().size() > 1;
  probe.scored = judge_model(*candidate.model, data, plan.seed).has_value();
  probe.score_seconds = now_seconds() - begin - probe.start_seconds;
  return probe;
}

double measure_epoch(const TrainingPlan& plan, const Dataset& data, Observer& observer) {
  constexpr double enough = 0.2;  // seconds: a step is far shorter, or else long enough by itself
  const Candidate candidate = make_candidate(plan, data);
  const std::int64_t batch = plan.settings.training.batch;
  const std::int64_t batches = (data.train.cases() + batch - 1) / batch * plan.settings.training.passes;
  candidate.trainer->step();  // the first one takes memory and is not typical
  std::int64_t steps = 0;
  const double begin = now_seconds();
  double spent = 0;
  for (; steps < batches && spent < enough && !observer.stop_requested(); spent = now_seconds() - begin) {
    candidate.trainer->step();
    ++steps;
  }
  return spent / static_cast<double>(std::max<std::int64_t>(1, steps)) * static_cast<double>(batches);
}

ValidationScore score_run(const std::string& folder, const Dataset& data, std::uint64_t seed) {
  const OpenRun run = open_run(folder);
  const std::optional<ValidationScore> score = judge_model(*run.model, data, seed);
  if (!score) fail_usage("search", "this model has no validation score to choose by");
  if (!score->diverged.empty()) fail_numerical(folder, "training has diverged: " + score->diverged);
  if (!std::isfinite(score->value))
    fail_numerical(folder, fmt::format("{} is {}", score->name, score->value));
  return *score;
}

bool holds_run_of(const RunFolder& folder, const TrainingPlan& plan) {
  const nlohmann::ordered_json run = folder.read_run();
  return run.contains("options") && run["options"] == plan.settings.to_json();
}

void TrialObserver::progress(const Progress& p, const Metrics& metrics) {
  if (first_seconds_ < 0) first_seconds_ = p.seconds;
  const double left =
      seconds_left_ < 0 ? p.seconds_left : std::max(0.0, seconds_left_ - (p.seconds - first_seconds_));
  inner_.progress({name_, p.done, p.total, p.seconds, left}, metrics);
}

}  // namespace deepgen
