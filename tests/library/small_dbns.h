// Small deep belief networks, and the same in plain double precision.
#pragma once

#include <string>
#include <vector>

#include "deepgen/models/belief/dbn.h"
#include "tests/library/machines.h"

namespace deepgen::small_dbns {

using namespace machines;

inline constexpr std::int64_t columns = 6;

struct Wanted {
  std::string layers = "4,3", start = "transpose", learning = "pcd";
  double weight_scale = 0.01;
  std::int64_t visible = columns;
};

inline std::shared_ptr<Dbn> new_dbn(const Wanted& wanted, const Tensor& rows, std::uint64_t seed) {
  DbnOptions options;
  options.layers = wanted.layers, options.start = wanted.start, options.weight_scale = wanted.weight_scale;
  DbnLearning learning;
  learning.learning = wanted.learning;
  const auto dbn = std::make_shared<Dbn>(options, learning, bits_shape(wanted.visible));
  Rng rng(seed);
  dbn->initialise(rows, rng);
  return dbn;
}

inline Tensor some_rows(std::int64_t count, std::uint64_t seed) {
  Rng rng(seed);
  return bits_tensor(count, columns, rng, 0.3);
}

inline void randomise_layer(Dbn& dbn, const std::string& layer, double scale, Rng& rng) {
  NoGradGuard no_graph;
  for (auto& item : dbn.named_parameters())
    if (item.key().starts_with(layer + "."))
      item.value().copy_(normal_tensor(item.value().sizes(), scale, rng));
}

inline std::shared_ptr<Dbn> random_dbn(const Wanted& wanted, double scale, std::uint64_t seed) {
  const auto dbn = new_dbn(wanted, some_rows(60, seed), seed);
  Rng rng(seed + 1);
  randomise(*dbn, scale, rng);
  return dbn;
}

inline double sum_of(const Doubles& values) {
  double sum = 0;
  for (const double each : values) sum += each;
  return sum;
}

// Layers of bits in double precision, by their definitions alone. Layer 0 are the cases.
struct PlainDbn {
  std::vector<PlainRbm> machines;
  Doubles top;    // log p of the states of the layer below the uppermost
  Doubles cases;  // log p of the cases

  explicit PlainDbn(const Dbn& dbn) {
    for (std::size_t l = 0; l < dbn.depth(); ++l) machines.emplace_back(dbn.machine(l));
    top = machines.back().log_unnormalised();
    const double log_z = log_sum_exp(top);
    for (double& each : top) each -= log_z;
    cases = top;
    for (std::size_t l = machines.size() - 1; l > 0; --l) cases = one_down(l - 1, cases);
  }
  Doubles one_down(std::size_t l, const Doubles& above) const {
    Doubles below;
    for (std::int64_t v = 0; v < std::int64_t{1} << machines[l].V; ++v) {
      Doubles terms;
      for (std::size_t h = 0; h < above.size(); ++h)
        terms.push_back(log_down(l, v, static_cast<std::int64_t>(h)) + above[h]);
      below.push_back(log_sum_exp(terms));
    }
    return below;
  }
  static double log_bit(bool on, double a) { return (on ? a : 0) - std::log1p(std::exp(a)); }
  double log_down(std::size_t l, std::int64_t v, std::int64_t h) const {
    const PlainRbm& m = machines[l];
    double sum = 0;
    for (std::int64_t i = 0; i < m.V; ++i) {
      double a = m.b[size(i)];
      for (std::int64_t j = 0; j < m.H; ++j) a += (h >> j & 1) != 0 ? m.w[size(i * m.H + j)] : 0;
      sum += log_bit((v >> i & 1) != 0, a);
    }
    return sum;
  }
  double log_up(std::size_t l, std::int64_t v, std::int64_t h) const {
    const PlainRbm& m = machines[l];
    double sum = 0;
    for (std::int64_t j = 0; j < m.H; ++j) {
      double a = m.c[size(j)];
      for (std::int64_t i = 0; i < m.V; ++i) a += (v >> i & 1) != 0 ? m.w[size(i * m.H + j)] : 0;
      sum += log_bit((h >> j & 1) != 0, a);
    }
    return sum;
  }
  // E_q[log p - log q] of a state of layer l, from there up.
  double bound(std::int64_t v, std::size_t l = 0) const {
    if (l + 1 == machines.size()) return top[size(v)];
    double sum = 0;
    for (std::int64_t h = 0; h < std::int64_t{1} << machines[l].H; ++h) {
      const double log_q = log_up(l, v, h);
      sum += std::exp(log_q) * (log_down(l, v, h) - log_q + bound(h, l + 1));
    }
    return sum;
  }
  double mean_bound(const Tensor& x) const {
    double sum = 0;
    for (const std::int64_t v : state_numbers(x)) sum += bound(v);
    return sum / real(x.size(0));
  }
};

// Of all states by the library, less log Z.
inline Tensor bound_of_states(const Dbn& dbn, std::int64_t draws, Rng& rng) {
  return dbn.log_prob_bound(all_states(columns), draws, rng) - *dbn.exact_log_partition();
}

inline const std::vector<Wanted> stacks = {{.layers = "4,3"}, {.layers = "5,4,3"}, {.layers = "4"}};

}  // namespace deepgen::small_dbns
