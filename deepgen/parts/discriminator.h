// A network that tells real rows from generated ones: dense layers, the last of them one logit.
//
//   maxout  h_i = max over k of (x W + b)_ik      (Goodfellow et al. 2013, "Maxout networks")
//
// Dropout leaves out each input or hidden unit with its share and divides the others by what is kept, so that
// nothing is scaled when it is off (Srivastava et al. 2014).
#pragma once

#include "deepgen/parts/nets.h"

namespace deepgen {

class Discriminator : public torch::nn::Module {
 public:
  // `activation`: "maxout", with `pieces` linear functions a unit, or a name of activation_names.
  Discriminator(std::int64_t in, const std::vector<std::int64_t>& sizes, const std::string& activation,
                std::int64_t pieces);
  void initialise(Rng& rng);
  // x [B, in] -> [B, 1]. `frozen`: gradients flow to x and not to the parameters.
  Tensor forward(Tensor x, const Dropout& dropout = {}, bool frozen = false) const;

 private:
  Tensor layer(std::size_t number, const Tensor& x, bool frozen) const;
  std::vector<std::shared_ptr<DenseLayer>> layers_;
  Activation activation_;
  std::int64_t pieces_;  // 1: no maxout
};

// x with each number set to zero with probability `share`, and the others divided by 1 - share.
Tensor drop_out(const Tensor& x, double share, Rng& rng);

}  // namespace deepgen
