#include "deepgen/data/generated/ising.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numbers>
#include <numeric>
#include <string>
#include <utility>

#include "deepgen/data/generated/settings.h"

namespace deepgen::generated {
namespace {

// log |2 cosh(x)| and log |2 sinh(x)|, without overflow.
double log_2cosh(double x) { return std::abs(x) + std::log1p(std::exp(-2 * std::abs(x))); }
double log_2sinh(double x) { return std::abs(x) + std::log(-std::expm1(-2 * std::abs(x))); }

// Ferdinand and Fisher's gamma_l: cosh(gamma_l) = cosh(2K) coth(2K) - cos(l pi / n), and gamma_0 with the
// sign that changes at the critical point.
double signed_gamma(int l, int n, double coupling) {
  if (l == 0) return 2 * coupling + std::log(std::tanh(coupling));
  const double cosine = std::cos(l * std::numbers::pi / n);
  return std::acosh(std::cosh(2 * coupling) / std::tanh(2 * coupling) - cosine);
}

int find_root(std::vector<int>& parent, int site) {
  auto& up = parent;
  while (up[static_cast<std::size_t>(site)] != site) {
    int& next = up[static_cast<std::size_t>(site)];
    next = up[static_cast<std::size_t>(next)];  // halve the path
    site = next;
  }
  return site;
}

}  // namespace

double ising_log_partition(int n, double coupling) {
  // Four products over r = 0..n-1: of cosh and sinh at odd l, then at even l.
  std::array<double, 4> logs{};
  for (int r = 0; r < n; ++r) {
    const double odd = 0.5 * n * signed_gamma(2 * r + 1, n, coupling),
                 even = 0.5 * n * signed_gamma(2 * r, n, coupling);
    logs[0] += log_2cosh(odd);
    logs[1] += log_2sinh(odd);
    logs[2] += log_2cosh(even);
    logs[3] += log_2sinh(even);  // -infinity at the critical point, where the product is zero
  }
  const double last_sign = signed_gamma(0, n, coupling) < 0 ? -1 : 1;
  const double largest = *std::max_element(logs.begin(), logs.end());
  const double sum = std::exp(logs[0] - largest) + std::exp(logs[1] - largest) + std::exp(logs[2] - largest) +
                     last_sign * std::exp(logs[3] - largest);
  const double ln_2sinh = log_2sinh(2 * coupling);
  return 0.5 * n * n * ln_2sinh + largest + std::log(sum) - std::numbers::ln2;
}

double ising_entropy(int n, double coupling) {
  // A five-point difference: its error, of order step^4, is below rounding at this step.
  const double step = 1e-3 * coupling;
  const auto at = [&](int k) { return ising_log_partition(n, coupling + k * step); };
  const double slope = (at(-2) - 8 * at(-1) + 8 * at(1) - at(2)) / (12 * step);
  return at(0) - coupling * slope;
}

IsingTransferSampler::IsingTransferSampler(int n, double coupling)
    : n_(n), states_(std::size_t{1} << n), root_weight_(states_), across_(static_cast<std::size_t>(n) + 1) {
  for (std::size_t row = 0; row < states_; ++row) {
    const std::size_t turned = (row >> 1) | ((row & 1) << (n - 1));
    root_weight_[row] = std::exp(0.5 * coupling * (n - 2 * std::popcount(row ^ turned)));
  }
  for (int differing = 0; differing <= n; ++differing) {
    across_[static_cast<std::size_t>(differing)] = std::exp(coupling * (n - 2 * differing));
  }
  fill_powers(coupling);
  first_row_.resize(states_);
  for (std::size_t row = 0; row < states_; ++row) first_row_[row] = power(n)[row * states_ + row];
  std::partial_sum(first_row_.begin(), first_row_.end(), first_row_.begin());
}

void IsingTransferSampler::fill_powers(double coupling) {
  const double same = std::exp(coupling), other = std::exp(-coupling);
  powers_.emplace_back(states_ * states_);
  for (std::size_t i = 0; i < states_ * states_; ++i) powers_[0][i] = entry(i / states_, i % states_);
  while (powers_.size() < static_cast<std::size_t>(n_)) {
    std::vector<double> next = powers_.back();
    for (std::size_t row = 0; row < states_; ++row) {
      double* vector = next.data() + row * states_;
      for (std::size_t i = 0; i < states_; ++i) vector[i] *= root_weight_[i];
      // The coupling between two rows is a Kronecker product of n 2 x 2 matrices: one bit at a time.
      for (std::size_t bit = 1; bit < states_; bit <<= 1) {
        for (std::size_t i = 0; i < states_; ++i) {
          if (i & bit) continue;
          const double a = vector[i], b = vector[i | bit];
          vector[i] = same * a + other * b;
          vector[i | bit] = other * a + same * b;
        }
      }
      for (std::size_t i = 0; i < states_; ++i) vector[i] *= root_weight_[i];
    }
    const double peak = *std::max_element(next.begin(), next.end());
    for (double& value : next) value /= peak;  // only ratios matter; keeps cold systems from overflowing
    powers_.push_back(std::move(next));
  }
}

void IsingTransferSampler::sample(Rng& rng, std::uint8_t* spins) const {
  const auto draw = [&](const std::vector<double>& cumulative) {
    const auto above =
        std::upper_bound(cumulative.begin(), cumulative.end(), rng.uniform() * cumulative.back());
    return std::min(static_cast<std::size_t>(above - cumulative.begin()), states_ - 1);
  };
  const auto write = [&](int row, std::size_t state) {
    for (int i = 0; i < n_; ++i) spins[row * n_ + i] = static_cast<std::uint8_t>(state >> i & 1U);
  };
  const std::size_t first = draw(first_row_);
  write(0, first);
  std::size_t last = first;
  std::vector<double> cumulative(states_);
  for (int row = 1; row < n_; ++row) {
    // p(next | last, first): one step from `last`, then n - row steps around the torus back to `first`.
    const double* home = power(n_ - row) + first * states_;
    double sum = 0;
    for (std::size_t next = 0; next < states_; ++next)
      cumulative[next] = sum += entry(last, next) * home[next];
    last = draw(cumulative);
    write(row, last);
  }
}

void ising_cluster_sample(int n, double coupling, int sweeps, Rng& rng, std::uint8_t* spins) {
  const int sites = n * n;
  const double bond = -std::expm1(-2 * coupling);
  std::vector<int> parent(static_cast<std::size_t>(sites));
  std::vector<std::uint8_t> drawn(static_cast<std::size_t>(sites));
  for (int i = 0; i < sites; ++i) spins[i] = static_cast<std::uint8_t>(rng.below(2));
  for (int sweep = 0; sweep < sweeps; ++sweep) {
    std::iota(parent.begin(), parent.end(), 0);
    for (int i = 0; i < sites; ++i) {
      const int right = i - i % n + (i + 1) % n, down = (i + n) % sites;
      for (const int other : {right, down}) {
        if (spins[i] == spins[other] && rng.uniform() < bond) {
          const int a = find_root(parent, i), b = find_root(parent, other);
          parent[static_cast<std::size_t>(std::max(a, b))] = std::min(a, b);
        }
      }
    }
    for (auto& spin : drawn) spin = static_cast<std::uint8_t>(rng.bits() >> 63);
    for (int i = 0; i < sites; ++i) spins[i] = drawn[static_cast<std::size_t>(find_root(parent, i))];
  }
}

GeneratedSet make_ising(const Settings& settings) {
  const int n = static_cast<int>(settings.at("size"));
  const double coupling = 1 / settings.at("temperature");
  GeneratedSet set = empty_set("ising", ValueKind::binary, {1, n, n});
  const double log_partition = ising_log_partition(n, coupling);
  set.entropy = ising_entropy(n, coupling);
  set.log_prob = [n, coupling, log_partition](const float* x) {
    int aligned = 0;
    for (int i = 0; i < n * n; ++i) {
      if (x[i] != 0.0F && x[i] != 1.0F) return -std::numeric_limits<double>::infinity();
      const int right = i - i % n + (i + 1) % n, down = (i + n) % (n * n);
      aligned += (x[i] == x[right] ? 1 : -1) + (x[i] == x[down] ? 1 : -1);
    }
    return coupling * aligned - log_partition;
  };
  // The label is the sign of the magnetisation: 1 when at least half of the spins are up.
  const auto label = [n](const CaseOut& out) {
    const int up = std::accumulate(out.bytes, out.bytes + static_cast<std::ptrdiff_t>(n) * n, 0);
    *out.label = 2 * up >= n * n ? 1 : 0;
  };
  if (n <= IsingTransferSampler::largest) {
    const IsingTransferSampler sampler(n, coupling);
    fill_splits(set, settings, [&](Rng& rng, const CaseOut& out) {
      sampler.sample(rng, out.bytes);
      label(out);
    });
  } else {
    // At the critical point and 16 x 16, where it is slowest, the chain forgets within a few sweeps.
    constexpr int sweeps = 64;
    set.description += "; samples by " + std::to_string(sweeps) + " Swendsen-Wang sweeps";
    fill_splits(set, settings, [&](Rng& rng, const CaseOut& out) {
      ising_cluster_sample(n, coupling, sweeps, rng, out.bytes);
      label(out);
    });
  }
  return set;
}

}  // namespace deepgen::generated
