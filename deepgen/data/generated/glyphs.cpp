// Glyphs: a digit's skeleton, bent by a smooth field, scaled, slanted, turned and shifted, then inked by the
// distance of each pixel to the nearest stroke. Everything that was drawn is returned as a factor, except the
// phases of the field and of the pen's pressure, which are nuisances.
#include <algorithm>
#include <array>
#include <cmath>

#include "deepgen/core/constants.h"
#include "deepgen/data/generated/glyph_skeletons.h"
#include "deepgen/data/generated/settings.h"

namespace deepgen::generated {
namespace {

constexpr int side = 28;
// Height of an unscaled skeleton: with the pen's width it fills the 20 pixels customary for centred digits.
constexpr double height_pixels = 18;
// The edge of a stroke fades over this many pixels.
constexpr double edge_pixels = 1.3;

// Factors in the order of their columns.
enum Factor {
  digit,
  variant,
  slant,
  scale_x,
  scale_y,
  rotation,
  thickness,
  shift_x,
  shift_y,
  wobble,
  factors
};

struct FactorRange {
  const char* name;
  double low, high;
};

constexpr std::array<FactorRange, factors> factor_table = {{
    {"digit", 0, 9},
    {"variant", 0, 2},
    {"slant", -0.35, 0.65},     // tangent of the angle, positive to the right; most hands lean right
    {"scale_x", 0.70, 1.30},    // times the skeleton's width
    {"scale_y", 0.75, 1.10},    // times 18 pixels
    {"rotation", -0.25, 0.25},  // radians, positive clockwise
    {"thickness", 1.3, 3.9},    // pixels, of the pen
    {"shift_x", -1.5, 1.5},     // pixels from the centre, of the middle of the digit's box
    {"shift_y", -1.5, 1.5},
    {"wobble", 0, 0.09},  // amplitude of the bending field, in heights of the skeleton
}};

// Within a range, denser in the middle: the sum of two uniforms. `variation` shrinks it towards the middle,
// which is what every glyph has at variation 0.
double draw_factor(Rng& rng, Factor factor, double variation) {
  const FactorRange& range = factor_table[factor];
  const double spread = (rng.uniform() + rng.uniform() - 1) * variation;
  return 0.5 * (range.low + range.high) + 0.5 * spread * (range.high - range.low);
}

// A smooth displacement of the plane: a few plane waves of random direction and phase.
class BendingField {
 public:
  BendingField(Rng& rng, double amplitude) : amplitude_(amplitude) {
    for (Wave& wave : waves_) {
      const double angle = two_pi * rng.uniform();
      const double cycles =
          0.4 + 0.9 * rng.uniform();  // over the height: bends letters, does not shake lines
      wave.kx = two_pi * cycles * std::cos(angle);
      wave.ky = two_pi * cycles * std::sin(angle);
      wave.phase = two_pi * rng.uniform();
      const double heading = two_pi * rng.uniform();
      wave.dx = std::cos(heading);
      wave.dy = std::sin(heading);
    }
  }

  Point operator()(Point p) const {
    Point bent = p;
    for (const Wave& wave : waves_) {
      const double height = amplitude_ * std::sin(wave.kx * p.x + wave.ky * p.y + wave.phase);
      bent.x += wave.dx * height;
      bent.y += wave.dy * height;
    }
    return bent;
  }

 private:
  struct Wave {
    double kx = 0, ky = 0, phase = 0, dx = 0, dy = 0;
  };
  double amplitude_;
  std::array<Wave, 3> waves_;
};

// The middle of the smallest upright box around the strokes.
Point middle_of_box(const Skeleton& strokes) {
  Point low = strokes.front().front(), high = low;
  for (const Stroke& stroke : strokes) {
    for (const Point& p : stroke) {
      low = {std::min(low.x, p.x), std::min(low.y, p.y)};
      high = {std::max(high.x, p.x), std::max(high.y, p.y)};
    }
  }
  return {0.5 * (low.x + high.x), 0.5 * (low.y + high.y)};
}

// The strokes in pixels. Where the pen was lifted it does not come down quite where it should.
Skeleton place(const Skeleton& skeleton, const std::array<double, factors>& value, Rng& rng) {
  const BendingField bend(rng, value[wobble]);
  const double width = height_pixels * value[scale_x], height = height_pixels * value[scale_y];
  const double cosine = std::cos(value[rotation]), sine = std::sin(value[rotation]);
  Skeleton placed = skeleton;
  for (Stroke& stroke : placed) {
    const Point lift = {value[wobble] * (rng.uniform() - 0.5), value[wobble] * (rng.uniform() - 0.5)};
    for (Point& p : stroke) {
      const Point bent = bend(p);
      const double y = height * (bent.y + lift.y);
      const double x = width * (bent.x + lift.x) - value[slant] * y;
      p = {cosine * x - sine * y, sine * x + cosine * y};
    }
  }
  const Point middle = middle_of_box(placed);
  for (Stroke& stroke : placed) {
    for (Point& p : stroke) {
      p.x += 0.5 * side + value[shift_x] - middle.x;
      p.y += 0.5 * side + value[shift_y] - middle.y;
    }
  }
  return placed;
}

// How far each pixel's centre lies outside of the ink, in pixels; negative inside.
class Paper {
 public:
  Paper() { outside_.fill(edge_pixels); }

  // A straight piece of a stroke, `radius` thick on either side.
  void draw(Point a, Point b, double radius) {
    const double reach = radius + edge_pixels;
    const auto first = [&](double low) { return std::max(0, static_cast<int>(std::floor(low - reach))); };
    const auto last = [&](double high) {
      return std::min(side - 1, static_cast<int>(std::ceil(high + reach)));
    };
    const double ux = b.x - a.x, uy = b.y - a.y;
    const double length2 = std::max(ux * ux + uy * uy, 1e-12);  // a dot is a very short piece
    for (int row = first(std::min(a.y, b.y)); row <= last(std::max(a.y, b.y)); ++row) {
      for (int column = first(std::min(a.x, b.x)); column <= last(std::max(a.x, b.x)); ++column) {
        const double px = column + 0.5 - a.x, py = row + 0.5 - a.y;
        const double along = std::clamp((px * ux + py * uy) / length2, 0.0, 1.0);
        const double dx = px - along * ux, dy = py - along * uy;
        double& outside = outside_[static_cast<std::size_t>(row) * side + static_cast<std::size_t>(column)];
        outside = std::min(outside, std::sqrt(dx * dx + dy * dy) - radius);
      }
    }
  }

  void ink(std::uint8_t* pixels) const {
    for (std::size_t i = 0; i < outside_.size(); ++i) {
      const double level = std::clamp(0.5 - outside_[i] / edge_pixels, 0.0, 1.0);
      pixels[i] = static_cast<std::uint8_t>(std::lround(255 * level));
    }
  }

 private:
  std::array<double, std::size_t{side} * side> outside_;
};

void draw_strokes(const Skeleton& strokes, double pen_width, double variation, Rng& rng,
                  std::uint8_t* pixels) {
  Paper paper;
  for (const Stroke& stroke : strokes) {
    const double phase = two_pi * rng.uniform();
    const double waves = 0.5 + rng.uniform();  // of the pressure, over the stroke
    const auto pieces = static_cast<double>(stroke.size() - 1);
    for (std::size_t i = 1; i < stroke.size(); ++i) {
      const double along = static_cast<double>(i) / pieces;
      const double pressure = 1 + 0.20 * variation * std::sin(two_pi * waves * along + phase);
      paper.draw(stroke[i - 1], stroke[i], 0.5 * pen_width * pressure);
    }
  }
  paper.ink(pixels);
}

// One glyph before it is inked.
struct Written {
  Skeleton strokes;
  double pen_width;
  std::size_t digit_index;
};

Written write_glyph(Rng& rng, double variation, float* factor_values) {
  const auto& digits = glyph_skeletons();
  const auto digit_index = static_cast<std::size_t>(rng.below(digits.size()));
  const auto& variants = digits[digit_index];
  const auto variant_index = static_cast<std::size_t>(rng.below(variants.size()));
  std::array<double, factors> value{};
  value[digit] = static_cast<double>(digit_index);
  value[variant] = static_cast<double>(variant_index);
  for (int factor = slant; factor < wobble; ++factor) {
    value[static_cast<std::size_t>(factor)] = draw_factor(rng, static_cast<Factor>(factor), variation);
  }
  // The wobble shrinks to nothing instead: at variation 0 the skeletons are not bent.
  value[wobble] = variation * draw_factor(rng, wobble, 1);

  for (std::size_t i = 0; i < factors; ++i) factor_values[i] = static_cast<float>(value[i]);
  return {place(variants[variant_index], value, rng), value[thickness], digit_index};
}

void draw_glyph(Rng& rng, double variation, const CaseOut& out) {
  const Written glyph = write_glyph(rng, variation, out.factors);
  draw_strokes(glyph.strokes, glyph.pen_width, variation, rng, out.bytes);
  *out.label = static_cast<std::uint8_t>(glyph.digit_index);
}

// Turns about the middle of the paper by -turns .. turns times `angle`, then shifts by -reach .. reach times
// `step` pixels down and to the right.
struct GlyphMotions {
  std::int64_t reach, turns;
  double step, angle;

  std::int64_t width() const { return 2 * reach + 1; }
  std::int64_t count() const { return width() * width() * (2 * turns + 1); }
  Skeleton moved(Skeleton strokes, std::int64_t motion) const {
    const std::int64_t shift = motion % (width() * width());
    const double down = step * static_cast<double>(shift / width() - reach);
    const double right = step * static_cast<double>(shift % width() - reach);
    const double turn = angle * static_cast<double>(motion / (width() * width()) - turns);
    const double cosine = std::cos(turn), sine = std::sin(turn), middle = 0.5 * side;
    for (Stroke& stroke : strokes)
      for (Point& p : stroke) {
        const double x = p.x - middle, y = p.y - middle;
        p = {middle + right + cosine * x - sine * y, middle + down + sine * x + cosine * y};
      }
    return strokes;
  }
};

void draw_glyph_pair(Rng& rng, double variation, const GlyphMotions& motions, const CaseOut& out) {
  const auto motion = static_cast<std::int64_t>(rng.below(static_cast<std::uint64_t>(motions.count())));
  const Written glyph = write_glyph(rng, variation, out.factors);
  Rng again = rng;  // the same pressure of the pen
  draw_strokes(glyph.strokes, glyph.pen_width, variation, rng, out.bytes);
  draw_strokes(motions.moved(glyph.strokes, motion), glyph.pen_width, variation, again,
               out.bytes + std::size_t{side} * side);
  *out.label = static_cast<std::uint8_t>(motion);
}

GeneratedSet set_with_factors(const std::string& name, std::int64_t pictures) {
  GeneratedSet set = empty_set(name, ValueKind::grey, {1, pictures * side, side});
  for (const FactorRange& range : factor_table) {
    set.factor_names.emplace_back(range.name);
    set.factor_ranges.push_back({range.low, range.high});
  }
  return set;
}

}  // namespace

GeneratedSet make_glyphs(const Settings& settings) {
  GeneratedSet set = set_with_factors("glyphs", 1);
  const double variation = settings.at("variation");
  glyph_skeletons();  // built before the threads start
  fill_splits(set, settings, [variation](Rng& rng, const CaseOut& out) { draw_glyph(rng, variation, out); });
  return set;
}

// A glyph, and below it the same glyph moved.
GeneratedSet make_glyph_pairs(const Settings& settings) {
  const auto whole = [&](const char* name) { return static_cast<std::int64_t>(settings.at(name)); };
  const GlyphMotions motions{whole("reach"), whole("turns"), settings.at("step"),
                             settings.at("angle") * two_pi / 360};
  GeneratedSet set = set_with_factors("glyph_pairs", 2);
  const double variation = settings.at("variation");
  glyph_skeletons();  // built before the threads start
  fill_splits(set, settings, [variation, motions](Rng& rng, const CaseOut& out) {
    draw_glyph_pair(rng, variation, motions, out);
  });
  return set;
}

}  // namespace deepgen::generated
