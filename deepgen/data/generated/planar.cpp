// Points of the plane around curves. Each set is a mixture of equal round Gaussians whose centres lie along
// the curves, so its log-density is exact. The entropy of such a mixture has no closed form and is left
// absent.
#include <algorithm>
#include <cmath>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "deepgen/core/constants.h"
#include "deepgen/data/generated/settings.h"

namespace deepgen::generated {
namespace {

// Close enough that neighbours overlap at the initial noise: a curve of length 5 gets one each 0.02.
constexpr int centres_per_curve = 256;

struct Centre {
  double x = 0, y = 0;
  std::uint8_t label = 0;
};

using Centres = std::vector<Centre>;

double mixture_log_density(const Centres& centres, double noise, const float* point) {
  const double scale = -0.5 / (noise * noise);
  const auto exponent = [&](const Centre& centre) {
    const double dx = static_cast<double>(point[0]) - centre.x, dy = static_cast<double>(point[1]) - centre.y;
    return scale * (dx * dx + dy * dy);
  };
  double largest = exponent(centres.front());
  for (const Centre& centre : centres) largest = std::max(largest, exponent(centre));
  double sum = 0;
  for (const Centre& centre : centres) sum += std::exp(exponent(centre) - largest);
  const double normaliser = std::log(two_pi * noise * noise * static_cast<double>(centres.size()));
  return largest + std::log(sum) - normaliser;
}

GeneratedSet make_mixture(const std::string& name, const Settings& settings, Centres centres) {
  GeneratedSet set = empty_set(name, ValueKind::real, {2});
  const double noise = settings.at("noise");
  const auto shared = std::make_shared<const Centres>(std::move(centres));
  set.log_prob = [shared, noise](const float* point) { return mixture_log_density(*shared, noise, point); };
  fill_splits(set, settings, [&](Rng& rng, const CaseOut& out) {
    const Centre& centre = (*shared)[static_cast<std::size_t>(rng.below(shared->size()))];
    out.reals[0] = static_cast<float>(centre.x + noise * rng.normal());
    out.reals[1] = static_cast<float>(centre.y + noise * rng.normal());
    *out.label = centre.label;
  });
  return set;
}

}  // namespace

// Rings of radius 1/k, 2/k, ..., 1, equally likely; the label is the ring, from the inside.
GeneratedSet make_rings(const Settings& settings) {
  const int rings = static_cast<int>(settings.at("rings"));
  Centres centres;
  for (int ring = 0; ring < rings; ++ring) {
    const double radius = static_cast<double>(ring + 1) / rings;
    for (int i = 0; i < centres_per_curve; ++i) {
      const double angle = two_pi * i / centres_per_curve;
      centres.push_back(
          {radius * std::cos(angle), radius * std::sin(angle), static_cast<std::uint8_t>(ring)});
    }
  }
  return make_mixture("rings", settings, std::move(centres));
}

// Arms of Archimedes' spiral from radius 0.1 to 1, evenly turned; the label is the arm.
GeneratedSet make_spirals(const Settings& settings) {
  constexpr double inner = 0.1;  // the arms begin apart
  const int arms = static_cast<int>(settings.at("arms"));
  Centres centres;
  for (int arm = 0; arm < arms; ++arm) {
    for (int i = 0; i < centres_per_curve; ++i) {
      // The radius grows as a square root: equal steps of it would crowd the middle.
      const double along = std::sqrt((i + 0.5) / centres_per_curve);
      const double radius = inner + (1 - inner) * along;
      const double angle = two_pi * (settings.at("turns") * along + static_cast<double>(arm) / arms);
      centres.push_back({radius * std::cos(angle), radius * std::sin(angle), static_cast<std::uint8_t>(arm)});
    }
  }
  return make_mixture("spirals", settings, std::move(centres));
}

// Lattice points of the square from -1 to 1 (one point: the origin); the label is the point, row by row.
GeneratedSet make_grid(const Settings& settings) {
  const int size = static_cast<int>(settings.at("size"));
  const auto place = [size](int i) { return size == 1 ? 0.0 : 2.0 * i / (size - 1) - 1; };
  Centres centres;
  for (int row = 0; row < size; ++row) {
    for (int column = 0; column < size; ++column) {
      centres.push_back({place(column), place(row), static_cast<std::uint8_t>(row * size + column)});
    }
  }
  GeneratedSet set = make_mixture("grid", settings, std::move(centres));
  const double noise = settings.at("noise");
  // One Gaussian alone has a closed form.
  if (size == 1) set.entropy = 1 + std::log(two_pi * noise * noise);
  return set;
}

}  // namespace deepgen::generated
