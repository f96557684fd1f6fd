// Options of the variational autoencoders (vae.h, cvae.h, structured_vae.h). Torch-free, so that usage errors
// answer at once.
#pragma once

#include "deepgen/core/error.h"
#include "deepgen/core/options.h"
#include "deepgen/parts/sizes.h"

namespace deepgen {

// The networks around the latent units.
struct LatentOptions : Options {
  std::int64_t latent = 50;
  std::string hidden = "200,200";
  std::string activation = "tanh";
  double smallest_deviation = 0.01;

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
  }
};

struct VaeOptions : LatentOptions {
  std::string prior = "normal";
  std::int64_t prior_components = 500;

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

}  // namespace deepgen
