#include "deepgen/models/sequences/recurrent_rbm.h"

#include "deepgen/core/interruption.h"
#include "deepgen/models/autoregressive/autoregressive.h"
#include "deepgen/ops/binary_units.h"
#include "deepgen/ops/products.h"
#include "deepgen/ops/products64.h"
#include "deepgen/parts/checks/enumeration.h"
#include "deepgen/parts/nets/masked_net.h"
#include "deepgen/parts/nets/nets.h"

namespace deepgen {

RecurrentRbm::RecurrentRbm(std::string name, const DataShape& data, std::int64_t hidden)
    : RecurrentModel(std::move(name), data),
      visible_(UnitLayer::of(UnitKind::binary, data.columns)),
      hidden_(UnitLayer::of(UnitKind::binary, hidden)) {
  weights = register_parameter("W", at::zeros({data.columns, hidden}));
}

// Small weights: at first rows are independent bits, and those before say little.
void RecurrentRbm::initialise_machine(const Rows& sample, Rng& rng) {
  constexpr double small = 0.02, recurrent_share = 0.1;
  fill_uniform(weights, small, rng);
  for (Tensor* each : {&to_visible, &to_hidden}) fill_uniform(*each, recurrent_share, rng);
  NoGradGuard no_graph;
  hidden_bias.zero_();
  visible_bias.copy_(base_rate_logits(sample.x));
}

// ---------------------------------------------------------------- energies

Tensor RecurrentRbm::hidden_input(const Tensor& x) const {
  Tensor input = at::empty({x.size(0), weights.size(1)});
  multiply(input, x, weights);
  return input;
}

Tensor RecurrentRbm::visible_input(const Tensor& h) const {
  Tensor input = at::empty({h.size(0), weights.size(0)});
  multiply(input, h, weights.t());
  return input;
}

Tensor RecurrentRbm::minus_free_energy(const Tensor& x, const RowBiases& biases) const {
  return visible_.log_weight(x, biases.visible, {}) +
         hidden_.log_partition(hidden_input(x).add_(biases.hidden), {});
}

Tensor RecurrentRbm::log_unnormalised(const Rows& rows) const {
  NoGradGuard no_graph;
  return minus_free_energy(rows.x, biases_of(rows));
}

// ---------------------------------------------------------------- learning

Metrics RecurrentRbm::row_gradients(const Tensor& x, const RowBiases& biases, RowBiases& slopes, const Turn&,
                                    Rng& rng) {
  const Tensor own_input = hidden_input(x);
  Tensor own = at::empty_like(own_input), h = at::empty_like(own_input);
  hidden_.activate(own_input, {biases.hidden, {}, {}}, 1, rng, {.mean = own, .sample = h});
  Tensor theirs = at::empty_like(own_input), drawn = at::empty_like(x);
  for (std::int64_t step = 0; step < plan().gibbs_steps; ++step) {
    visible_.activate(visible_input(h), {biases.visible, {}, {}}, 1, rng, {.sample = drawn});
    hidden_.activate(hidden_input(drawn), {biases.hidden, {}, {}}, 1, rng, {.mean = theirs, .sample = h});
  }
  const double share = 1 / static_cast<double>(x.size(0));
  slopes.visible.copy_((drawn - x) * share);
  slopes.hidden.copy_((theirs - own) * share);
  Tensor d_weights = kept_gradient(weights);
  multiply(d_weights, drawn.t(), theirs, share, 1);
  multiply(d_weights, x.t(), own, -share, 1);
  return {{"batch_contrast_per_row",
           mean_over_cases(minus_free_energy(x, biases) - minus_free_energy(drawn, biases))}};
}

// ---------------------------------------------------------------- few states

bool RecurrentRbm::is_exact() const {
  return std::min(weights.size(0), weights.size(1)) <= plan().exact_units;
}

RowScoreKind RecurrentRbm::bound_kind() const {
  if (is_exact()) return {ScoreKind::exact, false, false};
  return {ScoreKind::lower_bound, false, true};
}

// All states of the smaller layer and what the other layer receives in each, float64.
struct RecurrentRbm::Enumerated {
  bool of_hidden;
  Tensor states, input;  // [S, n], [S, m]

  const Tensor& own(const RowBiases& biases) const { return of_hidden ? biases.hidden : biases.visible; }
  const Tensor& other(const RowBiases& biases) const { return of_hidden ? biases.visible : biases.hidden; }

  // each(r, log of the unnormalised probability of every state [S]) for the rows of these biases.
  template <class F>
  void over_rows(const RowBiases& biases, F each) const {
    const Tensor bias = own(biases).to(at::kDouble), rest = other(biases).to(at::kDouble);
    Tensor linear = at::empty({states.size(0), bias.size(0)}, at::kDouble);
    multiply64(linear, states, bias.t());
    for (std::int64_t r = 0; r < bias.size(0); ++r) {
      interruption_point();
      each(r, linear.select(1, r) + softplus_row_sum64(input + rest[r]));
    }
  }
};

RecurrentRbm::Enumerated RecurrentRbm::enumerated() const {
  const bool of_hidden = weights.size(1) <= weights.size(0);
  const Tensor wide = weights.detach().to(at::kDouble);
  Enumerated all{of_hidden, {}, {}};
  const std::int64_t units = of_hidden ? weights.size(1) : weights.size(0);
  all.states = binary_states(0, std::int64_t{1} << units, units);
  all.input = at::empty({all.states.size(0), of_hidden ? weights.size(0) : weights.size(1)}, at::kDouble);
  multiply64(all.input, all.states, of_hidden ? wide.t() : wide);
  return all;
}

Tensor RecurrentRbm::exact_log_prob_of(const Tensor& x, const RowBiases& biases) const {
  Tensor log_z = at::empty({x.size(0)}, at::kDouble);
  enumerated().over_rows(biases, [&](std::int64_t r, const Tensor& logs) {
    LogSumExp sum;
    sum.add(logs);
    log_z.data_ptr<double>()[r] = sum.value();
  });
  return minus_free_energy(x, biases) - log_z;
}

Tensor RecurrentRbm::exact_rows(const RowBiases& biases, Rng& rng) const {
  const Enumerated all = enumerated();
  const std::int64_t rows = biases.visible.size(0), count = all.states.size(0);
  const Tensor u = uniform(rows, 1, rng.next());
  Tensor chosen = at::empty({rows}, at::kLong);
  all.over_rows(biases, [&](std::int64_t r, const Tensor& logs) {
    const Tensor p = (logs - logs.max()).exp().contiguous();
    const double* share = p.data_ptr<double>();
    double total = 0;
    for (std::int64_t s = 0; s < count; ++s) total += share[s];
    double left = static_cast<double>(u.data_ptr<float>()[r]) * total;
    std::int64_t state = 0;
    while (state + 1 < count && left >= share[state]) left -= share[state++];
    chosen.data_ptr<std::int64_t>()[r] = state;
  });
  const Tensor states = all.states.index_select(0, chosen).to(at::kFloat);
  if (!all.of_hidden) return states;
  Tensor x = at::empty({rows, weights.size(0)});
  visible_.activate(visible_input(states), {biases.visible, {}, {}}, 1, rng, {.sample = x});
  return x;
}

// ---------------------------------------------------------------- scores and draws

Tensor RecurrentRbm::draw_rows(const RowBiases& biases, Rng& rng) const {
  return is_exact() ? exact_rows(biases, rng) : annealed_rows(biases, rng);
}

}  // namespace deepgen
