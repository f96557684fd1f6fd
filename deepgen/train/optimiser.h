// Stochastic gradient descent with momentum and Adam, as one fused pass over flat buffers.
//
//   sgd      g = scale * gradient + decay * p
//            m = momentum * m + g
//            p -= rate * m
//
//   adam     Kingma and Ba 2015, algorithm 1 (bias-corrected)
//            beta1 = `momentum` when that is positive, else 0.9
//
//   average  <- keep * average + (1 - keep) * p, in the same pass
//            keep = min(options.average, (1 + t) / (10 + t)), so that the first updates do not linger
#pragma once

#include <map>
#include <string>
#include <vector>

#include "deepgen/model/training_options.h"
#include "deepgen/train/flat.h"

namespace deepgen {

// The learning rate at `done` of `total` updates.
double scheduled_rate(const TrainingOptions& options, std::int64_t done, std::int64_t total);

class Optimiser {
 public:
  Optimiser(const TrainingOptions& options, FlatParameters& flat);

  // The Euclidean norm of the gradients of these slices; the same for any number of threads.
  double gradient_norm(const std::vector<Slice>& slices) const;

  // One update of these slices, the gradients taken times `scale`.
  void update(const std::vector<Slice>& slices, double rate, double scale = 1);

  // How many updates each parameter has had (Adam's t): part of the state of a run.
  std::map<std::string, std::int64_t>& counts() { return counts_; }

  // State by slot name ("momentum"; "first", "second"), each laid out like the parameters.
  std::map<std::string, Tensor>& slots() { return slots_; }
  Tensor& average() { return average_; }  // undefined when no average is kept

 private:
  void update_range(std::int64_t begin, std::int64_t end, bool decays, double rate, double scale,
                    std::int64_t count);

  TrainingOptions options_;
  FlatParameters& flat_;
  std::map<std::string, Tensor> slots_;
  Tensor average_;
  std::map<std::string, std::int64_t> counts_;
};

}  // namespace deepgen
