#include "deepgen/data/files/labels.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "deepgen/core/error.h"

namespace deepgen {

bool is_label(double value) {
  constexpr double most_classes = 1e6;
  return value >= -1 && value < most_classes && value == std::floor(value);
}

Array read_labels(const std::vector<double>& numbers, const std::string& what, const std::string& place) {
  Array labels = make_array(DType::i64, {static_cast<std::int64_t>(numbers.size())});
  for (std::size_t row = 0; row < numbers.size(); ++row) {
    const double number = std::isnan(numbers[row]) ? -1 : numbers[row];
    if (!is_label(number))
      fail_data(what, fmt::format("expected labels 0, 1, 2, ... or -1 (unknown) in {}, got {} at row {}",
                                  place, number, row));
    labels.as<std::int64_t>()[row] = static_cast<std::int64_t>(number);
  }
  return labels;
}

LabelCounts count_labels(const Array& labels) {
  LabelCounts counts;
  for (std::int64_t row = 0; row < labels.items(); ++row) {
    const std::int64_t label = labels.as<std::int64_t>()[row];
    ++(label < 0 ? counts.unknown : counts.known);
    counts.classes = std::max(counts.classes, label + 1);
  }
  return counts;
}

}  // namespace deepgen
