#include "deepgen/data/set_values.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <numeric>

#include "deepgen/core/error.h"
#include "deepgen/data/files/array_bytes.h"
#include "deepgen/data/read_parts.h"

namespace deepgen {
namespace {

std::vector<Split*> parts_of(Dataset& set) {  // those that have rows
  std::vector<Split*> parts;
  for (Split* part : {&set.train, &set.valid, &set.test})
    if (part->rows() > 0) parts.push_back(part);
  return parts;
}

Tensor all_rows(const Split& part, const Rng& rng) { return Dataset::rows(part, 0, part.cases(), rng).x; }

void refuse_infinite_results(Dataset& set) {
  for (const Split* part : parts_of(set)) refuse_infinite(*part, set.name + ", transformed");
}

// One fixed binarisation of a part: threshold at half, or one Bernoulli draw.
void binarise_once(Split& split, bool threshold, const Rng& rng) {
  if (!split.x.defined()) return;
  const bool gaps = split.x.is_floating_point() && split.x.isnan().any().item<bool>();
  if (threshold) {
    const Tensor on = split.x >= (split.x.is_floating_point() ? 0.5 : 128);
    split.x = gaps ? at::where(split.x.isnan(), split.x, on.to(at::kFloat)) : on.to(at::kByte);
  } else {
    const Tensor before = split.x;
    split.binarise = true;
    split.x = all_rows(split, rng);
    split.x = gaps ? at::where(before.isnan(), before, split.x) : split.x.to(at::kByte);
    split.binarise = false;
  }
  split.scale = 1;
}

// "column 'age'", "columns 3, 17, 18 and 5 more".
std::string listed_columns(const Dataset& set, const std::vector<std::int64_t>& columns) {
  constexpr std::size_t few = 5;
  std::vector<std::string> names;
  for (std::size_t i = 0; i < std::min(few, columns.size()); ++i)
    names.push_back(set.column_names.empty() ? std::to_string(columns[i])
                                             : shown(set.column_names[static_cast<std::size_t>(columns[i])]));
  const std::string more = columns.size() > few ? fmt::format(" and {} more", columns.size() - few) : "";
  return fmt::format("column{} {}{}", columns.size() > 1 ? "s" : "", fmt::join(names, ", "), more);
}

void refuse_empty_pixels(const Dataset& set, const std::vector<std::int64_t>& columns) {
  if (set.shape.size() < 3 || columns.empty()) return;
  const std::int64_t width = set.shape[2], height = set.shape[1];
  fail_data(set.name,
            fmt::format("expected every pixel to be known in some training picture, got {} of {} that are "
                        "missing in all, the first at row {}, column {}; crop the pictures",
                        columns.size(), set.columns(), columns[0] / width % height, columns[0] % width));
}

}  // namespace

ValueKind infer_values(const Tensor& x) {
  const Tensor known = x.is_floating_point() ? x.masked_select(x.isnan().logical_not()) : x.reshape({-1});
  if (at::logical_or(known == 0, known == 1).all().item<bool>()) return ValueKind::binary;
  if (!x.is_floating_point()) return ValueKind::grey;
  return at::logical_and(known >= 0, known <= 1).all().item<bool>() ? ValueKind::grey : ValueKind::real;
}

void set_columns_aside(Dataset& set) {
  for (const Split* part : parts_of(set)) refuse_nothing_known(*part, set.name);
  Transform aside;
  aside.fit_set_aside(set.train.x);
  if (aside.set_aside.empty()) return;
  refuse_empty_pixels(set, aside.set_aside);
  for (Split* part : parts_of(set)) part->x = aside.apply(part->x, set.name + ": " + part->name, Rng(0));
  set.transform = aside;
  set.shape = {set.columns()};
  set.notes.push_back(
      fmt::format("{} without any value in the training rows: set aside, and written as "
                  "missing cells",
                  listed_columns(set, aside.set_aside)));
}

void binarise_set(Dataset& set, const Rng& rng) {
  const bool threshold = set.binarize == "threshold";
  if (set.values == ValueKind::real)
    fail_data(set.name, "expected grey values in [0, 1] or bytes to binarise, got real ones");
  if (set.binarize == "dynamic") {
    set.train.binarise = true;
  } else {
    binarise_once(set.train, threshold, rng.fork({0}));
  }
  binarise_once(set.valid, threshold, rng.fork({1}));
  binarise_once(set.test, threshold, rng.fork({2}));
  set.values = ValueKind::binary;
}

void transform_set(Dataset& set, const DataOptions& options, const Rng& rng) {
  const std::vector<Split*> parts = parts_of(set);
  for (Split* part : parts) part->x = all_rows(*part, rng), part->scale = 1;
  const auto apply = [&](const Transform& one) {
    for (std::size_t i = 0; i < parts.size(); ++i)
      parts[i]->x = one.apply(parts[i]->x, set.name, rng.fork({9, i}));
  };
  Transform first;
  if (options.onehot) first.fit_onehot(set.train.x, set.name);
  if (options.dequantise && set.values != ValueKind::grey)
    fail_data(set.name, "expected grey levels to dequantise");
  first.dequantised = options.dequantise;
  apply(first);
  // Each is fitted to what the ones before it have made.
  Transform second, last;
  if (options.standardise) second.fit_standardise(set.train.x), apply(second);
  if (options.whiten) last.fit_whiten(set.train.x, set.name), apply(last);
  last.set_aside = set.transform.set_aside;
  last.dequantised = first.dequantised;
  last.group_sizes = first.group_sizes, last.group_minimum = first.group_minimum;
  last.mean = second.mean, last.deviation = second.deviation;
  set.transform = last;
  const bool bits = options.onehot && !options.standardise && !options.whiten;
  set.values = bits ? ValueKind::binary : ValueKind::real;
  if (set.columns() !=
      std::accumulate(set.shape.begin(), set.shape.end(), std::int64_t{1}, std::multiplies<>()))
    set.shape = {set.columns()};
  refuse_infinite_results(set);
}

void apply_learnt(Dataset& set, const Transform& learnt, const Rng& rng) {
  if (learnt.identity() && learnt.set_aside.empty()) return;
  std::uint64_t number = 0;
  for (Split* part : parts_of(set)) {
    if (learnt.identity()) {  // columns set aside alone: bytes stay bytes, fresh draws stay fresh
      part->x = learnt.apply(part->x, set.name, rng);
      continue;
    }
    if (!learnt.group_sizes.empty()) part->scale = 1;
    part->before = all_rows(*part, rng);
    part->x = learnt.apply(part->before, set.name, rng.fork({9, number++}));
    part->scale = 1;
  }
  set.transform = learnt;
  const bool real = learnt.dequantised || learnt.whitened() || !learnt.mean.empty();
  if (!learnt.identity()) set.values = real ? ValueKind::real : ValueKind::binary;
  set.shape = {set.columns()};
  refuse_infinite_results(set);
}

}  // namespace deepgen
