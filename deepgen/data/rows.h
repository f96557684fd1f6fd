// Cases and what is known of them beside their cells: what models are given, whatever they do with it.
#pragma once

#include <cstdint>
#include <utility>

#include "deepgen/core/torch.h"

namespace deepgen {

// Undefined tensors say that nothing of that kind is known of these rows.
struct Rows {
  Rows() = default;
  // Rows of which nothing but the cells (and labels) are known; implicit, so that cells alone are rows.
  Rows(Tensor cells, Tensor labels = {}, Tensor row_weights = {})
      : x(std::move(cells)), y(std::move(labels)), weights(std::move(row_weights)) {}

  Tensor x;        // [B, D] float32; NaN: a missing cell
  Tensor y;        // [B] int64 labels 0 .. classes - 1; -1: unknown
  Tensor weights;  // [B] float32, 0 or more: every row counts once where undefined. For CanFit::gather alone:
                   // the batches of gradients are drawn by weight
  Tensor
      densities;  // [B, numbers in bins] float32: log-density of each given its bin (Dataset::log_jacobian);
                  // nothing that a model looks at
  Tensor starts;  // [cases] int64, ascending from 0: the row at which each sequence begins; undefined: every
                  // row is a case of its own

  std::int64_t size() const { return x.defined() ? x.size(0) : 0; }
  std::int64_t cases() const { return starts.defined() ? starts.size(0) : size(); }
  // Rows first .. first + count - 1, and the rows of an index [n] int64; of rows that are no sequences.
  Rows narrow(std::int64_t first, std::int64_t count) const;
  Rows select(const Tensor& index) const;
};

// Whether every row has a known label.
bool all_labelled(const Rows& rows);

// How many rows each of the sequences has that begin at `starts` [cases] and end with row `rows`: [cases]
// int64.
Tensor case_lengths(const Tensor& starts, std::int64_t rows);

// Values [rows] summed over each case: [cases] float64. Undefined starts: every row is a case of its own.
Tensor case_sums(const Tensor& values, const Tensor& starts);

}  // namespace deepgen
