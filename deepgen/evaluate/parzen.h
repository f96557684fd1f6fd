// Parzen windows: the log-density of rows under a Gaussian on every sample. A proxy, never a likelihood.
//
//   p(x) = 1/N sum_n N(x; s_n, sigma^2 I)
//
// sigma is chosen among ten values from 0.1 to 1, equally far apart in the logarithm, on validation rows that
// are neither scored nor among the centres (the procedure of Goodfellow et al. 2014 and the papers after it).
//
// In hundreds of dimensions the number says little: centres of k-means score above true rows, and models that
// are better by annealing score below worse ones (Theis, van den Oord, Bethge 2016, "A note on the evaluation
// of generative models", table 1; Wu et al. 2017, table 2). So it comes with two controls under the same
// procedure: training rows in place of samples, and k-means centres of the training rows. More centres score
// higher, so where there are fewer training rows than samples the first two windows have as many as there are
// rows, and k-means half as many: a centre on every row would be the rows themselves.
//
// Standard errors are over the rows that are scored and, of samples and training rows, over their draw too (a
// jackknife that leaves a tenth of them out at a time).
#pragma once

#include <vector>

#include "deepgen/core/observer.h"
#include "deepgen/data/dataset.h"
#include "deepgen/evaluate/score.h"

namespace deepgen {

// Gaussians of one deviation on the rows of `centres` [N, D] float32, N >= 1.
class ParzenWindow {
 public:
  explicit ParzenWindow(const Tensor& centres);
  // log p of rows x [B, D] for each of these deviations: [sigmas, B] float64, nats. Cost: a product [B, D] x
  // [D, N], in blocks; the bits do not depend on the number of threads.
  Tensor log_density(const Tensor& x, const std::vector<double>& sigmas) const;
  std::int64_t size() const { return centres_.size(0); }

  // Called after every block with its number of rows; may throw to stop.
  std::function<void(std::int64_t)> after_block;

 private:
  Tensor centres_, squares_, shift_;  // shift_ [D]: the mean of the centres, taken off both sides
};

// Lloyd's k-means, begun at k rows drawn at random: [k, D]. A centre without rows stays where it is. Cost: a
// product [N, D] x [D, k] a step.
Tensor kmeans_centres(const Tensor& rows, std::int64_t k, std::int64_t steps, Rng& rng, Observer& observer);

// Whether columns have a scale of their own, where others lie between 0 and 1.
bool has_scales(const Dataset& data);

struct ParzenPlan {
  std::int64_t validation_rows = 1000, sigmas = 10;
  // Times the columns' mean deviation where their values are not from 0 to 1.
  double smallest = 0.1, largest = 1;
  std::int64_t kmeans_steps = 3, kmeans_rows = 30000;
};

// parzen_log_density of `split` under the samples, and beside it parzen_log_density_training_rows and
// parzen_log_density_kmeans; in the units of the file (categories as columns of 0 and 1),
// grey values from 0 to 1.
std::vector<Score> parzen_scores(const Tensor& samples, const Dataset& data, const std::string& split,
                                 const ParzenPlan& plan, const Rng& rng, Observer& observer);

}  // namespace deepgen
