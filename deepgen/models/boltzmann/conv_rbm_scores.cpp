// Scores of the convolutional machine: free energies, log Z, pseudo-likelihood.
#include <algorithm>
#include <cmath>

#include "deepgen/models/boltzmann/conv_rbm.h"
#include "deepgen/ops/binary_units.h"
#include "deepgen/ops/products64.h"
#include "deepgen/parts/checks/enumeration.h"

namespace deepgen {

Tensor ConvRbm::free_energy(const Rows& rows) const {
  NoGradGuard no_graph;
  const NaturalParameters p = visible_natural();
  const Tensor hidden_part =
      by_some_rows(rows.x, [&](const Tensor& some) { return blocks_.log_sums(hidden_activation(some)); });
  return -(visible_units_.log_weight(rows.x, p.theta, p.gamma) + hidden_part);
}

// ---------------------------------------------------------------- enumeration

namespace {

// log2 of the number of states of the blocks together.
double block_state_bits(const PoolingBlocks& blocks) {
  return static_cast<double>(blocks.blocks()) * std::log2(static_cast<double>(blocks.block_units() + 1));
}

// States first, first + 1, ... of all blocks as cells, [count, blocks * block_units] float64: digit g of the
// number to the base block_units + 1 is the state of block g, 0 being off.
Tensor block_states(const PoolingBlocks& blocks, std::int64_t first, std::int64_t count) {
  const std::int64_t base = blocks.block_units() + 1, width = blocks.blocks() * blocks.block_units();
  Tensor states = at::zeros({count, width}, at::kDouble);
  double* row = states.data_ptr<double>();
  for (std::int64_t s = first; s < first + count; ++s, row += width)
    for (std::int64_t g = 0, left = s; left > 0; ++g, left /= base)
      if (left % base > 0) row[g * (base - 1) + left % base - 1] = 1;
  return states;
}

std::int64_t block_state_count(const PoolingBlocks& blocks) {
  std::int64_t count = 1;
  for (std::int64_t g = 0; g < blocks.blocks(); ++g) count *= blocks.block_units() + 1;
  return count;
}

}  // namespace

std::int64_t ConvRbm::enumeration_units() const {
  const auto hidden = static_cast<std::int64_t>(std::ceil(block_state_bits(blocks_) - 1e-9));
  return visible_units_.all(UnitKind::binary) ? std::min(visible(), hidden) : hidden;
}

std::optional<double> ConvRbm::exact_log_partition() const {
  NoGradGuard no_graph;
  if (enumeration_units() > enumerable_units) return std::nullopt;
  const NaturalParameters p = visible_natural();
  const bool by_visible = visible_units_.all(UnitKind::binary) && enumeration_units() == visible();
  const Tensor wide = dense_weights(), theta = p.theta.to(at::kDouble);
  const Tensor c = hidden_bias.to(at::kDouble)
                       .repeat_interleave(blocks_.block_units())
                       .repeat({blocks_.rows() * blocks_.columns()});
  LogSumExp total;
  if (by_visible) {
    for_each_block_of_states(visible(), wide.size(1), [&](std::int64_t, const Tensor& states) {
      Tensor a = c.repeat({states.size(0), 1});
      multiply64(a, states, wide, 1, 1);
      const Tensor cells = a.view({states.size(0), blocks_.blocks(), blocks_.block_units()});
      total.add(states.mv(theta) + PoolingBlocks::log_sums64(cells));
    });
    return total.value();
  }
  const Tensor across = p.couple.defined() ? wide * p.couple.to(at::kDouble).unsqueeze(1) : wide;
  const Tensor down = across.t().contiguous();  // [units, D]
  const std::int64_t count = block_state_count(blocks_),
                     most = std::max<std::int64_t>(1, 65536 / std::max(visible(), wide.size(1)));
  for (std::int64_t first = 0; first < count; first += most) {
    const Tensor states = block_states(blocks_, first, std::min(most, count - first));
    Tensor a = theta.repeat({states.size(0), 1});
    multiply64(a, states, down, 1, 1);
    total.add(states.mv(c) + visible_units_.log_partition(a, p.gamma));
  }
  return total.value();
}

// Sum over hidden states h of exp(c.h) times, for known cells, their weight given h, for missing ones their
// partition.
std::optional<Tensor> ConvRbm::marginal_free_energy(const Rows& rows) const {
  constexpr double most_bits = 12;
  NoGradGuard no_graph;
  const Tensor& x = rows.x;
  if (!std::isnan(x.sum().item<float>())) return free_energy(x);
  if (block_state_bits(blocks_) > most_bits) return std::nullopt;
  const NaturalParameters p = visible_natural();
  const Tensor known = x.isnan().logical_not(), v = at::where(known, x, at::zeros_like(x));
  const Tensor gaps = known.logical_not().to(at::kDouble), y = coupled(v).to(at::kDouble);
  const Tensor states = block_states(blocks_, 0, block_state_count(blocks_));
  const Tensor c = hidden_bias.to(at::kDouble)
                       .repeat_interleave(blocks_.block_units())
                       .repeat({blocks_.rows() * blocks_.columns()});
  Tensor input = states.mm(dense_weights().t());  // [states, D]
  const Tensor from_known = y.mm(input.t());
  if (p.couple.defined()) input = input * p.couple.to(at::kDouble);
  const Tensor partitions = visible_units_.log_partition_terms(input + p.theta.to(at::kDouble), p.gamma);
  const Tensor all = from_known + gaps.mm(partitions.t()) + states.mv(c);
  return -visible_units_.log_weight(v, p.theta, p.gamma, known) - at::logsumexp(all, 1);
}

// ---------------------------------------------------------------- pseudo-likelihood

namespace {

// A stretch of [0, size) in whole steps around what is seen of place `at` through a filter of `reach`: hidden
// places at - reach + 1 .. at.
struct Stretch {
  std::int64_t first, count;
};
Stretch whole_steps(std::int64_t at, std::int64_t reach, std::int64_t size, std::int64_t step) {
  const std::int64_t low = std::max<std::int64_t>(0, at - reach + 1) / step * step;
  const std::int64_t high = std::min(size, (std::min(at, size - 1) / step + 1) * step);
  return {low, high - low};
}

}  // namespace

// Of each pixel its two values: a flip moves the activations of the blocks that see it.
std::optional<Tensor> ConvRbm::pseudo_log_likelihood(const Rows& rows) const {
  NoGradGuard no_graph;
  if (!visible_units_.all(UnitKind::binary) || expects_bits()) return std::nullopt;
  const Tensor v = rows.x, a = hidden_activation(v), theta = visible_natural().theta;
  const std::int64_t height = picture_[1], width = picture_[2], down = weights.size(0),
                     right = weights.size(1);
  Tensor total = at::zeros({v.size(0)}, at::kDouble);
  for (std::int64_t i = 0; i < visible(); ++i) {
    const std::int64_t d = i / (height * width), r = i / width % height, c = i % width;
    const Stretch lines = whole_steps(r, down, window_.out_height, blocks_.down()),
                  places = whole_steps(c, right, window_.out_width, blocks_.right());
    Tensor moved = at::zeros({lines.count, places.count, blocks_.maps()});
    for (std::int64_t p = 0; p < lines.count; ++p)
      for (std::int64_t q = 0; q < places.count; ++q) {
        const std::int64_t t = r - lines.first - p,
                           u = c - places.first - q;  // the pixel's place in the filter
        if (t >= 0 && t < down && u >= 0 && u < right) moved[p][q].copy_(weights[t][u][d]);
      }
    const Tensor sign = 1 - 2 * v.select(1, i);  // +1 when the flip turns the unit on
    const Tensor now =
        a.narrow(1, lines.first, lines.count).narrow(2, places.first, places.count).contiguous();
    const Tensor flipped = now + sign.view({-1, 1, 1, 1}) * moved;
    const Tensor gain = blocks_.log_sums(flipped) - blocks_.log_sums(now) + (sign * theta[i]).to(at::kDouble);
    total.sub_(softplus64(gain));
  }
  return total;
}

}  // namespace deepgen
