// Gated PixelCNN: each pixel given all before it in raster order, by one convolutional network.
//
//   p(x) = prod_i p(x_i | x_1 .. x_(i-1)),   pixels row by row from the upper left
//
// The network (parts/pixels/pixel_net.h) is the paper's: vertical and horizontal stacks of gated convolutions
// that see no later pixel. What it says of a pixel (parts/pixels/pixel_output.h): a logit for bits; of grey
// levels a mixture of discretised logistic densities, or a logit for each level. Values enter the network
// between -1 and 1, so that zero is what lies outside the picture. A case whose shape is no picture is one of
// a single row.
//
// Objective: the mean log-probability, exact; its gradient is written by hand. Samples are drawn pixel by
// pixel with what later pixels need kept (parts/pixels/cached_raster_scan.h): as many multiplications as one
// pass over the picture.
//
// Completion: cells missing after all known ones are drawn exactly. Otherwise a Metropolis chain: from a
// random missing cell on all missing cells are drawn anew by such a pass, the known ones clamped, and the
// proposal x' is accepted with probability
//
//   min(1, prod_(known k) p(x_k | x'_<k) / p(x_k | x_<k)),
//
// which leaves p(missing | known) unchanged.
//
// Differs from the paper: a residual connection in the vertical stack too (like the horizontal one's); 1x1
// layers with biases; Adam. Known to fail: log-probabilities of parts of a case are out of reach, so missing
// cells are refused in training and scoring; the chain hardly moves where much is known below what is
// missing.
//
// Sources: van den Oord, Kalchbrenner, Kavukcuoglu 2016, "Pixel recurrent neural networks", section 3; van
// den Oord, Kalchbrenner, Vinyals, Espeholt, Graves, Kavukcuoglu 2016, "Conditional image generation with
// PixelCNN decoders", section 2; Ramachandran, Le Paine, Khorrami and others 2017, "Fast generation for
// convolutional autoregressive models" (what is kept).
#pragma once

#include "deepgen/model/capabilities.h"
#include "deepgen/models/autoregressive/pixelcnn_options.h"
#include "deepgen/parts/pixels/pixel_net.h"
#include "deepgen/parts/pixels/pixel_output.h"

namespace deepgen {

class PixelCnn : public Model,
                 public HasGradients,
                 public HasLogProb,
                 public CanSample,
                 public HasChain,
                 public CanClamp {
 public:
  // Of cases of shape {height, width}, {1, height, width} or {columns} with binary or grey values.
  PixelCnn(PixelCnnOptions options, PixelCnnLearning learning, const DataShape& data)
      : PixelCnn(std::move(options), std::move(learning), data, 0) {}

  Metrics gradients(const Rows& batch, const Turn& turn, Rng& rng) override;
  void initialise(const Rows& sample, Rng& rng) override;
  void check_data(const Tensor& x, const std::string& what, std::int64_t first_row = 0) const override;
  bool decays(const std::string& name, const Tensor& parameter) const override {
    return !name.ends_with("class_bias") && Model::decays(name, parameter);
  }

  Tensor sample(std::int64_t count, Rng& rng) const override;
  Tensor log_prob(const Rows& rows) const override;  // [B] float64; no missing cells

  Tensor chain_start(std::int64_t chains, Rng& rng) const override { return sample(chains, rng); }
  Tensor chain_steps(const Tensor& x, std::int64_t steps, Rng& rng) const override;  // new samples
  Tensor chain_mean(const Tensor& x, Rng& rng) const override;  // of each pixel given those before it
  Tensor clamped_steps(const Tensor& x, std::int64_t steps, const Tensor& known, Rng& rng) const override;

  Options& options() override { return options_; }
  Options& learning() override { return learning_; }
  const PixelNet& net() const { return *net_; }

  // Outputs of the network for every pixel of x [B, D]: [B, D, outputs]; labels [B] where there are classes.
  Tensor outputs(const Tensor& x, const Tensor& labels = {}) const;

 protected:
  // Given one of `classes` labels; 0: there are none, whatever the data have.
  PixelCnn(PixelCnnOptions options, PixelCnnLearning learning, const DataShape& data, std::int64_t classes);

  // Pixels in raster order: those of `kept` [B, D] stay as they are in x, the others are drawn at the
  // quantiles u [B, D]. log_known [B] float64: sum over `known` [B, D] of their log-probability given what is
  // before.
  struct Drawn {
    Tensor x, log_known;
  };
  Drawn draw(const Tensor& x, const Tensor& labels, const Tensor& kept, const Tensor& known,
             const Tensor& u) const;
  Tensor draw_all(std::int64_t count, const Tensor& labels, Rng& rng) const;
  // Sum over the counted cells [B, D] (undefined: all) of their log-probability given what is before them.
  Tensor log_prob_of(const Tensor& x, const Tensor& labels, const Tensor& counted) const;
  Tensor mean_given(const Tensor& x, const Tensor& labels) const;
  // `steps` Metropolis transitions given the labels.
  Tensor move(Tensor x, const Tensor& labels, std::int64_t steps, const Tensor& known, Rng& rng) const;

  PixelCnnOptions options_;
  PixelCnnLearning learning_;
  std::unique_ptr<PixelOutput> pixels_;
  std::shared_ptr<PixelNet> net_;
};

// Of each row of known [B, D] (bool): the places of its missing cells, and whether all known ones come
// before.
struct RasterGaps {
  explicit RasterGaps(const Tensor& known);
  std::vector<std::vector<std::int64_t>> missing;
  std::vector<bool> at_the_end;
  bool all_at_the_end() const;
};

}  // namespace deepgen
