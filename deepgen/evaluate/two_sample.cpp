#include "deepgen/evaluate/two_sample.h"

#include <algorithm>
#include <cmath>

#include "deepgen/core/error.h"
#include "deepgen/evaluate/neighbours.h"
#include "deepgen/evaluate/network_classifier.h"
#include "deepgen/ops/products.h"

namespace deepgen {
namespace {

Tensor shuffled(const Tensor& rows, Rng& rng) {
  return rows.index_select(0, at::tensor(rng.permutation(rows.size(0)), at::kLong));
}

// Squared distances between all rows of x [N, D], [N, N].
Tensor squared_distances(const Tensor& x) {
  const Tensor moved = (x - x.to(at::kDouble).mean(0).to(at::kFloat)).contiguous();
  const Tensor squares = row_dots(moved, moved);
  Tensor distances = (squares.unsqueeze(0) + squares.unsqueeze(1)).contiguous();
  multiply(distances, moved, moved.t(), -2, 1);
  return distances.clamp_min_(0);
}

// The median distance of pairs of neighbours in a random order: rows are shuffled by the caller.
// Of pairs that differ: rows that are mostly equal would leave a kernel of no width.
double median_square(const Tensor& distances) {
  const std::int64_t n = distances.size(0);
  std::vector<float> pairs;
  const float* d = distances.data_ptr<float>();
  constexpr std::int64_t most = 1000000;
  for (std::int64_t i = 0; i < n && static_cast<std::int64_t>(pairs.size()) < most; ++i)
    for (std::int64_t j = 0; j < i; ++j) pairs.push_back(d[i * n + j]);
  const float rounding = 1e-6F * (pairs.empty() ? 0 : *std::max_element(pairs.begin(), pairs.end()));
  std::erase_if(pairs, [&](float each) { return each <= rounding; });
  if (pairs.empty()) return 0;
  const auto middle = pairs.begin() + static_cast<std::ptrdiff_t>(pairs.size() / 2);
  std::nth_element(pairs.begin(), middle, pairs.end());
  return static_cast<double>(*middle);
}

// The unbiased estimate does not change when a constant is taken off all pairs of different rows, and rounds
// less without their mean. The diagonal becomes zero: a row makes no pair with itself.
void take_mean_off(Tensor& kernel) {
  kernel.fill_diagonal_(0);
  const double all = static_cast<double>(kernel.size(0));
  const double mean = kernel.to(at::kDouble).sum(1).sum().item<double>() / (all * (all - 1));
  kernel.sub_(mean).fill_diagonal_(0);
}

using Doubles = std::vector<double>;

// The estimates for cuts [P, N + M] of ones (n of them in a row) and zeros (m).
Doubles mmd_estimates(const Tensor& kernel, const Tensor& cuts, std::int64_t n, std::int64_t m) {
  const Tensor rest = 1 - cuts;
  Tensor with_cuts = at::empty_like(cuts), with_rest = at::empty_like(cuts);
  multiply(with_cuts, cuts, kernel);
  multiply(with_rest, rest, kernel);
  const auto within = [](const Tensor& k, const Tensor& s) {
    return (k.to(at::kDouble) * s.to(at::kDouble)).sum(1);
  };
  const double dn = static_cast<double>(n), dm = static_cast<double>(m);
  const Tensor all = (within(with_cuts, cuts) / (dn * (dn - 1)) + within(with_rest, rest) / (dm * (dm - 1)) -
                      2 * within(with_cuts, rest) / (dn * dm))
                         .contiguous();
  return {all.data_ptr<double>(), all.data_ptr<double>() + all.numel()};
}

// Standard normal probability above z.
// No smaller than 1e-16: so far out the approximation means no more than that.
double upper_tail(double z) { return std::max(1e-16, 0.5 * std::erfc(z / std::sqrt(2.0))); }

double share(const Tensor& yes) { return yes.to(at::kDouble).mean().item<double>(); }

}  // namespace

TestResult classifier_test(const Tensor& a, const Tensor& b, Rng& rng, Observer& observer) {
  constexpr std::int64_t fewest = 10, rows_seen = 100000;  // so that few rows are learnt from too
  if (a.size(0) < fewest || b.size(0) < fewest)
    fail_data("two-sample test", "expected at least 10 rows on either side");
  const Tensor x = shuffled(a, rng), y = shuffled(b, rng);
  const std::int64_t n = x.size(0) / 2, m = y.size(0) / 2;
  const Tensor rows = at::cat({x.narrow(0, 0, n), y.narrow(0, 0, m)});
  const Tensor labels = at::cat({at::zeros({n}, at::kLong), at::ones({m}, at::kLong)});
  NetworkPlan plan;
  plan.hidden = {100}, plan.batch = 50, plan.input_dropout = 0, plan.hidden_dropout = 0.2;
  plan.epochs = std::clamp<std::int64_t>(rows_seen / (n + m), 10, 200);
  const NetworkClassifier network(rows, labels, 2, plan, rng, observer);
  const double of_a = share(network.predict(x.narrow(0, n, x.size(0) - n)) == 0);
  const double of_b = share(network.predict(y.narrow(0, m, y.size(0) - m)) == 1);
  TestResult result;
  result.statistic = (of_a + of_b) / 2;
  const double rest_a = static_cast<double>(x.size(0) - n), rest_b = static_cast<double>(y.size(0) - m);
  result.held_out = x.size(0) - n + y.size(0) - m;
  result.standard_error = 0.5 * std::sqrt(of_a * (1 - of_a) / rest_a + of_b * (1 - of_b) / rest_b);
  // Under the null both shares are of one classifier on rows of one distribution: with q the probability that
  // it says 0, they are q and 1 - q, their mean has expectation 1/2 and this variance.
  const double q = (of_a * rest_a + (1 - of_b) * rest_b) / (rest_a + rest_b);
  const double deviation = 0.5 * std::sqrt(q * (1 - q) * (1 / rest_a + 1 / rest_b));
  result.p_value = deviation > 0 ? upper_tail((result.statistic - 0.5) / deviation) : 1;
  return result;
}

TestResult mmd_test(const Tensor& a, const Tensor& b, std::int64_t permutations, Rng& rng) {
  if (a.size(0) < 2 || b.size(0) < 2) fail_data("MMD", "expected at least two rows on either side");
  const std::int64_t n = a.size(0), m = b.size(0), all = n + m;
  // In random order, so that the median is over pairs of both sets; `of_a` remembers who is who.
  const std::vector<std::int64_t> order = rng.permutation(all);
  Tensor kernel = squared_distances(at::cat({a, b}).index_select(0, at::tensor(order, at::kLong)));
  const double width = median_square(kernel);
  TestResult result;
  result.scale = std::sqrt(width);
  if (width <= 0) return result;  // most pairs are equal rows: the kernel tells nothing apart
  kernel.mul_(-0.5 / width).exp_();
  take_mean_off(kernel);
  // Row 0 says which rows are of a; the others are random cuts of the same sizes.
  Tensor cuts = at::zeros({1 + permutations, all});
  for (std::int64_t i = 0; i < all; ++i)
    if (order[static_cast<std::size_t>(i)] < n) cuts.data_ptr<float>()[i] = 1;
  for (std::int64_t p = 1; p <= permutations; ++p) {
    const std::vector<std::int64_t> cut = rng.permutation(all);
    for (std::int64_t i = 0; i < n; ++i)
      cuts.data_ptr<float>()[p * all + cut[static_cast<std::size_t>(i)]] = 1;
  }
  const Doubles estimates = mmd_estimates(kernel, cuts, n, m);
  result.statistic = estimates[0];
  const auto not_smaller = std::count_if(estimates.begin() + 1, estimates.end(),
                                         [&](double each) { return each >= estimates[0]; });
  result.p_value = static_cast<double>(1 + not_smaller) / static_cast<double>(1 + permutations);
  return result;
}

Tensor nearest_distances(const Tensor& x, const Tensor& known) {
  const NearestNeighbours neighbours(known.clone(),
                                     std::vector<std::int64_t>(static_cast<std::size_t>(known.size(0))));
  const Tensor nearest = neighbours.nearest(x, 1).squeeze(1);
  return (x.to(at::kDouble) - known.index_select(0, nearest).to(at::kDouble)).square().sum(1).sqrt();
}

}  // namespace deepgen
