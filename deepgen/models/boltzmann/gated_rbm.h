// The gated (factored three-way) restricted Boltzmann machine: hidden units that say how two parts of a case
// belong together, as a picture and the same picture moved.
//
// A case v is the pair of x, its first columns, and y, the others; m are the means of the training data. With
//
//   f(x) = U'(x - m_x),   g(y) = V'(y - m_y)      the answers of F filters of either part
//   t_k = c_k + sum_f f_f g_f W_fk                what a mapping unit receives
//
// the energy is
//
//   E(x, y, h) = -b.v - log base(v) - c.h - sum_f f_f(x) g_f(y) (W h)_f
//   p(x, y, h) = exp(-E) / Z.
//
// Given two of x, y and h the third is a layer of independent units:
//
//   p(h_k = 1 | x, y) = sigmoid(t_k)
//   p(x | y, h):  activation b_x + U (g (W h))
//   p(y | x, h):  activation b_y + V (f (W h)),
//
// and with h summed out F(v) = -b.v - log base(v) - sum_k softplus(t_k). The products let h see relations of
// pixels and not the pixels themselves: which mapping units are on says how y came from x, whatever x is.
//
// Objective: log p(x, y) (joint) or log p(y | x) (conditional), d log p = <d(-F)>_data - <d(-F)>_model with
// s = sigmoid(t) and r = W s:
//
//   d(-F)/dU = (x - m_x) (g r)'
//   d(-F)/dV = (y - m_y) (f r)'
//   d(-F)/dW = (f g) s'
//   d(-F)/dc = s
//   d(-F)/db = v.
//
// The model's means come from Gibbs steps (h | x y, x | y h, y | x h) begun at the data (cd) or at chains
// that persist (pcd); under the conditional objective x is held at the data's.
//
// Gauge: F does not change when U_f, V_f and W_f are multiplied by numbers whose product is 1; after each
// update the three have the same length.
//
// y given x, or x given y, is drawn by completing a case whose other part is missing. Missing cells of the
// training rows are filled by gap_steps Gibbs steps that clamp the known cells.
//
// Likelihood, of the pair: exact by enumeration of at most 25 binary columns, otherwise by annealed
// importance sampling along (1 - beta) E_0 + beta E from independent units at the moments of the training
// data. Scores are computed in float64: products of three weights leave few digits of float32.
//
// Known to fail: with the conditional objective the machine learns nothing of p(x), so its joint scores and
// free chains mean nothing. The weights begin near a saddle (all three factors zero), so too small a
// weight_scale learns nothing for long.
//
// Sources: Memisevic and Hinton 2007, "Unsupervised learning of image transformations"; Memisevic and Hinton
// 2010, "Learning to represent spatial transformations with factored higher-order Boltzmann machines", eq.
// 7-17; Susskind, Memisevic, Hinton, Pollefeys 2011, "Modeling the joint density of two images under a
// variety of transformations" (the joint machine).
#pragma once

#include <memory>
#include <string>

#include "deepgen/model/capabilities.h"
#include "deepgen/models/boltzmann/gated_rbm_options.h"
#include "deepgen/parts/units/unit_layer.h"

namespace deepgen {

class GatedRbm : public Model,
                 public HasGradients,
                 public HasFreeEnergy,
                 public HasLogPartition,
                 public HasChain,
                 public CanClamp,
                 public CanAnneal,
                 public CanEncode {
 public:
  GatedRbm(GatedRbmOptions options, GatedRbmLearning learning, const DataShape& data);

  // Training.
  Metrics gradients(const Rows& batch, const Turn& turn, Rng& rng) override;
  void initialise(const Rows& sample, Rng& rng) override;
  void project(const Turn& turn) override;  // gauge
  Metrics diagnose(const Rows& train, const Rows& valid, Rng& rng) override;
  std::string diverged(const Metrics& diagnosis) const override;
  bool decays(const std::string& parameter_name, const Tensor& parameter) const override;
  Tensor filters() const override;  // [F, D]: U_f beside V_f
  void check_data(const Tensor& x, const std::string& what, std::int64_t first_row = 0) const override;
  Options& options() override { return options_; }
  Options& learning() override { return learning_; }

  // Scores.
  Tensor free_energy(const Rows& rows) const override;
  std::optional<Tensor> marginal_free_energy(const Rows& rows) const override;  // complete rows only
  std::int64_t enumeration_units() const override;  // the columns, where all are binary
  std::optional<double> exact_log_partition() const override;

  // Chains.
  Tensor chain_start(std::int64_t count, Rng& rng) const override;
  Tensor chain_steps(const Tensor& v, std::int64_t steps, Rng& rng) const override;
  Tensor clamped_steps(const Tensor& v, std::int64_t steps, const Tensor& known, Rng& rng) const override;
  Tensor chain_mean(const Tensor& v, Rng& rng) const override;
  double log_base_partition() const override;
  Tensor log_base_partition_given(const Tensor& x) const override;
  std::unique_ptr<AnnealedChains> anneal_from_base(std::int64_t count, Rng& rng) const override;
  std::unique_ptr<AnnealedChains> anneal_from(const Tensor& v) const override;
  std::unique_ptr<AnnealedChains> anneal_given(const Tensor& x, Rng& rng) const override;

  // Features: the means of the mapping units.
  Tensor encode(const Rows& rows) const override;

  // t of rows v [B, D] float32 or, for scores, float64; the answer is of the same type, [B, K].
  Tensor mapping_input(const Tensor& v) const;
  // Draws of x given y and h, then of y given that x and h; v [B, D] float32 says y, and both where `known`
  // [B, D] (or undefined) is true. mean: of the two distributions.
  struct VisibleDraw {
    Tensor sample, mean;  // [B, D] each
  };
  VisibleDraw draw_visible(const Tensor& v, const Tensor& h, double beta, const Tensor& known,
                           Rng& rng) const;
  Tensor base_activation() const;  // [D]

  std::int64_t columns() const { return visible_bias.size(0); }
  std::int64_t first() const { return input_factors.size(0); }
  std::int64_t mappings() const { return mapping_bias.size(0); }
  const UnitLayer& visible_layer() const { return visible_units_; }

  Tensor input_factors, output_factors;  // U [X, F], V [Y, F]
  Tensor mapping_factors, mapping_bias;  // W [F, K], c [K]
  Tensor visible_bias;                   // b [D]
  Tensor data_mean;                      // m [D], smoothed
  Tensor chains;                         // [chains, D] (pcd)

 private:
  struct Answers {
    Tensor x, y, f, g;  // less their means [B, X], [B, Y]; of the filters, [B, F] each
  };
  Answers answers(const Tensor& v) const;
  Tensor centred_part(const Tensor& v, bool of_first) const;  // x - m_x or y - m_y
  // To the gradients: share times the sum over the rows of d(-F).
  void add_statistics(const Tensor& v, double share);
  Tensor first_part_known(std::int64_t rows) const;  // [rows, D] bool

  GatedRbmOptions options_;
  GatedRbmLearning learning_;
  UnitLayer visible_units_, first_units_, second_units_;
};

}  // namespace deepgen
