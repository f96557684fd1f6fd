// Capabilities: a class's base list is the list of what it can do.
//
// Small pure interfaces, asked for with `as<HasFreeEnergy>(model)`; no throwing defaults, no flags, no casts
// to a concrete model. A capability is a promise for every configuration of the class and carries laws that
// run over the whole registry (tests/library/laws_test.cpp).
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "deepgen/models/model.h"

namespace deepgen {

// An unnormalised density: p(x) = exp(-free_energy(x)) / Z.
class HasFreeEnergy {
 public:
  virtual ~HasFreeEnergy() = default;
  virtual Tensor free_energy(const Tensor& x) = 0;  // x [B, D] -> [B] float64, nats
  // exact_log_partition visits 2^enumeration_units() states.
  virtual std::int64_t enumeration_units() const = 0;
  // log Z by enumeration or in closed form, or nothing above enumerable_units (25). +infinity where the
  // density cannot be normalised.
  virtual std::optional<double> exact_log_partition() = 0;
  // -log of the sum of exp(-free_energy) over the missing (NaN) cells of each row, [B] float64, or nothing
  // where that takes an estimate (annealed importance sampling given the known cells).
  virtual std::optional<Tensor> marginal_free_energy(const Tensor& x) = 0;
};

// A normalised density or distribution.
class HasLogProb {
 public:
  virtual ~HasLogProb() = default;
  // log p(x), exact, x [B, D] -> [B] float64, nats. Missing cells (NaN) are summed out; a model that cannot
  // do so refuses them in check_data.
  virtual Tensor log_prob(const Tensor& x) = 0;
};

// A log-probability that is bounded from below by sampling the latent variables.
class HasBound {
 public:
  virtual ~HasBound() = default;
  // Row by row an estimate from `samples` (1 or more) draws of q(z | x) whose mean over the draws is at most
  // log p(x) and rises to it with their number (Burda, Grosse, Salakhutdinov 2016, theorem 1): [B] float64,
  // nats. One sample: the evidence lower bound. Memory stays bounded whatever `samples` is.
  virtual Tensor log_prob_bound(const Tensor& x, std::int64_t samples, Rng& rng) = 0;
};

// A model of cases x given a condition: the label of a case, or a part of the case itself.
class IsConditional {
 public:
  virtual ~IsConditional() = default;
  // Labels are 0 .. classes - 1; 0: the condition is a part of x.
  virtual std::int64_t condition_classes() const = 0;
  virtual std::string condition() const = 0;  // in words: "the label", "the lower left quarter"
  // The columns of x that are the condition, [D] bool, or undefined where it is the label.
  virtual Tensor condition_mask() const = 0;
  // One draw of p(x | label) for each y [B] int64; of a model whose condition is a part of x a usage error.
  virtual Tensor sample_given(const Tensor& y, Rng& rng) = 0;  // [B, D]
};

// As HasBound, of log p(x | condition): labels y [B] int64, undefined where the condition is a part of x.
class HasConditionalBound {
 public:
  virtual ~HasConditionalBound() = default;
  virtual Tensor conditional_bound(const Tensor& x, const Tensor& y, std::int64_t samples, Rng& rng) = 0;
};

// A model with one set of weights and many orders of its variables (or masks), each of which gives an exact
// distribution of its own. HasLogProb::log_prob is that of order 0; the mean of the probabilities under
// several orders is again an exact distribution, an ensemble, and reported as one.
class HasOrders {
 public:
  virtual ~HasOrders() = default;
  virtual std::int64_t orders() const = 0;  // how many there are; 0: as many as one likes
  virtual Tensor log_prob_under(const Tensor& x, std::int64_t order) = 0;  // [B] float64, nats
};

// Independent draws from the model, no chain.
class CanSample {
 public:
  virtual ~CanSample() = default;
  virtual Tensor sample(std::int64_t count, Rng& rng) = 0;  // [count, D]
};

// Draws from p(missing | known), no chain.
class CanComplete {
 public:
  virtual ~CanComplete() = default;
  // x [B, D] with its missing (NaN) cells drawn together, row by row; known cells come back bit for bit.
  virtual Tensor complete(const Tensor& x, Rng& rng) = 0;
};

// As CanComplete, from p(missing | known, y): labels y [B] int64, one a row; none, or one that is no class,
// is a data error.
class CanCompleteGiven {
 public:
  virtual ~CanCompleteGiven() = default;
  virtual Tensor complete_given(const Tensor& x, const Tensor& y, Rng& rng) = 0;
};

// Fitted in closed form or by passes over all rows (expectation-maximisation), in place of gradients. The
// trainer hands every row once to `gather`, then calls finish_pass; an epoch is a pass. What is gathered lies
// in buffers, so a pass can be stopped and resumed within.
class CanFit {
 public:
  virtual ~CanFit() = default;
  // Adds these rows, counted by their weights, to the sums of the pass; returns numbers worth showing.
  virtual Metrics gather(const Batch& rows) = 0;
  // New parameters from the sums, which begin anew. Returns numbers of the pass, "objective" among them: that
  // of the parameters under which the rows were seen; it never falls from pass to pass.
  virtual Metrics finish_pass() = 0;
  virtual bool converged() = 0;  // the last pass gained no more than the tolerance
};

// A Markov chain that leaves the model's distribution of the visible units unchanged.
class HasChain {
 public:
  virtual ~HasChain() = default;
  virtual Tensor chain_start(std::int64_t chains, Rng& rng) = 0;  // [chains, D], from the data's marginals
  // `steps` transitions of every row of x [B, D]. Where `known` [B, D] (bool) is true the value stays as it
  // is; undefined: all units move.
  virtual Tensor chain_steps(const Tensor& x, std::int64_t steps, const Tensor& known, Rng& rng) = 0;
  // The mean of the last transition's distribution in place of its sample: smoother pictures, same model.
  virtual Tensor chain_mean(const Tensor& x, Rng& rng) = 0;
};

// Chains on their way between a base distribution with known Z (inverse temperature 0) and the model (1).
class AnnealedChains {
 public:
  virtual ~AnnealedChains() = default;
  // log_weights [chains] float64 += log p*_to(x) - log p*_from(x); then one transition that leaves p_to
  // unchanged.
  virtual void step(double from, double to, Tensor& log_weights, Rng& rng) = 0;
};

// Annealed importance sampling (Neal 2001) can run on this model.
class CanAnneal {
 public:
  virtual ~CanAnneal() = default;
  virtual double log_base_partition() = 0;  // log Z at inverse temperature 0, nats
  virtual std::unique_ptr<AnnealedChains> anneal_from_base(std::int64_t chains, Rng& rng) = 0;
  virtual std::unique_ptr<AnnealedChains> anneal_from(
      const Tensor& x) = 0;  // x [chains, D], drawn from the model
  // Chains that move the missing (NaN) cells of x [chains, D] and hold the others, and log Z of their base:
  // of its density at the known cells, the missing ones summed out, [chains] float64.
  virtual std::unique_ptr<AnnealedChains> anneal_given(const Tensor& x, Rng& rng) = 0;
  virtual Tensor log_base_partition_given(const Tensor& x) = 0;
};

// A deterministic representation of a case: features.
class CanEncode {
 public:
  virtual ~CanEncode() = default;
  virtual Tensor encode(const Tensor& x) = 0;  // [B, D] -> [B, code]
};

// From a representation back to the mean of a case.
class CanDecode {
 public:
  virtual ~CanDecode() = default;
  virtual Tensor decode(const Tensor& code) = 0;  // [B, code] -> [B, D]
};

// As CanEncode and CanDecode, given the label y [B] int64 of each row. Such a code says of a case what its
// label does not; it is no feature from which the label could be learnt.
class CanCodeGiven {
 public:
  virtual ~CanCodeGiven() = default;
  virtual Tensor encode_given(const Tensor& x, const Tensor& y) = 0;     // [B, D] -> [B, code]
  virtual Tensor decode_given(const Tensor& code, const Tensor& y) = 0;  // [B, code] -> [B, D]
};

// A cheap stand-in for the likelihood that can be tracked while training; never called a likelihood.
class HasPseudoLikelihood {
 public:
  virtual ~HasPseudoLikelihood() = default;
  // sum_i log p(x_i | all other x) of each row, [B] float64, nats, or nothing where a unit has endlessly many
  // values. Cost: D free energies a row.
  virtual std::optional<Tensor> pseudo_log_likelihood(const Tensor& x) = 0;
};

template <class Capability>
Capability* as(Model& model) {
  return dynamic_cast<Capability*>(&model);
}

// The names of the capabilities a model has, in the order above.
std::vector<std::string> capability_names(Model& model);

}  // namespace deepgen
