// Data for benchmarks of models of bits: 784 columns, 13 % ones, as MNIST has.
#pragma once

#include "deepgen/data/dataset.h"

namespace deepgen::bench {

inline Dataset random_bits(std::int64_t rows, std::int64_t columns) {
  RawSet raw{.name = "random bits",
             .description = "",
             .arrays = {},
             .case_shape = {columns},
             .values = ValueKind::binary,
             .column_names = {}};
  Array train = make_array(DType::u8, {rows, columns});
  Rng rng(3);
  for (std::uint8_t& byte : train.bytes) byte = rng.uniform() < 0.13 ? 1 : 0;
  raw.arrays["train"] = std::move(train);
  return make_dataset(std::move(raw), DataOptions{});
}

}  // namespace deepgen::bench
