// Stochastic gradient descent with momentum and Adam, as one fused pass over flat buffers.
//
//   sgd    g = gradient + decay * p;  m = momentum * m + g;  p -= rate * m
//   adam   Kingma and Ba 2015, algorithm 1 (bias-corrected); beta1 is `momentum` when that is positive, else
//   0.9 average <- keep * average + (1 - keep) * p, in the same pass; `keep` rises as min(average,
//   (1+t)/(10+t)) so that the first updates do not linger.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "deepgen/train/flat.h"
#include "deepgen/train/training_options.h"

namespace deepgen {

// The learning rate at `done` of `total` updates.
double scheduled_rate(const TrainingOptions& options, std::int64_t done, std::int64_t total);

class Optimiser {
 public:
  Optimiser(const TrainingOptions& options, FlatParameters& flat);

  // One update of these slices.
  void update(const std::vector<Slice>& slices, double rate);

  // How many updates each parameter has had (Adam's t): part of the state of a run.
  std::map<std::string, std::int64_t>& counts() { return counts_; }

  // State by slot name ("momentum"; "first", "second"), each laid out like the parameters.
  std::map<std::string, Tensor>& slots() { return slots_; }
  Tensor& average() { return average_; }  // undefined when no average is kept

 private:
  void update_range(std::int64_t begin, std::int64_t end, bool decays, double rate, std::int64_t count);

  TrainingOptions options_;
  FlatParameters& flat_;
  std::map<std::string, Tensor> slots_;
  Tensor average_;
  std::map<std::string, std::int64_t> counts_;
};

}  // namespace deepgen
