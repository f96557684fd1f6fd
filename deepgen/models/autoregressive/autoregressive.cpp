#include "deepgen/models/autoregressive/autoregressive.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "deepgen/core/error.h"
#include "deepgen/kernels/kernels.h"
#include "deepgen/ops/binary_units.h"

namespace deepgen {
namespace {

// The block of missing cells that is drawn anew: [first, last) among `count` of them, in the order.
struct Block {
  std::int64_t first, last;
};

// Of every third step a block that ends with the last missing cell, of every third one of a length whose
// logarithm is uniform; else all.
Block choose_block(std::int64_t count, const float* u) {
  auto below = [](float share, double n) { return static_cast<std::int64_t>(share * n); };
  if (u[0] < 1.0F / 3) return {0, count};
  const std::int64_t first = std::min(count - 1, below(u[1], static_cast<double>(count)));
  if (u[0] < 2.0F / 3) return {first, count};
  const std::int64_t length = 1 + below(1, std::pow(static_cast<double>(count), u[2]) - 1);
  return {first, std::min(count, first + length)};
}

// Which cells keep their value in this step, row by row; `missing` lists the missing cells of each row.
Tensor held_cells(const std::vector<std::vector<std::int64_t>>& missing, std::int64_t columns, Rng& rng) {
  const auto rows = static_cast<std::int64_t>(missing.size());
  Tensor held = at::ones({rows, columns}, at::kBool);
  const Tensor u = uniform(rows, 3, rng.next());
  for (std::int64_t r = 0; r < rows; ++r) {
    const std::vector<std::int64_t>& cells = missing[static_cast<std::size_t>(r)];
    if (cells.empty()) continue;
    const Block block = choose_block(static_cast<std::int64_t>(cells.size()), u.data_ptr<float>() + r * 3);
    for (std::int64_t k = block.first; k < block.last; ++k)
      held.data_ptr<bool>()[r * columns + cells[static_cast<std::size_t>(k)]] = false;
  }
  return held;
}

std::vector<std::vector<std::int64_t>> missing_cells(const Tensor& known,
                                                     const std::vector<std::int64_t>& order) {
  const Tensor dense = known.contiguous();
  const std::int64_t columns = dense.size(1);
  std::vector<std::vector<std::int64_t>> missing(static_cast<std::size_t>(dense.size(0)));
  for (std::size_t r = 0; r < missing.size(); ++r)
    for (const std::int64_t column : order)
      if (!dense.data_ptr<bool>()[static_cast<std::int64_t>(r) * columns + column])
        missing[r].push_back(column);
  return missing;
}

// Cell by cell, as torch's own softplus and sigmoid round by the number of threads.
Tensor bit_means(const Tensor& logits) {  // [B, D] float64 -> float32
  const Tensor a = logits.contiguous();
  Tensor means = at::empty(a.sizes());
  parallel_ranges(a.numel(), 20, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i)
      means.data_ptr<float>()[i] = static_cast<float>(1 / (1 + std::exp(-a.data_ptr<double>()[i])));
  });
  return means;
}

// Of each cell, [B, D] float64; likewise.
Tensor bit_log_probs(const Tensor& logits, const Tensor& x) {
  const Tensor a = logits.to(at::kDouble).contiguous(), bits = x.to(at::kDouble).contiguous();
  Tensor result = at::empty_like(a);
  parallel_ranges(a.numel(), 30, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const double logit = a.data_ptr<double>()[i];
      result.data_ptr<double>()[i] =
          bits.data_ptr<double>()[i] * logit - std::max(logit, 0.0) - std::log1p(std::exp(-std::abs(logit)));
    }
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

Tensor exact_log_prob(const Tensor& logits, const Tensor& x) {
  NoGradGuard no_graph;
  return row_sums(bit_log_probs(logits.detach().to(at::kDouble), x));
}

void refuse_missing(const Tensor& x, const std::string& model, const std::string& what,
                    std::int64_t first_row) {
  const Tensor gaps = x.isnan();
  if (!gaps.any().item<bool>()) return;
  const Tensor first = gaps.nonzero()[0];
  fail_data(what,
            fmt::format("expected complete rows, got a missing cell at row {}, column {}; {} cannot sum "
                        "it out: fill the gaps with `deepgen complete`",
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
  const auto columns = static_cast<std::int64_t>(order().size());
  return draw(at::zeros({count, columns}), at::zeros({count, columns}, at::kBool), rng).x;
}

Tensor Autoregressive::chain_steps(const Tensor& x, std::int64_t steps, Rng& rng) const {
  return clamped_steps(x, steps, at::zeros(x.sizes(), at::kBool), rng);
}

Tensor Autoregressive::clamped_steps(const Tensor& x, std::int64_t steps, const Tensor& known,
                                     Rng& rng) const {
  NoGradGuard no_graph;
  const auto missing = missing_cells(known, order());
  Tensor state = x.contiguous();
  if (steps < 1) return state;
  Tensor log_prob = draw(state, at::ones(x.sizes(), at::kBool), rng).log_prob;
  for (std::int64_t step = 0; step < steps; ++step) {
    const Tensor held = held_cells(missing, x.size(1), rng);
    const Draw proposal = draw(state, held, rng);
    const Tensor ratio = row_sums((proposal.log_prob - log_prob) * held);
    const Tensor chance = uniform(x.size(0), 1, rng.next()).squeeze(1).to(at::kDouble);
    const Tensor accepted = (chance.log() < ratio).unsqueeze(1);
    state = at::where(accepted, proposal.x, state);
    log_prob = at::where(accepted, proposal.log_prob, log_prob);
  }
  return at::where(known, x, state);
}

// Of a step that moves every cell from a random one on: these are always accepted.
Tensor Autoregressive::chain_mean(const Tensor& x, Rng& rng) const {
  NoGradGuard no_graph;
  const std::vector<std::int64_t> columns = order();
  Tensor held = at::zeros(x.sizes(), at::kBool);
  for (std::int64_t r = 0; r < x.size(0); ++r)
    for (std::uint64_t p = rng.below(columns.size()); p-- > 0;)
      held.data_ptr<bool>()[r * x.size(1) + columns[p]] = true;
  const Draw moved = draw(x.contiguous(), held, rng);
  return at::where(held, x, moved.mean);
}

// ---------------------------------------------------------------- bits

BinaryAutoregressive::BinaryAutoregressive(std::string name, std::int64_t columns)
    : columns_(columns), name_(std::move(name)), units_(UnitLayer::of(UnitKind::binary, columns)) {}

void BinaryAutoregressive::check_data(const Tensor& x, const std::string& what,
                                      std::int64_t first_row) const {
  units_.check(x, name_, what, first_row);
  refuse_missing(x, name_, what, first_row);
}

Autoregressive::Draw BinaryAutoregressive::draw(const Tensor& x, const Tensor& held, Rng& rng) const {
  NoGradGuard no_graph;
  const Tensor u = uniform(x.size(0), columns_, rng.next());
  Draw done;
  done.x = x.clone().contiguous();
  const Tensor a = draw_bits({done.x, u, held.contiguous()}).to(at::kDouble);
  done.log_prob = bit_log_probs(a, done.x);
  done.mean = bit_means(a);
  return done;
}

}  // namespace deepgen
