#include "deepgen/models/model.h"

namespace deepgen {

std::vector<Stage> Model::stages() { return {{"all", 1.0, {{"all", parameters(), 1}}}}; }

void Model::initialise(const Batch&, Rng&) {}

bool Model::decays(const std::string&, const Tensor& parameter) const { return parameter.dim() >= 2; }

Metrics Model::diagnose(const Batch&, const Batch&, Rng&) { return {}; }

std::string Model::lost(const Metrics&) { return ""; }

void Model::check_data(const Tensor&, const std::string&, std::int64_t) const {}

void Model::check_optimiser(const std::string&) const {}

}  // namespace deepgen
