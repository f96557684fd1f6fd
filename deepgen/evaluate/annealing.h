// Annealed importance sampling: estimates of log Z, by chains from the base to the model and back.
//
//   forward   x ~ p_0 (known Z), weights w = prod_k p*_{b_k}(x_k) / p*_{b_{k-1}}(x_k):
//     E[w] = Z_1 / Z_0
//   reverse   x ~ p_1 (the model), the same path backwards:
//     E[w] = Z_0 / Z_1
//
// Both are unbiased for a ratio, not for its logarithm. By Markov's inequality the forward estimate lies
// above log Z by more than t nats with probability below exp(-t), however badly its chains mix: a forward run
// bounds log Z from below and so log-probabilities from above. The reverse estimate lies below log Z by t
// with probability below exp(-t) only if its first states are true samples of the model. Ours come from
// chains begun at data and elsewhere; bracket.h says what can be seen of that.
//
// Where the chains of a reverse run begin in regions k in the shares q_k, the model holds p_k of its mass
// there and a forward run would end there in the shares f_k, its estimate tends to
//   log Z - log sum_k q_k f_k / p_k.
// Chains begun in one region alone give log Z + log(p_k / f_k): where the forward run ends in other shares
// than the model's, one region's value lies above log Z and another's below, and the largest is never below.
//
// Sources: Neal 2001, "Annealed importance sampling"; Salakhutdinov and Murray 2008, section 3 (the schedule
// of 14,500 temperatures); Burda, Grosse, Salakhutdinov 2015 and Grosse, Ghahramani, Adams 2015 (reverse
// runs, stochastic bounds).
#pragma once

#include <string>
#include <vector>

#include "deepgen/core/observer.h"
#include "deepgen/core/rng.h"
#include "deepgen/evaluate/schedule.h"
#include "deepgen/model/capabilities.h"

namespace deepgen {

// One direction's estimate of log Z.
struct LogPartition {
  double value = 0;             // nats
  double standard_error = 0;    // of the log, by the delta method over chains
  double effective_chains = 0;  // (sum w)^2 / sum w^2
  // With 97.5 % log Z lies above a forward value less its margin, and below a reverse value plus its margin
  // where the run began at samples of the model. From a one-sided t interval of the mean weight, two more
  // weights of zero counted in (for regions that no chain found), and never beyond Markov's bound (3.7 nats).
  double margin = 0;
  std::int64_t chains = 0, temperatures = 0;

  // One chain that carries the weight alone says nothing of the error.
  bool tells_error() const { return effective_chains >= 2; }
};

struct AnnealedRun {
  LogPartition log_z;
  Tensor log_weights;  // [chains] float64
  Tensor ends;         // [chains, D] where the chains stand at the end of a forward run
};

// What a mean of weights proves: value (of log E[w]), error, effective number and margin. `groups` [chains]
// int64 numbers chains that began at the same state and so count as one in the margin; undefined: none did.
LogPartition summarise_weights(const Tensor& log_weights, const Tensor& groups = {});

// The largest margin: an unbiased estimate exceeds what it estimates e^t times with probability exp(-t).
double markov_margin(double confidence);

AnnealedRun run_forward(const CanAnneal& model, const std::vector<double>& schedule, std::int64_t chains,
                        Rng& rng, Observer& observer);
// `start` [chains, D]: states drawn from the model, as nearly as one can; groups as above.
AnnealedRun run_reverse(const CanAnneal& model, const std::vector<double>& schedule, const Tensor& start,
                        const Tensor& groups, Rng& rng, Observer& observer);

LogPartition anneal_forward(const CanAnneal& model, const std::vector<double>& schedule, std::int64_t chains,
                            Rng& rng, Observer& observer);
LogPartition anneal_reverse(const CanAnneal& model, const std::vector<double>& schedule, const Tensor& start,
                            Rng& rng, Observer& observer);

}  // namespace deepgen
