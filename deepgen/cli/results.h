// Recorded results: one JSON file a recipe, written by `deepgen reproduce`, and the page made of them.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace deepgen {

// Every *.json of a folder, by name; a malformed one is a data error. An absent folder holds none.
std::vector<nlohmann::ordered_json> read_results(const std::string& folder);

// docs/results.md: a table of the figure wanted beside the figure measured, and how each was measured.
std::string results_markdown(const std::vector<nlohmann::ordered_json>& results);

// Whether `value` is as good as the published figure or better (greater; of errors and losses less), and the
// bracket within what the recipe allows, in words; whether the estimate itself warns.
std::string verdict(const nlohmann::ordered_json& result);

}  // namespace deepgen
