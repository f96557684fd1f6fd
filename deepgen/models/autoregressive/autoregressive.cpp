#include "deepgen/models/autoregressive/autoregressive.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "deepgen/core/error.h"
#include "deepgen/kernels/kernels.h"
#include "deepgen/ops/binary_units.h"
#include "deepgen/ops/layers.h"

namespace deepgen {
namespace {

// The block of missing variables that is drawn anew: [first, last) among `count` of them, in the order.
struct Block {
  std::int64_t first, last;
};

// Of every third step a block that ends with the last missing variable, of every third one of a length whose
// logarithm is uniform; else all.
Block choose_block(std::int64_t count, const float* u) {
  auto below = [](float share, double n) { return static_cast<std::int64_t>(share * n); };
  if (u[0] < 1.0F / 3) return {0, count};
  const std::int64_t first = std::min(count - 1, below(u[1], static_cast<double>(count)));
  if (u[0] < 2.0F / 3) return {first, count};
  const std::int64_t length = 1 + below(1, std::pow(static_cast<double>(count), u[2]) - 1);
  return {first, std::min(count, first + length)};
}

// Which variables keep their value in this step, row by row; `missing` lists the missing ones of each row.
Tensor held_variables(const std::vector<std::vector<std::int64_t>>& missing, std::int64_t variables,
                      Rng& rng) {
  const auto rows = static_cast<std::int64_t>(missing.size());
  Tensor held = at::ones({rows, variables}, at::kBool);
  const Tensor u = uniform(rows, 3, rng.next());
  for (std::int64_t r = 0; r < rows; ++r) {
    const std::vector<std::int64_t>& own = missing[static_cast<std::size_t>(r)];
    if (own.empty()) continue;
    const Block block = choose_block(static_cast<std::int64_t>(own.size()), u.data_ptr<float>() + r * 3);
    for (std::int64_t k = block.first; k < block.last; ++k)
      held.data_ptr<bool>()[r * variables + own[static_cast<std::size_t>(k)]] = false;
  }
  return held;
}

std::vector<std::vector<std::int64_t>> missing_variables(const Tensor& known,
                                                         const std::vector<std::int64_t>& order) {
  const Tensor dense = known.contiguous();
  const std::int64_t variables = dense.size(1);
  std::vector<std::vector<std::int64_t>> missing(static_cast<std::size_t>(dense.size(0)));
  for (std::size_t r = 0; r < missing.size(); ++r)
    for (const std::int64_t v : order)
      if (!dense.data_ptr<bool>()[static_cast<std::int64_t>(r) * variables + v]) missing[r].push_back(v);
  return missing;
}

// body(category, size, place of its first column in [B, D]) of each variable of each row; variable by variable,
// as torch's own softplus and sigmoid round by the number of threads.
template <class Body>
void each_variable(const VariableLayout& layout, std::int64_t rows, Body body) {
  parallel_ranges(rows, 30 * static_cast<double>(layout.columns), 1,
                  [&](std::int64_t begin, std::int64_t end) {
                    for (std::int64_t r = begin; r < end; ++r)
                      for (std::size_t v = 0; v < layout.sizes.size(); ++v)
                        body(layout.categories[v], layout.sizes[v], r * layout.columns + layout.firsts[v]);
                  });
}

double log_sum_exp(const double* logits, std::int64_t size) {
  const double most = *std::max_element(logits, logits + size);
  double sum = 0;
  for (std::int64_t k = 0; k < size; ++k) sum += std::exp(logits[k] - most);
  return most + std::log(sum);
}

Tensor variable_means(const Tensor& logits, const VariableLayout& layout) {  // [B, D] float64 -> float32
  const Tensor dense = logits.contiguous();
  Tensor means = at::empty(dense.sizes());
  const double* a = dense.data_ptr<double>();
  float* mean = means.data_ptr<float>();
  each_variable(layout, dense.size(0), [&](bool category, std::int64_t size, std::int64_t at) {
    if (!category) {
      mean[at] = static_cast<float>(1 / (1 + std::exp(-a[at])));
      return;
    }
    const double total = log_sum_exp(a + at, size);
    for (std::int64_t k = at; k < at + size; ++k) mean[k] = static_cast<float>(std::exp(a[k] - total));
  });
  return means;
}

// Of each variable, at its first column, [B, D] float64.
Tensor variable_log_probs(const Tensor& logits, const Tensor& x, const VariableLayout& layout) {
  const Tensor dense = logits.to(at::kDouble).contiguous(), values = x.to(at::kDouble).contiguous();
  Tensor result = at::zeros_like(dense);
  const double *a = dense.data_ptr<double>(), *value = values.data_ptr<double>();
  double* log_prob = result.data_ptr<double>();
  each_variable(layout, dense.size(0), [&](bool category, std::int64_t size, std::int64_t at) {
    if (category)
      log_prob[at] = a[std::max_element(value + at, value + at + size) - value] - log_sum_exp(a + at, size);
    else
      log_prob[at] = value[at] * a[at] - std::max(a[at], 0.0) - std::log1p(std::exp(-std::abs(a[at])));
  });
  return result;
}

Tensor row_sums(const Tensor& terms) {  // [B, D] float64, row by row in their order
  const Tensor dense = terms.contiguous();
  Tensor sums = at::zeros({dense.size(0)}, at::kDouble);
  for (std::int64_t r = 0; r < dense.size(0); ++r)
    for (std::int64_t j = 0; j < dense.size(1); ++j)
      sums.data_ptr<double>()[r] += dense.data_ptr<double>()[r * dense.size(1) + j];
  return sums;
}

}  // namespace

double mean_over_cases(const Tensor& values) {
  return row_sums(values.detach().unsqueeze(0)).item<double>() / static_cast<double>(values.size(0));
}

Tensor exact_log_prob(const Tensor& logits, const Tensor& x, const VariableLayout& layout) {
  NoGradGuard no_graph;
  return row_sums(variable_log_probs(logits.detach(), x, layout));
}

void refuse_missing(const Tensor& x, const std::string& model, const std::string& what,
                    std::int64_t first_row) {
  const Tensor gaps = x.isnan();
  if (!gaps.any().item<bool>()) return;
  const Tensor first = gaps.nonzero()[0];
  fail_data(what,
            fmt::format("expected complete rows, got a missing cell at row {}, column {}; {} cannot sum "
                        "it out: fill the gaps with `deepgen complete`, or take a model that learns from "
                        "such rows (orderless_nade, latent_class, rbm)",
                        first_row + first[0].item<std::int64_t>(), first[1].item<std::int64_t>(), model));
}

// ---------------------------------------------------------------- training

Metrics Autoregressive::descend(const Tensor& log_prob) {
  fill_gradients(-log_prob.mean(), parameters());
  return {{"batch_log_prob", mean_over_cases(log_prob)}};
}

Metrics Autoregressive::diagnose(const Rows& train, const Rows& valid, Rng&) {
  NoGradGuard no_graph;
  const double own = mean_over_cases(log_prob(train));
  Metrics metrics = {{"train_log_prob", own}};
  if (valid.size() > 0) metrics.emplace_back("gap", own - mean_over_cases(log_prob(valid)));
  return metrics;
}

// ---------------------------------------------------------------- draws

Tensor Autoregressive::sample(std::int64_t count, Rng& rng) const {
  const std::int64_t columns = layout().columns;
  return draw(at::zeros({count, columns}), at::zeros({count, columns}, at::kBool), rng).x;
}

Tensor Autoregressive::chain_steps(const Tensor& x, std::int64_t steps, Rng& rng) const {
  return clamped_steps(x, steps, at::zeros(x.sizes(), at::kBool), rng);
}

Tensor Autoregressive::clamped_steps(const Tensor& x, std::int64_t steps, const Tensor& known,
                                     Rng& rng) const {
  NoGradGuard no_graph;
  const VariableLayout variables = layout();
  const auto missing = missing_variables(variables.by_variable(known), order());
  Tensor state = x.contiguous();
  if (steps < 1) return state;
  Tensor log_prob = draw(state, at::ones(x.sizes(), at::kBool), rng).log_prob;
  for (std::int64_t step = 0; step < steps; ++step) {
    const Tensor held = variables.by_column(held_variables(missing, variables.variables(), rng));
    const Draw proposal = draw(state, held, rng);
    const Tensor ratio = row_sums((proposal.log_prob - log_prob) * held);
    const Tensor chance = uniform(x.size(0), 1, rng.next()).squeeze(1).to(at::kDouble);
    const Tensor accepted = (chance.log() < ratio).unsqueeze(1);
    state = at::where(accepted, proposal.x, state);
    log_prob = at::where(accepted, proposal.log_prob, log_prob);
  }
  return at::where(known, x, state);
}

// Of a step that moves every variable from a random one on: these are always accepted.
Tensor Autoregressive::chain_mean(const Tensor& x, Rng& rng) const {
  NoGradGuard no_graph;
  const std::vector<std::int64_t> in_order = order();
  const VariableLayout variables = layout();
  Tensor first = at::zeros({x.size(0), variables.variables()}, at::kBool);
  for (std::int64_t r = 0; r < x.size(0); ++r)
    for (std::uint64_t p = rng.below(in_order.size()); p-- > 0;)
      first.data_ptr<bool>()[r * first.size(1) + in_order[p]] = true;
  const Tensor held = variables.by_column(first);
  const Draw moved = draw(x.contiguous(), held, rng);
  return at::where(held, x, moved.mean);
}

// ---------------------------------------------------------------- bits and categories

DiscreteAutoregressive::DiscreteAutoregressive(std::string name, const DataShape& data)
    : columns_(data.columns),
      layout_(VariableLayout::of(data.groups, data.columns)),
      name_(std::move(name)),
      units_(layout_.bits() ? UnitLayer::of(UnitKind::binary, columns_) : UnitLayer::of(data.groups)) {
  if (!layout_.bits()) cells_ = likelihood_for(name_, "auto", data, 2, 1);
}

Tensor DiscreteAutoregressive::differentiable_log_prob(const Tensor& logits, const Tensor& x) const {
  return cells_ ? cells_->log_prob(logits, x) : bernoulli_log_prob(logits, x);
}

Tensor DiscreteAutoregressive::base_logits(const Tensor& x) const {
  return cells_ ? cells_->marginals(x) : base_rate_logits(x);
}

void DiscreteAutoregressive::check_data(const Tensor& x, const std::string& what,
                                        std::int64_t first_row) const {
  units_.check(x, name_, what, first_row);
  refuse_missing(x, name_, what, first_row);
}

Autoregressive::Draw DiscreteAutoregressive::draw(const Tensor& x, const Tensor& held, Rng& rng) const {
  NoGradGuard no_graph;
  const Tensor u = uniform(x.size(0), layout_.variables(), rng.next());
  Draw done;
  done.x = x.clone().contiguous();
  const Tensor a = draw_pass({done.x, u, held.contiguous()}).to(at::kDouble);
  done.log_prob = variable_log_probs(a, done.x, layout_);
  done.mean = variable_means(a, layout_);
  return done;
}

}  // namespace deepgen
