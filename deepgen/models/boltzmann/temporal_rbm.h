// The temporal restricted Boltzmann machine of order n (the conditional machine of Taylor et al.): each frame
// of a sequence given the n frames before it.
//
//   u_t = (v_{t-n}, ..., v_{t-1})
//   p(v_t, h_t | u_t) = exp(-E(v_t, h_t | u_t)) / Z(u_t)
//
// E is that of dynamic_bias_rbm.h: A holds the autoregressive weights, B those from past frames to h_t. What
// h says of a frame is gone at the next one, so all that is remembered are n frames. The first n frames of a
// sequence are given and not modelled.
//
// A sequence is continued frame by frame: each is the end of continuation_steps Gibbs steps of (v_t, h_t),
// begun at the frame before it.
//
// An update takes training.frames frames at random from the sequences of its batch (where these are few and
// long a whole one would be a single step), and makes training.updates such updates of each batch.
//
// Scores: as with conditional_rbm.h every frame has a log Z of its own; log p(v_t | u_t) is exact for machines
// with at most 12 hidden units (of Gaussian frames it is a mixture of 2^H Gaussians) or 12 bits a frame. The
// learning curve has it then, and always the squared error of the predicted mean of a frame beside that of the
// frame before it as a prediction (persistence).
//
// Differs from the source: variances of Gaussian units are learned, so that draws have the noise of the data
// and not that of a standard deviation of 1, and chains draw v where the source takes means.
//
// Known to fail: long continuations drift where frames were never seen in training; nothing pulls them back.
//
// Source: Taylor, Hinton, Roweis 2006, "Modeling human motion using binary latent variables".
#pragma once

#include "deepgen/models/boltzmann/dynamic_bias_rbm.h"
#include "deepgen/models/boltzmann/temporal_rbm_options.h"

namespace deepgen {

class TemporalRbm : public DynamicBiasRbm, public CanContinue {
 public:
  TemporalRbm(const TemporalRbmOptions& options, const TemporalRbmLearning& learning, const DataShape& data);

  std::vector<Stage> stages() override;
  // Every sequence must have more than n frames.
  void initialise(const Rows& sample, Rng& rng) override;
  Metrics diagnose(const Rows& train, const Rows& valid, Rng& rng) override;
  Tensor filters() const override { return machine().filters(); }
  void check_data(const Tensor& x, const std::string& what, std::int64_t first_row = 0) const override;
  Options& options() override { return options_; }
  Options& learning() override { return learning_; }

  std::int64_t needed_rows() const override { return options_.order; }
  Tensor continue_sequences(const Rows& begun, std::int64_t steps, Rng& rng) const override;

  // Of every frame that has n frames before it in its sequence, in their order; rows without sequences are a
  // data error.
  GivenPairs pairs_of(const Rows& rows) const override;
  GivenPairs drawn_pairs(const Rows& rows, Rng& rng) const override;
  Tensor start_given(const Tensor& condition, const GivenBiases& given, Rng& rng) const override;
  // log p(v_t | u_t) of the same frames, [frames] float64, where it can be enumerated (can_enumerate).
  Tensor exact_frame_log_prob(const Rows& rows) const;

 private:
  std::vector<std::int64_t> frames_with_past(const Rows& rows) const;  // their numbers among the rows
  GivenPairs pairs_at(const Rows& rows, const std::vector<std::int64_t>& frames) const;
  Tensor last_frame(const Tensor& condition) const;  // v_{t-1}, [B, V]

  TemporalRbmOptions options_;
  TemporalRbmLearning learning_;
};

}  // namespace deepgen
