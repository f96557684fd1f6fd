// How tasks cut their work: blocks of rows bound the memory, slices of a chain show progress.
#pragma once

#include <algorithm>
#include <vector>

#include "deepgen/core/work.h"
#include "deepgen/data/dataset.h"

namespace deepgen {

// Rows of one call that draws. The size is part of the random stream: equal seeds would give other draws.
inline constexpr std::int64_t draw_block = 2000;
inline constexpr std::int64_t chain_slice = 50;  // transitions between two looks at the observer

// draw(first, count) for blocks of rows, joined.
template <class F>
Tensor in_blocks(std::int64_t rows, Observer& observer, const char* what, F draw) {
  Work work(observer, what, rows);
  std::vector<Tensor> parts;
  for (std::int64_t first = 0; first < rows; first += draw_block) {
    const std::int64_t count = std::min(draw_block, rows - first);
    parts.push_back(draw(first, count));
    work.advance(count);
  }
  return at::cat(parts);
}

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

// function(rows) over all cases of a split, without a graph.
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
