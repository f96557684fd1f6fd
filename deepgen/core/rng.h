// Counter-based randomness: a generator is a key and the number of streams it has handed out.
//
// Nothing is saved in a checkpoint: a generator is forked anew from (seed, stage, step, phase, repeat), so a
// resumed run draws what an uninterrupted one draws, and no draw depends on the number of threads.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <vector>

#include "deepgen/core/philox.h"

namespace deepgen {

class Rng {
 public:
  explicit Rng(std::uint64_t seed);

  // An independent generator for this path of numbers; this generator does not advance.
  Rng fork(std::initializer_list<std::uint64_t> path) const;

  // A fresh stream for one call of a kernel; the generator advances.
  Stream next();

  std::uint64_t bits();                                   // 64 random bits
  std::uint64_t below(std::uint64_t n);                   // uniform in 0..n-1, without bias; n > 0
  double uniform();                                       // in [0, 1), 53 bits
  double normal();                                        // standard normal (Box-Muller, one of the pair)
  std::vector<std::int64_t> permutation(std::int64_t n);  // of 0..n-1 (Fisher-Yates)

 private:
  std::uint64_t key_;
  std::uint64_t calls_ = 0;
};

}  // namespace deepgen
