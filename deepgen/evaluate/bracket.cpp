#include "deepgen/evaluate/bracket.h"

#include <fmt/format.h>

#include <cmath>

#include "deepgen/core/error.h"
#include "deepgen/evaluate/adaptive_annealing.h"
#include "deepgen/evaluate/free_chains.h"
#include "deepgen/evaluate/missing_cells.h"
#include "deepgen/evaluate/row_pass.h"

namespace deepgen {
namespace {

constexpr std::int64_t fewest_to_compare = 10;  // chains of a sort, below which nothing can be said of it

// The model as annealing sees it.
struct Machine {
  const CanAnneal& annealed;
  const HasChain& chain;
  const HasFreeEnergy* energy;  // nullptr: free energies are not compared

  explicit Machine(const Model& model)
      : annealed(promised<CanAnneal>(model)),
        chain(promised<HasChain>(model)),
        energy(as<HasFreeEnergy>(model)) {}

  template <class Capability>
  static const Capability& promised(const Model& model) {
    const auto* found = as<Capability>(model);
    if (!found) fail_usage("ais", "this model has no annealing path; see `deepgen models`");
    return *found;
  }
};

// Reverse chains of one sort: where they begin, which began at the same state, and what became of them.
struct Sort {
  Tensor states, origins, energies, log_weights;
  LogPartition log_z;
};

Tensor energies_of(const Machine& machine, const Tensor& states) {
  if (!machine.energy || states.size(0) == 0) return at::zeros({states.size(0)}, at::kDouble);
  return machine.energy->free_energy(states);
}

Tensor filled_rows(const Machine& machine, const Tensor& rows, Rng& rng) {
  return at::where(rows.isnan(), machine.chain.chain_start(rows.size(0), rng), rows);
}

// `steps` transitions, a few at a time, so that Ctrl-C is heard.
Tensor burn_in(const Machine& machine, Tensor states, std::int64_t steps, Rng& rng, Observer& observer) {
  constexpr std::int64_t piece = 20;
  Work work(observer, "annealing, burn-in", steps);
  for (std::int64_t done = 0; done < steps; done += piece) {
    const std::int64_t some = std::min(piece, steps - done);
    states = machine.chain.chain_steps(states, some, rng);
    work.advance(some);
  }
  return states;
}

// Fewer rows than chains: rows serve several times; the burn-in draws them apart.
Sort begin_at_data(const Machine& machine, const Tensor& data, std::int64_t count, std::int64_t steps,
                   Rng& rng, Observer& observer) {
  Sort sort;
  sort.origins = at::arange(count, at::kLong).remainder(data.size(0));
  const Tensor filled = filled_rows(machine, data.index_select(0, sort.origins), rng);
  sort.states = burn_in(machine, filled, steps, rng, observer);
  return sort;
}

// Which ends of a forward run `count` chains begin at, drawn by weight: systematic sampling, [count] int64.
Tensor draw_ends(const AnnealedRun& forward, std::int64_t count, Rng& rng) {
  const Tensor shares = at::softmax(forward.log_weights, 0).cumsum(0) * static_cast<double>(count);
  const Tensor points = at::arange(count, at::kDouble) + rng.uniform();
  return at::searchsorted(shares, points).clamp_max(shares.size(0) - 1);
}

// One reverse run for two sorts, for speed.
void run_together(const Machine& machine, const std::vector<double>& schedule, Sort& first, Sort& second,
                  Rng& rng, Observer& observer) {
  const std::int64_t n = first.states.size(0), m = second.states.size(0);
  const AnnealedRun run =
      run_reverse(machine.annealed, schedule, at::cat({first.states, second.states}), {}, rng, observer);
  auto finish = [&](Sort& sort, std::int64_t begin, std::int64_t count) {
    if (count == 0) return;
    sort.log_weights = run.log_weights.narrow(0, begin, count);
    sort.log_z = summarise_weights(sort.log_weights, sort.origins);
    sort.log_z.temperatures = run.log_z.temperatures;
    sort.log_z.value = machine.annealed.log_base_partition() - sort.log_z.value;
  };
  finish(first, 0, n), finish(second, n, m);
}

// Everything that is seen of a model.
struct Evidence {
  LogPartition forward;
  Sort data, ends, free;
  Tensor free_energies;  // of all free chains, the high ones too
  Tensor row_energies;   // of the complete rows of data, where no chain has moved them
  double limit = 0;      // free energy above which free chains are left out
  bool energies = false;
};

// Free chains that came as low in free energy as the others.
void keep_low_chains(const Machine& machine, const Tensor& states, Evidence& seen) {
  seen.free_energies = energies_of(machine, states);
  seen.limit = std::max(at::quantile(seen.data.energies, 0.9).item<double>(),
                        at::quantile(seen.ends.energies, 0.9).item<double>());
  const Tensor low = (seen.free_energies <= seen.limit).nonzero().squeeze(1);
  seen.free.states = states.index_select(0, low);
  seen.free.energies = seen.free_energies.index_select(0, low);
}

Evidence gather(const Machine& machine, const AnnealingPlan& plan, const Tensor& data, Rng& rng,
                Observer& observer) {
  const std::vector<double> schedule =
      schedule_for(machine.annealed, plan.schedule, plan.chains, rng, observer);
  Evidence seen;
  seen.energies = machine.energy != nullptr;
  seen.row_energies = energies_of(machine, complete_rows_only(data));
  const AnnealedRun forward = run_forward(machine.annealed, schedule, plan.chains, rng, observer);
  seen.forward = forward.log_z;
  seen.data = begin_at_data(machine, data, plan.chains, plan.burn_in, rng, observer);
  seen.data.energies = energies_of(machine, seen.data.states);
  const AnnealedRun reverse =
      run_reverse(machine.annealed, schedule, seen.data.states, seen.data.origins, rng, observer);
  seen.data.log_weights = reverse.log_weights, seen.data.log_z = reverse.log_z;
  Rng own = rng.fork({2});  // what comes before draws as if nothing followed
  const std::int64_t others = std::max(plan.chains / 2, std::min<std::int64_t>(plan.chains, 50));
  seen.ends.origins = draw_ends(forward, others, own);
  const Tensor dispersed = dispersed_starts(machine.chain, filled_rows(machine, data, own), others, own);
  const Tensor starts = at::cat({forward.ends.index_select(0, seen.ends.origins), dispersed});
  const Tensor states = burn_in(machine, starts, plan.burn_in, own, observer);
  seen.ends.states = states.narrow(0, 0, others);
  seen.ends.energies = energies_of(machine, seen.ends.states);
  keep_low_chains(machine, states.narrow(0, others, others), seen);
  run_together(machine, schedule, seen.ends, seen.free, own, observer);
  return seen;
}

// ---------------------------------------------------------------- the tests of the start

double joint_margin(const LogPartition& a, const LogPartition& b) {
  return 1.5 * std::hypot(a.margin, b.margin);  // three standard errors of the difference
}

std::string crossing(const LogPartition& forward, const LogPartition& reverse, const char* where) {
  const double excess = forward.value - reverse.value;
  if (excess <= joint_margin(forward, reverse)) return "";
  return fmt::format(
      "the forward run finds {:.1f} nats more log Z than reverse chains begun at {}; a forward estimate "
      "exceeds "
      "log Z by t nats with probability below exp(-t), so the reverse run failed: its chains do not reach "
      "most of the model's mass",
      excess, where);
}

std::string disagreement(const LogPartition& a, const LogPartition& b, const char* where) {
  if (std::abs(a.value - b.value) <= 0.5 + joint_margin(a, b)) return "";
  return fmt::format(
      "reverse chains begun at data and at {} differ by {:.1f} nats of log Z: the chains do not mix between "
      "the regions where they begin",
      where, std::abs(a.value - b.value));
}

// `a`: log-weights of chains begun at data.
std::string unlike_weights(const Tensor& a, const Sort& b, double effective, const char* where) {
  const double n = static_cast<double>(a.size(0));
  const double m = std::min(static_cast<double>(b.states.size(0)), std::max(1.0, effective));
  const double distance = distribution_distance(a, b.log_weights);
  if (distance <= allowed_distance(n, m)) return "";
  return fmt::format(
      "the weights of reverse chains begun at data and at {} are distributed otherwise (by {:.0f} %): they "
      "begin in regions between which the chains do not mix",
      where, 100 * distance);
}

std::string unlike_energies(const Evidence& seen) {
  if (!seen.energies) return "";
  const Tensor &a = seen.data.energies, &b = seen.ends.energies;
  const double m = std::min(static_cast<double>(b.size(0)), std::max(1.0, seen.forward.effective_chains));
  const double error = std::sqrt(a.var(false).item<double>() / static_cast<double>(a.size(0)) +
                                 b.var(false).item<double>() / m);
  const double gap = a.mean().item<double>() - b.mean().item<double>();
  if (std::abs(gap) <= 1 + 3 * error) return "";
  return fmt::format(
      "free energies of chains begun at data lie {:.1f} nats {} those of the forward run's ends: they stand "
      "in "
      "other regions",
      std::abs(gap), gap > 0 ? "above" : "below");
}

std::string stray_chains(const Evidence& seen) {
  const Strays far = strays(seen.free.states, at::cat({seen.data.states, seen.ends.states}));
  if (static_cast<double>(far.count) <= far.allowed) return "";
  return fmt::format(
      "{} of {} free chains stand where neither chains begun at data nor ends of the forward run do, with "
      "free "
      "energies as low as theirs: these regions may hold any share of the model's mass",
      far.count, seen.free_energies.size(0));
}

std::string too_few(const Evidence& seen) {
  const std::int64_t chains = seen.data.states.size(0), low = seen.free.states.size(0);
  if (chains < fewest_to_compare)
    return fmt::format("{} chains are too few to test where reverse chains begin; use {} or more", chains,
                       fewest_to_compare);
  if (low >= fewest_to_compare) return "";
  return fmt::format(
      "{} of {} free chains came as low in free energy as chains begun at data: too few to test where "
      "reverse "
      "chains begin; a longer burn-in may bring them there",
      low, seen.free_energies.size(0));
}

// Why the start of the reverse run cannot be trusted, or "".
std::string why_untested(const Evidence& seen) {
  const char* at_ends = "the forward run's ends";
  const char* at_free = "free chains";
  // Free chains are the low ones alone, so they are compared with the low ones of the others.
  const Tensor low_weights = seen.data.log_weights.masked_select(seen.data.energies <= seen.limit);
  if (seen.energies) {
    std::string left = leaving_the_data(seen.free_energies, seen.row_energies);
    if (!left.empty()) return left;
  }
  for (std::string each :
       {crossing(seen.forward, seen.data.log_z, "data"), crossing(seen.forward, seen.ends.log_z, at_ends),
        disagreement(seen.data.log_z, seen.ends.log_z, at_ends), too_few(seen)})
    if (!each.empty()) return each;
  for (std::string each :
       {stray_chains(seen), disagreement(seen.data.log_z, seen.free.log_z, at_free),
        unlike_weights(seen.data.log_weights, seen.ends, seen.forward.effective_chains, at_ends),
        unlike_weights(low_weights, seen.free, static_cast<double>(seen.free.states.size(0)), at_free)})
    if (!each.empty()) return each;
  return unlike_energies(seen);
}

// ---------------------------------------------------------------- words

std::string describe(const Evidence& seen) {
  auto one = [](const LogPartition& z) {
    const std::string error = z.tells_error() ? fmt::format(" +- {:.2f}", z.standard_error) : "";
    return fmt::format("{:.2f}{} (effective chains {:.1f})", z.value, error, z.effective_chains);
  };
  std::string text = fmt::format("log Z forward {}, reverse from data {}, from the forward run's ends {}",
                                 one(seen.forward), one(seen.data.log_z), one(seen.ends.log_z));
  if (seen.free.log_z.chains > 0) text += ", from free chains " + one(seen.free.log_z);
  if (!seen.energies) return text;
  return text + fmt::format("; mean free energy of these chains {:.1f}, {:.1f}, and {:.1f} of {} free ones",
                            seen.data.energies.mean().item<double>(),
                            seen.ends.energies.mean().item<double>(),
                            seen.free_energies.mean().item<double>(), seen.free_energies.size(0));
}

constexpr double fewest_effective = 5;  // chains

bool is_carried_by_few(const LogPartition& side) { return side.effective_chains < fewest_effective; }

std::string few_chains(const LogPartition& side, const char* direction, const char* effect) {
  if (!is_carried_by_few(side)) return "";
  return fmt::format(
      "only {:.1f} of {} chains of the {} run carry the weight: {}; use more chains or temperatures",
      side.effective_chains, side.chains, direction, effect);
}

// Where the reverse run is out already, or both are carried by few chains, or their interval says next to nothing.
std::string why_neither(const PartitionBracket& bracket) {
  constexpr double widest_bracket = 5;  // nats
  const LogPartition &up = bracket.forward, &down = bracket.reverse;
  if (is_carried_by_few(up) && (!bracket.upper || is_carried_by_few(down)))
    return fmt::format(
        "neither direction can be trusted: {:.1f} of {} chains carry the weight of the forward run and "
        "{:.1f} of "
        "{} that of the reverse run; use more temperatures (--ais adaptive-K, salakhutdinov_murray)",
        up.effective_chains, up.chains, down.effective_chains, down.chains);
  if (!bracket.upper || *bracket.upper - bracket.lower <= widest_bracket) return "";
  return fmt::format(
      "neither direction can be trusted: their interval is {:.1f} nats wide; use more chains or temperatures "
      "(--ais adaptive-K, salakhutdinov_murray)",
      *bracket.upper - bracket.lower);
}

std::string caution(const PartitionBracket& bracket) {
  constexpr double widest_difference = 1;
  std::string neither = why_neither(bracket);
  if (!neither.empty()) return neither;
  std::string few =
      few_chains(bracket.forward, "forward", "log Z is likely underestimated and the likelihood too good");
  if (few.empty()) few = few_chains(bracket.reverse, "reverse", "log Z is likely overestimated on that side");
  if (!few.empty()) return few;
  const double difference = std::max(bracket.reverse.value, bracket.ends.value) - bracket.forward.value;
  if (std::abs(difference) <= widest_difference) return "";
  return fmt::format(
      "forward and reverse runs differ by {:.1f} nats: the chains do not mix along this schedule; use more "
      "temperatures (--ais salakhutdinov_murray)",
      difference);
}

}  // namespace

PartitionBracket bracket_log_partition(const Model& model, const AnnealingPlan& plan, const Tensor& data,
                                       Rng& rng, Observer& observer) {
  NoGradGuard no_graph;
  const Evidence seen = gather(Machine(model), plan, data, rng, observer);
  PartitionBracket bracket;
  bracket.forward = seen.forward, bracket.reverse = seen.data.log_z;
  bracket.ends = seen.ends.log_z, bracket.free = seen.free.log_z;
  bracket.seen = describe(seen);
  bracket.lower = seen.forward.value - markov_margin(0.95);
  bracket.warning = why_untested(seen);
  if (!bracket.warning.empty()) {
    const std::string neither = why_neither(bracket);
    if (!neither.empty()) bracket.warning += "; " + neither;
    return bracket;
  }
  const LogPartition &a = bracket.reverse, &b = bracket.ends;
  bracket.lower = seen.forward.value - seen.forward.margin;
  bracket.upper = std::max({seen.forward.value, a.value + a.margin, b.value + b.margin});
  bracket.warning = caution(bracket);
  return bracket;
}

LogPartitionFromAbove log_partition_from_above(const Model& model, const AnnealingPlan& plan,
                                               const Tensor& data, Rng& rng, Observer& observer) {
  constexpr double far_above = 10;  // nats: the data's region holds less than e^-7 of the mass, with 95 %
  NoGradGuard no_graph;
  const Machine machine(model);
  const std::vector<double> schedule =
      schedule_for(machine.annealed, plan.schedule, plan.chains, rng, observer);
  const AnnealedRun forward = run_forward(machine.annealed, schedule, plan.chains, rng, observer);
  const std::int64_t half = std::max<std::int64_t>(plan.chains / 2, 1);
  Sort at_data = begin_at_data(machine, data, half, plan.burn_in, rng, observer), at_ends;
  at_ends.origins = draw_ends(forward, half, rng);
  at_ends.states =
      burn_in(machine, forward.ends.index_select(0, at_ends.origins), plan.burn_in, rng, observer);
  run_together(machine, schedule, at_data, at_ends, rng, observer);
  LogPartitionFromAbove result;
  const LogPartition &a = at_data.log_z, &b = at_ends.log_z;
  result.log_z = std::max({forward.log_z.value, a.value + a.margin, b.value + b.margin});
  const double excess = forward.log_z.value - a.value - joint_margin(forward.log_z, a);
  if (excess > far_above) result.diverged = crossing(forward.log_z, a, "data");
  return result;
}

}  // namespace deepgen
