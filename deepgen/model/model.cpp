#include "deepgen/model/model.h"

namespace deepgen {

std::vector<Stage> Model::stages() { return {{"all", 1.0, {{"all", parameters(), 1}}}}; }

void Model::initialise(const Rows&, Rng&) {}

void Model::begin_stage(const Turn&, const Rows&, Rng&) {}

void Model::project(const Turn&) {}

bool Model::decays(const std::string&, const Tensor& parameter) const { return parameter.dim() >= 2; }

Metrics Model::diagnose(const Rows&, const Rows&, Rng&) { return {}; }

std::string Model::diverged(const Metrics&) const { return ""; }

Tensor Model::filters() const { return {}; }

void Model::check_data(const Tensor&, const std::string&, std::int64_t) const {}

void Model::check_optimiser(const std::string&, int) const {}

}  // namespace deepgen
