// RNADE, the real-valued NADE: each column is a mixture of Gaussians given the columns before it.
//
//   z = (x - mean) / deviation,   of the training columns
//   p(z) = prod_i sum_k pi_ik N(z_i; mu_ik, s_ik^2),   i = 0 .. D - 1
//   pi_i = softmax(U_i h_i + u_i)
//   mu_i = V_i h_i + v_i
//   s_i = floor + softplus(S_i h_i + t_i)
//   h_i = max(0, (c + sum_(j<i) z_j w_j) / sqrt(i + 1))
//   log p(x) = log p(z) - sum_i log deviation_i
//
// Objective: the mean log-density, exact. Gradients come from automatic differentiation. Sampled column by
// column: a component, then a normal number.
//
// Differs from the paper: the activations are divided by sqrt(i + 1) in place of a learnt factor for each
// column; deviations have a floor in place of early stopping alone; Adam.
//
// Known to fail: columns that repeat a few values end at the floor of the deviations, and their density says
// more of the floor than of the data; small tables are learnt by heart without decay or patience.
//
// Source: Uria, Murray, Larochelle 2013, "RNADE: the real-valued neural autoregressive density-estimator",
// equations 4 to 8.
#pragma once

#include "deepgen/models/autoregressive/autoregressive.h"
#include "deepgen/models/autoregressive/rnade_options.h"

namespace deepgen {

class Rnade : public Autoregressive {
 public:
  Rnade(RnadeOptions options, NoOptions learning, const DataShape& data);

  void initialise(const Rows& sample, Rng& rng) override;
  Metrics gradients(const Rows& batch, const Turn& turn, Rng& rng) override;
  bool decays(const std::string& name, const Tensor& parameter) const override {
    return name != "output_bias" && Model::decays(name, parameter);
  }
  void check_data(const Tensor& x, const std::string& what, std::int64_t first_row = 0) const override;

  Tensor log_prob(const Rows& rows) const override;  // [B] float64

  Options& options() override { return options_; }
  Options& learning() override { return learning_; }

 protected:
  Draw draw(const Tensor& x, const Tensor& held, Rng& rng) const override;
  std::vector<std::int64_t> order() const override { return natural_order(columns_); }

 private:
  // The mixture of column i, [B, K] each.
  struct Conditional {
    Tensor log_weight, mean, deviation;
  };
  // The parameters column by column, cut up once: a cut in each step would have a gradient of full size each.
  struct Slices {
    std::vector<Tensor> weight, output_weight, output_bias;  // [H], [H, 3 K], [3 K] of each column
  };
  Slices slices() const;
  // a [B, H], what the hidden units receive: c at first, and then column after column of z [B, D] more.
  Tensor first_input(std::int64_t rows) const;
  Tensor with_column(const Slices& of, const Tensor& a, const Tensor& z, std::int64_t i) const;
  Conditional conditional(const Slices& of, const Tensor& a, std::int64_t i) const;
  Tensor log_densities(const Tensor& x) const;  // of each column, [B, D] float64
  std::int64_t columns_;
  RnadeOptions options_;
  NoOptions learning_;
  Tensor weight_, bias_;                // w [D, H], c [H]
  Tensor output_weight_, output_bias_;  // U, V, S: [D, H, 3 K]; u, v, t: [D, 3 K]
  Tensor mean_, deviation_;             // [D], of the training columns
};

}  // namespace deepgen
