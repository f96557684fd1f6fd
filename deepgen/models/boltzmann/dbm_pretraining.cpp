// Pretraining of the deep Boltzmann machine: machine by machine, each with one side doubled (dbm_doubled.h).
#include <fmt/format.h>

#include "deepgen/models/boltzmann/dbm.h"
#include "deepgen/models/boltzmann/dbm_doubled.h"
#include "deepgen/ops/binary_units.h"
#include "deepgen/parts/couplings/dense_coupling.h"

namespace deepgen {
namespace {

Tensor cleared_gradient(const Tensor& parameter) {
  if (!parameter.grad().defined()) parameter.mutable_grad() = at::zeros_like(parameter);
  return parameter.mutable_grad().zero_();
}

// The gradient of minus half the log-probability of rows all of whose copies agree, by contrastive
// divergence:
//
//   dW = <v h>_model - <v h>_data
//   db = (<v>_model - <v>_data) / (k copies of h)
//   dc = (<h>_model - <h>_data) / (k copies of v)
//
// of means over the copies. Centred, v and h of dW are less their offsets m and n, and what they carry is
// taken back from the biases:
//
//   db -= (k copies of h) dW n
//   dc -= (k copies of v) dW^T m.
class DoubledGradient {
 public:
  DoubledGradient(const DoubledMachine& machine, const Tensor& lower_offset, const Tensor& upper_offset,
                  bool centred)
      : machine_(machine),
        lower_offset_(lower_offset),
        upper_offset_(upper_offset),
        centred_(centred),
        dw_(cleared_gradient(machine.weights)),
        db_(cleared_gradient(machine.lower_bias)),
        dc_(cleared_gradient(machine.upper_bias)) {}

  // Offsets follow the means under the data.
  void add_data(const Tensor& v, const Tensor& h, double offset_rate) {
    const double share = -1.0 / static_cast<double>(v.size(0));
    column_sums(v, share, false, db_);
    column_sums(h, share, false, dc_);
    follow_mean(lower_offset_, db_, offset_rate);
    follow_mean(upper_offset_, dc_, offset_rate);
    add_products(v, h, share, 0);
  }
  void add_model(const Tensor& v, const Tensor& h) {
    const double share = 1.0 / static_cast<double>(v.size(0));
    column_sums(v, share, true, db_);
    column_sums(h, share, true, dc_);
    add_products(v, h, share, 1);
    db_.mul_(1 / machine_.weight_downwards());
    dc_.mul_(1 / machine_.weight_upwards());
    if (!centred_) return;
    Tensor below, above;
    DenseCoupling(dw_).input_to_lower(below, upper_offset_.unsqueeze(0));
    DenseCoupling(dw_).input_to_upper(above, lower_offset_.unsqueeze(0));
    db_.sub_(below.squeeze(0), machine_.weight_downwards());
    dc_.sub_(above.squeeze(0), machine_.weight_upwards());
  }

 private:
  void add_products(const Tensor& v, const Tensor& h, double share, double keep) {
    const DenseCoupling coupling(machine_.weights);
    if (centred_)
      coupling.add_shifted_products(dw_, v, lower_offset_, h - upper_offset_, share, keep);
    else
      coupling.add_products(dw_, v, h, share, keep);
  }

  const DoubledMachine& machine_;
  Tensor lower_offset_, upper_offset_;
  bool centred_;
  Tensor dw_, db_, dc_;
};

}  // namespace

// ---------------------------------------------------------------- stages

std::vector<Stage> Dbm::stages() {
  if (!learning_.pretrain) return Model::stages();
  std::vector<Stage> all;
  for (std::size_t l = 0; l < weights.size(); ++l) {
    const std::string name = fmt::format("machine{}", l + 1);
    all.push_back({.name = name,
                   .share = learning_.pretrain_share,
                   .phases = {{.name = name, .parameters = {weights[l], lower_biases[l], upper_biases[l]}}},
                   // What a machine alone is worth is not seen by the score of the whole.
                   .training = {{"rate", fmt::format("{}", learning_.pretrain_rate)}, {"patience", "0"}}});
  }
  std::vector<Tensor> joint = weights;
  joint.insert(joint.end(), biases.begin(), biases.end());
  all.push_back({.name = "joint", .phases = {{.name = "joint", .parameters = joint}}});
  return all;
}

bool Dbm::pretrains(const Turn& turn) const {
  return learning_.pretrain && turn.stage < static_cast<int>(weights.size());
}

void Dbm::begin_stage(const Turn& turn, const Rows&, Rng& rng) {
  if (!learning_.pretrain) return;
  torch::NoGradGuard no_graph;
  const auto l = static_cast<std::size_t>(turn.stage);
  if (pretrains(turn)) lower_biases[l].copy_(base_activation(l));
  join_biases();
  if (!pretrains(turn)) start_chains(rng);
}

void Dbm::project(const Turn& turn) {
  torch::NoGradGuard no_graph;
  if (pretrains(turn)) join_biases();
}

void Dbm::join_biases() {
  biases.front().copy_(lower_biases.front());
  for (std::size_t l = 1; l < weights.size(); ++l)
    biases[l].copy_((upper_biases[l - 1] + lower_biases[l]) / 2);
  biases.back().copy_(upper_biases.back());
}

// ---------------------------------------------------------------- one machine

DoubledMachine Dbm::machine(std::size_t l) const {
  return {.weights = weights.at(l),
          .lower_bias = lower_biases.at(l),
          .upper_bias = upper_biases.at(l),
          .bottom = l == 0,
          .top = l + 1 == weights.size()};
}

Tensor Dbm::machine_rows(std::size_t l, const Tensor& x, Rng& rng) const {
  Tensor rows = x.contiguous();
  for (std::size_t k = 0; k < l; ++k) {
    const DoubledMachine below = machine(k);
    rows = below.draw_upper(below.input_to_upper(below.bottom ? 2 * rows : rows), rng);
  }
  return rows;
}

Metrics Dbm::pretraining_gradients(std::size_t l, const Tensor& x, Rng& rng) {
  const DoubledMachine alone = machine(l);
  const auto copies = static_cast<double>(alone.lower_copies());
  const Tensor rows = machine_rows(l, x, rng);
  Tensor input = alone.input_to_upper(rows * copies);
  Tensor upper_sum = alone.draw_upper(input, rng), lower_sum;
  DoubledGradient gradient(alone, means[l], means[l + 1], learning_.centring);
  gradient.add_data(rows, alone.upper_means(input), learning_.offset_rate);
  for (std::int64_t k = 0; k < learning_.pretrain_steps; ++k) {
    lower_sum = alone.draw_lower(alone.input_to_lower(upper_sum), rng);
    input = alone.input_to_upper(lower_sum);
    if (k + 1 < learning_.pretrain_steps) upper_sum = alone.draw_upper(input, rng);
  }
  gradient.add_model(lower_sum / copies, alone.upper_means(input));
  return {};
}

}  // namespace deepgen
