// Small models for the tests of scores: machines whose log Z is known but not told, a bound that owes it, and
// a model of sequences.
#pragma once

#include <cmath>
#include <memory>
#include <numbers>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "deepgen/data/dataset.h"
#include "tests/library/machines.h"
#include "tests/library/runs.h"

namespace deepgen::toys {

class ToyModel : public Model {
 public:
  Options& options() override { return options_; }
  Options& learning() override { return options_; }

 private:
  NoOptions options_;
};

// Chains and annealing of a machine under another model.
class WithChains : public ToyModel, public HasChain, public CanAnneal {
 public:
  explicit WithChains(std::shared_ptr<Rbm> machine) : rbm(std::move(machine)) {}

  Tensor chain_start(std::int64_t chains, Rng& rng) const override { return rbm->chain_start(chains, rng); }
  Tensor chain_steps(const Tensor& x, std::int64_t steps, Rng& rng) const override {
    return rbm->chain_steps(x, steps, rng);
  }
  Tensor chain_mean(const Tensor& x, Rng& rng) const override { return rbm->chain_mean(x, rng); }
  double log_base_partition() const override { return rbm->log_base_partition(); }
  std::unique_ptr<AnnealedChains> anneal_from_base(std::int64_t chains, Rng& rng) const override {
    return rbm->anneal_from_base(chains, rng);
  }
  std::unique_ptr<AnnealedChains> anneal_from(const Tensor& x) const override { return rbm->anneal_from(x); }
  std::unique_ptr<AnnealedChains> anneal_given(const Tensor& x, Rng& rng) const override {
    return rbm->anneal_given(x, rng);
  }
  Tensor log_base_partition_given(const Tensor& x) const override { return rbm->log_base_partition_given(x); }

  std::shared_ptr<Rbm> rbm;
};

// A machine that never enumerates: its log Z is annealed.
class Unenumerated : public WithChains, public HasFreeEnergy {
 public:
  using WithChains::WithChains;
  Tensor free_energy(const Rows& rows) const override { return rbm->free_energy(rows); }
  std::optional<Tensor> marginal_free_energy(const Rows& rows) const override {
    return rbm->marginal_free_energy(rows);
  }
};

// A mean field of the hidden units that is too flat by design: a bound of the unnormalised probability,
//   E_q[log p*(v, h)] + H(q) = v b + sum_j m_j a_j + H(m_j),   a = v W + c,   m = sigmoid(0.7 a).
class OwingBound : public WithChains, public HasBound, public HasLogPartition {
 public:
  OwingBound(std::shared_ptr<Rbm> machine, bool enumerates)
      : WithChains(std::move(machine)), enumerates_(enumerates) {}

  Tensor log_prob_bound(const Rows& rows, std::int64_t, Rng&) const override {
    const Tensor v = rows.x.to(at::kDouble);
    const Tensor a = v.mm(rbm->weights.detach().to(at::kDouble)) + rbm->hidden_bias.detach().to(at::kDouble);
    const Tensor m = (0.7 * a).sigmoid();
    const Tensor entropy = -(m * m.log() + (1 - m) * (1 - m).log());
    return v.mv(rbm->visible_bias.detach().to(at::kDouble)) + (m * a + entropy).sum(1);
  }
  RowScoreKind bound_kind() const override { return {ScoreKind::lower_bound, true, false}; }
  std::int64_t enumeration_units() const override { return enumerates_ ? rbm->enumeration_units() : 1000; }
  std::optional<double> exact_log_partition() const override {
    return enumerates_ ? rbm->exact_log_partition() : std::nullopt;
  }

 private:
  bool enumerates_;
};

// log N(x; 0, 1), independent columns.
class StandardNormal : public ToyModel, public HasLogProb {
 public:
  Tensor log_prob(const Rows& rows) const override {
    return -(rows.x.to(at::kDouble).square() + std::log(2 * std::numbers::pi)).sum(1) / 2;
  }
};

// A sequence in which each row is drawn around 0.8 times the row before it, the first around 0.
class Walk : public ToyModel, public HasLogProb {
 public:
  Tensor log_prob(const Rows& rows) const override {
    const Tensor x = rows.x.to(at::kDouble);
    Tensor before = at::zeros_like(x);
    before.narrow(0, 1, x.size(0) - 1).copy_(0.8 * x.narrow(0, 0, x.size(0) - 1));
    before.index_fill_(0, rows.starts, 0);
    return -((x - before).square() + std::log(2 * std::numbers::pi)).sum(1) / 2;
  }
};

// A bound that lies on average `gap` below the standard normal's log-probability, of a model that needs
// labels.
class NoisyBound : public ToyModel, public HasBound, public IsConditional {
 public:
  explicit NoisyBound(std::int64_t classes) : classes_(classes) {}
  Tensor log_prob_bound(const Rows& rows, std::int64_t samples, Rng& rng) const override {
    const Tensor noise = machines::normal_tensor({rows.size()}, 1, rng).to(at::kDouble);
    return StandardNormal().log_prob(rows) - 0.5 + noise / std::sqrt(static_cast<double>(samples));
  }
  std::int64_t condition_classes() const override { return classes_; }
  std::string condition() const override { return "the label"; }
  Tensor condition_mask() const override { return {}; }
  bool has_label_distribution() const override { return classes_ == 0; }

 private:
  std::int64_t classes_;
};

// ---------------------------------------------------------------- machines and data

inline void set_base_rates(Rbm& rbm, const Tensor& x) {
  NoGradGuard no_graph;
  rbm.data_mean.copy_((x.sum(0) + 1) / (machines::real(x.size(0)) + 2));
}

// All units off (each on with probability sigmoid(-bias)) or all on, the latter with these log-odds; one
// hidden unit of four tells which, the others are idle.
inline std::shared_ptr<Rbm> two_modes(std::int64_t visible, double bias, double log_odds) {
  const auto rbm = machines::make_rbm(visible, 4, 0, 1);
  NoGradGuard no_graph;
  rbm->weights.zero_(), rbm->visible_bias.fill_(-bias), rbm->hidden_bias.zero_();
  rbm->weights.select(1, 0).fill_(2 * bias);
  rbm->hidden_bias.select(0, 0).fill_(log_odds - machines::real(visible) * bias);
  return rbm;
}

// Exact draws of a machine with few visible units.
inline Tensor exact_rows(const Rbm& rbm, std::int64_t count, Rng& rng) {
  const Tensor logs = -rbm.free_energy(machines::all_states(rbm.visible()));
  return machines::exact_samples(machines::probabilities(machines::doubles(logs)), rbm.visible(), count, rng);
}

inline double exact_mean_log_prob(const Rbm& rbm, const Tensor& x) {
  return -rbm.free_energy(x).mean().item<double>() - *rbm.exact_log_partition();
}

inline Array bits_array(const Tensor& x) {
  Array array = make_array(DType::u8, {x.size(0), x.size(1)});
  const Tensor dense = x.contiguous();
  for (std::int64_t i = 0; i < x.numel(); ++i)
    array.bytes[machines::size(i)] = dense.data_ptr<float>()[i] > 0.5F;
  return array;
}

// The same rows in every part.
inline Dataset bits_set(const Tensor& x) {
  return runs::dataset_of({{"train", bits_array(x)}, {"valid", bits_array(x)}, {"test", bits_array(x)}});
}

}  // namespace deepgen::toys
