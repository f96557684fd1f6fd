// Invertible transforms of columns, carried into samples by way of the checkpoint's data description.
//
//   onehot       an integer column with K values becomes K columns of 0 and 1
//   dequantise   (byte + u) / 256, u ~ U[0, 1): grey levels as a density; log-densities change by D log 256
//   standardise  (x - mean) / deviation, column by column, of the training rows; constant columns are only
//   shifted
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "deepgen/core/rng.h"
#include "deepgen/core/torch.h"

namespace deepgen {

class Transform {
 public:
  bool dequantised = false;
  std::vector<double> mean, deviation;    // standardise; empty: not applied
  std::vector<std::int64_t> group_sizes;  // onehot; empty: not applied
  std::vector<double> group_minimum;

  bool identity() const { return !dequantised && mean.empty() && group_sizes.empty(); }

  // Learns the transform's numbers from training rows x [N, D].
  void fit_onehot(const Tensor& x, const std::string& what);
  void fit_standardise(const Tensor& x);

  Tensor apply(const Tensor& x, const std::string& what, const Rng& rng) const;
  Tensor invert(const Tensor& x) const;  // samples in the units of the file

  nlohmann::ordered_json to_json() const;
  static Transform from_json(const nlohmann::ordered_json& json);
};

}  // namespace deepgen
