// Data sets in memory from arrays and options as a SPEC has them.
#pragma once

#include <cmath>
#include <map>
#include <string>
#include <vector>

#include "deepgen/data/dataset.h"
#include "tests/core/file_fixtures.h"

namespace deepgen::data_sets {

inline Array floats(std::vector<std::int64_t> shape, const std::vector<float>& values) {
  return fixtures::array<float>(DType::f32, std::move(shape), values);
}

inline Array whole_numbers(const std::vector<std::int64_t>& values) {
  return fixtures::array<std::int64_t>(DType::i64, {static_cast<std::int64_t>(values.size())}, values);
}

inline Dataset set_of(NamedArrays arrays, const std::map<std::string, std::string>& settings = {},
                      const Learnt* learnt = nullptr) {
  RawSet raw;
  raw.name = "memory";
  raw.arrays = std::move(arrays);
  DataOptions options;
  for (const auto& [key, value] : settings) set_option(options, "data", key, value);
  return make_dataset(std::move(raw), options, learnt);
}

// All cells of a part.
inline Tensor rows_of(const Split& split, std::uint64_t seed = 1) {
  return Dataset::rows(split, 0, split.cases(), Rng(seed)).x;
}

// A matrix whose cell (r, j) is 100 r + j.
inline Array numbered(std::int64_t rows, std::int64_t columns) {
  std::vector<float> values;
  for (std::int64_t r = 0; r < rows; ++r)
    for (std::int64_t j = 0; j < columns; ++j) values.push_back(static_cast<float>(100 * r + j));
  return floats({rows, columns}, values);
}

// What a run keeps of its data, by way of the checkpoint.
inline Learnt learnt_of(const Dataset& set) {
  return Learnt::from_json(nlohmann::ordered_json::parse(set.describe().dump()), "run");
}

}  // namespace deepgen::data_sets
