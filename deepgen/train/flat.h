// Parameters and gradients, each in one contiguous buffer, the tensors being views.
//
// The optimiser is one fused pass, a moving average one line, a checkpoint one walk over the slices.
#pragma once

#include <string>
#include <vector>

#include "deepgen/model/model.h"

namespace deepgen {

// Where one parameter lives in the flat buffers. Slices begin at multiples of 16 floats (a cache line).
struct Slice {
  std::string name;
  std::vector<std::int64_t> shape;
  std::int64_t offset = 0, size = 0;
  bool decays = false;
};

class FlatParameters {
 public:
  // Moves the parameters of `model` (float32, on one device) into one buffer and points them and their .grad
  // at it.
  explicit FlatParameters(Model& model);

  // After `model` may have pointed a parameter elsewhere (set_data): its values are copied in and it is a
  // view again. Two parameters that shared memory are equal then, and apart. Throws a bug error when
  // parameters were added, removed or given another shape.
  void reclaim(Model& model);

  Tensor values, gradients;  // [total]
  const std::vector<Slice>& slices() const { return slices_; }
  // The slices of some of the model's parameters, in buffer order.
  std::vector<Slice> slices_of(const std::vector<Tensor>& parameters) const;
  // A slice of a buffer laid out like `values`, in the parameter's shape.
  static Tensor view(const Tensor& buffer, const Slice& slice);

 private:
  std::vector<Slice> slices_;
};

}  // namespace deepgen
