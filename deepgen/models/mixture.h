// What all mixtures are: a hidden choice of a component, then a case of this component.
//
//   p(x) = sum_k pi_k p(x | k),   pi = softmax(mixing)
//
// Everything is exact: log p(x) is a log-sum-exp in float64; missing cells are summed out, as components
// give the density of any part of a case; samples and completions are ancestral (draw k from p(k | known
// cells), then the missing cells given k and the known ones).
//
// Fitted by expectation-maximisation: a pass over all rows gathers sums weighted by r_nk = w_n p(k | x_n),
// then the parameters become the maximisers of the expected log-density plus log prior. The objective (the
// mean log-probability plus log prior over the number of rows) never falls from pass to pass, up to the
// rounding of float32 parameters. Mixing weights have a Dirichlet prior with parameters 1 + pseudo_count.
//
// Begun at rows drawn far from one another, shrunk half way to the mean, so that no component is so sure of
// one row that it keeps it for itself. EM finds a local maximum; restarts try several beginnings.
//
// Source: Dempster, Laird, Rubin 1977, "Maximum likelihood from incomplete data via the EM algorithm";
// Arthur and Vassilvitskii 2007, "k-means++: the advantages of careful seeding" (the beginning).
#pragma once

#include "deepgen/models/capabilities.h"
#include "deepgen/models/mixture_options.h"
#include "deepgen/parts/components.h"

namespace deepgen {

class Mixture : public Model,
                public CanSample,
                public HasLogProb,
                public CanComplete,
                public CanEncode,
                public CanFit {
 public:
  // `name` speaks in errors.
  Mixture(std::string name, std::int64_t count, std::shared_ptr<Components> components);

  // Training.
  void initialise(const Batch& sample, Rng& rng) override;
  Metrics gather(const Batch& rows) override;
  Metrics finish_pass() override;
  bool converged() override;
  Metrics diagnose(const Batch& train, const Batch& valid, Rng& rng) override;
  Metrics gradients(const Batch& batch, const Turn& turn, Rng& rng) override;  // there are none: fails
  Tensor filters() override { return components_->means(); }                   // [K, D]
  void check_data(const Tensor& x, const std::string& what, std::int64_t first_row = 0) const override;

  // Scores and draws; missing cells are NaN.
  Tensor log_joint(const Tensor& x) const;               // log pi_k p(x | k), [B, K] float64
  Tensor log_prob(const Tensor& x) override;             // [B] float64
  Tensor encode(const Tensor& x) override;               // p(k | x), [B, K]
  Tensor sample(std::int64_t count, Rng& rng) override;  // [count, D]
  Tensor complete(const Tensor& x, Rng& rng) override;   // [B, D]

  std::int64_t count() const { return mixing.size(0); }
  const Components& components() const { return *components_; }
  Tensor mixing;  // [K] logits of pi

 protected:
  // The share of each row that falls to each component, [B, K] float32, from log_joint; log_prob [B] float64
  // becomes what the objective counts.
  virtual Tensor responsibilities(const Batch& rows, const Tensor& log_joint, Tensor& log_prob) const;
  virtual const FitOptions& fit() const = 0;
  virtual std::int64_t restarts() const { return 1; }
  // The centres at which components begin, [K, D]; rows [N, D] without gaps.
  virtual Tensor centres(const Tensor& rows, const ColumnMoments& moments, Rng& rng) const;

  std::string name_;

 private:
  double log_prior() const;
  double run_trial(const Batch& sample);
  void forget_passes();
  std::shared_ptr<Components> components_;
  Tensor mass_;  // [K] float64: sum of responsibilities in this pass
  Tensor
      totals_;  // float64: log-probability and weight of the rows of this pass; last objective, gain, passes
};

}  // namespace deepgen
