#include "deepgen/runs/search.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "deepgen/core/file_bytes.h"
#include "deepgen/core/version.h"
#include "deepgen/runs/search_engine.h"
#include "deepgen/runs/search_steps.h"
#include "deepgen/runs/search_time.h"

namespace deepgen {
namespace {

using Json = nlohmann::ordered_json;
using Clock = std::chrono::steady_clock;
namespace fs = std::filesystem;

constexpr std::int64_t default_trials = 16;  // where the budget alone sets the limit
constexpr double probing_share = 0.05;       // of the budget, at most, to measure epochs

}  // namespace

std::string SearchEngine::path(const std::string& name) const {
  return (fs::path(plan_.out) / name).string();
}

double SearchEngine::here() const { return std::chrono::duration<double>(Clock::now() - begin_).count(); }

double SearchEngine::left() const {
  return plan_.budget_seconds > 0 ? plan_.budget_seconds - elapsed() : no_time_limit;
}

Json SearchEngine::asked() const {
  return {{"model", plan_.training.settings.model},
          {"data", plan_.training.data},
          {"seed", plan_.training.seed},
          {"trials", plan_.trials},
          {"all_rows", plan_.all_rows},
          {"options", plan_.training.settings.to_json()},
          {"space", plan_.space.to_json()}};
}

// Reads the record of an earlier sitting; false when this is the first one.
bool SearchEngine::find_earlier() {
  std::error_code ignored;
  const std::string file = path("search.json");
  if (fs::exists(plan_.out, ignored) && !fs::is_directory(plan_.out, ignored))
    fail_data(plan_.out, "cannot make the folder of the search: a file is in the way");
  if (!fs::exists(file, ignored)) {
    if (plan_.resume) observer_.message(fmt::format("nothing to resume in {}; starting", plan_.out));
    return false;
  }
  if (!plan_.resume)
    fail_usage(
        "--out",
        fmt::format("{} holds a search already; go on with --resume, or choose another folder", plan_.out));
  record_ = read_search(file);
  const std::vector<std::string> other = search_differences(record_.asked, asked());
  if (!other.empty())
    fail_usage("--resume",
               fmt::format("{} was made under other settings: {}; choose another folder for these", file,
                           fmt::join(other, "; ")));
  seconds_before_ = record_.seconds;
  record_.budget_seconds = plan_.budget_seconds;
  return true;
}

// Measures an epoch of as many trials as a small share of the budget allows.
void SearchEngine::probe_trials() {
  if (plan_.budget_seconds <= 0) return;
  const double begin = here();
  for (SearchTrial& trial : record_.trials) {
    if (typical_epoch_seconds(record_) > 0 && here() - begin > probing_share * plan_.budget_seconds) return;
    if (observer_.stop_requested())
      throw Error(ErrorKind::interrupted, "search", "interrupted; nothing was tried");
    try {
      trial.probed_seconds = measure_epoch(plan_of(trial, 1, 0), data_, observer_);
    } catch (const Error& error) {
      if (!concerns_one_trial(error.kind())) throw;
      trial.status = "failed", trial.error = first_line(error);
    }
  }
}

void SearchEngine::plan_rounds(double round_seconds) {
  const auto trials = static_cast<std::int64_t>(record_.trials.size());
  record_.plan = halving_rounds(trials, full_epochs());
  const double epoch = typical_epoch_seconds(record_);
  if (plan_.budget_seconds > 0 && epoch > 0) {
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

void SearchEngine::load_data() {
  data_ = load_search_data(plan_.training.data, model_card(plan_.training.settings.model).table);
  for (const std::string& note : data_.notes) observer_.message(note);
  if (data_.spec != plan_.training.data)
    observer_.message(
        fmt::format("no validation rows: a tenth of the training rows is held out ({})", data_.spec));
  if (data_.train.rows() == 0) fail_data(data_.spec, "expected at least one training row");
  const Probe probe = probe_settings(plan_.training, data_);
  staged_ = probe.staged;
  start_seconds_ = probe.start_seconds, score_seconds_ = probe.score_seconds;
  if (!probe.scored)
    fail_usage(
        "search",
        fmt::format("{} has no score on validation rows to choose by; train it with settings of your own "
                    "and compare what `deepgen evaluate` says of them",
                    plan_.training.settings.model));
}

void SearchEngine::begin_record() {
  record_.asked = asked();
  record_.facts = {{"data_used", data_.spec},          {"binarize", data_.binarize},
                   {"train_rows", data_.train.rows()}, {"valid_rows", data_.valid.rows()},
                   {"threads", at::get_num_threads()}, {"version", program_version()},
                   {"commit", program_commit()}};
  record_.budget_seconds = plan_.budget_seconds;
  record_.best = Json::object();
  const std::int64_t wanted = plan_.trials > 0 ? plan_.trials : default_trials;
  for (Json& settings : sample_combinations(plan_.space, wanted, plan_.training.seed)) {
    record_.trials.emplace_back();
    record_.trials.back().number = static_cast<std::int64_t>(record_.trials.size());
    record_.trials.back().settings = std::move(settings);
  }
}

void SearchEngine::prepare() {
  const bool earlier = find_earlier();
  load_data();
  if (earlier) return;
  begin_record();
  probe_trials();
  plan_rounds(start_seconds_ + score_seconds_);
  std::error_code error;
  fs::create_directories(path("trials"), error);
  if (error) fail_data(plan_.out, "cannot make the folder of the search: " + error.message());
}

void SearchEngine::save() {
  record_.seconds = elapsed();
  write_search(path("search.json"), record_);
  const std::string page = search_html(record_);
  write_file(path("report.html"), ByteView(reinterpret_cast<const std::uint8_t*>(page.data()), page.size()));
}

void SearchEngine::stop() {
  record_.status = "interrupted";
  save();
  throw Error(ErrorKind::interrupted, "search",
              "interrupted; what is done is kept; go on with the same command and --resume");
}

SearchRecord SearchEngine::run() {
  prepare();
  save();
  observer_.message(fmt::format("{} on {}: {} trials of {} combinations in {} round(s), the last to epoch {}",
                                plan_.training.settings.model, data_.spec, record_.trials.size(),
                                plan_.space.size(), record_.plan.size(), record_.plan.back().epochs));
  if (record_.best.empty()) run_rounds();
  retrain();
  record_.status = "done";
  save();
  return record_;
}

SearchRecord search_settings(SearchPlan plan, Observer& observer) {
  return SearchEngine(std::move(plan), observer).run();
}

}  // namespace deepgen
