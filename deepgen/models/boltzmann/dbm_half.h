// One half of the layers of a deep Boltzmann machine (dbm.h) as a machine of its own, the other half summed
// out; of use to dbm*.cpp only, and to their tests.
//
//   p(kept) = exp(-F(kept)) / Z,   F = -log sum over the other layers exp(-E),
//
// Z that of the whole machine. Its rows are the kept layers side by side.
#pragma once

#include <memory>

#include "deepgen/models/boltzmann/dbm.h"

namespace deepgen {

class DbmHalf : public Model,
                public HasFreeEnergy,
                public HasLogPartition,
                public HasChain,
                public CanAnneal {
 public:
  explicit DbmHalf(const Dbm& dbm) : dbm_(dbm) {}  // which owns it

  Tensor free_energy(const Rows& rows) const override;
  std::optional<Tensor> marginal_free_energy(const Rows& rows) const override;  // of complete rows
  std::int64_t enumeration_units() const override { return dbm_.enumeration_units(); }
  std::optional<double> exact_log_partition() const override { return dbm_.exact_log_partition(); }

  Tensor chain_start(std::int64_t count, Rng& rng) const override;
  Tensor chain_steps(const Tensor& x, std::int64_t steps, Rng& rng) const override;
  Tensor chain_mean(const Tensor& x, Rng& rng) const override;

  double log_base_partition() const override;
  Tensor log_base_partition_given(const Tensor& x) const override;
  std::unique_ptr<AnnealedChains> anneal_from_base(std::int64_t count, Rng& rng) const override;
  std::unique_ptr<AnnealedChains> anneal_from(const Tensor& x) const override;
  std::unique_ptr<AnnealedChains> anneal_given(const Tensor& x, Rng& rng) const override;

  Options& options() override { return none_; }
  Options& learning() override { return none_; }

 private:
  DbmLayers split(const Tensor& rows) const { return dbm_.split_half(rows, dbm_.kept(), 0); }

  const Dbm& dbm_;
  NoOptions none_;
};

}  // namespace deepgen
