// What is seen of a restricted Boltzmann machine (rbm.h) while it trains, and whether it has diverged; of use
// to rbm*.cpp only.
#pragma once

#include "deepgen/models/boltzmann/rbm.h"

namespace deepgen {

class RbmDiagnosis {
 public:
  // A line of the learning curve; remembers what `diverged` compares it with.
  Metrics of(const Rbm& rbm, const Rows& train, const Rows& valid, Rng& rng);
  // Why training has diverged by that line, or "".
  std::string diverged(const Metrics& line, std::int64_t visible) const;

 private:
  void judge(const Rbm& rbm, const Tensor& few, Metrics& metrics, Rng& rng);

  double base_log_prob_ = 0;   // mean of the last rows under the base-rate model
  double rough_log_prob_ = 0;  // of the same rows under the machine, by rough_log_partition
};

}  // namespace deepgen
