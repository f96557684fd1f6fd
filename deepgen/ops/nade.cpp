#include "deepgen/ops/nade.h"

#include <vector>

#include "deepgen/kernels/column_passes.h"
#include "deepgen/kernels/kernels.h"
#include "deepgen/ops/binary_units.h"
#include "deepgen/ops/layers.h"

namespace deepgen {
namespace {

constexpr std::int64_t most_state_floats = 16'000'000;
constexpr double ns_a_unit = 0.1;  // of one hidden unit for one column of one row

Tensor forward(Tensor& x, const Tensor& uniform, const Tensor& held, const NadeWeights& p, Tensor* states,
               const std::vector<std::int64_t>& first) {
  const std::int64_t n = p.w.size(0), hidden = p.w.size(1);
  Tensor logits = at::empty(x.sizes());
  NadeForward pass{.columns = n,
                   .hidden = hidden,
                   .w = p.w.data_ptr<float>(),
                   .c = p.c.data_ptr<float>(),
                   .v = p.v.data_ptr<float>(),
                   .b = p.b.data_ptr<float>(),
                   .x = x.data_ptr<float>(),
                   .uniform = uniform.defined() ? uniform.data_ptr<float>() : nullptr,
                   .held = held.defined() ? held.data_ptr<bool>() : nullptr,
                   .logits = logits.data_ptr<float>(),
                   .scratch = nullptr,
                   .states = states ? states->data_ptr<float>() : nullptr,
                   .first = first.data()};
  const double cost = ns_a_unit * static_cast<double>(n * hidden);
  parallel_ranges(x.size(0), cost, 1, [&](std::int64_t begin, std::int64_t end) {
    std::vector<float> scratch(static_cast<std::size_t>(2 * hidden));
    NadeForward own = pass;
    own.scratch = scratch.data();
    column_passes().nade_forward(own, begin, end);
  });
  return logits;
}

// Where the states of each row begin; one past the last row, how many there are. Rows stop where the states
// become too many or `rows` are reached.
std::vector<std::int64_t> count_states(const Tensor& x, std::int64_t begin, std::int64_t rows,
                                       std::int64_t hidden) {
  const std::int64_t n = x.size(1);
  std::vector<std::int64_t> first = {0};
  for (std::int64_t r = begin; r < begin + rows; ++r) {
    const float* bits = x.data_ptr<float>() + r * n;
    std::int64_t states = 1;
    for (std::int64_t i = 0; i + 1 < n; ++i) states += bits[i] != 0 ? 1 : 0;
    if (r > begin && (first.back() + states) * hidden > most_state_floats) break;
    first.push_back(first.back() + states);
  }
  return first;
}

// The gradients of some rows; they add to those of the rows before them.
void backward(const Tensor& x, const Tensor& differences, const Tensor& states,
              const std::vector<std::int64_t>& first, const NadeWeights& p, NadeWeights& g, bool add) {
  const std::int64_t n = p.w.size(0), hidden = p.w.size(1), rows = x.size(0);
  Tensor carried = at::empty_like(states), start = at::empty({rows, hidden});
  Tensor dw = add ? at::empty_like(g.w) : g.w, dv = add ? at::empty_like(g.v) : g.v;
  const NadeBackward pass{.columns = n,
                          .hidden = hidden,
                          .rows = rows,
                          .v = p.v.data_ptr<float>(),
                          .x = x.data_ptr<float>(),
                          .differences = differences.data_ptr<float>(),
                          .states = states.data_ptr<float>(),
                          .first = first.data(),
                          .scratch = nullptr,
                          .carried = carried.data_ptr<float>(),
                          .start = start.data_ptr<float>(),
                          .dw = dw.data_ptr<float>(),
                          .dv = dv.data_ptr<float>()};
  parallel_ranges(rows, ns_a_unit * static_cast<double>(n * hidden), 1,
                  [&](std::int64_t begin, std::int64_t end) {
                    std::vector<float> scratch(static_cast<std::size_t>(hidden));
                    NadeBackward own = pass;
                    own.scratch = scratch.data();
                    column_passes().nade_carry(own, begin, end);
                  });
  parallel_ranges(
      n, ns_a_unit * static_cast<double>(rows * hidden), 1,
      [&](std::int64_t begin, std::int64_t end) { column_passes().nade_weights(pass, begin, end); });
  if (add) g.w.add_(dw), g.v.add_(dv);
  column_sums(start, 1, add, g.c);
  column_sums(differences, 1, add, g.b);
}

}  // namespace

Tensor nade_logits(const Tensor& x, const NadeWeights& weights) {
  NoGradGuard no_graph;
  Tensor bits = x.contiguous();
  return forward(bits, {}, {}, weights, nullptr, {});
}

Tensor nade_draw(Tensor& x, const Tensor& uniform, const Tensor& held, const NadeWeights& weights) {
  NoGradGuard no_graph;
  return forward(x, uniform, held, weights, nullptr, {});
}

Tensor nade_gradients(const Tensor& x, const NadeWeights& weights, NadeWeights& gradients) {
  NoGradGuard no_graph;
  const Tensor bits = x.contiguous();
  Tensor log_prob = at::empty({x.size(0)}, at::kDouble);
  for (std::int64_t begin = 0; begin < x.size(0);) {
    const std::int64_t most = std::min(x.size(0) - begin, most_nade_rows);
    const std::vector<std::int64_t> first = count_states(bits, begin, most, weights.w.size(1));
    const auto rows = static_cast<std::int64_t>(first.size()) - 1;
    Tensor some = bits.narrow(0, begin, rows), states = at::empty({first.back(), weights.w.size(1)});
    const Tensor logits = forward(some, {}, {}, weights, &states, first);
    log_prob.narrow(0, begin, rows).copy_(bernoulli_log_prob(logits, some));
    const Tensor differences =
        activate(logits, Activation::sigmoid).sub_(some).mul_(1.0 / static_cast<double>(x.size(0)));
    backward(some, differences, states, first, weights, gradients, begin > 0);
    begin += rows;
  }
  return log_prob;
}

namespace composed {
Tensor nade_logits(const Tensor& x, const NadeWeights& p) {
  Tensor a = p.c.unsqueeze(0).expand({x.size(0), p.c.size(0)});
  std::vector<Tensor> logits;
  for (std::int64_t i = 0; i < x.size(1); ++i) {
    logits.push_back(at::mv(at::sigmoid(a), p.v[i]) + p.b[i]);
    a = a + at::outer(x.select(1, i), p.w[i]);
  }
  return at::stack(logits, 1);
}
}  // namespace composed

}  // namespace deepgen
