#include "deepgen/data/dataset.h"

#include <fmt/format.h>

#include <cmath>
#include <cstring>
#include <numeric>

#include "deepgen/core/error.h"
#include "deepgen/kernels/kernels.h"
#include "deepgen/ops/binary_units.h"

namespace deepgen {
namespace {

at::ScalarType torch_type(DType type) {
  switch (type) {
    case DType::u8:
      return at::kByte;
    case DType::i8:
      return at::kChar;
    case DType::i16:
      return at::kShort;
    case DType::u16:
      return at::kShort;  // widened by the caller
    case DType::i32:
      return at::kInt;
    case DType::i64:
      return at::kLong;
    case DType::f32:
      return at::kFloat;
    case DType::f64:
      return at::kDouble;
  }
  return at::kByte;
}

}  // namespace

Tensor to_tensor(const Array& array) {
  if (array.type == DType::u16) {  // torch has none: widen
    Tensor wide = at::empty(array.shape, at::kInt);
    for (std::int64_t i = 0; i < array.items(); ++i) wide.data_ptr<int>()[i] = array.as<std::uint16_t>()[i];
    return wide;
  }
  Tensor tensor = at::empty(array.shape, torch_type(array.type));
  std::memcpy(tensor.data_ptr(), array.bytes.data(), array.bytes.size());
  return tensor;
}

namespace {

// Cases as rows: bytes stay bytes, everything else becomes float32.
Tensor to_rows(const Array& array, const std::string& what) {
  if (array.shape.empty() || array.rows() == 0) fail_data(what, "expected at least one row, got none");
  if (array.columns() == 0) fail_data(what, "expected at least one column, got none");
  Tensor tensor = to_tensor(array).reshape({array.rows(), array.columns()});
  return array.type == DType::u8 ? tensor : tensor.to(at::kFloat);
}

// Moves the last `count` rows of train to another part.
void hold_out(Split& train, Split& part, std::int64_t count) {
  const std::int64_t keep = train.rows() - count;
  part.x = train.x.narrow(0, keep, count);
  train.x = train.x.narrow(0, 0, keep);
  if (!train.y.defined()) return;
  part.y = train.y.narrow(0, keep, count);
  train.y = train.y.narrow(0, 0, keep);
}

constexpr double most_classes = 1e6;

void shuffle(Split& split, const Rng& rng) {
  const std::vector<std::int64_t> order = rng.fork({5}).permutation(split.rows());
  const Tensor index = at::tensor(order, at::kLong);
  split.x = split.x.index_select(0, index);
  if (split.y.defined()) split.y = split.y.index_select(0, index);
}

void take_label_column(Split& split, std::int64_t column, const std::string& what) {
  if (!split.x.defined()) return;
  const Tensor labels = split.x.select(1, column).to(at::kDouble);
  const Tensor bad = at::logical_not(
      at::logical_and(labels == labels.round(), at::logical_and(labels >= 0, labels < most_classes)));
  if (bad.any().item<bool>()) {
    const std::int64_t row = bad.nonzero()[0].item<std::int64_t>();
    fail_data(what, fmt::format("expected labels 0, 1, 2, ... in column {}, got {} at row {} of {}", column,
                                labels[row].item<double>(), row, split.name));
  }
  split.y = labels.to(at::kLong);
  const Tensor left = split.x.narrow(1, 0, column),
               right = split.x.narrow(1, column + 1, split.x.size(1) - column - 1);
  split.x = at::cat({left, right}, 1).contiguous();
}

// "binary" when every value is 0 or 1, "grey" for other bytes and for reals within [0, 1], else "real".
std::string infer_values(const Tensor& x) {
  const Tensor known = x.is_floating_point() ? x.masked_select(x.isnan().logical_not()) : x.reshape({-1});
  if (at::logical_or(known == 0, known == 1).all().item<bool>()) return "binary";
  if (!x.is_floating_point()) return "grey";
  return at::logical_and(known >= 0, known <= 1).all().item<bool>() ? "grey" : "real";
}

// One fixed binarisation of a part: threshold at half, or one Bernoulli draw.
void binarise_once(Split& split, bool threshold, const Rng& rng) {
  if (!split.x.defined()) return;
  if (threshold) {
    const Tensor on = split.x >= (split.x.is_floating_point() ? 0.5 : 128);
    const bool gaps = split.x.is_floating_point() && split.x.isnan().any().item<bool>();
    split.x = gaps ? at::where(split.x.isnan(), split.x, on.to(at::kFloat)) : on.to(at::kByte);
  } else {
    const bool gaps = split.x.is_floating_point() && split.x.isnan().any().item<bool>();
    const Tensor before = split.x;
    split.binarise = true;
    split.x = Dataset::rows(split, 0, split.rows(), rng);
    split.x = gaps ? at::where(before.isnan(), before, split.x) : split.x.to(at::kByte);
    split.binarise = false;
  }
  split.scale = 1;
}

void binarise_set(Dataset& set, const Rng& rng) {
  const bool threshold = set.binarize == "threshold";
  if (set.values == "real")
    fail_data(set.name, "expected grey values in [0, 1] or bytes to binarise, got real ones");
  if (set.binarize == "dynamic") {
    set.train.binarise = true;
  } else {
    binarise_once(set.train, threshold, rng.fork({0}));
  }
  binarise_once(set.valid, threshold, rng.fork({1}));
  binarise_once(set.test, threshold, rng.fork({2}));
  set.values = "binary";
}

void read_parts(Dataset& set, const RawSet& raw, const DataOptions& options) {
  auto read = [&](Split& split, const char* name) {
    split.name = name;
    if (const auto found = raw.arrays.find(name); found != raw.arrays.end())
      split.x = to_rows(found->second, set.name);
    if (const auto found = raw.arrays.find(std::string(name) + "_labels"); found != raw.arrays.end())
      split.y = to_tensor(found->second).to(at::kLong).reshape({-1});
    if (split.y.defined() && split.rows() != split.y.size(0))
      fail_data(set.name,
                fmt::format("expected {} labels of {}, got {}", split.rows(), name, split.y.size(0)));
  };
  read(set.train, "train"), read(set.valid, "valid"), read(set.test, "test");
  for (const Split* part : {&set.valid, &set.test})
    if (part->rows() > 0 && part->x.size(1) != set.train.x.size(1))
      fail_data(set.name, fmt::format("expected {} columns in {}, as in train, got {}", set.train.x.size(1),
                                      part->name, part->x.size(1)));
  if (options.has_labels()) {
    const std::int64_t column =
        find_column(set.name + " labels", options.labels, set.column_names, set.train.x.size(1));
    for (Split* part : {&set.train, &set.valid, &set.test}) take_label_column(*part, column, set.name);
    if (!set.column_names.empty()) set.column_names.erase(set.column_names.begin() + column);
  }
  // Rows to hold out are drawn at random where the user asks for them: files are often sorted.
  const std::int64_t all_rows = set.train.rows();
  if (options.test > 0 || (options.valid > 0 && raw.default_valid == 0))
    shuffle(set.train, Rng(static_cast<std::uint64_t>(options.seed)));
  auto hold = [&](Split& part, double asked, const char* name) {
    if (asked <= 0) return;
    if (part.rows() > 0) fail_data(set.name, fmt::format("has its own {0} part; leave :{0}= out", name));
    hold_out(set.train, part, held_out(asked, all_rows, set.train.rows(), set.name));
  };
  hold(set.test, options.test, "test");
  hold(set.valid, options.valid >= 0 ? options.valid : static_cast<double>(raw.default_valid), "valid");
  set.one_matrix = set.valid.rows() == 0 && set.test.rows() == 0;
}

void count_classes(Dataset& set) {
  for (const Split* part : {&set.train, &set.valid, &set.test}) {
    if (!part->y.defined() || part->rows() == 0) continue;
    if (part->y.min().item<std::int64_t>() < 0)
      fail_data(set.name, fmt::format("expected labels of 0 or more, got {} in {}",
                                      part->y.min().item<std::int64_t>(), part->name));
    set.classes = std::max(set.classes, part->y.max().item<std::int64_t>() + 1);
  }
}

void transform_set(Dataset& set, const DataOptions& options, const Rng& rng) {
  std::vector<Split*> parts;
  for (Split* part : {&set.train, &set.valid, &set.test})
    if (part->rows() > 0) parts.push_back(part);
  for (Split* part : parts) part->x = Dataset::rows(*part, 0, part->rows(), rng), part->scale = 1;
  auto apply = [&](const Transform& one) {
    for (std::size_t i = 0; i < parts.size(); ++i)
      parts[i]->x = one.apply(parts[i]->x, set.name, rng.fork({9, i}));
  };
  Transform first;
  if (options.onehot) first.fit_onehot(set.train.x, set.name);
  if (options.dequantise && set.values != "grey") fail_data(set.name, "expected grey levels to dequantise");
  first.dequantised = options.dequantise;
  apply(first);
  set.transform = first;
  // Each is fitted to what the ones before it have made.
  if (options.standardise) {
    Transform second;
    second.fit_standardise(set.train.x);
    apply(second);
    set.transform.mean = second.mean, set.transform.deviation = second.deviation;
  }
  if (options.whiten) {
    Transform last;
    last.fit_whiten(set.train.x, set.name);
    apply(last);
    last.dequantised = set.transform.dequantised;
    last.mean = set.transform.mean, last.deviation = set.transform.deviation;
    last.group_sizes = set.transform.group_sizes, last.group_minimum = set.transform.group_minimum;
    set.transform = last;
  }
  set.values = options.onehot && !options.standardise && !options.whiten ? "binary" : "real";
  if (set.train.x.size(1) !=
      std::accumulate(set.shape.begin(), set.shape.end(), std::int64_t{1}, std::multiplies<>()))
    set.shape = {set.train.x.size(1)};
}

// The transform a model was trained under, in place of one fitted anew to this file.
void apply_learnt(Dataset& set, const Transform& learnt, const Rng& rng) {
  std::uint64_t number = 0;
  for (Split* part : {&set.train, &set.valid, &set.test}) {
    if (part->rows() == 0) continue;
    if (!learnt.group_sizes.empty()) part->scale = 1;
    part->before = Dataset::rows(*part, 0, part->rows(), rng);
    part->x = learnt.apply(part->before, set.name, rng.fork({9, number++}));
    part->scale = 1;
  }
  set.transform = learnt;
  const bool real = learnt.dequantised || learnt.whitened() || !learnt.mean.empty();
  set.values = real ? "real" : "binary";
  set.shape = {set.train.x.size(1)};
}

}  // namespace

const Split& Dataset::split(const std::string& wanted) const {
  if (wanted != "train" && wanted != "valid" && wanted != "test")
    fail_usage("split", unknown_name("split", wanted, {"train", "valid", "test"}));
  if (one_matrix) return train;
  const Split& part = wanted == "train" ? train : wanted == "valid" ? valid : test;
  if (part.rows() == 0)
    fail_data(spec, fmt::format("has no {} part; hold rows out with :{}=0.1", wanted,
                                wanted == "train" ? "valid" : wanted));
  return part;
}

Tensor Dataset::rows(const Split& split, const std::vector<std::int64_t>& index, const Rng& rng) {
  const std::int64_t count = static_cast<std::int64_t>(index.size());
  if (split.x.scalar_type() == at::kByte) {
    Rng own = rng;
    const Tensor bytes = split.x.contiguous();
    Tensor out = at::empty({count, bytes.size(1)});
    GatherBytes gather{.bytes = bytes.data_ptr<std::uint8_t>(),
                       .index = index.data(),
                       .columns = bytes.size(1),
                       .scale = split.scale,
                       .binarise = split.binarise,
                       .output = out.data_ptr<float>(),
                       .stream = own.next()};
    parallel_ranges(
        count, 0.3 * static_cast<double>(bytes.size(1)), 1,
        [&](std::int64_t begin, std::int64_t end) { kernels().gather_bytes(gather, begin, end); });
    return out;
  }
  const Tensor where = at::from_blob(const_cast<std::int64_t*>(index.data()), {count}, at::kLong);
  Tensor out = split.x.index_select(0, where);
  if (!split.binarise) return out;
  Rng own = rng;
  const Tensor bits = (uniform(out.size(0), out.size(1), own.next()) < out).to(at::kFloat);
  return at::where(out.isnan(), out, bits);
}

Tensor Dataset::rows(const Split& split, std::int64_t first, std::int64_t count, const Rng& rng) {
  std::vector<std::int64_t> index(static_cast<std::size_t>(count));
  std::iota(index.begin(), index.end(), first);
  return rows(split, index, rng);
}

Tensor Dataset::labels(const Split& split, const std::vector<std::int64_t>& index) {
  if (!split.y.defined()) return {};
  return split.y.index_select(0, at::from_blob(const_cast<std::int64_t*>(index.data()),
                                               {static_cast<std::int64_t>(index.size())}, at::kLong));
}

nlohmann::ordered_json Dataset::describe() const {
  nlohmann::ordered_json json = {{"spec", spec},
                                 {"name", name},
                                 {"shape", shape},
                                 {"values", values},
                                 {"binarize", binarize},
                                 {"classes", classes},
                                 {"train_rows", train.rows()},
                                 {"transform", transform.to_json()}};
  if (!column_names.empty()) json["columns"] = column_names;
  if (!groups.empty()) json["groups"] = groups_to_json(groups);
  if (!table.empty()) json["table"] = table.to_json();
  return json;
}

Learnt Learnt::from_json(const nlohmann::ordered_json& description, const std::string& what) {
  Learnt learnt;
  try {
    learnt.transform = Transform::from_json(description.value("transform", nlohmann::ordered_json::object()));
  } catch (const nlohmann::json::exception&) {
    fail_data(what, "the transform of the data is malformed");
  }
  if (description.contains("table")) learnt.table = TableSchema::from_json(description["table"], what);
  return learnt;
}

Tensor Dataset::log_jacobian(const Tensor& x) const {
  Tensor result = transform.log_jacobian(x);
  std::int64_t first = 0;
  for (const TableColumn& column : table.columns) {
    if (column.kind == "real")
      result -= x.select(1, first).isnan().logical_not().to(at::kDouble) * std::log(column.deviation);
    first += column.width();
  }
  return result;
}

void refuse_infinite(const Split& split, const std::string& what) {
  if (!split.x.defined() || !split.x.is_floating_point()) return;
  const Tensor bad = split.x.isinf();
  if (!bad.any().item<bool>()) return;
  const Tensor first = bad.nonzero()[0];
  fail_data(what, fmt::format("expected finite values, got an infinite one at row {}, column {} of {}",
                              first[0].item<std::int64_t>(), first[1].item<std::int64_t>(), split.name));
}

Dataset load_dataset(const std::string& text, const Learnt* learnt) {
  const DataSpec spec = parse_data_spec(text);
  const DataOptions options = check_spec(spec);
  if (!learnt || learnt->transform.identity()) refuse_unsaid_binarisation(spec, options);
  Dataset set = make_dataset(read_set(spec, learnt ? &learnt->table : nullptr), options, learnt);
  set.spec = text;
  return set;
}

Dataset make_dataset(RawSet raw, const DataOptions& options, const Learnt* learnt) {
  if (learnt && learnt->table.empty() != (raw.table == nullptr))
    fail_data(raw.name, raw.table
                            ? "is a table of mixed columns; the run was not trained on one"
                            : "expected a CSV file, as the run was trained on a table of mixed columns");
  if (raw.table) return make_table_dataset(raw, options, learnt ? &learnt->table : nullptr);
  Dataset set;
  set.spec = set.name = raw.name;
  set.description = raw.description;
  set.column_names = raw.column_names;
  read_parts(set, raw, options);
  const Array& train = raw.arrays.at("train");
  set.shape = raw.case_shape;
  if (set.shape.empty())  // pictures keep their shape, tables are rows of columns
    set.shape = train.shape.size() == 3 ? std::vector<std::int64_t>{1, train.shape[1], train.shape[2]}
                                        : std::vector<std::int64_t>{set.train.x.size(1)};
  for (const Split* part : {&set.train, &set.valid, &set.test}) refuse_infinite(*part, set.name);
  set.values = raw.values.empty() ? infer_values(set.train.x) : raw.values;
  count_classes(set);
  for (Split* part : {&set.train, &set.valid, &set.test})
    if (set.values == "grey" && !options.onehot && part->rows() > 0 && part->x.scalar_type() == at::kByte)
      part->scale = 1.0F / 255;
  if (set.values == "binary" && (options.binarize == "dynamic" || options.binarize == "threshold"))
    fail_data(set.name, fmt::format("is binary already; leave :binarize={} out", options.binarize));
  const bool transformed = options.onehot || options.dequantise || options.standardise || options.whiten;
  if (transformed && options.binarize == "dynamic")
    fail_data(set.name,
              "fresh binarisation (dynamic) does not go with onehot, dequantise, standardise or whiten");
  set.binarize = set.values == "binary" ? "static" : options.binarize.empty() ? "none" : options.binarize;
  const Rng rng(static_cast<std::uint64_t>(options.seed) ^ 0xB1A5ULL);
  if (set.values != "binary" && set.binarize != "none") binarise_set(set, rng);
  if (learnt && !learnt->transform.identity())
    apply_learnt(set, learnt->transform, rng);
  else if (transformed)
    transform_set(set, options, rng);
  return set;
}

}  // namespace deepgen
