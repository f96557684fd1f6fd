// Options that the machines with dynamic biases share (dynamic_bias_rbm.h). Torch-free.
#pragma once

#include "deepgen/core/options.h"

namespace deepgen {

struct DynamicBiasOptions : Options {
  std::int64_t hidden = 200;
  std::string variance = "learned";
  double smallest_deviation = 0.01;
  double weight_scale = 0.01;

  void visit(OptionVisitor& v) override {
    v.field({"hidden", "binary hidden units; at most 12 make every conditional likelihood exact", 1, 1e6},
            hidden);
    v.field(
        {"variance",
         "variance of Gaussian units given the hidden ones: learned column by column, or fixed at the mean "
         "variance of the columns",
         0,
         0,
         {"learned", "fixed"}},
        variance);
    v.field({"smallest_deviation",
             "floor of the learned standard deviations, as a share of each column's own deviation", 1e-4, 1},
            smallest_deviation);
    v.field({"weight_scale", "standard deviation of the initial weights", 0, 10}, weight_scale);
  }
};

struct DynamicBiasLearning : Options {
  std::string learning = "cd";
  std::int64_t gibbs_steps = 1;

  void visit(OptionVisitor& v) override {
    v.field({"learning",
             "where the model's statistics come from: cd (chains that restart at the data), or exact "
             "(enumeration; at most 12 hidden units, or 12 binary ones that are modelled)",
             0,
             0,
             {"cd", "exact"}},
            learning);
    v.field({"gibbs_steps", "Gibbs steps an update (cd)", 1, 1e5}, gibbs_steps);
  }
};

}  // namespace deepgen
