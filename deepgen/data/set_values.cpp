#include "deepgen/data/set_values.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "deepgen/core/error.h"
#include "deepgen/data/cell_facts.h"
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

constexpr std::int64_t binarised_rows = 2000;  // at a time

// 1 from `half` on, in place of the cells. A missing one stays.
template <class T>
void threshold_cells(Tensor& x, T half) {
  T* cells = x.data_ptr<T>();
  for (std::int64_t i = 0; i < x.numel(); ++i)
    if (cells[i] == cells[i]) cells[i] = cells[i] >= half ? T{1} : T{0};
}

// One Bernoulli draw of each cell, written to `bits`, which may be the cells themselves.
void draw_cells(const Split& split, Tensor& bits, const Rng& rng) {
  Split rows = split;
  rows.starts = Tensor(), rows.binarise = true;
  for (std::int64_t first = 0; first < split.rows(); first += binarised_rows) {
    const std::int64_t count = std::min(binarised_rows, split.rows() - first);
    bits.narrow(0, first, count).copy_(Dataset::block(rows, first, count, rng).x);
  }
}

// One fixed binarisation of a part: threshold at half, or one Bernoulli draw. Bytes become bits in their
// place, and real numbers bytes, unless some are missing.
void binarise_once(Split& split, bool threshold, const Rng& rng) {
  if (!split.x.defined()) return;
  if (split.x.scalar_type() == at::kDouble) {  // compared before it is rounded
    Tensor wide = split.x.clone();
    if (threshold) threshold_cells<double>(wide, 0.5);
    split.x = wide.to(at::kFloat), split.mapped.reset();
  }
  const bool bytes = split.x.scalar_type() == at::kByte;
  Tensor cells = split.mapped || !split.x.is_contiguous() ? split.x.clone() : split.x;
  split.x = cells, split.mapped.reset();
  if (threshold)
    bytes ? threshold_cells<std::uint8_t>(cells, 128) : threshold_cells<float>(cells, 0.5F);
  else
    draw_cells(split, cells, rng);
  if (!bytes && !cell_facts(cells).missing) split.x = cells.to(at::kByte);
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

// Whether rounding to float32 moves the cells by more than a thousandth of their deviation (root mean square).
// Differences that float64 itself rounds are none.
bool is_blurred(const Tensor& column) {
  constexpr double most = 1e-3, noise = 4 * std::numeric_limits<double>::epsilon();
  const Tensor known = column.masked_select(column.isnan().logical_not());
  if (known.numel() == 0) return false;
  const double deviation = known.std(false).item<double>();
  if (deviation <= noise * std::abs(known.mean().item<double>())) return false;
  const double moved = (known - known.to(at::kFloat)).square().mean().sqrt().item<double>();
  return moved > most * deviation;
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
  const CellFacts cells = cell_facts(x);
  if (cells.bits) return ValueKind::binary;
  return cells.unit || !x.is_floating_point() ? ValueKind::grey : ValueKind::real;
}

void set_columns_aside(Dataset& set) {
  for (const Split* part : parts_of(set)) refuse_nothing_known(*part, set.name);
  Transform aside;
  aside.fit_set_aside(set.train.x);
  if (aside.set_aside.empty()) return;
  refuse_empty_pixels(set, aside.set_aside);
  for (Split* part : parts_of(set)) {
    part->x = aside.apply(part->x, set.name + ": " + part->name, Rng(0));
    part->mapped.reset();
  }
  set.transform = aside;
  set.shape = {set.columns()};
  set.notes.push_back(
      fmt::format("{} without any value in the training rows: set aside, and written as "
                  "missing cells",
                  listed_columns(set, aside.set_aside)));
}

void refuse_lost_digits(const Dataset& set, const DataOptions& options) {
  const Tensor& x = set.train.x;
  if (x.scalar_type() != at::kDouble || set.values != ValueKind::real || options.transforms()) return;
  std::vector<std::int64_t> blurred;
  for (std::int64_t j = 0; j < x.size(1); ++j)
    if (is_blurred(x.select(1, j))) blurred.push_back(j);
  if (blurred.empty()) return;
  fail_data(
      set.name,
      fmt::format("expected differences that float32 can tell apart, got numbers too far from 0 for them "
                  "in {}; state standardise=true, which takes the mean away first",
                  listed_columns(set, blurred)));
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

// A part's rows as they come, for a transform to take block by block: bytes become floats as they are needed,
// and float64 is not rounded.
Transform::RowSource rows_in_blocks(const Split& part, const Rng& rng) {
  Split rows = part;
  rows.starts = Tensor();
  if (rows.x.scalar_type() == at::kDouble && !rows.binarise)
    return [rows](std::int64_t first, std::int64_t count) {
      if (rows.mapped) rows.mapped->check_unchanged();
      return rows.x.narrow(0, first, count);
    };
  return [rows, rng](std::int64_t first, std::int64_t count) {
    return Dataset::block(rows, first, count, rng).x;
  };
}

void transform_set(Dataset& set, const DataOptions& options, const Rng& rng) {
  const std::vector<Split*> parts = parts_of(set);
  Transform first;
  if (options.onehot) first.fit_onehot(set.train.x, set.name);
  if (options.dequantise && set.values != ValueKind::grey)
    fail_data(set.name, "expected grey levels to dequantise");
  if (options.dequantise)
    for (const Split* part : parts) first.fit_dequantise(part->x, set.name + ": " + part->name);
  for (std::size_t i = 0; i < parts.size(); ++i) {
    Split& part = *parts[i];
    if (first.identity() && part.x.scalar_type() == at::kDouble) continue;  // the next one takes it as it is
    part.x = first.apply(part.rows(), rows_in_blocks(part, rng), set.name, rng.fork({9, i}));
    part.scale = 1, part.mapped.reset();
  }
  const auto apply = [&](const Transform& one) {
    for (std::size_t i = 0; i < parts.size(); ++i) {
      Split& part = *parts[i];
      if (part.x.scalar_type() == at::kDouble)
        part.x = one.apply(part.rows(), rows_in_blocks(part, rng), set.name, rng.fork({9, i}));
      else
        one.apply_in_place(part.x, set.name, rng.fork({9, i}));
      part.mapped.reset();
    }
  };
  // Each is fitted to what the ones before it have made.
  Transform second, last;
  if (options.standardise) second.fit_standardise(set.train.x), apply(second);
  if (options.whiten) last.fit_whiten(set.train.x, set.name), apply(last);
  last.set_aside = set.transform.set_aside;
  last.dequantised = first.dequantised, last.levels = first.levels;
  last.group_sizes = first.group_sizes, last.group_minimum = first.group_minimum;
  last.mean = second.mean, last.deviation = second.deviation;
  set.transform = last;
  const bool bits = options.onehot && !options.standardise && !options.whiten;
  set.values = bits ? ValueKind::binary : ValueKind::real;
  if (set.columns() !=
      std::accumulate(set.shape.begin(), set.shape.end(), std::int64_t{1}, std::multiplies<>()))
    set.shape = {set.columns()};
  refuse_infinite_results(set);
  if (bits) keep_bits_as_bytes(set);
}

void apply_learnt(Dataset& set, const Transform& learnt, const Rng& rng) {
  if (learnt.identity() && learnt.set_aside.empty()) return;
  std::uint64_t number = 0;
  for (Split* part : parts_of(set)) {
    if (learnt.identity()) {  // columns set aside alone: bytes stay bytes, fresh draws stay fresh
      part->x = learnt.apply(part->x, set.name, rng);
      part->mapped.reset();
      continue;
    }
    if (learnt.has_between_levels(part->x))
      set.notes.push_back(fmt::format(
          "{} has grey levels between the {} that the run was trained on: noise of one such level is "
          "added to them, and what is written has these levels",
          part->name, learnt.levels));
    if (!learnt.group_sizes.empty()) part->scale = 1;
    const bool drawn = part->binarise;  // else bytes stay bytes
    part->before = drawn ? all_rows(*part, rng) : part->x;
    part->before_scale = drawn ? 1 : part->scale;
    part->x = learnt.apply(part->rows(), rows_in_blocks(*part, rng), set.name, rng.fork({9, number++}));
    part->scale = 1;
  }
  set.transform = learnt;
  const bool real = learnt.dequantised || learnt.whitened() || !learnt.mean.empty();
  if (!learnt.identity()) set.values = real ? ValueKind::real : ValueKind::binary;
  set.shape = {set.columns()};
  refuse_infinite_results(set);
  if (set.values == ValueKind::binary) keep_bits_as_bytes(set);
}

}  // namespace deepgen
