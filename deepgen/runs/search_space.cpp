#include "deepgen/runs/search_space.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <set>

#include "deepgen/core/error.h"
#include "deepgen/core/rng.h"

namespace deepgen {
namespace {

using Json = nlohmann::ordered_json;
using Texts = std::vector<std::string>;

// One line of the table of default spaces.
struct DefaultList {
  const char* model;  // "" for models without lines of their own
  const char* option;
  Texts values;  // a value that begins with "x" is a factor of the option's default
};

// Small on purpose: what moves the result most, at values that have worked on more than one data set.
const std::vector<DefaultList>& default_lists() {
  static const std::vector<DefaultList> lists = {
      {"rbm", "model.hidden", {"50", "200", "500"}},
      {"rbm", "training.rate", {"0.2", "0.05", "0.02", "0.005"}},
      {"rbm", "training.gibbs_steps", {"1", "5"}},
      {"rbm", "training.decay", {"0", "1e-4", "1e-3"}},
      {"bernoulli_mixture", "model.components", {"10", "30", "100", "300"}},
      {"bernoulli_mixture", "training.pseudo_count", {"0.05", "0.2", "0.5"}},
      {"gaussian_mixture", "model.components", {"5", "10", "20", "50"}},
      {"gaussian_mixture", "model.covariance", {"diagonal", "full"}},
      {"gaussian_mixture", "training.pseudo_count", {"0.1", "1", "10"}},
      {"latent_class", "model.components", {"10", "30", "100", "300"}},
      {"latent_class", "training.pseudo_count", {"0.05", "0.2", "0.5"}},
      {"naive_bayes", "training.pseudo_count", {"0.01", "0.1", "0.5", "1", "5"}},
      {"", "training.rate", {"x0.3", "x1", "x3"}},
      {"", "training.decay", {"0", "1e-4", "1e-3"}},
  };
  return lists;
}

std::pair<std::string, std::string> group_and_name(const std::string& option, const std::string& written) {
  const std::size_t dot = option.find('.');
  if (dot == std::string::npos)
    fail_usage("--try",
               fmt::format("expected model.<option>=v1|v2 or training.<option>=v1|v2, got '{}'", written));
  return {option.substr(0, dot), option.substr(dot + 1)};
}

Settings copy_of(const Settings& settings) {
  Settings copy(settings.model);
  copy.set_all(settings.to_json());
  return copy;
}

// The value as the option understands it, so that 0.1 and 0.10 are one; throws when it takes none such.
Json value_of(const Settings& base, const std::string& group, const std::string& name,
              const std::string& text) {
  Settings scratch = copy_of(base);
  scratch.set(group, name, text);
  return scratch.to_json().at(group).at(name);
}

Texts split_values(const std::string& text) {
  Texts values;
  for (std::size_t start = 0; start <= text.size();) {
    const std::size_t end = std::min(text.find('|', start), text.size());
    values.push_back(text.substr(start, end - start));
    start = end + 1;
  }
  return values;
}

SearchAxis make_axis(const Settings& base, const std::string& option, const Texts& texts,
                     const std::string& written) {
  const auto [group, name] = group_and_name(option, written);
  SearchAxis axis{option, {}};
  for (const std::string& text : texts) {
    Json value = value_of(base, group, name, text);
    if (std::find(axis.values.begin(), axis.values.end(), value) != axis.values.end())
      fail_usage("--try", fmt::format("expected different values of {}, got {} twice", option, value.dump()));
    axis.values.push_back(std::move(value));
  }
  return axis;
}

// The text of a default value; "" for a factor of a default that is zero.
std::string resolve(const Settings& base, const std::string& option, const std::string& text) {
  if (!text.starts_with("x")) return text;
  const auto [group, name] = group_and_name(option, option);
  const double scaled = std::stod(text.substr(1)) * base.to_json().at(group).at(name).get<double>();
  return scaled > 0 ? fmt::format("{:.3g}", scaled) : "";
}

double seconds_of(const std::vector<HalvingRound>& rounds, TrialCost cost, bool from_scratch) {
  double seconds = static_cast<double>(epochs_of_rounds(rounds, 0, from_scratch)) * cost.epoch;
  for (const HalvingRound& round : rounds) seconds += static_cast<double>(round.trials) * cost.round;
  return seconds;
}

SearchSpace default_space(const Settings& base) {
  const auto& lists = default_lists();
  const bool own = std::any_of(lists.begin(), lists.end(),
                               [&](const DefaultList& list) { return base.model == list.model; });
  SearchSpace space;
  for (const DefaultList& list : lists) {
    if (list.model != (own ? base.model : std::string())) continue;
    Texts texts;
    for (const std::string& value : list.values) {
      const std::string text = resolve(base, list.option, value);
      if (!text.empty()) texts.push_back(text);
    }
    if (!texts.empty()) space.axes.push_back(make_axis(base, list.option, texts, list.option));
  }
  return space;
}

// Options that the search itself decides about.
void check_free(const std::string& option) {
  for (const char* own : {"training.epochs", "training.patience", "training.checkpoint_every"})
    if (option == own)
      fail_usage("--try",
                 fmt::format("the search decides how long a trial is trained; give {} with --set", option));
}

void add_tried(SearchSpace& space, SearchAxis axis) {
  for (SearchAxis& each : space.axes) {
    if (each.name != axis.name) continue;
    each = std::move(axis);
    return;
  }
  space.axes.push_back(std::move(axis));
}

std::string option_of(const std::string& assignment) { return assignment.substr(0, assignment.find('=')); }

}  // namespace

std::uint64_t SearchSpace::size() const {
  constexpr std::uint64_t most = std::uint64_t{1} << 62;
  std::uint64_t product = 1;
  for (const SearchAxis& axis : axes) {
    if (product > most / axis.values.size()) return most;
    product *= axis.values.size();
  }
  return product;
}

Json SearchSpace::to_json() const {
  Json json = Json::object();
  for (const SearchAxis& axis : axes) json[axis.name] = axis.values;
  return json;
}

SearchSpace search_space(const Settings& base, const Texts& fixed, const Texts& tries) {
  SearchSpace space = default_space(base);
  std::set<std::string> set_by_user, tried;
  for (const std::string& assignment : fixed) set_by_user.insert(option_of(assignment));
  std::erase_if(space.axes, [&](const SearchAxis& axis) { return set_by_user.contains(axis.name); });
  for (const std::string& written : tries) {
    const std::string option = option_of(written);
    const std::size_t equals = written.find('=');
    group_and_name(option, written);
    if (equals == std::string::npos || equals + 1 == written.size())
      fail_usage("--try", fmt::format("expected values as in {}=v1|v2|v3, got none", option));
    check_free(option);
    if (set_by_user.contains(option))
      fail_usage("--try", fmt::format("{} is fixed by --set already; give it once", option));
    if (!tried.insert(option).second)
      fail_usage("--try", fmt::format("expected one list for {}, got two", option));
    add_tried(space, make_axis(base, option, split_values(written.substr(equals + 1)), written));
  }
  return space;
}

std::vector<Json> sample_combinations(const SearchSpace& space, std::int64_t count, std::uint64_t seed) {
  constexpr std::uint64_t purpose = 91;  // forks of the seed: this one is the search's
  Rng rng = Rng(seed).fork({purpose});
  const std::uint64_t size = space.size();
  const std::uint64_t wanted = std::min(size, static_cast<std::uint64_t>(std::max<std::int64_t>(0, count)));
  std::set<std::uint64_t> drawn;
  std::vector<Json> combinations;
  while (combinations.size() < wanted) {
    std::uint64_t index = rng.below(size);
    if (!drawn.insert(index).second) continue;
    Json one = Json::object();
    for (const SearchAxis& axis : space.axes) {  // the digits of the index, one axis a place
      one[axis.name] = axis.values[index % axis.values.size()];
      index /= axis.values.size();
    }
    combinations.push_back(std::move(one));
  }
  return combinations;
}

Settings settings_with(const Settings& base, const Json& combination) {
  Settings settings = copy_of(base);
  Json groups = Json::object();
  for (const auto& [option, value] : combination.items()) {
    const auto [group, name] = group_and_name(option, option);
    groups[group][name] = value;
  }
  settings.set_all(groups);
  return settings;
}

std::string combination_text(const Json& combination) {
  std::string text;
  for (const auto& [option, value] : combination.items())
    text += fmt::format("{}{}={}", text.empty() ? "" : " ", option.substr(option.find('.') + 1),
                        value.is_string() ? value.get<std::string>() : value.dump());
  return text.empty() ? "the settings as they are" : text;
}

std::vector<HalvingRound> halving_rounds(std::int64_t trials, std::int64_t epochs) {
  const auto n = static_cast<std::uint64_t>(std::max<std::int64_t>(1, trials));
  const auto e = static_cast<std::uint64_t>(std::max<std::int64_t>(1, epochs));
  const int to_two = std::max(1, static_cast<int>(std::bit_width(n - 1)));  // n, n/2, ... 2, rounded up
  const int count = std::min(to_two, static_cast<int>(std::bit_width(e)));
  std::vector<HalvingRound> rounds;
  std::uint64_t left = n;
  for (int r = 0; r < count; ++r, left = (left + 1) / 2)
    rounds.push_back({static_cast<std::int64_t>(left), static_cast<std::int64_t>(e >> (count - 1 - r))});
  return rounds;
}

std::int64_t epochs_of_rounds(const std::vector<HalvingRound>& rounds, std::size_t first, bool from_scratch) {
  std::int64_t sum = 0;
  for (std::size_t r = first; r < rounds.size(); ++r) {
    const std::int64_t done = r == 0 || from_scratch ? 0 : rounds[r - 1].epochs;
    sum += rounds[r].trials * (rounds[r].epochs - done);
  }
  return sum;
}

std::vector<HalvingRound> fit_halving(std::int64_t trials, std::int64_t epochs, TrialCost cost,
                                      double seconds, bool from_scratch) {
  const std::int64_t fewest = std::min<std::int64_t>(2, trials);
  for (std::int64_t n = trials; n > fewest; n = std::max(fewest, n / 2)) {
    const std::size_t depth = halving_rounds(n, epochs).size();
    for (std::int64_t last = epochs; halving_rounds(n, last).size() == depth; last /= 2) {
      std::vector<HalvingRound> rounds = halving_rounds(n, last);
      if (seconds_of(rounds, cost, from_scratch) <= seconds) return rounds;
      if (last == 1) break;
    }
  }
  const double affordable = (seconds / static_cast<double>(fewest) - cost.round) / cost.epoch;
  const auto last = affordable < static_cast<double>(epochs)
                        ? static_cast<std::int64_t>(std::max(1.0, affordable))
                        : epochs;
  return halving_rounds(fewest, last);
}

double seconds_for_rounds(double budget, std::int64_t epochs, double epoch_seconds) {
  return std::max(budget / 2, budget - static_cast<double>(epochs) * epoch_seconds);
}

Retraining plan_retraining(Retraining wanted, double epoch_seconds, double score_seconds, double seconds) {
  const auto full = static_cast<double>(wanted.epochs);
  if (epoch_seconds <= 0) return wanted;  // not measured
  if (full * (epoch_seconds + score_seconds) <= seconds) return wanted;
  if (full * epoch_seconds <= seconds) return {wanted.epochs, 0};
  return {std::max<std::int64_t>(1, static_cast<std::int64_t>(std::max(0.0, seconds) / epoch_seconds)), 0};
}

}  // namespace deepgen
