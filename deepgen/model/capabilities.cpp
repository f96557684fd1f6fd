#include "deepgen/model/capabilities.h"

#include "deepgen/model/extra_scores.h"
#include "deepgen/model/top_machine.h"

namespace deepgen {

std::int64_t needed_classes(const Model& model) {
  const auto* conditional = as<IsConditional>(model);
  return conditional && !conditional->has_label_distribution() ? conditional->condition_classes() : 0;
}

std::vector<std::string> capability_names(const Model& model) {
  std::vector<std::string> names;
  auto add = [&](bool has, const char* name) {
    if (has) names.emplace_back(name);
  };
  add(as<HasGradients>(model), "HasGradients");
  add(as<CanFit>(model), "CanFit");
  add(as<HasLogProb>(model), "HasLogProb");
  add(as<HasFreeEnergy>(model), "HasFreeEnergy");
  add(as<HasLogPartition>(model), "HasLogPartition");
  add(as<HasBound>(model), "HasBound");
  add(as<HasOrders>(model), "HasOrders");
  add(as<HasPseudoLikelihood>(model), "HasPseudoLikelihood");
  add(as<IsConditional>(model), "IsConditional");
  add(as<CanSampleGiven>(model), "CanSampleGiven");
  add(as<CanClassify>(model), "CanClassify");
  add(as<CanSample>(model), "CanSample");
  add(as<CanComplete>(model), "CanComplete");
  add(as<HasChain>(model), "HasChain");
  add(as<CanClamp>(model), "CanClamp");
  add(as<CanContinue>(model), "CanContinue");
  add(as<CanAnneal>(model), "CanAnneal");
  add(as<CanEncode>(model), "CanEncode");
  add(as<CanDecode>(model), "CanDecode");
  return names;
}

std::vector<std::string> abilities(const Model& model) {
  std::vector<std::string> words;
  const auto* conditional = as<IsConditional>(model);
  const std::string given =
      conditional && !conditional->has_label_distribution() ? " given " + conditional->condition() : "";
  if (as<CanSample>(model))
    words.emplace_back("sample");
  else if (as<HasChain>(machine_of(model)))
    words.emplace_back("sample by a chain");
  if (const auto* sequences = as<CanContinue>(model))
    words.emplace_back(sequences->needed_rows() > 0 ? "continue sequences" : "draw and continue sequences");
  if (as<CanSampleGiven>(model)) words.emplace_back("sample given a label");
  if (as<HasLogProb>(model))
    words.push_back("score exactly" + given);
  else if (as<HasFreeEnergy>(model))
    words.emplace_back("score exactly when small, else by annealing");
  else if (const auto* bound = as<HasBound>(model))
    words.push_back((bound->bound_kind().owes_log_partition ? "score by a bound less an annealed log Z"
                                                            : "score by a bound") +
                    given);
  else if (dynamic_cast<const HasExtraScores*>(&model))
    words.push_back("score exactly when small, else by annealing" + given);
  else if (as<CanSample>(model) || as<CanSampleGiven>(model))
    words.emplace_back("be judged by its samples");
  if (as<CanComplete>(model))
    words.push_back("complete" + given);
  else if (as<CanClamp>(model))
    words.emplace_back("complete by a chain");
  if (as<CanClassify>(model)) words.emplace_back("classify");
  if (as<CanEncode>(model)) words.push_back("encode" + given);
  if (as<CanEncode>(model) && as<CanDecode>(model)) words.push_back("reconstruct" + given);
  return words;
}

}  // namespace deepgen
