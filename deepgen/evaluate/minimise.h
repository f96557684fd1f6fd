// Minimises a smooth function from its gradient: L-BFGS (Liu and Nocedal 1989) with a line search that holds
// to the weak Wolfe conditions, and near the optimum, where differences of values drown in rounding, to their
// form in slopes (Hager and Zhang 2005, "approximate Wolfe"). Serial and deterministic.
#pragma once

#include <functional>
#include <vector>

namespace deepgen {

// The value at x; fills gradient, which has the size of x.
using Objective = std::function<double(const std::vector<double>& x, std::vector<double>& gradient)>;

struct MinimisePlan {
  double tolerance = 1e-5;         // of the gradient's largest component
  int most_steps = 1000;           // each costs one evaluation, seldom more
  std::function<void(int)> after;  // called after every step with their number; may throw to stop
};

struct Minimum {
  std::vector<double> x;
  double value = 0, gradient_size = 0;  // the largest component of the gradient
  int steps = 0;
  bool converged = false;  // gradient_size <= tolerance
};

// From `start`; throws a numerical error when the function is not finite there. Ends without convergence
// after most_steps, or where no step along the direction helps any more.
Minimum minimise(const Objective& objective, std::vector<double> start, const MinimisePlan& plan = {});

}  // namespace deepgen
