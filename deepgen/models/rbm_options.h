// Options of the binary restricted Boltzmann machine (rbm.h). Torch-free, so that usage errors answer at
// once.
#pragma once

#include <charconv>
#include <string_view>

#include "deepgen/core/error.h"
#include "deepgen/core/options.h"

namespace deepgen {

// Gibbs steps an update at the beginning and at the end of training.
struct GibbsRange {
  std::int64_t first = 1, last = 1;
};

// "K" or "A..B" with A <= B; anything else is a usage error.
inline GibbsRange parse_gibbs_steps(const std::string& text) {
  auto number = [&](std::string_view part) {
    std::int64_t value = 0;
    const auto [end, code] = std::from_chars(part.data(), part.data() + part.size(), value);
    const bool whole = code == std::errc() && end == part.data() + part.size();
    if (!whole || value < 1 || value > 100000)
      fail_usage("training.gibbs_steps",
                 "expected K or A..B with numbers from 1 to 100000, got '" + text + "'");
    return value;
  };
  const std::string_view view = text;
  const auto dots = view.find("..");
  if (dots == std::string_view::npos) return {number(view), number(view)};
  const GibbsRange range{number(view.substr(0, dots)), number(view.substr(dots + 2))};
  if (range.first > range.last)
    fail_usage("training.gibbs_steps", "expected A..B with A at most B, got '" + text + "'");
  return range;
}

struct RbmOptions : Options {
  std::int64_t hidden = 500;
  double weight_scale = 0.01;

  void visit(OptionVisitor& v) override {
    v.field({"hidden", "hidden units; at most 25 make every likelihood exact", 1, 1e6}, hidden);
    v.field({"weight_scale", "standard deviation of the initial weights", 0, 10}, weight_scale);
  }
};

struct RbmLearning : Options {
  std::string learning = "pcd";
  std::string gibbs_steps = "1";
  std::int64_t chains = 100;
  bool centring = true;
  double offset_rate = 0.01;
  double sparsity = 0;
  double sparsity_cost = 0.01;

  void check() const override { parse_gibbs_steps(gibbs_steps); }
  void visit(OptionVisitor& v) override {
    v.field({"learning",
             "where the model's statistics come from: cd (chains restart at the data), pcd (chains persist), "
             "exact (enumeration; small machines only)",
             0,
             0,
             {"cd", "pcd", "exact"}},
            learning);
    v.field({"gibbs_steps", "Gibbs steps an update: K, or A..B to raise it evenly over the run"},
            gibbs_steps);
    v.field({"chains", "persistent chains (pcd)", 1, 1e6}, chains);
    v.field({"centring", "subtract moving averages from the units in the gradient; the energy stays plain"},
            centring);
    v.field({"offset_rate", "how fast the offsets of centring follow the units' means", 0, 1}, offset_rate);
    v.field({"sparsity", "wanted mean activity of a hidden unit; 0 wants nothing", 0, 1}, sparsity);
    v.field({"sparsity_cost", "weight of the sparsity target in the gradient", 0, 1e3}, sparsity_cost);
  }
};

}  // namespace deepgen
