// The inside of a search. For search.cpp and search_rounds.cpp alone.
#pragma once

#include <chrono>
#include <exception>
#include <string>
#include <utility>

#include "deepgen/core/error.h"
#include "deepgen/data/dataset.h"
#include "deepgen/runs/search_record.h"
#include "deepgen/runs/search_space.h"
#include "deepgen/train/trainer.h"

namespace deepgen {

class SearchEngine {
 public:
  SearchEngine(SearchPlan plan, Observer& observer)
      : plan_(std::move(plan)), observer_(observer), begin_(std::chrono::steady_clock::now()) {}

  SearchRecord run();

 private:
  std::string path(const std::string& name) const;
  double here() const;  // seconds of this sitting
  double elapsed() const { return seconds_before_ + here(); }
  double left() const;  // of the budget
  std::int64_t full_epochs() const { return plan_.training.settings.training.epochs; }

  // search.cpp: from the plan to the first round, and what is written.
  nlohmann::ordered_json asked() const;
  bool find_earlier();
  void load_data();
  void begin_record();
  void probe_trials();
  void plan_rounds(double round_seconds);
  void prepare();
  void save();
  [[noreturn]] void stop();

  // search_rounds.cpp: trials, rounds, and the best trained anew.
  double left_for_rounds() const;
  double estimate_left(std::size_t round) const;
  TrainingPlan plan_of(const SearchTrial& trial, std::int64_t epochs, std::int64_t patience) const;
  void announce(const SearchTrial& trial, std::size_t round, double left) const;
  TrainingResult train_round(const SearchTrial& trial, std::size_t round);
  void score_round(SearchTrial& trial, std::size_t round);
  void train_trial(SearchTrial& trial, std::size_t round);
  bool run_round(std::size_t round);
  void run_rounds();
  [[noreturn]] void fail_without_winner();
  void plan_best();
  void train_best();
  void retrain();

  SearchPlan plan_;
  Observer& observer_;
  std::chrono::steady_clock::time_point begin_;
  double seconds_before_ = 0;  // of earlier sittings
  Dataset data_;
  SearchRecord record_;
  double start_seconds_ = 0, score_seconds_ = 0;  // of making a trial's model, of one validation score
  bool staged_ = false;
};

// Settings that cannot be trained, or not together, end their trial and not the search.
inline bool concerns_one_trial(ErrorKind kind) {
  return kind == ErrorKind::numerical || kind == ErrorKind::usage;
}

inline std::string first_line(const std::exception& error) {
  const std::string what = error.what();
  return what.substr(0, what.find('\n'));
}

inline constexpr double no_time_limit = 1e9;  // seconds

}  // namespace deepgen
