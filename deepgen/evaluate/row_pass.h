// Passes over the cases of a split, in chunks that progress shows and Ctrl-C ends.
#pragma once

#include <algorithm>
#include <vector>

#include "deepgen/core/error.h"
#include "deepgen/core/work.h"
#include "deepgen/data/dataset.h"

namespace deepgen {

// What a function gave for each row, and of sequences at which of these each case begins.
struct RowValues {
  Tensor values;  // [rows, ...] float64
  Tensor starts;  // [cases] int64, or undefined
};

// A function of (Rows, place of the first case in `index`, work) over the cases `index` of a split, each of
// which costs `cost` draws; an error where a value is not finite.
template <class F>
RowValues over_cases(const Split& split, const std::vector<std::int64_t>& index, std::int64_t cost,
                     const char* what, const Rng& rng, Observer& observer, F function) {
  constexpr std::int64_t chunk_draws = 100000;  // between two looks at Ctrl-C
  const auto cases = static_cast<std::int64_t>(index.size());
  const std::int64_t chunk_rows = std::clamp<std::int64_t>(chunk_draws / cost, 1, 1000);
  const std::int64_t all_rows = std::max<std::int64_t>(split.rows(), 1);
  const std::int64_t chunk = std::max<std::int64_t>(chunk_rows * split.cases() / all_rows, 1);
  Work work(observer, what, cases);
  RowValues all;
  std::vector<Tensor> parts, starts;
  std::int64_t rows_before = 0;
  for (std::int64_t first = 0; first < cases; first += chunk) {
    const std::int64_t count = std::min(chunk, cases - first);
    const std::vector<std::int64_t> some(index.begin() + first, index.begin() + first + count);
    const Rows rows = Dataset::rows(split, some, rng.fork({1, static_cast<std::uint64_t>(first)}));
    parts.push_back(function(rows, first, work).to(at::kDouble));
    if (rows.starts.defined()) starts.push_back(rows.starts + rows_before);
    rows_before += rows.size();
    work.advance(count);
  }
  all.values = at::cat(parts);
  if (!starts.empty()) all.starts = at::cat(starts);
  if (!all.values.isfinite().all().item<bool>())
    fail_numerical(what,
                   "log-probabilities are not finite: the weights of the model are too large or broken");
  return all;
}

}  // namespace deepgen
