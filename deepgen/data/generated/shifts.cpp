// Pairs of pictures, the second of which is the first one moved.
#include <cmath>
#include <limits>
#include <numbers>
#include <vector>

#include "deepgen/data/generated/settings.h"

namespace deepgen::generated {
namespace {

// The motions of n x n pictures: quarter turns (0 to 3, or none), then shifts around the edges by -reach ..
// reach in either direction.
struct Motions {
  std::int64_t n, reach, turns;

  std::int64_t width() const { return 2 * reach + 1; }
  std::int64_t count() const { return width() * width() * (turns != 0 ? 4 : 1); }
  // Where the pixel at `place` goes.
  std::int64_t moved(std::int64_t place, std::int64_t motion) const {
    std::int64_t row = place / n, column = place % n;
    for (std::int64_t turn = motion / (width() * width()); turn > 0; --turn) {
      const std::int64_t before = row;
      row = column, column = n - 1 - before;
    }
    const std::int64_t shift = motion % (width() * width());
    const std::int64_t down = shift / width() - reach, right = shift % width() - reach;
    const std::int64_t wrap = n * reach;
    return (row + down + wrap) % n * n + (column + right + wrap) % n;
  }
};

// Every picture is as likely as every other, and so is every motion; several may make the same pair.
double shifts_log_prob(const float* x, const Motions& motions) {
  const std::int64_t pixels = motions.n * motions.n;
  for (std::int64_t i = 0; i < 2 * pixels; ++i)
    if (x[i] != 0.0F && x[i] != 1.0F) return -std::numeric_limits<double>::infinity();
  std::int64_t fitting = 0;
  for (std::int64_t motion = 0; motion < motions.count(); ++motion) {
    bool fits = true;
    for (std::int64_t i = 0; i < pixels && fits; ++i) fits = x[pixels + motions.moved(i, motion)] == x[i];
    fitting += fits ? 1 : 0;
  }
  return std::log(static_cast<double>(fitting) / static_cast<double>(motions.count())) -
         static_cast<double>(pixels) * std::numbers::ln2;
}

}  // namespace

// Random bits, and below them the same picture moved. Source: Memisevic and Hinton 2010, section 4.1.
GeneratedSet make_shifts(const Settings& settings) {
  const auto whole = [&](const char* name) { return static_cast<std::int64_t>(settings.at(name)); };
  const Motions motions{whole("size"), whole("reach"), whole("turns")};
  const std::int64_t n = motions.n, pixels = n * n;
  GeneratedSet set = empty_set("shifts", ValueKind::binary, {1, 2 * n, n});
  set.log_prob = [motions](const float* x) { return shifts_log_prob(x, motions); };
  fill_splits(set, settings, [motions, pixels](Rng& rng, const CaseOut& out) {
    const auto motion = static_cast<std::int64_t>(rng.below(static_cast<std::uint64_t>(motions.count())));
    std::uint64_t bits = 0;
    for (std::int64_t i = 0; i < pixels; ++i) {
      if (i % 64 == 0) bits = rng.bits();
      const auto bit = static_cast<std::uint8_t>(bits >> (i % 64) & 1U);
      out.bytes[i] = bit;
      out.bytes[pixels + motions.moved(i, motion)] = bit;
    }
    *out.label = static_cast<std::uint8_t>(motion);
  });
  return set;
}

}  // namespace deepgen::generated
