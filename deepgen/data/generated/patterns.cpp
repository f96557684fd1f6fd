// Binary patterns made by rule: bars and stripes, and the shifter.
#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <optional>

#include "deepgen/data/generated/settings.h"

namespace deepgen::generated {
namespace {

constexpr double impossible = -std::numeric_limits<double>::infinity();
constexpr double ln2 = std::numbers::ln2;

bool is_binary(const float* x, std::size_t size) {
  return std::all_of(x, x + size, [](float value) { return value == 0.0F || value == 1.0F; });
}

// Whether every line of an n x n image is one value; lines are rows, or columns when `across` is false.
bool has_full_lines(const float* x, std::size_t n, bool across) {
  for (std::size_t line = 0; line < n; ++line) {
    for (std::size_t i = 1; i < n; ++i) {
      const std::size_t first = across ? line * n : line;
      const std::size_t other = across ? line * n + i : i * n + line;
      if (x[first] != x[other]) return false;
    }
  }
  return true;
}

// Orientation 1/2 times 2^-n for the lines; only the empty and the full image come from both orientations.
double bars_and_stripes_log_prob(const float* x, std::size_t n) {
  if (!is_binary(x, n * n)) return impossible;
  const bool rows = has_full_lines(x, n, true), columns = has_full_lines(x, n, false);
  const double one_way = -static_cast<double>(n + 1) * ln2;
  if (rows && columns) return one_way + ln2;
  return rows || columns ? one_way : impossible;
}

// The shift that the one-hot units name, 0 left, 1 none, 2 right; absent when they are not one-hot.
std::optional<std::size_t> named_shift(const float* one_hot) {
  if (one_hot[0] + one_hot[1] + one_hot[2] != 1.0F) return std::nullopt;
  return one_hot[0] == 1.0F ? 0U : (one_hot[1] == 1.0F ? 1U : 2U);
}

// Where bit i goes under a shift, around the end: left is towards lower indices.
std::size_t shifted_place(std::size_t i, std::size_t shift, std::size_t n) { return (i + n + shift - 1) % n; }

double shifter_log_prob(const float* x, std::size_t n) {
  if (!is_binary(x, 2 * n + 3)) return impossible;
  const auto shift = named_shift(x + 2 * n);
  if (!shift) return impossible;
  for (std::size_t i = 0; i < n; ++i) {
    if (x[n + shifted_place(i, *shift, n)] != x[i]) return impossible;
  }
  return -static_cast<double>(n) * ln2 - std::log(3.0);
}

}  // namespace

// Pick an orientation with probability 1/2, then each row (or column) is on with probability 1/2.
// Source: MacKay 2003, "Information theory, inference, and learning algorithms", chapter 43.
GeneratedSet make_bars_and_stripes(const Settings& settings) {
  const auto n = static_cast<std::size_t>(settings.at("size"));
  const auto side = static_cast<std::int64_t>(n);
  GeneratedSet set = empty_set("bars_and_stripes", ValueKind::binary, {1, side, side});
  set.log_prob = [n](const float* x) { return bars_and_stripes_log_prob(x, n); };
  // Two states of probability 2^-n, all others 2^-(n+1).
  const double double_states = std::exp2(1.0 - static_cast<double>(n));
  set.entropy = (static_cast<double>(n + 1) - double_states) * ln2;
  fill_splits(set, settings, [n](Rng& rng, const CaseOut& out) {
    const bool columns = rng.below(2) == 1;
    const std::uint64_t lines = rng.bits();  // n <= 28
    for (std::size_t i = 0; i < n * n; ++i) {
      const std::size_t line = columns ? i % n : i / n;
      out.bytes[i] = static_cast<std::uint8_t>(lines >> line & 1U);
    }
    *out.label = columns ? 1 : 0;
  });
  return set;
}

// Random bits, the same bits shifted by one to the left, not, or to the right, and three units naming the
// shift. Source: Hinton, Sejnowski 1986, "Learning and relearning in Boltzmann machines".
GeneratedSet make_shifter(const Settings& settings) {
  const auto n = static_cast<std::size_t>(settings.at("size"));
  GeneratedSet set = empty_set("shifter", ValueKind::binary, {static_cast<std::int64_t>(2 * n + 3)});
  set.log_prob = [n](const float* x) { return shifter_log_prob(x, n); };
  set.entropy = static_cast<double>(n) * ln2 + std::log(3.0);
  fill_splits(set, settings, [n](Rng& rng, const CaseOut& out) {
    const auto shift = static_cast<std::size_t>(rng.below(3));
    const std::uint64_t bits = rng.bits();  // n <= 64
    for (std::size_t i = 0; i < n; ++i) {
      const auto bit = static_cast<std::uint8_t>(bits >> i & 1U);
      out.bytes[i] = bit;
      out.bytes[n + shifted_place(i, shift, n)] = bit;
    }
    for (std::size_t i = 0; i < 3; ++i) out.bytes[2 * n + i] = i == shift ? 1 : 0;
    *out.label = static_cast<std::uint8_t>(shift);
  });
  return set;
}

}  // namespace deepgen::generated
