// A table of invented people, as CSV: columns of every kind that depend on two hidden factors.
//
//   stage     0 in training, 1 at work, 2 retired, with probabilities 0.2, 0.55, 0.25
//   standing  a standard normal number
//
// Given the factors the columns are drawn in the order of the file, and income, owner, children, city and
// hours also see what was drawn before them. Missing cells are chosen by numbers of their own, so that the
// cells that are left, and all those of missing=0, are the same.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <string>

#include "deepgen/data/generated/settings.h"

namespace deepgen::generated {
namespace {

constexpr std::size_t columns = 7;
constexpr std::array<const char*, 6> jobs = {"clerk", "engineer", "farmer", "nurse", "teacher", "waiter"};
constexpr std::array<const char*, 5> cities = {"Gda\xc5\x84sk", "Lyon", "Malm\xc3\xb6", "Porto",
                                               "Z\xc3\xbcrich"};

using Cells = std::array<std::string, columns>;

// An index with probability proportional to exp(scores[index]).
template <std::size_t N>
std::size_t pick(const std::array<double, N>& scores, Rng& rng) {
  std::array<double, N> sums{};
  double total = 0;
  for (std::size_t i = 0; i < N; ++i) sums[i] = total += std::exp(scores[i]);
  const double at = rng.uniform() * total;
  return static_cast<std::size_t>(
      std::find_if(sums.begin(), sums.end() - 1, [at](double s) { return at < s; }) - sums.begin());
}

int poisson(double mean, Rng& rng) {  // by its product of uniform numbers: the means are small
  const double limit = std::exp(-mean);
  int count = 0;
  for (double product = rng.uniform(); product > limit; product *= rng.uniform()) ++count;
  return count;
}

std::size_t job_of(std::size_t stage, double standing, Rng& rng) {
  const double s = standing, training = stage == 0 ? 1 : 0;
  return pick<6>({0.3, 1.2 * s - 0.5 * training, -0.6 * s - 0.8, 0.2, 0.5 * s - training,
                  -1.0 * s - 0.6 + 1.5 * training},
                 rng);
}

std::size_t city_of(std::size_t job, double standing, Rng& rng) {
  std::array<double, 5> scores = {-0.8 * standing, 0.2, 0.1 + 0.3 * standing, -0.4 * standing,
                                  1.2 * standing - 0.5};
  scores[job % 5] += 1.2;  // trades gather
  return pick<5>(scores, rng);
}

int hours_of(std::size_t stage, std::size_t job, Rng& rng) {
  if (stage == 2) return poisson(0.7, rng);
  if (stage == 0) return poisson(12, rng);
  const double usual = job == 2 ? 52 : job == 1 ? 42 : job == 5 ? 30 : 38;
  return static_cast<int>(std::clamp(std::round(usual + 3 * rng.normal()), 0.0, 80.0));
}

Cells person(Rng& rng) {
  constexpr std::array<double, 3> ages = {22, 42, 71}, spreads = {2.5, 9, 6}, wealth = {9.2, 10.4, 9.9},
                                  families = {0.05, 1.6, 2.1};
  const std::size_t stage = pick<3>({std::log(0.2), std::log(0.55), std::log(0.25)}, rng);
  const double standing = rng.normal();
  const double age = std::clamp(ages[stage] + spreads[stage] * rng.normal(), 16.0, 105.0);
  const std::size_t job = job_of(stage, standing, rng);
  const double trade = job == 1 ? 0.3 : job == 5 ? -0.3 : 0;
  const double income = std::exp(wealth[stage] + trade + 0.5 * standing + 0.25 * rng.normal());
  const double owning = -1.5 + 1.3 * standing + 0.05 * (age - 40);
  const bool owner = rng.uniform() < 1 / (1 + std::exp(-owning));
  const int children = poisson(families[stage] * (owner ? 1.2 : 0.8), rng);
  const std::size_t city = city_of(job, standing, rng);
  const int hours = hours_of(stage, job, rng);
  return {fmt::format("{:.1f}", age),
          fmt::format("{:.0f}", income),
          fmt::format("{}", children),
          owner ? "yes" : "no",
          jobs[job],
          cities[city],
          fmt::format("{}", hours)};
}

}  // namespace

GeneratedSet make_people(const Settings& settings) {
  GeneratedSet set = empty_set("people", ValueKind::mixed, {});
  const Rng root(static_cast<std::uint64_t>(settings.at("seed")));
  const double missing = settings.at("missing");
  set.table = "age,income,children,owner,job,city,hours\n";
  for (std::uint64_t row = 0; row < static_cast<std::uint64_t>(settings.at("rows")); ++row) {
    Rng values = root.fork({0, row}), gaps = root.fork({1, row});
    const Cells cells = person(values);
    for (std::size_t j = 0; j < columns; ++j) {
      if (j > 0) set.table += ',';
      if (gaps.uniform() >= missing) set.table += cells[j];
    }
    set.table += '\n';
  }
  return set;
}

}  // namespace deepgen::generated
