// The conditional restricted Boltzmann machine: a part of a case is given, the rest is modelled (structured
// prediction: the other half of a digit).
//
//   x = (g, r)                          the given part (model.given) and the rest
//   p(r, h | g) = exp(-E(r, h | g)) / Z(g)
//
// E is that of dynamic_bias_rbm.h with u = g and v = r, units of any kind in either part. p(g) is not
// modelled.
//
// Completions are draws of a Gibbs chain of completion_steps steps, which begins at independent units with
// the biases that g makes and holds what is known of r.
//
// Scores: each condition has a log Z of its own, so neither a free energy with one log Z nor a
// log-probability for every size can be promised. Beside the capabilities there is conditional_log_prob where
// log Z(g) is exact (at most 12 hidden units, or 12 binary ones in the rest), else
// conditional_log_prob_annealed. The estimate of Z(g) is right on average, its log is too low, so what is
// annealed is too high on average.
//
// Differs from the sources: Mnih et al. learn by loopy mean field and perceptron losses for prediction; here
// by contrastive divergence alone, for samples.
//
// Known to fail: cd-1 with strong A learns the means of r and little of what h could add.
//
// Sources: Mnih, Larochelle, Hinton 2011, "Conditional restricted Boltzmann machines for structured output
// prediction"; Taylor, Hinton, Roweis 2006, "Modeling human motion using binary latent variables".
#pragma once

#include "deepgen/model/extra_scores.h"
#include "deepgen/models/boltzmann/conditional_rbm_options.h"
#include "deepgen/models/boltzmann/dynamic_bias_rbm.h"

namespace deepgen {

class ConditionalRbm : public DynamicBiasRbm,
                       public IsConditional,
                       public CanComplete,
                       public HasExtraScores {
 public:
  ConditionalRbm(const ConditionalRbmOptions& options, const DynamicBiasLearning& learning,
                 const DataShape& data);

  void check_data(const Tensor& x, const std::string& what, std::int64_t first_row = 0) const override;
  Tensor filters() const override;  // of both parts, [H, D]
  Options& options() override { return options_; }
  Options& learning() override { return learning_; }

  std::int64_t condition_classes() const override { return 0; }
  std::string condition() const override { return "the part " + options_.given; }
  Tensor condition_mask() const override { return mask_; }
  bool has_label_distribution() const override { return false; }

  // Any cells of the rest may be missing; one of the given part is a data error.
  Tensor complete(const Rows& rows, Rng& rng) const override;
  std::vector<ExtraScore> extra_scores(const Rows& rows, std::int64_t samples, Rng& rng) const override;
  // log p(r | g), [B] float64, where log Z(g) is exact (can_enumerate).
  Tensor exact_conditional_log_prob(const Rows& rows) const;

  GivenPairs pairs_of(const Rows& rows) const override;
  Tensor start_given(const Tensor& condition, const GivenBiases& given, Rng& rng) const override;

 private:
  ConditionalRbm(const ConditionalRbmOptions& options, const DynamicBiasLearning& learning,
                 const DataShape& data, const Tensor& mask);

  ConditionalRbmOptions options_;
  DynamicBiasLearning learning_;
  UnitLayer whole_;             // units of all columns
  Tensor mask_, given_, rest_;  // [D] bool; the columns of either part, int64
};

}  // namespace deepgen
