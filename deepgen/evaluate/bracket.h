// Both runs of annealed importance sampling, and what they say together.
//
// The forward run alone bounds log Z from below. Its bound from above is as good as the states at which the
// reverse run begins, so these are tested. Reverse chains begin at three sorts of states, each after
// `burn_in` transitions of the model's own chain:
//   data   rows of data
//   ends   ends of the forward run, drawn by their weights
//   free   starts that the data do not choose (free_chains.h), where they come as low in free energy as the
//          other two (below their upper tenth): higher ones hold too little mass to matter
// The interval of log Z is printed only where all of these hold:
//   - the forward value lies above none of the first two reverse values beyond their errors;
//   - the reverse values agree within 0.5 nats beyond their errors;
//   - their log-weights have one distribution (allowed_distance; beside free chains those begun at data are
//     cut off at the same free energy);
//   - mean free energies of data and ends agree within 1 nat beyond three standard errors;
//   - free chains stand where the others do (strays), and nine in ten of them are not far below the
//     complete rows of data.
// Its ends are then the forward value less its margin and the larger of the first two reverse values plus its
// margin: 95 %. Where fewer than 5 chains carry the weight of the forward run and the reverse run has failed a test
// or is carried by as few, or the interval is wider than 5 nats, it is said that neither direction can be trusted. A
// machine whose chains mix fails one of the tests about twice in a thousand runs.
#pragma once

#include <optional>
#include <string>

#include "deepgen/evaluate/annealing.h"

namespace deepgen {

struct AnnealingPlan {
  std::string schedule = "standard";  // schedule.h; adaptive ones are chosen by pilots of `chains` chains
  std::int64_t chains = 100;
  std::int64_t burn_in = 1000;  // transitions from its first state to the start of a reverse chain
};

struct PartitionBracket {
  LogPartition forward, reverse;  // reverse: begun at data
  LogPartition ends, free;        // reverse runs begun elsewhere; free: 0 chains where too few came low
  // 95 %, of log Z. Where the start of the reverse run failed its test there is no upper end, and the lower
  // one holds by Markov's inequality alone: forward - 3.0.
  double lower = 0;
  std::optional<double> upper;
  std::string seen;     // what the test of the start saw, in words
  std::string warning;  // why there is no upper end, or that it is far, or that few chains carry the weight
};

// `data` [rows, D]: where the first sort of reverse chains begins; missing cells are filled. Cost: a run of
// `chains` each way and one of at most that many more, chains x temperatures transitions each.
PartitionBracket bracket_log_partition(const Model& model, const AnnealingPlan& plan, const Tensor& data,
                                       Rng& rng, Observer& observer);

// For choosing among models: log Z from above, the largest of the forward value and the reverse values begun
// at data and at the forward run's ends. Failed runs of either sort make it larger, hardly ever smaller.
struct LogPartitionFromAbove {
  double log_z = 0;
  std::string
      diverged;  // "" unless the runs show that the model holds next to nothing of its mass near the data
};
LogPartitionFromAbove log_partition_from_above(const Model& model, const AnnealingPlan& plan,
                                               const Tensor& data, Rng& rng, Observer& observer);

}  // namespace deepgen
