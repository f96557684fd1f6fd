// The convolutional restricted Boltzmann machine with probabilistic max pooling.
//
// Cases are pictures v of C channels, H x W (lines of cells are pictures of height 1). Each of K filters W^k
// [C, f, f] looks at every place of the picture: its hidden units are a map of (H - f + 1) x (W - f + 1), and
// all of them share the weights and the bias c_k. Maps are cut into blocks of c x c (model.pooling), and at most
// one unit of a block is on:
//
//   p(v, h) = exp(-E(v, h)) / Z   over h with sum_(p in block) h^k_p <= 1
//   E(v, h) = E_v(v) - sum_k sum_p h^k_p a^k_p(v)
//   a^k_p   = c_k + sum_d sum_t W^k_dt y_d,p+t
//   E_v     = -b.v - log base(v)        Gaussian units: sum (v^2 / 2 - b v) / sigma^2
//
// with y = v (Gaussian: v / sigma), one bias b for each channel or for each pixel (model.visible_bias). A pooling
// unit s^k is on where a unit of its block is, so block and pooling unit are one choice among c x c + 1:
//
//   p(h^k_p = 1 | v) = exp(a_p) / (1 + sum_q exp(a_q))          q over the block of p
//   p(s^k = 0 | v)   = 1 / (1 + sum_q exp(a_q))
//   p(v | h)         = units with the activation b + sum_k W^k turned round * h^k  (the convolution's adjoint)
//
// and, the hidden units summed out,
//
//   F(v) = E_v(v) - sum over blocks of log(1 + sum_q exp(a_q)).
//
// Filters as large as the picture without pooling make the machine of rbm.h.
//
// Objective: the mean log-likelihood, whose gradient is a difference of two means, places p added up,
//
//   d log p / dW^k_dt = <sum_p y_d,p+t h^k_p>_data - <the same>_model
//   d log p / dc_k    = <sum_p h^k_p>_data - <the same>_model
//   d log p / db_d    = <sum_p v_d,p>_data - <the same>_model                (Gaussian: / sigma^2),
//
// the model's mean from k steps of block Gibbs sampling that begin at the data (cd) or go on from chains that
// persist (pcd). With training.sparsity q the biases are also pulled towards mean activities of q,
//
//   dc_k += cost * P (q - <h^k>_data),   <h^k> the mean over the P places of a map;
//
// it is no part of the likelihood. As one unit of a block at most is on, activities lie below 1 / c^2.
//
// Grey values are those of units on [0, 1] (mean_field). With visible_units=expected_bits they are, as in the
// source, the means of bits: chains are bits then, and -F(v) of means is at most the mean of -F over the bits
// (log(1 + sum exp) is convex), so that scores of grey rows are too low on average. sigma is not learned: it is
// model.deviation times the channel's own standard deviation.
//
// Cost: a row takes P f^2 C K multiplications and additions a convolution. An update by cd-1 takes five of them:
// two up, one down, and two of the size of the gradient; a Gibbs step two.
//
// Likelihood: exact where the visible units are bits and at most 25, or the blocks have at most 2^25 states
// together; else by annealed importance sampling from independent units at the moments of each pixel.
//
// Code: the pooling units' probabilities, as a picture of K channels.
//
// Known to fail: what cd and pcd get wrong in rbm.h they get wrong here. Hidden units see the same pixels many
// times over (K times overcomplete before pooling), so that without sparsity filters of nearly constant pictures
// are common. Pixels at the edge lie under few filters: with one bias a channel a frame that is always dark costs
// the likelihood much (visible_bias=pixel).
//
// Source: Lee, Grosse, Ranganath, Ng 2009, "Convolutional deep belief networks for scalable unsupervised learning
// of hierarchical representations", sections 3.2 to 3.4 (energy, pooling, sparsity).
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "deepgen/model/capabilities.h"
#include "deepgen/models/boltzmann/conv_rbm_blocks.h"
#include "deepgen/models/boltzmann/conv_rbm_options.h"
#include "deepgen/ops/convolution_products.h"
#include "deepgen/parts/units/unit_layer.h"

namespace deepgen {

// Means of d(-E) / d(parameter), of the forms of the parameters.
struct ConvMoments {
  Tensor weights, visible_bias, hidden_bias;
};

class ConvRbm : public Model,
                public HasGradients,
                public HasFreeEnergy,
                public HasLogPartition,
                public HasChain,
                public CanClamp,
                public CanAnneal,
                public CanEncode,
                public HasPseudoLikelihood {
 public:
  ConvRbm(ConvRbmOptions options, ConvRbmLearning learning, const DataShape& data);

  // Conditionals. v [B, D] rows of pictures [C, H, W]; h and activations [B, map height, map width, K].
  Tensor hidden_activation(const Tensor& v) const;  // a(v)
  Tensor visible_input(const Tensor& h) const;      // what v receives, [B, D], without the bias
  Tensor mean_h_given_v(const Tensor& v) const { return blocks_.mean(hidden_activation(v)); }
  Tensor sample_h_given_v(const Tensor& v, Rng& rng) const {
    return blocks_.sample(hidden_activation(v), rng);
  }
  Tensor mean_v_given_h(const Tensor& h) const;
  Tensor sample_v_given_h(const Tensor& h, Rng& rng) const;
  Tensor log_prob_v_given_h(const Tensor& v, const Tensor& h) const;  // [B] float64
  // Pooling units as rows of pictures [K, rows, columns]: probabilities given v, a draw, or the states of h.
  Tensor pooled_mean(const Tensor& v) const;
  Tensor pooled_sample(const Tensor& v, Rng& rng) const;
  Tensor pooled_rows(const Tensor& h) const;

  // Training (conv_rbm_training.cpp).
  Metrics gradients(const Rows& batch, const Turn& turn, Rng& rng) override;
  void initialise(const Rows& sample, Rng& rng) override;  // b at the data's moments, W small
  Metrics diagnose(const Rows& train, const Rows& valid, Rng& rng) override;
  std::string diverged(const Metrics& diagnosis) const override;
  Tensor filters() const override;  // [K, D], in the middle of the picture
  void check_data(const Tensor& x, const std::string& what, std::int64_t first_row = 0) const override;
  Options& options() override { return options_; }
  Options& learning() override { return learning_; }
  ConvMoments moments(const Tensor& v, const Tensor& h) const;  // the means over these pairs

  // Scores (conv_rbm_scores.cpp). Rows with missing cells have a marginal_free_energy where the blocks have at
  // most 4096 states together.
  Tensor free_energy(const Rows& rows) const override;
  std::optional<Tensor> marginal_free_energy(const Rows& rows) const override;
  std::int64_t enumeration_units() const override;  // of blocks the logarithm of their states, rounded up
  std::optional<double> exact_log_partition() const override;
  std::optional<Tensor> pseudo_log_likelihood(const Rows& rows) const override;  // of bits

  // Chains (conv_rbm_chains.cpp).
  Tensor chain_start(std::int64_t count, Rng& rng) const override;
  Tensor chain_steps(const Tensor& v, std::int64_t steps, Rng& rng) const override;
  Tensor clamped_steps(const Tensor& v, std::int64_t steps, const Tensor& known, Rng& rng) const override;
  Tensor chain_mean(const Tensor& v, Rng& rng) const override;
  Tensor fill_gaps(const Tensor& v, Rng& rng) const;
  double log_base_partition() const override;
  Tensor log_base_partition_given(const Tensor& x) const override;
  std::unique_ptr<AnnealedChains> anneal_from_base(std::int64_t count, Rng& rng) const override;
  std::unique_ptr<AnnealedChains> anneal_from(const Tensor& v) const override;
  std::unique_ptr<AnnealedChains> anneal_given(const Tensor& x, Rng& rng) const override;

  // Features: pooled_mean, [B, K rows columns].
  Tensor encode(const Rows& rows) const override { return pooled_mean(rows.x); }

  std::int64_t visible() const { return visible_units_.size(); }
  const UnitLayer& visible_layer() const { return visible_units_; }
  const PoolingBlocks& blocks() const { return blocks_; }
  const std::vector<std::int64_t>& picture() const { return picture_; }  // {C, H, W}
  std::vector<std::int64_t> pooled_picture() const {
    return {blocks_.maps(), blocks_.rows(), blocks_.columns()};
  }
  // The visible units' parameters in the form of parts/units/unit_layer.h; base: independent units at the moments
  // of each pixel; start: the machine's own without weights, as training begins.
  NaturalParameters visible_natural() const;
  NaturalParameters base_natural() const;
  NaturalParameters start_natural() const;
  // W as a matrix between pixels and units in blocks, [D, blocks * block_units] float64: for few units.
  Tensor dense_weights() const;

  Tensor weights;                    // [f, f, C, K]
  Tensor visible_bias, hidden_bias;  // [C] or [D], [K]
  Tensor data_mean, data_variance;   // [D] of training rows; the variance where there are Gaussian units
  Tensor visible_deviation;          // sigma [C], likewise
  Tensor chains;                     // [chains, units] hidden states of the persistent chains

 private:
  bool has_moments() const { return data_variance.defined(); }
  bool expects_bits() const { return options_.visible_units == "expected_bits"; }
  Tensor coupled(const Tensor& v) const;
  Tensor over_pixels(const Tensor& parameter) const;  // [C] or [D] -> [D]
  Tensor as_bias(const Tensor& of_pixels) const;      // [D] -> the form of visible_bias: means over a channel
  NaturalParameters natural_with(const Tensor& bias) const;
  Tensor kernel() const { return weights.flatten(0, 2); }
  void register_tensors();
  void set_moments(const Tensor& sample);

  ConvRbmOptions options_;
  ConvRbmLearning learning_;
  std::vector<std::int64_t> picture_;
  UnitLayer visible_units_;
  Window window_;
  PoolingBlocks blocks_;
  double base_log_prob_ = 0;  // mean of the last diagnosed rows under start_natural
};

}  // namespace deepgen
