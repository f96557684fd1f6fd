// Variational autoencoder conditional on the label of a case.
//
//   p(x, z | y) = p(z) p(x | z, y),   q(z | x, y)
//
// The decoder sees the label beside the code, the encoder beside the case, each as one unit a class; so the
// code is left with what the label does not say. Objectives, priors, settings and the chain that fills in
// missing cells are those of vae.h.
//
// Differs from the sources: z does not depend on y before x is seen (model M2 of Kingma et al. 2014; Sohn et
// al. give it a network, as structured_vae.h does).
//
// Known to fail: where the code has room for everything the label may be ignored; samples of a class are then
// samples of any.
//
// Sources: Kingma, Rezende, Mohamed, Welling 2014, "Semi-supervised learning with deep generative models";
// Sohn, Lee, Yan 2015, "Learning structured output representation using deep conditional generative models".
#pragma once

#include "deepgen/models/latent_model.h"

namespace deepgen {

class Cvae : public LatentModel,
             public IsConditional,
             public HasConditionalBound,
             public CanCompleteGiven,
             public CanCodeGiven {
 public:
  Cvae(const CvaeOptions& options, VaeLearning learning, std::shared_ptr<Likelihood> likelihood,
       std::int64_t classes);

  std::int64_t condition_classes() const override { return classes_; }
  std::string condition() const override { return "the label"; }
  Tensor condition_mask() const override { return {}; }
  Tensor sample_given(const Tensor& y, Rng& rng) override;  // [B, D]
  Tensor conditional_bound(const Tensor& x, const Tensor& y, std::int64_t samples, Rng& rng) override;
  Tensor complete_given(const Tensor& x, const Tensor& y, Rng& rng) override;
  Tensor encode_given(const Tensor& x, const Tensor& y) override;     // the mean of q(z | x, y)
  Tensor decode_given(const Tensor& code, const Tensor& y) override;  // the mean of p(x | z, y)
  Options& options() override { return options_; }

 protected:
  Tensor encoder_input(const Batch& rows) const override;
  Tensor condition_of(const Batch& rows) const override { return one_hot(rows.y, rows.x.size(0)); }

 private:
  Tensor one_hot(const Tensor& y, std::int64_t rows) const;  // [rows, classes]; checks the labels
  CvaeOptions options_;
  std::int64_t classes_;
};

}  // namespace deepgen
