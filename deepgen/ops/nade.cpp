#include "deepgen/ops/nade.h"

#include <algorithm>
#include <vector>

#include "deepgen/core/interruption.h"
#include "deepgen/kernels/column_passes.h"
#include "deepgen/kernels/kernels.h"
#include "deepgen/ops/binary_units.h"

namespace deepgen {
namespace {

// States of the rows at work, a thread: with what is carried back through them 4 MB, which stay in the cache
// between the passes.
constexpr std::int64_t block_floats = 500'000;
constexpr double ns_a_unit = 0.1;  // of one hidden unit for one column of one row

NadeForward forward_pass(const Tensor& x, const NadeWeights& p, const Tensor& logits) {
  return {.columns = p.w.size(0),
          .hidden = p.w.size(1),
          .w = p.w.data_ptr<float>(),
          .c = p.c.data_ptr<float>(),
          .v = p.v.data_ptr<float>(),
          .b = p.b.data_ptr<float>(),
          .x = x.data_ptr<float>(),
          .logits = logits.data_ptr<float>(),
          .scratch = nullptr};
}

// From the biases of one row to those of the next; none where they are the same for all.
struct BiasSteps {
  std::int64_t c = 0, b = 0;
  explicit BiasSteps(const NadeWeights& p)
      : c(p.c.dim() == 2 ? p.c.size(1) : 0), b(p.b.dim() == 2 ? p.b.size(1) : 0) {}
};

void forward_rows(const NadeForward& pass, const BiasSteps& steps, std::int64_t begin, std::int64_t end) {
  if (steps.c == 0 && steps.b == 0) return column_passes().nade_forward(pass, begin, end);
  for (std::int64_t r = begin; r < end; ++r) {
    NadeForward row = pass;
    row.c += r * steps.c, row.b += r * steps.b;
    column_passes().nade_forward(row, r, r + 1);
  }
}

Tensor forward(const Tensor& x, const Tensor& uniform, const Tensor& held, const NadeWeights& p) {
  Tensor logits = at::empty(x.sizes());
  NadeForward pass = forward_pass(x, p, logits);
  if (uniform.defined()) pass.uniform = uniform.data_ptr<float>();
  if (held.defined()) pass.held = held.data_ptr<bool>();
  const double cost = ns_a_unit * static_cast<double>(pass.columns * pass.hidden);
  parallel_ranges(x.size(0), cost, 1, [&](std::int64_t begin, std::int64_t end) {
    std::vector<float> scratch(static_cast<std::size_t>(2 * pass.hidden));
    NadeForward own = pass;
    own.scratch = scratch.data();
    forward_rows(own, BiasSteps(p), begin, end);
  });
  return logits;
}

// ---------------------------------------------------------------- rows at work together

// Consecutive rows. The gradients of the weights are summed row by row, from one span to the next too, so they
// depend on no cut.
struct Span {
  std::int64_t begin = 0;
  std::vector<std::int64_t> first = {0};  // where the states of a row begin; at the end their number

  std::int64_t rows() const { return static_cast<std::int64_t>(first.size()) - 1; }
};

std::int64_t count_states(const float* bits, std::int64_t columns) {
  std::int64_t states = 1;
  for (std::int64_t i = 0; i + 1 < columns; ++i) states += bits[i] != 0 ? 1 : 0;
  return states;
}

Span next_span(const Tensor& x, std::int64_t begin, std::int64_t hidden) {
  const std::int64_t most = block_floats * threads(), n = x.size(1);
  Span span;
  span.begin = begin;
  for (std::int64_t r = begin; r < x.size(0) && span.rows() < most_nade_rows; ++r) {
    const std::int64_t states = span.first.back() + count_states(x.data_ptr<float>() + r * n, n);
    if (r > begin && states * hidden > most) break;
    span.first.push_back(states);
  }
  return span;
}

// Room for so many floats in a tensor that is kept; rows have different numbers of ones, so a little more.
float* room(Tensor& kept, std::int64_t floats) {
  if (!kept.defined() || kept.numel() < floats) kept = at::empty({floats + floats / 4});
  return kept.data_ptr<float>();
}

// ---------------------------------------------------------------- gradients

// All rows of the batch, and what becomes of them.
struct Batch {
  const Tensor& x;
  const NadeWeights& weights;
  NadeBuffers& buffers;
  Tensor log_prob, start, differences;
};

struct Passes {
  NadeForward forward;
  BiasSteps steps;
  BernoulliScore score;  // writes x - sigmoid(logit) over the logits
  NadeBackward backward;
  float scale;  // of the differences
};

Passes passes_of(const Batch& batch, const Span& span) {
  NadeForward forward = forward_pass(batch.x, batch.weights, batch.differences);
  const std::int64_t hidden = forward.hidden, states = span.first.back() * hidden;
  const BiasSteps steps(batch.weights);
  forward.c += span.begin * steps.c, forward.b += span.begin * steps.b;
  forward.x += span.begin * forward.columns;
  forward.logits += span.begin * forward.columns;
  forward.states = room(batch.buffers.states, states);
  forward.first = span.first.data();
  const BernoulliScore score{.logits = forward.logits,
                             .cases = forward.x,
                             .columns = forward.columns,
                             .row_sum = batch.log_prob.data_ptr<double>() + span.begin,
                             .residual = forward.logits};
  const NadeBackward backward{.columns = forward.columns,
                              .hidden = hidden,
                              .rows = span.rows(),
                              .v = forward.v,
                              .x = forward.x,
                              .differences = forward.logits,
                              .states = forward.states,
                              .first = forward.first,
                              .carried = room(batch.buffers.carried, states),
                              .start = batch.start.data_ptr<float>() + span.begin * hidden};
  return {forward, steps, score, backward, -1 / static_cast<float>(batch.x.size(0))};
}

// Forwards through the rows of a span and back, each row on its own.
void through_rows(const Passes& passes) {
  const std::int64_t n = passes.forward.columns, hidden = passes.forward.hidden;
  const double cost = 2 * ns_a_unit * static_cast<double>(n * hidden);
  parallel_ranges(passes.backward.rows, cost, 1, [&](std::int64_t begin, std::int64_t end) {
    std::vector<float> scratch(static_cast<std::size_t>(2 * hidden));
    Passes own = passes;
    own.forward.scratch = own.backward.scratch = scratch.data();
    for (std::int64_t r = begin; r < end; ++r) {
      forward_rows(own.forward, own.steps, r, r + 1);
      kernels().bernoulli_score(own.score, r, r + 1);
      for (std::int64_t i = r * n; i < (r + 1) * n; ++i) own.score.residual[i] *= own.scale;
      column_passes().nade_carry(own.backward, r, r + 1);
    }
  });
}

}  // namespace

Tensor kept_matrix(Tensor& kept, std::int64_t rows, std::int64_t columns) {
  room(kept, rows * columns);
  return kept.narrow(0, 0, rows * columns).view({rows, columns});
}

Tensor nade_logits(const Tensor& x, const NadeWeights& weights) {
  NoGradGuard no_graph;
  return forward(x.contiguous(), {}, {}, weights);
}

Tensor nade_draw(Tensor& x, const Tensor& uniform, const Tensor& held, const NadeWeights& weights) {
  NoGradGuard no_graph;
  return forward(x, uniform, held, weights);
}

Tensor nade_gradients(const Tensor& x, const NadeWeights& weights, NadeWeights& gradients,
                      NadeBuffers& buffers) {
  NoGradGuard no_graph;
  const Tensor bits = x.contiguous();
  const std::int64_t rows = x.size(0), hidden = weights.w.size(1);
  const Batch batch{.x = bits,
                    .weights = weights,
                    .buffers = buffers,
                    .log_prob = at::empty({rows}, at::kDouble),
                    .start = kept_matrix(buffers.start, rows, hidden),
                    .differences = kept_matrix(buffers.differences, rows, x.size(1))};
  for (std::int64_t begin = 0; begin < rows;) {
    interruption_point();
    const Span span = next_span(bits, begin, hidden);
    Passes passes = passes_of(batch, span);
    through_rows(passes);
    passes.backward.dw = gradients.w.data_ptr<float>();
    passes.backward.dv = gradients.v.data_ptr<float>();
    passes.backward.add = begin > 0;
    const double cost = ns_a_unit * static_cast<double>(span.rows() * hidden);
    parallel_ranges(x.size(1), cost, 1, [&](std::int64_t from, std::int64_t to) {
      column_passes().nade_weights(passes.backward, from, to);
    });
    begin += span.rows();
  }
  if (gradients.c.dim() == 2)
    gradients.c.copy_(batch.start);
  else
    column_sums(batch.start, 1, false, gradients.c);
  if (gradients.b.dim() == 2)
    gradients.b.copy_(batch.differences);
  else
    column_sums(batch.differences, 1, false, gradients.b);
  return batch.log_prob;
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
