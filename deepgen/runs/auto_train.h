// `train auto`: a few suitable models of one table, each for a share of the time, and the best of them kept
// as an ordinary run.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "deepgen/core/observer.h"
#include "deepgen/data/files/table.h"

namespace deepgen {

struct AutoPlan {
  std::string data, out;  // SPEC of a table; folder of the run
  std::uint64_t seed = 1;
  double budget_seconds = 300;  // for all of them
  // "likelihood", "gaps" (how well hidden cells of the validation rows are filled), or "": gaps where the table
  // has any
  std::string choose = {};
  bool overwrite = false;
};

// A model with settings ("model.components=30") and, where it matters, how the table's numbers are read.
struct AutoCandidate {
  std::string model;
  std::vector<std::string> settings = {};
  std::string numbers = {};  // "bins", "gaussian" or ""

  std::string name() const;  // "latent_class components=30 numbers=bins"
};

// What is worth trying on such a table, in turn; of the candidates in a row the first that takes the table.
std::vector<std::vector<AutoCandidate>> auto_candidates(const TableSchema& table, std::int64_t rows);

struct AutoTry {
  std::string model;  // AutoCandidate::name
  // done, out of time, interrupted, failed, refused (the model does not take the table)
  std::string status = "refused";
  std::string score_name, score_kind;  // "" where there is no score
  double score = 0;                    // a row of the validation part, nats in the units of the file
  // Mean error of cells hidden from the validation rows: numbers |fill - truth| / range, categories 0 or 1.
  std::optional<double> gap_error;
  double seconds = 0;  // of training
  std::int64_t epochs = 0;
  std::string reason;  // why it was refused or failed
  std::string data;    // SPEC it was trained on

  bool scored() const { return !score_name.empty(); }
};

struct AutoResult {
  std::vector<AutoTry> tries;
  std::string chosen, why;
  std::string data;  // SPEC with the rows that are held out
  bool interrupted = false;
  bool refitted = false;  // to the rows that were held out too: few rows, and a model fitted in passes
  nlohmann::ordered_json to_json() const;
};

// The try to keep, by number: the best score. An estimate wins over scores that are exact or bounds only where
// it is better by `clear_margin` nats a row. -1: none has a score.
inline constexpr double clear_margin = 0.5;
int best_try(const std::vector<AutoTry>& tries);
// The one that fills hidden cells best. -1: none was asked to.
int best_filler(const std::vector<AutoTry>& tries);

// Trains, chooses on the validation rows, and keeps the best in plan.out, whose run.json tells of all under
// "auto"; the others stay in plan.out/tries. Of few rows a mixture that wins is fitted anew to all of them. When the observer asks for a stop, the best so far is kept.
// Throws a usage error for data that are no table or leave no rows to choose by, and an error where no model
// has a score.
AutoResult train_best_of(const AutoPlan& plan, Observer& observer);

// The tries, one line each, best first, and what was chosen and why.
std::vector<std::string> auto_table(const AutoResult& result);

}  // namespace deepgen
