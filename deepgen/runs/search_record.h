// search.json: everything a search was asked, has planned and has found, so that it can be read and gone on
// with. Torch-free.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "deepgen/runs/search_space.h"

namespace deepgen {

// What a trial had reached at the end of a round; a greater score is better.
struct TrialRound {
  std::int64_t epochs = 0;
  double score = 0;
};

struct SearchTrial {
  std::int64_t number = 0;  // from 1
  nlohmann::ordered_json settings;
  // waiting, training (a kill leaves this), done, interrupted, out of time, failed
  std::string status = "waiting";
  std::vector<TrialRound> rounds;
  std::string score_name, score_kind;
  double seconds = 0;         // of training
  double probed_seconds = 0;  // of an epoch, measured beforehand; 0: not measured
  std::string error;          // of a failed one

  std::string folder() const;   // "trials/001"
  std::int64_t epochs() const;  // at the end of its last round
  bool scored() const { return !rounds.empty() && status != "failed"; }
};

struct SearchRecord {
  nlohmann::ordered_json asked;  // model, data, seed, ...: what a search that goes on must not change
  nlohmann::ordered_json facts;  // commit, rows, ...: for the reader
  std::string status = "searching";
  double budget_seconds = 0, seconds = 0;  // seconds: over all sittings
  std::vector<HalvingRound> plan;
  std::vector<std::vector<std::int64_t>> entrants;  // of every round begun: numbers of trials, best first
  std::vector<SearchTrial> trials;
  nlohmann::ordered_json best;  // the retraining: empty until it is planned

  SearchTrial& trial(std::int64_t number) { return trials.at(static_cast<std::size_t>(number - 1)); }
  const SearchTrial& trial(std::int64_t number) const {
    return trials.at(static_cast<std::size_t>(number - 1));
  }
};

nlohmann::ordered_json to_json(const SearchRecord& record);
// Throws a data error that names `path` for a file that is no record of a search.
SearchRecord read_search(const std::string& path);
// Whole or not at all.
void write_search(const std::string& path, const SearchRecord& record);

// What differs between two `asked`, in words: "space.training.rate was [0.2], is [0.1]".
std::vector<std::string> search_differences(const nlohmann::ordered_json& was,
                                            const nlohmann::ordered_json& is);

// Trials that have a score: the longest trained first, among equals the better score, then the lower number.
// Only scores after the same number of epochs are compared, and the last round decides.
std::vector<std::int64_t> ranked_trials(const SearchRecord& record);

// The at most `count` best of round `round` (from 0); failed trials and those that did not finish it are out.
std::vector<std::int64_t> promoted(const SearchRecord& record, std::size_t round, std::int64_t count);

// What the name of a validation score says of its kind: exact, estimate, lower_bound or proxy.
std::string score_kind(const std::string& name);

// Seconds as a clock shows them: "4:10", "1:02:05".
std::string clock_text(double seconds);

// The table of trials, one line each, best first; failed ones at the end with their error.
std::vector<std::string> search_table(const SearchRecord& record);

// report.html of the folder of a search: trials by rank, with links to their own reports.
std::string search_html(const SearchRecord& record);

}  // namespace deepgen
