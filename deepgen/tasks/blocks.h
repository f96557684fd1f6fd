// How tasks cut their work: blocks of rows bound the memory, slices of a chain show progress.
#pragma once

#include <algorithm>
#include <functional>
#include <vector>

#include "deepgen/core/work.h"
#include "deepgen/data/dataset.h"

namespace deepgen {

// Rows of one call that draws, and chains that run together. The sizes are part of the random stream: equal
// seeds would give other draws.
inline constexpr std::int64_t draw_block = 2000, chain_block = 10000;
inline constexpr std::int64_t chain_slice = 50;  // transitions between two looks at the observer

// Where rows go that are made block after block: to a file, or into one tensor.
using RowSink = std::function<void(const Tensor& rows)>;

// So many rows in all, in one tensor.
class GatheredRows {
 public:
  explicit GatheredRows(std::int64_t rows) : left_(rows) {}
  void append(const Tensor& block) {
    if (!rows_.defined()) {
      std::vector<std::int64_t> sizes = block.sizes().vec();
      sizes[0] = left_;
      rows_ = at::empty(sizes, block.options());
    }
    rows_.narrow(0, rows_.size(0) - left_, block.size(0)).copy_(block);
    left_ -= block.size(0);
  }
  RowSink sink() {
    return [this](const Tensor& block) { append(block); };
  }
  const Tensor& rows() const { return rows_; }

 private:
  std::int64_t left_;
  Tensor rows_;
};

// draw(first, count) for blocks of rows, one after another to the sink.
template <class F>
void in_blocks(std::int64_t rows, Work& work, const RowSink& sink, F draw) {
  for (std::int64_t first = 0; first < rows; first += draw_block) {
    const std::int64_t count = std::min(draw_block, rows - first);
    sink(draw(first, count));
    work.advance(count);
  }
}

// Neighbouring cases that are worked on together: so many rows at most, but one case at least, for cases are
// not cut.
struct CaseBlock {
  std::int64_t first = 0, count = 0;  // cases
  std::int64_t first_row = 0, rows = 0;
};
std::vector<CaseBlock> case_blocks(const Tensor& starts, std::int64_t rows, std::int64_t most);

// x after `steps` transitions; step(x, n) makes n of them.
template <class F>
Tensor run_chain(Work& work, Tensor x, std::int64_t steps, F step) {
  for (std::int64_t done = 0; done < steps; done += chain_slice) {
    const std::int64_t now = std::min(chain_slice, steps - done);
    x = step(x, now);
    work.advance(now);
  }
  return x;
}

// function(rows) over all cases of a split, without a graph: for each row, to the sink or as one tensor.
template <class F>
void over_split(const Split& split, const Rng& rng, Observer& observer, const char* what, const RowSink& sink,
                F function) {
  NoGradGuard no_graph;
  Work work(observer, what, split.cases());
  each_chunk(split, every_case(split), rng, [&](const Rows& rows) {
    sink(function(rows));
    work.advance(rows.cases());
  });
}
template <class F>
Tensor over_split(const Split& split, const Rng& rng, Observer& observer, const char* what, F function) {
  NoGradGuard no_graph;
  Work work(observer, what, split.cases());
  return map_rows(split, rng, [&](const Rows& rows) {
    const Tensor result = function(rows);
    work.advance(rows.cases());
    return result;
  });
}

}  // namespace deepgen
