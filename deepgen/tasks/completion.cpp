#include "deepgen/tasks/completion.h"

#include <fmt/format.h>

#include <charconv>
#include <limits>

#include "deepgen/core/error.h"
#include "deepgen/ops/binary_units.h"
#include "deepgen/parts/checks/check_cells.h"
#include "deepgen/tasks/blocks.h"
#include "deepgen/tasks/pictures.h"

namespace deepgen {
namespace {

constexpr float missing = std::numeric_limits<float>::quiet_NaN();
constexpr std::int64_t check_block = 10000;  // rows that are checked at a time

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
  for (std::int64_t first = 0; first < x.size(0); first += check_block) {
    const Tensor some = x.narrow(0, first, std::min(check_block, x.size(0) - first));
    model.check_data(fill_missing(some, groups), "complete", first);
  }
}

Tensor complete_by_chain(const Model& model, const CanClamp& chain, const Tensor& x, std::int64_t steps,
                         Rng& rng, Observer& observer, const std::vector<ColumnGroup>& groups) {
  const Tensor known = x.isnan().logical_not();
  // A chain forgets where it began; one that knows the marginals of the data has less to forget.
  const auto* marginals = as<HasChain>(model);
  const Tensor start = marginals ? marginals->chain_start(x.size(0), rng) : fill_missing(x, groups);
  Work work(observer, "completing", steps);
  return run_chain(work, at::where(known, x, start), steps, [&](const Tensor& now, std::int64_t some) {
    return chain.clamped_steps(now, some, known, rng);
  });
}

}  // namespace

bool can_complete(const Model& model) { return as<CanComplete>(model) || as<CanClamp>(model); }

Tensor hide_cells(const Tensor& x, const std::vector<std::int64_t>& shape, const std::string& what,
                  Rng& rng) {
  const PictureShape s = picture_shape(shape, x.size(1));
  Tensor hidden = x.clone();
  Tensor pixels = hidden.view({x.size(0), s.channels, s.height, s.width});
  const bool rows = (what == "bottom" || what == "top") && s.height > 1;
  const std::int64_t axis = rows ? 2 : 3, size = pixels.size(axis), half = size / 2;
  if (what == "bottom" || what == "right") {
    pixels.narrow(axis, half, size - half).fill_(missing);
  } else if (what == "top" || what == "left") {
    pixels.narrow(axis, 0, half).fill_(missing);
  } else {
    const double share = hidden_share(what);
    hidden.masked_fill_(uniform(x.size(0), x.size(1), rng.next()) < share, missing);
  }
  return hidden;
}

Tensor hide_groups(const Tensor& x, const std::vector<std::int64_t>& sizes, const std::string& what,
                   Rng& rng) {
  const auto count = static_cast<std::int64_t>(sizes.size());
  const Tensor cells = hide_cells(at::zeros({x.size(0), count}), {count}, what, rng).isnan();
  const Tensor hidden = cells.repeat_interleave(at::tensor(sizes, at::kLong), 1);
  return x.masked_fill(hidden, missing);
}

Tensor fill_missing(const Tensor& x, const std::vector<ColumnGroup>& groups) {
  const Tensor cells = x.isnan();
  Tensor filled = x.masked_fill(cells, 0);
  for (const ColumnGroup& group : groups)
    if (group.kind == ColumnKind::softmax)
      filled.select(1, group.first).masked_fill_(cells.select(1, group.first), 1);
  return filled;
}

Tensor complete_rows(const Model& model, const Rows& rows, std::int64_t steps, Rng& rng, Observer& observer,
                     const std::vector<ColumnGroup>& groups) {
  const auto* direct = as<CanComplete>(model);
  const auto* chain = as<CanClamp>(model);
  if (!direct && !chain)
    fail_usage("complete", "this model cannot complete: it has no conditional draws and no chain to clamp");
  const Tensor& x = rows.x;
  if (const std::int64_t classes = needed_classes(model))
    check_labels(rows.y, x.size(0), classes, "complete");
  if (!x.isnan().any().item<bool>()) return x;
  check_known_cells(model, x, groups);
  NoGradGuard no_graph;
  if (!direct) return complete_by_chain(model, *chain, x, steps, rng, observer, groups);
  if (rows.starts.defined()) {  // sequences are not cut
    const Work work(observer, "completing", rows.cases());
    return direct->complete(rows, rng);
  }
  return in_blocks(x.size(0), observer, "completing", [&](std::int64_t first, std::int64_t count) {
    return direct->complete(rows.narrow(first, count), rng);
  });
}

}  // namespace deepgen
