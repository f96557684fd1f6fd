// Categories at the entrance of a network: a few learnt numbers for each value, in place of a column each.
//
//   e_v = x_v E_v,   x_v the one-hot group of variable v, E_v [values, width]
//
// Groups of no more than `width` columns, and bits, stay as they are. The layer behind receives width numbers
// for a number in 64 bins, so that bins and rare values share weights (Guo and Berkhahn 2016, "Entity
// embeddings of categorical variables").
#pragma once

#include "deepgen/core/rng.h"
#include "deepgen/parts/nets/variable_layout.h"

namespace deepgen {

class CategoryEmbeddings : public torch::nn::Module {
 public:
  CategoryEmbeddings(const VariableLayout& layout, std::int64_t width);  // width 0: none
  void initialise(Rng& rng);                                             // uniform, variance 1
  bool any() const { return any_; }
  std::int64_t columns() const { return columns_; }  // of what forward() returns
  Tensor forward(const Tensor& x) const;             // [B, D] -> [B, columns()]; without embeddings, x itself
  Tensor matrix() const;                             // [D, columns()]: forward(x) = x matrix()

 private:
  struct Part {
    std::int64_t size;  // columns that stay as they are, where there is no table
    Tensor table;
  };
  std::vector<Part> parts_;
  std::int64_t columns_ = 0;
  bool any_ = false;
};

}  // namespace deepgen
