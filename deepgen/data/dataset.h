// A data set in memory: bytes stay bytes until a batch is made.
#pragma once

#include <algorithm>
#include <nlohmann/json.hpp>
#include <numeric>
#include <string>
#include <vector>

#include "deepgen/core/rng.h"
#include "deepgen/core/torch.h"
#include "deepgen/data/files/column_group.h"
#include "deepgen/data/files/known_sets.h"
#include "deepgen/data/transform.h"

namespace deepgen {

// One part of a set. x [N, D] is uint8 (binary 0/1, or grey 0..255) or float32; y [N] int64 or undefined.
struct Split {
  std::string name;
  Tensor x, y;
  Tensor weights;         // [N] float32, 0 or more, or undefined: every row counts once
  bool binarise = false;  // draw each value anew as Bernoulli(byte / 255) whenever a batch is made
  float scale = 1;        // bytes are multiplied by this

  std::int64_t rows() const { return x.defined() ? x.size(0) : 0; }
};

class Dataset {
 public:
  std::string spec;  // as asked for
  std::string name, description;
  std::vector<std::int64_t> shape;  // of a case: {1, 28, 28}, {123}
  std::string values;               // "binary", "grey" (in [0, 1]) or "real", after the transforms
  std::string binarize;             // none, static, dynamic, threshold; part of every result
  std::int64_t classes = 0;
  std::vector<std::string> column_names;
  std::vector<ColumnGroup> groups;  // of a table of mixed kinds, covering all columns in order; else empty
  bool one_matrix = false;          // no parts: every row is in `train`
  Transform transform;
  Split train, valid, test;

  std::int64_t columns() const { return train.x.size(1); }
  // By name; a file with one matrix has the same rows under every name. Throws when the part is empty.
  const Split& split(const std::string& name) const;

  // Rows of a part as floats [index.size, D], freshly binarised where the set is dynamic.
  static Tensor rows(const Split& split, const std::vector<std::int64_t>& index, const Rng& rng);
  static Tensor rows(const Split& split, std::int64_t first, std::int64_t count, const Rng& rng);
  static Tensor labels(const Split& split, const std::vector<std::int64_t>& index);

  // What a checkpoint remembers: enough to refuse a resume on other data and to invert the transforms in
  // samples.
  nlohmann::ordered_json describe() const;
};

// A function of rows [B, D] over the rows `index` of a part, some thousands at a time, so that memory stays
// bounded: what it gives for each row, [index.size, ...]. At least one row; what comes out carries no graph.
template <class F>
Tensor map_rows(const Split& split, const std::vector<std::int64_t>& index, const Rng& rng, F function) {
  constexpr std::size_t chunk = 2000;
  Tensor all;
  for (std::size_t first = 0; first < index.size(); first += chunk) {
    const std::size_t last = std::min(first + chunk, index.size());
    const std::vector<std::int64_t> some(index.begin() + static_cast<std::ptrdiff_t>(first),
                                         index.begin() + static_cast<std::ptrdiff_t>(last));
    const Tensor part = function(Dataset::rows(split, some, rng.fork({first}))).detach();
    if (!all.defined()) {  // in place, where joining the parts would hold everything twice
      std::vector<std::int64_t> sizes = part.sizes().vec();
      sizes[0] = static_cast<std::int64_t>(index.size());
      all = at::empty(sizes, part.options());
    }
    all.narrow(0, static_cast<std::int64_t>(first), part.size(0)).copy_(part);
  }
  return all;
}

// The same over all its rows, in their order.
template <class F>
Tensor map_rows(const Split& split, const Rng& rng, F function) {
  std::vector<std::int64_t> index(static_cast<std::size_t>(split.rows()));
  std::iota(index.begin(), index.end(), std::int64_t{0});
  return map_rows(split, index, rng, std::move(function));
}

// Reads, splits, binarises and transforms. `allow_missing`: NaN cells pass (completion), else they are
// refused with row and column. `learnt`: a transform to use in place of one fitted to this file (a trained
// model's).
Dataset load_dataset(const std::string& spec, bool allow_missing = false, const Transform* learnt = nullptr);

// The same on a set that is already in memory (tests, programs).
Dataset make_dataset(RawSet raw, const DataOptions& options, bool allow_missing = false,
                     const Transform* learnt = nullptr);

}  // namespace deepgen
