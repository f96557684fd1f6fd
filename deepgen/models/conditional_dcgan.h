// Conditional convolutional adversarial network: pictures of a class, drawn by transposed convolutions from
// noise and label, against a discriminator that sees picture and label.
//
// [a, y] joins the one-hot label y to the columns of a, or to its channels as planes that are 1 or 0
// throughout; bn is batch normalisation without gain and shift, of each unit or each channel; relu_s is leaky
// with slope 0.2; no layer has a bias; kernels are 5 x 5 and move by two pixels. For pictures of H x W:
//
//   G(z, y)   h1 = relu(bn([z, y] W1)),  h2 = relu(bn([h1, y] W2)), seen as H/4 x W/4 pictures of 2F
//   channels,
//             h3 = relu(bn([h2, y] *' W3)) of H/2 x W/2 and F channels,  x = sigmoid([h3, y] *' W4)
//   D(x, y)   h1 = relu_s([x, y] * V1), F channels,  h2 = relu_s(bn([h1, y] * V2)), 2F channels,
//             h3 = relu(bn([h2, y] V3)),  D = sigmoid([h3, y] V4)
//
// z has independent numbers, uniform in [0, 1). Costs: the two cross-entropies of adversaries.h, the
// generator's the non-saturating one. Each step updates D twice and G once; generated pictures have the
// labels of the real rows beside them. Real and generated pictures are normalised apart, each batch by its
// own moments.
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

#include "deepgen/models/capabilities.h"
#include "deepgen/models/conditional_dcgan_options.h"
#include "deepgen/ops/picture_layers.h"

namespace deepgen {

class ConditionalDcgan : public Model, public IsConditional {
 public:
  // `shape`: {channels, height, width}, height and width multiples of 4; `values`: binary or grey, as in
  // DataShape.
  ConditionalDcgan(ConditionalDcganOptions options, ConditionalDcganLearning learning,
                   std::vector<std::int64_t> shape, std::int64_t classes, std::string values);

  std::vector<Stage> stages() override;
  void initialise(const Batch& sample, Rng& rng) override;
  Metrics gradients(const Batch& batch, const Turn& turn, Rng& rng) override;
  Metrics diagnose(const Batch& train, const Batch& valid, Rng& rng) override;
  void check_data(const Tensor& x, const std::string& what, std::int64_t first_row = 0) const override;
  Options& options() override { return options_; }
  Options& learning() override { return learning_; }

  std::int64_t condition_classes() const override { return classes_; }
  std::string condition() const override { return "the label"; }
  Tensor condition_mask() const override { return {}; }
  Tensor sample_given(const Tensor& y, Rng& rng) override;  // [B] -> [B, D]

  // Normalised by the moments of the batch: G(z, y) and the logit of D(x, y), for labels y [B].
  Tensor generate(const Tensor& z, const Tensor& y) const;  // [B, noise] -> [B, D]
  Tensor logits(const Tensor& x, const Tensor& y) const;    // [B, D] -> [B, 1]

 private:
  class Normaliser;
  Tensor add(const std::string& name, at::IntArrayRef sizes, std::vector<Tensor>& owner);
  Tensor planes(const Tensor& y, std::int64_t height, std::int64_t width) const;
  Tensor one_hot(const Tensor& y) const;
  Tensor generator(const Tensor& z, const Tensor& y, Normaliser& normalise) const;
  Tensor discriminator(const Tensor& x, const Tensor& y, bool frozen) const;

  ConditionalDcganOptions options_;
  ConditionalDcganLearning learning_;
  std::vector<std::int64_t> shape_;
  std::int64_t classes_;
  std::string values_;
  std::vector<Tensor> generator_, discriminator_;  // W1 .. W4, V1 .. V4
  Tensor class_shares_;                            // [classes] float64, of the training rows
};

}  // namespace deepgen
