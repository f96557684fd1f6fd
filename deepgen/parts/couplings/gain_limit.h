// The limit on the weights between units that can grow without bound (Gaussian and rectified ones), without
// which an energy has no finite normaliser.
//
// Let y and h hold states of such units alone. The energy along a direction,
//
//   (|y|^2 + |h|^2) / 2 - y W h,
//
// is bounded below only while the gain
//
//   y W h / (|y| |h|) < 1
//
// for all of them (y, h >= 0 where the units are rectified). The largest gain is looked for by power
// iteration: a search over directions, not a proof, since with rectified units it has many local maxima.
#pragma once

#include "deepgen/core/rng.h"
#include "deepgen/parts/couplings/coupling.h"
#include "deepgen/parts/units/unit_layer.h"

namespace deepgen {

// Directions of the units of a layer that can grow without bound: all of Gaussian columns, the non-negative
// ones of rectified columns, none of the others.
class UnboundedUnits {
 public:
  explicit UnboundedUnits(const UnitLayer& layer);
  bool any() const { return any_; }
  Tensor project(const Tensor& x) const { return x * gaussian_ + x.clamp_min(0) * rectified_; }

 private:
  bool any_;
  Tensor gaussian_, rectified_;  // [N] float 0 or 1
};

class GainLimit {
 public:
  static constexpr std::int64_t directions = 12;  // that are followed from update to update
  static constexpr double limit = 0.99;

  GainLimit(const UnitLayer& lower, const UnitLayer& upper) : lower_(lower), upper_(upper) {}

  bool needed() const { return lower_.any() && upper_.any(); }

  // Directions of the upper side to begin with, [directions, M].
  Tensor random_directions(std::int64_t upper_units, Rng& rng) const;

  // After an update: moves some of the directions on by a round of power iteration and, where the largest
  // gain among them is above the limit, takes the excess out of that direction alone.
  void apply(const Coupling& coupling, Tensor& followed, std::int64_t step);

  // The largest gain that `rounds` rounds from `starts` starts find; 0 where no pair of units needs it.
  double largest_gain(const Coupling& coupling, int rounds, int starts) const;

 private:
  UnboundedUnits lower_, upper_;
  Tensor y_, h_;  // [some, N], [some, M]
};

}  // namespace deepgen
