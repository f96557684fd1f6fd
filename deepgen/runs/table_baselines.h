// What the model of a table must beat: its columns one by one and a tree of pairs (evaluate/baselines.h), of
// the rows that a run learnt from.
#pragma once

#include <string>
#include <vector>

#include "deepgen/core/observer.h"
#include "deepgen/data/dataset.h"
#include "deepgen/evaluate/score.h"
#include "deepgen/model/model.h"

namespace deepgen {

// Fitted to the training rows of the SPEC `trained`, of the part `split` of `data`, in the units of the file
// as the model's own. Both are read again with numbers in bins where they are encoded otherwise. Nothing for
// data that are no table, and, which the observer is told, where the training rows cannot be read.
std::vector<Score> run_baselines(const std::string& trained, const Dataset& data, const std::string& split,
                                 const Rng& rng, Observer& observer);

// Those of the validation rows, which are written into `run` (run.json), for what is found at the end.
void note_baselines(nlohmann::ordered_json& run, const Model& model, const Dataset& data, std::uint64_t seed,
                    Observer& observer);

// The same SPEC with an option in place of what it says of it; an empty value takes the option out.
std::string spec_with(const std::string& spec, const std::string& option, const std::string& value);

}  // namespace deepgen
