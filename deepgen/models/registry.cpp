#include "deepgen/models/registry.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <functional>
#include <map>

#include "deepgen/core/error.h"
#include "deepgen/models/bernoulli_mixture.h"
#include "deepgen/models/conditional_dcgan.h"
#include "deepgen/models/conditional_pixelcnn.h"
#include "deepgen/models/cvae.h"
#include "deepgen/models/fvbn.h"
#include "deepgen/models/gan.h"
#include "deepgen/models/gaussian_mixture.h"
#include "deepgen/models/made.h"
#include "deepgen/models/nade.h"
#include "deepgen/models/naive_bayes.h"
#include "deepgen/models/orderless_nade.h"
#include "deepgen/models/pixelcnn.h"
#include "deepgen/models/rbm.h"
#include "deepgen/models/rnade.h"
#include "deepgen/models/structured_vae.h"
#include "deepgen/models/vae.h"
#include "deepgen/parts/regions.h"

namespace deepgen {
namespace {

using Json = nlohmann::ordered_json;
using Factory =
    std::function<std::shared_ptr<Model>(const Json& options, const Json& learning, const DataShape&)>;
using Kinds = std::vector<std::string>;

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

// "binary", "grey" or "real", of a table too; one of several kinds is refused.
std::string values_of(const std::string& model, const DataShape& data) {
  if (data.groups.empty()) return data.values;
  const bool binary = data.values == "binary";
  refuse_groups(
      model, data.groups,
      binary ? std::vector<std::string>{"binary"} : std::vector<std::string>{"gaussian", "mean_field"});
  return binary ? "binary" : "real";
}

std::shared_ptr<Likelihood> case_likelihood(const std::string& model, const LatentOptions& options,
                                            const DataShape& data) {
  return likelihood_for(model, options.decoder, data.values, data.columns, data.groups,
                        options.smallest_noise);
}

std::shared_ptr<Model> structured_vae(const StructuredVaeOptions& options,
                                      const StructuredVaeLearning& learning, const DataShape& data) {
  const std::string name = "structured_vae";
  refuse_groups(name, data.groups, {});
  const Tensor given = region_mask("model.given", options.given, data.shape, data.columns);
  DataShape rest = data;
  rest.columns = given.logical_not().sum().item<std::int64_t>();
  return std::make_shared<StructuredVae>(options, learning, case_likelihood(name, options, data),
                                         case_likelihood(name, options, rest), given);
}

// An entry: the model's name, the kinds of columns it takes of a table of mixed kinds ({}: it judges itself),
// and how it is made from its options, its learning options and the shape of the data.
template <class ModelOptions, class Learning, class Make>
std::pair<const std::string, Factory> entry(const std::string& name, const Kinds& kinds, Make make) {
  return {name,
          [=](const Json& options, const Json& learning, const DataShape& data) -> std::shared_ptr<Model> {
            if (!kinds.empty()) refuse_groups(name, data.groups, kinds);
            ModelOptions model_options;
            Learning learning_options;
            set_options(model_options, "model", options);
            set_options(learning_options, "training", learning);
            return make(model_options, learning_options, data);
          }};
}

const Kinds any = {}, bits = {"binary"}, reals = {"gaussian", "mean_field"};

const std::map<std::string, Factory>& factories() {
  using D = DataShape;
  static const std::map<std::string, Factory> all = {
      entry<RbmOptions, RbmLearning>("rbm", any,
                                     [](const auto& o, const auto& l, const D& d) {
                                       return std::make_shared<Rbm>(
                                           o, l,
                                           visible_layer_of(o, d.columns, d.values, unit_groups(d.groups)));
                                     }),
      entry<MixtureOptions, MixtureLearning>("bernoulli_mixture", bits,
                                             [](const auto& o, const auto& l, const D& d) {
                                               return std::make_shared<BernoulliMixture>(o, l, d.columns);
                                             }),
      entry<GaussianMixtureOptions, GaussianMixtureLearning>("gaussian_mixture", reals,
                                                             [](const auto& o, const auto& l, const D& d) {
                                                               return std::make_shared<GaussianMixture>(
                                                                   o, l, d.columns);
                                                             }),
      entry<NoOptions, NaiveBayesLearning>("naive_bayes", any,
                                           [](const auto& o, const auto& l, const D& d) {
                                             return std::make_shared<NaiveBayes>(o, l, d.columns, d.classes,
                                                                                 d.values, d.groups);
                                           }),
      entry<FvbnOptions, NoOptions>(
          "fvbn", bits,
          [](const auto& o, const auto&, const D& d) { return std::make_shared<Fvbn>(o, d.columns); }),
      entry<NadeOptions, NoOptions>(
          "nade", bits,
          [](const auto& o, const auto&, const D& d) { return std::make_shared<Nade>(o, d.columns); }),
      entry<MadeOptions, MadeLearning>(
          "made", bits,
          [](const auto& o, const auto& l, const D& d) { return std::make_shared<Made>(o, l, d.columns); }),
      entry<OrderlessNadeOptions, OrderlessNadeLearning>("orderless_nade", bits,
                                                         [](const auto& o, const auto& l, const D& d) {
                                                           return std::make_shared<OrderlessNade>(o, l,
                                                                                                  d.columns);
                                                         }),
      entry<RnadeOptions, NoOptions>(
          "rnade", reals,
          [](const auto& o, const auto&, const D& d) { return std::make_shared<Rnade>(o, d.columns); }),
      entry<PixelCnnOptions, PixelCnnLearning>("pixelcnn", bits,
                                               [](const auto& o, const auto& l, const D& d) {
                                                 return std::make_shared<PixelCnn>(o, l, d.shape, d.values);
                                               }),
      entry<PixelCnnOptions, PixelCnnLearning>("conditional_pixelcnn", bits,
                                               [](const auto& o, const auto& l, const D& d) {
                                                 return std::make_shared<ConditionalPixelCnn>(
                                                     o, l, d.shape, d.values, d.classes);
                                               }),
      entry<VaeOptions, VaeLearning>("vae", any,
                                     [](const auto& o, const auto& l, const D& d) {
                                       return std::make_shared<Vae>(o, l, case_likelihood("vae", o, d),
                                                                    d.shape);
                                     }),
      entry<CvaeOptions, VaeLearning>("cvae", any,
                                      [](const auto& o, const auto& l, const D& d) {
                                        return std::make_shared<Cvae>(o, l, case_likelihood("cvae", o, d),
                                                                      d.classes);
                                      }),
      entry<StructuredVaeOptions, StructuredVaeLearning>(
          "structured_vae", any,
          [](const auto& o, const auto& l, const D& d) { return structured_vae(o, l, d); }),
      entry<GanOptions, GanLearning>("gan", any,
                                     [](const auto& o, const auto& l, const D& d) {
                                       return std::make_shared<Gan>(o, l, d.columns, values_of("gan", d));
                                     }),
      entry<ConditionalDcganOptions, ConditionalDcganLearning>("conditional_dcgan", any,
                                                               [](const auto& o, const auto& l, const D& d) {
                                                                 return std::make_shared<ConditionalDcgan>(
                                                                     o, l, d.shape, d.classes, d.values);
                                                               }),
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
