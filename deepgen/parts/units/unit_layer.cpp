#include "deepgen/parts/units/unit_layer.h"

#include <fmt/format.h>

#include <cmath>
#include <numbers>

#include "deepgen/core/error.h"
#include "deepgen/ops/binary_units.h"
#include "deepgen/ops/unit_layers.h"
#include "deepgen/parts/units/unit_functions.h"

namespace deepgen {
namespace {

std::int64_t copies_of(UnitKind kind, std::int64_t copies) { return kind == UnitKind::stepped ? copies : 0; }

Tensor one_if_undefined(const Tensor& gamma, const Tensor& like) {
  return gamma.defined() ? gamma : at::ones({like.size(-1)}, like.options());
}

Tensor as_rows(const Tensor& a) { return a.dim() == 1 ? a.unsqueeze(0) : a; }

}  // namespace

// ---------------------------------------------------------------- construction

UnitLayer::UnitLayer(std::vector<UnitGroup> groups) : groups_(std::move(groups)) {
  for (const UnitGroup& group : groups_) {
    if (group.first != size_ || group.size < 1)
      fail_usage("units",
                 fmt::format("expected a group that begins at column {}, got {}", size_, group.first));
    size_ += group.size;
    Part* part = nullptr;
    for (Part& each : parts_)
      if (each.kind == group.kind && each.copies == copies_of(group.kind, group.copies)) part = &each;
    if (!part)
      part = &parts_.emplace_back(Part{group.kind, copies_of(group.kind, group.copies), {}, {}, {}, {}});
    if (group.kind == UnitKind::softmax)
      part->offsets.push_back(static_cast<std::int64_t>(part->list.size()));
    for (std::int64_t j = 0; j < group.size; ++j) part->list.push_back(group.first + j);
  }
  for (Part& part : parts_) {
    if (part.kind == UnitKind::softmax) {
      part.offsets.push_back(static_cast<std::int64_t>(part.list.size()));
      part.group_starts = at::tensor(part.offsets, at::kLong);
    }
    if (parts_.size() > 1) part.columns = at::tensor(part.list, at::kLong);
  }
}

UnitLayer UnitLayer::of(UnitKind kind, std::int64_t columns, std::int64_t group, std::int64_t copies) {
  if (kind != UnitKind::softmax) return UnitLayer({{kind, 0, columns, copies}});
  if (group < 2 || columns % group != 0)
    fail_usage("units",
               fmt::format("expected groups of 2 or more that divide {} columns, got {}", columns, group));
  std::vector<UnitGroup> groups;
  for (std::int64_t first = 0; first < columns; first += group) groups.push_back({kind, first, group, 0});
  return UnitLayer(groups);
}

UnitLayer UnitLayer::of(const std::vector<ColumnGroup>& columns) {
  std::vector<UnitGroup> groups;
  for (const ColumnGroup& group : columns) groups.push_back({unit_kind(group.kind), group.first, group.size});
  return UnitLayer(groups);
}

bool UnitLayer::all(UnitKind kind) const { return parts_.size() == 1 && parts_[0].kind == kind; }

bool UnitLayer::any(UnitKind kind) const {
  for (const Part& part : parts_)
    if (part.kind == kind) return true;
  return false;
}

bool UnitLayer::any(Growth growth) const {
  for (const Part& part : parts_)
    if (growth_of(part.kind) == growth) return true;
  return false;
}

Tensor UnitLayer::columns_of(UnitKind kind) const {
  Tensor flags = at::zeros({size_}, at::kBool);
  for (const UnitGroup& group : groups_)
    if (group.kind == kind) flags.narrow(0, group.first, group.size).fill_(true);
  return flags;
}

Tensor UnitLayer::take(const Part& part, const Tensor& rows) const {
  if (!rows.defined() || !part.columns.defined()) return rows;
  return rows.index_select(rows.dim() - 1, part.columns);
}

void UnitLayer::put(const Part& part, const Tensor& values, Tensor& rows) const {
  if (!part.columns.defined())
    rows.copy_(values);
  else
    rows.index_copy_(rows.dim() - 1, part.columns, values.to(rows.scalar_type()));
}

// ---------------------------------------------------------------- means and samples

namespace {

// Group by group, in the precision of a.
Tensor softmax_mean(const Tensor& a, const std::vector<std::int64_t>& offsets) {
  Tensor mean = at::empty_like(a);
  for (std::size_t g = 0; g + 1 < offsets.size(); ++g)
    mean.narrow(1, offsets[g], offsets[g + 1] - offsets[g])
        .copy_(a.narrow(1, offsets[g], offsets[g + 1] - offsets[g]).softmax(1));
  return mean;
}

}  // namespace

bool UnitLayer::activate_fused(const Part& part, const Tensor& input, const NaturalParameters& p,
                               double scale, Rng& rng, LayerOutputs out, bool noisy) const {
  // A mixed layer goes kind by kind; the kernels add the same bias to every row.
  if (part.columns.defined() || p.theta.dim() != 1) return false;
  const bool coupled = p.couple.defined();
  if (part.kind == UnitKind::binary && !coupled) {
    binary_layer(input, p.theta, scale, rng.next(), {.mean = out.mean, .sample = out.sample});
    return true;
  }
  if (part.kind == UnitKind::gaussian) {
    const Tensor gamma = one_if_undefined(p.gamma, p.theta);
    const Tensor gain = coupled ? p.couple / gamma : at::reciprocal(gamma);
    normal_layer(input, p.theta / gamma, {.gain = gain, .deviation = gamma.rsqrt()}, scale, rng.next(),
                 {.mean = out.mean, .sample = out.sample});
    return true;
  }
  if (part.kind == UnitKind::softmax && !coupled) {
    softmax_layer(input, p.theta, part.group_starts, scale, rng.next(),
                  {.mean = out.mean, .sample = out.sample});
    return true;
  }
  if (part.kind == UnitKind::rectified && !coupled && noisy && !out.mean.defined()) {
    rectified_layer(input, p.theta, scale, rng.next(), {.sample = out.sample});
    return true;
  }
  return false;
}

void UnitLayer::activate(const Tensor& input, const NaturalParameters& p, double scale, Rng& rng,
                         LayerOutputs out, bool noisy) const {
  if (parts_.size() == 1 && activate_fused(parts_[0], input, p, scale, rng, out, noisy)) return;
  Tensor a =
      p.couple.defined() ? at::addcmul(p.theta, input, p.couple, scale) : at::add(p.theta, input, scale);
  if (out.sample.defined()) {
    if (noisy && all(UnitKind::rectified))
      rectified_layer(a, {}, 1, rng.next(), {.sample = out.sample});
    else
      out.sample.copy_(sample(a, p.gamma, rng));
  }
  if (out.mean.defined()) out.mean.copy_(mean(a, p.gamma));
}

Tensor UnitLayer::mean(const Tensor& activations, const Tensor& all_gamma) const {
  const Tensor all_a = as_rows(activations);
  Tensor result = at::empty_like(all_a);
  for (const Part& part : parts_) {
    const Tensor a = take(part, all_a);
    Tensor m;
    switch (part.kind) {
      case UnitKind::binary:
        m = binary_mean(a);
        break;
      case UnitKind::softmax:
        m = softmax_mean(a, part.offsets);
        break;
      case UnitKind::mean_field:
        m = interval_mean(a);
        break;
      case UnitKind::stepped:
      case UnitKind::rectified:
        m = steps_mean(a, part.copies);
        break;
      case UnitKind::count:
        m = a.exp();
        break;
      case UnitKind::gaussian:
        m = a / one_if_undefined(take(part, all_gamma), a);
        break;
    }
    put(part, m, result);
  }
  return result;
}

Tensor UnitLayer::code(const Tensor& a, const Tensor& gamma) const {
  return all(UnitKind::rectified) ? as_rows(a).clamp_min(0) : mean(a, gamma);
}

Tensor UnitLayer::sample(const Tensor& activations, const Tensor& all_gamma, Rng& rng) const {
  const Tensor all_a = as_rows(activations);
  Tensor result = at::empty_like(all_a);
  for (const Part& part : parts_) {
    const Tensor a = take(part, all_a).contiguous();
    Tensor x = at::empty_like(a);
    switch (part.kind) {
      case UnitKind::binary:
        binary_layer(a, {}, 1, rng.next(), {.sample = x});
        break;
      case UnitKind::softmax:
        softmax_layer(a, {}, part.group_starts, 1, rng.next(), {.sample = x});
        break;
      case UnitKind::mean_field: {  // the inverse of the distribution function; u where it is flat
        const Tensor u = uniform(a.size(0), a.size(1), rng.next());
        const Tensor size = a.abs().clamp_min(1e-3);
        const Tensor high = 1 + (u + (1 - u) * (-size).exp()).log() / size;  // for a > 0; mirrored below
        x = at::where(a.abs() < 1e-3, u, at::where(a > 0, high, 1 - high)).clamp(0, 1);
        break;
      }
      case UnitKind::stepped:
      case UnitKind::rectified:
        x = steps_sample(a, part.copies, rng);
        break;
      case UnitKind::count:
        x = poisson_sample(a, rng);
        break;
      case UnitKind::gaussian: {
        const Tensor gamma = one_if_undefined(take(part, all_gamma), a);
        normal_layer(a, {}, {.gain = at::reciprocal(gamma), .deviation = gamma.rsqrt()}, 1, rng.next(),
                     {.sample = x});
        break;
      }
    }
    put(part, x, result);
  }
  return result;
}

// ---------------------------------------------------------------- scores

namespace {

// log sum exp of each group, spread over the group's first column; the others are zero.
Tensor softmax_log_partition(const Tensor& a, const std::vector<std::int64_t>& offsets) {
  Tensor result = at::zeros_like(a);
  for (std::size_t g = 0; g + 1 < offsets.size(); ++g)
    result.select(1, offsets[g])
        .copy_(at::logsumexp(a.narrow(1, offsets[g], offsets[g + 1] - offsets[g]), 1));
  return result;
}

Tensor counted_sum(const Tensor& terms, const Tensor& counted) {
  if (!counted.defined()) return terms.sum(1);
  return at::where(counted, terms, at::zeros_like(terms)).sum(1);
}

Tensor terms_of(UnitKind kind, const Tensor& a, const Tensor& gamma, std::int64_t copies,
                const std::vector<std::int64_t>& offsets) {
  switch (kind) {
    case UnitKind::binary:
      return softplus64(a);
    case UnitKind::softmax:
      return softmax_log_partition(a, offsets);
    case UnitKind::mean_field:
      return interval_log_partition(a);
    case UnitKind::stepped:
    case UnitKind::rectified:
      return steps_log_partition(a, copies);
    case UnitKind::count:
      return a.exp();
    case UnitKind::gaussian:
      return a.square() / (2 * gamma) + (2 * std::numbers::pi / gamma).log() / 2;
  }
  return {};
}

}  // namespace

Tensor UnitLayer::log_partition_terms(const Tensor& activations, const Tensor& all_gamma) const {
  const Tensor all_a = as_rows(activations);
  Tensor terms = at::empty({all_a.size(0), all_a.size(1)}, at::kDouble);
  for (const Part& part : parts_) {
    const Tensor a = take(part, all_a).to(at::kDouble);
    const Tensor gamma = one_if_undefined(take(part, all_gamma), a).to(at::kDouble);
    put(part, terms_of(part.kind, a, gamma, part.copies, part.offsets), terms);
  }
  return terms;
}

Tensor UnitLayer::log_partition(const Tensor& a, const Tensor& gamma, const Tensor& counted) const {
  const bool plain = all(UnitKind::binary) && !counted.defined() && a.scalar_type() == at::kFloat;
  if (plain) return softplus_row_sum(as_rows(a).contiguous(), {});
  return counted_sum(log_partition_terms(a, gamma), counted);
}

Tensor UnitLayer::log_weight(const Tensor& x, const Tensor& a, const Tensor& gamma,
                             const Tensor& counted) const {
  if (all(UnitKind::binary) && !counted.defined()) return (x * a).sum(1, false, at::kDouble);
  const Tensor wide = x.to(at::kDouble);
  Tensor terms = wide * a.to(at::kDouble);
  for (const Part& part : parts_) {
    Tensor more;
    if (part.kind == UnitKind::gaussian)
      more = take(part, wide).square() *
             one_if_undefined(take(part, gamma), x)
                 .narrow(0, 0, static_cast<std::int64_t>(part.list.size()))
                 .to(at::kDouble) /
             -2;
    else if (part.kind == UnitKind::count)
      more = -at::lgamma(take(part, wide) + 1);
    else if (part.kind == UnitKind::stepped || part.kind == UnitKind::rectified)
      more = steps_log_base(take(part, wide), part.copies);
    else
      continue;
    if (part.columns.defined())
      terms.index_add_(1, part.columns, more);
    else
      terms.add_(more);
  }
  return counted_sum(terms, counted);
}

NaturalParameters UnitLayer::at_moments(const Tensor& mean, const Tensor& variance) const {
  constexpr double largest = 1e4;  // of a stepped or rectified unit's activation
  NaturalParameters p;
  p.theta = at::empty_like(mean);
  if (any(UnitKind::gaussian)) p.gamma = at::ones_like(mean);
  for (const Part& part : parts_) {
    const Tensor m = take(part, mean).to(at::kDouble);
    Tensor theta;
    switch (part.kind) {
      case UnitKind::binary:
        theta = m.log() - (-m).log1p();
        break;
      case UnitKind::softmax:
      case UnitKind::count:
        theta = m.log();
        break;
      case UnitKind::mean_field:
        theta = interval_activation(m);
        break;
      case UnitKind::stepped:
      case UnitKind::rectified:
        theta = bisect(m, -30, part.copies > 0 ? static_cast<double>(part.copies) + 30 : largest,
                       [&](const Tensor& a) { return steps_mean(a, part.copies); });
        break;
      case UnitKind::gaussian: {
        const Tensor gamma = at::reciprocal(take(part, variance).to(at::kDouble));
        put(part, gamma.to(mean.scalar_type()), p.gamma);
        theta = m * gamma;
        break;
      }
    }
    put(part, theta.to(mean.scalar_type()), p.theta);
  }
  return p;
}

}  // namespace deepgen
