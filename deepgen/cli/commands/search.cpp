// search: settings tried on the training rows, chosen on the validation rows, the best of them trained anew.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <filesystem>

#include "deepgen/cli/commands/commands.h"
#include "deepgen/cli/commands/console.h"
#include "deepgen/cli/commands/search_steps.h"
#include "deepgen/cli/search_record.h"
#include "deepgen/cli/search_space.h"
#include "deepgen/cli/search_time.h"
#include "deepgen/core/error.h"
#include "deepgen/core/file_bytes.h"
#include "deepgen/core/version.h"

namespace deepgen {
namespace {

using Json = nlohmann::ordered_json;
using Clock = std::chrono::steady_clock;

constexpr std::int64_t default_trials = 16;    // where the budget alone sets the limit
constexpr double probing_share = 0.05;         // of the budget, at most, to measure epochs
constexpr double end_margin = 0.95;            // of the time left, planned for the retraining's epochs
constexpr double no_limit = 1e9;               // seconds
constexpr std::int64_t shortest_patience = 5;  // epochs; else a tenth of them

bool concerns_one_trial(ErrorKind kind) { return kind == ErrorKind::numerical || kind == ErrorKind::usage; }

std::string first_line(const std::exception& error) {
  const std::string what = error.what();
  return what.substr(0, what.find('\n'));
}

class Search {
 public:
  Search(const Arguments& arguments, SearchPlan plan, Observer& console)
      : a_(arguments), plan_(std::move(plan)), console_(console), begin_(Clock::now()) {}

  const SearchRecord& run();

 private:
  std::string path(const std::string& name) const { return (std::filesystem::path(a_.out) / name).string(); }
  double here() const { return std::chrono::duration<double>(Clock::now() - begin_).count(); }
  double elapsed() const { return seconds_before_ + here(); }
  double left() const { return a_.budget_seconds > 0 ? a_.budget_seconds - elapsed() : no_limit; }
  std::int64_t full_epochs() const { return plan_.training.settings.training.epochs; }

  Json asked() const;
  bool find_earlier();
  void prepare();
  void probe_trials();
  void plan_rounds(double round_seconds);
  void save();
  [[noreturn]] void stop();

  double left_for_rounds() const;
  double estimate_left(std::size_t round) const;

  TrainingPlan plan_of(const SearchTrial& trial, std::int64_t epochs, std::int64_t patience) const;
  bool run_round(std::size_t round);
  void announce(const SearchTrial& trial, std::size_t round, double left) const;
  void train_trial(SearchTrial& trial, std::size_t round);
  TrainingResult train_round(const SearchTrial& trial, std::size_t round);
  void run_rounds();
  void plan_best();
  void train_best();
  void retrain();

  const Arguments& a_;
  SearchPlan plan_;
  Observer& console_;
  Clock::time_point begin_;
  double seconds_before_ = 0;  // of earlier sittings
  Dataset data_;
  SearchRecord record_;
  double score_seconds_ = 0;  // of one validation score
  bool staged_ = false;
};

Json Search::asked() const {
  return {{"model", plan_.training.settings.model},
          {"data", plan_.training.data},
          {"seed", plan_.training.seed},
          {"trials", a_.trials},
          {"all_rows", a_.all_rows},
          {"options", plan_.training.settings.to_json()},
          {"space", plan_.space.to_json()}};
}

// Reads the record of an earlier sitting; false when this is the first one.
bool Search::find_earlier() {
  std::error_code ignored;
  const std::string file = path("search.json");
  if (std::filesystem::exists(a_.out, ignored) && !std::filesystem::is_directory(a_.out, ignored))
    fail_data(a_.out, "cannot make the folder of the search: a file is in the way");
  if (!std::filesystem::exists(file, ignored)) {
    if (a_.resume) console_.message(fmt::format("nothing to resume in {}; starting", a_.out));
    return false;
  }
  if (!a_.resume)
    fail_usage(
        "--out",
        fmt::format("{} holds a search already; go on with --resume, or choose another folder", a_.out));
  record_ = read_search(file);
  const std::vector<std::string> other = search_differences(record_.asked, asked());
  if (!other.empty())
    fail_usage("--resume",
               fmt::format("{} was made under other settings: {}; choose another folder for these", file,
                           fmt::join(other, "; ")));
  seconds_before_ = record_.seconds;
  record_.budget_seconds = a_.budget_seconds;
  return true;
}

// Measures an epoch of as many trials as a small share of the budget allows.
void Search::probe_trials() {
  if (a_.budget_seconds <= 0) return;
  const double begin = here();
  for (SearchTrial& trial : record_.trials) {
    if (typical_epoch_seconds(record_) > 0 && here() - begin > probing_share * a_.budget_seconds) return;
    if (console_.stop_requested())
      throw Error(ErrorKind::interrupted, "search", "interrupted; nothing was tried");
    try {
      trial.probed_seconds = measure_epoch(plan_of(trial, 1, 0), data_, console_);
    } catch (const Error& error) {
      if (!concerns_one_trial(error.kind())) throw;
      trial.status = "failed", trial.error = first_line(error);
    }
  }
}

void Search::plan_rounds(double round_seconds) {
  const auto trials = static_cast<std::int64_t>(record_.trials.size());
  record_.plan = halving_rounds(trials, full_epochs());
  const double epoch = typical_epoch_seconds(record_);
  if (a_.budget_seconds > 0 && epoch > 0) {
    const auto least = static_cast<double>(std::min<std::int64_t>(2, trials) + 1);
    if (least * epoch > left())
      fail_usage(
          "--budget",
          fmt::format("expected time for {} epochs at least, the last one for the retraining; one takes "
                      "about {:.2g} s here, so give {:.0f}s or more",
                      least, epoch, std::ceil(least * epoch + here())));
    record_.plan = fit_halving(trials, full_epochs(), {epoch, round_seconds},
                               seconds_for_rounds(left(), full_epochs(), epoch), staged_);
  }
  record_.trials.resize(static_cast<std::size_t>(record_.plan.front().trials));
  record_.entrants.emplace_back();
  for (const SearchTrial& trial : record_.trials) record_.entrants.back().push_back(trial.number);
}

void Search::prepare() {
  const bool earlier = find_earlier();
  data_ = load_search_data(plan_.training.data);
  if (data_.spec != plan_.training.data)
    console_.message(
        fmt::format("no validation rows: a tenth of the training rows is held out ({})", data_.spec));
  if (data_.train.rows() == 0) fail_data(data_.spec, "expected at least one training row");
  const Probe probe = probe_settings(plan_.training, data_);
  staged_ = probe.staged;
  score_seconds_ = probe.score_seconds;
  if (!probe.scored)
    fail_usage(
        "search",
        fmt::format("{} has no score on validation rows to choose by; train it with settings of your own "
                    "and compare what `deepgen evaluate` says of them",
                    plan_.training.settings.model));
  if (earlier) return;
  record_.asked = asked();
  record_.facts = {{"data_used", data_.spec},          {"binarize", data_.binarize},
                   {"train_rows", data_.train.rows()}, {"valid_rows", data_.valid.rows()},
                   {"threads", at::get_num_threads()}, {"version", program_version()},
                   {"commit", program_commit()}};
  record_.budget_seconds = a_.budget_seconds;
  record_.best = Json::object();
  const std::int64_t wanted = a_.trials > 0 ? a_.trials : default_trials;
  for (Json& settings : sample_combinations(plan_.space, wanted, plan_.training.seed)) {
    record_.trials.emplace_back();
    record_.trials.back().number = static_cast<std::int64_t>(record_.trials.size());
    record_.trials.back().settings = std::move(settings);
  }
  probe_trials();
  plan_rounds(probe.start_seconds + probe.score_seconds);
  std::error_code error;
  std::filesystem::create_directories(path("trials"), error);
  if (error) fail_data(a_.out, "cannot make the folder of the search: " + error.message());
}

void Search::save() {
  record_.seconds = elapsed();
  write_search(path("search.json"), record_);
  const std::string page = search_html(record_);
  write_file(path("report.html"), ByteView(reinterpret_cast<const std::uint8_t*>(page.data()), page.size()));
}

void Search::stop() {
  record_.status = "interrupted";
  save();
  throw Error(ErrorKind::interrupted, "search",
              "interrupted; what is done is kept; go on with the same command and --resume");
}

double Search::left_for_rounds() const {
  if (a_.budget_seconds <= 0) return no_limit;
  const double reserve = a_.budget_seconds -
                         seconds_for_rounds(a_.budget_seconds, full_epochs(), typical_epoch_seconds(record_));
  return left() - reserve;
}

double Search::estimate_left(std::size_t round) const {
  const double seconds = seconds_to_end(record_, round, full_epochs(), score_seconds_, staged_);
  return seconds < 0 ? seconds : std::min(seconds, std::max(0.0, left()));
}

TrainingPlan Search::plan_of(const SearchTrial& trial, std::int64_t epochs, std::int64_t patience) const {
  TrainingPlan plan{settings_with(plan_.training.settings, trial.settings), data_.spec, plan_.training.seed};
  plan.settings.training.epochs = epochs;
  plan.settings.training.patience = patience;
  return plan;
}

void Search::announce(const SearchTrial& trial, std::size_t round, double seconds) const {
  console_.message(fmt::format("trial {} of {}, round {} of {} (to epoch {}): {}{}", trial.number,
                               record_.trials.size(), round + 1, record_.plan.size(),
                               record_.plan[round].epochs, combination_text(trial.settings),
                               seconds < 0 ? "" : fmt::format("; {} left", clock_text(seconds))));
}

TrainingResult Search::train_round(const SearchTrial& trial, std::size_t round) {
  const TrainingPlan plan = plan_of(trial, record_.plan[round].epochs, 0);
  const RunFolder folder = RunFolder::create(path(trial.folder()), true, false);
  // A stack of stages is trained anew in each round; what a kill left of this round is still gone on with.
  const bool resume = !staged_ || holds_run_of(folder, plan);
  const double limit = ranked_trials(record_).empty() ? left() : left_for_rounds();
  const double seconds = estimate_left(round);
  announce(trial, round, seconds);
  TrialObserver observer(console_, fmt::format("trial {} of {}", trial.number, record_.trials.size()),
                         seconds);
  return train_into(folder, plan, resume, data_, observer, std::max(1e-3, limit), false);
}

// Trains to the end of a round and scores; numerical failures and settings that do not go together are noted.
void Search::train_trial(SearchTrial& trial, std::size_t round) {
  trial.status = "training";
  save();
  const double begin = here();
  try {
    const TrainingResult result = train_round(trial, round);
    trial.seconds = result.seconds;
    trial.status = !result.interrupted ? "done" : console_.stop_requested() ? "interrupted" : "out of time";
    if (!result.interrupted) {
      const double scoring = here();
      const ValidationScore score = score_run(path(trial.folder()), data_, plan_.training.seed);
      score_seconds_ = here() - scoring;
      trial.score_name = score.name, trial.score_kind = score_kind(score.name);
      trial.rounds.push_back({record_.plan[round].epochs, score.value});
    }
  } catch (const Error& error) {
    if (!concerns_one_trial(error.kind())) throw;
    trial.status = "failed", trial.error = first_line(error);
    trial.seconds += here() - begin;
    console_.message(fmt::format("trial {} failed: {}", trial.number, trial.error));
  }
  save();
}

// False when the time of the rounds is over.
bool Search::run_round(std::size_t round) {
  const auto share_of = [&](std::size_t first) {
    return static_cast<double>(epochs_of_rounds(record_.plan, first, staged_));
  };
  const double share = 1 - share_of(round + 1) / std::max(1.0, share_of(round));
  const double end = here() + std::max(0.0, left_for_rounds()) * share;
  const std::vector<std::int64_t> entrants = record_.entrants[round];
  for (std::size_t i = 0; i < entrants.size(); ++i) {
    SearchTrial& trial = record_.trial(entrants[i]);
    if (trial.status == "failed" || trial.rounds.size() > round) continue;
    if (console_.stop_requested()) stop();
    const bool scored = !ranked_trials(record_).empty();  // one score is needed whatever its share of time
    if (left() <= 0 || (scored && here() >= end)) break;
    train_trial(trial, round);
    if (trial.status == "interrupted") stop();
  }
  return left_for_rounds() > 0;
}

void Search::run_rounds() {
  record_.status = "searching";
  for (bool more = true; more;) {
    const std::size_t round = record_.entrants.size() - 1;
    if (!run_round(round) || round + 1 == record_.plan.size()) break;
    std::vector<std::int64_t> next = survivors(record_, round, trials_after(record_, round));
    more = next.size() > 1;  // one alone has won
    if (more) record_.entrants.push_back(std::move(next));
    save();
  }
}

// Whom to retrain, and for how long.
void Search::plan_best() {
  const std::vector<std::int64_t> ranked = ranked_trials(record_);
  if (ranked.empty()) {
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
  const SearchTrial& winner = record_.trial(ranked.front());
  const std::int64_t epochs = full_epochs(), own = plan_.training.settings.training.patience;
  const Retraining wanted{epochs, a_.all_rows ? 0 : own > 0 ? own : std::max(shortest_patience, epochs / 10)};
  const Retraining plan =
      plan_retraining(wanted, epoch_seconds(winner), a_.all_rows ? 0 : score_seconds_, end_margin * left());
  record_.best = {{"trial", winner.number}, {"folder", "best"},          {"settings", winner.settings},
                  {"epochs", plan.epochs},  {"patience", plan.patience}, {"all_rows", a_.all_rows},
                  {"status", "training"}};
  if (plan.patience < wanted.patience)
    console_.message("no time for a score after each epoch: the best is trained without patience");
  if (plan.epochs < epochs)
    console_.message(fmt::format("the budget leaves the best {} epochs of {}", plan.epochs, epochs));
  save();
}

void Search::train_best() {
  Json& best = record_.best;
  const SearchTrial& winner = record_.trial(best.at("trial").get<std::int64_t>());
  const auto epochs = best.at("epochs").get<std::int64_t>();
  const double limit = std::max({left(), epoch_seconds(winner), 1e-3});  // an epoch in any case
  const double seconds = std::min(limit, epoch_seconds(winner) * static_cast<double>(epochs));
  console_.message(fmt::format("best: trial {} ({}), trained anew for up to {} epoch(s){}; {} left",
                               winner.number, combination_text(winner.settings), epochs,
                               a_.all_rows ? " on training and validation rows" : "", clock_text(seconds)));
  TrialObserver observer(console_, "the best", seconds);
  const RunFolder folder = RunFolder::create(path("best"), true, false);
  const Dataset all = a_.all_rows ? with_valid_rows(data_) : data_;
  const TrainingPlan plan = plan_of(winner, epochs, best.at("patience").get<std::int64_t>());
  const TrainingResult result = train_into(folder, plan, holds_run_of(folder, plan), all, observer, limit);
  best["epochs_done"] = result.epochs;
  best["seconds"] = result.seconds;
  if (result.interrupted && console_.stop_requested()) stop();
  best["status"] = result.interrupted ? "stopped by the budget" : "done";
  if (a_.all_rows) return;  // no row is left to score it on
  const ValidationScore score = score_run(folder.name(), data_, plan_.training.seed);
  best["score"] = score.value, best["score_name"] = score.name, best["score_kind"] = score_kind(score.name);
}

// Retrains the winner; where that fails, the next one.
void Search::retrain() {
  while (true) {
    if (record_.best.empty()) plan_best();
    if (record_.best.at("status") != "training") return;
    if (console_.stop_requested()) stop();
    try {
      train_best();
      return;
    } catch (const Error& error) {
      if (!concerns_one_trial(error.kind())) throw;
      SearchTrial& failed = record_.trial(record_.best.at("trial").get<std::int64_t>());
      failed.status = "failed", failed.error = "in the retraining: " + first_line(error);
      console_.message(fmt::format("trial {} failed {}", failed.number, failed.error));
      record_.best = Json::object();
    }
  }
}

const SearchRecord& Search::run() {
  prepare();
  save();
  console_.message(fmt::format("{} on {}: {} trials of {} combinations in {} round(s), the last to epoch {}",
                               plan_.training.settings.model, data_.spec, record_.trials.size(),
                               plan_.space.size(), record_.plan.size(), record_.plan.back().epochs));
  if (record_.best.empty()) run_rounds();
  retrain();
  record_.status = "done";
  save();
  return record_;
}

}  // namespace

void search_command(const Arguments& arguments) {
  ConsoleObserver console(arguments.quiet);
  Search search(arguments, plan_search(arguments), console);
  const SearchRecord& record = search.run();
  for (const std::string& line : search_table(record)) console.message(line);
  console.message(fmt::format("report: {0}/report.html; next: deepgen evaluate {0}/best --data {1}",
                              arguments.out, record.asked.at("data").get<std::string>()));
  if (arguments.json) fmt::print("{}\n", to_json(record).dump(2));
}

}  // namespace deepgen
