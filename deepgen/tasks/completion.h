// Missing cells: hidden on purpose, and filled in given the others.
#pragma once

#include <string>

#include "deepgen/core/observer.h"
#include "deepgen/data/files/column_group.h"
#include "deepgen/model/capabilities.h"
#include "deepgen/tasks/blocks.h"

namespace deepgen {

// Whether missing cells can be filled in, directly or by a chain.
bool can_complete(const Model& model);

// Cells made NaN: `what` is bottom, top, left or right (half of each picture; of a table the later or earlier
// half of its columns), or a share of all cells drawn at random, as in "0.2". Anything else is a usage error.
class Hiding {
 public:
  Hiding(const std::string& what, Rng& rng);
  // x [B, D] of pictures of this shape, the first of which has this number among all rows: blocks of rows
  // have the gaps of the whole.
  Tensor cells(const Tensor& x, const std::vector<std::int64_t>& shape, std::int64_t first_row = 0) const;
  // The same with whole groups of columns in place of single ones: of x [B, sum of sizes] either all columns
  // of a group are made NaN in a row or none.
  Tensor groups(const Tensor& x, const std::vector<std::int64_t>& sizes, std::int64_t first_row = 0) const;

 private:
  std::string what_;
  double share_ = 0;  // 0: a half
  Stream stream_;
};

// All rows at once.
Tensor hide_cells(const Tensor& x, const std::vector<std::int64_t>& shape, const std::string& what, Rng& rng);
Tensor hide_groups(const Tensor& x, const std::vector<std::int64_t>& sizes, const std::string& what,
                   Rng& rng);

// x [N, D] with values in its missing cells that any model of such groups takes: 0, or the first category.
Tensor fill_missing(const Tensor& x, const std::vector<ColumnGroup>& groups);

// NaN cells of rows.x [N, D] replaced by draws given the others, and given the labels rows.y where the model
// needs them (needed_classes: a label that is missing is a data error); known cells come back unchanged, bit
// for bit. By `steps` of a chain with the known cells clamped where the model does not draw them directly.
// `groups` as of the data set the model was trained on. Throws a data error for known cells that the model
// cannot take.
Tensor complete_rows(const Model& model, const Rows& rows, std::int64_t steps, Rng& rng, Observer& observer,
                     const std::vector<ColumnGroup>& groups = {});

// The same, block after block, for rows that have been checked (needed labels, known cells) and some of which
// have gaps: blocks by case_blocks of completion_block rows, in their order, are completed as complete_rows
// does it.
inline constexpr std::int64_t completion_block = chain_block;

class Completer {
 public:
  // Throws a usage error where the model cannot complete. `rows` in `blocks`, each `draws` times: by that the
  // observer is told how far the work is.
  Completer(const Model& model, std::int64_t steps, const std::vector<ColumnGroup>& groups, Rng& rng,
            Observer& observer, std::int64_t rows, std::int64_t blocks, std::int64_t draws = 1);
  Tensor complete(const Rows& block);

 private:
  Tensor chain_start(const Tensor& x, const Tensor& known);
  Tensor by_chain(const Tensor& x);
  const CanComplete* direct_;
  const CanClamp* chain_;
  const HasChain* marginals_;
  std::int64_t steps_;
  const std::vector<ColumnGroup> groups_;
  Rng& rng_;
  Work work_;
};

}  // namespace deepgen
