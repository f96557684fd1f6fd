// Annealed importance sampling: estimates of log Z from both sides.
//
//   forward   x ~ p_0 (known Z), weights w = prod_k p*_{b_k}(x_k) / p*_{b_{k-1}}(x_k):  E[w] = Z_1 / Z_0
//   reverse   x ~ p_1 (the model), the same path backwards:                            E[w] = Z_0 / Z_1
//
// Both are unbiased for a ratio, not for its logarithm: by Jensen's inequality the forward estimate of log Z
// is too low on average (and never above log Z by more than t nats with probability over exp(-t)), the
// reverse one too high if its first states are true samples of the model. Ours come from long chains begun at
// data, so the upper side is as good as these chains. Log-likelihood = -F - log Z: the forward run gives its
// upper, the reverse its lower end.
//
// Sources: Neal 2001, "Annealed importance sampling"; Salakhutdinov and Murray 2008, section 3 (the schedule
// of 14,500 temperatures); Burda, Grosse, Salakhutdinov 2015 and Grosse, Ghahramani, Adams 2015 (reverse
// runs, bounds).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "deepgen/core/observer.h"
#include "deepgen/core/rng.h"
#include "deepgen/evaluate/schedule.h"
#include "deepgen/models/capabilities.h"

namespace deepgen {

// One direction's estimate of log Z.
struct LogPartition {
  double value = 0;             // nats
  double standard_error = 0;    // of the log, by the delta method over chains
  double effective_chains = 0;  // (sum w)^2 / sum w^2
  std::int64_t chains = 0, temperatures = 0;
};

LogPartition anneal_forward(CanAnneal& model, const std::vector<double>& schedule, std::int64_t chains,
                            Rng& rng, Observer& observer);

// `start` [chains, D]: states drawn from the model, as nearly as one can.
LogPartition anneal_reverse(CanAnneal& model, const std::vector<double>& schedule, const Tensor& start,
                            Rng& rng, Observer& observer);

// Both, and what they say together.
struct PartitionBracket {
  LogPartition forward, reverse;
  std::string warning;  // plain words when the bracket is too wide, or too few chains carry the weight
};
struct AnnealingPlan {
  std::string schedule = "standard";
  std::int64_t chains = 100;
  std::int64_t burn_in = 1000;  // Gibbs steps from data rows to the start of the reverse run
};
// `data` [rows, D]: where the reverse run's chains begin. Cost: two runs of chains x temperatures Gibbs
// steps.
PartitionBracket bracket_log_partition(Model& model, const AnnealingPlan& plan, const Tensor& data, Rng& rng,
                                       Observer& observer);

}  // namespace deepgen
