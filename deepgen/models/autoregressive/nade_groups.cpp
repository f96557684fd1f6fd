#include "deepgen/models/autoregressive/nade_groups.h"

#include <algorithm>
#include <vector>

#include "deepgen/kernels/kernels.h"
#include "deepgen/ops/binary_units.h"
#include "deepgen/ops/products.h"

namespace deepgen {
namespace {

// Rows whose hidden units stay in a cache beside the core. They share their products, so this number decides
// on roundings.
constexpr std::int64_t rows_together = 32;
// Floats of the states of all rows at work, a thread: with what is carried back through them 8 MB.
constexpr std::int64_t states_at_work = 1'000'000;

// Weights, or their gradients, in plain memory.
struct Net {
  std::int64_t columns, hidden;
  float *w, *c, *v, *b;

  static Net of(const NadeWeights& p) {
    return {p.w.size(0),           p.w.size(1),           p.w.data_ptr<float>(),
            p.c.data_ptr<float>(), p.v.data_ptr<float>(), p.b.data_ptr<float>()};
  }
};

struct Variable {
  std::int64_t first, size;  // its columns
  bool category;

  static Variable of(const VariableLayout& layout, std::int64_t v) {
    const auto at = static_cast<std::size_t>(v);
    return {layout.firsts[at], layout.sizes[at], layout.categories[at]};
  }
  // Which of its columns is on in a row; -1: none, it is a bit that is 0.
  std::int64_t on(const float* row) const {
    const float* x = row + first;
    if (!category) return x[0] != 0 ? 0 : -1;
    return std::max_element(x, x + size) - x;
  }
};

// Buffers that live as long as their thread: a step of training takes nothing from the system.
struct Scratch {
  std::vector<float> a, h;          // [rows_together, hidden]
  std::vector<float> logits, bits;  // [rows_together, widest variable], [rows_together]
  std::vector<double> sums;         // [rows_together]

  void fit(std::int64_t hidden, std::int64_t widest) {
    const auto grow = [](auto& buffer, std::int64_t size) {
      if (std::ssize(buffer) < size) buffer.resize(static_cast<std::size_t>(size));
    };
    grow(a, rows_together * hidden), grow(h, rows_together * hidden);
    grow(logits, rows_together * widest), grow(bits, rows_together), grow(sums, rows_together);
  }
};
thread_local Scratch scratch_of_thread;

Scratch& own_scratch(const Net& net, const VariableLayout& layout) {
  scratch_of_thread.fit(net.hidden, layout.widest());
  return scratch_of_thread;
}

// ---------------------------------------------------------------- one variable of some rows

void start_sums(const Net& net, std::int64_t rows, float* a) {
  for (std::int64_t r = 0; r < rows; ++r) std::copy_n(net.c, net.hidden, a + r * net.hidden);
}

// h = sigmoid(a)
void switch_on(const Net& net, const float* a, std::int64_t rows, float* h) {
  std::copy_n(a, rows * net.hidden, h);
  kernels().activation({Activation::sigmoid, h}, 0, rows * net.hidden);
}

// logits [rows, size], `stride` apart, = b + h V^T
void put_logits(const Net& net, const Variable& own, const float* h, std::int64_t rows, float* logits,
                std::int64_t stride) {
  for (std::int64_t r = 0; r < rows; ++r) std::copy_n(net.b + own.first, own.size, logits + r * stride);
  const RawMatrix states{.data = h, .rows = rows, .columns = net.hidden, .stride = net.hidden};
  const RawMatrix weights{.data = net.v + own.first * net.hidden,
                          .rows = net.hidden,
                          .columns = own.size,
                          .stride = net.hidden,
                          .transposed = true};
  multiply_alone(states, weights, logits, stride, true);
}

// a += the row of W of the column that is on
void take_in(const Net& net, const Variable& own, const float* x, std::int64_t rows, float* a) {
  for (std::int64_t r = 0; r < rows; ++r) {
    const std::int64_t on = own.on(x + r * net.columns);
    if (on < 0) continue;
    const float* w = net.w + (own.first + on) * net.hidden;
    float* sums = a + r * net.hidden;
    for (std::int64_t j = 0; j < net.hidden; ++j) sums[j] += w[j];
  }
}

// log_prob += log p of the variable under scratch.logits; differences = scale * d log p / d logits.
void score_variable(const Net& net, const Variable& own, const float* x, std::int64_t rows, float scale,
                    Scratch& scratch, double* log_prob, float* differences) {
  float* a = scratch.logits.data();  // becomes minus the derivative of a category, the derivative of a bit
  if (own.category) {
    for (std::int64_t r = 0; r < rows; ++r)
      log_prob[r] += static_cast<double>(a[r * own.size + own.on(x + r * net.columns)]);
    const std::int64_t offsets[] = {0, own.size};
    SoftmaxLayer layer{};
    layer.input = layer.mean = a;
    layer.scale = 1, layer.columns = own.size;
    layer.offsets = offsets, layer.groups = 1;
    layer.log_sum_exp = scratch.sums.data();
    kernels().softmax_layer(layer, 0, rows);
  } else {
    for (std::int64_t r = 0; r < rows; ++r)
      scratch.bits[static_cast<std::size_t>(r)] = x[r * net.columns + own.first];
    const BernoulliScore score{.logits = a,
                               .cases = scratch.bits.data(),
                               .columns = 1,
                               .row_sum = scratch.sums.data(),
                               .residual = a};
    kernels().bernoulli_score(score, 0, rows);
  }
  for (std::int64_t r = 0; r < rows; ++r) {
    const double sum = scratch.sums[static_cast<std::size_t>(r)];
    log_prob[r] += own.category ? -sum : sum;
    float *row = a + r * own.size, *difference = differences + r * net.columns + own.first;
    if (own.category) row[own.on(x + r * net.columns)] -= 1;
    const float factor = own.category ? -scale : scale;
    for (std::int64_t k = 0; k < own.size; ++k) difference[k] = factor * row[k];
  }
}

// ---------------------------------------------------------------- logits and draws

void forward_rows(const Net& net, const VariableLayout& layout, const AncestralPass& pass, float* logits,
                  std::int64_t begin, std::int64_t rows) {
  Scratch& scratch = own_scratch(net, layout);
  float *x = pass.x.data_ptr<float>() + begin * net.columns, *a = scratch.a.data(), *h = scratch.h.data();
  const float* u =
      pass.uniform.defined() ? pass.uniform.data_ptr<float>() + begin * layout.variables() : nullptr;
  const bool* held = pass.held.defined() ? pass.held.data_ptr<bool>() + begin * net.columns : nullptr;
  logits += begin * net.columns;
  start_sums(net, rows, a);
  for (std::int64_t v = 0; v < layout.variables(); ++v) {
    const Variable own = Variable::of(layout, v);
    switch_on(net, a, rows, h);
    put_logits(net, own, h, rows, logits + own.first, net.columns);
    for (std::int64_t r = 0; u && r < rows; ++r) {
      const std::int64_t cell = r * net.columns + own.first;
      if (held && held[cell]) continue;
      draw_variable(own.category, logits + cell, own.size, u[r * layout.variables() + v], x + cell);
    }
    take_in(net, own, x, rows, a);
  }
}

Tensor forward_pass(const AncestralPass& pass, const VariableLayout& layout, const NadeWeights& weights) {
  NoGradGuard no_graph;
  const Net net = Net::of(weights);
  const std::int64_t rows = pass.x.size(0);
  Tensor logits = at::empty(pass.x.sizes());
  share_items((rows + rows_together - 1) / rows_together, [&](std::int64_t item, int) {
    const std::int64_t begin = item * rows_together;
    forward_rows(net, layout, pass, logits.data_ptr<float>(), begin, std::min(rows_together, rows - begin));
  });
  return logits;
}

// ---------------------------------------------------------------- gradients

// Rows [begin, begin + rows) of a batch on their way forwards and back.
struct Work {
  const VariableLayout& layout;
  Net net;
  const float* x;
  float scale;  // of the differences
  double* log_prob;
  float *differences, *start;  // of the whole batch: [B, columns], [B, hidden]
  float *states, *carried;     // [variables, rows, hidden]: h, and d loss / d a behind the variable
  std::int64_t begin = 0, rows = 0;

  // Of a variable of the row so many places from `begin`.
  std::int64_t state(std::int64_t v, std::int64_t row) const { return (v * rows + row) * net.hidden; }
};

void rows_forwards(const Work& work, std::int64_t first, std::int64_t rows, Scratch& scratch) {
  const Net& net = work.net;
  const std::int64_t row = work.begin + first;
  const float* x = work.x + row * net.columns;
  std::fill_n(work.log_prob + row, rows, 0.0);
  start_sums(net, rows, scratch.a.data());
  for (std::int64_t v = 0; v < work.layout.variables(); ++v) {
    const Variable own = Variable::of(work.layout, v);
    float* h = work.states + work.state(v, first);
    switch_on(net, scratch.a.data(), rows, h);
    put_logits(net, own, h, rows, scratch.logits.data(), own.size);
    score_variable(net, own, x, rows, work.scale, scratch, work.log_prob + row,
                   work.differences + row * net.columns);
    take_in(net, own, x, rows, scratch.a.data());
  }
}

void rows_back(const Work& work, std::int64_t first, std::int64_t rows, Scratch& scratch) {
  const Net& net = work.net;
  const std::int64_t row = work.begin + first, count = rows * net.hidden;
  float *da = work.start + row * net.hidden, *through = scratch.h.data();
  std::fill_n(da, count, 0.0F);
  for (std::int64_t v = work.layout.variables(); v-- > 0;) {
    const Variable own = Variable::of(work.layout, v);
    std::copy_n(da, count, work.carried + work.state(v, first));
    const RawMatrix differences{.data = work.differences + row * net.columns + own.first,
                                .rows = rows,
                                .columns = own.size,
                                .stride = net.columns};
    const RawMatrix weights{.data = net.v + own.first * net.hidden,
                            .rows = own.size,
                            .columns = net.hidden,
                            .stride = net.hidden};
    multiply_alone(differences, weights, through, net.hidden, false);
    const float* h = work.states + work.state(v, first);
    kernels().activation_gradient({Activation::sigmoid, through, h, through}, 0, count);
    for (std::int64_t j = 0; j < count; ++j) da[j] += through[j];
  }
}

// The gradients of the rows of W and V of a variable, added to what earlier rows of the batch gave.
void add_weights(const Work& work, std::int64_t v, const Net& gradients) {
  const Net& net = work.net;
  const Variable own = Variable::of(work.layout, v);
  float *dw = gradients.w + own.first * net.hidden, *dv = gradients.v + own.first * net.hidden;
  if (work.begin == 0) std::fill_n(dw, own.size * net.hidden, 0.0F);
  for (std::int64_t first = 0; first < work.rows; first += rows_together) {
    const std::int64_t count = std::min(rows_together, work.rows - first), row = work.begin + first;
    const RawMatrix differences{.data = work.differences + row * net.columns + own.first,
                                .rows = own.size,
                                .columns = count,
                                .stride = net.columns,
                                .transposed = true};
    const RawMatrix states{.data = work.states + work.state(v, first),
                           .rows = count,
                           .columns = net.hidden,
                           .stride = net.hidden};
    multiply_alone(differences, states, dv, net.hidden, row > 0);
  }
  for (std::int64_t r = 0; r < work.rows; ++r) {
    const std::int64_t on = own.on(work.x + (work.begin + r) * net.columns);
    if (on < 0) continue;
    const float* da = work.carried + work.state(v, r);
    for (std::int64_t j = 0; j < net.hidden; ++j) dw[on * net.hidden + j] += da[j];
  }
}

void gradients_of(const Work& work, const Net& gradients) {
  share_items((work.rows + rows_together - 1) / rows_together, [&](std::int64_t item, int) {
    const std::int64_t first = item * rows_together, rows = std::min(rows_together, work.rows - first);
    Scratch& scratch = own_scratch(work.net, work.layout);
    rows_forwards(work, first, rows, scratch);
    rows_back(work, first, rows, scratch);
  });
  share_items(work.layout.variables(), [&](std::int64_t v, int) { add_weights(work, v, gradients); });
}

}  // namespace

Tensor nade_group_logits(const Tensor& x, const VariableLayout& layout, const NadeWeights& weights) {
  return forward_pass({x.contiguous(), {}, {}}, layout, weights);
}

Tensor nade_group_draw(const AncestralPass& pass, const VariableLayout& layout, const NadeWeights& weights) {
  return forward_pass(pass, layout, weights);
}

Tensor nade_group_gradients(const Tensor& x, const VariableLayout& layout, const NadeWeights& weights,
                            NadeWeights& gradients, NadeBuffers& buffers) {
  NoGradGuard no_graph;
  const Tensor cells = x.contiguous();
  const Net net = Net::of(weights);
  const std::int64_t rows = x.size(0), floats_of_row = layout.variables() * net.hidden;
  const std::int64_t products = states_at_work * threads() / floats_of_row / rows_together;
  const std::int64_t most = std::min(rows, rows_together * std::max<std::int64_t>(1, products));
  const Tensor log_prob = at::empty({rows}, at::kDouble);
  const Tensor start = kept_matrix(buffers.start, rows, net.hidden);
  const Tensor differences = kept_matrix(buffers.differences, rows, net.columns);
  Work work{.layout = layout,
            .net = net,
            .x = cells.data_ptr<float>(),
            .scale = -1 / static_cast<float>(rows),
            .log_prob = log_prob.data_ptr<double>(),
            .differences = differences.data_ptr<float>(),
            .start = start.data_ptr<float>(),
            .states = kept_matrix(buffers.states, most, floats_of_row).data_ptr<float>(),
            .carried = kept_matrix(buffers.carried, most, floats_of_row).data_ptr<float>()};
  for (; work.begin < rows; work.begin += work.rows) {
    work.rows = std::min(most, rows - work.begin);
    gradients_of(work, Net::of(gradients));
  }
  column_sums(start, 1, false, gradients.c);
  column_sums(differences, 1, false, gradients.b);
  return log_prob;
}

namespace composed {
Tensor nade_group_logits(const Tensor& x, const VariableLayout& layout, const NadeWeights& p) {
  Tensor a = p.c.unsqueeze(0).expand({x.size(0), p.c.size(0)});
  std::vector<Tensor> logits;
  for (std::int64_t v = 0; v < layout.variables(); ++v) {
    const std::int64_t first = layout.firsts[static_cast<std::size_t>(v)],
                       size = layout.sizes[static_cast<std::size_t>(v)];
    const auto own = [&](const Tensor& weights) { return weights.narrow(0, first, size); };
    logits.push_back(at::mm(at::sigmoid(a), own(p.v).t()) + own(p.b));
    a = a + at::mm(x.narrow(1, first, size), own(p.w));
  }
  return at::cat(logits, 1);
}
}  // namespace composed

}  // namespace deepgen
