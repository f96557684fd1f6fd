#include "deepgen/evaluate/frame_prediction.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "deepgen/core/work.h"

namespace deepgen {
namespace {

// The rows of x that have at least `needed` rows of their case before them; at most so many, drawn at random.
Tensor frames_with_past(const Tensor& starts, std::int64_t rows, std::int64_t needed, std::int64_t most,
                        Rng rng) {
  const Tensor lengths = case_lengths(starts, rows);
  std::vector<std::int64_t> frames;
  for (std::int64_t c = 0; c < starts.size(0); ++c) {
    const std::int64_t first = starts[c].item<std::int64_t>(), length = lengths[c].item<std::int64_t>();
    for (std::int64_t t = needed; t < length; ++t) frames.push_back(first + t);
  }
  std::vector<std::int64_t> order = rng.permutation(std::ssize(frames));
  order.resize(static_cast<std::size_t>(std::min<std::int64_t>(most, std::ssize(frames))));
  for (std::int64_t& i : order) i = frames[static_cast<std::size_t>(i)];
  return at::tensor(order, at::kLong);
}

Score error_score(const std::string& metric, const Split& split, const Tensor& errors,
                  const std::string& how) {
  Score score;
  score.metric = metric, score.split = split.name, score.kind = ScoreKind::proxy;
  score.value = errors.to(at::kDouble).mean().item<double>();
  score.standard_error.reset();  // frames depend on each other
  score.unit = "per column", score.rows = errors.size(0), score.how = how;
  return score;
}

}  // namespace

std::vector<Score> frame_prediction_scores(const Model& model, const Split& split, const Rng& rng,
                                           Observer& observer) {
  constexpr std::int64_t most_frames = 2000, draws = 10;
  const auto* sequences = as<CanContinue>(model);
  if (!sequences || sequences->needed_rows() == 0 || !split.starts.defined() || split.rows() == 0) return {};
  const std::int64_t needed = sequences->needed_rows();
  const Rows all = Dataset::rows(split, 0, split.cases(), rng.fork({0}));
  const Tensor frames = frames_with_past(all.starts, all.size(), needed, most_frames, rng.fork({1}));
  const std::int64_t count = frames.size(0);
  if (count == 0) return {};
  const Tensor past = frames.unsqueeze(1) + at::arange(-needed, 0, at::kLong);  // [frames, needed]
  Rows begun(all.x.index_select(0, past.reshape({-1})));
  begun.starts = at::arange(0, count * needed, needed, at::kLong);
  Work work(observer, "frames", draws);
  Tensor mean = at::zeros({count, all.x.size(1)});
  for (std::int64_t draw = 0; draw < draws; ++draw) {
    Rng own = rng.fork({2, static_cast<std::uint64_t>(draw)});
    mean += sequences->continue_sequences(begun, 1, own).select(1, 0) / static_cast<double>(draws);
    work.advance(1);
  }
  const Tensor truth = all.x.index_select(0, frames), before = all.x.index_select(0, frames - 1);
  return {error_score("frame_prediction_error", split, (mean - truth).square().mean(1),
                      fmt::format("squared error of the mean of {} draws of a frame given the {} before it",
                                  draws, needed)),
          error_score("frame_persistence_error", split, (before - truth).square().mean(1),
                      "the same of the frame before as the prediction")};
}

}  // namespace deepgen
