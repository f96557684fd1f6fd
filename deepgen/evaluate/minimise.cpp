#include "deepgen/evaluate/minimise.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <deque>
#include <limits>
#include <numeric>
#include <utility>

#include "deepgen/core/error.h"

namespace deepgen {
namespace {

using Vector = std::vector<double>;

constexpr std::size_t memory = 10;       // pairs kept: more seldom pays
constexpr int most_trials = 40;          // of one line search; halving 40 times leaves nothing of a step
constexpr double decrease = 1e-4;        // the share of the promised decrease that is asked for
constexpr double flattening = 0.9;       // the share of the slope that may be left
constexpr double value_rounding = 1e-7;  // relative; the values come from products in float32

double dot(const Vector& a, const Vector& b) {
  return std::inner_product(a.begin(), a.end(), b.begin(), 0.0);
}

void add(Vector& to, double factor, const Vector& x) {
  for (std::size_t i = 0; i < to.size(); ++i) to[i] += factor * x[i];
}

double largest(const Vector& v) {
  double size = 0;
  for (const double x : v) size = std::max(size, std::abs(x));
  return size;
}

struct Point {
  Vector x, gradient;
  double value = 0;
};

// A change of place and the change of gradient that went with it.
struct Pair {
  Vector place, gradient;
  double product;
};

// The direction of descent: minus the gradient times the inverse curvature that the pairs tell of.
Vector direction_at(const Point& at, const std::deque<Pair>& pairs) {
  Vector d = at.gradient;
  Vector weights(pairs.size());
  for (std::size_t i = pairs.size(); i-- > 0;) {
    weights[i] = dot(pairs[i].place, d) / pairs[i].product;
    add(d, -weights[i], pairs[i].gradient);
  }
  double scale = 1 / std::max(1.0, std::sqrt(dot(d, d)));  // the first step has at most length 1
  if (!pairs.empty()) scale = pairs.back().product / dot(pairs.back().gradient, pairs.back().gradient);
  for (double& x : d) x *= scale;
  for (std::size_t i = 0; i < pairs.size(); ++i)
    add(d, weights[i] - dot(pairs[i].gradient, d) / pairs[i].product, pairs[i].place);
  for (double& x : d) x = -x;
  return d;
}

// Moves `at` along d by bisection and doubling; false when no step passes.
bool line_search(const Objective& objective, Point& at, const Vector& d) {
  const double slope = dot(at.gradient, d);
  if (!(slope < 0)) return false;
  double low = 0, high = std::numeric_limits<double>::infinity(), step = 1;
  const double slack = value_rounding * std::abs(at.value);
  Point next = at;
  for (int trial = 0; trial < most_trials; ++trial) {
    next.x = at.x;
    add(next.x, step, d);
    next.value = objective(next.x, next.gradient);
    const double new_slope = dot(next.gradient, d);
    const bool lower = next.value <= at.value + decrease * step * slope;
    const bool level = next.value <= at.value + slack && new_slope <= (2 * decrease - 1) * slope;
    if (!std::isfinite(next.value + new_slope) || !(lower || level)) {
      high = step;
    } else if (new_slope < flattening * slope) {
      low = step;
    } else {
      at = std::move(next);
      return true;
    }
    step = std::isfinite(high) ? (low + high) / 2 : 2 * low;
  }
  return false;
}

}  // namespace

Minimum minimise(const Objective& objective, Vector start, const MinimisePlan& plan) {
  Point at{std::move(start), {}, 0};
  at.gradient.resize(at.x.size());
  at.value = objective(at.x, at.gradient);
  if (!std::isfinite(at.value) || !std::isfinite(dot(at.gradient, at.gradient)))
    fail_numerical("minimise", "the function is not finite at the start");
  std::deque<Pair> pairs;
  int steps = 0;
  while (largest(at.gradient) > plan.tolerance && steps < plan.most_steps) {
    Pair pair{at.x, at.gradient, 0};
    if (!line_search(objective, at, direction_at(at, pairs))) {
      if (pairs.empty()) break;
      pairs.clear();  // once more along the gradient itself
      continue;
    }
    for (std::size_t i = 0; i < at.x.size(); ++i) {
      pair.place[i] = at.x[i] - pair.place[i];
      pair.gradient[i] = at.gradient[i] - pair.gradient[i];
    }
    pair.product = dot(pair.place, pair.gradient);
    if (pair.product > 0) pairs.push_back(std::move(pair));
    if (pairs.size() > memory) pairs.pop_front();
    ++steps;
    if (plan.after) plan.after(steps);
  }
  const double size = largest(at.gradient);
  return {std::move(at.x), at.value, size, steps, size <= plan.tolerance};
}

}  // namespace deepgen
