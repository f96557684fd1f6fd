#include "deepgen/train/trainer.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "deepgen/core/error.h"
#include "deepgen/model/registry.h"
#include "deepgen/train/average_in_place.h"
#include "deepgen/train/trainer_state.h"

namespace deepgen {

namespace {

// How a column may be encoded, as far as a model can choose: numbers as real ones or in bins.
bool takes_column(const ModelCard& card, const TableColumn& column) {
  if (column.kind == TableColumnKind::real)
    return takes(card, ColumnKind::gaussian) || takes(card, ColumnKind::softmax);
  const std::vector<ColumnGroup> groups = TableSchema{{column}}.groups();
  return groups.empty() || takes(card, groups.front().kind);
}

std::vector<std::string> models_for(const Dataset& data) {
  std::vector<std::string> names;
  for (const ModelCard& card : model_catalogue())
    if ((data.classes > 0 || !card.needs_labels) &&
        std::all_of(data.table.columns.begin(), data.table.columns.end(),
                    [&](const TableColumn& column) { return takes_column(card, column); }))
      names.push_back(card.name);
  return names;
}

// A column of the file that the model has no distribution for, and which models have one for all.
void refuse_columns(const ModelCard& card, const Dataset& data) {
  for (const TableColumn& column : data.table.columns) {
    const std::vector<ColumnGroup> groups = TableSchema{{column}}.groups();
    if (groups.empty() || takes(card, groups.front().kind)) continue;
    std::vector<std::string> names;
    for (const ColumnKind kind : card.takes) names.push_back(name_of(kind));
    const bool helps = column.kind == TableColumnKind::real && takes_column(card, column);
    fail_data(
        card.name,
        fmt::format("expected {} columns, got the column '{}' of {}, which is {} ({} for the model); {}these "
                    "models take the table: {}",
                    fmt::join(names, " or "), column.name, data.name, name_of(column.kind),
                    name_of(groups.front().kind),
                    helps ? (column.bins.empty() ? "state numbers=bins; " : "state numbers=gaussian; ") : "",
                    fmt::join(models_for(data), ", ")));
  }
}

}  // namespace

std::shared_ptr<Model> make_model(const Settings& settings, const Dataset& data) {
  refuse_columns(model_card(settings.model), data);
  return make_model(settings.model, *settings.model_options, *settings.learning, data.data_shape());
}

Trainer::Trainer(std::shared_ptr<Model> model, const Dataset& data, Settings settings, std::uint64_t seed)
    : state_(std::make_unique<State>(std::move(model), data, std::move(settings), seed)) {
  state_->prepare();
}

Trainer::~Trainer() = default;

StartReport Trainer::start_from(const Checkpoint& from, const std::string& path, const std::string& part) {
  State& s = *state_;
  if (s.stage > 0 || s.step > 0 || s.stage_begun)
    fail_usage("--start", "expected a new run, got one that has begun; what it started from is part of it");
  StartReport report = deepgen::start_from(*s.model, from, path, part);
  s.started_from.push_back(report.to_json());
  s.mark_start();
  return report;
}

void Trainer::step() {
  if (!state_->stage_begun) state_->begin_stage();
  state_->one_step();
}

// Does a piece of training; where it ends in numbers that cannot be gone on from, goes back to the last good
// state instead. Throws what it threw when it may not go back (again).
void Trainer::work_or_roll_back(Observer& observer, const std::function<void()>& work) {
  State& s = *state_;
  try {
    return work();
  } catch (const Diverged& diverged) {
    if (!s.may_roll_back()) throw;
    s.roll_back(diverged.seen);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::numerical || !s.may_roll_back()) throw;
    s.roll_back(error.what());
  }
  const nlohmann::ordered_json& event = s.rollbacks.back();
  // The checkpoint first: it has the record of the event, should the program end before that is written.
  if (save) save(checkpoint(), false);
  if (rolled_back) rolled_back(event);
  observer.message(event.at("message").get<std::string>());
}

void Trainer::end_epoch(Observer& observer) {
  State& s = *state_;
  const std::int64_t epoch = s.step / s.plan().batches;
  Metrics metrics = s.end_epoch_metrics();
  std::optional<ValidationScore> score;
  {
    const AverageInPlace averaged(s.flat->values, s.optimiser->average(), s.plan().trained);
    if (validate) score = validate(*s.model);
    if (after_epoch) after_epoch(*s.model, epoch);
  }
  if (score) metrics.emplace_back(score->name, score->value);
  s.check_epoch(metrics);
  if (score && !score->diverged.empty()) s.diverge(score->diverged, "validation");
  const bool best = score && s.note_score(score->value);
  const bool ends_stage = s.stage_is_over();
  s.finished = ends_stage && s.is_last_stage();
  if (s.is_sensible()) s.keep_good();
  // Before the checkpoint: a line too many is forgotten on resume, a missing one is missed for good.
  observer.metrics(metrics);
  if (save && (best || ends_stage || epoch % s.settings.training.checkpoint_every == 0))
    save(checkpoint(), best && s.is_last_stage());
  if (ends_stage && !s.finished && s.is_out_of_patience())
    observer.message(fmt::format("stage {} ends after {} epochs: {} without a better validation score",
                                 s.plan().name, epoch, s.epochs_without_better));
}

TrainingResult Trainer::run(Observer& observer) {
  State& s = *state_;
  s.start_clock();
  bool interrupted = false;
  s.finished = s.run_is_over();  // also when resumed with fewer epochs than were done
  if (!s.finished && s.stage_begun && s.good.stage < 0) {
    s.check_tensors();
    s.keep_good();
  }
  while (!s.finished && !interrupted) {
    work_or_roll_back(observer, [&] {
      s.reach_stage();
      s.one_step();
      s.pace.add_step();
      s.report_progress(observer);
      if (s.step % s.plan().batches == 0) end_epoch(observer);
    });
    interrupted = !s.finished && observer.stop_requested();
  }
  if (interrupted && save) {
    s.return_if_not_finite();
    save(checkpoint(), false);
  }
  const TrainingResult result{.steps = s.step,
                              .epochs = s.step / s.plan().batches,
                              .seconds = s.seconds(),
                              .interrupted = interrupted,
                              .stopped_early = s.finished && s.is_out_of_patience(),
                              .converged = s.finished && s.has_converged(),
                              .best_score = s.best.stage == s.stage ? s.best.score : 0,
                              .rollbacks = static_cast<std::int64_t>(s.rollbacks.size())};
  s.stop_clock();
  return result;
}

const std::vector<nlohmann::ordered_json>& Trainer::rollbacks() const { return state_->rollbacks; }

const std::vector<nlohmann::ordered_json>& Trainer::started_from() const { return state_->started_from; }

std::vector<std::string> Trainer::stage_names() const {
  std::vector<std::string> names;
  for (const StagePlan& plan : state_->plans) names.push_back(plan.name);
  return names;
}

void Trainer::restate_best(double score) {
  if (state_->best.stage >= 0) state_->best.score = score;
}

std::string Trainer::stage_name() const { return state_->plan().name; }

std::int64_t Trainer::stage_epochs() const { return state_->plan().options.epochs; }

bool Trainer::has_patience() const {
  for (const StagePlan& plan : state_->plans)
    if (plan.options.patience > 0) return true;
  return false;
}

void Trainer::use_clock(std::function<double()> seconds) { state_->clock = std::move(seconds); }

}  // namespace deepgen
