#include "deepgen/model/class_metrics.h"

namespace deepgen {

Tensor labelled_places(const Rows& rows) {
  if (!rows.y.defined()) return at::empty({0}, at::kLong);
  return (rows.y >= 0).nonzero().squeeze(1);
}

void add_class_metrics(const CanClassify& model, const Rows& rows, const std::string& part,
                       Metrics& metrics) {
  const Tensor known = labelled_places(rows);
  if (known.size(0) == 0) return;
  const Tensor y = rows.y.index_select(0, known);
  const Tensor logs = model.log_class_probs(rows.x.index_select(0, known));
  const Tensor wrong = (logs.argmax(1) != y).to(at::kDouble);
  metrics.emplace_back(part + "_classification_error", 100 * wrong.mean().item<double>());
  metrics.emplace_back(part + "_classification_log_loss",
                       -logs.gather(1, y.unsqueeze(1)).mean().item<double>());
}

}  // namespace deepgen
