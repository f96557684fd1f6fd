#include "deepgen/tasks/tasks.h"

#include <fmt/format.h>

#include <charconv>
#include <chrono>
#include <limits>

#include "deepgen/core/error.h"
#include "deepgen/ops/binary_units.h"
#include "deepgen/parts/check_cells.h"

namespace deepgen {
namespace {

constexpr std::int64_t slice = 50, block = 10000, direct_block = 2000;

struct PictureShape {
  std::int64_t channels, height, width;
};

PictureShape picture_shape(const std::vector<std::int64_t>& shape, std::int64_t columns) {
  if (shape.size() == 3 && shape[0] * shape[1] * shape[2] == columns && (shape[0] == 1 || shape[0] == 3))
    return {shape[0], shape[1], shape[2]};
  return {1, 1, columns};
}

// [N, C*H*W] to pixels last: [N, H, W, C].
Tensor pixels_last(const Tensor& x, const PictureShape& s) {
  return x.to(at::kCPU, at::kFloat)
      .view({x.size(0), s.channels, s.height, s.width})
      .permute({0, 2, 3, 1})
      .contiguous();
}

// Steps in slices, so that progress shows and Ctrl-C is heard.
Tensor run_chain(HasChain& chain, Tensor x, std::int64_t steps, const Tensor& known, Rng& rng,
                 Observer& observer, const char* what) {
  const auto start = std::chrono::steady_clock::now();
  for (std::int64_t done = 0; done < steps;) {
    const std::int64_t now = std::min(slice, steps - done);
    x = chain.chain_steps(x, now, known, rng);
    done += now;
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    observer.progress(
        {what, done, steps, seconds, seconds / static_cast<double>(done) * static_cast<double>(steps - done)},
        {});
    if (observer.stop_requested())
      throw Error(ErrorKind::interrupted, what, "stopped by request; nothing was written");
  }
  return x;
}

// Blocks of rows, so that memory stays bounded, progress shows and Ctrl-C is heard.
template <class F>
Tensor in_blocks(std::int64_t rows, Observer& observer, const char* what, F draw) {
  std::vector<Tensor> parts;
  for (std::int64_t first = 0; first < rows; first += direct_block) {
    parts.push_back(draw(first, std::min(direct_block, rows - first)));
    observer.progress({what, std::min(first + direct_block, rows), rows, 0, -1}, {});
    if (observer.stop_requested())
      throw Error(ErrorKind::interrupted, what, "stopped by request; nothing was written");
  }
  return at::cat(parts);
}

}  // namespace

namespace {

// A model that draws given labels.
IsConditional* labelled(Model& model) {
  auto* conditional = as<IsConditional>(model);
  return conditional && conditional->condition_classes() > 0 ? conditional : nullptr;
}

// Of all rows, before the first is worked on.
void need_labels(Model& model, const Tensor& y, std::int64_t rows, const std::string& what) {
  if (auto* conditional = labelled(model)) check_labels(y, rows, conditional->condition_classes(), what);
}

}  // namespace

bool samples_directly(Model& model) { return as<CanSample>(model) || labelled(model); }

bool can_sample(Model& model) { return samples_directly(model) || as<HasChain>(model); }

bool can_complete(Model& model) {
  return as<CanComplete>(model) || as<CanCompleteGiven>(model) || as<HasChain>(model);
}

Tensor sample_model(Model& model, const SamplingPlan& plan, Rng& rng, Observer& observer) {
  if (auto* conditional = labelled(model); conditional && (plan.label >= 0 || !as<CanSample>(model)))
    return in_blocks(
        plan.rows * plan.count, observer, "sampling", [&](std::int64_t first, std::int64_t count) {
          const Tensor turn =
              at::arange(first, first + count, at::kLong).remainder(conditional->condition_classes());
          return conditional->sample_given(plan.label >= 0 ? at::full_like(turn, plan.label) : turn, rng);
        });
  if (auto* direct = as<CanSample>(model))
    return in_blocks(plan.rows * plan.count, observer, "sampling",
                     [&](std::int64_t, std::int64_t count) { return direct->sample(count, rng); });
  auto* chain = as<HasChain>(model);
  if (!chain)
    fail_usage("sample", as<IsConditional>(model)
                             ? "this model draws only given " + as<IsConditional>(model)->condition() +
                                   ": use `deepgen complete`"
                             : "this model has neither ancestral samples nor a chain");
  // Blocks of chains keep the working memory small; the result itself is count * rows * D floats.
  std::vector<std::vector<Tensor>> rows(static_cast<std::size_t>(plan.rows));
  for (std::int64_t first = 0; first < plan.count; first += block) {
    Tensor x = chain->chain_start(std::min(block, plan.count - first), rng);
    for (std::int64_t r = 0; r < plan.rows; ++r) {
      x = run_chain(*chain, x, r == 0 ? plan.steps : plan.between, {}, rng, observer, "sampling");
      rows[static_cast<std::size_t>(r)].push_back(plan.means ? chain->chain_mean(x, rng) : x);
    }
  }
  std::vector<Tensor> bands;
  for (const std::vector<Tensor>& parts : rows) bands.push_back(at::cat(parts));
  return at::cat(bands);
}

Tensor hide_cells(const Tensor& x, const std::vector<std::int64_t>& shape, const std::string& what,
                  Rng& rng) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const PictureShape s = picture_shape(shape, x.size(1));
  Tensor hidden = x.clone();
  Tensor pixels = hidden.view({x.size(0), s.channels, s.height, s.width});
  const bool rows = (what == "bottom" || what == "top") && s.height > 1;
  const std::int64_t axis = rows ? 2 : 3, size = pixels.size(axis), half = size / 2;
  if (what == "bottom" || what == "right") {
    pixels.narrow(axis, half, size - half).fill_(nan);
  } else if (what == "top" || what == "left") {
    pixels.narrow(axis, 0, half).fill_(nan);
  } else {
    double share = 0;
    const auto [end, code] = std::from_chars(what.data(), what.data() + what.size(), share);
    if (code != std::errc() || end != what.data() + what.size() || share <= 0 || share > 1)
      fail_usage(
          "--hide",
          fmt::format("expected bottom, top, left, right or a share above 0 and at most 1, got '{}'", what));
    hidden.masked_fill_(uniform(x.size(0), x.size(1), rng.next()) < share, nan);
  }
  return hidden;
}

Tensor hide_groups(const Tensor& x, const std::vector<std::int64_t>& sizes, const std::string& what,
                   Rng& rng) {
  const auto count = static_cast<std::int64_t>(sizes.size());
  const Tensor gaps = hide_cells(at::zeros({x.size(0), count}), {count}, what, rng).isnan();
  const Tensor hidden = gaps.repeat_interleave(at::tensor(sizes, at::kLong), 1);
  return x.masked_fill(hidden, std::numeric_limits<float>::quiet_NaN());
}

Tensor fill_missing(const Tensor& x, const std::vector<ColumnGroup>& groups) {
  const Tensor gaps = x.isnan();
  Tensor filled = x.masked_fill(gaps, 0);
  for (const ColumnGroup& group : groups)
    if (group.kind == "softmax") filled.select(1, group.first).masked_fill_(gaps.select(1, group.first), 1);
  return filled;
}

Tensor complete_rows(Model& model, const Batch& rows, std::int64_t steps, Rng& rng, Observer& observer,
                     const std::vector<ColumnGroup>& groups) {
  auto* direct = as<CanComplete>(model);
  auto* given = as<CanCompleteGiven>(model);
  auto* chain = as<HasChain>(model);
  if (!direct && !given && !chain)
    fail_usage("complete", "this model cannot complete: it has no conditional draws and no chain to clamp");
  const Tensor& x = rows.x;
  if (!direct && given) need_labels(model, rows.y, x.size(0), "complete");
  const Tensor known = x.isnan().logical_not();
  if (known.all().item<bool>()) return x;
  model.check_data(fill_missing(x, groups), "complete");
  if (direct || given)
    return in_blocks(x.size(0), observer, "completing", [&](std::int64_t first, std::int64_t count) {
      const Tensor some = x.narrow(0, first, count);
      return direct ? direct->complete(some, rng)
                    : given->complete_given(some, rows.y.narrow(0, first, count), rng);
    });
  const Tensor start = at::where(known, x, chain->chain_start(x.size(0), rng));
  return run_chain(*chain, start, steps, known, rng, observer, "completing");
}

void refuse_gaps(const Split& split, const std::string& what) {
  if (!split.x.is_floating_point()) return;
  const Tensor gaps = split.x.isnan();
  if (!gaps.any().item<bool>()) return;
  const Tensor first = gaps.nonzero()[0];
  fail_data(what,
            fmt::format("expected complete rows, got a missing cell at row {}, column {}; fill the gaps "
                        "first with `deepgen complete`",
                        first[0].item<std::int64_t>(), first[1].item<std::int64_t>()));
}

Tensor encode_rows(Model& model, const Split& split, const Rng& rng) {
  auto* encoder = as<CanEncode>(model);
  auto* given = as<CanCodeGiven>(model);
  if (!encoder && !given) fail_usage("encode", "this model has no code");
  if (!encoder) need_labels(model, split.y, split.rows(), split.name);
  return map_labelled_rows(split, rng, [&](const Tensor& x, const Tensor& y) {
    model.check_data(x, split.name);
    return encoder ? encoder->encode(x) : given->encode_given(x, y);
  });
}

Tensor reconstruct_rows(Model& model, const Split& split, const Rng& rng) {
  auto* encoder = as<CanEncode>(model);
  auto* decoder = as<CanDecode>(model);
  auto* given = as<CanCodeGiven>(model);
  const bool plain = encoder && decoder;
  if (!plain && !given) fail_usage("reconstruct", "this model cannot both encode and decode");
  if (!plain) need_labels(model, split.y, split.rows(), split.name);
  return map_labelled_rows(split, rng, [&](const Tensor& x, const Tensor& y) {
    model.check_data(x, split.name);
    return plain ? decoder->decode(encoder->encode(x)) : given->decode_given(given->encode_given(x, y), y);
  });
}

Image picture_of(const Tensor& x, const std::vector<std::int64_t>& shape, const Grid& grid) {
  const PictureShape s = picture_shape(shape, x.size(1));
  const Tensor pixels = pixels_last(at::nan_to_num(x, 0.5), s);
  return image_grid(pixels.data_ptr<float>(), x.size(0), s.height, s.width, s.channels, grid);
}

Image picture_of_filters(const Tensor& filters, const std::vector<std::int64_t>& shape, const Grid& grid) {
  const PictureShape s = picture_shape(shape, filters.size(1));
  const Tensor pixels = pixels_last(filters, s);
  return filter_grid(pixels.data_ptr<float>(), filters.size(0), s.height, s.width, s.channels, grid);
}

}  // namespace deepgen
