// The one training loop of every model.
//
// A step is one batch: each phase of the stage has `repeats` turns, in each of which the model fills its
// gradients and the optimiser makes one pass. All randomness is forked from (seed, stage, step, phase,
// repeat) and the order of rows from (seed, stage, epoch), so a run that was stopped at any step goes on bit
// for bit as if it had not been. Of a model that is fitted in passes (CanFit) an epoch is one pass over the
// rows, a batch at a time, and training ends when a pass gains next to nothing. (docs/training.md says what
// happens when the numbers go wrong.)
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "deepgen/core/observer.h"
#include "deepgen/data/dataset.h"
#include "deepgen/train/checkpoint.h"
#include "deepgen/train/optimiser.h"
#include "deepgen/train/settings.h"

namespace deepgen {

// A new model with these settings for cases of the form of these data.
std::shared_ptr<Model> make_model(const Settings& settings, const Dataset& data);

// A number to select models by: greater is better.
struct ValidationScore {
  std::string name;  // as it appears in the learning curve
  double value = 0;
};

struct TrainingResult {
  std::int64_t steps = 0, epochs = 0;  // done in the last stage
  double seconds = 0;                  // of training, over all sittings
  bool interrupted = false;            // stopped by request; a checkpoint was written
  bool stopped_early = false;
  bool converged = false;      // a model fitted by passes: the last one gained next to nothing
  double best_score = 0;       // with patience: of the checkpoint kept as best
  std::int64_t rollbacks = 0;  // over all sittings
};

class Trainer {
 public:
  Trainer(std::shared_ptr<Model> model, const Dataset& data, Settings settings, std::uint64_t seed);
  ~Trainer();

  // Called after each epoch with the weights that users will get (the average, where one is kept).
  std::function<std::optional<ValidationScore>(Model&)> validate;
  // Called after each epoch, likewise: pictures.
  std::function<void(Model&, std::int64_t epoch)> after_epoch;
  // Writes the state of the run; `best`: also keep it as the best so far.
  std::function<void(const Checkpoint&, bool best)> save;
  // Called after each return to an earlier state with its record: event ("rollback"), number (1, 2, ...),
  // where it was lost (stage, epoch, step), where training goes on (to_stage, to_step), rate, message. Lines
  // of the curve later than that place are void.
  std::function<void(const nlohmann::ordered_json& event)> rolled_back;

  void resume(const Checkpoint& checkpoint, const std::string& path);  // throws when it does not fit this run
  TrainingResult run(Observer& observer);                              // to the end, or until told to stop
  Checkpoint checkpoint() const;
  const std::vector<nlohmann::ordered_json>& rollbacks() const;  // the records so far

  // One step, for benchmarks: one batch, all phases.
  void step();

 private:
  struct State;
  void survive(Observer& observer, const std::function<void()>& work);
  void end_epoch(Observer& observer);
  std::unique_ptr<State> state_;
};

}  // namespace deepgen
