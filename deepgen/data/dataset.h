// A data set in memory: bytes stay bytes until a batch is made.
#pragma once

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <numeric>
#include <string>
#include <vector>

#include "deepgen/core/mapped_file.h"
#include "deepgen/core/rng.h"
#include "deepgen/core/torch.h"
#include "deepgen/data/cell_facts.h"
#include "deepgen/data/files/data_shape.h"
#include "deepgen/data/files/known_sets.h"
#include "deepgen/data/files/table_reading.h"
#include "deepgen/data/rows.h"
#include "deepgen/data/transform.h"

namespace deepgen {

// One part of a set. x [N, D] is uint8 (binary 0/1, or grey 0..255), float32 or, where the file has them, float64
// (batches are float32); y [N] int64, -1 where the label is unknown, or undefined where none is known.
//
// Of a table of categories and bits alone x is undefined and there are codes [N, variables] int16, -1 where a
// cell is missing (CodeLayout): a number a cell in place of one for each category.
struct Split {
  std::string name;
  Tensor x, y;
  Tensor codes;
  std::vector<std::int64_t> code_sizes;  // columns of each variable
  Tensor densities;  // [N, numbers in bins] float32: log-density given the bin, nats; undefined: none in bins
  Tensor starts;     // [cases] int64, ascending from 0: the row at which each sequence begins;
                     // undefined: every row is a case of its own
  Tensor weights;    // [N] float32, 0 or more, or undefined: every row counts once
  bool binarise = false;   // draw each value anew as Bernoulli(byte / 255) whenever a batch is made
  float scale = 1;         // bytes are multiplied by this
  Tensor before;           // [N, columns of the file] before a learnt transform, or undefined:
  float before_scale = 1;  // bytes of it are multiplied by this
  std::vector<std::int64_t> table_rows;      // of a table: the row of the file of each row
  std::shared_ptr<const MappedFile> mapped;  // the file that cells are looked up in; null: they are in memory

  std::int64_t rows() const { return x.defined() ? x.size(0) : codes.defined() ? codes.size(0) : 0; }
  std::int64_t cases() const { return starts.defined() ? starts.size(0) : rows(); }
  std::int64_t columns() const {
    return x.defined() ? x.size(1) : std::accumulate(code_sizes.begin(), code_sizes.end(), std::int64_t{0});
  }
  // Row and column of the first missing cell, if any.
  std::optional<CellPlace> first_gap() const;
  // function(tensor) of every tensor that has a row for each row of the part.
  template <class F>
  void each_row_tensor(F function) {
    for (Tensor* each : {&x, &y, &codes, &densities, &weights, &before})
      if (each->defined()) function(*each);
  }
};

// How the data of a trained model were read: later files are read in the same way.
struct Learnt {
  Transform transform;
  TableSchema table;       // empty: no table of mixed kinds
  bool sequences = false;  // cases were runs of rows

  // From the data description of a checkpoint. Throws a data error naming `what` when it is malformed.
  static Learnt from_json(const nlohmann::ordered_json& description, const std::string& what);
};

// The file of a table of mixed kinds, for writing what belongs beside its cells.
struct TableFile {
  std::shared_ptr<const CsvCells> cells;
  std::vector<std::int64_t> columns;  // for each column of the schema its column of the file, or -1
};

class Dataset {
 public:
  std::string spec;  // as asked for
  std::string name, description;
  std::vector<std::int64_t> shape;        // of a case (of sequences: of a row): {1, 28, 28}, {123}
  ValueKind values = ValueKind::binary;   // after the transforms
  std::string binarize;                   // none, static, dynamic, threshold; part of every result
  std::int64_t classes = 0;               // the largest known label + 1
  std::vector<std::string> column_names;  // of the file, but for labels and the like; of a table as encoded
  std::vector<ColumnGroup> groups;  // of a table of mixed kinds, covering all columns in order; else empty
  bool one_matrix = false;          // no parts: every row is in `train`
  Transform transform;
  TableSchema table;  // of a table of mixed kinds, else empty
  TableFile file;
  Split train, valid, test;
  std::vector<std::string> notes;  // what a user should be told of the data: a sentence each

  std::int64_t columns() const { return train.columns(); }
  // By name; a file with one matrix has the same rows under every name. Throws when the part is empty.
  const Split& split(const std::string& name) const;

  // What a model must know of these data.
  DataShape data_shape() const;

  // Cases of a part as floats with their labels, weights and, of sequences, starts; freshly binarised where
  // the set is dynamic. `index` counts cases: of a part without sequences its rows.
  static Rows rows(const Split& split, const std::vector<std::int64_t>& index, const Rng& rng);
  static Rows rows(const Split& split, std::int64_t first, std::int64_t count, const Rng& rng);

  // The same cases as rows(split, 0, all of them, rng) has at `first` and after, where it draws too: for work
  // that takes a part in blocks.
  static Rows block(const Split& split, std::int64_t first, std::int64_t count, const Rng& rng);

  // What to add to a model's log-density of rows (as `rows` gives them) to have the log-density in the units
  // of the file, over the known cells: [B] float64, nats; 0 for binary data, categories and counts. `told`
  // [D] bool: only of these columns.
  Tensor log_jacobian(const Rows& rows, const Tensor& told = {}) const;

  // What a checkpoint remembers: enough to refuse a resume on other data and to invert the transforms in
  // samples.
  nlohmann::ordered_json describe() const;
};

// Some cases of a part as a part of their own, in the order of the index.
Split select_cases(const Split& split, const std::vector<std::int64_t>& cases);

// function(rows) over the cases `index` of a part, some thousands at a time, so that memory stays bounded.
template <class F>
void each_chunk(const Split& split, const std::vector<std::int64_t>& index, const Rng& rng, F function) {
  constexpr std::size_t chunk = 2000;
  const auto cases = static_cast<std::size_t>(split.cases()), rows = static_cast<std::size_t>(split.rows());
  // Sequences have rows of their own number: so many as make a chunk on average.
  const std::size_t some = split.starts.defined()
                               ? std::max<std::size_t>(1, chunk * cases / std::max<std::size_t>(rows, 1))
                               : chunk;
  for (std::size_t first = 0; first < index.size(); first += some) {
    const auto begin = index.begin() + static_cast<std::ptrdiff_t>(first);
    const auto end = index.begin() + static_cast<std::ptrdiff_t>(std::min(first + some, index.size()));
    function(Dataset::rows(split, {begin, end}, rng.fork({first})));
  }
}

// What the function gives for each row, [rows, ...], in the order of the index. At least one row; what comes
// out carries no graph.
template <class F>
Tensor map_rows(const Split& split, const std::vector<std::int64_t>& index, const Rng& rng, F function) {
  if (split.starts.defined()) {
    std::vector<Tensor> parts;
    each_chunk(split, index, rng, [&](const Rows& rows) { parts.push_back(function(rows).detach()); });
    return at::cat(parts);
  }
  Tensor all;
  std::int64_t done = 0;
  each_chunk(split, index, rng, [&](const Rows& rows) {
    const Tensor part = function(rows).detach();
    if (!all.defined()) {  // in place, where joining the parts would hold everything twice
      std::vector<std::int64_t> sizes = part.sizes().vec();
      sizes[0] = static_cast<std::int64_t>(index.size());
      all = at::empty(sizes, part.options());
    }
    all.narrow(0, done, part.size(0)).copy_(part);
    done += part.size(0);
  });
  return all;
}

// The numbers of its cases.
inline std::vector<std::int64_t> every_case(const Split& split) {
  std::vector<std::int64_t> index(static_cast<std::size_t>(split.cases()));
  std::iota(index.begin(), index.end(), std::int64_t{0});
  return index;
}

// The same over all its cases, in their order.
template <class F>
Tensor map_rows(const Split& split, const Rng& rng, F function) {
  return map_rows(split, every_case(split), rng, std::move(function));
}

// Reads, splits, binarises and transforms. Missing cells (NaN) pass, infinite ones are refused with row and
// column, and so are parts without any known cell. A column without any value in the training rows is set
// aside (Transform::set_aside); of pictures such a pixel is refused. `learnt`: of a trained model, in place
// of what would be learnt from this file. `reading`: how the model wants a table, where the SPEC does not say.
Dataset load_dataset(const std::string& spec, const Learnt* learnt = nullptr,
                     const TableReading& reading = {});

// The same on a set that is already in memory (tests, programs).
Dataset make_dataset(RawSet raw, const DataOptions& options, const Learnt* learnt = nullptr,
                     const TableReading& reading = {});

// The part of make_dataset for tables of mixed kinds.
Dataset make_table_dataset(const RawSet& raw, const DataOptions& options, const TableSchema* learnt,
                           const TableReading& reading);

// The same items as a tensor; u16 becomes int32. Of an array that is given away the tensor is its memory or
// its mapped file.
Tensor to_tensor(const Array& array);
Tensor to_tensor(Array&& array);

// Throws a data error naming row and column of the first infinite value.
void refuse_infinite(const Split& split, const std::string& what);

}  // namespace deepgen
