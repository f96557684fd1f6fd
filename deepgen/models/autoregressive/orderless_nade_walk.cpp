// One variable after another: scores, samples and completions of the order-agnostic NADE.
#include <algorithm>
#include <cmath>
#include <limits>

#include "deepgen/kernels/column_passes.h"
#include "deepgen/kernels/kernels.h"
#include "deepgen/models/autoregressive/orderless_nade.h"
#include "deepgen/ops/binary_units.h"
#include "deepgen/ops/layers.h"
#include "deepgen/parts/checks/categories.h"

namespace deepgen {
namespace {

constexpr std::int64_t walk_rows = 250;  // rows whose layers fit into the second cache together
constexpr float not_there = std::numeric_limits<float>::quiet_NaN();

double log_prob_of_bit(float bit, float logit) {
  const double a = logit;
  return static_cast<double>(bit) * a - std::max(a, 0.0) - std::log1p(std::exp(-std::abs(a)));
}

// The category that u in [0, 1) draws under these logits, or the given one; and its log-probability.
std::int64_t category_of(const std::vector<float>& logits, const float* one_hot, const float* u,
                         double& log_prob) {
  const double most = *std::max_element(logits.begin(), logits.end());
  const auto above = [&](std::int64_t k) {
    return static_cast<double>(logits[static_cast<std::size_t>(k)]) - most;
  };
  const auto count = static_cast<std::int64_t>(logits.size());
  double total = 0;
  for (std::int64_t k = 0; k < count; ++k) total += std::exp(above(k));
  const std::int64_t category = u ? pick_category(count, static_cast<double>(*u) * total,
                                                  [&](std::int64_t k) { return std::exp(above(k)); })
                                  : std::max_element(one_hot, one_hot + count) - one_hot;
  log_prob += above(category) - std::log(total);
  return category;
}

}  // namespace

// Rows that learn one variable a step. What is not known at the start and not among these stays unknown.
struct OrderlessNade::Walk {
  Tensor x;                             // [B, D], dense: what is drawn is written
  Tensor known;                         // [B, V] of 0 and 1, at the start
  std::vector<std::int64_t> variables;  // [B, steps], row by row; below 0: none
  Tensor uniform;                       // [B, steps]: values are drawn; undefined: they are in x

  Tensor zero = {},
         one = {};     // [V, H], [D, H]: what the first layer receives with a bit that is 0; with a column
                       // that is 1
  Tensor output = {};  // [D, out], the last layer's weights
  // Of the direct weights, where there are any: [B, D] what the log odds receive; [V, D], [D, D] as above.
  Tensor straight = {}, straight_zero = {}, straight_one = {};

  std::int64_t steps() const {
    return static_cast<std::int64_t>(variables.size()) / std::max<std::int64_t>(1, x.size(0));
  }
};

// Row r learns its next variable: its log odds from the last hidden layer h, its value, and what the first
// layer receives with it.
void OrderlessNade::learn_variable(Walk& walk, std::int64_t r, std::int64_t step, const Tensor& h, Tensor& a,
                                   std::vector<float>& logits, double& log_prob) const {
  const std::int64_t steps = walk.steps(), out = h.size(1), hidden = a.size(1);
  const std::int64_t v = walk.variables[static_cast<std::size_t>(r * steps + step)];
  if (v < 0) return;
  const auto own_place = static_cast<std::size_t>(v);
  const std::int64_t first = layout_.firsts[own_place], size = layout_.sizes[own_place];
  float* x = walk.x.data_ptr<float>() + r * columns() + first;
  const float* u = walk.uniform.defined() ? walk.uniform.data_ptr<float>() + r * steps + step : nullptr;
  if (u && own_place + 1 < layout_.marks.size() && layout_.marks[own_place + 1] && x[size] == 1) {
    std::fill(x, x + size, not_there);  // as in training: it is not there
    return;
  }
  logits.resize(static_cast<std::size_t>(size));
  column_passes().prefix_dots({.input = walk.output.data_ptr<float>() + first * out,
                               .stride = out,
                               .count = out,
                               .weight = h.data_ptr<float>() + r * out,
                               .bias = 0,
                               .output = logits.data(),
                               .output_stride = 1},
                              0, size);
  for (std::int64_t k = 0; k < size; ++k)
    logits[static_cast<std::size_t>(k)] += output_->bias.data_ptr<float>()[first + k];
  float* straight = walk.straight.defined() ? walk.straight.data_ptr<float>() + r * columns() : nullptr;
  for (std::int64_t k = 0; straight && k < size; ++k)
    logits[static_cast<std::size_t>(k)] += straight[first + k];
  const bool bit = !layout_.categories[own_place];
  std::int64_t on = 0;  // the column that is 1
  if (bit) {
    if (u) x[0] = *u < 1 / (1 + std::exp(-logits[0])) ? 1.0F : 0.0F;
    log_prob += log_prob_of_bit(x[0], logits[0]);
  } else {
    on = category_of(logits, x, u, log_prob);
    std::fill(x, x + size, 0.0F);
    x[on] = 1;
  }
  const float* added = bit && x[0] == 0 ? walk.zero.data_ptr<float>() + v * hidden
                                        : walk.one.data_ptr<float>() + (first + on) * hidden;
  float* own = a.data_ptr<float>() + r * hidden;
  for (std::int64_t j = 0; j < hidden; ++j) own[j] += added[j];
  if (!straight) return;
  const float* more = bit && x[0] == 0 ? walk.straight_zero.data_ptr<float>() + v * columns()
                                       : walk.straight_one.data_ptr<float>() + (first + on) * columns();
  for (std::int64_t j = 0; j < columns(); ++j) straight[j] += more[j];
}

// The log-probability of what each row has learnt.
std::vector<double> OrderlessNade::walk(Walk& walk) const {
  NoGradGuard no_graph;
  const DenseLayer& first = *net_->layers().front();
  const Activation f = activation_of(options_.activation);
  const std::int64_t entering = embeddings_->columns();
  const Tensor inward = first.weight.narrow(0, 0, entering);
  walk.zero = first.weight.narrow(0, entering, variables()).detach();
  walk.one = walk.zero.index_select(0, layout_.variable_of()) +
             (embeddings_->any() ? dense(embeddings_->matrix(), inward, {}) : inward);
  walk.output = output_->weight.detach().t().contiguous();
  const std::int64_t rows = walk.x.size(0);
  const Tensor known = layout_.by_column(walk.known);
  const Tensor input = at::cat({at::nan_to_num(walk.x, 0) * known, walk.known}, 1);
  Tensor a = dense(entrance(input), first.weight, first.bias);
  if (direct_.defined()) {
    walk.straight = dense(input, direct_, {});
    walk.straight_zero = direct_.narrow(0, columns(), variables()).detach();
    walk.straight_one =
        walk.straight_zero.index_select(0, layout_.variable_of()) + direct_.narrow(0, 0, columns());
  }
  std::vector<double> log_probs(static_cast<std::size_t>(rows), 0);
  const double width = static_cast<double>(columns()) / static_cast<double>(variables());
  for (std::int64_t step = 0; step < walk.steps(); ++step) {
    const Tensor h = hidden_from(activate(a, f), 1, 0, nullptr).contiguous();
    const double cost = 0.3 * static_cast<double>(a.size(1)) + 0.1 * width * static_cast<double>(h.size(1));
    parallel_ranges(rows, cost, 1, [&](std::int64_t begin, std::int64_t end) {
      std::vector<float> logits;  // of one variable
      for (std::int64_t r = begin; r < end; ++r)
        learn_variable(walk, r, step, h, a, logits, log_probs[static_cast<std::size_t>(r)]);
    });
  }
  return log_probs;
}

// ---------------------------------------------------------------- sampling

namespace {

// The unknown variables of each row of known [B, V] in an order of the row's own, marks first, filled up with -1.
std::vector<std::int64_t> shuffled_unknown(const Tensor& known, const std::vector<bool>& marks, Rng& rng) {
  const std::int64_t rows = known.size(0), variables = known.size(1);
  const Tensor keys = uniform(rows, variables, rng.next());
  std::vector<std::vector<std::int64_t>> unknown(static_cast<std::size_t>(rows));
  std::size_t steps = 0;
  for (std::int64_t r = 0; r < rows; ++r) {
    auto& own = unknown[static_cast<std::size_t>(r)];
    for (std::int64_t v = 0; v < variables; ++v)
      if (known.data_ptr<float>()[r * variables + v] == 0) own.push_back(v);
    const float* key = keys.data_ptr<float>() + r * variables;
    std::sort(own.begin(), own.end(),
              [&](std::int64_t a, std::int64_t b) { return key[a] < key[b] || (key[a] == key[b] && a < b); });
    std::stable_partition(own.begin(), own.end(),
                          [&](std::int64_t v) { return marks[static_cast<std::size_t>(v)]; });
    steps = std::max(steps, own.size());
  }
  std::vector<std::int64_t> all;
  for (auto& own : unknown) {
    own.resize(steps, -1);
    all.insert(all.end(), own.begin(), own.end());
  }
  return all;
}

}  // namespace

Tensor OrderlessNade::complete(const Rows& all, Rng& rng) const {
  const Tensor& x = all.x;
  std::vector<Tensor> parts;
  for (std::int64_t first = 0; first < x.size(0); first += walk_rows) {
    const std::int64_t rows = std::min(walk_rows, x.size(0) - first);
    const Tensor some = x.narrow(0, first, rows), known = there(some).contiguous();
    Walk draws{at::nan_to_num(some, 0).contiguous(), known, shuffled_unknown(known, layout_.marks, rng), {}};
    const std::int64_t steps = draws.steps();
    draws.uniform = uniform(rows, std::max<std::int64_t>(1, steps), rng.next());
    if (steps > 0) walk(draws);
    parts.push_back(at::where(layout_.by_column(known) > 0, some, draws.x));
  }
  return parts.empty() ? x : at::cat(parts);
}

// Nothing is known.
Tensor OrderlessNade::sample(std::int64_t count, Rng& rng) const {
  return complete(Rows(at::full({count, columns()}, not_there)), rng);
}

// ---------------------------------------------------------------- scores

Tensor OrderlessNade::log_prob_under(const Rows& all, std::int64_t number) const {
  NoGradGuard no_graph;
  const Tensor& x = all.x;
  const std::vector<std::int64_t> variables = order(number);
  Tensor log_prob = at::empty({x.size(0)}, at::kDouble);
  for (std::int64_t first = 0; first < x.size(0); first += walk_rows) {
    const std::int64_t rows = std::min(walk_rows, x.size(0) - first);
    const Tensor some = x.narrow(0, first, rows), cells = there(some).contiguous();
    Walk given{at::nan_to_num(some, 0).contiguous(), at::zeros({rows, this->variables()}), {}, {}};
    for (std::int64_t r = 0; r < rows; ++r)
      for (const std::int64_t v : variables)
        given.variables.push_back(cells.data_ptr<float>()[r * this->variables() + v] > 0 ? v : -1);
    const std::vector<double> values = walk(given);
    std::copy(values.begin(), values.end(), log_prob.data_ptr<double>() + first);
  }
  return log_prob;
}

}  // namespace deepgen
