// Options of the trainer, settable as training.<name> for every model; a stage may have its own
// (Stage::training in model.h), but for updates, checkpoint_every and rollbacks. Torch-free.
#pragma once

#include "deepgen/core/options.h"

namespace deepgen {

struct TrainingOptions : Options {
  std::int64_t epochs = 20;
  std::int64_t batch = 100;
  std::string optimiser = "sgd";
  double rate = 0.05;
  double momentum = 0;
  double decay = 0;
  std::string schedule = "constant";
  double rate_final = 0;
  double average = 0;
  std::int64_t patience = 0;
  std::int64_t checkpoint_every = 1;
  double beta2 = 0.999;
  double clip = 0;
  std::int64_t rollbacks = 20;
  std::int64_t updates = 15000;
  std::int64_t passes = 1;

  void visit(OptionVisitor& v) override {
    v.field({"epochs", "passes over the training rows (training.passes each); stages share them", 1, 1e7},
            epochs);
    v.field({"updates",
             "updates to make at least where training.epochs is not stated, for tables, or where this is "
             "stated; 0: the epochs of the model",
             0, 1e9},
            updates);
    v.field(
        {"passes",
         "passes over the rows that make an epoch: after each comes a line of the learning curve, a score "
         "and a checkpoint. Of a table whose length of training is not stated, as many as make some 150 "
         "updates",
         1, 1000},
        passes);
    v.field({"batch", "cases an update: rows, or sequences where the data have them", 1, 1e6}, batch);
    v.field({"optimiser", "sgd (with momentum) or adam", 0, 0, {"sgd", "adam"}}, optimiser);
    v.field({"rate", "learning rate at the start", 0, 1e3}, rate);
    v.field({"momentum", "momentum of sgd, or beta1 of adam when positive", 0, 0.9999}, momentum);
    v.field({"beta2", "decay of adam's mean of squares", 0, 0.999999}, beta2);
    v.field({"decay", "weight decay (L2) on weights, not on biases", 0, 1e3}, decay);
    v.field({"schedule",
             "how the rate moves from rate to rate_final over the run, or over each stage",
             0,
             0,
             {"constant", "linear", "cosine", "exponential"}},
            schedule);
    v.field({"rate_final", "learning rate at the end (linear, cosine, exponential)", 0, 1e3}, rate_final);
    v.field({"average",
             "keep a moving average of the weights with this memory (0.999 spans some 1000 updates); "
             "0: none. Where there is one, samples and scores use it",
             0, 0.9999999},
            average);
    v.field({"patience",
             "stop after this many epochs without a better validation score, and keep the best; "
             "0: never. A stage that is not the last ends alone, with its best weights",
             0, 1e6},
            patience);
    v.field({"checkpoint_every", "epochs between checkpoints", 1, 1e6}, checkpoint_every);
    v.field(
        {"clip", "longest gradient (Euclidean norm over a phase); a longer one is shortened to it; 0: any", 0,
         1e9},
        clip);
    v.field({"rollbacks",
             "how often training may go back to its last good state with half the rate when its numbers stop "
             "being finite or sensible; 0: stop at once",
             0, 100},
            rollbacks);
  }
};

}  // namespace deepgen
