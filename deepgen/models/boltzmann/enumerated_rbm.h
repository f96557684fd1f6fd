// A small binary restricted Boltzmann machine (rbm.h) as tables over all states of its layers, in float64: what
// it computes has no sampling noise. For study, and as an oracle; no model of the registry.
//
// State number s of a layer has unit i on where bit i of s is one. With
//
//   up(v, h)   = p(h | v)
//   down(h, v) = p(v | h)
//
// one Gibbs step from the visible units to themselves is the kernel
//
//   T = up down,   T(v, v') = sum_h p(h | v) p(v' | h).
//
// It leaves p(v) as it is, is reversible, and similar to a positive matrix:
//
//   diag(p)^1/2 T diag(p)^-1/2 = M M',   M(v, h) = p(v, h) / sqrt(p(v) p(h)).
//
// So its eigenvalues lie in [0, 1]. The first is 1, and the second, lambda, says how fast it forgets where it
// began: of a function f with mean 0 under the model
//
//   sqrt(<(T^k f)^2>) <= lambda^k sqrt(<f^2>),
//
// with equality for the second eigenvector. sqrt(lambda) is the largest correlation that any function of v has
// with any function of h.
//
// Source: Hinton 2002, "Training products of experts by minimizing contrastive divergence".
#pragma once

#include "deepgen/core/torch.h"

namespace deepgen {

// <v h> [N, M], <v> [N], <h> [M] under some distribution, or differences of such.
struct RbmMoments {
  Tensor products, visible, hidden;

  RbmMoments operator-(const RbmMoments& other) const {
    return {products - other.products, visible - other.visible, hidden - other.hidden};
  }
  RbmMoments operator+(const RbmMoments& other) const {
    return {products + other.products, visible + other.visible, hidden + other.hidden};
  }
  // The same of the machine whose layers have changed places.
  RbmMoments transposed() const { return {products.t(), hidden, visible}; }
  Tensor flat() const;  // all of them in a row
};

class EnumeratedRbm {
 public:
  static constexpr std::int64_t most_units = 10;  // of a layer: tables of 2^20 numbers

  // W [N, M], b [N], c [M].
  EnumeratedRbm(const Tensor& weights, const Tensor& visible_bias, const Tensor& hidden_bias);

  std::int64_t visible() const { return weights_.size(0); }
  std::int64_t hidden() const { return weights_.size(1); }
  const Tensor& weights() const { return weights_; }
  const Tensor& visible_bias() const { return visible_bias_; }
  const Tensor& hidden_bias() const { return hidden_bias_; }
  // The machine whose layers have changed places: W', c, b.
  EnumeratedRbm transposed() const { return {weights_.t(), hidden_bias_, visible_bias_}; }

  const Tensor& up() const { return up_; }                          // p(h | v) [2^N, 2^M]
  const Tensor& down() const { return down_; }                      // p(v | h) [2^M, 2^N]
  const Tensor& log_p_visible() const { return log_p_visible_; }    // log p(v) [2^N]
  Tensor p_visible() const { return log_p_visible_.exp(); }         // p(v) [2^N]
  Tensor p_hidden() const;                                          // p(h) [2^M]
  const Tensor& visible_states() const { return visible_states_; }  // [2^N, N]
  const Tensor& hidden_states() const { return hidden_states_; }    // [2^M, M]
  const Tensor& visible_means() const { return visible_means_; }    // <v> given each h, [2^M, N]
  const Tensor& hidden_means() const { return hidden_means_; }      // <h> given each v, [2^N, M]

  // From a distribution of v, [2^N], to that after k Gibbs steps.
  Tensor after_steps(const Tensor& p, std::int64_t steps) const;
  // Of v from a distribution, [2^N], and h given it.
  RbmMoments moments(const Tensor& p) const;
  RbmMoments model_moments() const { return moments(p_visible()); }
  // lambda, by power iteration beside the first eigenvector; where the third eigenvalue is close, a little less.
  double second_eigenvalue() const;

 private:
  Tensor weights_, visible_bias_, hidden_bias_;
  Tensor visible_states_, hidden_states_, visible_means_, hidden_means_;
  Tensor up_, down_, log_p_visible_;
};

// The distribution of the rows x [B, N] of bits over the 2^N states, each row alike: [2^N].
Tensor state_shares(const Tensor& x);

}  // namespace deepgen
