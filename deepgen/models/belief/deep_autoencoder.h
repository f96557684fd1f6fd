// The deep autoencoder: a deep belief network unrolled into an encoder and a decoder, which are fine-tuned
// together.
//
// The encoder is the way up of fine_tuned_dbn.h, whose uppermost means are the code h_L; its units are
// gaussian unless said otherwise, so the code is linear in the layer below. The decoder goes the same way
// down,
//
//   h'_L = h_L
//   h'_l-1 = g_l-1(h'_l D_l + b_l-1)
//
// with g the f of the layer below (rectified: softplus), and at the bottom sigmoid (bits and grey values),
// softmax (one-hot groups) or identity (real values). It begins as the transposed machines,
//
//   D_l = W_l^T s^-1,   b_l-1 = the biases of the lower units of machine l
//
// (s of rbm.h: 1 / sigma for gaussian units, else 1), so it is then the network's own way down, and learns D
// and b of its own from there on. With tied=true only b is: D_l stays the transpose of W_l, whose gradient
// comes from both ways.
//
// Objective of the stage fine_tune, the mean over the rows of a batch of
//
//   bits, grey     -sum_i x_i log x'_i + (1 - x_i) log(1 - x'_i)
//   one-hot        -sum_i x_i log x'_i
//   real           sum_i (x_i - x'_i)^2 / 2,
//
// added up where columns are of several kinds. x' = h'_0.
//
// Known to fail: rectified or gaussian hidden units have no bound, and the stages of their layers diverge at
// the rates of binary ones (training.code_rate is theirs). Real columns on very different scales count by their squares:
// standardise them. Rows with missing cells are refused, and so are counts.
//
// Source: Hinton and Salakhutdinov 2006, "Reducing the dimensionality of data with neural networks".
#pragma once

#include "deepgen/models/belief/deep_autoencoder_options.h"
#include "deepgen/models/belief/fine_tuned_dbn.h"

namespace deepgen {

class DeepAutoencoder : public FineTunedDbn, public CanDecode {
 public:
  DeepAutoencoder(DeepAutoencoderOptions options, DeepAutoencoderLearning learning, const DataShape& data);

  std::vector<Stage> stages() override;
  void initialise(const Rows& sample, Rng& rng) override;
  Options& options() override { return options_; }
  Options& learning() override { return learning_; }

  // Before fine_tune has begun, from the code of the layers that have.
  Tensor decode(const Rows& codes) const override;

 protected:
  std::vector<Tensor> own_parameters() const override;
  void begin_fine_tune(const Rows& sample) override;
  Tensor fine_loss(const Rows& batch, Rng& rng, Metrics& metrics) const override;
  Metrics diagnose_fine(const Rows& train, const Rows& valid) const override;

 private:
  // Visible columns of one kind.
  struct Part {
    UnitKind kind;
    std::vector<std::int64_t> list = {}, ends = {0};  // ends: of softmax groups among them
    Tensor columns = {}, offsets = {};                // the same as tensors; columns undefined: all there are
  };
  void find_parts();
  Tensor transposed(std::size_t l) const;      // W^T s^-1 of machine l
  Tensor downwards(const Tensor& code) const;  // activations of the cells
  Tensor loss_of(const Tensor& x) const;       // mean over the rows

  DeepAutoencoderOptions options_;
  DeepAutoencoderLearning learning_;
  std::vector<Part> parts_;
  std::vector<Tensor> weights_, biases_;  // of the decoder, from the cells up; no weights where they are tied
};

}  // namespace deepgen
