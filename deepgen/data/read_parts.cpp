#include "deepgen/data/read_parts.h"

#include <fmt/format.h>

#include <algorithm>

#include "deepgen/core/error.h"
#include "deepgen/data/files/part_facts.h"

namespace deepgen {
namespace {

// Cases as rows: bytes stay bytes, everything else becomes float32.
Tensor to_rows(const Array& array, const std::string& what, const std::string& part) {
  if (array.shape.empty() || array.rows() == 0)
    fail_data(what, fmt::format("expected at least one row in {}, got none", part));
  if (array.columns() == 0)
    fail_data(what, fmt::format("expected at least one column in {}, got none", part));
  Tensor tensor = to_tensor(array).reshape({array.rows(), array.columns()});
  return array.type == DType::u8 ? tensor : tensor.to(at::kFloat);
}

void read_part(Split& split, const char* name, const RawSet& raw, const DataOptions& options) {
  split.name = name;
  if (const auto found = raw.arrays.find(name); found != raw.arrays.end())
    split.x = to_rows(found->second, raw.name, name);
  if (const auto labels = labels_of_part(raw, options, name)) split.y = to_tensor(*labels);
  const Starts starts = starts_of_part(raw, options, name);
  if (!starts.empty()) split.starts = at::tensor(starts, at::kLong);
}

// Takes the columns out that are not for a model.
void drop_columns(Dataset& set, const BesideColumns& beside) {
  std::vector<std::int64_t> kept;
  std::vector<std::string> names;
  for (std::int64_t j = 0; j < set.train.x.size(1); ++j) {
    if (j == beside.labels || j == beside.sequence) continue;
    kept.push_back(j);
    if (!set.column_names.empty()) names.push_back(set.column_names[static_cast<std::size_t>(j)]);
  }
  if (static_cast<std::int64_t>(kept.size()) == set.train.x.size(1)) return;
  if (kept.empty()) fail_data(set.name, "expected a column for the model, got only labels or sequences");
  const Tensor index = at::tensor(kept, at::kLong);
  for (Split* part : {&set.train, &set.valid, &set.test})
    if (part->rows() > 0) part->x = part->x.index_select(1, index);
  set.column_names = std::move(names);
}

// Moves the last `count` cases of train to another part.
void hold_out(Split& train, Split& part, std::int64_t count) {
  const std::int64_t keep = train.cases() - count, rows = train.rows();
  const std::int64_t first = train.starts.defined() ? train.starts[keep].item<std::int64_t>() : keep;
  part.x = train.x.narrow(0, first, rows - first);
  train.x = train.x.narrow(0, 0, first);
  if (train.y.defined()) {
    part.y = train.y.narrow(0, first, rows - first);
    train.y = train.y.narrow(0, 0, first);
  }
  if (train.starts.defined()) {
    part.starts = train.starts.narrow(0, keep, count) - first;
    train.starts = train.starts.narrow(0, 0, keep);
  }
}

// Cases to hold out are drawn at random where the user asks for them: files are often sorted.
void hold_out_parts(Dataset& set, const RawSet& raw, const DataOptions& options) {
  const std::int64_t all = set.train.cases();
  if (options.test > 0 || (options.valid > 0 && raw.default_valid == 0)) {
    const Rng rng(static_cast<std::uint64_t>(options.seed));
    set.train = select_cases(set.train, rng.fork({5}).permutation(all));
  }
  const auto hold = [&](Split& part, double asked) {
    if (asked <= 0) return;
    if (part.rows() > 0) fail_data(set.name, fmt::format("has its own {0} part; leave :{0}= out", part.name));
    hold_out(set.train, part, held_out(asked, all, set.train.cases(), set.name));
  };
  hold(set.test, options.test);
  hold(set.valid, options.valid >= 0 ? options.valid : static_cast<double>(raw.default_valid));
  set.one_matrix = set.valid.rows() == 0 && set.test.rows() == 0;
}

}  // namespace

void count_classes(Dataset& set, Split& part) {
  if (part.rows() == 0) part.y = Tensor();  // labels of a part that is not there
  if (!part.y.defined()) return;
  const std::int64_t largest = part.y.max().item<std::int64_t>();
  set.classes = std::max(set.classes, largest + 1);
  const std::int64_t unknown = (part.y < 0).sum().item<std::int64_t>();
  if (unknown > 0)
    set.notes.push_back(
        fmt::format("{} of {} rows of {} have no known label", unknown, part.rows(), part.name));
  if (largest < 0) part.y = Tensor();
}

void refuse_nothing_known(const Split& part, const std::string& what) {
  if (part.rows() == 0 || !part.x.is_floating_point() || !part.x.isnan().all().item<bool>()) return;
  fail_data(what, fmt::format("expected known cells in {}, got nothing but missing ones", part.name));
}

void read_parts(Dataset& set, const RawSet& raw, const DataOptions& options) {
  read_part(set.train, "train", raw, options);
  read_part(set.valid, "valid", raw, options);
  read_part(set.test, "test", raw, options);
  for (const Split* part : {&set.valid, &set.test})
    if (part->rows() > 0 && part->x.size(1) != set.train.x.size(1))
      fail_data(set.name, fmt::format("expected {} columns in {}, as in train, got {}", set.train.x.size(1),
                                      part->name, part->x.size(1)));
  drop_columns(set, beside_columns(raw, options));
  hold_out_parts(set, raw, options);
  for (Split* part : {&set.train, &set.valid, &set.test}) count_classes(set, *part);
}

}  // namespace deepgen
