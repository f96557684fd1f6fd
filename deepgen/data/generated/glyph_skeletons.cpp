#include "deepgen/data/generated/glyph_skeletons.h"

#include <cmath>
#include <numbers>

namespace deepgen::generated {
namespace {

// A pen that draws lines, elliptic arcs and cubic Bezier curves, flattening them as it goes.
class Pen {
 public:
  Pen& move(double x, double y) {
    strokes_.push_back({{x, y}});
    return *this;
  }

  Pen& line(double x, double y) {
    const Point from = at();
    return flatten(4, [&](double t) { return Point{from.x + t * (x - from.x), from.y + t * (y - from.y)}; });
  }

  // To (x, y), leaving towards (ax, ay) and arriving from (bx, by).
  Pen& curve(double ax, double ay, double bx, double by, double x, double y) {
    const Point from = at();
    return flatten(12, [&](double t) {
      const double s = 1 - t;
      const double w0 = s * s * s, w1 = 3 * s * s * t, w2 = 3 * s * t * t, w3 = t * t * t;
      return Point{w0 * from.x + w1 * ax + w2 * bx + w3 * x, w0 * from.y + w1 * ay + w2 * by + w3 * y};
    });
  }

  // Around (cx, cy), from one angle to another in degrees: 0 right, 90 down, 180 left, 270 up. A new stroke.
  Pen& arc(double cx, double cy, double rx, double ry, double from, double to) {
    const auto on = [&](double degrees) {
      const double angle = degrees * std::numbers::pi / 180;
      return Point{cx + rx * std::cos(angle), cy + ry * std::sin(angle)};
    };
    const Point start = on(from);
    move(start.x, start.y);
    const int pieces = static_cast<int>(std::ceil(std::abs(to - from) / 15));
    return flatten(pieces, [&](double t) { return on(from + t * (to - from)); });
  }

  operator Skeleton() const { return strokes_; }  // NOLINT(google-explicit-constructor): ends a chain

 private:
  Point at() const { return strokes_.back().back(); }

  template <class Curve>
  Pen& flatten(int pieces, const Curve& curve) {
    for (int i = 1; i <= pieces; ++i) strokes_.back().push_back(curve(static_cast<double>(i) / pieces));
    return *this;
  }

  Skeleton strokes_;
};

std::vector<Skeleton> zeros() {
  return {Pen().arc(0.33, 0.5, 0.30, 0.48, -75, -435),
          // Narrow, not quite closed, with an overlapping start.
          Pen()
              .move(0.42, 0.06)
              .curve(0.18, -0.08, 0.02, 0.25, 0.04, 0.58)
              .curve(0.06, 1.10, 0.50, 1.10, 0.54, 0.55)
              .curve(0.56, 0.20, 0.46, 0.00, 0.22, 0.04)};
}

std::vector<Skeleton> ones() {
  return {Pen().move(0.30, 0.0).curve(0.31, 0.3, 0.29, 0.7, 0.30, 1.0),
          Pen().move(0.08, 0.24).curve(0.18, 0.2, 0.27, 0.1, 0.32, 0.0).line(0.32, 1.0),
          Pen().move(0.10, 0.22).line(0.32, 0.0).line(0.32, 1.0).move(0.08, 1.0).line(0.56, 0.99)};
}

std::vector<Skeleton> twos() {
  return {Pen()
              .move(0.05, 0.24)
              .curve(0.10, -0.08, 0.60, -0.08, 0.60, 0.26)
              .curve(0.60, 0.50, 0.25, 0.75, 0.03, 0.98)
              .line(0.66, 0.96),
          // With a loop at the foot and a waving tail.
          Pen()
              .move(0.06, 0.16)
              .curve(0.20, -0.08, 0.62, -0.04, 0.58, 0.30)
              .curve(0.54, 0.62, 0.30, 0.92, 0.12, 0.96)
              .curve(-0.06, 1.00, -0.02, 0.74, 0.16, 0.82)
              .curve(0.34, 0.90, 0.45, 1.06, 0.70, 0.90)};
}

std::vector<Skeleton> threes() {
  return {Pen()
              .move(0.08, 0.12)
              .curve(0.22, -0.08, 0.60, -0.04, 0.56, 0.24)
              .curve(0.53, 0.42, 0.36, 0.47, 0.22, 0.47)
              .curve(0.48, 0.45, 0.66, 0.56, 0.62, 0.76)
              .curve(0.56, 1.04, 0.18, 1.06, 0.03, 0.86),
          // With a flat top.
          Pen()
              .move(0.08, 0.04)
              .line(0.56, 0.03)
              .line(0.27, 0.40)
              .curve(0.55, 0.36, 0.68, 0.58, 0.60, 0.80)
              .curve(0.52, 1.04, 0.18, 1.04, 0.03, 0.90)};
}

std::vector<Skeleton> fours() {
  return {// Open, of two strokes.
          Pen()
              .move(0.16, 0.02)
              .curve(0.12, 0.25, 0.06, 0.40, 0.05, 0.56)
              .line(0.66, 0.54)
              .move(0.50, 0.10)
              .curve(0.50, 0.4, 0.46, 0.7, 0.45, 1.0),
          // Closed.
          Pen().move(0.48, 0.0).line(0.03, 0.64).line(0.68, 0.62).move(0.48, 0.0).line(0.47, 1.0),
          // Open, of one stroke that turns.
          Pen()
              .move(0.08, 0.0)
              .curve(0.02, 0.30, 0.00, 0.50, 0.20, 0.50)
              .curve(0.40, 0.50, 0.50, 0.35, 0.55, 0.02)
              .curve(0.55, 0.4, 0.52, 0.7, 0.46, 1.0)};
}

std::vector<Skeleton> fives() {
  return {Pen()
              .move(0.60, 0.03)
              .line(0.16, 0.03)
              .line(0.11, 0.44)
              .curve(0.35, 0.28, 0.68, 0.42, 0.62, 0.72)
              .curve(0.56, 1.04, 0.20, 1.04, 0.03, 0.88),
          // Round at the neck, the bar apart and rising.
          Pen()
              .move(0.20, 0.06)
              .curve(0.16, 0.20, 0.12, 0.30, 0.14, 0.38)
              .curve(0.30, 0.42, 0.60, 0.48, 0.56, 0.76)
              .curve(0.52, 1.02, 0.20, 1.04, 0.02, 0.94)
              .move(0.20, 0.07)
              .line(0.68, 0.0)};
}

std::vector<Skeleton> sixes() {
  return {Pen()
              .move(0.52, 0.02)
              .curve(0.22, 0.10, 0.04, 0.42, 0.05, 0.70)
              .curve(0.08, 1.08, 0.60, 1.08, 0.60, 0.74)
              .curve(0.60, 0.44, 0.16, 0.48, 0.07, 0.74),
          // A straight stem and a small loop.
          Pen()
              .move(0.34, 0.0)
              .curve(0.20, 0.22, 0.06, 0.50, 0.06, 0.76)
              .curve(0.08, 1.08, 0.50, 1.06, 0.50, 0.80)
              .curve(0.48, 0.54, 0.20, 0.60, 0.08, 0.84)};
}

std::vector<Skeleton> sevens() {
  return {Pen().move(0.04, 0.05).line(0.62, 0.04).curve(0.50, 0.30, 0.30, 0.60, 0.26, 1.0),
          // With a bar.
          Pen()
              .move(0.06, 0.05)
              .line(0.62, 0.03)
              .curve(0.52, 0.30, 0.34, 0.60, 0.24, 1.0)
              .move(0.14, 0.50)
              .line(0.60, 0.47),
          // With a hook at the left.
          Pen()
              .move(0.03, 0.22)
              .curve(0.02, 0.02, 0.10, 0.02, 0.22, 0.07)
              .curve(0.36, 0.12, 0.50, 0.10, 0.60, 0.03)
              .curve(0.54, 0.30, 0.36, 0.60, 0.34, 1.0)};
}

std::vector<Skeleton> eights() {
  return {// One stroke: down in an S and back up.
          Pen()
              .move(0.56, 0.12)
              .curve(0.42, -0.08, 0.08, -0.02, 0.10, 0.22)
              .curve(0.12, 0.44, 0.58, 0.50, 0.58, 0.76)
              .curve(0.58, 1.06, 0.05, 1.06, 0.05, 0.78)
              .curve(0.06, 0.54, 0.54, 0.40, 0.58, 0.16),
          // Two rings.
          Pen().arc(0.32, 0.235, 0.21, 0.225, 60, 420).arc(0.32, 0.725, 0.27, 0.265, -90, 270)};
}

std::vector<Skeleton> nines() {
  return {// A straight stem.
          Pen()
              .move(0.55, 0.18)
              .curve(0.46, -0.08, 0.05, -0.04, 0.06, 0.28)
              .curve(0.06, 0.58, 0.50, 0.54, 0.56, 0.16)
              .curve(0.57, 0.45, 0.54, 0.75, 0.50, 1.0),
          // A curled tail.
          Pen()
              .move(0.56, 0.22)
              .curve(0.50, -0.08, 0.07, -0.08, 0.06, 0.26)
              .curve(0.06, 0.60, 0.54, 0.56, 0.57, 0.24)
              .curve(0.62, 0.66, 0.56, 1.06, 0.10, 0.94)};
}

}  // namespace

const std::vector<std::vector<Skeleton>>& glyph_skeletons() {
  static const std::vector<std::vector<Skeleton>> digits = {zeros(), ones(),  twos(),   threes(), fours(),
                                                            fives(), sixes(), sevens(), eights(), nines()};
  return digits;
}

}  // namespace deepgen::generated
