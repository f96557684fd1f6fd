#include "deepgen/parts/pixels/regions.h"

#include <algorithm>

#include "deepgen/core/error.h"

namespace deepgen {
namespace {

const std::vector<std::string> names_of_halves = {"left", "right", "upper", "lower"};
const std::vector<std::string> names_of_quarters = {"upper_left", "upper_right", "lower_left", "lower_right"};

std::vector<std::string> split(const std::string& text) {
  std::vector<std::string> parts;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t comma = std::min(text.find(',', begin), text.size());
    parts.push_back(text.substr(begin, comma - begin));
    begin = comma + 1;
  }
  return parts;
}

// Marks a part of pixels [C, H, W].
void mark(Tensor& pixels, const std::string& part) {
  const std::int64_t height = pixels.size(1), width = pixels.size(2);
  Tensor some = pixels;
  if (part.find("upper") != std::string::npos) some = some.narrow(1, 0, height / 2);
  if (part.find("lower") != std::string::npos) some = some.narrow(1, height / 2, height - height / 2);
  if (part.find("left") != std::string::npos) some = some.narrow(2, 0, width / 2);
  if (part.find("right") != std::string::npos) some = some.narrow(2, width / 2, width - width / 2);
  some.fill_(true);
}

}  // namespace

Tensor region_mask(const std::string& option, const std::string& names,
                   const std::vector<std::int64_t>& shape, std::int64_t columns) {
  const bool picture = shape.size() == 3 && shape[1] > 1;
  Tensor pixels =
      picture ? at::zeros({shape[0], shape[1], shape[2]}, at::kBool) : at::zeros({1, 1, columns}, at::kBool);
  std::vector<std::string> known = names_of_halves;
  known.insert(known.end(), names_of_quarters.begin(), names_of_quarters.end());
  for (const std::string& part : split(names)) {
    if (part.empty()) fail_usage(option, "expected parts of a case, got an empty name in '" + names + "'");
    if (std::find(known.begin(), known.end(), part) == known.end())
      fail_usage(option, unknown_name("part", part, known));
    if (!picture && part != "left" && part != "right")
      fail_usage(option, "expected left or right, as the cases are no pictures, got '" + part + "'");
    mark(pixels, part);
  }
  const Tensor mask = pixels.reshape({columns});
  if (mask.all().item<bool>() || !mask.any().item<bool>())
    fail_usage(option, "expected a part of the case that leaves a rest, got " +
                           std::string(mask.any().item<bool>() ? "all" : "none") + " of it with '" + names +
                           "'");
  return mask;
}

}  // namespace deepgen
