// Temperatures of annealed importance sampling chosen by the effective sample size: --ais adaptive.
//
// One step from beta to beta' gives chain i the increment u_i of its log-weight. The conditional effective sample
// size of the step, as a share of the chains, is
//
//   cess = (mean exp(u))^2 / mean exp(2 u).
//
// For small steps -log cess is the variance of u, and so grows with the square of the step: with
//
//   length = sqrt(-log cess)
//
// a step cut into m equal parts has parts of 1/m of its length. The schedule of K steps has its temperatures where
// the length along the path, as a pilot run measures it, is divided into K equal parts: all steps then lose the same
// share of the chains, and for that number of steps the weights vary least where chains mix at each temperature. A
// tenth of the steps is spread evenly over beta, whatever the pilot saw. Pilots are rough, so three follow each
// other, each along the schedule that the last one chose.
//
// Pilots draw for themselves, and the run that follows has a fixed schedule that owes nothing to its own chains: it
// is unbiased for Z as any other, forward and, along the same temperatures, in reverse (annealing.h). A bad pilot
// makes the estimate noisier, never wrong.
//
// Sources: Zhou, Johansen, Aston 2016, "Toward automatic model comparison: an adaptive sequential Monte Carlo
// approach", section 3.3 (the conditional effective sample size); Gelman and Meng 1998, section 4.3 (length).
#pragma once

#include <string>
#include <vector>

#include "deepgen/core/observer.h"
#include "deepgen/core/rng.h"
#include "deepgen/evaluate/schedule.h"
#include "deepgen/model/capabilities.h"

namespace deepgen {

// sqrt(-log cess) of the increments u [chains] float64.
double step_length(const Tensor& increments);

// `steps` steps from 0 to 1 with equal shares of the lengths of the steps between `betas`, a tenth spread evenly.
std::vector<double> equal_lengths(const std::vector<double>& betas, const std::vector<double>& lengths,
                                  std::int64_t steps);

// The schedule of this name for this model: annealing_schedule, but for adaptive ones, whose pilots run `chains`
// chains along three quarters of the temperatures in all. The generator does not advance.
std::vector<double> schedule_for(const CanAnneal& model, const std::string& name, std::int64_t chains,
                                 const Rng& rng, Observer& observer);

}  // namespace deepgen
