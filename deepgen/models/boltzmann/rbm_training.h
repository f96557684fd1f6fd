// The training step of the restricted Boltzmann machine (rbm.h): statistics of the data, of the model, and
// the gradient they make; of use to rbm*.cpp only.
#pragma once

#include "deepgen/models/boltzmann/rbm.h"
#include "deepgen/parts/couplings/centring.h"

namespace deepgen {

// Buffers that are kept between steps, so that a step allocates little. None is state: a step reads nothing
// of the one before.
struct RbmWorkspace {
  Tensor h_data, h_start;  // [B, H] mean of the hidden units under the data, and a sample (cd)
  Tensor h, v;             // [chains, H] and [chains, V] of the chains on their way
  Tensor dy;               // [V] <y>_model - <y>_data
  Centring centring;
};

// One step: fills the gradients of the machine's parameters.
class RbmStep {
 public:
  RbmStep(Rbm& rbm, const Turn& turn, Rng& rng);
  void run(const Tensor& v);  // [B, V], no cell missing

 private:
  bool centred() const { return rbm_.learning_.centring; }
  std::int64_t gibbs_steps() const;
  void data_phase(const Tensor& v);
  void follow_data();
  void chain_phase();  // cd and pcd
  void follow_memory(const Tensor& before, const Tensor& after);
  void tempered_phase();  // pt (rbm_tempering.cpp)
  Tensor swap_order(const Tensor& v, const Tensor& input);
  void exact_phase();  // rbm_exact.cpp
  void add_exact_means(Tensor yh, const Tensor& y, Tensor h);
  void add_model_statistics(const Tensor& y, const Tensor& h);
  void add_products(const Tensor& y, const Tensor& h, double share, double keep);
  void begin_variances(const Tensor& y);
  Tensor finish_variances();  // dz
  void finish_visible_bias();
  void add_sparsity();
  Tensor brake() const;
  Tensor coupled_offset() const;  // s mu

  Rbm& rbm_;
  RbmWorkspace& w_;
  const Turn& turn_;
  Rng& rng_;
  const NaturalParameters natural_;  // of the visible layer
  Tensor dw_, dh_;                   // gradients of W and c
  Tensor brake_;                     // [V], where Gaussian units are centred
  // Where z is learned: the data's part of its gradient, (b' - mu) / sigma, W lambda (all [V]) and <h>_model.
  Tensor dz_data_, rise_, w_lambda_, h_model_;
};

}  // namespace deepgen
