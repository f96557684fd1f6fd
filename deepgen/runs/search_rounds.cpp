// The trials of a search, its rounds, and the best trained anew.
#include <fmt/format.h>

#include <algorithm>

#include "deepgen/runs/search_engine.h"
#include "deepgen/runs/search_steps.h"
#include "deepgen/runs/search_time.h"
#include "deepgen/runs/train_into.h"

namespace deepgen {
namespace {

using Json = nlohmann::ordered_json;

constexpr double end_margin = 0.95;            // of the time left, planned for the retraining's epochs
constexpr std::int64_t shortest_patience = 5;  // epochs; else a tenth of them

}  // namespace

double SearchEngine::left_for_rounds() const {
  if (plan_.budget_seconds <= 0) return no_time_limit;
  const double reserve = plan_.budget_seconds - seconds_for_rounds(plan_.budget_seconds, full_epochs(),
                                                                   typical_epoch_seconds(record_));
  return left() - reserve;
}

double SearchEngine::estimate_left(std::size_t round) const {
  const double seconds = seconds_to_end(record_, round, full_epochs(), score_seconds_, staged_);
  return seconds < 0 ? seconds : std::min(seconds, std::max(0.0, left()));
}

TrainingPlan SearchEngine::plan_of(const SearchTrial& trial, std::int64_t epochs,
                                   std::int64_t patience) const {
  TrainingPlan plan(settings_with(plan_.training.settings, trial.settings), data_.spec, plan_.training.seed);
  plan.settings.training.epochs = epochs;
  plan.settings.training.patience = patience;
  plan.start = plan_.training.start;
  return plan;
}

// ---------------------------------------------------------------- trials

void SearchEngine::announce(const SearchTrial& trial, std::size_t round, double seconds) const {
  observer_.message(fmt::format("trial {} of {}, round {} of {} (to epoch {}): {}{}", trial.number,
                                record_.trials.size(), round + 1, record_.plan.size(),
                                record_.plan[round].epochs, combination_text(trial.settings),
                                seconds < 0 ? "" : fmt::format("; {} left", clock_text(seconds))));
}

TrainingResult SearchEngine::train_round(const SearchTrial& trial, std::size_t round) {
  const TrainingPlan plan = plan_of(trial, record_.plan[round].epochs, 0);
  const RunFolder folder = RunFolder::create(path(trial.folder()), true, false);
  // A stack of stages is trained anew in each round; what a kill left of this round is still gone on with.
  const bool resume = !staged_ || holds_run_of(folder, plan);
  const double limit = ranked_trials(record_).empty() ? left() : left_for_rounds();
  const double seconds = estimate_left(round);
  announce(trial, round, seconds);
  TrialObserver observer(observer_, fmt::format("trial {} of {}", trial.number, record_.trials.size()),
                         seconds);
  return train_into(folder, plan, resume, data_, observer, std::max(1e-3, limit), false);
}

void SearchEngine::score_round(SearchTrial& trial, std::size_t round) {
  const double begin = here();
  const ValidationScore score = score_run(path(trial.folder()), data_, plan_.training.seed);
  score_seconds_ = here() - begin;
  trial.score_name = score.name, trial.score_kind = score_kind(score.name);
  trial.rounds.push_back({record_.plan[round].epochs, score.value});
}

// Trains to the end of a round and scores; numerical failures and settings that do not go together are noted.
void SearchEngine::train_trial(SearchTrial& trial, std::size_t round) {
  trial.status = "training";
  save();
  const double begin = here();
  try {
    const TrainingResult result = train_round(trial, round);
    trial.seconds = result.seconds;
    trial.status = !result.interrupted ? "done" : observer_.stop_requested() ? "interrupted" : "out of time";
    if (!result.interrupted) score_round(trial, round);
  } catch (const Error& error) {
    if (!concerns_one_trial(error.kind())) throw;
    trial.status = "failed", trial.error = first_line(error);
    trial.seconds += here() - begin;
    observer_.message(fmt::format("trial {} failed: {}", trial.number, trial.error));
  }
  save();
}

// ---------------------------------------------------------------- rounds

// False when the time of the rounds is over.
bool SearchEngine::run_round(std::size_t round) {
  const auto share_of = [&](std::size_t first) {
    return static_cast<double>(epochs_of_rounds(record_.plan, first, staged_));
  };
  const double share = 1 - share_of(round + 1) / std::max(1.0, share_of(round));
  const double end = here() + std::max(0.0, left_for_rounds()) * share;
  const std::vector<std::int64_t> entrants = record_.entrants[round];
  for (const std::int64_t entrant : entrants) {
    SearchTrial& trial = record_.trial(entrant);
    if (trial.status == "failed" || trial.rounds.size() > round) continue;
    if (observer_.stop_requested()) stop();
    const bool scored = !ranked_trials(record_).empty();  // one score is needed whatever its share of time
    if (left() <= 0 || (scored && here() >= end)) break;
    train_trial(trial, round);
    if (trial.status == "interrupted") stop();
  }
  return left_for_rounds() > 0;
}

void SearchEngine::run_rounds() {
  record_.status = "searching";
  for (bool more = true; more;) {
    const std::size_t round = record_.entrants.size() - 1;
    if (!run_round(round) || round + 1 == record_.plan.size()) break;
    std::vector<std::int64_t> next = promoted(record_, round, trials_after(record_, round));
    more = next.size() > 1;  // one alone has won
    if (more) record_.entrants.push_back(std::move(next));
    save();
  }
}

// ---------------------------------------------------------------- the best

void SearchEngine::fail_without_winner() {
  record_.status = "failed";
  save();
  std::string why;
  for (const SearchTrial& trial : record_.trials)
    if (!trial.error.empty()) why = trial.error;
  if (why.empty())
    fail_usage("--budget", "no trial came to its end in time; give more, and --resume goes on with them");
  fail_numerical("search",
                 fmt::format("expected one trial at least to succeed, got none; the last said: {}", why));
}

// Whom to retrain, and for how long.
void SearchEngine::plan_best() {
  const std::vector<std::int64_t> ranked = ranked_trials(record_);
  if (ranked.empty()) fail_without_winner();
  const SearchTrial& winner = record_.trial(ranked.front());
  const bool all_rows = plan_.all_rows;
  const std::int64_t epochs = full_epochs(), own = plan_.training.settings.training.patience;
  const Retraining wanted{epochs, all_rows ? 0 : own > 0 ? own : std::max(shortest_patience, epochs / 10)};
  const Retraining plan =
      plan_retraining(wanted, epoch_seconds(winner), all_rows ? 0 : score_seconds_, end_margin * left());
  record_.best = {{"trial", winner.number}, {"folder", "best"},          {"settings", winner.settings},
                  {"epochs", plan.epochs},  {"patience", plan.patience}, {"all_rows", all_rows},
                  {"status", "training"}};
  if (plan.patience < wanted.patience)
    observer_.message("no time for a score after each epoch: the best is trained without patience");
  if (plan.epochs < epochs)
    observer_.message(fmt::format("the budget leaves the best {} epochs of {}", plan.epochs, epochs));
  save();
}

void SearchEngine::train_best() {
  Json& best = record_.best;
  const SearchTrial& winner = record_.trial(best.at("trial").get<std::int64_t>());
  const auto epochs = best.at("epochs").get<std::int64_t>();
  const double limit = std::max({left(), epoch_seconds(winner), 1e-3});  // an epoch in any case
  const double seconds = std::min(limit, epoch_seconds(winner) * static_cast<double>(epochs));
  observer_.message(fmt::format("best: trial {} ({}), trained anew for up to {} epoch(s){}; {} left",
                                winner.number, combination_text(winner.settings), epochs,
                                plan_.all_rows ? " on training and validation rows" : "",
                                clock_text(seconds)));
  TrialObserver observer(observer_, "the best", seconds);
  const RunFolder folder = RunFolder::create(path("best"), true, false);
  const Dataset all = plan_.all_rows ? with_valid_rows(data_) : data_;
  const TrainingPlan plan = plan_of(winner, epochs, best.at("patience").get<std::int64_t>());
  const TrainingResult result = train_into(folder, plan, holds_run_of(folder, plan), all, observer, limit);
  best["epochs_done"] = result.epochs;
  best["seconds"] = result.seconds;
  if (result.interrupted && observer_.stop_requested()) stop();
  best["status"] = result.interrupted ? "stopped by the budget" : "done";
  if (plan_.all_rows) return;  // no row is left to score it on
  const ValidationScore score = score_run(folder.name(), data_, plan_.training.seed);
  best["score"] = score.value, best["score_name"] = score.name, best["score_kind"] = score_kind(score.name);
}

// Retrains the winner; where that fails, the next one.
void SearchEngine::retrain() {
  while (true) {
    if (record_.best.empty()) plan_best();
    if (record_.best.at("status") != "training") return;
    if (observer_.stop_requested()) stop();
    try {
      train_best();
      return;
    } catch (const Error& error) {
      if (!concerns_one_trial(error.kind())) throw;
      SearchTrial& failed = record_.trial(record_.best.at("trial").get<std::int64_t>());
      failed.status = "failed", failed.error = "in the retraining: " + first_line(error);
      observer_.message(fmt::format("trial {} failed {}", failed.number, failed.error));
      record_.best = Json::object();
    }
  }
}

}  // namespace deepgen
