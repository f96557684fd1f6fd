// Where a model's chains go when no data lead them, and whether that is where the data are.
//
// Chains begun at data may stay in the region of the data although the model holds most of its mass
// elsewhere. Nothing can prove that they do not; chains begun far from the data can show that they do.
#pragma once

#include <string>
#include <vector>

#include "deepgen/core/rng.h"
#include "deepgen/model/capabilities.h"

namespace deepgen {

// Starts that the data do not choose, [count, D], by turns: a draw of the chain's own start (the data's
// marginals), a row of `data` reflected within the range of its columns (binary: every bit turned over), and
// independent uniform values within that range. `data` [rows, D] without missing cells.
Tensor dispersed_starts(const HasChain& chain, const Tensor& data, std::int64_t count, Rng& rng);

// How many of `chains` [n, D] stand where few of `reference` [m, D] do: farther from the k-th nearest of them
// than all but k of these are from theirs, k being 3 % of m. `allowed`: four standard deviations above the
// number to be expected where both were drawn alike; about one false alarm in a thousand.
struct Strays {
  std::int64_t count = 0;
  double allowed = 0;
};
Strays strays(const Tensor& chains, const Tensor& reference);

// The largest distance between two empirical distribution functions (Kolmogorov and Smirnov), and what it may
// be between samples of effective sizes n and m drawn alike, with one false alarm in a thousand.
double distribution_distance(const Tensor& a, const Tensor& b);
double allowed_distance(double n, double m);

// In words, that free chains have left the data: nine in ten lie more than 3 nats of free energy below every
// row of data. "" where they have not, where there are fewer than 20 rows or 10 chains.
std::string leaving_the_data(const Tensor& free_energies_of_chains, const Tensor& free_energies_of_data);

// The same of 100 chains after 200 transitions from the chain's own start, against at most 500 rows of `data`
// [rows, D]. Such a model holds states probable that look like none of its data: training has diverged. ""
// for models without free energy or chain. Samples of a model that fits its data lie about as low as the data
// do.
std::string free_chains_leave_data(const Model& model, const Tensor& data, Rng& rng);

}  // namespace deepgen
