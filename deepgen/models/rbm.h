// The restricted Boltzmann machine with binary units.
//
//   E(v, h) = -v.b - h.c - v W h,   v in {0,1}^V, h in {0,1}^H,   p(v, h) = exp(-E(v, h)) / Z
//   F(v)    = -v.b - sum_j softplus((v W + c)_j)                  p(v) = exp(-F(v)) / Z
//   p(h_j = 1 | v) = sigmoid((v W + c)_j),   p(v_i = 1 | h) = sigmoid((h W^T + b)_i)
//
// Objective: the mean log-likelihood, whose gradient is a difference of two means,
//   d log p / dW = <v h>_data - <v h>_model,   d/db = <v>_data - <v>_model,   d/dc = <h>_data - <h>_model.
// The model's mean comes from k steps of Gibbs sampling begun at the data (contrastive divergence, cd), from
// chains that persist over updates (pcd), or from enumeration (exact). Hidden means stand in for samples
// wherever only their expectation matters (less variance, same mean).
//
// Centring: with offsets mu, lambda (moving averages of the units' means under the data) the gradient is
// taken in
//   E = -(v - mu).b' - (h - lambda).c' - (v - mu) W (h - lambda)
// and carried back to the plain parameters: db = db' - dW lambda, dc = dc' - dW^T mu. The file holds plain W,
// b, c. This is exact for plain gradient descent; with momentum or weight decay it holds for each gradient
// but not for the decay or for gradients remembered under older offsets. Adam is refused: its scaling undoes
// centring.
//
// Likelihood: exact when either layer has at most 25 units, otherwise by annealed importance sampling from
// the base-rate model (independent units at the marginals of the training data) through
//   p*_beta(v) = exp(v.((1 - beta) b_0 + beta b)) prod_j (1 + exp(beta (v W + c)_j)).
//
// Known to fail: cd-1 leaves probability far from the data that its chains never see (good reconstructions,
// bad likelihood); pcd diverges when the rate outruns the chains' mixing. Look at the bracket and the
// free-energy gap.
//
// Sources: Smolensky 1986; Hinton 2002, "Training products of experts by minimizing contrastive divergence",
// eq. 5-10; Tieleman 2008, "Training restricted Boltzmann machines using approximations to the likelihood
// gradient"; Montavon and Mueller 2012 and Melchior, Fischer, Wiskott 2016, "How to center deep Boltzmann
// machines", eq. 9-14; Salakhutdinov and Murray 2008, "On the quantitative analysis of deep belief networks",
// eq. 12-18; Hinton 2010, "A practical guide to training restricted Boltzmann machines" (sparsity, section
// 11).
#pragma once

#include <algorithm>

#include "deepgen/models/capabilities.h"
#include "deepgen/models/rbm_options.h"

namespace deepgen {

class Rbm : public Model,
            public HasFreeEnergy,
            public HasChain,
            public CanAnneal,
            public CanEncode,
            public CanDecode,
            public HasPseudoLikelihood {
 public:
  Rbm(RbmOptions options, RbmLearning learning, std::int64_t visible);

  // Conditionals. v [B, V], h [B, H] float32.
  Tensor mean_h_given_v(const Tensor& v) const;
  Tensor mean_v_given_h(const Tensor& h) const;
  Tensor sample_h_given_v(const Tensor& v, Rng& rng) const;
  Tensor sample_v_given_h(const Tensor& h, Rng& rng) const;

  // Training.
  Metrics gradients(const Batch& batch, const Turn& turn, Rng& rng) override;
  void initialise(const Batch& sample, Rng& rng) override;  // b at the data's marginals, W small, offsets
  Metrics diagnose(const Batch& train, const Batch& valid, Rng& rng) override;
  Tensor filters() override;  // [H, V]
  void check_data(const Tensor& x, const std::string& what, std::int64_t first_row = 0) const override;
  void check_optimiser(const std::string& name) const override;
  Options& options() override { return options_; }
  Options& learning() override { return learning_; }

  // Scores.
  Tensor free_energy(const Tensor& v) override;
  std::int64_t enumeration_units() const override { return std::min(visible(), hidden()); }
  std::optional<double> exact_log_partition() override;  // cost 2^min(V, H) * max(V, H); at most 25 units
  Tensor pseudo_log_likelihood(const Tensor& v) override;

  // Chains.
  Tensor chain_start(std::int64_t chains, Rng& rng) override;
  Tensor chain_steps(const Tensor& v, std::int64_t steps, const Tensor& known, Rng& rng) override;
  Tensor chain_mean(const Tensor& v, Rng& rng) override;
  double log_base_partition() override;
  std::unique_ptr<AnnealedChains> anneal_from_base(std::int64_t chains, Rng& rng) override;
  std::unique_ptr<AnnealedChains> anneal_from(const Tensor& v) override;

  // Features.
  Tensor encode(const Tensor& v) override { return mean_h_given_v(v); }
  Tensor decode(const Tensor& h) override { return mean_v_given_h(h); }

  std::int64_t visible() const { return weights.size(0); }
  std::int64_t hidden() const { return weights.size(1); }

  Tensor weights, visible_bias, hidden_bias;  // W [V, H], b [V], c [H]
  Tensor data_mean;  // [V] smoothed marginals of (at most 20,000) training rows: the base-rate model
  Tensor visible_offset, hidden_offset;  // mu [V], lambda [H]
  Tensor chains;                         // [chains, H] hidden states of the persistent chains

 private:
  struct Workspace;  // buffers of one training step, kept between steps

  std::int64_t gibbs_steps(const Turn& turn) const;
  void data_phase(const Tensor& v, Rng& rng);
  void chain_phase(const Turn& turn, Rng& rng);
  void exact_phase();
  void add_products(const Tensor& v, const Tensor& h, double share, double keep);
  void add_sparsity();
  Tensor base_bias() const;  // b_0 = logit(data_mean)

  RbmOptions options_;
  RbmLearning learning_;
  std::shared_ptr<Workspace> workspace_;
};

}  // namespace deepgen
