// Conditional variational autoencoder of structured output: a part of the case is given, the rest is
// modelled.
//
//   x = (g, r)                                 the given part (model.given) and the rest
//   p(r | g) = int p(z | g) p(r | z, g) dz
//   p(z | g) = N(z; m'(g), diag s'(g)^2)       prior network
//   q(z | x) = N(z; m(x), diag s(x)^2)         recognition network, sees all of x
//   p(r | z, g)                                generation network: independent columns
//                                              (parts/likelihoods/likelihood.h)
//
//   log p(r | g) >= E_q [log p(r | z, g)] - KL(q(z | x) || p(z | g))
//
// Objectives and settings are those of vae.h. The hybrid objective of the source, with the share a =
// training.hybrid, is
//
//   (1 - a) (that bound) + a E_{p(z | g)} [log p(r | z, g)],
//
// both by reparameterised draws: the second term is trained as the model is used. Completions draw
//
//   z ~ p(z | g),   r ~ p(r | z, g).
//
// Two estimates of log p(r | g) are both bounds from below: with draws of q (conditional_log_prob) and with
// draws of p(z | g) (conditional_log_prob_prior), the "Monte Carlo" of the source.
//
// Beside it the baseline of the source is trained on the same batches: the same network without z,
//
//   p(r | g) = prod_j p(r_j | g),
//
// whose exact log-probability is the score conditional_log_prob_baseline.
//
// Differs from the source: no convolutions and no recurrent connection (the prior network does not see the
// baseline's guess).
//
// Known to fail: where g says nearly everything z is not used; the gap to the baseline then vanishes.
//
// Source: Sohn, Lee, Yan 2015, "Learning structured output representation using deep conditional generative
// models".
#pragma once

#include "deepgen/model/extra_scores.h"
#include "deepgen/models/variational/latent_model.h"

namespace deepgen {

class StructuredVae : public LatentModel, public IsConditional, public CanComplete, public HasExtraScores {
 public:
  StructuredVae(const StructuredVaeOptions& options, const StructuredVaeLearning& learning,
                const DataShape& data);

  void initialise(const Rows& sample, Rng& rng) override;
  void check_data(const Tensor& x, const std::string& what, std::int64_t first_row = 0) const override;

  std::int64_t condition_classes() const override { return 0; }
  std::string condition() const override { return "the part " + options_.given; }
  Tensor condition_mask() const override { return mask_; }
  bool has_label_distribution() const override { return false; }
  // The rest drawn from p(r | g). Known cells of the rest must be all or none of it, the given part must be
  // known: else a data error.
  Tensor complete(const Rows& rows, Rng& rng) const override;
  std::vector<ExtraScore> extra_scores(const Rows& rows, std::int64_t samples, Rng& rng) const override;
  Options& options() override { return options_; }
  Options& learning() override { return structured_learning_; }

 protected:
  Tensor condition_of(const Rows& rows) const override {
    return whole_->input_of(rows.x).index_select(1, given_);
  }
  Tensor encoder_input(const Cases& cases) const override { return whole_->input_of(cases.x); }
  Tensor target(const Tensor& x) const override { return x.index_select(1, rest_); }
  double bound_share() const override { return 1 - structured_learning_.hybrid; }
  Tensor other_loss(const Cases& cases, Rng& rng, Metrics& metrics) const override;

 private:
  StructuredVae(const StructuredVaeOptions& options, const StructuredVaeLearning& learning,
                const DataShape& data, const Tensor& given);
  Tensor prediction(const Cases& cases, Rng& rng) const;
  Tensor baseline_log_prob(const Cases& cases) const;  // [B] float64

  StructuredVaeOptions options_;
  StructuredVaeLearning structured_learning_;
  std::shared_ptr<Likelihood> whole_;
  Tensor mask_, given_, rest_;  // [D] bool; the columns of either part, int64
  std::shared_ptr<DecoderNet> baseline_;
};

}  // namespace deepgen
