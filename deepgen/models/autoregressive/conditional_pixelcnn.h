// Gated PixelCNN of pictures given their label (pixelcnn.h).
//
//   p(x, y) = p(y) prod_i p(x_i | x_1 .. x_(i-1), y)
//   p(x) = sum_y p(x, y)
//   p(y | x) = p(x, y) / p(x)
//   p(y): shares of 20,000 training rows at most, as if every label had been seen once more
//
// A label adds biases to both stacks of every block. Objective: the mean of log p(x | y), exact. Scored is
// p(x), with known labels too, so that numbers are comparable with those of other models: a pass for each
// label. Samples are drawn given a label, or a label first. Completion: a label from p(y | the case), then
// the kernel of pixelcnn.h given it; from p(y | known cells) where these all come first, which is exact.
//
// Training rows without a label are refused: their objective log p(x) would cost a pass and a gradient for
// every label.
//
// Differs from the paper: the label is a bias in each block, and no further embedding of it. Known to fail:
// p(y | x) is a poor classifier, since the label hardly matters for the pixels that cost most.
//
// Source: van den Oord, Kalchbrenner, Vinyals, Espeholt, Graves, Kavukcuoglu 2016, "Conditional image
// generation with PixelCNN decoders", section 2.3, eq. 4.
#pragma once

#include "deepgen/models/autoregressive/pixelcnn.h"

namespace deepgen {

class ConditionalPixelCnn : public PixelCnn, public IsConditional, public CanSampleGiven, public CanClassify {
 public:
  ConditionalPixelCnn(PixelCnnOptions options, PixelCnnLearning learning, const DataShape& data);

  void initialise(const Rows& sample, Rng& rng) override;
  Metrics gradients(const Rows& batch, const Turn& turn, Rng& rng) override;

  Tensor sample(std::int64_t count, Rng& rng) const override;
  Tensor sample_given(const Tensor& y, Rng& rng) const override {
    return draw_all(y.size(0), y.contiguous(), rng);
  }
  Tensor log_prob(const Rows& rows) const override;             // log p(x), [B] float64
  Tensor log_class_probs(const Rows& rows) const override;      // log p(y | x), [B, classes] float64
  Tensor chain_mean(const Tensor& x, Rng& rng) const override;  // given a label drawn from p(y | x)
  Tensor clamped_steps(const Tensor& x, std::int64_t steps, const Tensor& known, Rng& rng) const override;

  std::int64_t classes() const override { return net_->sizes().classes; }
  std::int64_t condition_classes() const override { return classes(); }
  std::string condition() const override { return "the label"; }
  Tensor condition_mask() const override { return {}; }
  bool has_label_distribution() const override { return true; }

 private:
  // log p(y) p(counted cells | y), [B, classes]; counted [B, D], undefined: all.
  Tensor log_joint(const Tensor& x, const Tensor& counted) const;
  Tensor log_prior_;  // [classes] float64, buffer
};

}  // namespace deepgen
