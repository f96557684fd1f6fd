// What a search tries, and how it spends its time: settings, rounds of halving, the retraining. Torch-free.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "deepgen/runs/training_plan.h"

namespace deepgen {

// One option and the values it may take, as options_to_json writes them.
struct SearchAxis {
  std::string name;  // "model.hidden"
  std::vector<nlohmann::ordered_json> values;
};

struct SearchSpace {
  std::vector<SearchAxis> axes;

  std::uint64_t size() const;              // combinations; at most 2^62, where it stays
  nlohmann::ordered_json to_json() const;  // {"model.hidden": [50, 200], ...}
};

// The lists of the model's entry, or of any model; those of options in `fixed` ("key=value") are left out,
// those in `tries` ("key=v1|v2|v3") take their place or come beside. Unknown options, values out of range,
// empty lists and doubles are usage errors.
SearchSpace search_space(const Settings& base, const std::vector<std::string>& fixed,
                         const std::vector<std::string>& tries);

// min(count, size) different combinations {"model.hidden": 50, ...}, at random; the same for equal seeds, and
// a smaller count gives the first of them.
std::vector<nlohmann::ordered_json> sample_combinations(const SearchSpace& space, std::int64_t count,
                                                        std::uint64_t seed);

// The settings `base` with these values in place of its own.
Settings settings_with(const Settings& base, const nlohmann::ordered_json& combination);

// "hidden=50 rate=0.2".
std::string combination_text(const nlohmann::ordered_json& combination);

// So many trials, each trained until it has done `epochs` in all.
struct HalvingRound {
  std::int64_t trials = 0, epochs = 0;
  bool operator==(const HalvingRound&) const = default;
};

// Rounds of successive halving: epochs double from round to round and end at `epochs`, trials halve (rounded
// up). There are as many as it takes to come down to two trials, or as the epochs can be halved.
std::vector<HalvingRound> halving_rounds(std::int64_t trials, std::int64_t epochs);

// Epochs of the rounds from `first` on, over all trials. `from_scratch`: a trial does not go on where its
// last round ended.
std::int64_t epochs_of_rounds(const std::vector<HalvingRound>& rounds, std::size_t first, bool from_scratch);

// The most thorough rounds that fit into `seconds`: first the epochs are halved, as long as every round
// stays, then the trials. Two trials of one epoch (or the one there is) are left in any case. A trial costs
// `cost.epoch` seconds an epoch and `cost.round` a round beside.
struct TrialCost {
  double epoch = 0, round = 0;
};
std::vector<HalvingRound> fit_halving(std::int64_t trials, std::int64_t epochs, TrialCost cost,
                                      double seconds, bool from_scratch);

// The seconds of a budget that belong to the rounds: what the retraining leaves, half of it at least.
double seconds_for_rounds(double budget, std::int64_t epochs, double epoch_seconds);

// How the winner is trained in the seconds that are left: in full and with a score an epoch for its patience,
// in full without one, or for fewer epochs.
struct Retraining {
  std::int64_t epochs = 1, patience = 0;
  bool operator==(const Retraining&) const = default;
};
Retraining plan_retraining(Retraining wanted, double epoch_seconds, double score_seconds, double seconds);

// What a search is to be, before any data are read.
struct SearchPlan {
  TrainingPlan training;  // of every trial, but for what the space says
  SearchSpace space;
  std::string out;            // folder of the search
  std::int64_t trials = 0;    // combinations to try; 0: as many as the budget allows
  double budget_seconds = 0;  // of all of it; 0: no limit
  bool all_rows = false;      // the best is trained on the validation rows too
  bool resume = false;        // go on where an earlier sitting ended
};

}  // namespace deepgen
