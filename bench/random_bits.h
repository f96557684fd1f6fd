// Data for benchmarks of models of bits.
#pragma once

#include <algorithm>
#include <numeric>
#include <vector>

#include "deepgen/data/dataset.h"

namespace deepgen::bench {

constexpr std::int64_t digit_columns = 784;
constexpr double share_of_ones = 0.13;  // of binarized MNIST

inline Dataset random_bits(std::int64_t rows, std::int64_t columns) {
  RawSet raw{.name = "random bits",
             .description = "",
             .arrays = {},
             .case_shape = {columns},
             .values = ValueKind::binary,
             .column_names = {}};
  Array train = make_array(DType::u8, {rows, columns});
  Rng rng(3);
  for (std::uint8_t& byte : train.bytes) byte = rng.uniform() < share_of_ones ? 1 : 0;
  raw.arrays["train"] = std::move(train);
  return make_dataset(std::move(raw), DataOptions{});
}

// Binarized MNIST where its files are (DEEPGEN_DATA).
inline const KnownSet* found_digits() {
  const std::vector<KnownSet>& all = known_sets();
  const auto set =
      std::find_if(all.begin(), all.end(), [](const KnownSet& s) { return s.name == "binarized_mnist"; });
  return set != all.end() && is_available(*set) ? &*set : nullptr;
}

// So many digits, or random bits where there are none.
inline Dataset digits(std::int64_t rows) {
  const KnownSet* set = found_digits();
  if (!set) return random_bits(rows, digit_columns);
  static const Dataset all = load_dataset(set->name);
  Dataset some = all;
  std::vector<std::int64_t> first(static_cast<std::size_t>(rows));
  std::iota(first.begin(), first.end(), std::int64_t{0});
  some.train = select_cases(all.train, first);
  return some;
}

// The first of them as a batch, [rows, 784].
inline Tensor digit_batch(std::int64_t rows) { return Dataset::rows(digits(rows).train, 0, rows, Rng(3)).x; }

}  // namespace deepgen::bench
