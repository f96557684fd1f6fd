// Two neighbouring layers of a deep Boltzmann machine (dbm.h) as they are learned alone, before all layers
// are joined; of use to dbm*.cpp only, and to their tests.
//
// In the whole machine an inner layer hears of the data from below and from above. A machine that is learned
// alone has one side only, which counts twice in place of the one that is not there:
//
//   E = -sum_c b.v^c - sum_d c.h^d - k sum_c,d v^c W h^d
//
// over copies v^c of the lower layer and h^d of the upper one, which share their parameters:
//
//   bottom    two copies of v,  one of h,   k = 1
//   between   one of v,         one of h,   k = 2
//   top       one of v,         two of h,   k = 1.
//
// Given all copies of the other side those of a layer are independent and alike:
//
//   p(h_j = 1 | v^1, ...) = sigmoid(c_j + k sum_c,i v^c_i W_ij)
//   p(v_i = 1 | h^1, ...) = sigmoid(b_i + k sum_d,j W_ij h^d_j).
//
// Half of what each machine says of a layer, put together, is what the layers of the whole machine say of it,
// its bias being the mean of the two that it has as an upper and as a lower layer.
//
// Source: Salakhutdinov and Hinton 2009, "Deep Boltzmann machines", section 3.2.
#pragma once

#include "deepgen/core/rng.h"
#include "deepgen/core/torch.h"

namespace deepgen {

struct DoubledMachine {
  Tensor weights, lower_bias, upper_bias;  // W [N, M], b [N], c [M]
  bool bottom = false, top = false;

  std::int64_t lower_copies() const { return bottom ? 2 : 1; }
  std::int64_t upper_copies() const { return top ? 2 : 1; }
  double strength() const { return bottom || top ? 1 : 2; }  // k
  // How often a unit of the upper (lower) layer counts what one of the other is, all copies of which agree.
  double weight_upwards() const { return strength() * static_cast<double>(lower_copies()); }
  double weight_downwards() const { return strength() * static_cast<double>(upper_copies()); }

  // What a layer receives, without k and its bias, from the sums over the copies of the other: [B, M], [B,
  // N].
  Tensor input_to_upper(const Tensor& lower_sum) const;
  Tensor input_to_lower(const Tensor& upper_sum) const;
  // Of such an input: the means of each copy, or the sum of a draw of every copy.
  Tensor upper_means(const Tensor& input) const;
  Tensor lower_means(const Tensor& input) const;
  Tensor draw_upper(const Tensor& input, Rng& rng) const;
  Tensor draw_lower(const Tensor& input, Rng& rng) const;
};

}  // namespace deepgen
