// Products whose first factor is mostly zeros (kernels/sparse_passes.h), as `multiply` of products.h takes them.
#pragma once

#include <cstdint>

namespace deepgen {

// A product out [rows, columns] = keep * out + scale * (a b - shift x across), a [rows, inner] and b
// [inner, columns] row by row or, where transposed, given by the rows of their transposes.
struct ProductViews {
  std::int64_t rows, inner, columns;
  const float* a;
  std::int64_t a_stride;
  bool a_transposed;
  const float* b;
  std::int64_t b_stride;
  bool b_transposed;
  float* out;  // [rows, columns], dense
  float scale = 1, keep = 0;
  const float* shift = nullptr;   // [rows], or nullptr: none
  const float* across = nullptr;  // [columns], where there is a shift
};

// Whether so few entries of `a` are not zero that lists of them are faster than a dense product. Told from some
// of its rows in memory, so that it costs a small part of the product and depends on the values alone.
bool worth_lists(const ProductViews& product);

// The product by lists. Same bits for any number of threads.
void multiply_lists(const ProductViews& product);

}  // namespace deepgen
