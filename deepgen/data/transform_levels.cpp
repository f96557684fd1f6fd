// Grey levels that are dequantised: how many there are, and which numbers are none of them.
#include <fmt/format.h>

#include <algorithm>

#include "deepgen/core/error.h"
#include "deepgen/data/cell_facts.h"
#include "deepgen/data/transform.h"

namespace deepgen {
namespace {

// Row and column of the first known number in [0, 1] that is none of so many levels.
std::optional<CellPlace> first_between_levels(const Tensor& x, std::int64_t levels) {
  const double rounding = levels > 256 ? 0.02 : 1e-3;  // of a level: float32 keeps 65536 of them to 0.004
  for (std::int64_t first = 0; first < x.size(0); first += Transform::block_rows) {
    const Tensor level =
        x.narrow(0, first, std::min(Transform::block_rows, x.size(0) - first)).to(at::kDouble) *
        static_cast<double>(levels - 1);
    const Tensor bad = ((level - level.round()).abs() > rounding).nonzero();
    if (bad.size(0) > 0)
      return CellPlace{first + bad[0][0].item<std::int64_t>(), bad[0][1].item<std::int64_t>()};
  }
  return std::nullopt;
}

}  // namespace

bool Transform::has_between_levels(const Tensor& x) const {
  return dequantised && x.is_floating_point() && first_between_levels(x, levels);
}

void Transform::fit_dequantise(const Tensor& x, const std::string& what) {
  dequantised = true;
  if (!x.is_floating_point()) return;
  constexpr std::int64_t wide = 65536;
  std::optional<CellPlace> between = first_between_levels(x, levels);
  if (between) levels = wide, between = first_between_levels(x, levels);
  if (!between) return;
  fail_data(what, fmt::format(
                      "expected grey levels to dequantise, bytes divided by 255 or 16-bit numbers divided by "
                      "65535, got {} at row {}, column {}; leave dequantise out: the numbers are real ones",
                      x[between->first][between->second].item<double>(), between->first, between->second));
}

}  // namespace deepgen
