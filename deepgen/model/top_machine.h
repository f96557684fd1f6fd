// Models whose cases come down from the states of a machine: the upper layers of a belief net, of which the rest
// is directed, or one half of a deep Boltzmann machine.
//
// What is run as a chain and annealed is that machine; its log Z is what the bound of the model owes. Chains
// of other models are their own: for them the functions below give back what they are given.
#pragma once

#include "deepgen/model/capabilities.h"

namespace deepgen {

class HasTopMachine {
 public:
  virtual ~HasTopMachine() = default;
  virtual const Model& top_machine() const = 0;
  // States of the machine that the model infers from cases x [B, D], a draw each: where its chains may begin.
  // They follow the machine's distribution as nearly as inference follows the posterior.
  virtual Tensor states_of(const Tensor& x, Rng& rng) const = 0;
  // A case drawn given each state, exactly, or the means of its cells given the layer above them: [B, D].
  virtual Tensor cases_of(const Tensor& states, bool means, Rng& rng) const = 0;
};

// The machine that chains run in.
inline const Model& machine_of(const Model& model) {
  const auto* top = dynamic_cast<const HasTopMachine*>(&model);
  return top ? top->top_machine() : model;
}

// Its states, of cases x [B, D].
inline Tensor machine_states(const Model& model, const Tensor& x, Rng& rng) {
  const auto* top = dynamic_cast<const HasTopMachine*>(&model);
  return top ? top->states_of(x, rng) : x;
}

// Cases that its states stand for; of a model that is its own machine `means` are those of a transition.
inline Tensor machine_cases(const Model& model, const Tensor& states, bool means, Rng& rng) {
  if (const auto* top = dynamic_cast<const HasTopMachine*>(&model)) return top->cases_of(states, means, rng);
  return means ? dynamic_cast<const HasChain&>(model).chain_mean(states, rng) : states;
}

}  // namespace deepgen
