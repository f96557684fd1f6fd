// What a learning curve says about a training, in words. Torch-free.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

namespace deepgen {

// Of the validation rows, in the units of the model's own score: the columns one by one, and a tree of pairs.
struct Baselines {
  std::optional<double> independent, chow_liu;
};

// One or two plain sentences for each problem that the lines of a metrics.jsonl show, with its numbers and
// what to try; none when nothing is wrong. Looked for are: rollbacks, nothing learnt, overfitting, a rate
// that is too high, dead and saturated units, chains that do not mix, training that ended too early, and a
// validation score below the baselines (docs/training.md). Lines may lack any metric; what is no number is passed over.
std::vector<std::string> findings(const std::vector<nlohmann::ordered_json>& curve,
                                  const Baselines& baselines = {});

}  // namespace deepgen
