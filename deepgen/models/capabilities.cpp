#include "deepgen/models/capabilities.h"

namespace deepgen {

std::vector<std::string> capability_names(Model& model) {
  std::vector<std::string> names;
  auto add = [&](bool has, const char* name) {
    if (has) names.emplace_back(name);
  };
  add(as<HasFreeEnergy>(model), "HasFreeEnergy");
  add(as<HasLogProb>(model), "HasLogProb");
  add(as<HasBound>(model), "HasBound");
  add(as<IsConditional>(model), "IsConditional");
  add(as<HasConditionalBound>(model), "HasConditionalBound");
  add(as<HasOrders>(model), "HasOrders");
  add(as<CanSample>(model), "CanSample");
  add(as<CanComplete>(model), "CanComplete");
  add(as<CanCompleteGiven>(model), "CanCompleteGiven");
  add(as<CanFit>(model), "CanFit");
  add(as<HasChain>(model), "HasChain");
  add(as<CanAnneal>(model), "CanAnneal");
  add(as<CanEncode>(model), "CanEncode");
  add(as<CanDecode>(model), "CanDecode");
  add(as<CanCodeGiven>(model), "CanCodeGiven");
  add(as<HasPseudoLikelihood>(model), "HasPseudoLikelihood");
  return names;
}

}  // namespace deepgen
