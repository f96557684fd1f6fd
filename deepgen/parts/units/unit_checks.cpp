// Which values the units of a layer can take.
#include <fmt/format.h>

#include "deepgen/core/error.h"
#include "deepgen/parts/units/unit_layer.h"

namespace deepgen {
namespace {

struct Rule {
  Tensor bad;
  const char* expected;
};

Rule rule_of(UnitKind kind, std::int64_t copies, const Tensor& x) {
  auto outside = [&](double low, double high) { return at::logical_or(x<low, x> high); };
  const Tensor broken = x != x.round();
  switch (kind) {
    case UnitKind::binary:
      return {at::logical_not(at::logical_or(x == 0, x == 1)), "0 or 1 for binary units"};
    case UnitKind::softmax:
      return {at::logical_not(at::logical_or(x == 0, x == 1)), "0 or 1 in a one-hot group (softmax units)"};
    case UnitKind::mean_field:
      return {outside(0, 1), "a value in [0, 1] for mean-field units"};
    case UnitKind::stepped:
      return {at::logical_or(broken, outside(0, static_cast<double>(copies))),
              "a whole number from 0 to the number of copies for stepped units"};
    case UnitKind::rectified:
    case UnitKind::count:
      return {at::logical_or(broken, x < 0), "a whole number of 0 or more for count units"};
    case UnitKind::gaussian:
      return {x.isinf(), "a finite number for Gaussian units"};
  }
  return {};
}

}  // namespace

void UnitLayer::check(const Tensor& x, const std::string& who, const std::string& what,
                      std::int64_t first_row, const std::string& hint) const {
  if (x.size(1) != size_)
    fail_data(what, fmt::format("expected {} columns, as the model was made for, got {}", size_, x.size(1)));
  for (const Part& part : parts_) {
    const Tensor values = take(part, x);
    const Rule rule = rule_of(part.kind, part.copies, values);
    const Tensor bad = at::logical_and(rule.bad, values.isnan().logical_not());
    if (!bad.any().item<bool>()) continue;
    const Tensor first = bad.nonzero()[0];
    const std::int64_t row = first[0].item<std::int64_t>(), place = first[1].item<std::int64_t>();
    std::string advice;
    if (part.kind == UnitKind::binary) {
      advice = "; add a binarisation to the data (:binarize=threshold, static or dynamic)";
      if (!hint.empty()) advice += " or " + hint;
    }
    fail_data(what, fmt::format("expected {}, got {} at row {}, column {}{}", rule.expected,
                                values[row][place].item<double>(), first_row + row,
                                part.list[static_cast<std::size_t>(place)], advice));
  }
  check_groups(x, who, what, first_row);
}

void UnitLayer::check_groups(const Tensor& x, const std::string& who, const std::string& what,
                             std::int64_t first_row) const {
  for (const UnitGroup& group : groups_) {
    if (group.kind != UnitKind::softmax) continue;
    const Tensor cells = x.narrow(1, group.first, group.size);
    const Tensor sums = cells.sum(1), gaps = cells.isnan().sum(1);
    const Tensor bad = at::where(gaps > 0, gaps < group.size, sums != 1);
    if (!bad.any().item<bool>()) continue;
    const std::int64_t row = bad.nonzero()[0].item<std::int64_t>();
    fail_data(what, fmt::format("expected exactly one 1 in the one-hot group of columns {} to {}, got {} at "
                                "row {} ({})",
                                group.first, group.first + group.size - 1, sums[row].item<double>(),
                                first_row + row, who));
  }
}

}  // namespace deepgen
