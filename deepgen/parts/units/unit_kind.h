// The kinds of stochastic units and what is known of them without torch.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "deepgen/core/error.h"
#include "deepgen/data/files/column_group.h"

namespace deepgen {

// binary      0 or 1
// softmax     one-hot within a group of columns
// mean_field  real in [0, 1]
// stepped     0 .. N: the number of units that are on among N copies of a binary unit with tied weights and
//             biases shifted by -0.5, -1.5, ...
// rectified   0, 1, 2, ...: the same with endlessly many copies; its noisy rectified linear approximation is
//             the sample max(0, a + n), n of variance sigmoid(a)
// count       0, 1, 2, ...: Poisson
// gaussian    real
enum class UnitKind { binary, softmax, mean_field, stepped, rectified, count, gaussian };

inline const std::vector<std::string>& unit_kind_names() {
  static const std::vector<std::string> names = {"binary",    "softmax", "mean_field", "stepped",
                                                 "rectified", "count",   "gaussian"};
  return names;
}

inline UnitKind unit_kind(const std::string& name, const std::string& who) {
  const std::vector<std::string>& names = unit_kind_names();
  for (std::size_t i = 0; i < names.size(); ++i)
    if (names[i] == name) return static_cast<UnitKind>(i);
  fail_usage(who, unknown_name("kind of units", name, names));
}

// The units that hold columns of this kind.
inline UnitKind unit_kind(ColumnKind kind) { return unit_kind(name_of(kind), "data"); }

// How fast a unit's log partition function grows with its input, which decides which pairs of layers have a
// finite log Z: at most linearly, like a square, or like an exponential.
enum class Growth { linear, quadratic, exponential };

inline Growth growth_of(UnitKind kind) {
  if (kind == UnitKind::count) return Growth::exponential;
  if (kind == UnitKind::gaussian || kind == UnitKind::rectified) return Growth::quadratic;
  return Growth::linear;
}

}  // namespace deepgen
