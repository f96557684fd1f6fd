// Variables of a case: a bit is one column, a category a one-hot group of them.
#pragma once

#include <vector>

#include "deepgen/core/torch.h"
#include "deepgen/data/files/column_group.h"

namespace deepgen {

struct VariableLayout {
  std::vector<std::int64_t> firsts, sizes;  // of each variable: the first of its columns, and how many
  std::vector<bool> categories;             // whether it is a category
  std::vector<bool> marks;                  // whether it says what is missing of the one before it
  std::int64_t columns = 0;

  static VariableLayout of_bits(std::int64_t columns);
  // Softmax groups are categories, all other columns bits; no groups: bits.
  static VariableLayout of(const std::vector<ColumnGroup>& groups, std::int64_t columns);

  std::int64_t variables() const { return static_cast<std::int64_t>(sizes.size()); }
  bool bits() const;
  std::int64_t widest() const;  // 1 or more
  // The columns of the variables in this order, one variable after another.
  std::vector<std::int64_t> columns_of(const std::vector<std::int64_t>& order) const;
  Tensor variable_of() const;  // [columns] int64: which variable a column belongs to
  // [B, columns] -> [B, variables], what stands at the first column of each; and back, the same in all columns
  // of a variable.
  Tensor by_variable(const Tensor& x) const;
  Tensor by_column(const Tensor& x) const;
};

}  // namespace deepgen
