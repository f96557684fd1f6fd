#include "deepgen/tasks/completion.h"

#include <fmt/format.h>

#include <charconv>
#include <limits>

#include "deepgen/core/error.h"
#include "deepgen/data/cell_facts.h"
#include "deepgen/ops/binary_units.h"
#include "deepgen/parts/checks/check_cells.h"
#include "deepgen/tasks/pictures.h"

namespace deepgen {
namespace {

constexpr float missing = std::numeric_limits<float>::quiet_NaN();

double hidden_share(const std::string& text) {
  double share = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), share);
  if (code != std::errc() || end != text.data() + text.size() || share <= 0 || share > 1)
    fail_usage(
        "--hide",
        fmt::format("expected bottom, top, left, right or a share above 0 and at most 1, got '{}'", text));
  return share;
}

// Missing cells fit every model that completes; the known ones must.
void check_known_cells(const Model& model, const Tensor& x, const std::vector<ColumnGroup>& groups) {
  constexpr std::int64_t cells = std::int64_t{1} << 20;  // at a time
  const std::int64_t some = std::max<std::int64_t>(1, cells / std::max<std::int64_t>(x.size(1), 1));
  for (std::int64_t first = 0; first < x.size(0); first += some)
    model.check_data(fill_missing(x.narrow(0, first, std::min(some, x.size(0) - first)), groups), "complete",
                     first);
}

Rows rows_of_block(const Rows& rows, const CaseBlock& block) {
  Rows some = rows.narrow(block.first_row, block.rows);
  if (rows.starts.defined()) some.starts = rows.starts.narrow(0, block.first, block.count) - block.first_row;
  return some;
}

}  // namespace

bool can_complete(const Model& model) { return as<CanComplete>(model) || as<CanClamp>(model); }

// ---------------------------------------------------------------- gaps

Hiding::Hiding(const std::string& what, Rng& rng) : what_(what) {
  if (what == "bottom" || what == "top" || what == "left" || what == "right") return;
  share_ = hidden_share(what);
  stream_ = rng.next();
}

Tensor Hiding::cells(const Tensor& x, const std::vector<std::int64_t>& shape, std::int64_t first_row) const {
  Tensor hidden = x.clone();
  if (share_ > 0) {
    const Tensor u = uniform(x.size(0), x.size(1), stream_, at::kCPU, first_row);
    return hidden.masked_fill_(u < share_, missing);
  }
  const PictureShape s = picture_shape(shape, x.size(1));
  Tensor pixels = hidden.view({x.size(0), s.channels, s.height, s.width});
  const bool rows = (what_ == "bottom" || what_ == "top") && s.height > 1;
  const std::int64_t axis = rows ? 2 : 3, size = pixels.size(axis), half = size / 2;
  const bool later = what_ == "bottom" || what_ == "right";
  pixels.narrow(axis, later ? half : 0, later ? size - half : half).fill_(missing);
  return hidden;
}

Tensor Hiding::groups(const Tensor& x, const std::vector<std::int64_t>& sizes, std::int64_t first_row) const {
  const auto count = static_cast<std::int64_t>(sizes.size());
  const Tensor gaps = cells(at::zeros({x.size(0), count}), {count}, first_row).isnan();
  return x.masked_fill(gaps.repeat_interleave(at::tensor(sizes, at::kLong), 1), missing);
}

Tensor hide_cells(const Tensor& x, const std::vector<std::int64_t>& shape, const std::string& what,
                  Rng& rng) {
  return Hiding(what, rng).cells(x, shape);
}

Tensor hide_groups(const Tensor& x, const std::vector<std::int64_t>& sizes, const std::string& what,
                   Rng& rng) {
  return Hiding(what, rng).groups(x, sizes);
}

Tensor fill_missing(const Tensor& x, const std::vector<ColumnGroup>& groups) {
  const Tensor cells = x.isnan();
  Tensor filled = x.masked_fill(cells, 0);
  for (const ColumnGroup& group : groups)
    if (group.kind == ColumnKind::softmax)
      filled.select(1, group.first).masked_fill_(cells.select(1, group.first), 1);
  return filled;
}

// ---------------------------------------------------------------- completions

Completer::Completer(const Model& model, std::int64_t steps, const std::vector<ColumnGroup>& groups, Rng& rng,
                     Observer& observer, std::int64_t rows, std::int64_t blocks, std::int64_t draws)
    : direct_(as<CanComplete>(model)),
      chain_(as<CanClamp>(model)),
      marginals_(as<HasChain>(model)),
      steps_(steps),
      groups_(groups),
      rng_(rng),
      work_(observer, "completing", draws * (direct_ ? rows : blocks * steps)) {
  if (!direct_ && !chain_)
    fail_usage("complete", "this model cannot complete: it has no conditional draws and no chain to clamp");
}

// A chain forgets where it began; one that knows the marginals of the data has less to forget.
Tensor Completer::chain_start(const Tensor& x, const Tensor& known) {
  const Tensor start = marginals_ ? marginals_->chain_start(x.size(0), rng_) : fill_missing(x, groups_);
  return at::where(known, x, start);
}

Tensor Completer::by_chain(const Tensor& x) {
  const Tensor known = x.isnan().logical_not();
  return run_chain(work_, chain_start(x, known), steps_, [&](const Tensor& now, std::int64_t some) {
    return chain_->clamped_steps(now, some, known, rng_);
  });
}

Tensor Completer::complete(const Rows& block) {
  NoGradGuard no_graph;
  if (!direct_) return by_chain(block.x);
  GatheredRows done(block.size());
  if (block.starts.defined()) {  // sequences are not cut
    done.append(direct_->complete(block, rng_));
    work_.advance(block.size());
  } else {
    in_blocks(block.size(), work_, done.sink(), [&](std::int64_t first, std::int64_t count) {
      return direct_->complete(block.narrow(first, count), rng_);
    });
  }
  return done.rows();
}

Tensor complete_rows(const Model& model, const Rows& rows, std::int64_t steps, Rng& rng, Observer& observer,
                     const std::vector<ColumnGroup>& groups) {
  if (!can_complete(model))
    fail_usage("complete", "this model cannot complete: it has no conditional draws and no chain to clamp");
  const Tensor& x = rows.x;
  if (const std::int64_t classes = needed_classes(model))
    check_labels(rows.y, x.size(0), classes, "complete");
  if (!first_missing_cell(x)) return x;
  check_known_cells(model, x, groups);
  const std::vector<CaseBlock> blocks = case_blocks(rows.starts, x.size(0), completion_block);
  Completer completer(model, steps, groups, rng, observer, x.size(0),
                      static_cast<std::int64_t>(blocks.size()));
  GatheredRows done(x.size(0));
  for (const CaseBlock& block : blocks) done.append(completer.complete(rows_of_block(rows, block)));
  return done.rows();
}

}  // namespace deepgen
