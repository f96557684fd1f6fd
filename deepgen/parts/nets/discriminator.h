// A network that tells real rows from generated ones: dense layers, the last of them one logit.
//
//   plain    h = f(x W + b)
//   maxout   h_i = max_k (x W_k + b_k)_i      (Goodfellow et al. 2013, "Maxout networks")
#pragma once

#include "deepgen/parts/nets/nets.h"

namespace deepgen {

class Discriminator : public torch::nn::Module {
 public:
  // `activation`: "maxout", with `pieces` linear functions a unit, or a name of activation_names.
  Discriminator(std::int64_t in, const std::vector<std::int64_t>& sizes, const std::string& activation,
                std::int64_t pieces);
  void initialise(Rng& rng);
  // x [B, in] -> [B, 1]. `frozen`: gradients flow to x and not to the parameters. `beside` [B, n]: columns of
  // the input after those of x, which has n fewer then, and never left out: a condition.
  Tensor forward(Tensor x, const Dropout& dropout = {}, bool frozen = false, const Tensor& beside = {}) const;

 private:
  Tensor layer(std::size_t number, const Tensor& x, bool frozen) const;
  std::vector<std::shared_ptr<DenseLayer>> layers_;
  std::int64_t pieces_;  // 1: no maxout
};

}  // namespace deepgen
