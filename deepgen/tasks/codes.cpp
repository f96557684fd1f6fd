#include "deepgen/tasks/codes.h"

#include <fmt/format.h>

#include "deepgen/core/error.h"
#include "deepgen/data/cell_facts.h"
#include "deepgen/parts/checks/check_cells.h"
#include "deepgen/tasks/blocks.h"
#include "deepgen/train/check_split.h"

namespace deepgen {

bool can_reconstruct(const Model& model) { return as<CanEncode>(model) && as<CanDecode>(model); }

Tensor reconstruct(const Model& model, const Rows& rows) {
  return as<CanDecode>(model)->decode({as<CanEncode>(model)->encode(rows), rows.y});
}

void refuse_gaps(const Split& split, const std::string& what) {
  const auto gap = split.first_gap();
  if (!gap) return;
  fail_data(what,
            fmt::format("expected complete rows, got a missing cell at row {}, column {}; fill the gaps "
                        "first with `deepgen complete`",
                        gap->first, gap->second));
}

namespace {

// Of all rows, before the first is worked on.
void check_rows(const Model& model, const Split& split) {
  if (const std::int64_t classes = needed_classes(model))
    check_labels(split.y, split.rows(), classes, split.name);
  check_split(model, split, split.name);
  if (!as<CanEncode>(model)->encodes_gaps()) refuse_gaps(split, split.name);
}

const CanEncode& checked_encoder(const Model& model, const Split& split) {
  const auto* encoder = as<CanEncode>(model);
  if (!encoder) fail_usage("encode", "this model has no code");
  check_rows(model, split);
  return *encoder;
}

void check_reconstruction(const Model& model, const Split& split) {
  if (!can_reconstruct(model)) fail_usage("reconstruct", "this model cannot both encode and decode");
  check_rows(model, split);
}

}  // namespace

Tensor encode_rows(const Model& model, const Split& split, const Rng& rng, Observer& observer) {
  const CanEncode& encoder = checked_encoder(model, split);
  return over_split(split, rng, observer, "encoding", [&](const Rows& rows) { return encoder.encode(rows); });
}

void encode_rows(const Model& model, const Split& split, const Rng& rng, Observer& observer,
                 const RowSink& sink) {
  const CanEncode& encoder = checked_encoder(model, split);
  over_split(split, rng, observer, "encoding", sink, [&](const Rows& rows) { return encoder.encode(rows); });
}

Tensor reconstruct_rows(const Model& model, const Split& split, const Rng& rng, Observer& observer) {
  check_reconstruction(model, split);
  return over_split(split, rng, observer, "reconstructing",
                    [&](const Rows& rows) { return reconstruct(model, rows); });
}

void reconstruct_rows(const Model& model, const Split& split, const Rng& rng, Observer& observer,
                      const RowSink& sink) {
  check_reconstruction(model, split);
  over_split(split, rng, observer, "reconstructing", sink,
             [&](const Rows& rows) { return reconstruct(model, rows); });
}

}  // namespace deepgen
