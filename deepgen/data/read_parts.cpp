#include "deepgen/data/read_parts.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "deepgen/core/error.h"
#include "deepgen/data/cell_facts.h"
#include "deepgen/data/files/part_facts.h"

namespace deepgen {
namespace {

void check_sizes(const Array& array, const std::string& what, const std::string& part) {
  if (array.shape.empty() || array.rows() == 0)
    fail_data(what, fmt::format("expected at least one row in {}, got none", part));
  if (array.columns() == 0)
    fail_data(what, fmt::format("expected at least one column in {}, got none", part));
}

template <class T>
bool fit_float32(const Array& array) {
  const T* items = array.as<T>();
  return std::all_of(items, items + array.items(), [](T item) {
    return static_cast<double>(static_cast<float>(item)) == static_cast<double>(item);
  });
}

// The type of the cells where nothing is lost: whole numbers become float32, or float64 when that rounds one.
at::ScalarType cell_type(const Array& array, bool bits) {
  if (array.type == DType::u8 || bits) return at::kByte;
  if (array.type == DType::f64) return at::kDouble;
  if (array.type == DType::i32) return fit_float32<std::int32_t>(array) ? at::kFloat : at::kDouble;
  if (array.type == DType::i64) return fit_float32<std::int64_t>(array) ? at::kFloat : at::kDouble;
  return at::kFloat;
}

// Cases as rows: bytes stay bytes, float64 stays so until a batch is made, bits become bytes. The array's memory,
// or its mapped file, is the tensor's wherever nothing has to be converted.
void take_rows(Split& split, Array& array, bool bits) {
  const std::vector<std::int64_t> sizes = {array.rows(), array.columns()};
  const at::ScalarType type = cell_type(array, bits);
  const std::shared_ptr<const MappedFile> file = array.bytes.file();
  split.x = to_tensor(std::move(array)).reshape(sizes);
  if (split.x.scalar_type() == type)
    split.mapped = file;
  else
    split.x = split.x.to(type);
}

void read_part(Split& split, const char* name, RawSet& raw, const DataOptions& options, bool bits) {
  split.name = name;
  const auto found = raw.arrays.find(name);
  if (found != raw.arrays.end()) check_sizes(found->second, raw.name, name);
  if (const auto labels = labels_of_part(raw, options, name)) split.y = to_tensor(*labels);
  const Starts starts = starts_of_part(raw, options, name);
  if (!starts.empty()) split.starts = at::tensor(starts, at::kLong);
  if (found != raw.arrays.end()) take_rows(split, found->second, bits);
}

// Whether the cells of all parts are 0 and 1, but for columns that are not for a model.
bool all_bits(const RawSet& raw, const BesideColumns& beside) {
  for (const char* name : {"train", "valid", "test"}) {
    const auto found = raw.arrays.find(name);
    if (found != raw.arrays.end() && !holds_bits(found->second, {beside.labels, beside.sequence}))
      return false;
  }
  return true;
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
    if (part->rows() > 0) part->x = part->x.index_select(1, index), part->mapped.reset();
  set.column_names = std::move(names);
}

// Row i becomes the row order[i] that was, in the memory of x: each row waits in `kept` at most.
void reorder_rows(Tensor& x, std::vector<std::int64_t> order) {
  constexpr std::int64_t done = -1;
  const auto size = static_cast<std::size_t>(x.size(1) * static_cast<std::int64_t>(x.element_size()));
  auto* const bytes = static_cast<std::uint8_t*>(x.data_ptr());
  const auto row = [&](std::int64_t i) { return bytes + static_cast<std::size_t>(i) * size; };
  Bytes kept(size);
  for (std::int64_t first = 0; first < x.size(0); ++first) {
    if (order[static_cast<std::size_t>(first)] == done) continue;
    std::memcpy(kept.data(), row(first), size);
    for (std::int64_t to = first;;) {
      const std::int64_t from = std::exchange(order[static_cast<std::size_t>(to)], done);
      std::memcpy(row(to), from == first ? kept.data() : row(from), size);
      if (from == first) break;
      to = from;
    }
  }
}

// The cases in another order. What is in a mapped file is copied, what is in memory moves in its place.
void reorder_cases(Split& train, const std::vector<std::int64_t>& order) {
  const bool in_place = !train.mapped && !train.starts.defined() && train.x.is_contiguous();
  const Tensor x = train.x;
  if (in_place) train.x = Tensor();
  train = select_cases(train, order);
  if (!in_place) return;
  train.x = x;
  reorder_rows(train.x, order);
}

// Moves the last `count` cases of train to another part.
void hold_out(Split& train, Split& part, std::int64_t count) {
  const std::int64_t keep = train.cases() - count, rows = train.rows();
  const std::int64_t first = train.starts.defined() ? train.starts[keep].item<std::int64_t>() : keep;
  part.x = train.x.narrow(0, first, rows - first);
  part.mapped = train.mapped;
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
    reorder_cases(set.train, rng.fork({5}).permutation(all));
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
  if (part.rows() == 0) return;
  if (part.codes.defined() ? (part.codes >= 0).any().item<bool>() : cell_facts(part.x).known) return;
  fail_data(what, fmt::format("expected known cells in {}, got nothing but missing ones", part.name));
}

void keep_bits_as_bytes(Dataset& set) {
  for (const Split* part : {&set.train, &set.valid, &set.test}) {
    if (part->rows() == 0) continue;
    const CellFacts cells = cell_facts(part->x);
    if (!cells.bits || cells.missing || part->binarise || part->scale != 1) return;
  }
  for (Split* part : {&set.train, &set.valid, &set.test})
    if (part->rows() > 0 && part->x.is_floating_point())
      part->x = part->x.to(at::kByte), part->mapped.reset();
}

void read_parts(Dataset& set, RawSet& raw, const DataOptions& options) {
  const bool bits = all_bits(raw, beside_columns(raw, options));
  read_part(set.train, "train", raw, options, bits);
  read_part(set.valid, "valid", raw, options, bits);
  read_part(set.test, "test", raw, options, bits);
  for (const Split* part : {&set.valid, &set.test})
    if (part->rows() > 0 && part->x.size(1) != set.train.x.size(1))
      fail_data(set.name, fmt::format("expected {} columns in {}, as in train, got {}", set.train.x.size(1),
                                      part->name, part->x.size(1)));
  drop_columns(set, beside_columns(raw, options));
  hold_out_parts(set, raw, options);
  for (Split* part : {&set.train, &set.valid, &set.test}) count_classes(set, *part);
}

}  // namespace deepgen
