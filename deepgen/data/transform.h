// Invertible transforms of columns, carried into samples by way of the checkpoint's data description.
//
//   set_aside    columns without a single value in the training rows are not for the model; they come back as
//                missing cells
//   onehot       an integer column with K values becomes K columns of 0 and 1
//   dequantise   (byte + u) / 256, u ~ U[0, 1): grey levels as a density; of 16-bit pictures (level + u) / 65536
//   standardise  (x - mean) / deviation, column by column, of the training rows; constant columns are only
//                shifted
//   whiten       (x - mean) W, W = (covariance + ridge)^(-1/2) of the training rows: uncorrelated columns of
//                deviation 1 that stay as near as possible to what they were (ZCA)
//
// In this order, each where it is asked for. A missing cell (NaN) stays missing; whiten refuses it.
#pragma once

#include <functional>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "deepgen/core/rng.h"
#include "deepgen/core/torch.h"

namespace deepgen {

class Transform {
 public:
  std::vector<std::int64_t> set_aside;  // columns of the file, ascending; empty: none
  bool dequantised = false;
  std::int64_t levels = 256;              // grey levels that are dequantised: 256 or 65536, 0 and 1 the ends
  std::vector<double> mean, deviation;    // standardise; empty: not applied
  std::vector<std::int64_t> group_sizes;  // onehot; empty: not applied
  std::vector<double> group_minimum;

  bool whitened() const { return whitening_.defined(); }
  // Whether values stay as they are; columns may be set aside.
  bool identity() const { return !dequantised && mean.empty() && group_sizes.empty() && !whitened(); }
  // How many columns come out, where that is known; else -1.
  std::int64_t columns() const;

  // Learns the transform's numbers from training rows x [N, D], uint8, float32 or float64; missing cells do
  // not count.
  void fit_set_aside(const Tensor& x);
  // Of grey levels in [0, 1], or bytes. Throws a data error with row and column of the first number that is none of
  // 65536 levels: noise of one level would be no dequantisation of it.
  void fit_dequantise(const Tensor& x, const std::string& what);
  // Whether grey numbers of the file lie between the levels that are dequantised.
  bool has_between_levels(const Tensor& x) const;
  void fit_onehot(const Tensor& x, const std::string& what);
  void fit_standardise(const Tensor& x);
  // Throws a data error for missing cells, for more than 1024 columns and for rows that are all alike. Cost:
  // N D^2 + 10 D^3 operations on one thread, so that the number of threads changes no bit.
  void fit_whiten(const Tensor& x, const std::string& what);

  // float32, whatever x is; columns set aside alone keep its type. float64 is rounded after each step, not
  // before. Throws a data error for values that training did not have, and for a value in a column set aside.
  Tensor apply(const Tensor& x, const std::string& what, const Rng& rng) const;
  // The same of rows that are made when they are needed: some(first, count) gives count of all `rows`.
  using RowSource = std::function<Tensor(std::int64_t first, std::int64_t count)>;
  Tensor apply(std::int64_t rows, const RowSource& some, const std::string& what, const Rng& rng) const;
  // The same in the memory of x, for what keeps the columns: dequantise, standardise, whiten.
  void apply_in_place(Tensor& x, const std::string& what, const Rng& rng) const;
  // So many rows are transformed at a time; rows may be inverted in pieces that begin at multiples of it,
  // with the result of all at once bit for bit.
  static constexpr std::int64_t block_rows = 4096;

  // Samples in the units and columns of the file: float32, or float64 where standardised columns stand so far
  // from 0 that float32 would blur them.
  Tensor invert(const Tensor& x) const;
  // x [N, D], one column for each that is not set aside, with the others among them: all `filling`.
  Tensor put_back(const Tensor& x, double filling = std::numeric_limits<double>::quiet_NaN()) const;

  // log |det dz/dx| of transformed rows z [B, D], over their known cells, [B] float64, nats: what to add to a
  // log-density of z to have the log-density in the units of the file (bytes: of the grey scale byte / 255).
  Tensor log_jacobian(const Tensor& z) const;

  nlohmann::ordered_json to_json() const;
  static Transform from_json(const nlohmann::ordered_json& json);

 private:
  bool needs_float64() const;
  Tensor modelled_columns(const Tensor& x, const std::string& what, std::int64_t first_row) const;
  Tensor onehot(const Tensor& x, const std::string& what, std::int64_t first_row) const;
  Tensor block_of(const Tensor& x, const std::string& what, Stream noise, std::int64_t first_row) const;
  void apply_to(Tensor& result, std::int64_t rows, const RowSource& some, const std::string& what,
                const Rng& rng) const;
  void set_whitening(const Tensor& centre, const Tensor& matrix);

  Tensor centre_, whitening_, colouring_;  // [D], [D, D] and its inverse, float64
  double log_determinant_ = 0;             // of whitening_
};

}  // namespace deepgen
