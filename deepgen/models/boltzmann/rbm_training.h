// The training step of the restricted Boltzmann machine (rbm.h): statistics of the data, of the model, and
// the gradient they make; of use to rbm*.cpp only.
#pragma once

#include <functional>

#include "deepgen/models/boltzmann/rbm.h"
#include "deepgen/parts/couplings/centring.h"

namespace deepgen {

// Buffers that are kept between steps, so that a step allocates little. None is state: a step reads nothing
// of the one before.
struct RbmWorkspace {
  Tensor h_data, h_start;  // [B, H] mean of the hidden units under the data, and a sample (cd)
  Tensor h, v;             // [chains, H] and [chains, V] of the chains on their way
  Tensor dy;               // [V] <y>_model - <y>_data
  Tensor driven;           // [V, H] weights plus fast weights (fpcd)
  Centring centring;
};

// What chains move under: the machine, with fast weights or at an earlier time.
struct LevelMachine {
  DenseCoupling coupling;
  NaturalParameters visible, hidden;

  Tensor coupled(const Tensor& v) const { return visible.couple.defined() ? v * visible.couple : v; }
};

// One step: fills the gradients of the machine's parameters.
class RbmStep {
 public:
  RbmStep(Rbm& rbm, const Turn& turn, Rng& rng);
  Metrics run(const Tensor& v);  // [B, V], no cell missing

 private:
  bool centred() const { return rbm_.learning_.centring; }
  std::int64_t gibbs_steps() const;
  Tensor data_means(const Tensor& v);  // y
  void data_phase(const Tensor& v);
  void follow_data();
  void chain_phase();            // cd, pcd and fpcd
  LevelMachine chain_machine();  // rbm_fast_weights.cpp, as what follows
  void learn_fast_weights();
  void follow_memory(const Tensor& before, const Tensor& after);
  void tempered_phase();                                       // pt (rbm_tempering.cpp)
  using LogRatio = std::function<Tensor(std::int64_t level)>;  // of a swap of level and level + 1, [chains]
  Tensor swap_order(std::int64_t levels, double memory, const LogRatio& log_ratio);
  void trajectory_phase();  // rbm_trajectory.cpp
  LevelMachine trajectory_machine(std::int64_t t) const;
  Tensor log_unnormalised(const LevelMachine& machine, const Tensor& v) const;
  void begin_trajectory();
  void renew_snapshots();
  double matching_phase(const Tensor& v);  // rbm_matching.cpp; the objective
  double ratio_matching(const Tensor& v, Tensor& db);
  double score_matching(const Tensor& y, Tensor& db, Tensor& dz);
  void centre_gradient(Tensor& db, Tensor& dz);
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
