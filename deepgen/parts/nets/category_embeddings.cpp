#include "deepgen/parts/nets/category_embeddings.h"

#include <fmt/format.h>

#include <cmath>

#include "deepgen/ops/layers.h"
#include "deepgen/parts/nets/nets.h"

namespace deepgen {

CategoryEmbeddings::CategoryEmbeddings(const VariableLayout& layout, std::int64_t width) {
  for (std::int64_t v = 0; v < layout.variables(); ++v) {
    const std::int64_t size = layout.sizes[static_cast<std::size_t>(v)];
    if (width > 0 && size > width) {
      parts_.push_back({width, register_parameter(fmt::format("variable_{}", v), at::zeros({size, width}))});
      any_ = true;
    } else if (!parts_.empty() && !parts_.back().table.defined()) {
      parts_.back().size += size;
    } else {
      parts_.push_back({size, {}});
    }
    columns_ += width > 0 && size > width ? width : size;
  }
}

void CategoryEmbeddings::initialise(Rng& rng) {
  for (Part& part : parts_)
    if (part.table.defined()) fill_uniform(part.table, std::sqrt(3.0), rng);
}

Tensor CategoryEmbeddings::matrix() const {
  std::vector<Tensor> blocks;
  for (const Part& part : parts_) blocks.push_back(part.table.defined() ? part.table : at::eye(part.size));
  return at::block_diag(blocks);
}

Tensor CategoryEmbeddings::forward(const Tensor& x) const { return any_ ? dense(x, matrix(), {}) : x; }

}  // namespace deepgen
