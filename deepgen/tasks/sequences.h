// Sequences drawn from a model row after row, from nothing or from where others have begun.
#pragma once

#include "deepgen/core/observer.h"
#include "deepgen/data/dataset.h"
#include "deepgen/model/capabilities.h"

namespace deepgen {

// `count` sequences of `length` rows of so many columns: [count, length, columns]. A usage error for a model that is
// none of sequences or that needs rows to begin with.
Tensor draw_sequences(const Model& model, std::int64_t columns, std::int64_t count, std::int64_t length,
                      const Rng& rng, Observer& observer);

// The first `rows` rows of each of the first `count` sequences of a part (of all, where it has fewer), and `length`
// further rows of each: [cases, rows + length, D]. A data error where a sequence has fewer rows, a usage error where
// the model needs more.
Tensor continue_cases(const Model& model, const Split& split, std::int64_t count, std::int64_t rows,
                      std::int64_t length, const Rng& rng, Observer& observer);

// More than these are refused: what is drawn is held in memory whole.
inline constexpr std::int64_t most_sequence_cells = std::int64_t{1} << 31;

}  // namespace deepgen
