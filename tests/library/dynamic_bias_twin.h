// Machines whose biases come from a condition (dynamic_bias_rbm.h) in double precision, by the definition of
// the energy alone and with automatic differentiation: of bits alone, or of real columns alone.
#pragma once

#include <map>
#include <numbers>
#include <string>
#include <vector>

#include "deepgen/models/boltzmann/dynamic_bias_rbm.h"
#include "tests/library/machines.h"

namespace deepgen::dynamic_bias {

using machines::all_states;
using machines::Doubles;
using machines::doubles;

class Twin {
 public:
  explicit Twin(const DynamicBiasRbm& model) {
    for (const auto& item : model.named_parameters())
      leaves_[item.key()] = item.value().detach().to(at::kDouble).clone().requires_grad_(true);
  }
  bool real() const { return leaves_.contains("machine.visible_log_variance"); }
  const Tensor& weights() const { return leaves_.at("machine.weights"); }
  std::int64_t visible() const { return weights().size(0); }
  Tensor hidden_states() const { return all_states(weights().size(1)).to(at::kDouble); }

  Tensor visible_bias(const Tensor& u) const {
    return u.to(at::kDouble).mm(leaves_.at("to_visible")) + leaves_.at("machine.visible_bias");
  }
  Tensor hidden_bias(const Tensor& u) const {
    return u.to(at::kDouble).mm(leaves_.at("to_hidden")) + leaves_.at("machine.hidden_bias");
  }
  // -E(v, h | u) of every h, [B, 2^H].
  Tensor log_joint(const Tensor& u, const Tensor& v) const {
    const Tensor wide = v.to(at::kDouble), h = hidden_states(), m = visible_bias(u);
    const Tensor own = real() ? -((wide - m).square() / deviation().square()).sum(1) / 2 : (wide * m).sum(1);
    const Tensor y = real() ? wide / deviation() : wide;
    return own.unsqueeze(1) + hidden_bias(u).mm(h.t()) + y.mm(weights()).mm(h.t());
  }
  // log Z(u): over all states of bits; of real columns every h leaves a Gaussian integral.
  Tensor log_z(const Tensor& u) const {
    if (real()) {
      const Tensor h = hidden_states(), sent = h.mm(weights().t());
      const Tensor terms =
          hidden_bias(u).mm(h.t()) + (visible_bias(u) / deviation()).mm(sent.t()) + sent.square().sum(1) / 2;
      return terms.logsumexp(1) + (deviation().log() + std::log(2 * std::numbers::pi) / 2).sum();
    }
    std::vector<Tensor> all;
    const Tensor states = all_states(visible());
    for (std::int64_t s = 0; s < states.size(0); ++s)
      all.push_back(log_joint(u, states[s].unsqueeze(0).expand({u.size(0), visible()})).logsumexp(1));
    return at::stack(all).logsumexp(0);
  }
  Tensor log_prob(const GivenPairs& pairs) const {
    return log_joint(pairs.condition, pairs.v).logsumexp(1) - log_z(pairs.condition);
  }
  // p(v | u) of bits over all states, u [1, K].
  Doubles probabilities(const Tensor& u) const {
    const Tensor states = all_states(visible());
    return doubles(log_prob({u.expand({states.size(0), u.size(1)}), states}).exp());
  }
  // Of the mean of -log p(v | u), by the names of the parameters.
  std::map<std::string, Doubles> gradient(const GivenPairs& pairs) const {
    std::vector<Tensor> inputs;
    for (const auto& [name, leaf] : leaves_) inputs.push_back(leaf);
    const auto found = torch::autograd::grad({-log_prob(pairs).mean()}, inputs);
    std::map<std::string, Doubles> gradients;
    std::size_t i = 0;
    for (const auto& [name, leaf] : leaves_) gradients[name] = doubles(found[i++]);
    return gradients;
  }

 private:
  Tensor deviation() const { return (leaves_.at("machine.visible_log_variance") / 2).exp(); }

  std::map<std::string, Tensor> leaves_;
};

// What a model with exact learning leaves in .grad against the twin's.
inline void expect_exact_gradient(DynamicBiasRbm& model, const Rows& rows) {
  Rng rng(5);
  model.gradients(rows, {}, rng);
  const auto wanted = Twin(model).gradient(model.pairs_of(rows));
  for (const auto& item : model.named_parameters()) {
    double largest = 0;
    for (const double each : wanted.at(item.key())) largest = std::max(largest, std::abs(each));
    EXPECT_GT(largest, 1e-4) << item.key();
    machines::expect_near(doubles(item.value().grad()), wanted.at(item.key()), 5e-5, item.key());
  }
}

}  // namespace deepgen::dynamic_bias
