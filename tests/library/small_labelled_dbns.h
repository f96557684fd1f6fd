// Small deep belief networks with labels, and the same in plain double precision.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "deepgen/models/belief/labelled_dbn.h"
#include "tests/library/machines.h"

namespace deepgen::small_labelled_dbns {

using namespace machines;

inline constexpr std::int64_t columns = 5, classes = 3;

struct Wanted {
  std::string layers = "4,3", learning = "cd", visible_units = "auto", inputs = "samples";
  double up_down = 0.5;
  ValueKind values = ValueKind::binary;
  std::int64_t visible = columns;
};

// Rows of bits, every fourth without a label where `gaps` is set.
inline Rows some_rows(std::int64_t count, std::uint64_t seed, bool gaps = false,
                      std::int64_t visible = columns) {
  Rng rng(seed);
  const Tensor x = bits_tensor(count, visible, rng, 0.4);
  Tensor y = at::arange(count, at::kLong).remainder(classes);
  if (gaps) y.masked_fill_(at::arange(count, at::kLong).remainder(4) == 3, -1);
  return {x, y};
}

inline std::shared_ptr<LabelledDbn> new_dbn(const Wanted& wanted, std::uint64_t seed) {
  LabelledDbnOptions options;
  options.layers = wanted.layers, options.visible_units = wanted.visible_units;
  LabelledDbnLearning learning;
  learning.learning = wanted.learning, learning.up_down = wanted.up_down, learning.inputs = wanted.inputs;
  DataShape data = bits_shape(wanted.visible, classes);
  data.values = wanted.values;
  const auto dbn = std::make_shared<LabelledDbn>(options, learning, data);
  Rng rng(seed);
  dbn->initialise(some_rows(60, seed, false, wanted.visible), rng);
  return dbn;
}

// Every parameter drawn anew: recognition and generative weights have nothing in common.
inline std::shared_ptr<LabelledDbn> random_dbn(const Wanted& wanted, double scale, std::uint64_t seed) {
  const auto dbn = new_dbn(wanted, seed);
  Rng rng(seed + 1);
  randomise(*dbn, scale, rng);
  return dbn;
}

// By the definitions alone, in double precision. Layer 0 are the cases.
struct PlainLabelledDbn {
  struct Layer {
    std::int64_t below, above;
    Doubles up, down, up_bias, down_bias;  // R, G [below, above], c, b
  };
  std::vector<Layer> layers;
  std::vector<Doubles> top;    // log p of the states of layer L - 1 and each label
  std::vector<Doubles> cases;  // log p of the cases and each label

  explicit PlainLabelledDbn(const LabelledDbn& dbn) {
    for (std::size_t l = 0; l < dbn.levels(); ++l) {
      const Rbm& rbm = dbn.machine(l);
      layers.push_back({rbm.visible(), rbm.hidden(), doubles(rbm.weights), doubles(dbn.generative_weights(l)),
                        doubles(rbm.hidden_bias), doubles(rbm.visible_bias)});
    }
    const PlainRbm joint(dbn.top().joint());
    const std::int64_t units = dbn.top().columns();
    Doubles all;
    for (std::int64_t y = 0; y < dbn.classes(); ++y) {
      Doubles of_label;
      for (std::int64_t h = 0; h < std::int64_t{1} << units; ++h)
        of_label.push_back(joint.log_unnormalised(h | std::int64_t{1} << (units + y)));
      all.insert(all.end(), of_label.begin(), of_label.end());
      top.push_back(of_label);
    }
    const double log_z = log_sum_exp(all);
    for (Doubles& of_label : top) {
      for (double& each : of_label) each -= log_z;
      Doubles down = of_label;
      for (std::size_t l = layers.size(); l > 0; --l) down = one_down(l - 1, down);
      cases.push_back(down);
    }
  }
  Doubles one_down(std::size_t l, const Doubles& above) const {
    Doubles below;
    for (std::int64_t v = 0; v < std::int64_t{1} << layers[l].below; ++v) {
      Doubles terms;
      for (std::size_t h = 0; h < above.size(); ++h)
        terms.push_back(log_down(l, v, static_cast<std::int64_t>(h)) + above[h]);
      below.push_back(log_sum_exp(terms));
    }
    return below;
  }
  static double log_bit(bool on, double a) { return (on ? a : 0) - std::log1p(std::exp(a)); }
  double log_down(std::size_t l, std::int64_t v, std::int64_t h) const {
    const Layer& m = layers[l];
    double sum = 0;
    for (std::int64_t i = 0; i < m.below; ++i) {
      double a = m.down_bias[size(i)];
      for (std::int64_t j = 0; j < m.above; ++j) a += (h >> j & 1) != 0 ? m.down[size(i * m.above + j)] : 0;
      sum += log_bit((v >> i & 1) != 0, a);
    }
    return sum;
  }
  double log_up(std::size_t l, std::int64_t v, std::int64_t h) const {
    const Layer& m = layers[l];
    double sum = 0;
    for (std::int64_t j = 0; j < m.above; ++j) {
      double a = m.up_bias[size(j)];
      for (std::int64_t i = 0; i < m.below; ++i) a += (v >> i & 1) != 0 ? m.up[size(i * m.above + j)] : 0;
      sum += log_bit((h >> j & 1) != 0, a);
    }
    return sum;
  }
  // log p of the cases, the label summed out.
  Doubles log_prob() const {
    Doubles all;
    for (std::size_t v = 0; v < cases[0].size(); ++v) {
      Doubles terms;
      for (const Doubles& of_label : cases) terms.push_back(of_label[v]);
      all.push_back(log_sum_exp(terms));
    }
    return all;
  }
  // E_q[log p - log q] of a state of layer l, from there up.
  double bound(std::int64_t v, std::size_t l = 0) const {
    if (l == layers.size()) {
      Doubles terms;
      for (const Doubles& of_label : top) terms.push_back(of_label[size(v)]);
      return log_sum_exp(terms);
    }
    double sum = 0;
    for (std::int64_t h = 0; h < std::int64_t{1} << layers[l].above; ++h) {
      const double log_q = log_up(l, v, h);
      sum += std::exp(log_q) * (log_down(l, v, h) - log_q + bound(h, l + 1));
    }
    return sum;
  }
};

// Of all states by the library, less log Z.
inline Tensor bound_of_states(const LabelledDbn& dbn, std::int64_t draws, Rng& rng) {
  return dbn.log_prob_bound(all_states(columns), draws, rng) - *dbn.exact_log_partition();
}

inline const std::vector<Wanted> stacks = {
    {.layers = "4,3"}, {.layers = "4,3,3"}, {.layers = "4,3", .up_down = 0}, {.layers = "4"}};

}  // namespace deepgen::small_labelled_dbns
