// The inside of the trainer: what a run is between two steps. For trainer.cpp and trainer_state.cpp alone.
#pragma once

#include <cmath>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "deepgen/core/error.h"
#include "deepgen/models/capabilities.h"
#include "deepgen/train/trainer.h"

namespace deepgen {

// Training has left the numbers that it can go on from.
class Lost : public Error {
 public:
  Lost(const std::string& place, const std::string& what_was_seen, const std::string& hint)
      : Error(ErrorKind::numerical, "training",
              what_was_seen + " in " + place + "; the last good checkpoint is kept; " + hint),
        seen(what_was_seen + " in " + place) {}
  std::string seen;
};

// A state to which training can return: everything a checkpoint would hold of it.
struct GoodState {
  std::map<std::string, Tensor> tensors;        // copies, by the names of the checkpoint
  std::map<std::string, std::int64_t> updates;  // of each parameter
  int stage = -1;                               // -1: none yet
  std::int64_t step = 0, epochs_without_better = 0;
};

struct Trainer::State {
  State(std::shared_ptr<Model> m, const Dataset& d, Settings s, std::uint64_t seed_)
      : model(std::move(m)),
        data(d),
        settings(std::move(s)),
        options(settings.training),
        seed(seed_),
        rng(seed_),
        fit(as<CanFit>(*model)) {}

  std::shared_ptr<Model> model;
  const Dataset& data;
  Settings settings;
  TrainingOptions options;
  std::uint64_t seed;
  Rng rng;
  CanFit* fit;  // null where the model is trained by gradients
  std::unique_ptr<FlatParameters> flat;
  std::unique_ptr<Optimiser> optimiser;
  std::vector<Stage> stages;
  std::vector<std::vector<std::vector<Slice>>> slices;  // of each stage and phase
  int stage = 0;
  std::int64_t step = 0;                             // within the stage
  std::pair<int, std::int64_t> order_of = {-1, -1};  // the stage and epoch of `order`
  std::vector<std::int64_t> order;
  Batch train_probe, valid_probe;  // the rows that diagnoses look at
  Metrics turn_metrics;
  double seconds_before = 0, started = 0, last_report = 0;
  std::int64_t first_step = 0;  // of this sitting, for the time that is left
  std::optional<double> best;
  std::int64_t epochs_without_better = 0;
  bool finished = false, stopped_early = false;
  GoodState start, good;                          // the state at step 0, and the last good one
  std::vector<nlohmann::ordered_json> rollbacks;  // one record for each time
  double usual_norm = 1, norm = 0;                // of the parameters: to be expected, and as last checked

  std::int64_t batches() const { return (data.train.rows() + options.batch - 1) / options.batch; }
  std::int64_t epochs_of(int s) const;
  std::int64_t steps_of(int s) const { return epochs_of(s) * batches(); }
  double seconds() const;
  void start_clock();
  void stop_clock();
  void report_progress(Observer& observer);  // a few times a second
  bool is_last_step() const {
    return stage + 1 == static_cast<int>(stages.size()) && step >= steps_of(stage);
  }
  // Each rollback has halved what the schedule says.
  double rate_scale() const { return std::ldexp(1.0, -static_cast<int>(rollbacks.size())); }
  double rate_at(int s, std::int64_t at) const {
    return rate_scale() * scheduled_rate(options, at, steps_of(s));
  }
  std::string stage_name(int s) const { return stages[static_cast<std::size_t>(s)].name; }

  void prepare();
  void set_slices();
  std::string owner_of(const Slice& slice) const;
  std::map<std::string, Tensor> tensors() const;  // all that a checkpoint holds, as views

  Batch next_batch();
  Batch next_rows();  // of a pass of CanFit: rows in their own order, with their weights
  bool converged() const { return fit && fit->converged(); }
  void one_step();
  void one_fit_step();
  void one_turn(const Batch& batch, int phase, int repeat, double rate);
  Metrics epoch_metrics(std::int64_t epoch);

  [[noreturn]] void lose(const std::string& seen, const std::string& phase) const;
  void check_finite(const std::string& name, double value, const std::string& phase) const;
  void check_parameters();     // finite, and of a sensible size
  void check_tensors() const;  // finite, all of them
  void check_epoch(const Metrics& metrics);

  bool is_sensible() const;  // the parameters are not so large that one would not want to return here
  void keep_good();          // the present state, which has been checked, becomes the one to return to
  void copy_present(GoodState& into) const;
  bool good_is_doomed() const;  // it was returned to before, and training was lost again no later
  bool good_is_present() const { return good.stage == stage && good.step == step; }
  // A pass of CanFit would end in the same place again: it has no rate to halve and no other numbers to draw.
  bool may_roll_back() const {
    return !fit && good.stage >= 0 && static_cast<std::int64_t>(rollbacks.size()) < options.rollbacks;
  }
  void return_to(const GoodState& to);
  // What is written must be finite. Losses are looked for at fixed steps, so a stop between two of them is no
  // rollback: the run goes on from the good state as it was and is lost again in its own time.
  void return_if_not_finite();
  // Back to the last good state, or to the start, with half the rate; adds a record of what happened.
  void roll_back(const std::string& seen);
  void restore_state(const nlohmann::ordered_json& state, const std::string& path);
  // The place of the good state of a checkpoint, where it holds one beside the present.
  void restore_good(const nlohmann::ordered_json& state, const std::string& path);
};

}  // namespace deepgen
