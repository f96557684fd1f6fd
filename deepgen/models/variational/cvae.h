// Variational autoencoder conditional on the label of a case.
//
//   p(x, z | y) = p(z) p(x | z, y)
//   q(z | x, y) = N(z; m(x, y), S(x, y))
//
//   log p(x | y) >= E_q [log p(x | z, y)] - KL(q(z | x, y) || p(z))
//
// The decoder sees the label beside the code, the encoder beside the case, each as one unit a class; so the
// code is left with what the label does not say. Objectives, priors, settings, what is done with
// missing cells and the chain that fills them in are those of vae.h.
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

#include "deepgen/models/variational/latent_model.h"

namespace deepgen {

class Cvae : public LatentModel,
             public IsConditional,
             public CanSampleGiven,
             public CanComplete,
             public CanEncode,
             public CanDecode {
 public:
  Cvae(const CvaeOptions& options, const VaeLearning& learning, const DataShape& data);

  std::int64_t condition_classes() const override { return classes_; }
  std::string condition() const override { return "the label"; }
  Tensor condition_mask() const override { return {}; }
  bool has_label_distribution() const override { return false; }
  Tensor sample_given(const Tensor& y, Rng& rng) const override;
  Tensor complete(const Rows& rows, Rng& rng) const override;
  Tensor encode(const Rows& rows) const override;  // the mean of q(z | x, y)
  bool encodes_gaps() const override { return knows_gaps(); }
  Tensor decode(const Rows& codes) const override;  // the mean of p(x | z, y)
  Options& options() override { return options_; }

 protected:
  Tensor condition_of(const Rows& rows) const override { return one_hot(rows.y, rows.size()); }
  Tensor encoder_input(const Cases& cases) const override;

 private:
  Tensor one_hot(const Tensor& y, std::int64_t rows) const;  // [rows, classes]; checks the labels
  CvaeOptions options_;
  std::int64_t classes_;
};

}  // namespace deepgen
