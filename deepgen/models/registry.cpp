#include "deepgen/models/registry.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>

#include "deepgen/core/error.h"
#include "deepgen/models/bernoulli_mixture.h"
#include "deepgen/models/cvae.h"
#include "deepgen/models/gaussian_mixture.h"
#include "deepgen/models/naive_bayes.h"
#include "deepgen/models/rbm.h"
#include "deepgen/models/structured_vae.h"
#include "deepgen/models/vae.h"
#include "deepgen/parts/regions.h"

namespace deepgen {
namespace {

using Factory = std::shared_ptr<Model> (*)(const nlohmann::ordered_json& options,
                                           const nlohmann::ordered_json& learning, const DataShape& data);

template <class ModelOptions, class Learning, class Make>
std::shared_ptr<Model> build(const nlohmann::ordered_json& options, const nlohmann::ordered_json& learning,
                             Make make) {
  ModelOptions model_options;
  Learning learning_options;
  set_options(model_options, "model", options);
  set_options(learning_options, "training", learning);
  return make(model_options, learning_options);
}

std::vector<UnitGroup> unit_groups(const std::vector<ColumnGroup>& groups) {
  std::vector<UnitGroup> units;
  for (const ColumnGroup& group : groups)
    units.push_back({unit_kind(group.kind, "data"), group.first, group.size});
  return units;
}

// A table of mixed kinds has columns that some densities do not fit.
void refuse_groups(const std::string& model, const std::vector<ColumnGroup>& groups,
                   const std::vector<std::string>& kinds) {
  for (const ColumnGroup& group : groups)
    if (std::find(kinds.begin(), kinds.end(), group.kind) == kinds.end())
      fail_data(model, fmt::format("expected {} columns, got {} columns from column {} of the encoded table",
                                   fmt::join(kinds, " or "), group.kind, group.first));
}

std::shared_ptr<Likelihood> case_likelihood(const std::string& model, const LatentOptions& options,
                                            const DataShape& data) {
  return likelihood_for(model, options.decoder, data.values, data.columns, data.groups,
                        options.smallest_noise);
}

// One line a model.
const std::map<std::string, Factory>& factories() {
  static const std::map<std::string, Factory> all = {
      {"rbm",
       [](const nlohmann::ordered_json& options, const nlohmann::ordered_json& learning,
          const DataShape& data) {
         return build<RbmOptions, RbmLearning>(
             options, learning, [&](const RbmOptions& o, const RbmLearning& l) {
               return std::make_shared<Rbm>(
                   o, l, visible_layer_of(o, data.columns, data.values, unit_groups(data.groups)));
             });
       }},
      {"bernoulli_mixture",
       [](const nlohmann::ordered_json& options, const nlohmann::ordered_json& learning,
          const DataShape& data) {
         refuse_groups("bernoulli_mixture", data.groups, {"binary"});
         return build<MixtureOptions, MixtureLearning>(
             options, learning, [&](const MixtureOptions& o, const MixtureLearning& l) {
               return std::make_shared<BernoulliMixture>(o, l, data.columns);
             });
       }},
      {"gaussian_mixture",
       [](const nlohmann::ordered_json& options, const nlohmann::ordered_json& learning,
          const DataShape& data) {
         refuse_groups("gaussian_mixture", data.groups, {"gaussian", "mean_field"});
         return build<GaussianMixtureOptions, GaussianMixtureLearning>(
             options, learning, [&](const GaussianMixtureOptions& o, const GaussianMixtureLearning& l) {
               return std::make_shared<GaussianMixture>(o, l, data.columns);
             });
       }},
      {"naive_bayes",
       [](const nlohmann::ordered_json& options, const nlohmann::ordered_json& learning,
          const DataShape& data) {
         return build<NoOptions, NaiveBayesLearning>(
             options, learning, [&](const NoOptions& o, const NaiveBayesLearning& l) {
               return std::make_shared<NaiveBayes>(o, l, data.columns, data.classes, data.values,
                                                   data.groups);
             });
       }},
      {"vae",
       [](const nlohmann::ordered_json& options, const nlohmann::ordered_json& learning,
          const DataShape& data) {
         return build<VaeOptions, VaeLearning>(
             options, learning, [&](const VaeOptions& o, const VaeLearning& l) {
               return std::make_shared<Vae>(o, l, case_likelihood("vae", o, data), data.shape);
             });
       }},
      {"cvae",
       [](const nlohmann::ordered_json& options, const nlohmann::ordered_json& learning,
          const DataShape& data) {
         return build<CvaeOptions, VaeLearning>(
             options, learning, [&](const CvaeOptions& o, const VaeLearning& l) {
               return std::make_shared<Cvae>(o, l, case_likelihood("cvae", o, data), data.classes);
             });
       }},
      {"structured_vae",
       [](const nlohmann::ordered_json& options, const nlohmann::ordered_json& learning,
          const DataShape& data) {
         refuse_groups("structured_vae", data.groups, {});
         return build<StructuredVaeOptions, VaeLearning>(
             options, learning, [&](const StructuredVaeOptions& o, const VaeLearning& l) {
               const Tensor given = region_mask("model.given", o.given, data.shape, data.columns);
               DataShape rest = data;
               rest.columns = given.logical_not().sum().item<std::int64_t>();
               return std::make_shared<StructuredVae>(o, l, case_likelihood("structured_vae", o, data),
                                                      case_likelihood("structured_vae", o, rest), given);
             });
       }},
  };
  return all;
}

}  // namespace

const ModelCard& model_card(const std::string& name) {
  std::vector<std::string> names;
  for (const ModelCard& card : model_catalog()) {
    if (card.name == name) return card;
    names.push_back(card.name);
  }
  fail_usage("model", unknown_name("model", name, names));
}

std::shared_ptr<Model> make_model(const std::string& name, const nlohmann::ordered_json& options,
                                  const nlohmann::ordered_json& learning, const DataShape& data) {
  return factories().at(model_card(name).name)(options, learning, data);
}

}  // namespace deepgen
