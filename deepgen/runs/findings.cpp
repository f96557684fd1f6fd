#include "deepgen/runs/findings.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

namespace deepgen {
namespace {

using Json = nlohmann::ordered_json;
using Lines = std::vector<Json>;

// From how many epochs on a rule speaks: fewer show no direction.
constexpr std::size_t fewest_for_flat = 3, fewest_for_trend = 5, fewest_for_noise = 8;
// Changes count when they are this many times the noise from epoch to epoch.
constexpr double clear_of_noise = 4;

// One metric over the epochs in which it was written as a finite number.
struct Trace {
  std::string name;
  std::vector<double> epoch, y;

  std::size_t size() const { return y.size(); }
  bool empty() const { return y.empty(); }
};

double number_at(const Json& line, const std::string& key) {
  const auto found = line.is_object() ? line.find(key) : line.end();
  return found != line.end() && found->is_number() ? found->get<double>() : std::nan("");
}

Trace trace_of(const Lines& lines, const std::string& name) {
  Trace trace{name, {}, {}};
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const double y = number_at(lines[i], name), epoch = number_at(lines[i], "epoch");
    if (!std::isfinite(y)) continue;
    trace.epoch.push_back(std::isfinite(epoch) ? epoch : static_cast<double>(i + 1));
    trace.y.push_back(y);
  }
  return trace;
}

double mean_of(const Trace& trace, std::size_t begin, std::size_t end) {
  const auto at = [&](std::size_t i) { return trace.y.begin() + static_cast<std::ptrdiff_t>(i); };
  return std::accumulate(at(begin), at(end), 0.0) / static_cast<double>(end - begin);
}

// The mean of the last tenth, at least of one epoch.
double level_at_end(const Trace& trace) {
  const std::size_t window = std::max<std::size_t>(1, trace.size() / 10);
  return mean_of(trace, trace.size() - window, trace.size());
}

// Standard deviation of what is random from epoch to epoch, in the second half; second differences leave a
// steady trend out, and their variance is six times that of one value.
double noise_of(const Trace& trace) {
  double sum = 0;
  std::size_t count = 0;
  for (std::size_t i = std::max<std::size_t>(2, trace.size() / 2); i < trace.size(); ++i, ++count) {
    const double bend = trace.y[i] - 2 * trace.y[i - 1] + trace.y[i - 2];
    sum += bend * bend / 6;
  }
  return count > 0 ? std::sqrt(sum / static_cast<double>(count)) : 0;
}

bool has(const std::string& name, const char* part) { return name.find(part) != std::string::npos; }

// The metrics that say how good a model is, first the best to judge by; `sign` makes greater better.
struct Judge {
  Trace trace;  // times sign
  double sign = 1;
  bool on_validation = false;

  double shown(double value) const { return sign * value; }
};

// How far a name can be trusted as a measure of quality: 0 not at all. Free energies lack the partition
// function and say nothing by themselves.
int rank_of(const std::string& name) {
  if (has(name, "free_energy") || has(name, "norm")) return 0;
  const bool good = has(name, "log_prob") || has(name, "bound") || has(name, "score");
  const bool estimated = has(name, "_estimate");  // beside an exact score it is the noisier one
  if (name.starts_with("valid_") && good) return estimated ? 4 : 5;
  if (has(name, "log_likelihood") || good) return 3;
  if (name == "objective" || has(name, "loss")) return 2;
  return has(name, "reconstruction") ? 1 : 0;
}

Judge judge_of(const Lines& lines) {
  std::string best;
  for (const Json& line : lines)
    for (const auto& item : line.items())
      if (rank_of(item.key()) > (best.empty() ? 0 : rank_of(best))) best = item.key();
  if (best.empty()) return {};
  Judge judge{trace_of(lines, best), rank_of(best) > 2 ? 1.0 : -1.0, best.starts_with("valid_")};
  for (double& y : judge.trace.y) y *= judge.sign;
  return judge;
}

std::size_t best_epoch(const Trace& trace) {
  return static_cast<std::size_t>(std::max_element(trace.y.begin(), trace.y.end()) - trace.y.begin());
}

// ---------------------------------------------------------------- one rule each

void find_rollbacks(const Lines& events, std::vector<std::string>& found) {
  if (events.empty()) return;
  const std::size_t times = events.size();
  const auto message = events.front().find("message");
  std::string first =
      message != events.front().end() && message->is_string() ? message->get<std::string>() : "";
  first = first.substr(0, first.find(": back to"));
  found.push_back(fmt::format(
      "Training diverged {} ({}) and was restarted from its last good state with half the rate{}. Start "
      "with a smaller training.rate, at most {:.2g} of the present one.",
      times == 1 ? "once" : fmt::format("{} times", times), times == 1 ? first : "first: " + first,
      times == 1 ? "" : " each time", std::pow(0.5, static_cast<double>(times))));
}

bool find_nothing_learnt(const Judge& judge, const Lines& lines, std::vector<std::string>& found) {
  const Trace& score = judge.trace;
  if (score.size() < fewest_for_flat) return false;
  const auto [low, high] = std::minmax_element(score.y.begin(), score.y.end());
  if (*high - *low > 1e-3 * std::abs(*high)) return false;
  const Trace weights = trace_of(lines, "weight_norm");
  const bool still = weights.empty() || std::abs(weights.y.back() - weights.y[0]) <= 0.01 * weights.y[0];
  if (!still) return false;
  found.push_back(
      fmt::format("Nothing was learnt: {} stayed at {:.4g} from epoch {:.0f} to {:.0f}. Try a larger "
                  "training.rate, and look "
                  "at the data with `deepgen data info`.",
                  score.name, judge.shown(score.y.back()), score.epoch[0], score.epoch.back()));
  return true;
}

// Where the free energies of validation and training rows drift apart, the model learns the training rows
// themselves (Hinton 2010, section 6).
bool gap_grows(const Lines& lines, std::size_t from) {
  Trace gap = trace_of(lines, "free_energy_gap");
  const Trace train = trace_of(lines, "train_free_energy");
  if (gap.size() <= from + 1 || train.size() != gap.size()) return false;
  return level_at_end(gap) - gap.y[from] > clear_of_noise * noise_of(gap);
}

bool has_gap(const Lines& lines) { return !trace_of(lines, "free_energy_gap").empty(); }

// A fall from the best that lasts and is no noise; the sizes are in units of what was gained before.
bool falls(const Trace& score, std::size_t best) {
  if (score.size() < fewest_for_trend || best + 1 + score.size() / 10 >= score.size()) return false;
  const double drop = score.y[best] - level_at_end(score);
  const double gained = score.y[best] - score.y[0];
  return drop > clear_of_noise * noise_of(score) && drop > 0.02 * std::max(gained, drop);
}

bool find_fall(const Judge& judge, const Lines& lines, std::vector<std::string>& found) {
  const Trace& score = judge.trace;
  if (score.empty()) return false;
  const std::size_t best = best_epoch(score);
  if (!falls(score, best)) return false;
  const std::string numbers =
      fmt::format("{} went from {:.4g} at epoch {:.0f} to {:.4g}", score.name, judge.shown(score.y[best]),
                  score.epoch[best], judge.shown(level_at_end(score)));
  const bool overfits = has_gap(lines) ? gap_grows(lines, best) : judge.on_validation;
  if (overfits)
    found.push_back(fmt::format(
        "Overfitting since epoch {:.0f}: {} while the training rows fit better and better. Stop there "
        "(training.patience keeps the best), or try training.decay, fewer units or more rows.",
        score.epoch[best], numbers));
  else
    found.push_back(
        fmt::format("Training got worse: {}. The rate is probably too high: try half of training.rate, or a "
                    "schedule that lowers it.",
                    numbers));
  return true;
}

// Without a score: free energies that drift apart at a good part of the pace at which they fall.
void find_gap(const Judge& judge, const Lines& lines, std::vector<std::string>& found) {
  const Trace gap = trace_of(lines, "free_energy_gap"), train = trace_of(lines, "train_free_energy");
  if (!judge.trace.empty() || gap.size() < fewest_for_trend || gap.size() != train.size()) return;
  const auto least = static_cast<std::size_t>(std::min_element(gap.y.begin(), gap.y.end()) - gap.y.begin());
  const double growth = level_at_end(gap) - gap.y[least];
  const double change = std::abs(level_at_end(train) - train.y[least]);
  if (!gap_grows(lines, least) || growth < 1 || growth < 0.2 * change) return;
  found.push_back(fmt::format(
      "Overfitting since epoch {:.0f}: the free energies of validation and training rows, {:.3g} nats apart "
      "then, "
      "are {:.3g} apart. Stop earlier (training.patience), or try training.decay, fewer units or more rows.",
      gap.epoch[least], gap.y[least], level_at_end(gap)));
}

void find_oscillation(const Judge& judge, std::vector<std::string>& found) {
  const Trace& score = judge.trace;
  if (score.size() < fewest_for_noise) return;
  const double noise = noise_of(score), gained = score.y[best_epoch(score)] - score.y[0];
  const bool large = noise > 0.1 * gained && noise > 0.01 * std::abs(level_at_end(score));
  if (!large) return;
  found.push_back(
      fmt::format("{} jumps by some {:.2g} from epoch to epoch, against {:.2g} gained in all: the rate is "
                  "too high, or the "
                  "batches are too small. Try a smaller training.rate, training.schedule=linear, or "
                  "training.average=0.999.",
                  score.name, noise, gained));
}

// Weights grow while a model learns, and shrink by much only after they were thrown too far.
void find_overshoot(const Lines& lines, std::vector<std::string>& found) {
  const Trace weights = trace_of(lines, "weight_norm");
  if (weights.size() < fewest_for_trend) return;
  const std::size_t largest = best_epoch(weights);
  if (largest > weights.size() / 3 || weights.y.back() > weights.y[largest] * 2 / 3) return;
  found.push_back(fmt::format(
      "The weights were largest at epoch {:.0f} (norm {:.4g}) and have shrunk to {:.4g} since: the first "
      "updates went too far. Try a smaller training.rate.",
      weights.epoch[largest], weights.y[largest], weights.y.back()));
}

void find_units(const Lines& lines, std::vector<std::string>& found) {
  constexpr double many = 0.2;  // of the hidden units
  const double dead = number_at(lines.back(), "dead_units"), on = number_at(lines.back(), "saturated_units");
  if (dead > many)
    found.push_back(
        fmt::format("{:.0f} % of the hidden units are almost never on: they add nothing. Try a smaller "
                    "training.rate, fewer units, or a sparsity target that is not as low.",
                    100 * dead));
  if (on > many)
    found.push_back(
        fmt::format("{:.0f} % of the hidden units are almost always on: they act as biases. Try a smaller "
                    "training.rate, fewer units, or training.sparsity.",
                    100 * on));
}

double latest(const Lines& lines, const std::string& name) {
  const Trace trace = trace_of(lines, name);
  return trace.empty() ? std::nan("") : level_at_end(trace);
}

void find_chains(const Lines& lines, std::vector<std::string>& found) {
  constexpr double rare_swaps = 0.05, sticky = 0.95, far = 3, far_in_nats = 30;
  for (const char* name : {"swap_rate_min", "swap_rate"}) {
    const double rate = latest(lines, name);
    if (!(rate < rare_swaps)) continue;
    found.push_back(
        fmt::format("Chains of neighbouring temperatures hardly ever swap ({} is {:.2g} at the end): the hot "
                    "chains do not help the cold ones. Try more temperatures, or a smaller training.rate.",
                    name, rate));
    break;
  }
  const double correlation = latest(lines, "chain_autocorrelation");
  if (correlation > sticky)
    found.push_back(fmt::format(
        "The chains hardly move from one update to the next (chain_autocorrelation is {:.2f} at the "
        "end). Try more training.gibbs_steps, a smaller training.rate, or tempered chains.",
        correlation));
  const double gap = latest(lines, "chain_free_energy_gap");
  const double spread = latest(lines, "free_energy_spread");
  if (std::abs(gap) > (std::isfinite(spread) ? far * spread : far_in_nats))
    found.push_back(fmt::format(
        "The chains are not where the data are: their free energy is {:.3g} nats {} on average. Samples will "
        "not "
        "look like the data; try more training.gibbs_steps, more chains, or a smaller training.rate.",
        std::abs(gap), gap > 0 ? "higher" : "lower"));
}

// Two adversaries (adversaries.h): a generator that gives one case whatever the noise, or a discriminator
// that is never wrong.
void find_adversaries(const Lines& lines, std::vector<std::string>& found) {
  constexpr double collapsed = 0.3, never_wrong = 0.995;
  const double spread = latest(lines, "sample_spread"), right = latest(lines, "discriminator_accuracy");
  if (spread < collapsed)
    found.push_back(fmt::format(
        "The generator has collapsed: two samples are {:.2g} times as far from each other as two rows "
        "of data (sample_spread). Try a smaller training.generator_rate, training.label_smoothing=0.1 "
        "or a discriminator with dropout.",
        spread));
  if (right > never_wrong)
    found.push_back(fmt::format(
        "The discriminator tells all samples from data ({:.1f} % right): the generator learns next to "
        "nothing. Try a smaller training.discriminator_rate, dropout in the discriminator, or "
        "training.label_smoothing=0.1.",
        100 * right));
}

void find_early_end(const Judge& judge, std::vector<std::string>& found) {
  const Trace& score = judge.trace;
  if (score.size() < fewest_for_trend) return;
  const std::size_t tail = std::max<std::size_t>(1, score.size() / 5);
  const double gain = score.y.back() - score.y[score.size() - 1 - tail], all = score.y.back() - score.y[0];
  if (gain <= 0.05 * all || gain <= clear_of_noise * noise_of(score)) return;
  found.push_back(
      fmt::format("Training was still improving when it ended: {} went from {:.4g} to {:.4g} in the last {} "
                  "epoch{}. More "
                  "training.epochs would help (--resume goes on from here).",
                  score.name, judge.shown(score.y[score.size() - 1 - tail]), judge.shown(score.y.back()),
                  tail, tail == 1 ? "" : "s"));
}

// The best of the validation scores beside densities that know nothing, or next to nothing, of how the
// columns hang together.
void find_baseline_above(const Lines& lines, const Baselines& baselines, std::vector<std::string>& found) {
  const Judge judge = judge_of(lines);
  if (!judge.on_validation || judge.trace.empty()) return;
  const std::string& name = judge.trace.name;
  const double reached = judge.shown(judge.trace.y[best_epoch(judge.trace)]);
  if (baselines.independent && reached <= *baselines.independent)
    found.push_back(fmt::format(
        "Nothing was learnt of how the columns hang together: {} reached {:.4g}, and the columns one by one "
        "have {:.4g}{}. Try more training.updates, another training.rate, or another model (`deepgen train "
        "auto`).",
        name, reached, *baselines.independent,
        baselines.chow_liu ? fmt::format(", a tree of pairs of them {:.4g}", *baselines.chow_liu) : ""));
  else if (baselines.chow_liu && reached < *baselines.chow_liu)
    found.push_back(
        fmt::format("A tree of pairs of columns does better: it has {:.4g} where {} reached {:.4g}. Try more "
                    "training.updates, a larger model, or another one (`deepgen train auto`).",
                    *baselines.chow_liu, name, reached));
}

std::vector<std::string> findings_of_stage(const Lines& lines) {
  std::vector<std::string> found;
  const Judge judge = judge_of(lines);
  if (!find_nothing_learnt(judge, lines, found)) {
    const bool fell = find_fall(judge, lines, found);
    find_gap(judge, lines, found);
    if (!fell) find_oscillation(judge, found);
    if (found.empty()) find_overshoot(lines, found);
  }
  find_units(lines, found);
  find_chains(lines, found);
  find_adversaries(lines, found);
  if (found.empty()) find_early_end(judge, found);
  return found;
}

}  // namespace

std::vector<std::string> findings(const std::vector<nlohmann::ordered_json>& curve,
                                  const Baselines& baselines) {
  Lines events;
  std::map<double, Lines> stages;
  for (const Json& line : curve) {
    if (!line.is_object()) continue;
    const double stage = number_at(line, "stage");
    if (line.contains("event"))
      events.push_back(line);
    else
      stages[std::isfinite(stage) ? stage : 0].push_back(line);
  }
  std::vector<std::string> found;
  find_rollbacks(events, found);
  for (const auto& [stage, lines] : stages)
    for (const std::string& each : findings_of_stage(lines))
      found.push_back(stages.size() > 1 ? fmt::format("In stage {:.0f}: {}", stage, each) : each);
  if (!stages.empty()) find_baseline_above(stages.rbegin()->second, baselines, found);
  return found;
}

}  // namespace deepgen
