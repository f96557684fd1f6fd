// Capabilities: a class's base list is the list of what it can do.
//
// Small pure interfaces, asked for with `as<HasFreeEnergy>(model)`; no throwing defaults, no flags, no casts
// to a concrete model. A capability is a promise for every configuration of the class and carries laws that
// run over the whole registry (tests/library/*laws_test.cpp). All but those of training are const and take
// rows: cells and, where they are known, labels. A model that can do nothing without its label
// (needed_classes) uses the labels of the rows; all others score, complete and encode x itself.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "deepgen/model/model.h"
#include "deepgen/model/score_kind.h"

namespace deepgen {

// ---------------------------------------------------------------- training

class HasGradients {
 public:
  virtual ~HasGradients() = default;
  // Fills the gradient of the batch mean of the objective, to be descended, of the parameters whose turn it
  // is; returns numbers worth showing.
  virtual Metrics gradients(const Rows& batch, const Turn& turn, Rng& rng) = 0;
  // Rows that a batch must have (batch normalisation needs two): the trainer leaves a shorter last batch of
  // an epoch out.
  virtual std::int64_t fewest_rows() const { return 1; }
};

// Fitted in closed form or by passes over all rows (expectation-maximisation), in place of gradients. The
// trainer hands every row once to `gather`, then calls finish_pass; an epoch is a pass. What is gathered lies
// in buffers, so a pass can be stopped and resumed within.
class CanFit {
 public:
  virtual ~CanFit() = default;
  // Adds these rows, counted by their weights, to the sums of the pass; returns numbers worth showing.
  virtual Metrics gather(const Rows& rows) = 0;
  // New parameters from the sums, which begin anew. Returns numbers of the pass, "objective" among them: that
  // of the parameters under which the rows were seen; it never falls from pass to pass.
  virtual Metrics finish_pass() = 0;
  virtual bool converged() const = 0;  // the last pass gained no more than the tolerance
};

// ---------------------------------------------------------------- scores

// A normalised density or distribution.
class HasLogProb {
 public:
  virtual ~HasLogProb() = default;
  // log p(x), exact, [B] float64, nats: of a conditional model that cannot do without its condition log p(x |
  // condition). Missing cells (NaN) are summed out; a model that cannot do so refuses them in check_data.
  virtual Tensor log_prob(const Rows& rows) const = 0;
};

// An unnormalised density: p(x) = exp(-free_energy(x)) / Z.
class HasFreeEnergy {
 public:
  virtual ~HasFreeEnergy() = default;
  virtual Tensor free_energy(const Rows& rows) const = 0;  // [B] float64, nats
  // -log of the sum of exp(-free_energy) over the missing (NaN) cells of each row, [B] float64, or nothing
  // where that takes an estimate (annealed importance sampling given the known cells).
  virtual std::optional<Tensor> marginal_free_energy(const Rows& rows) const = 0;
};

// The normaliser that unnormalised scores (HasFreeEnergy, a bound that owes it) have in common.
class HasLogPartition {
 public:
  virtual ~HasLogPartition() = default;
  // exact_log_partition visits 2^enumeration_units() states.
  virtual std::int64_t enumeration_units() const = 0;
  // log Z by enumeration or in closed form, or nothing above enumerable_units (25). +infinity where the
  // density cannot be normalised.
  virtual std::optional<double> exact_log_partition() const = 0;
};

// A log-probability that is bounded from below, by sampling latent variables or by a mean field.
class HasBound {
 public:
  virtual ~HasBound() = default;
  // Row by row an estimate from `samples` (1 or more) draws of q(z | x), [B] float64, nats. Its mean over the
  // draws is at most log p(x), or log p(x | condition) of a conditional model, and where bound_kind says that
  // it tightens it rises to it with their number (Burda, Grosse, Salakhutdinov 2016, theorem 1). One sample:
  // the evidence lower bound. A single row's value may exceed the truth. Memory stays bounded whatever
  // `samples` is.
  virtual Tensor log_prob_bound(const Rows& rows, std::int64_t samples, Rng& rng) const = 0;
  virtual RowScoreKind bound_kind() const { return {}; }
};

// A model with one set of weights and many orders of its variables (or masks), each of which gives an exact
// distribution of its own. HasLogProb::log_prob is that of order 0; the mean of the probabilities under
// several orders is again an exact distribution, an ensemble, and reported as one.
class HasOrders {
 public:
  virtual ~HasOrders() = default;
  virtual std::int64_t orders() const = 0;  // how many there are; 0: as many as one likes
  virtual Tensor log_prob_under(const Rows& rows, std::int64_t order) const = 0;  // [B] float64, nats
};

// A cheap stand-in for the likelihood that can be tracked while training; never called a likelihood.
class HasPseudoLikelihood {
 public:
  virtual ~HasPseudoLikelihood() = default;
  // sum_i log p(x_i | all other x) of each row, [B] float64, nats, or nothing where a unit has endlessly many
  // values. Cost: D free energies a row.
  virtual std::optional<Tensor> pseudo_log_likelihood(const Rows& rows) const = 0;
};

// ---------------------------------------------------------------- conditions

// A model of cases x given a condition: the label of a case, or a part of the case itself.
class IsConditional {
 public:
  virtual ~IsConditional() = default;
  // Labels are 0 .. classes - 1; 0: the condition is a part of x.
  virtual std::int64_t condition_classes() const = 0;
  virtual std::string condition() const = 0;  // in words: "the label", "the lower left quarter"
  // The columns of x that are the condition, [D] bool, or undefined where it is the label.
  virtual Tensor condition_mask() const = 0;
  // The model has a distribution of its labels too: it needs none, and what it says of rows is said with the
  // label summed out or drawn.
  virtual bool has_label_distribution() const = 0;
};

// Independent draws from p(x | label).
class CanSampleGiven {
 public:
  virtual ~CanSampleGiven() = default;
  // One draw for each label y [B] int64, a class each: else a data error. [B, D].
  virtual Tensor sample_given(const Tensor& y, Rng& rng) const = 0;
};

// The probability of each class given the cells of a case.
class CanClassify {
 public:
  virtual ~CanClassify() = default;
  virtual std::int64_t classes() const = 0;
  virtual Tensor log_class_probs(const Rows& rows) const = 0;  // log p(y | x), [B, classes] float64, nats
  // Whether telling classes apart is what it learns first of all: training is then judged by log p(y | x) of the
  // validation rows, and not by log p(x).
  virtual bool judged_by_classes() const { return false; }
};

// ---------------------------------------------------------------- samples and completion

// Independent draws from the model, no chain.
class CanSample {
 public:
  virtual ~CanSample() = default;
  virtual Tensor sample(std::int64_t count, Rng& rng) const = 0;  // [count, D]
};

// Draws from p(missing | known), and given the label where that is the condition.
class CanComplete {
 public:
  virtual ~CanComplete() = default;
  // rows.x [B, D] with its missing (NaN) cells drawn together, row by row; known cells come back bit for bit.
  virtual Tensor complete(const Rows& rows, Rng& rng) const = 0;
};

// A Markov chain that leaves the model's distribution of the visible units unchanged.
class HasChain {
 public:
  virtual ~HasChain() = default;
  virtual Tensor chain_start(std::int64_t chains,
                             Rng& rng) const = 0;  // [chains, D], from the data's marginals
  // `steps` transitions of every row of x [B, D].
  virtual Tensor chain_steps(const Tensor& x, std::int64_t steps, Rng& rng) const = 0;
  // The mean of the last transition's distribution in place of its sample: smoother pictures, same model.
  virtual Tensor chain_mean(const Tensor& x, Rng& rng) const = 0;
};

// A Markov chain that leaves p(free units | clamped units) unchanged, whatever is clamped.
class CanClamp {
 public:
  virtual ~CanClamp() = default;
  // `steps` transitions of every row of x [B, D]; where `known` [B, D] (bool) is true the value stays.
  virtual Tensor clamped_steps(const Tensor& x, std::int64_t steps, const Tensor& known, Rng& rng) const = 0;
};

// A model of sequences: each row is given by those before it in its case.
class CanContinue {
 public:
  virtual ~CanContinue() = default;
  // Rows that a sequence must have before the model can go on from it; 0: it begins by itself.
  virtual std::int64_t needed_rows() const = 0;
  // `steps` further rows of each of the sequences that have begun (rows.starts; with needed_rows() of 0 some
  // or all may be empty), drawn one after the other: [cases, steps, D]. A sequence that is too short is a data
  // error.
  virtual Tensor continue_sequences(const Rows& begun, std::int64_t steps, Rng& rng) const = 0;
};

// ---------------------------------------------------------------- annealing

// Chains on their way between a base distribution with known Z (inverse temperature 0) and the model (1).
class AnnealedChains {
 public:
  virtual ~AnnealedChains() = default;
  // log_weights [chains] float64 += log p*_to(x) - log p*_from(x); then one transition that leaves p_to
  // unchanged.
  virtual void step(double from, double to, Tensor& log_weights, Rng& rng) = 0;
  // Where the chains stand, as rows of the model: [chains, D]; a draw where what is annealed is hidden.
  virtual Tensor states(Rng& rng) const = 0;
};

// Annealed importance sampling (Neal 2001) can run on this model.
class CanAnneal {
 public:
  virtual ~CanAnneal() = default;
  virtual double log_base_partition() const = 0;  // log Z at inverse temperature 0, nats
  virtual std::unique_ptr<AnnealedChains> anneal_from_base(std::int64_t chains, Rng& rng) const = 0;
  // x [chains, D], drawn from the model
  virtual std::unique_ptr<AnnealedChains> anneal_from(const Tensor& x) const = 0;
  // Chains that move the missing (NaN) cells of x [chains, D] and hold the others, and log Z of their base:
  // of its density at the known cells, the missing ones summed out, [chains] float64.
  virtual std::unique_ptr<AnnealedChains> anneal_given(const Tensor& x, Rng& rng) const = 0;
  virtual Tensor log_base_partition_given(const Tensor& x) const = 0;
};

// ---------------------------------------------------------------- codes

// A deterministic representation of a case: features.
class CanEncode {
 public:
  virtual ~CanEncode() = default;
  // [B, code]. Of a model conditional on labels the code says of a case what its label does not; it is no
  // feature from which the label could be learnt.
  virtual Tensor encode(const Rows& rows) const = 0;
  // Missing (NaN) cells are summed out of the code; where not, it is that of complete rows alone.
  virtual bool encodes_gaps() const { return false; }
};

// From a representation back to the mean of a case.
class CanDecode {
 public:
  virtual ~CanDecode() = default;
  virtual Tensor decode(const Rows& codes) const = 0;  // codes.x [B, code] and their labels -> [B, D]
};

// ---------------------------------------------------------------- asking

template <class Capability>
Capability* as(Model& model) {
  return dynamic_cast<Capability*>(&model);
}
template <class Capability>
const Capability* as(const Model& model) {
  return dynamic_cast<const Capability*>(&model);
}

// The number of classes of a model that can do nothing with a row whose label is unknown, else 0. The one
// answer to "does it need labels?".
std::int64_t needed_classes(const Model& model);

// The names of the capabilities a model has, in the order above.
std::vector<std::string> capability_names(const Model& model);

// The same as what a person can do with it: "sample", "score exactly", "complete", ...
std::vector<std::string> abilities(const Model& model);

}  // namespace deepgen
