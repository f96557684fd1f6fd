#include "deepgen/parts/nets/variable_layout.h"

#include <algorithm>

namespace deepgen {

VariableLayout VariableLayout::of_bits(std::int64_t columns) {
  VariableLayout layout;
  for (std::int64_t j = 0; j < columns; ++j) layout.firsts.push_back(j);
  layout.sizes.assign(static_cast<std::size_t>(columns), 1);
  layout.categories.assign(static_cast<std::size_t>(columns), false);
  layout.marks = layout.categories;
  layout.columns = columns;
  return layout;
}

VariableLayout VariableLayout::of(const std::vector<ColumnGroup>& groups, std::int64_t columns) {
  if (groups.empty()) return of_bits(columns);
  VariableLayout layout;
  for (const ColumnGroup& group : groups) {
    const bool category = group.kind == ColumnKind::softmax;
    const std::int64_t size = category ? group.size : 1;
    for (std::int64_t first = group.first; first < group.first + group.size; first += size) {
      layout.firsts.push_back(first), layout.sizes.push_back(size);
      layout.categories.push_back(category), layout.marks.push_back(group.marks);
    }
  }
  layout.columns = columns;
  return layout;
}

bool VariableLayout::bits() const {
  return std::find(categories.begin(), categories.end(), true) == categories.end();
}

std::int64_t VariableLayout::widest() const {
  return sizes.empty() ? 1 : *std::max_element(sizes.begin(), sizes.end());
}

std::vector<std::int64_t> VariableLayout::columns_of(const std::vector<std::int64_t>& order) const {
  std::vector<std::int64_t> all;
  for (const std::int64_t v : order)
    for (std::int64_t k = 0; k < sizes[static_cast<std::size_t>(v)]; ++k)
      all.push_back(firsts[static_cast<std::size_t>(v)] + k);
  return all;
}

Tensor VariableLayout::by_variable(const Tensor& x) const {
  return bits() ? x : x.index_select(1, at::tensor(firsts, at::kLong));
}

Tensor VariableLayout::variable_of() const {
  std::vector<std::int64_t> variables;
  for (std::int64_t v = 0; v < this->variables(); ++v)
    variables.insert(variables.end(), static_cast<std::size_t>(sizes[static_cast<std::size_t>(v)]), v);
  return at::tensor(variables, at::kLong);
}

Tensor VariableLayout::by_column(const Tensor& x) const {
  return bits() ? x : x.index_select(1, variable_of());
}

}  // namespace deepgen
