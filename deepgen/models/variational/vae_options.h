// Options of the variational autoencoders (vae.h, cvae.h, structured_vae.h). Torch-free, so that usage errors
// answer at once.
#pragma once

#include "deepgen/core/error.h"
#include "deepgen/model/model_card.h"
#include "deepgen/parts/nets/sizes.h"

namespace deepgen {

// The networks around the latent units.
struct LatentOptions : Options {
  std::int64_t latent = 50;
  std::string hidden = "200,200";
  std::string activation = "tanh";
  double smallest_deviation = 0.01;
  std::string covariance = "diagonal";
  std::string decoder = "auto";
  std::int64_t group = 2;
  double smallest_noise = 0.03;

  void check() const override { parse_sizes("model.hidden", hidden); }
  void visit(OptionVisitor& v) override {
    v.field({"latent", "latent units", 1, 1e5}, latent);
    v.field(
        {"hidden",
         "hidden layers of the encoder, from the data on; the decoder has the same in reverse: sizes with "
         "commas between them"},
        hidden);
    v.field({"activation",
             "of the hidden layers; gated: each unit times a sigmoid of its own",
             0,
             0,
             {"tanh", "relu", "leaky", "sigmoid", "softplus", "gated"}},
            activation);
    v.field({"smallest_deviation",
             "floor of the encoder's standard deviations (those of the prior are 1): below it a code would "
             "be sharper than a decoder can read",
             1e-4, 0.5},
            smallest_deviation);
    v.field({"covariance",
             "of the encoder's Gaussians: diagonal, or full by its Cholesky factor (numbers grow with the "
             "square of "
             "latent)",
             0,
             0,
             {"diagonal", "full"}},
            covariance);
    v.field({"decoder",
             "distribution of a case given its code; auto goes by the data: bernoulli, logistic "
             "(discretised) for grey "
             "bytes, gaussian (means and variances) for reals, and for a table each column its own",
             0,
             0,
             {"auto", "bernoulli", "gaussian", "categorical", "logistic"}},
            decoder);
    v.field(
        {"group", "columns of a one-hot group of a categorical decoder, where the data do not say", 2, 1e6},
        group);
    v.field({"smallest_noise",
             "floor of a gaussian decoder's standard deviations, as a share of each column's own deviation",
             1e-4, 1},
            smallest_noise);
  }
};

struct CvaeOptions : LatentOptions {
  std::string prior = "normal";
  std::int64_t prior_components = 500;
  std::int64_t completion_steps = 200;
  std::string gap_inputs = "auto";

  void check() const override {
    LatentOptions::check();
    if (prior == "vamp" && covariance == "full")
      fail_usage("model.prior",
                 "expected normal or mixture with model.covariance=full: a VampPrior is made of the "
                 "encoder's Gaussians, whose units must be independent");
    if (prior != "normal" && smallest_deviation < 0.01)
      fail_usage(
          "model.smallest_deviation",
          "expected 0.01 or more with model.prior=mixture or vamp, whose density is a product in float32 "
          "and loses its digits below");
  }
  void visit(OptionVisitor& v) override {
    LatentOptions::visit(v);
    v.field(
        {"prior",
         "of the latent units: normal; mixture of Gaussians; vamp, a mixture of the codes of pseudo-inputs",
         0,
         0,
         {"normal", "mixture", "vamp"}},
        prior);
    v.field({"prior_components", "Gaussians of a mixture, or pseudo-inputs (vamp)", 1, 1e5},
            prior_components);
    v.field({"completion_steps", "of the chain that fills in missing cells", 1, 1e6}, completion_steps);
    v.field({"gap_inputs",
             "tell the encoder which cells are missing, one more input for each; auto: of a table that was "
             "trained with gaps",
             0,
             0,
             {"auto", "always", "never"}},
            gap_inputs);
  }
};

struct VaeOptions : CvaeOptions {
  std::int64_t upper_latent = 0;
  std::string upper_hidden = "100,100";
  std::string network = "dense";
  std::string channels = "32,64";
  bool pooling = false;

  void check() const override {
    CvaeOptions::check();
    if (gap_inputs == "always" && network == "convolutional")
      fail_usage(
          "model.gap_inputs",
          "expected auto or never with model.network=convolutional, whose encoder sees pictures alone");
    parse_sizes("model.upper_hidden", upper_hidden);
    parse_sizes("model.channels", channels);
  }
  void visit(OptionVisitor& v) override {
    CvaeOptions::visit(v);
    v.field({"upper_latent", "units of a second stochastic layer above the first; 0: none", 0, 1e5},
            upper_latent);
    v.field({"upper_hidden", "hidden layers between the two stochastic layers, from the lower one on"},
            upper_hidden);
    v.field({"network",
             "dense; or convolutional: of pictures, each layer of model.channels halves them, then come the "
             "dense "
             "hidden layers; the decoder has the same in reverse",
             0,
             0,
             {"dense", "convolutional"}},
            network);
    v.field({"channels", "of the convolutions, from the data on: sizes with commas between them"}, channels);
    v.field({"pooling",
             "convolutional: pictures halved by the largest of 2 x 2 pixels and made to grow by unpooling; "
             "false: by "
             "strided and transposed convolutions"},
            pooling);
  }
};

struct StructuredVaeOptions : LatentOptions {
  std::string given = "left";

  void visit(OptionVisitor& v) override {
    LatentOptions::visit(v);
    v.field(
        {"given",
         "the part of a case that is the condition: left, right, upper or lower (halves; of cases that are "
         "no pictures left is the first half of the columns), or quarters of pictures: upper_left, "
         "upper_right, lower_left, lower_right; several with commas between them"},
        given);
  }
};

struct VaeLearning : Options {
  std::int64_t samples = 1;
  std::int64_t importance = 1;
  bool doubly_reparameterised = false;
  double beta = 1;
  double warm_up = 0;
  double free_bits = 0;

  void check() const override {
    if (free_bits > 0 && (importance > 1 || doubly_reparameterised))
      fail_usage("training.free_bits",
                 "expected 0 with training.importance above 1 or training.doubly_reparameterised: their "
                 "objectives have no divergence apart that could be free");
  }
  void visit(OptionVisitor& v) override {
    v.field({"samples", "draws of the latent units a row over which the objective is averaged (M)", 1, 5000},
            samples);
    v.field(
        {"importance",
         "draws a row within the importance-weighted objective (k); 1: the evidence lower bound", 1, 5000},
        importance);
    v.field({"doubly_reparameterised",
             "gradient of the encoder without the score's term: same mean, less noise as importance grows"},
            doubly_reparameterised);
    v.field(
        {"beta", "weight of the divergence from the prior; other than 1 the objective is no bound", 0, 1e3},
        beta);
    v.field({"warm_up", "share of the run in which beta rises from 0 to its value", 0, 1}, warm_up);
    v.field({"free_bits", "nats of divergence a latent unit, on average over the batch, that cost nothing", 0,
             1e3},
            free_bits);
  }
};

struct StructuredVaeLearning : VaeLearning {
  double hybrid = 0;

  void visit(OptionVisitor& v) override {
    VaeLearning::visit(v);
    v.field(
        {"hybrid",
         "share of the objective that is the log-probability of the rest with draws of the prior network, "
         "which is what completions use, in place of the evidence lower bound",
         0, 1},
        hybrid);
  }
};

// ---------------------------------------------------------------- cards

// Small networks; what the cards of this family have in common.
struct LatentCases {
  static SmallCase small(const std::string& name, const std::vector<std::string>& more = {},
                         ValueKind values = ValueKind::binary, const std::vector<ColumnGroup>& groups = {}) {
    std::vector<std::string> settings = {"model.hidden=5", "model.latent=2"};
    settings.insert(settings.end(), more.begin(), more.end());
    return {.name = name, .settings = settings, .values = values, .groups = groups};
  }
  static SmallCase pictures(const std::string& name, const std::vector<std::string>& more) {
    SmallCase some = small(name, more);
    some.pictures = true;
    return some;
  }
  // Tables whose first half of the columns is a half of their groups.
  static std::vector<ColumnGroup> mixed_table() {
    return {{ColumnKind::binary, 0, 2},
            {ColumnKind::gaussian, 2, 2},
            {ColumnKind::softmax, 4, 3},
            {ColumnKind::gaussian, 7, 1}};
  }
  static std::vector<ColumnGroup> table_of_categories() {
    return {{ColumnKind::softmax, 0, 3}, {ColumnKind::binary, 3, 1}, {ColumnKind::softmax, 4, 4}};
  }
  // One of whose columns says what is missing of the one before it.
  static std::vector<ColumnGroup> table_with_gaps() {
    return {{ColumnKind::softmax, 0, 3},
            {ColumnKind::binary, 3, 1, true},
            {ColumnKind::binary, 4, 2},
            {ColumnKind::softmax, 6, 2}};
  }
  static std::vector<ColumnKind> takes() {  // counts with model.decoder=gaussian alone
    return {ColumnKind::binary, ColumnKind::softmax, ColumnKind::count, ColumnKind::gaussian,
            ColumnKind::mean_field};
  }
};

class Vae;

struct VaeCard {
  using Model = Vae;
  using ModelOptions = VaeOptions;
  using LearningOptions = VaeLearning;
  static ModelCard card() {
    return {.name = "vae",
            .title = "Variational autoencoder",
            .source =
                "Kingma and Welling 2014; Rezende, Mohamed, Wierstra 2014; Burda, Grosse, Salakhutdinov "
                "2016; Tucker, Lawson, Gu, Maddison 2019",
            .family = "variational",
            .training = adam_training(),
            .takes = LatentCases::takes(),
            .table = {.bins = true, .marks = true},
            .recipe = "vae",
            .small_cases = small_cases()};
  }
  static std::vector<SmallCase> small_cases() {
    using C = LatentCases;
    const std::string few = "model.prior_components=3", upper = "model.upper_latent=2",
                      between = "model.upper_hidden=4", convolutions = "model.network=convolutional",
                      channels = "model.channels=2,3";
    return {C::small(""),
            C::small("mixture", {"model.prior=mixture", few}),
            C::small("vamp", {"model.prior=vamp", few}),
            C::small("full", {"model.covariance=full"}),
            C::small("upper", {upper, between}),
            C::small("upper_vamp", {upper, between, "model.prior=vamp", few}),
            C::small("weighted", {"training.importance=5", "training.doubly_reparameterised=true"}),
            C::small("grey", {}, ValueKind::grey),
            C::small("real", {}, ValueKind::real),
            C::small("real_vamp", {"model.prior=vamp", few}, ValueKind::real),
            C::small("mixed", {}, ValueKind::mixed, C::mixed_table()),
            C::small("categories", {}, ValueKind::mixed, C::table_of_categories()),
            C::small("gaps", {}, ValueKind::mixed, C::table_with_gaps()),
            C::pictures("pictures", {convolutions, channels}),
            C::pictures("pooled", {convolutions, channels, "model.pooling=true"})};
  }
};

class Cvae;

struct CvaeCard {
  using Model = Cvae;
  using ModelOptions = CvaeOptions;
  using LearningOptions = VaeLearning;
  static ModelCard card() {
    return {.name = "cvae",
            .title = "Variational autoencoder conditional on labels",
            .source = "Kingma, Rezende, Mohamed, Welling 2014; Sohn, Lee, Yan 2015",
            .family = "variational",
            .training = adam_training(),
            .takes = LatentCases::takes(),
            .table = {.bins = true, .marks = true},
            .needs_labels = true,
            .recipe = "cvae",
            .small_cases = small_cases()};
  }
  static std::vector<SmallCase> small_cases() {
    using C = LatentCases;
    return {C::small(""),
            C::small("vamp", {"model.prior=vamp", "model.prior_components=3"}),
            C::small("grey", {}, ValueKind::grey),
            C::small("real", {}, ValueKind::real),
            C::small("mixed", {}, ValueKind::mixed, C::mixed_table()),
            C::small("categories", {}, ValueKind::mixed, C::table_of_categories()),
            C::small("gaps", {}, ValueKind::mixed, C::table_with_gaps())};
  }
};

class StructuredVae;

struct StructuredVaeCard {
  using Model = StructuredVae;
  using ModelOptions = StructuredVaeOptions;
  using LearningOptions = StructuredVaeLearning;
  static ModelCard card() {
    return {.name = "structured_vae",
            .title = "Variational autoencoder of the rest of a case given a part of it",
            .source = "Sohn, Lee, Yan 2015",
            .family = "variational",
            .training = adam_training(),
            .takes = LatentCases::takes(),
            .recipe = "cvae-quadrants",
            .small_cases = small_cases()};
  }
  static std::vector<SmallCase> small_cases() {
    using C = LatentCases;
    return {C::small(""),
            C::small("hybrid", {"training.hybrid=0.5"}),
            C::small("grey", {}, ValueKind::grey),
            C::small("real", {}, ValueKind::real),
            C::small("mixed", {}, ValueKind::mixed, C::mixed_table()),
            C::small("categories", {}, ValueKind::mixed, C::table_of_categories()),
            C::pictures("quadrant", {"model.given=lower_left"})};
  }
};

}  // namespace deepgen
