// Machines with dynamic biases (dynamic_bias_rbm.h) that are small: sums over all states of one layer, the
// other summed out, row by row.
#include <algorithm>
#include <cmath>
#include <functional>
#include <utility>

#include "deepgen/models/boltzmann/dynamic_bias_rbm.h"
#include "deepgen/ops/binary_units.h"
#include "deepgen/ops/products64.h"
#include "deepgen/parts/checks/enumeration.h"

namespace deepgen {
namespace {

// The layer whose states are visited, and the one that is summed out.
struct StatesOfOneLayer {
  Tensor states;            // [S, N] float64
  Tensor input;             // what they send to the other layer, times s where it has one: [S, M]
  Tensor bias, other_bias;  // of each row, [B, N], [B, M] float64
  Tensor gamma;             // of the other layer
  const UnitLayer* other = nullptr;
};

// Visits the rows: the log of the sum over all states, each state's share of it [S, 1], and the other layer's
// activation given the state [S, M].
void for_each_row_of(const StatesOfOneLayer& all,
                     const std::function<void(std::int64_t row, double log_z, const Tensor& shares,
                                              const Tensor& activation)>& body) {
  Tensor logs = at::empty({all.states.size(0), 1}, at::kDouble);
  for (std::int64_t row = 0; row < all.bias.size(0); ++row) {
    const Tensor activation = all.input + all.other_bias[row];
    multiply64(logs, all.states, all.bias[row].unsqueeze(1));
    // Of bits by a kernel: torch's softplus differs with the number of threads.
    const Tensor inner = all.other->all(UnitKind::binary) ? softplus_row_sum64(activation)
                                                          : all.other->log_partition(activation, all.gamma);
    logs.add_(inner.unsqueeze(1));
    double* log = logs.data_ptr<double>();
    const double largest = *std::max_element(log, log + logs.size(0));
    double sum = 0;  // one after the other: the same on any number of threads
    for (std::int64_t s = 0; s < logs.size(0); ++s) sum += log[s] = std::exp(log[s] - largest);
    body(row, largest + std::log(sum), logs / sum, activation);
  }
}

StatesOfOneLayer layer_states(const Rbm& machine, const GivenBiases& given, bool by_hidden) {
  const Tensor wide = machine.weights.to(at::kDouble);
  const Tensor &theta = given.visible.theta, &c = given.hidden.theta;
  const std::int64_t units = by_hidden ? machine.hidden() : machine.visible();
  StatesOfOneLayer all;
  all.states = binary_states(0, std::int64_t{1} << units, units);
  all.bias = (by_hidden ? c : theta).to(at::kDouble).contiguous();
  all.other_bias = (by_hidden ? theta : c).to(at::kDouble).contiguous();
  all.other = by_hidden ? &machine.visible_layer() : &machine.hidden_layer();
  all.input = at::empty({all.states.size(0), all.other->size()}, at::kDouble);
  multiply64(all.input, all.states, by_hidden ? wide.t() : wide);
  if (!by_hidden) return all;
  all.gamma = given.visible.gamma;
  if (given.visible.couple.defined()) all.input.mul_(given.visible.couple.to(at::kDouble));
  return all;
}

}  // namespace

Tensor DynamicBiasRbm::exact_log_partition_given(const GivenBiases& given) const {
  NoGradGuard no_graph;
  Tensor log_z = at::empty({given.centre.size(0)}, at::kDouble);
  for_each_row_of(layer_states(*machine_, given, enumerates_hidden()),
                  [&](std::int64_t row, double value, const Tensor&, const Tensor&) {
                    log_z.data_ptr<double>()[row] = value;
                  });
  return log_z;
}

GivenMoments DynamicBiasRbm::exact_moments_given(const GivenBiases& given) const {
  NoGradGuard no_graph;
  const StatesOfOneLayer all = layer_states(*machine_, given, enumerates_hidden());
  const std::int64_t rows = all.bias.size(0), units = all.states.size(1), others = all.other->size();
  const auto wide = at::TensorOptions().dtype(at::kDouble);
  Tensor own = at::empty({rows, units}, wide), other = at::empty({rows, others}, wide);
  Tensor products = at::zeros({units, others}, wide);
  for_each_row_of(all, [&](std::int64_t row, double, const Tensor& shares, const Tensor& activation) {
    const Tensor means = all.other->mean(activation, all.gamma);
    Tensor own_row = own.narrow(0, row, 1), other_row = other.narrow(0, row, 1);
    multiply64(own_row, shares.t(), all.states);
    multiply64(other_row, shares.t(), means);
    multiply64(products, all.states.t(), means * shares, 1, 1);
  });
  GivenMoments m{own.to(at::kFloat), other.to(at::kFloat), products.to(at::kFloat)};
  if (!enumerates_hidden()) return m;
  const Tensor& couple = given.visible.couple;
  std::swap(m.v, m.h);
  m.products = m.products.t().contiguous();
  if (couple.defined()) m.products.mul_(couple.unsqueeze(1));
  return m;
}

}  // namespace deepgen
