// Networks of dense layers, as models use them: deterministic parts whose parameters the optimiser sees.
//
//   plain   h_l = f(h_(l-1) W_l + b_l)
//   gated   h_l = (h_(l-1) W_l + b_l) * sigmoid(h_(l-1) V_l + c_l)       (Dauphin et al. 2017, eq. 1)
//
// Weights begin uniform with the variance that keeps the layers' scale, biases at zero:
//
//   2 / (in + out)    (Glorot and Bengio 2010),
//   2 / in            before rectifiers (He et al. 2015).
#pragma once

#include <string>
#include <vector>

#include "deepgen/core/rng.h"
#include "deepgen/ops/layers.h"

namespace deepgen {

// One layer: f(x W + b).
class DenseLayer : public torch::nn::Module {
 public:
  DenseLayer(std::int64_t in, std::int64_t out, Activation f = Activation::identity);
  void initialise(Rng& rng);  // the weights anew, the bias zero
  // [B, in] -> [B, out]; frozen: gradients flow to x alone.
  Tensor forward(const Tensor& x, bool frozen = false) const {
    return frozen ? dense(x, weight.detach(), bias.detach(), activation_)
                  : dense(x, weight, bias, activation_);
  }

  Tensor weight, bias;  // [in, out], [out]

 private:
  Activation activation_;
};

// Hidden layers of these sizes, each followed by f (or gated), and no output layer: that is the model's.
class Mlp : public torch::nn::Module {
 public:
  // `activation`: a name of activation_names, or "gated".
  Mlp(std::int64_t in, std::vector<std::int64_t> sizes, const std::string& activation);
  void initialise(Rng& rng);
  Tensor forward(Tensor x, bool frozen = false) const;  // [B, in] -> [B, out()]; without layers, x itself
  std::int64_t out() const { return out_; }
  const std::vector<std::shared_ptr<DenseLayer>>& layers() const { return layers_; }

 private:
  std::vector<std::shared_ptr<DenseLayer>> layers_, gates_;
  std::int64_t out_;
};

// What training adds: units of the input and of hidden layers are left out with these probabilities and the
// others made larger, so that sums keep their mean and nothing is scaled when it is off (Srivastava et al.
// 2014).
struct Dropout {
  double input = 0, hidden = 0;  // shares left out
  Rng* rng = nullptr;            // null: off
};

// x [B, N] with this share of its cells left out; x itself where the share is 0.
Tensor dropped(const Tensor& x, double share, Rng& rng);

// Fills .grad of these parameters with the gradient of `loss` (a scalar): what HasGradients::gradients owes.
// What does not touch the loss gets zero.
void fill_gradients(const Tensor& loss, const std::vector<Tensor>& parameters);

// The mean of all values, a scalar: what losses end in. Its bits do not depend on the number of threads.
Tensor ordered_mean(const Tensor& values);
// The root of the sum of the squares of all values; of equal bits likewise.
double ordered_norm(const Tensor& values);

// Uniform in [-limit, limit], in place.
void fill_uniform(Tensor& parameter, double limit, Rng& rng);

}  // namespace deepgen
