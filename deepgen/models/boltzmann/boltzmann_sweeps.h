// Gibbs sweeps over the units of a general Boltzmann machine (boltzmann_machine.h); of use to
// boltzmann_machine*.cpp only.
//
// What each unit of a row receives, a = s W + b, is kept with the row. A unit that flips adds one row of W to
// it or takes it away, so a sweep costs D numbers and D more for each flip, not D^2. In float64: rounding
// does not add up over many flips.
//
// Rows are shared out among threads. The random number of unit j of row r depends on nothing but the stream,
// r, j and D:
//
//   u(r, j) = unit_float(stream.block(r ceil(D / 4) + j / 4)[j % 4]).
#pragma once

#include "deepgen/core/rng.h"
#include "deepgen/core/torch.h"

namespace deepgen {

// One pass over the units first, first + 1, ... of every row, each drawn given all others.
struct UnitSweep {
  double beta = 1;         // a unit receives beta a + (1 - beta) base
  Tensor base = {};        // [D] float64; undefined: zero
  Tensor known = {};       // [B, V] bool, dense: units that stay; undefined: none does
  std::int64_t first = 0;  // units before it stay
  Tensor mean = {};        // [B, D] float32, dense: what each unit's probability was when its turn came
};

class BoltzmannRows {
 public:
  // W [D, D] float32, b [D] float32, s [B, D] float32, dense and taken over.
  BoltzmannRows(const Tensor& weights, const Tensor& biases, Tensor states);

  void sweep(const UnitSweep& how, Rng& rng);
  // The last units of every row become these, [B, H].
  void put_last(const Tensor& values);

  const Tensor& states() const { return states_; }
  const Tensor& received() const { return received_; }  // a [B, D] float64

 private:
  void sweep_row(const UnitSweep& how, const Stream& stream, std::int64_t row);
  void set_unit(std::int64_t row, std::int64_t unit, float value);
  double nanoseconds_a_row() const;

  Tensor weights_, states_, received_;  // W float64
};

}  // namespace deepgen
