// The plain digits: for each digit a few ways of writing it, each as pen strokes.
#pragma once

#include <vector>

namespace deepgen::generated {

struct Point {
  double x = 0, y = 0;
};

// A polyline fine enough to pass for the curve it stands for.
using Stroke = std::vector<Point>;

// Strokes in units of the digit's height: y grows downwards from 0 to 1, x spans about 0 to 0.7.
using Skeleton = std::vector<Stroke>;

// The ways of writing each digit: [10][two or three variants].
const std::vector<std::vector<Skeleton>>& glyph_skeletons();

}  // namespace deepgen::generated
