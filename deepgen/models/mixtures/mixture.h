// What all mixtures are: a hidden choice of a component, then a case of this component.
//
//   p(x) = sum_k pi_k p(x | k),   pi = softmax(mixing)
//   p(k | x) = pi_k p(x | k) / p(x)
//
// Everything is exact: log p(x) is a log-sum-exp in float64; missing cells are summed out, as components
// give the density of any part of a case; samples and completions are ancestral (draw k from p(k | known
// cells), then the missing cells given k and the known ones).
//
// Fitted by expectation-maximisation. A pass over all rows n with weights w_n gathers sums weighted by the
// responsibilities
//
//   r_nk = w_n p(k | x_n),
//
// then the parameters become the maximisers of the expected log-density plus log prior. The objective
//
//   (sum_n w_n log p(x_n) + log prior) / sum_n w_n
//
// never falls from pass to pass, up to the rounding of float32 parameters. Mixing weights have a Dirichlet
// prior with parameters 1 + pseudo_count.
//
// Begun at rows drawn far from one another, shrunk half way to the mean, so that no component is so sure of
// one row that it keeps it for itself. EM finds a local maximum; restarts try several beginnings.
//
// Source: Dempster, Laird, Rubin 1977, "Maximum likelihood from incomplete data via the EM algorithm";
// Arthur and Vassilvitskii 2007, "k-means++: the advantages of careful seeding" (the beginning).
#pragma once

#include "deepgen/model/capabilities.h"
#include "deepgen/models/mixtures/mixture_options.h"
#include "deepgen/parts/likelihoods/mixture_components.h"

namespace deepgen {

class Mixture : public Model, public CanFit, public HasLogProb, public CanSample, public CanComplete {
 public:
  // `name` speaks in errors.
  Mixture(std::string name, std::int64_t count, std::shared_ptr<MixtureComponents> components);

  // Training.
  void initialise(const Rows& sample, Rng& rng) override;
  Metrics gather(const Rows& rows) override;
  Metrics finish_pass() override;
  bool converged() const override;
  Metrics diagnose(const Rows& train, const Rows& valid, Rng& rng) override;
  Tensor filters() const override { return components_->means(); }  // [K, D]
  void check_data(const Tensor& x, const std::string& what, std::int64_t first_row = 0) const override;

  // Scores and draws; missing cells are NaN.
  Tensor log_joint(const Tensor& x) const;                     // log pi_k p(x | k), [B, K] float64
  Tensor shares(const Tensor& x) const;                        // p(k | x), [B, K]
  Tensor log_prob(const Rows& rows) const override;            // [B] float64
  Tensor sample(std::int64_t count, Rng& rng) const override;  // [count, D]
  Tensor complete(const Rows& rows, Rng& rng) const override;  // [B, D]

  std::int64_t count() const { return mixing.size(0); }
  const MixtureComponents& components() const { return *components_; }
  Tensor mixing;  // [K] logits of pi

 protected:
  // The share of each row that falls to each component, [B, K] float64, from log_joint; log_prob [B] float64
  // becomes what the objective counts.
  virtual Tensor responsibilities(const Rows& rows, const Tensor& log_joint, Tensor& log_prob) const;
  virtual const FitOptions& fit() const = 0;
  virtual std::int64_t restarts() const { return 1; }
  // The centres at which components begin, [K, D]; rows [N, D] without gaps.
  virtual Tensor centres(const Tensor& rows, const ColumnMoments& moments, Rng& rng) const;
  // `passes` passes over these rows, forgotten but for the parameters; the objective of the last one.
  double run_passes(const Rows& rows, std::int64_t passes);

  std::string name_;

 private:
  double log_prior() const;
  std::shared_ptr<MixtureComponents> components_;
  Tensor mass_;  // [K] float64: sum of responsibilities in this pass
  Tensor
      totals_;  // float64: log-probability and weight of the rows of this pass; last objective, gain, passes
};

// A mixture whose components are known of no case: they are its code, p(k | known cells) [B, K].
class HiddenMixture : public Mixture, public CanEncode {
 public:
  using Mixture::Mixture;
  Tensor encode(const Rows& rows) const override { return shares(rows.x); }
  bool encodes_gaps() const override { return true; }
};

// Row by row p(k | x) [B, K] and log p(x) [B] from log_joint [B, K]; all float64.
Tensor normalise_rows(const Tensor& log_joint, Tensor& log_prob);

}  // namespace deepgen
