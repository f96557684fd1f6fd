#include "deepgen/tasks/codes.h"

#include <fmt/format.h>

#include "deepgen/core/error.h"
#include "deepgen/parts/checks/check_cells.h"
#include "deepgen/tasks/blocks.h"
#include "deepgen/train/check_split.h"

namespace deepgen {

bool can_reconstruct(const Model& model) { return as<CanEncode>(model) && as<CanDecode>(model); }

Tensor reconstruct(const Model& model, const Rows& rows) {
  return as<CanDecode>(model)->decode({as<CanEncode>(model)->encode(rows), rows.y});
}

void refuse_gaps(const Split& split, const std::string& what) {
  if (!split.x.is_floating_point()) return;
  const Tensor cells = split.x.isnan();
  if (!cells.any().item<bool>()) return;
  const Tensor first = cells.nonzero()[0];
  fail_data(what,
            fmt::format("expected complete rows, got a missing cell at row {}, column {}; fill the gaps "
                        "first with `deepgen complete`",
                        first[0].item<std::int64_t>(), first[1].item<std::int64_t>()));
}

namespace {

// Of all rows, before the first is worked on.
void check_rows(const Model& model, const Split& split) {
  if (const std::int64_t classes = needed_classes(model))
    check_labels(split.y, split.rows(), classes, split.name);
  check_split(model, split, split.name);
}

}  // namespace

Tensor encode_rows(const Model& model, const Split& split, const Rng& rng, Observer& observer) {
  const auto* encoder = as<CanEncode>(model);
  if (!encoder) fail_usage("encode", "this model has no code");
  check_rows(model, split);
  return over_split(split, rng, observer, "encoding",
                    [&](const Rows& rows) { return encoder->encode(rows); });
}

Tensor reconstruct_rows(const Model& model, const Split& split, const Rng& rng, Observer& observer) {
  if (!can_reconstruct(model)) fail_usage("reconstruct", "this model cannot both encode and decode");
  check_rows(model, split);
  return over_split(split, rng, observer, "reconstructing",
                    [&](const Rows& rows) { return reconstruct(model, rows); });
}

}  // namespace deepgen
