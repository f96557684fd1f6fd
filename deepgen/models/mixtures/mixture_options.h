// Options of the mixtures (bernoulli_mixture.h, gaussian_mixture.h, latent_class.h) and of naive Bayes.
// Torch-free.
#pragma once

#include "deepgen/model/model_card.h"

namespace deepgen {

struct MixtureOptions : Options {
  std::int64_t components = 10;

  void visit(OptionVisitor& v) override {
    v.field({"components", "components of the mixture", 1, 100000}, components);
  }
};

struct GaussianMixtureOptions : MixtureOptions {
  std::string covariance = "diagonal";

  void visit(OptionVisitor& v) override {
    MixtureOptions::visit(v);
    v.field({"covariance",
             "of each component: diagonal, or full (memory and time grow with its square)",
             0,
             0,
             {"diagonal", "full"}},
            covariance);
  }
};

// How a mixture is fitted.
struct FitOptions : Options {
  double tolerance = 1e-4;
  double pseudo_count = 0.1;

  void visit(OptionVisitor& v) override {
    v.field({"tolerance", "stop when a pass over the rows gains no more than this, in nats a row", 0, 1e3},
            tolerance);
    v.field({"pseudo_count",
             "cases of each outcome (of Gaussian columns: rows with the spread of the whole data) counted "
             "beside the data, for components and their weights: a prior; 0: none",
             0, 1e6},
            pseudo_count);
  }
};

struct MixtureLearning : FitOptions {
  std::int64_t restarts = 1;

  void visit(OptionVisitor& v) override {
    FitOptions::visit(v);
    v.field({"restarts", "beginnings, the best of which after some passes over a part of the rows is used", 1,
             1000},
            restarts);
  }
};

struct GaussianMixtureLearning : MixtureLearning {
  double smallest_deviation = 0.01;

  void visit(OptionVisitor& v) override {
    MixtureLearning::visit(v);
    v.field({"smallest_deviation",
             "floor of the standard deviations, as a share of each column's own deviation", 1e-4, 1},
            smallest_deviation);
  }
};

struct NaiveBayesLearning : FitOptions {
  double smallest_deviation = 0.01;

  void visit(OptionVisitor& v) override {
    FitOptions::visit(v);
    v.field({"smallest_deviation",
             "floor of the standard deviations, as a share of each column's own deviation", 1e-4, 1},
            smallest_deviation);
  }
};

class BernoulliMixture;

struct BernoulliMixtureCard {
  using Model = BernoulliMixture;
  using ModelOptions = MixtureOptions;
  using LearningOptions = MixtureLearning;
  static ModelCard card() {
    return {.name = "bernoulli_mixture",
            .title = "Mixture of products of Bernoulli variables, fitted by EM",
            .source = "Dempster, Laird, Rubin 1977; Salakhutdinov and Murray 2008; Bishop 2006",
            .family = "mixtures",
            .training = {},
            .takes = {ColumnKind::binary},
            .recipe = "mob-10",
            .small_cases = {{.name = "", .settings = {"model.components=4"}}}};
  }
};

class GaussianMixture;

struct GaussianMixtureCard {
  using Model = GaussianMixture;
  using ModelOptions = GaussianMixtureOptions;
  using LearningOptions = GaussianMixtureLearning;
  static ModelCard card() {
    return {.name = "gaussian_mixture",
            .title = "Mixture of Gaussians with diagonal or full covariances, fitted by EM",
            .source = "Dempster, Laird, Rubin 1977; Ghahramani and Jordan 1994; Bishop 2006",
            .family = "mixtures",
            .training = {},
            .takes = {ColumnKind::gaussian, ColumnKind::mean_field},
            .recipe = "gaussian-mixture-wine",
            .small_cases = {{.name = "", .settings = {"model.components=4"}, .values = ValueKind::real},
                            {.name = "full",
                             .settings = {"model.components=4", "model.covariance=full"},
                             .values = ValueKind::real}}};
  }
};

// A table has columns enough for more classes than ten.
struct LatentClassOptions : MixtureOptions {
  LatentClassOptions() { components = 30; }
};

class LatentClass;

struct LatentClassCard {
  using Model = LatentClass;
  using ModelOptions = LatentClassOptions;
  using LearningOptions = GaussianMixtureLearning;
  static ModelCard card() {
    TrainingOptions training;
    training.epochs = 200, training.batch = 1000;  // which ends by training.tolerance; rows at a time
    const std::string few = "model.components=4";
    const std::vector<ColumnGroup> table = {{ColumnKind::softmax, 0, 3},
                                            {ColumnKind::binary, 3, 2},
                                            {ColumnKind::gaussian, 5, 1},
                                            {ColumnKind::count, 6, 1}};
    const std::vector<ColumnGroup> categories = {{ColumnKind::softmax, 0, 3}, {ColumnKind::softmax, 3, 4}};
    return {.name = "latent_class",
            .title = "Latent classes: mixture of products of categories, bits, counts and Gaussians, by EM",
            .source = "Lazarsfeld and Henry 1968; McLachlan and Peel 2000; Bishop 2006",
            .family = "mixtures",
            .training = training,
            .takes = {ColumnKind::binary, ColumnKind::softmax, ColumnKind::count, ColumnKind::gaussian,
                      ColumnKind::mean_field},
            .table = {.bins = true, .marks = true},
            .recipe = "latent-class",
            .small_cases = {
                {.name = "", .settings = {few}},
                {.name = "table", .settings = {few}, .values = ValueKind::mixed, .groups = table},
                {.name = "categories", .settings = {few}, .values = ValueKind::mixed, .groups = categories}}};
  }
};

class NaiveBayes;

struct NaiveBayesCard {
  using Model = NaiveBayes;
  using ModelOptions = NoOptions;
  using LearningOptions = NaiveBayesLearning;
  static ModelCard card() {
    return {.name = "naive_bayes",
            .title = "Naive Bayes: columns independent within a class, from rows with labels on all or some",
            .source = "Duda and Hart 1973; Nigam, McCallum, Thrun, Mitchell 2000; Bishop 2006",
            .family = "mixtures",
            .training = {},
            .takes = {ColumnKind::binary, ColumnKind::softmax, ColumnKind::count, ColumnKind::gaussian,
                      ColumnKind::mean_field},
            .needs_labels = true,
            .recipe = "naive-bayes",
            .small_cases = {{.name = "", .settings = {}},
                            {.name = "mixed",
                             .settings = {},
                             .values = ValueKind::mixed,
                             .groups = {{ColumnKind::binary, 0, 3},
                                        {ColumnKind::gaussian, 3, 2},
                                        {ColumnKind::softmax, 5, 3}}}}};
  }
};

}  // namespace deepgen
