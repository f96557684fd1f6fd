// The two halves of the deep Boltzmann machine: what layers receive, draws, means and sums.
#include "deepgen/models/boltzmann/dbm.h"
#include "deepgen/ops/binary_units.h"
#include "deepgen/ops/products64.h"
#include "deepgen/parts/couplings/dense_coupling.h"

namespace deepgen {
namespace {

bool in_half(std::size_t l, int parity) { return static_cast<int>(l % 2) == parity; }

}  // namespace

std::int64_t Dbm::half_units(int parity, std::size_t from) const {
  std::int64_t sum = 0;
  for (std::size_t l = from; l < layers(); ++l) sum += in_half(l, parity) ? units(l) : 0;
  return sum;
}

Tensor Dbm::input_of(std::size_t l, const DbmLayers& s) const {
  const Tensor& some = l > 0 ? s[l - 1] : s[l + 1];
  if (some.scalar_type() == at::kDouble) {
    Tensor out = at::zeros({some.size(0), units(l)}, at::kDouble);
    if (l > 0) multiply64(out, s[l - 1], weights[l - 1].to(at::kDouble), 1, 1);
    if (l + 1 < layers()) multiply64(out, s[l + 1], weights[l].to(at::kDouble).t(), 1, 1);
    return out;
  }
  Tensor out;
  if (l > 0) DenseCoupling(weights[l - 1]).input_to_upper(out, s[l - 1]);
  if (l + 1 < layers()) DenseCoupling(weights[l]).input_to_lower(out, s[l + 1], l > 0);
  return out;
}

void Dbm::draw_half(int parity, DbmLayers& s, Rng& rng) const {
  for (std::size_t l = 0; l < layers(); ++l) {
    if (!in_half(l, parity)) continue;
    const Tensor input = input_of(l, s);
    binary_layer(input, biases[l], 1, rng.next(), {.sample = input});
    s[l] = input;
  }
}

void Dbm::add_means(int parity, DbmLayers& s) const {
  for (std::size_t l = 0; l < layers(); ++l)
    if (in_half(l, parity) && !s[l].defined()) s[l] = input_of(l, s).add_(biases[l]).sigmoid_();
}

Tensor Dbm::log_sum_over(int parity, const DbmLayers& s) const {
  Tensor sum;
  auto add = [&](const Tensor& term) { sum = sum.defined() ? sum.add_(term) : term; };
  for (std::size_t l = 0; l < layers(); ++l) {
    if (!in_half(l, parity)) {
      add((s[l].to(at::kDouble) * biases[l].to(at::kDouble)).sum(1));
      continue;
    }
    const Tensor input = input_of(l, s);
    if (s[l].defined())
      add((s[l].to(at::kDouble) * (input.to(at::kDouble) + biases[l].to(at::kDouble))).sum(1));
    else if (input.scalar_type() == at::kDouble)
      add(softplus_row_sum64(input + biases[l].to(at::kDouble)));
    else
      add(softplus_row_sum(input, biases[l]));
  }
  return sum;
}

DbmLayers Dbm::split_half(const Tensor& rows, int parity, std::size_t from) const {
  DbmLayers s(layers());
  std::int64_t first = 0;
  for (std::size_t l = from; l < layers(); ++l) {
    if (!in_half(l, parity)) continue;
    s[l] = rows.narrow(1, first, units(l)).contiguous();
    first += units(l);
  }
  return s;
}

Tensor Dbm::join_half(const DbmLayers& s, int parity) const {
  std::vector<Tensor> parts;
  for (std::size_t l = 0; l < layers(); ++l)
    if (in_half(l, parity)) parts.push_back(s[l]);
  return at::cat(parts, 1);
}

// Hidden units are kept from being nearly always on or off: what annealing begins with must not miss states.
Tensor Dbm::base_activation(std::size_t l) const {
  constexpr double rarest = 0.02;
  const Tensor m = means[l].to(at::kDouble);
  return at::logit(l == 0 ? m : m.clamp(rarest, 1 - rarest)).to(at::kFloat);
}

}  // namespace deepgen
