#include "deepgen/runs/auto_train.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <optional>

#include "deepgen/core/error.h"
#include "deepgen/core/html.h"
#include "deepgen/evaluate/bounds.h"
#include "deepgen/evaluate/quality/gaps.h"
#include "deepgen/evaluate/quality/read_tables.h"
#include "deepgen/runs/open_run.h"
#include "deepgen/runs/run_record.h"
#include "deepgen/runs/search_engine.h"
#include "deepgen/runs/search_steps.h"
#include "deepgen/runs/table_baselines.h"
#include "deepgen/runs/table_training.h"
#include "deepgen/runs/train_into.h"

namespace deepgen {
namespace {

constexpr std::int64_t few_rows = 5000;  // below it mixtures of few components may win, and every row counts

bool numbers_alone(const TableSchema& table) {
  return std::all_of(table.columns.begin(), table.columns.end(), [](const TableColumn& column) {
    return !column.modelled() || column.kind == TableColumnKind::real;
  });
}

bool has_numbers(const TableSchema& table) {
  return std::any_of(table.columns.begin(), table.columns.end(), [](const TableColumn& column) {
    return column.modelled() && column.kind == TableColumnKind::real;
  });
}

bool has_gaps(const TableSchema& table) {
  return std::any_of(table.columns.begin(), table.columns.end(),
                     [](const TableColumn& column) { return column.modelled() && column.missing > 0; });
}

// The same rows for every model.
Dataset with_few_valid(const Dataset& data, std::uint64_t seed) {
  constexpr std::int64_t most = 1000;
  if (data.valid.cases() <= most) return data;
  Dataset few = data;
  few.valid = select_cases(data.valid, random_index(data.valid, most, Rng(seed).fork({80})));
  return few;
}

class AutoTraining {
 public:
  AutoTraining(const AutoPlan& plan, Observer& observer)
      : plan_(plan),
        observer_(observer),
        begin_(std::chrono::steady_clock::now()),
        out_(RunFolder::create(plan.out, false, plan.overwrite)) {
    result_.data = plan.data;
    if (!plan.choose.empty() && plan.choose != "likelihood" && plan.choose != "gaps")
      fail_usage("train auto", fmt::format("expected --choose likelihood or gaps, got {}", plan.choose));
  }

  AutoResult run() {
    const std::vector<std::vector<AutoCandidate>> candidates = checked_candidates();
    const std::size_t all = candidates.size();
    for (std::size_t i = 0; i < all && !observer_.stop_requested(); ++i)
      for (const AutoCandidate& candidate : candidates[i])
        if (attempt(candidate, left() / static_cast<double>(all - i))) break;
    result_.interrupted = observer_.stop_requested();
    keep_best();
    return result_;
  }

 private:
  double left() const {
    const std::chrono::duration<double> spent = std::chrono::steady_clock::now() - begin_;
    return std::max(1.0, plan_.budget_seconds - spent.count());
  }

  std::string folder_of(std::size_t number) const {
    return out_.path(fmt::format("tries/{:02}-{}", number + 1, candidates_[number].model));
  }

  // What no model could help is refused here.
  std::vector<std::vector<AutoCandidate>> checked_candidates() {
    const Dataset data = load_dataset(plan_.data);
    for (const std::string& note : data.notes) observer_.message(note);
    if (data.table.empty())
      fail_usage("train auto", fmt::format("expected a table (a CSV file), got {}", plan_.data));
    const bool stated = parse_data_spec(plan_.data).options.contains("valid");
    if (data.valid.rows() == 0 && (stated || data.train.cases() < fewest_cases_to_split))
      fail_usage("train auto", fmt::format("expected rows to choose by in {}: {} rows or more, or valid=0.2",
                                           plan_.data, fewest_cases_to_split));
    few_ = data.train.cases() < few_rows && data.valid.rows() == 0 && !stated;
    if (few_) held_out_ = spec_with(plan_.data, "valid", "0.2");
    by_gaps_ = plan_.choose.empty() ? has_gaps(data.table) : plan_.choose == "gaps";
    return auto_candidates(data.table, data.train.cases());
  }

  TrainingPlan plan_of(const AutoCandidate& candidate, std::string spec) const {
    if (!candidate.numbers.empty() && !parse_data_spec(spec).options.contains("numbers"))
      spec = spec_with(spec, "numbers", candidate.numbers);
    TrainingPlan plan(candidate.model, spec, plan_.seed);
    for (const std::string& setting : candidate.settings) plan.settings.set(setting);
    return plan;
  }

  Dataset load(TrainingPlan& plan) const {
    Observer silent;
    Dataset data = load_for_training(plan, silent);
    if (data.valid.rows() == 0) fail_data(plan.data, "expected rows to choose by, got none");
    return data;
  }

  // As many epochs as the time allows, scores included.
  void fit_length(TrainingPlan& plan, const Dataset& data, double seconds) {
    constexpr double margin = 0.9;
    const Probe probe = probe_settings(plan, data);  // what the model refuses it says here
    if (!probe.scored) fail_usage(plan.settings.model, "has no score on validation rows to choose by");
    TrainingOptions& training = plan.settings.training;
    const double epoch = measure_epoch(plan, data, observer_) + probe.score_seconds;
    const double affordable = std::floor(std::min(margin * seconds / std::max(epoch, 1e-9), 1e7));
    if (affordable >= static_cast<double>(training.epochs)) return;
    training.epochs = std::max<std::int64_t>(1, static_cast<std::int64_t>(affordable));
    training.patience = usual_patience(training);
  }

  void train(AutoTry& now, const AutoCandidate& candidate, double seconds) {
    TrainingPlan plan = plan_of(candidate, held_out_.empty() ? plan_.data : held_out_);
    const Dataset data = load(plan);
    if (model_card(candidate.model).needs_labels && data.classes == 0)
      fail_usage(candidate.model, "needs labels; name their column with labels=");
    fit_length(plan, data, seconds);
    observer_.message(fmt::format("trying {}: up to {} epochs, {}", now.model, plan.settings.training.epochs,
                                  duration_text(seconds)));
    now.status = "failed";
    now.data = plan.data;
    const RunFolder folder = RunFolder::create(folder_of(result_.tries.size() - 1), false, true);
    TrialObserver shown(observer_, now.model, -1);
    const TrainingResult trained = train_into(folder, plan, false, data, shown, seconds, false);
    now.seconds = trained.seconds, now.epochs = trained.epochs;
    // Before the score: a try with a score has all that is kept of it.
    if (by_gaps_) now.gap_error = gap_error(folder.name(), plan.data);
    const ValidationScore score = score_run(folder.name(), with_few_valid(data, plan_.seed), plan_.seed);
    now.score_name = score.name, now.score_kind = score_kind(score.name), now.score = score.value;
    now.status = !trained.interrupted ? "done" : observer_.stop_requested() ? "interrupted" : "out of time";
    trainings_.resize(result_.tries.size());
    trainings_.back() = trained;
  }

  // Of cells hidden from the validation rows; nothing where the run cannot fill them.
  std::optional<double> gap_error(const std::string& folder, const std::string& spec) {
    const OpenRun run = open_run(folder);
    const Dataset data = load_data_for(run, spec);
    if (!quality::no_gaps_because(*run.model, data, data.split("valid")).empty()) return {};
    if (!file_) file_.emplace(quality::read_source(plan_.data));
    const Tensor cells = quality::table_truth(run.learnt.table, file_->name, *file_->cells, file_->rows);
    // Few rows have few cells to tell models apart by: they are hidden anew, some ten times at most.
    constexpr double wanted = 500, most = 10;
    const auto rows = static_cast<double>(data.valid.rows() * std::ssize(data.table.columns));
    Observer silent;
    double error = 0, times = 0;
    do {
      const quality::GapPlan gaps{
          .draws = 20, .steps = 200, .seed = plan_.seed + static_cast<std::uint64_t>(times)};
      error += quality::judge_gaps(*run.model, data, data.valid, cells, gaps, silent).total(true, true).error;
    } while (++times < std::min(most, wanted / (0.2 * rows)));
    if (!std::isfinite(error)) return {};
    return error / times;
  }

  // Whether the model takes the table.
  bool attempt(const AutoCandidate& candidate, double seconds) {
    AutoTry& now = result_.tries.emplace_back();
    candidates_.push_back(candidate);
    now.model = candidate.name();
    try {
      train(now, candidate, seconds);
    } catch (const Error& error) {
      if (!concerns_one_trial(error.kind()) && error.kind() != ErrorKind::data) throw;
      now.reason = first_line(error);
      observer_.message(fmt::format("{} {}: {}", now.model, now.status, now.reason));
    }
    return now.status != "refused";
  }

  void keep_best() {
    const int filler = by_gaps_ ? best_filler(result_.tries) : -1;
    const int best = filler >= 0 ? filler : best_try(result_.tries);
    if (best < 0) {
      if (result_.interrupted)
        throw Error(ErrorKind::interrupted, "train auto", "interrupted; nothing was tried to its end");
      fail_numerical("train auto", "expected a model that takes the table and has a score, got none");
    }
    const auto number = static_cast<std::size_t>(best);
    const AutoTry& winner = result_.tries[number];
    result_.chosen = winner.model, result_.why = reason_for(winner), result_.data = winner.data;
    const AutoCandidate& candidate = candidates_[number];
    TrainingResult trained = *trainings_[number];
    result_.refitted = few_ && !observer_.stop_requested() && is_fitted(folder_of(number));
    if (result_.refitted)
      trained = refit(candidate, winner);
    else
      out_.take_over(RunFolder::open(folder_of(number)));
    nlohmann::ordered_json run = out_.read_run();
    run["auto"] = result_.to_json();
    const Dataset data = load_dataset(result_.data, nullptr, model_card(candidate.model).table);
    if (!result_.refitted) note_baselines(run, *open_run(out_.name()).model, data, plan_.seed, observer_);
    record_end(out_, run, trained, observer_);
  }

  static bool is_fitted(const std::string& folder) { return as<CanFit>(*open_run(folder).model) != nullptr; }

  // Of few rows those that were held out are worth more in the model.
  TrainingResult refit(const AutoCandidate& candidate, const AutoTry& winner) {
    TrainingPlan plan = plan_of(candidate, plan_.data);
    plan.settings.set(fmt::format("training.epochs={}", winner.epochs));
    const Dataset data = load_dataset(plan.data, nullptr, model_card(candidate.model).table);
    result_.data = plan.data;
    observer_.message(fmt::format("{} is fitted anew to all {} rows", winner.model, data.train.cases()));
    TrialObserver shown(observer_, winner.model, -1);
    return train_into(out_, plan, false, data, shown, plan_.budget_seconds, false);
  }

  std::string reason_for(const AutoTry& winner) const {
    if (by_gaps_ && winner.gap_error)
      return fmt::format(
          "it fills hidden cells of the validation rows best, with a mean error of {:.4f}{}",
          *winner.gap_error,
          plan_.choose.empty() ? "; the table has gaps (--choose likelihood for the other score)" : "");
    std::int64_t scored = 0;
    for (const AutoTry& each : result_.tries) scored += each.scored() ? 1 : 0;
    std::string why = fmt::format("{} {:.4f} ({}) is the best validation score of {}", winner.score_name,
                                  winner.score, winner.score_kind, scored);
    for (const AutoTry& each : result_.tries)
      if (each.scored() && each.score > winner.score)
        why += fmt::format("; that of {}, {:.4f}, is an estimate and not clearly better", each.model,
                           each.score);
    return why;
  }

  const AutoPlan& plan_;
  Observer& observer_;
  std::chrono::steady_clock::time_point begin_;
  RunFolder out_;
  AutoResult result_;
  bool few_ = false, by_gaps_ = false;
  std::optional<quality::Source> file_;    // whole, where gaps are judged
  std::string held_out_;                   // the SPEC with rows to choose by, where `plan` leaves that open
  std::vector<AutoCandidate> candidates_;  // of the tries
  std::vector<std::optional<TrainingResult>> trainings_;  // of the tries, where they came to an end
};

}  // namespace

std::string AutoCandidate::name() const {
  std::string text = model;
  for (const std::string& setting : settings) text += " " + setting.substr(setting.find('.') + 1);
  return numbers.empty() ? text : text + " numbers=" + numbers;
}

std::vector<std::vector<AutoCandidate>> auto_candidates(const TableSchema& table, std::int64_t rows) {
  std::vector<std::vector<AutoCandidate>> all;
  const auto mixture = [&](const char* model, int components, const char* numbers,
                           const std::vector<std::string>& more = {}) {
    AutoCandidate candidate{model, {fmt::format("model.components={}", components)}, numbers};
    candidate.settings.insert(candidate.settings.end(), more.begin(), more.end());
    all.push_back({candidate});
  };
  const bool few = rows < few_rows, numbers = numbers_alone(table);
  // Full covariances of few rows want a prior: docs/decisions.md.
  if (numbers)
    for (const int components : rows < 1000 ? std::vector<int>{1, 2, 3, 5} : std::vector<int>{3, 8, 20})
      mixture("gaussian_mixture", components, "gaussian",
              {"model.covariance=full", "training.pseudo_count=3"});
  if (few && !numbers && has_numbers(table))
    for (const int components : {3, 8}) mixture("latent_class", components, "gaussian");
  for (const int components : few ? std::vector<int>{5, 20} : std::vector<int>{30, 100})
    mixture("latent_class", components, "bins");
  all.push_back({{.model = "naive_bayes"}});
  if (!numbers) all.push_back({{.model = "rbm"}});
  all.push_back({{.model = "orderless_nade"}});
  return all;
}

int best_try(const std::vector<AutoTry>& tries) {
  int proven = -1, estimated = -1;
  for (int i = 0; i < static_cast<int>(tries.size()); ++i) {
    const AutoTry& each = tries[static_cast<std::size_t>(i)];
    if (!each.scored()) continue;
    int& best = each.score_kind == "exact" || each.score_kind == "lower_bound" ? proven : estimated;
    if (best < 0 || each.score > tries[static_cast<std::size_t>(best)].score) best = i;
  }
  if (proven < 0 || estimated < 0) return std::max(proven, estimated);
  const double gain =
      tries[static_cast<std::size_t>(estimated)].score - tries[static_cast<std::size_t>(proven)].score;
  return gain >= clear_margin ? estimated : proven;
}

int best_filler(const std::vector<AutoTry>& tries) {
  int best = -1;
  for (int i = 0; i < static_cast<int>(tries.size()); ++i) {
    const AutoTry& each = tries[static_cast<std::size_t>(i)];
    const std::optional<double>& error = each.gap_error;
    if (each.scored() && error && (best < 0 || *error < *tries[static_cast<std::size_t>(best)].gap_error))
      best = i;
  }
  return best;
}

nlohmann::ordered_json AutoResult::to_json() const {
  nlohmann::ordered_json json = {{"chosen", chosen},
                                 {"why", why},
                                 {"data", data},
                                 {"refitted", refitted},
                                 {"tries", nlohmann::ordered_json::array()}};
  for (const AutoTry& each : tries) {
    nlohmann::ordered_json line = {{"model", each.model}, {"status", each.status}};
    if (each.scored()) {
      line["score"] = each.score, line["score_name"] = each.score_name, line["score_kind"] = each.score_kind;
      line["epochs"] = each.epochs, line["seconds"] = each.seconds;
    }
    if (each.gap_error) line["gap_error"] = *each.gap_error;
    if (!each.reason.empty()) line["reason"] = each.reason;
    json["tries"].push_back(line);
  }
  return json;
}

AutoResult train_best_of(const AutoPlan& plan, Observer& observer) {
  return AutoTraining(plan, observer).run();
}

std::vector<std::string> auto_table(const AutoResult& result) {
  std::vector<AutoTry> tries = result.tries;
  std::stable_sort(tries.begin(), tries.end(), [](const AutoTry& a, const AutoTry& b) {
    return a.scored() != b.scored() ? a.scored() : a.scored() && a.score > b.score;
  });
  const bool gaps = best_filler(tries) >= 0;
  const auto error = [&](const AutoTry& each) {
    return !gaps ? "" : each.gap_error ? fmt::format("{:>8.4f}", *each.gap_error) : fmt::format("{:>8}", "");
  };
  std::vector<std::string> lines = {fmt::format("{:<52} {:>12}  {:<12}{} {:>7} {:>10}  {}", "model", "score",
                                                "kind", gaps ? "    gaps" : "", "epochs", "time", "")};
  for (const AutoTry& each : tries)
    lines.push_back(each.scored()
                        ? fmt::format("{:<52} {:>12.4f}  {:<12}{} {:>7} {:>10}  {}", each.model, each.score,
                                      each.score_kind, error(each), each.epochs, duration_text(each.seconds),
                                      each.status)
                        : fmt::format("{:<52} {:>12}  {}: {}", each.model, "", each.status, each.reason));
  lines.push_back(fmt::format("chosen: {}: {}", result.chosen, result.why));
  return lines;
}

}  // namespace deepgen
