// The Ising model on an n x n torus at coupling K = 1 / temperature, without a field:
//
//   p(s) = exp(K sum_<ij> s_i s_j) / Z,   s_i = -1 or +1, <ij> the 2 n^2 pairs of neighbours, n >= 3.
#pragma once

#include <bit>
#include <cstdint>
#include <vector>

#include "deepgen/core/rng.h"

namespace deepgen::generated {

// log Z, exact for every n. Source: Kaufman 1949, "Crystal statistics. II. Partition function evaluated by
// spinor analysis"; in the notation of Ferdinand, Fisher 1969, "Bounded and inhomogeneous Ising models. I".
double ising_log_partition(int n, double coupling);

// The entropy in nats: log Z - K d log Z / dK. Accurate to about 1e-8 of n^2.
double ising_entropy(int n, double coupling);

// Exact, independent samples by the powers of the transfer matrix from row to row, n <= 10.
// Memory n 4^n numbers (80 MB at 10); a sample costs n 2^n.
class IsingTransferSampler {
 public:
  IsingTransferSampler(int n, double coupling);
  // Writes n x n bytes 0 or 1.
  void sample(Rng& rng, std::uint8_t* spins) const;
  static constexpr int largest = 10;

 private:
  void fill_powers(double coupling);
  // Entry (from, to) of the symmetric transfer matrix.
  double entry(std::size_t from, std::size_t to) const {
    return root_weight_[from] * across_[static_cast<std::size_t>(std::popcount(from ^ to))] *
           root_weight_[to];
  }
  const double* power(int exponent) const { return powers_[static_cast<std::size_t>(exponent - 1)].data(); }

  int n_;
  std::size_t states_;                       // of a row: 2^n
  std::vector<double> root_weight_;          // [states] exp(K/2 sum of the row's own pairs)
  std::vector<double> across_;               // [n + 1] by the number of spins in which two rows differ
  std::vector<std::vector<double>> powers_;  // [n][states, states], each up to a factor
  std::vector<double> first_row_;            // [states] cumulative
};

// Swendsen-Wang sweeps from a random start: nearly exact for larger n.
// Source: Swendsen, Wang 1987, "Nonuniversal critical dynamics in Monte Carlo simulations".
void ising_cluster_sample(int n, double coupling, int sweeps, Rng& rng, std::uint8_t* spins);

}  // namespace deepgen::generated
