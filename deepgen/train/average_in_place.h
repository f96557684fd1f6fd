// The averaged weights in place of the current ones: what users get of a run.
#pragma once

#include <vector>

#include "deepgen/train/flat.h"

namespace deepgen {

// Swaps these slices of two buffers while it lives; nothing happens where there is no average.
class AverageInPlace {
 public:
  AverageInPlace(const Tensor& values, const Tensor& average, const std::vector<Slice>& slices)
      : values_(values), average_(average), slices_(slices) {
    swap();
  }
  ~AverageInPlace() { swap(); }
  AverageInPlace(const AverageInPlace&) = delete;
  AverageInPlace& operator=(const AverageInPlace&) = delete;

 private:
  void swap() {
    if (!average_.defined()) return;
    torch::NoGradGuard no_graph;
    for (const Slice& slice : slices_) {
      Tensor value = FlatParameters::view(values_, slice), average = FlatParameters::view(average_, slice);
      const Tensor kept = value.clone();
      value.copy_(average);
      average.copy_(kept);
    }
  }
  const Tensor values_, average_;
  const std::vector<Slice>& slices_;
};

}  // namespace deepgen
