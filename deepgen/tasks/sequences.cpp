#include "deepgen/tasks/sequences.h"

#include <fmt/format.h>

#include <algorithm>

#include "deepgen/core/error.h"
#include "deepgen/core/work.h"

namespace deepgen {
namespace {

// Sequences that are drawn together. The number is part of the random stream.
constexpr std::int64_t sequence_block = 500;

const CanContinue& model_of_sequences(const Model& model) {
  const auto* sequences = as<CanContinue>(model);
  if (!sequences)
    fail_usage("--length", "this model is none of sequences: each of its rows is drawn for itself");
  return *sequences;
}

// draw(first, count) for blocks of cases: [count, rows, D] each, all in one tensor.
template <class F>
Tensor in_sequence_blocks(std::int64_t cases, Observer& observer, F draw) {
  NoGradGuard no_graph;
  Work work(observer, "drawing sequences", cases);
  std::vector<Tensor> blocks;
  for (std::int64_t first = 0; first < cases; first += sequence_block) {
    const std::int64_t count = std::min(sequence_block, cases - first);
    blocks.push_back(draw(first, count));
    work.advance(count);
  }
  return at::cat(blocks);
}

void refuse_too_many(std::int64_t cases, std::int64_t rows, std::int64_t columns) {
  const std::int64_t most = most_sequence_cells / std::max<std::int64_t>(1, columns);
  if (rows > most / std::max<std::int64_t>(1, cases))
    fail_usage("--length",
               fmt::format("expected at most {} rows of {} columns in all, got {} sequences of {}", most,
                           columns, cases, rows));
}

// The first rows of each case as cases of their own.
Rows first_rows_of(const Rows& all, std::int64_t rows, std::int64_t first_case) {
  const Tensor lengths = case_lengths(all.starts, all.size());
  const Tensor shorter = (lengths < rows).nonzero();
  if (shorter.size(0) > 0) {
    const std::int64_t one = shorter[0].item<std::int64_t>();
    fail_data("--begin", fmt::format("expected sequences of {} rows or more, got sequence {} of {} rows; use "
                                     "--rows {} or choose others",
                                     rows, first_case + one, lengths[one].item<std::int64_t>(),
                                     lengths.min().item<std::int64_t>()));
  }
  const Tensor index = (all.starts.unsqueeze(1) + at::arange(rows, at::kLong)).reshape({-1});
  Rows some(all.x.index_select(0, index));
  if (all.y.defined()) some.y = all.y.index_select(0, index);
  some.starts = at::arange(all.cases(), at::kLong) * rows;
  return some;
}

}  // namespace

Tensor draw_sequences(const Model& model, std::int64_t columns, std::int64_t count, std::int64_t length,
                      const Rng& rng, Observer& observer) {
  const CanContinue& sequences = model_of_sequences(model);
  refuse_too_many(count, length, columns);
  if (sequences.needed_rows() > 0)
    fail_usage("--begin", fmt::format("expected --begin SPEC: this model goes on from {} rows that are "
                                      "there, and draws none of them itself",
                                      sequences.needed_rows()));
  return in_sequence_blocks(count, observer, [&](std::int64_t first, std::int64_t cases) {
    Rows none(at::empty({0, columns}));
    none.starts = at::zeros({cases}, at::kLong);
    Rng own = rng.fork({static_cast<std::uint64_t>(first)});
    return sequences.continue_sequences(none, length, own);
  });
}

Tensor continue_cases(const Model& model, const Split& split, std::int64_t count, std::int64_t rows,
                      std::int64_t length, const Rng& rng, Observer& observer) {
  const CanContinue& sequences = model_of_sequences(model);
  if (!split.starts.defined())
    fail_data("--begin", "expected sequences, got rows: name their lengths or their column (sequence=...)");
  if (rows < sequences.needed_rows())
    fail_usage("--rows", fmt::format("expected {} rows or more, which this model goes on from, got {}",
                                     sequences.needed_rows(), rows));
  const std::int64_t asked = std::min(count, split.cases());
  refuse_too_many(asked, rows + length, split.columns());
  return in_sequence_blocks(asked, observer, [&](std::int64_t first, std::int64_t cases) {
    const Rows begun = first_rows_of(Dataset::block(split, first, cases, rng.fork({1})), rows, first);
    model.check_data(begun.x, split.name);
    Rng own = rng.fork({0, static_cast<std::uint64_t>(first)});
    const Tensor drawn = sequences.continue_sequences(begun, length, own);
    return at::cat({begun.x.view({cases, rows, begun.x.size(1)}), drawn}, 1);
  });
}

}  // namespace deepgen
