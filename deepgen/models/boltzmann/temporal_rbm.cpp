#include "deepgen/models/boltzmann/temporal_rbm.h"

#include <fmt/format.h>

#include <algorithm>

#include "deepgen/core/error.h"
#include "deepgen/model/create.h"
#include "deepgen/parts/checks/check_cells.h"

namespace deepgen {
namespace {

constexpr const char* temporal_name = "temporal_rbm";

void need_sequences(const Rows& rows) {
  if (!rows.starts.defined())
    fail_data(
        temporal_name,
        "expected sequences of frames, got rows that each stand alone; give the lengths of the sequences "
        "(an array train_lengths beside train), or name the column that tells them apart with the data's "
        "option sequence");
}

// A data error for the first sequence with less than `fewest` frames.
void need_frames(const Rows& rows, std::int64_t fewest, const std::string& what) {
  const Tensor lengths = case_lengths(rows.starts, rows.size());
  for (std::int64_t c = 0; c < lengths.size(0); ++c)
    if (const auto length = lengths[c].item<std::int64_t>(); length < fewest)
      fail_data(temporal_name,
                fmt::format("expected {} of at least {} frames, got one of {} (number {}); choose a smaller "
                            "model.order, or leave it out",
                            what, fewest, length, c));
}

}  // namespace

TemporalRbm::TemporalRbm(const TemporalRbmOptions& options, const TemporalRbmLearning& learning,
                         const DataShape& data)
    : DynamicBiasRbm(options, learning, UnitLayer::of(data.column_groups()), options.order * data.columns),
      options_(options),
      learning_(learning) {}

void TemporalRbm::check_data(const Tensor& x, const std::string& what, std::int64_t first_row) const {
  check_cells(x, machine().visible(), false, temporal_name, what, first_row);
  visible_layer().check(x, temporal_name, what, first_row);
}

// ---------------------------------------------------------------- frames

std::vector<std::int64_t> TemporalRbm::frames_with_past(const Rows& rows) const {
  need_sequences(rows);
  std::vector<std::int64_t> frames;
  const Tensor starts = rows.starts.contiguous();
  const auto* first = starts.data_ptr<std::int64_t>();
  for (std::int64_t c = 0; c < rows.cases(); ++c) {
    const std::int64_t end = c + 1 < rows.cases() ? first[c + 1] : rows.size();
    for (std::int64_t t = first[c] + options_.order; t < end; ++t) frames.push_back(t);
  }
  return frames;
}

GivenPairs TemporalRbm::pairs_at(const Rows& rows, const std::vector<std::int64_t>& frames) const {
  const Tensor index = at::tensor(frames, at::kLong);
  std::vector<Tensor> past;
  for (std::int64_t lag = options_.order; lag > 0; --lag) past.push_back(rows.x.index_select(0, index - lag));
  return {at::cat(past, 1), rows.x.index_select(0, index)};
}

GivenPairs TemporalRbm::pairs_of(const Rows& rows) const { return pairs_at(rows, frames_with_past(rows)); }

GivenPairs TemporalRbm::drawn_pairs(const Rows& rows, Rng& rng) const {
  const std::vector<std::int64_t> frames = frames_with_past(rows);
  const auto all = static_cast<std::int64_t>(frames.size());
  if (learning_.frames == 0 || all <= learning_.frames) return pairs_at(rows, frames);
  std::vector<std::int64_t> drawn = rng.permutation(all);
  drawn.resize(static_cast<std::size_t>(learning_.frames));
  for (std::int64_t& each : drawn) each = frames[static_cast<std::size_t>(each)];
  return pairs_at(rows, drawn);
}

Tensor TemporalRbm::last_frame(const Tensor& condition) const {
  const std::int64_t columns = machine().visible();
  return condition.narrow(1, condition.size(1) - columns, columns).contiguous();
}

Tensor TemporalRbm::start_given(const Tensor& condition, const GivenBiases&, Rng&) const {
  return last_frame(condition);
}

// ---------------------------------------------------------------- training

std::vector<Stage> TemporalRbm::stages() {
  return {{"all", 1.0, {{"all", parameters(), static_cast<int>(learning_.updates)}}}};
}

void TemporalRbm::initialise(const Rows& sample, Rng& rng) {
  need_sequences(sample);
  need_frames(sample, options_.order + 1, "sequences");
  DynamicBiasRbm::initialise(sample, rng);
}

Metrics TemporalRbm::diagnose(const Rows& train, const Rows& valid, Rng& rng) {
  NoGradGuard no_graph;
  Metrics metrics = DynamicBiasRbm::diagnose(train, valid, rng);
  const auto add = [&](const Rows& rows, const char* name) {
    if (rows.size() == 0) return;
    const GivenPairs pairs = pairs_of(rows);
    if (pairs.size() == 0) return;
    metrics.emplace_back(name, mean_square(last_frame(pairs.condition), pairs.v));
  };
  add(train, "train_persistence_error");
  add(valid, "valid_persistence_error");
  return metrics;
}

// ---------------------------------------------------------------- sequences

Tensor TemporalRbm::continue_sequences(const Rows& begun, std::int64_t steps, Rng& rng) const {
  NoGradGuard no_graph;
  const std::int64_t columns = machine().visible(), order = options_.order, cases = begun.cases();
  need_sequences(begun);
  if (cases == 0 || steps == 0) return at::empty({cases, steps, columns});
  need_frames(begun, order, "sequences that have begun");
  check_data(begun.x, "the sequences that have begun");
  const Tensor ends = begun.starts + case_lengths(begun.starts, begun.size());
  std::vector<Tensor> frames;  // the last n, then the new ones
  for (std::int64_t lag = order; lag > 0; --lag) frames.push_back(begun.x.index_select(0, ends - lag));
  for (std::int64_t t = 0; t < steps; ++t) {
    const Tensor condition = at::cat(std::vector<Tensor>(frames.end() - order, frames.end()), 1);
    frames.push_back(
        gibbs_given(biases_given(condition), frames.back(), options_.continuation_steps, {}, rng));
  }
  return at::stack(std::vector<Tensor>(frames.begin() + order, frames.end()), 1);
}

Tensor TemporalRbm::exact_frame_log_prob(const Rows& rows) const {
  const GivenPairs pairs = pairs_of(rows);
  const GivenBiases given = biases_given(pairs.condition);
  return -free_energy_given(given, pairs.v) - exact_log_partition_given(given);
}

template std::shared_ptr<Model> create<TemporalRbmCard>(const Options&, const Options&, const DataShape&);

}  // namespace deepgen
