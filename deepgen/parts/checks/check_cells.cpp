#include "deepgen/parts/checks/check_cells.h"

#include <fmt/format.h>

#include <cmath>

#include "deepgen/core/error.h"

namespace deepgen {

void check_cells(const Tensor& x, std::int64_t columns, bool unit_interval, const std::string& who,
                 const std::string& what, std::int64_t first_row) {
  if (x.size(1) != columns)
    fail_data(what,
              fmt::format("expected {} columns, as the model was made for, got {}", columns, x.size(1)));
  Tensor bad = x.isfinite().logical_not();
  if (unit_interval) bad = at::logical_or(bad, at::logical_or(x<0, x> 1));
  if (!bad.any().item<bool>()) return;
  const Tensor first = bad.nonzero()[0];
  const std::int64_t row = first[0].item<std::int64_t>(), column = first[1].item<std::int64_t>();
  const double value = x[row][column].item<double>();
  const bool missing = std::isnan(value);
  fail_data(what, fmt::format(
                      "expected {} for {}, got {} at row {}, column {}{}",
                      unit_interval ? "a value in [0, 1]" : "a finite number", who,
                      missing ? "a missing cell" : fmt::format("{}", value), first_row + row, column,
                      missing ? "; fill the gaps first with `deepgen complete`, or take a model that learns "
                                "from such rows (orderless_nade, latent_class, rbm)"
                              : ""));
}

void check_labels(const Tensor& y, std::int64_t rows, std::int64_t classes, const std::string& what) {
  if (!y.defined())
    fail_data(what,
              "expected a label for every row, got none; name their column with the data's option labels, or "
              "give the arrays train_labels, test_labels");
  if (y.size(0) != rows)
    fail_data(what, fmt::format("expected a label for each of {} rows, got {}", rows, y.size(0)));
  const Tensor bad = at::logical_or(y < 0, y >= classes);
  if (!bad.any().item<bool>()) return;
  const std::int64_t row = bad.nonzero()[0].item<std::int64_t>();
  fail_data(what, fmt::format("expected labels from 0 to {}, got {} at row {}", classes - 1,
                              y[row].item<std::int64_t>(), row));
}

}  // namespace deepgen
