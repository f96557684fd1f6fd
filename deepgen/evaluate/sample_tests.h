// What samples alone can say of a model, asked of every model that can be sampled: above all of those without
// a likelihood (adversarial networks).
//
//   parzen_log_density        and its controls (parzen.h)
//   two_sample_accuracy       of a small network on samples against rows of the split; percent, 50: no
//                             difference seen; two_sample_p_value beside it
//   mmd2, mmd2_p_value        squared maximum mean discrepancy of samples and rows of the split
//   nearest_training_distance of the samples, and of the rows of the split (..._held_out): samples much
//                             nearer to training rows than unseen rows are have been learnt by heart
//   label_recognition         share of samples drawn given a label that a network trained on the training
//                             rows recognises as it, and that network's share on the rows of the split
//                             (..._rows) beside it; percent; of models that draw given labels, where rows
//                             have labels
//
// Rows of sequences are compared one by one.
//
// All are proxies: each sees some faults and is blind to others. None is used to choose anything.
#pragma once

#include <vector>

#include "deepgen/core/observer.h"
#include "deepgen/data/dataset.h"
#include "deepgen/evaluate/parzen.h"
#include "deepgen/evaluate/score.h"
#include "deepgen/model/capabilities.h"

namespace deepgen {

struct SampleTestPlan {
  std::int64_t samples = 10000;      // of the Parzen window
  std::int64_t rows = 2000;          // of the two-sample tests and of the neighbours, on either side, at most
  std::int64_t permutations = 1000;  // of the MMD
  std::int64_t chains = 1000, steps = 1000,
               between = 100;  // Gibbs steps before the first draw and between draws
  ParzenPlan parzen = {};
};

// Draws of a model, [count, D]: directly, by labels drawn from the training rows, or by chains. The first
// `independent` are independent of each other.
struct Draws {
  Tensor x;
  std::int64_t independent = 0;
  std::string how;
};
Draws draw_samples(const Model& model, const Dataset& data, const SampleTestPlan& plan, Rng& rng,
                   Observer& observer);

// Whether draw_samples can draw from it.
bool can_draw(const Model& model);

// Whether nothing but samples can judge the model: no log-probability, bound or free energy.
bool has_no_likelihood(const Model& model);

// Throws where the tests cannot be made: no draws, no rows beside the training rows.
void check_sample_tests(const Model& model, const Dataset& data, const std::string& split);

// Everything above that the model allows, on complete rows of a part that is not the training part.
std::vector<Score> sample_scores(const Model& model, const Dataset& data, const std::string& split,
                                 const SampleTestPlan& plan, const Rng& rng, Observer& observer);

}  // namespace deepgen
