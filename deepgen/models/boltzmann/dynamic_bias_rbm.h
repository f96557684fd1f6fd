// A restricted Boltzmann machine whose biases come from a condition: what conditional_rbm.h and
// temporal_rbm.h have in common. No model of the registry.
//
// With the condition u [K], the machine of v and h is that of rbm.h with binary h and
//
//   b(u) = b + u A       A [K, V]
//   c(u) = c + u B       B [K, H]
//
// in place of b and c; so
//
//   p(v, h | u) = exp(-E(v, h | u)) / Z(u)
//   E(v, h | u) = E_v(v; b(u)) - c(u).h - y W h,   y = s * v
//   F(v | u)    = E_v(v; b(u)) - sum_j softplus(c_j(u) + (y W)_j).
//
// Every condition has a Z of its own. With A = B = 0 it is the plain machine.
//
// The gradient of the mean of log p(v | u): with the means of each row under its own model,
//
//   d / dW = <y h>_data - <y h>_model
//   d / dA = <u r>,   r = v_data - v_model      (Gaussian: / sigma^2),   d / db = <r>
//   d / dB = <u q>,   q = h_data - h_model,                              d / dc = <q>
//   d / dz = (<(v - b(u))^2 / sigma^2 - y W h>_data - <1 - b(u) / sigma W h>_model) / 2   (Gaussian).
//
// The model's means come from k Gibbs steps begun at the data, row by row (cd), or from enumeration (exact).
// Chains that persist would have to belong to one condition each, so there are none.
//
// log Z(u) is exact where h, or v if it is binary, has at most 12 units; else by annealed importance sampling
// row by row along
//
//   E_beta(v, h | u) = E_v(v; b(u)) - c(u).h - beta y W h
//
// from beta = 0, where the units are independent.
//
// Sources: Taylor, Hinton, Roweis 2006, "Modeling human motion using binary latent variables", section 3;
// Mnih, Larochelle, Hinton 2011, "Conditional restricted Boltzmann machines for structured output
// prediction"; Neal 2001, "Annealed importance sampling".
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "deepgen/model/capabilities.h"
#include "deepgen/models/boltzmann/dynamic_bias_options.h"
#include "deepgen/models/boltzmann/rbm.h"

namespace deepgen {

// Rows of what is given and of what is modelled.
struct GivenPairs {
  Tensor condition, v;  // u [B, K], v [B, V]

  std::int64_t size() const { return v.size(0); }
};

// The machines that conditions make, one for each row.
struct GivenBiases {
  Tensor centre;              // b(u) [B, V]
  NaturalParameters visible;  // theta [B, V]
  NaturalParameters hidden;   // c(u) [B, H]
};

// Of each row under the data or its own machine, and the products summed over the rows.
struct GivenMoments {
  Tensor v, h, products;  // <v> [B, V], <h> [B, H], sum of <y h> [V, H]
};

class DynamicBiasRbm : public Model, public HasGradients {
 public:
  static constexpr std::int64_t most_exact_units = 12;

  DynamicBiasRbm(const DynamicBiasOptions& options, const DynamicBiasLearning& learning, UnitLayer visible,
                 std::int64_t condition_columns);

  // What the machine sees of rows.
  virtual GivenPairs pairs_of(const Rows& rows) const = 0;
  // The same for an update, which may take some of them.
  virtual GivenPairs drawn_pairs(const Rows& rows, Rng&) const { return pairs_of(rows); }
  // Where a chain of v begins that knows the condition alone, [B, V].
  virtual Tensor start_given(const Tensor& condition, const GivenBiases& given, Rng& rng) const = 0;

  // Training (dynamic_bias_training.cpp). A and B begin at zero, the rest as in the plain machine.
  Metrics gradients(const Rows& batch, const Turn& turn, Rng& rng) override;
  void initialise(const Rows& sample, Rng& rng) override;
  void project(const Turn& turn) override { machine_->project(turn); }
  Metrics diagnose(const Rows& train, const Rows& valid, Rng& rng) override;

  // Chains.
  GivenBiases biases_given(const Tensor& condition) const;
  // `steps` Gibbs steps of every row of v; where `known` [B, V] bool is defined and true the value stays.
  Tensor gibbs_given(const GivenBiases& given, const Tensor& v, std::int64_t steps, const Tensor& known,
                     Rng& rng) const;
  // The mean of v given a draw of h given v.
  Tensor mean_given(const GivenBiases& given, const Tensor& v, Rng& rng) const;

  // Scores, [B] float64, nats.
  Tensor free_energy_given(const GivenBiases& given, const Tensor& v) const;
  bool can_enumerate() const { return exact_units() <= most_exact_units; }
  // Where it can be enumerated (dynamic_bias_exact.cpp).
  Tensor exact_log_partition_given(const GivenBiases& given) const;
  GivenMoments exact_moments_given(const GivenBiases& given) const;
  // The log of an unbiased estimate of Z(u) from `chains` chains of `steps` temperatures a row.
  Tensor annealed_log_partition_given(const GivenBiases& given, std::int64_t chains, std::int64_t steps,
                                      Rng& rng) const;

  const Rbm& machine() const { return *machine_; }  // with b and c
  Rbm& machine() { return *machine_; }
  const UnitLayer& visible_layer() const { return machine_->visible_layer(); }
  Tensor to_visible, to_hidden;  // A [K, V], B [K, H]

 protected:
  // Mean over rows and columns of the squared difference of two [B, V]: the same on any number of threads.
  static double mean_square(const Tensor& a, const Tensor& b);

 private:
  bool enumerates_hidden() const;
  std::int64_t exact_units() const;
  Tensor coupled_input(const Tensor& v) const;  // y W, [B, H]
  GivenMoments moments_at(const Tensor& v, const Tensor& h) const;
  GivenMoments chain_moments(const GivenBiases& given, const Tensor& h, Rng& rng) const;
  void write_gradients(const GivenPairs& pairs, const GivenBiases& given, const GivenMoments& data,
                       const GivenMoments& model);
  void write_variances(const GivenBiases& given, const GivenMoments& data, const GivenMoments& model);
  void add_metrics(const GivenPairs& pairs, const std::string& part, Metrics& metrics, Rng& rng) const;

  const bool exact_learning_, fixed_variance_;
  const std::int64_t learning_steps_;
  std::shared_ptr<Rbm> machine_;
};

}  // namespace deepgen
