// A small network that tells classes apart, trained for an evaluation: the judge of conditional samples and
// of two-sample tests.
//
//   log p(c | x) = log softmax(h(x) W + b),   h of dense layers with dropout (discriminator.h)
//
// Trained by Adam with a rate that falls to zero in a line, for a fixed number of epochs: nothing is chosen
// on the rows that are judged. Equal rng, equal network, on any number of threads.
#pragma once

#include <memory>
#include <vector>

#include "deepgen/core/observer.h"
#include "deepgen/model/model.h"
#include "deepgen/parts/nets/nets.h"

namespace deepgen {

struct NetworkPlan {
  std::vector<std::int64_t> hidden = {400, 200};
  std::int64_t epochs = 8, batch = 100;
  double rate = 1e-3, input_dropout = 0.1, hidden_dropout = 0.3;
};

class NetworkClassifier {
 public:
  // Learns from x [N, D] float32 and labels y [N] int64 in 0 .. classes - 1. Interruptible.
  NetworkClassifier(const Tensor& x, const Tensor& y, std::int64_t classes, const NetworkPlan& plan, Rng& rng,
                    Observer& observer);
  Tensor logits(const Tensor& x) const;   // [B, D] -> [B, classes]
  Tensor predict(const Tensor& x) const;  // the most probable class, [B] int64

 private:
  class Network;
  std::shared_ptr<Network> network_;
};

}  // namespace deepgen
