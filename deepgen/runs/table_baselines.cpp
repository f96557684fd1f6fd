#include "deepgen/runs/table_baselines.h"

#include <fmt/format.h>

#include "deepgen/core/error.h"
#include "deepgen/evaluate/baselines.h"
#include "deepgen/evaluate/chow_liu.h"
#include "deepgen/evaluate/row_scores.h"

namespace deepgen {
namespace {

// Numbers as categories, and gaps as cells that nothing is said of.
std::string in_bins(const std::string& spec) {
  return spec_with(spec_with(spec, "numbers", "bins"), "gaps", "ignore");
}

// The encoding follows from the schema that was learnt.
std::string as_learnt_by(const std::string& spec) {
  return spec_with(spec_with(spec, "numbers", ""), "gaps", "");
}

std::vector<Score> fit_and_score(const std::string& trained, const Dataset& data, const std::string& split,
                                 const Rng& rng) {
  const bool same = trained == data.spec && !data.one_matrix;
  if (same && discrete_variables(data.groups)) return table_baselines(data, data, data.split(split), rng);
  const Dataset fitted = load_dataset(in_bins(trained));
  if (same) return table_baselines(fitted, fitted, fitted.split(split), rng);
  Learnt learnt;
  learnt.table = fitted.table;
  learnt.sequences = fitted.train.starts.defined();
  const Dataset scored = load_dataset(as_learnt_by(data.spec), &learnt);
  return table_baselines(fitted, scored, scored.split(split), rng);
}

}  // namespace

std::string spec_with(const std::string& text, const std::string& option, const std::string& value) {
  DataSpec spec = parse_data_spec(text);
  spec.options.erase(option);
  if (!value.empty()) spec.options[option] = value;
  std::string result = spec.name;
  for (const auto& [name, said] : spec.options)
    result += fmt::format("{}{}={}", result.size() == spec.name.size() ? ":" : ",", name, said);
  return result;
}

std::vector<Score> run_baselines(const std::string& trained, const Dataset& data, const std::string& split,
                                 const Rng& rng, Observer& observer) {
  if (data.table.empty()) return {};
  try {
    std::vector<Score> scores = fit_and_score(trained, data, split, rng);
    if (data.one_matrix)
      for (Score& score : scores) score.split = "all";
    return scores;
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::data && error.kind() != ErrorKind::usage) throw;
    observer.message(fmt::format("no baselines beside the scores: {}", error.what()));
    return {};
  }
}

void note_baselines(nlohmann::ordered_json& run, const Model& model, const Dataset& data, std::uint64_t seed,
                    Observer& observer) {
  if (data.valid.rows() == 0 || score_route(model) == ScoreRoute::none || needs_condition(model)) return;
  const std::vector<Score> scores = run_baselines(data.spec, data, "valid", Rng(seed).fork({79}), observer);
  if (scores.empty()) return;
  run["baselines"] = nlohmann::ordered_json::array();
  for (const Score& score : scores) {
    run["baselines"].push_back(score.to_json());
    observer.message(score_line(score));
  }
}

}  // namespace deepgen
