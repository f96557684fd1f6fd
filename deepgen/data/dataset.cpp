#include "deepgen/data/dataset.h"

#include <fmt/format.h>

#include <cmath>
#include <cstring>
#include <numeric>

#include "deepgen/core/error.h"
#include "deepgen/data/cell_facts.h"
#include "deepgen/data/known_labels.h"
#include "deepgen/data/read_parts.h"
#include "deepgen/data/set_values.h"
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

Tensor to_tensor(Array&& array) {
  const Array& read = array;
  if (read.type == DType::u16 || read.bytes.empty()) return to_tensor(read);
  const auto owner = std::make_shared<const ArrayBytes>(std::move(array.bytes));
  // Memory of its own, or a mapping that may be written to without the file being changed.
  void* data = const_cast<std::uint8_t*>(owner->data());
  return at::from_blob(
      data, array.shape, [owner](void*) {}, torch_type(array.type));
}

namespace {

Tensor index_tensor(const std::vector<std::int64_t>& index) {  // borrows
  return at::from_blob(const_cast<std::int64_t*>(index.data()), {static_cast<std::int64_t>(index.size())},
                       at::kLong);
}

// Rows of float64 x [N, D] as float32.
Tensor rounded_rows(const Tensor& x, const std::vector<std::int64_t>& index) {
  const Tensor dense = x.contiguous();
  const std::int64_t columns = dense.size(1);
  const auto count = static_cast<std::int64_t>(index.size());
  Tensor out = at::empty({count, columns});
  const double* from = dense.data_ptr<double>();
  float* to = out.data_ptr<float>();
  parallel_ranges(count, 0.5 * static_cast<double>(columns), 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const double* row = from + index[static_cast<std::size_t>(i)] * columns;
      for (std::int64_t j = 0; j < columns; ++j) to[i * columns + j] = static_cast<float>(row[j]);
    }
  });
  return out;
}

// One column for each category, and the bits: [rows of the index, columns] float32.
Tensor columns_of_codes(const Tensor& codes, const std::vector<std::int64_t>& sizes,
                        const std::vector<std::int64_t>& index) {
  const std::int64_t width = std::accumulate(sizes.begin(), sizes.end(), std::int64_t{0});
  const auto count = static_cast<std::int64_t>(index.size()),
             variables = static_cast<std::int64_t>(sizes.size());
  Tensor out = at::zeros({count, width});
  const Tensor dense = codes.contiguous();
  parallel_ranges(count, 0.3 * static_cast<double>(width), 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t r = begin; r < end; ++r) {
      const std::int16_t* code =
          dense.data_ptr<std::int16_t>() + index[static_cast<std::size_t>(r)] * variables;
      float* to = out.data_ptr<float>() + r * width;
      for (std::size_t v = 0; v < sizes.size(); to += sizes[v++]) {
        if (code[v] < 0)
          std::fill(to, to + sizes[v], std::numeric_limits<float>::quiet_NaN());
        else if (sizes[v] == 1)
          to[0] = static_cast<float>(code[v]);
        else
          to[code[v]] = 1;
      }
    }
  });
  return out;
}

// Cells of some rows of a part as floats. `place`: what number the first of them has among the rows for which
// this generator draws.
Tensor gathered_cells(const Split& split, const std::vector<std::int64_t>& index, const Rng& rng,
                      std::int64_t place) {
  if (split.mapped) split.mapped->check_unchanged();
  if (split.codes.defined()) return columns_of_codes(split.codes, split.code_sizes, index);
  if (split.x.scalar_type() == at::kByte) {
    Rng own = rng;
    const Tensor bytes = split.x.contiguous();
    const auto count = static_cast<std::int64_t>(index.size());
    const std::int64_t columns = bytes.size(1);
    Tensor out = at::empty({count, columns});
    // The kernel counts rows from `place`: there the index and the output begin.
    GatherBytes gather{.bytes = bytes.data_ptr<std::uint8_t>(),
                       .index = index.data() - place,
                       .columns = columns,
                       .scale = split.scale,
                       .binarise = split.binarise,
                       .output = out.data_ptr<float>() - place * columns,
                       .stream = own.next()};
    parallel_ranges(count, 0.3 * static_cast<double>(columns), 1, [&](std::int64_t begin, std::int64_t end) {
      kernels().gather_bytes(gather, place + begin, place + end);
    });
    return out;
  }
  Tensor out = split.x.scalar_type() == at::kDouble ? rounded_rows(split.x, index)
                                                    : split.x.index_select(0, index_tensor(index));
  if (!split.binarise) return out;
  Rng own = rng;
  const Tensor u = uniform(out.size(0), out.size(1), own.next(), at::kCPU, place);
  return at::where(out.isnan(), out, (u < out).to(at::kFloat));
}

Rows gathered(const Split& split, const std::vector<std::int64_t>& index, const Rng& rng,
              std::int64_t place = 0) {
  Rows rows(gathered_cells(split, index, rng, place));
  if (split.y.defined()) rows.y = split.y.index_select(0, index_tensor(index));
  if (split.weights.defined()) rows.weights = split.weights.index_select(0, index_tensor(index));
  if (split.densities.defined()) rows.densities = split.densities.index_select(0, index_tensor(index));
  return rows;
}

CaseRows rows_of(const Split& split, const std::vector<std::int64_t>& cases) {
  const Tensor starts = split.starts.contiguous();
  return rows_of_cases({starts.data_ptr<std::int64_t>(), static_cast<std::size_t>(starts.size(0))},
                       split.rows(), cases);
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

DataShape Dataset::data_shape() const {
  return {.columns = columns(), .shape = shape, .classes = classes, .values = values, .groups = groups};
}

namespace {

std::vector<std::int64_t> numbers_from(std::int64_t first, std::int64_t count) {
  std::vector<std::int64_t> index(static_cast<std::size_t>(count));
  std::iota(index.begin(), index.end(), first);
  return index;
}

Rows gathered_cases(const Split& split, const std::vector<std::int64_t>& cases, const Rng& rng,
                    bool in_place) {
  const CaseRows chosen = rows_of(split, cases);
  const std::int64_t place = in_place && !chosen.rows.empty() ? chosen.rows.front() : 0;
  Rows rows = gathered(split, chosen.rows, rng, place);
  rows.starts = at::tensor(chosen.starts, at::kLong);
  return rows;
}

}  // namespace

Rows Dataset::rows(const Split& split, const std::vector<std::int64_t>& index, const Rng& rng) {
  return split.starts.defined() ? gathered_cases(split, index, rng, false) : gathered(split, index, rng);
}

Rows Dataset::rows(const Split& split, std::int64_t first, std::int64_t count, const Rng& rng) {
  return rows(split, numbers_from(first, count), rng);
}

Rows Dataset::block(const Split& split, std::int64_t first, std::int64_t count, const Rng& rng) {
  const std::vector<std::int64_t> cases = numbers_from(first, count);
  return split.starts.defined() ? gathered_cases(split, cases, rng, true)
                                : gathered(split, cases, rng, first);
}

Split select_cases(const Split& split, const std::vector<std::int64_t>& cases) {
  const CaseRows chosen = split.starts.defined() ? rows_of(split, cases) : CaseRows{cases, {}};
  Split some = split;
  some.each_row_tensor([&](Tensor& each) { each = each.index_select(0, index_tensor(chosen.rows)); });
  some.mapped.reset();  // these are copies
  if (split.starts.defined()) some.starts = at::tensor(chosen.starts, at::kLong);
  if (split.table_rows.empty()) return some;
  some.table_rows.clear();
  for (const std::int64_t row : chosen.rows)
    some.table_rows.push_back(split.table_rows[static_cast<std::size_t>(row)]);
  return some;
}

nlohmann::ordered_json Dataset::describe() const {
  nlohmann::ordered_json json = {{"spec", spec},
                                 {"name", name},
                                 {"shape", shape},
                                 {"values", name_of(values)},
                                 {"binarize", binarize},
                                 {"classes", classes},
                                 {"train_rows", train.rows()},
                                 {"transform", transform.to_json()}};
  if (train.starts.defined()) json["train_cases"] = train.cases();
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
  learnt.sequences = description.contains("train_cases");
  if (!description.contains("shape")) return learnt;
  const std::int64_t columns = data_shape_from_json(description, what).columns;
  const std::int64_t made = learnt.table.empty() ? learnt.transform.columns() : learnt.table.width();
  if (made >= 0 && made != columns)
    fail_data(what, fmt::format("the data are described as {} columns and as {}", columns, made));
  return learnt;
}

std::optional<CellPlace> Split::first_gap() const {
  if (x.defined()) return first_missing_cell(x);
  if (!codes.defined()) return std::nullopt;
  const Tensor gaps = (codes < 0).nonzero();
  if (gaps.size(0) == 0) return std::nullopt;
  const auto variable = gaps[0][1].item<std::int64_t>();
  return CellPlace{gaps[0][0].item<std::int64_t>(),
                   std::accumulate(code_sizes.begin(), code_sizes.begin() + variable, std::int64_t{0})};
}

Tensor Dataset::log_jacobian(const Rows& rows, const Tensor& told) const {
  const Tensor x = told.defined() ? rows.x.masked_fill(told.logical_not(), std::nanf("")) : rows.x;
  Tensor result = transform.log_jacobian(x);
  std::int64_t first = 0, number = 0;
  for (const TableColumn& column : table.columns) {
    if (!column.bins.empty() && !rows.densities.defined())
      fail_data(name, "rows of numbers in bins lack their densities; take them from the data set");
    if (!column.bins.empty() || column.kind == TableColumnKind::real) {
      const Tensor known = x.select(1, first).isnan().logical_not().to(at::kDouble);
      if (column.bins.empty())
        result -= known * std::log(column.deviation);
      else
        result += known * rows.densities.select(1, number++).to(at::kDouble);
    }
    first += column.width();
  }
  return result;
}

void refuse_infinite(const Split& split, const std::string& what) {
  if (!split.x.defined() || !split.x.is_floating_point()) return;
  const auto bad = first_infinite_cell(split.x);
  if (!bad) return;
  const double cell = split.x[bad->first][bad->second].item<double>();
  const std::string place = fmt::format("row {}, column {} of {}", bad->first, bad->second, split.name);
  if (std::isfinite(cell))
    fail_data(what,
              fmt::format("expected values that float32 can hold (up to 3.4e38), got {} at {}; give the "
                          "column another unit",
                          cell, place));
  fail_data(what, fmt::format("expected finite values, got an infinite one at {}", place));
}

Dataset load_dataset(const std::string& text, const Learnt* learnt, const TableReading& reading) {
  const DataSpec spec = parse_data_spec(text);
  const DataOptions options = check_spec(spec);
  if (!learnt || learnt->transform.identity()) refuse_unsaid_binarisation(spec, options);
  Dataset set = make_dataset(read_set(spec, learnt ? &learnt->table : nullptr), options, learnt, reading);
  set.spec = text;
  if (options.labelled >= 0) keep_labels(set, options.labelled, static_cast<std::uint64_t>(options.seed));
  return set;
}

namespace {

// A run reads its files as it read its training file: as sequences, or row by row whatever the file says.
DataOptions as_learnt(const DataOptions& asked, const Learnt* learnt, const std::string& name) {
  DataOptions options = asked;
  if (!learnt || learnt->sequences) return options;
  if (!asked.sequence.empty() && asked.sequence != "none")
    fail_usage(name,
               fmt::format("the run was not trained on sequences; leave sequence={} out", asked.sequence));
  options.sequence = "none";
  return options;
}

// Pictures keep their shape, tables are rows of columns.
std::vector<std::int64_t> case_shape(const RawSet& raw, std::int64_t columns) {
  const std::vector<std::int64_t>& sizes = raw.arrays.at("train").shape;
  std::vector<std::int64_t> shape = raw.case_shape;
  if (shape.empty() && sizes.size() == 3) shape = {1, sizes[1], sizes[2]};
  std::int64_t product = shape.empty() ? 0 : 1;
  for (const std::int64_t size : shape) product *= size;
  return product == columns ? shape : std::vector<std::int64_t>{columns};
}

// Grey bytes become numbers in [0, 1], and bits where that is asked for.
void choose_values(Dataset& set, const RawSet& raw, const DataOptions& options, const Rng& rng) {
  set.values = raw.values ? *raw.values : infer_values(set.train.x);
  for (Split* part : {&set.train, &set.valid, &set.test})
    if (set.values == ValueKind::grey && !options.onehot && part->rows() > 0 &&
        part->x.scalar_type() == at::kByte)
      part->scale = 1.0F / 255;
  const bool binary = set.values == ValueKind::binary, dynamic = options.binarize == "dynamic";
  if (binary && (dynamic || options.binarize == "threshold"))
    fail_data(set.name, fmt::format("is binary already; leave :binarize={} out", options.binarize));
  if (options.transforms() && dynamic)
    fail_data(set.name,
              "fresh binarisation (dynamic) does not go with onehot, dequantise, standardise or whiten");
  set.binarize = binary ? "static" : options.binarize.empty() ? "none" : options.binarize;
  if (!binary && set.binarize != "none") binarise_set(set, rng);
}

}  // namespace

Dataset make_dataset(RawSet raw, const DataOptions& asked, const Learnt* learnt,
                     const TableReading& reading) {
  if (learnt && learnt->table.empty() != (raw.table == nullptr))
    fail_data(raw.name, raw.table
                            ? "is a table of mixed columns; the run was not trained on one"
                            : "expected a CSV file, as the run was trained on a table of mixed columns");
  if (raw.table) return make_table_dataset(raw, asked, learnt ? &learnt->table : nullptr, reading);
  const DataOptions options = as_learnt(asked, learnt, raw.name);
  Dataset set;
  set.spec = set.name = raw.name;
  set.description = raw.description;
  set.column_names = raw.column_names;
  if (!learnt) set.notes = raw.notes;
  read_parts(set, raw, options);
  if (learnt && learnt->sequences && !set.train.starts.defined())
    fail_data(set.name,
              "expected sequences, as the run was trained on; name them with train_lengths in the "
              "file, or sequence=");
  set.shape = case_shape(raw, set.columns());
  for (const Split* part : {&set.train, &set.valid, &set.test}) refuse_infinite(*part, set.name);
  if (!learnt) set_columns_aside(set);
  const Rng rng(static_cast<std::uint64_t>(options.seed) ^ 0xB1A5ULL);
  choose_values(set, raw, options, rng);
  if (!learnt) refuse_lost_digits(set, options);
  if (learnt) apply_learnt(set, learnt->transform, rng);
  if (options.transforms() && (!learnt || learnt->transform.identity())) transform_set(set, options, rng);
  return set;
}

}  // namespace deepgen
