// Components of a mixture whose columns are independent: bits, categories, counts and Gaussians, in any mix.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "deepgen/data/files/column_group.h"
#include "deepgen/parts/likelihoods/mixture_components.h"

namespace deepgen {

// Independent categories, one-hot in groups of columns of these sizes: logits [K, D], whose softmax within a
// group is a component's distribution; a Dirichlet prior with parameters 1 + pseudo_count on each of these.
//
//   log p(known cells | k) = sum_g sum_j x_gj log p_kgj      over the groups g that are known
//   p_kgj = (sum_n r_nk x_ngj + a) / (sum_n r_nk + J_g a)    over the rows in which g is known
//
// The p_kgj are kept from 1e-7 on, so that their logits are numbers: what is below is raised to it and the
// others of its group are lowered, which is the maximum within these limits.
class CategoricalComponents : public MixtureComponents {
 public:
  CategoricalComponents(std::int64_t count, const std::vector<std::int64_t>& sizes, double pseudo_count);
  void check(const Tensor& x, const std::string& what, std::int64_t first_row) const override;
  void start(const ColumnMoments& data, const Tensor& centres) override;
  Tensor log_densities(const Tensor& x) const override;
  void gather(const Tensor& x, const Tensor& r) override;
  void maximise() override;
  double log_prior() const override;
  Tensor draw(const Tensor& x, const Tensor& which, Rng& rng) const override;
  Tensor means() const override;
  Tensor distance_scale(const ColumnMoments& data) const override;

  Tensor logits;

 private:
  double pseudo_count_;
  UnitLayer units_;
  Tensor ones_;                   // [K, D]
  Tensor product_;                // of the last batch, kept for the next
  Remembered<Tensor> log_probs_;  // [K, D] float32: logits, normalised
};

// Independent Poisson counts: log_rate [K, D]. The prior counts pseudo_count rows with the mean of the whole
// data, a (m log rate - rate) of each rate; no rate falls below 1e-6.
class PoissonComponents : public MixtureComponents {
 public:
  PoissonComponents(std::int64_t count, std::int64_t columns, double pseudo_count);
  void check(const Tensor& x, const std::string& what, std::int64_t first_row) const override;
  void start(const ColumnMoments& data, const Tensor& centres) override;
  Tensor log_densities(const Tensor& x) const override;
  void gather(const Tensor& x, const Tensor& r) override;
  void maximise() override;
  double log_prior() const override;
  Tensor draw(const Tensor& x, const Tensor& which, Rng& rng) const override;
  Tensor means() const override;
  Tensor distance_scale(const ColumnMoments& data) const override { return in_deviations(data); }

  Tensor log_rate;

 private:
  double pseudo_count_;
  UnitLayer units_;
  Tensor average_;       // [D]: of the data
  Tensor mass_, first_;  // [K, D]: sums of r and r x over known cells
};

// Independent blocks of columns, each with components of its own kind.
class JoinedComponents : public MixtureComponents {
 public:
  struct Block {
    std::shared_ptr<MixtureComponents> components;
    std::vector<std::int64_t> columns;
  };
  JoinedComponents(const std::vector<ColumnGroup>& groups, std::vector<Block> blocks);
  void check(const Tensor& x, const std::string& what, std::int64_t first_row) const override;
  void start(const ColumnMoments& data, const Tensor& centres) override;
  Tensor log_densities(const Tensor& x) const override;
  void gather(const Tensor& x, const Tensor& r) override;
  void maximise() override;
  double log_prior() const override;
  Tensor draw(const Tensor& x, const Tensor& which, Rng& rng) const override;
  Tensor means() const override;
  Tensor distance_scale(const ColumnMoments& data) const override;

 private:
  Tensor take(const Tensor& x, std::size_t block) const;  // its columns
  UnitLayer units_;                                       // of all columns, which errors name
  std::vector<Block> blocks_;
  std::vector<Tensor> index_;
};

// Components for columns of these groups, of any kind: Bernoulli variables, categories, Poisson counts, and
// Gaussians for real columns and those in [0, 1]. One count of the prior goes for all.
std::shared_ptr<MixtureComponents> product_components(std::int64_t count,
                                                      const std::vector<ColumnGroup>& groups,
                                                      GaussianPrior prior);

}  // namespace deepgen
