// The one training loop of every model.
//
// A step is one batch: each phase of the stage has `repeats` turns, in each of which the model fills its
// gradients and the optimiser makes one pass. All randomness is forked from (seed, stage, step, phase,
// repeat) and the order of cases from (seed, stage, pass over the rows), so a run that was stopped at any step goes on bit
// for bit as if it had not been. Of a model that is fitted in passes (CanFit) an epoch is one pass over the
// rows, a batch at a time, and training ends when a pass gains next to nothing.
//
// Stages follow each other, each with options, an optimiser and a best epoch of its own; docs/training.md
// says what is carried from one to the next and what happens when the numbers go wrong.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "deepgen/core/observer.h"
#include "deepgen/data/dataset.h"
#include "deepgen/train/checkpoint.h"
#include "deepgen/train/optimiser.h"
#include "deepgen/train/settings.h"
#include "deepgen/train/start_from.h"

namespace deepgen {

// A new model with these settings for cases of the form of these data.
std::shared_ptr<Model> make_model(const Settings& settings, const Dataset& data);

// A number to select models by: greater is better.
struct ValidationScore {
  std::string name;  // as it appears in the learning curve
  double value = 0;
  std::string diverged = {};  // why the run has diverged although its numbers are finite; "": it has not
};

struct TrainingResult {
  std::int64_t steps = 0, epochs = 0;  // done in the stage that was reached
  double seconds = 0;                  // of training, over all sittings
  bool interrupted = false;            // stopped by request; a checkpoint was written
  bool stopped_early = false;          // the last stage ended by its patience
  bool converged = false;              // a model fitted by passes: the last one gained next to nothing
  double best_score = 0;               // with patience: of the best epoch of the stage that was reached
  std::int64_t rollbacks = 0;          // over all sittings
};

class Trainer {
 public:
  // Initialises the model. Throws a usage error for a model that does not learn from data, and a data error
  // for rows that it cannot take.
  Trainer(std::shared_ptr<Model> model, const Dataset& data, Settings settings, std::uint64_t seed);
  ~Trainer();

  // Called after each epoch with the weights that users will get (the average, where one is kept).
  std::function<std::optional<ValidationScore>(Model&)> validate;
  // Called after each epoch, likewise: pictures.
  std::function<void(Model&, std::int64_t epoch)> after_epoch;
  // Writes the state of the run; `best`: also keep it as the best so far, of the last stage.
  std::function<void(const Checkpoint&, bool best)> save;
  // Called after each return to an earlier state with its record: event ("rollback"), number (1, 2, ...),
  // where training diverged (stage, epoch, step), where it goes on (to_stage, to_step), rate, message. Lines
  // of the curve later than that place are void.
  std::function<void(const nlohmann::ordered_json& event)> rolled_back;

  // Fills a part of a new run from another run's checkpoint (start_from.h) and writes down where it came
  // from; what is written is part of every checkpoint of this run. After that, `resume` needs the other run
  // no more. Throws a usage error when training has begun.
  StartReport start_from(const Checkpoint& from, const std::string& path, const std::string& part = "");
  void resume(const Checkpoint& checkpoint, const std::string& path);  // throws when it does not fit this run
  // After `resume`: the score of the state kept as best, where the one in the file was of another kind.
  void restate_best(double score);
  TrainingResult run(Observer& observer);  // to the end, or until told to stop
  Checkpoint checkpoint() const;
  const std::vector<nlohmann::ordered_json>& rollbacks() const;     // the records so far
  const std::vector<nlohmann::ordered_json>& started_from() const;  // one for each part that was filled

  std::vector<std::string> stage_names() const;  // by the number that is `stage` in the learning curve
  std::string stage_name() const;                // of the present one
  std::int64_t stage_epochs() const;             // of the present one, as planned
  bool has_patience() const;                     // of some stage: `validate` must be set

  // One step, for benchmarks: one batch, all phases.
  void step();

  // Seconds by which times and what is left of them are told, from a clock that never goes back.
  void use_clock(std::function<double()> seconds);

 private:
  struct State;
  void work_or_roll_back(Observer& observer, const std::function<void()>& work);
  void end_epoch(Observer& observer);
  std::unique_ptr<State> state_;
};

}  // namespace deepgen
