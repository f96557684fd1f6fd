// The inside of the trainer: what a run is between two steps. For the trainer's own files alone:
//
//   trainer.cpp         the loop
//   trainer_stages.cpp  preparation, stages and what is carried from one to the next
//   trainer_steps.cpp   batches, turns, and when training has diverged
//   trainer_resume.cpp  the run as a checkpoint, and back
//   rollback.cpp        good states and the return to them
#pragma once

#include <cmath>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "deepgen/core/error.h"
#include "deepgen/model/capabilities.h"
#include "deepgen/train/epoch_metrics.h"
#include "deepgen/train/pace.h"
#include "deepgen/train/stage_plan.h"
#include "deepgen/train/trainer.h"

namespace deepgen {

// Training has left the numbers that it can go on from.
class Diverged : public Error {
 public:
  Diverged(const std::string& place, const std::string& what_was_seen, const std::string& hint)
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
  bool stage_begun = true;                      // Model::begin_stage has been called
  std::int64_t step = 0, epochs_without_better = 0;
  EpochMetrics epoch;
};

// The best epoch of a stage with patience. The last stage's is a file of its own; of the others the weights
// are kept here until the stage ends with them.
struct BestState {
  int stage = -1;  // -1: none yet
  double score = 0;
  std::map<std::string, Tensor>
      tensors;  // parameters (averaged where they are) and buffers, as "best.<name>"
};

// What a number is drawn for: paths of random forks.
enum Purpose : std::uint64_t {
  order_noise = 1,
  batch_noise = 2,
  turn_noise = 3,
  start_noise = 4,
  probe_noise = 5,
  stage_noise = 6
};

struct Trainer::State {
  State(std::shared_ptr<Model> m, const Dataset& d, Settings s, std::uint64_t seed_)
      : model(std::move(m)),
        data(d),
        settings(std::move(s)),
        seed(seed_),
        rng(seed_),
        fit(as<CanFit>(*model)),
        learner(as<HasGradients>(*model)) {}

  std::shared_ptr<Model> model;
  const Dataset& data;
  Settings settings;
  std::uint64_t seed;
  Rng rng;
  CanFit* fit;            // null where the model is trained by gradients
  HasGradients* learner;  // null where it has none
  std::unique_ptr<FlatParameters> flat;
  std::unique_ptr<Optimiser> optimiser;  // of the present stage: each begins with a fresh one
  std::vector<StagePlan> plans;
  int stage = 0;
  bool stage_begun = false;                          // Model::begin_stage has been called
  std::int64_t step = 0;                             // within the stage
  std::pair<int, std::int64_t> order_of = {-1, -1};  // the stage and pass of `order`
  std::vector<std::int64_t> order;                   // of cases
  Rows train_probe, valid_probe;                     // the rows that diagnoses look at
  EpochMetrics epoch;                                // of the turns so far
  BestState best;
  std::int64_t epochs_without_better = 0;
  bool finished = false;
  GoodState start, good;  // the state before the first stage began, and the last good one
  std::vector<nlohmann::ordered_json> rollbacks;     // one record for each time
  std::vector<nlohmann::ordered_json> started_from;  // where parts came from (start_from.h)
  double usual_norm = 1, norm = 0;                   // of the parameters: to be expected, and as last checked

  // ---- time (trainer_stages.cpp)
  std::function<double()> clock;
  bool running = false;
  double seconds_before = 0, sitting_began = 0, last_report = -1;
  Pace pace;
  double seconds() const { return seconds_before + (running ? clock() - sitting_began : 0); }
  void start_clock();
  void stop_clock();
  void report_progress(Observer& observer);  // a few times a second

  // ---- stages (trainer_stages.cpp)
  const StagePlan& plan() const { return plans[static_cast<std::size_t>(stage)]; }
  std::int64_t rollbacks_allowed() const { return settings.training.rollbacks; }
  bool is_last_stage() const { return stage + 1 == static_cast<int>(plans.size()); }
  bool is_out_of_patience() const {
    return plan().options.patience > 0 && epochs_without_better >= plan().options.patience;
  }
  bool has_converged() const { return fit && fit->converged(); }
  bool stage_is_over() const;
  bool run_is_over() const { return is_last_stage() && stage_is_over(); }
  Turn turn(int phase = 0, int repeat = 0) const { return {stage, phase, repeat, step, plan().steps()}; }

  void prepare();
  void check_settings() const;   // of each stage, against the model
  void mark_start();             // the present parameters are those that the run starts with
  void use_optimiser_of(int s);  // a fresh one; s becomes the present stage
  void reach_stage();            // moves on where the stage is over, and begins one that has not begun
  void next_stage();             // its best or averaged weights become the weights
  void begin_stage();
  bool note_score(double score);  // of an epoch; whether it is the best of the stage
  std::string owner_of(const Slice& slice) const;
  std::map<std::string, Tensor> tensors() const;  // all that a checkpoint holds of the present, as views

  Rows first_rows() const;  // the sample that models begin with

  // ---- steps (trainer_steps.cpp)
  Rows next_batch();
  Rows next_rows();  // of a pass of CanFit: rows in their own order, with their weights
  void one_step();
  void one_fit_step();
  void one_turn(const Rows& batch, int phase, int repeat, double rate);
  Metrics end_epoch_metrics();  // the line of the learning curve; the next epoch's numbers begin anew
  // Each rollback has halved what the schedule says.
  double rate_scale() const { return std::ldexp(1.0, -static_cast<int>(rollbacks.size())); }
  double rate_at(std::int64_t at) const {
    return rate_scale() * scheduled_rate(plan().options, at, plan().steps());
  }

  [[noreturn]] void diverge(const std::string& seen, const std::string& phase) const;
  void check_finite(const std::string& name, double value, const std::string& phase) const;
  void check_parameters();     // finite, and of a sensible size
  void check_tensors() const;  // finite, all of them
  void check_epoch(const Metrics& metrics) const;
  bool is_sensible() const;  // the parameters are not so large that one would not want to return here

  // ---- good states (rollback.cpp)
  double parameter_norm() const;
  void keep_good();  // the present state, which has been checked, becomes the one to return to
  void copy_present(GoodState& into) const;
  bool good_is_at_fault() const;  // it was returned to before, and training diverged again no later
  bool good_is_present() const { return good.stage == stage && good.step == step; }
  // A pass of CanFit would end in the same place again: it has no rate to halve and no other numbers to draw.
  bool may_roll_back() const {
    return !fit && good.stage >= 0 && static_cast<std::int64_t>(rollbacks.size()) < rollbacks_allowed();
  }
  void return_to(const GoodState& to);
  // What is written must be finite. Divergence is looked for at fixed steps, so a stop between two of them
  // is no rollback: the run goes on from the good state as it was and diverges again in its own time.
  void return_if_not_finite();
  // Back to the last good state, or to the start, with half the rate; adds a record of what happened.
  void roll_back(const std::string& seen);

  // ---- checkpoints (trainer_resume.cpp)
  void restore_state(const nlohmann::ordered_json& state, const std::string& path);
  // The place of the good state of a checkpoint, where it holds one beside the present.
  void restore_good(const nlohmann::ordered_json& state, const std::string& path);
};

}  // namespace deepgen
