// Small general Boltzmann machines, and one in plain double precision: every quantity is a sum over the
// states of all units, by the definition of the energy alone.
#pragma once

#include "deepgen/models/boltzmann/boltzmann_machine.h"
#include "tests/library/machines.h"

namespace deepgen::machines {

struct PlainBoltzmannMachine {
  std::int64_t V, H;
  Doubles pairs, b;

  explicit PlainBoltzmannMachine(const BoltzmannMachine& machine)
      : V(machine.visible()),
        H(machine.hidden()),
        pairs(doubles(machine.pair_weights)),
        b(doubles(machine.biases)) {}

  std::int64_t units() const { return V + H; }
  // -E(s), the units being the bits of a number, visible ones first; pairs are held as (0, 1), (0, 2), ...
  double log_joint(std::int64_t s) const {
    double sum = 0;
    std::size_t pair = 0;
    for (std::int64_t i = 0; i < units(); ++i) {
      if (s >> i & 1) sum += b[size(i)];
      for (std::int64_t j = i + 1; j < units(); ++j, ++pair)
        if ((s >> i & 1) && (s >> j & 1)) sum += pairs[pair];
    }
    return sum;
  }
  Doubles log_joints() const {
    Doubles all;
    for (std::int64_t s = 0; s < std::int64_t{1} << units(); ++s) all.push_back(log_joint(s));
    return all;
  }
  double log_unnormalised(std::int64_t v) const {
    Doubles terms;
    for (std::int64_t h = 0; h < std::int64_t{1} << H; ++h) terms.push_back(log_joint(v | h << V));
    return log_sum_exp(terms);
  }
  Doubles log_unnormalised() const {
    Doubles all;
    for (std::int64_t v = 0; v < std::int64_t{1} << V; ++v) all.push_back(log_unnormalised(v));
    return all;
  }
};

inline std::shared_ptr<BoltzmannMachine> make_boltzmann_machine(std::int64_t visible, std::int64_t hidden,
                                                                double scale, std::uint64_t seed,
                                                                BoltzmannMachineLearning learning = {}) {
  BoltzmannMachineOptions options;
  options.hidden = hidden;
  auto machine = std::make_shared<BoltzmannMachine>(options, learning, bits_shape(visible));
  Rng rng(seed);
  machine->initialise({bits_tensor(64, visible, rng, 0.35), {}}, rng);
  randomise(*machine, scale, rng);
  return machine;
}

inline BoltzmannMachineLearning learning_by(const std::string& how) {
  BoltzmannMachineLearning learning;
  learning.learning = how;
  return learning;
}

// Of the parameters in their order: the pairs, then the biases.
inline Doubles boltzmann_gradient(BoltzmannMachine& machine, const Tensor& x, Rng& rng) {
  machine.gradients({x, {}}, {}, rng);
  Doubles all = doubles(machine.pair_weights.grad());
  for (const double value : doubles(machine.biases.grad())) all.push_back(value);
  return all;
}

}  // namespace deepgen::machines
