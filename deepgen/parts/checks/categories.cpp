#include "deepgen/parts/checks/categories.h"

#include <fmt/format.h>

#include "deepgen/core/error.h"
#include "deepgen/parts/checks/check_cells.h"

namespace deepgen {

Tensor pick_categories(const Tensor& shares, const Tensor& u) {
  const std::int64_t last = shares.size(-1) - 1;
  return (shares.cumsum(-1) <= u.unsqueeze(1)).sum(1).clamp_max(last);
}

Tensor draw_categories(const Tensor& log_weights, Rng& rng) {
  Tensor u = at::empty({log_weights.size(0)}, at::kDouble);
  for (std::int64_t i = 0; i < u.size(0); ++i) u.data_ptr<double>()[i] = rng.uniform();
  return pick_categories(at::softmax(log_weights.to(at::kDouble), 1), u);
}

Tensor one_hot_labels(const Tensor& y, std::int64_t rows, std::int64_t classes, const std::string& who) {
  check_labels(y, rows, classes, who);
  return at::one_hot(y, classes).to(at::kFloat);
}

Tensor label_counts(const Tensor& y, std::int64_t classes, const std::string& who) {
  const Tensor known = y.masked_select(y >= 0);
  if (known.size(0) > 0 && known.max().item<std::int64_t>() >= classes)
    fail_data(who, fmt::format("expected labels from 0 to {}, got {}", classes - 1,
                               known.max().item<std::int64_t>()));
  return at::bincount(known, {}, classes).to(at::kDouble);
}

std::int64_t required_classes(const std::string& who, std::int64_t classes, const std::string& instead) {
  if (classes < 1)
    fail_data(who,
              "expected data with labels, got none; name their column with the data's option labels, or "
              "give the arrays train_labels, test_labels" +
                  (instead.empty() ? "" : ", or use " + instead));
  return classes;
}

}  // namespace deepgen
