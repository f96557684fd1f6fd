// Gated PixelCNN of pictures given their label (pixelcnn.h).
//
//   p(x, y) = p(y) prod_i p(x_i | x_1 .. x_(i-1), y),   p(y): shares of 20,000 training rows at most
//
// A label adds biases to both stacks of every block. Objective: the mean of log p(x | y), exact. Scored is
// p(x), the labels summed out (a pass for each), and the code of a case is p(y | x), a classifier by Bayes'
// rule. Samples are drawn given a label, or a label first. Completion: a label from p(y | the case), then the
// kernel of pixelcnn.h given it; from p(y | known cells) where these all come first, which is exact.
//
// Differs from the paper: the label is a bias in each block, and no further embedding of it. Known to fail:
// p(y | x) is a poor classifier, since the label hardly matters for the pixels that cost most.
//
// Source: van den Oord, Kalchbrenner, Vinyals, Espeholt, Graves, Kavukcuoglu 2016, "Conditional image
// generation with PixelCNN decoders", section 2.3, eq. 4.
#pragma once

#include "deepgen/models/pixelcnn.h"

namespace deepgen {

class ConditionalPixelCnn : public PixelCnn, public IsConditional, public CanEncode {
 public:
  ConditionalPixelCnn(PixelCnnOptions options, PixelCnnLearning learning,
                      const std::vector<std::int64_t>& shape, const std::string& values,
                      std::int64_t classes);

  void initialise(const Batch& sample, Rng& rng) override;

  Tensor sample(std::int64_t count, Rng& rng) override;
  Tensor log_prob(const Tensor& x) override;
  Tensor encode(const Tensor& x) override;  // p(y | x), [B, classes]
  Tensor chain_steps(const Tensor& x, std::int64_t steps, const Tensor& known, Rng& rng) override;
  Tensor chain_mean(const Tensor& x, Rng& rng) override;  // given a label drawn from p(y | x)

  std::int64_t condition_classes() const override { return net_->sizes().classes; }
  std::string condition() const override { return "the label"; }
  Tensor condition_mask() const override { return {}; }
  Tensor sample_given(const Tensor& y, Rng& rng) override { return draw_all(y.size(0), y.contiguous(), rng); }

 private:
  Tensor log_joint(const Tensor& x,
                   const Tensor& counted) const;  // log p(y) p(counted cells | y), [B, classes]
  Tensor log_prior_;                              // [classes] float64, buffer
};

}  // namespace deepgen
