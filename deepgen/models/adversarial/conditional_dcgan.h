// Conditional convolutional adversarial network: pictures of a class, drawn by transposed convolutions from
// noise and label, against a discriminator that sees picture and label.
//
// For pictures of H x W and labels y, one-hot:
//
//   G(z, y)   h1 = relu(bn([z, y] W1))
//             h2 = relu(bn([h1, y] W2)),           seen as H/4 x W/4 pictures of 2F channels
//             h3 = relu(bn([h2, y] *' W3)),        H/2 x W/2, F channels
//             x  = sigmoid([h3, y] *' W4)
//
//   D(x, y)   h1 = leaky([x, y] * V1),             H/2 x W/2, F channels
//             h2 = leaky(bn([h1, y] * V2)),        H/4 x W/4, 2F channels
//             h3 = relu(bn([h2, y] V3))
//             D  = sigmoid([h3, y] V4)
//
// [a, y] joins y to the columns of a, or to its channels as planes that are 1 or 0 throughout. * is a
// convolution with 5 x 5 kernels that moves by two pixels and *' its adjoint; bn is batch normalisation
// without gain and shift, of each unit or each channel; leaky has the slope 0.2 below zero; no layer has a
// bias. z has independent numbers, uniform in [0, 1).
//
// Costs: the two cross-entropies of adversaries.h, the generator's the non-saturating one. Each step updates
// D twice and G once; generated pictures have the labels of the real rows beside them. Real and generated
// pictures are normalised apart, each batch by its own moments, so a batch has two rows or more; a row that
// would be alone in the last batch of an epoch waits for another one.
//
// Samples are normalised by the moments that 500 reference draws have under the weights in use, labels drawn
// as frequently as in the training rows; so a sample does not depend on those drawn beside it, and the
// average of the weights (training.average) has moments of its own, which running averages would not give it.
//
// Differs from the source: both updates of D in a step see the same real rows, with fresh noise; samples do
// not depend on each other; F = 32 and 512 units are the defaults (the source's code has 64 and 1024).
// Weights begin normal with deviation 0.02 (Radford, Metz, Chintala 2016, section 3), of which the source
// says nothing.
//
// Known to fail: as gan.h; besides, batches of a few rows have poor moments.
//
// Sources: Radford, Metz, Chintala 2016, "Unsupervised representation learning with deep convolutional
// generative adversarial networks"; Mirza and Osindero 2014, "Conditional generative adversarial nets".
#pragma once

#include <vector>

#include "deepgen/model/capabilities.h"
#include "deepgen/models/adversarial/adversaries.h"
#include "deepgen/models/adversarial/conditional_dcgan_options.h"
#include "deepgen/ops/picture_layers.h"

namespace deepgen {

class ConditionalDcgan : public Model, public HasGradients, public IsConditional, public CanSampleGiven {
 public:
  // Of binary or grey pictures {channels, height, width}, height and width multiples of 4.
  ConditionalDcgan(const ConditionalDcganOptions& options, const ConditionalDcganLearning& learning,
                   const DataShape& data);

  std::vector<Stage> stages() override;
  void initialise(const Rows& sample, Rng& rng) override;
  Metrics gradients(const Rows& batch, const Turn& turn, Rng& rng) override;
  std::int64_t fewest_rows() const override { return 2; }
  Metrics diagnose(const Rows& train, const Rows& valid, Rng& rng) override;
  void check_data(const Tensor& x, const std::string& what, std::int64_t first_row = 0) const override;
  Options& options() override { return options_; }
  Options& learning() override { return learning_; }

  std::int64_t condition_classes() const override { return classes_; }
  std::string condition() const override { return "the label"; }
  Tensor condition_mask() const override { return {}; }
  bool has_label_distribution() const override { return false; }
  Tensor sample_given(const Tensor& y, Rng& rng) const override;

  // Normalised by the moments of the batch: G(z, y) and the logit of D(x, y), for labels y [B].
  Tensor generate(const Tensor& z, const Tensor& y) const;  // [B, noise] -> [B, D]
  Tensor logits(const Tensor& x, const Tensor& y) const;    // [B, D] -> [B, 1]

 private:
  class Normaliser;
  void add(const std::string& weights, at::IntArrayRef sizes, std::vector<Tensor>& owner);
  Game players() const;
  Tensor one_hot(const Tensor& y) const;            // [B] -> [B, classes]; checks the labels
  Tensor noise(std::int64_t rows, Rng& rng) const;  // [rows, noise]
  Tensor generator(const Tensor& z, const Tensor& label, Normaliser& normalise) const;
  Tensor discriminator(const Tensor& x, const Tensor& label, bool frozen) const;

  ConditionalDcganOptions options_;
  ConditionalDcganLearning learning_;
  std::vector<std::int64_t> shape_;
  std::int64_t classes_;
  ValueKind values_;
  std::vector<Tensor> generator_, discriminator_;  // W1 .. W4, V1 .. V4
  Tensor class_shares_;                            // [classes] float64, of the training rows
};

}  // namespace deepgen
