#include "deepgen/tasks/blocks.h"

namespace deepgen {

std::vector<CaseBlock> case_blocks(const Tensor& starts, std::int64_t rows, std::int64_t most) {
  std::vector<CaseBlock> blocks;
  if (!starts.defined()) {
    for (std::int64_t first = 0; first < rows; first += most)
      blocks.push_back({first, std::min(most, rows - first), first, std::min(most, rows - first)});
    return blocks;
  }
  const Tensor dense = starts.contiguous();
  const std::int64_t* start = dense.data_ptr<std::int64_t>();
  const std::int64_t cases = dense.size(0);
  const auto begin_of = [&](std::int64_t one) { return one < cases ? start[one] : rows; };
  for (std::int64_t first = 0; first < cases;) {
    std::int64_t last = first + 1;
    while (last < cases && begin_of(last + 1) - start[first] <= most) ++last;
    blocks.push_back({first, last - first, start[first], begin_of(last) - start[first]});
    first = last;
  }
  return blocks;
}

}  // namespace deepgen
