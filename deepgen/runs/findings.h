// What a learning curve says about a training, in words. Torch-free.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace deepgen {

// One or two plain sentences for each problem that the lines of a metrics.jsonl show, with its numbers and
// what to try; none when nothing is wrong. Looked for are: rollbacks, nothing learnt, overfitting, a rate
// that is too high, dead and saturated units, chains that do not mix, and training that ended too early
// (docs/training.md). Lines may lack any metric; what is no number is passed over.
std::vector<std::string> findings(const std::vector<nlohmann::ordered_json>& curve);

}  // namespace deepgen
