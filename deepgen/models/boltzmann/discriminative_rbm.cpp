#include "deepgen/models/boltzmann/discriminative_rbm.h"

#include <fmt/format.h>

#include <cmath>
#include <limits>

#include "deepgen/core/error.h"
#include "deepgen/model/class_metrics.h"
#include "deepgen/model/create.h"
#include "deepgen/ops/binary_units.h"
#include "deepgen/ops/products.h"
#include "deepgen/parts/checks/categories.h"
#include "deepgen/parts/checks/check_cells.h"
#include "deepgen/parts/nets/nets.h"

namespace deepgen {
namespace {

constexpr const char* discriminative_name = "discriminative_rbm";

UnitLayer with_label(const UnitLayer& cells, std::int64_t classes) {
  std::vector<UnitGroup> groups = cells.groups();
  groups.push_back({UnitKind::softmax, cells.size(), classes});
  return UnitLayer(groups);
}

std::shared_ptr<Rbm> joint_machine(const DiscriminativeRbmOptions& options,
                                   const DiscriminativeRbmLearning& learning, UnitLayer layer) {
  RbmOptions machine;
  machine.hidden = options.hidden, machine.weight_scale = options.weight_scale;
  RbmLearning rule;
  rule.learning = learning.learning, rule.gibbs_steps = learning.gibbs_steps, rule.chains = learning.chains;
  rule.centring = false;  // both parts of the gradient are of the plain parameters
  return std::make_shared<Rbm>(machine, rule, std::move(layer));
}

Tensor rows_where(const Tensor& flags) { return flags.nonzero().squeeze(1); }

// Labels [B], -1 where unknown.
Tensor labels_or_unknown(const Rows& rows) {
  return rows.y.defined() ? rows.y : at::full({rows.size()}, -1, at::kLong);
}

void clear_gradient(const Tensor& parameter) {
  if (parameter.grad().defined())
    parameter.mutable_grad().zero_();
  else
    parameter.mutable_grad() = at::zeros_like(parameter);
}

// Means of the hidden units given x and a class: of x W [B, H] and c + U_y [H].
void hidden_means(const Tensor& input, const Tensor& bias, Tensor& mean) {
  Rng unused(0);
  binary_layer(input, bias, 1, unused.next(), {.mean = mean});
}

}  // namespace

// ---------------------------------------------------------------- construction

UnitLayer choice_layer_of(const std::string& who, const std::string& visible_units, const DataShape& data) {
  const UnitLayer own = UnitLayer::of(data.column_groups());
  const bool bits = visible_units == "expected_bits";
  for (const UnitGroup& group : own.groups()) {
    const bool interval = group.kind == UnitKind::binary || group.kind == UnitKind::mean_field;
    if (!interval && (bits || group.kind != UnitKind::softmax))
      fail_data(
          who, fmt::format("expected binary columns or grey values in [0, 1]{}, got other values from column "
                           "{} on; {}",
                           bits ? "" : " or categories", group.first,
                           bits ? "use model.visible_units=auto" : "cut numbers into bins, or use rbm"));
  }
  return bits ? UnitLayer::of(UnitKind::binary, own.size()) : own;
}

DiscriminativeRbm::DiscriminativeRbm(DiscriminativeRbmOptions options, DiscriminativeRbmLearning learning,
                                     const DataShape& data)
    : options_(std::move(options)),
      learning_(std::move(learning)),
      classes_(required_classes(discriminative_name, data.classes, "rbm")),
      cells_(choice_layer_of(discriminative_name, options_.visible_units, data)) {
  learning_.check();
  joint_ = register_module("joint", joint_machine(options_, learning_, with_label(cells_, classes_)));
}

void DiscriminativeRbm::initialise(const Rows& sample, Rng& rng) {
  const Tensor y = labels_or_unknown(sample);
  label_counts(y, classes_, discriminative_name);  // refuses others
  if (!(y >= 0).any().item<bool>())
    fail_data(discriminative_name,
              fmt::format("expected a label for some training rows at least, got none among {}; name their "
                          "column with the data's option labels, or use rbm",
                          sample.size()));
  joint_->initialise(joint_rows(sample.x, y), rng);
}

void DiscriminativeRbm::check_data(const Tensor& x, const std::string& what, std::int64_t first_row) const {
  const bool bits = options_.visible_units == "expected_bits";
  check_cells(x, columns(), bits, discriminative_name, what, first_row);
  if (!bits) cells_.check(x, discriminative_name, what, first_row);
}

Tensor DiscriminativeRbm::filters() const { return joint_->weights.narrow(0, 0, columns()).t().contiguous(); }

// ---------------------------------------------------------------- labels as units

Tensor DiscriminativeRbm::joint_rows(const Tensor& x, const Tensor& y) const {
  constexpr float missing = std::numeric_limits<float>::quiet_NaN();
  if (!y.defined()) return at::cat({x, at::full({x.size(0), classes_}, missing)}, 1);
  const Tensor units = one_hot_labels(y.clamp_min(0), x.size(0), classes_, discriminative_name);
  return at::cat({x, units.masked_fill((y < 0).unsqueeze(1), missing)}, 1);
}

Tensor DiscriminativeRbm::drawn_joint_rows(const Tensor& x, Rng& rng) const {
  return joint_rows(x, draw_categories(log_class_weights(input_of(x)), rng));
}

Tensor DiscriminativeRbm::input_of(const Tensor& x) const {
  Tensor input;
  cell_coupling().input_to_upper(input, x);
  return input;
}

Tensor DiscriminativeRbm::log_class_weights(const Tensor& input) const {
  const Tensor biases = class_hidden_bias(), own = class_bias().to(at::kDouble);
  std::vector<Tensor> weights;
  for (std::int64_t y = 0; y < classes_; ++y) weights.push_back(softplus_row_sum(input, biases[y]) + own[y]);
  return at::stack(weights, 1);
}

Tensor DiscriminativeRbm::log_class_probs(const Rows& rows) const {
  NoGradGuard no_graph;
  return at::log_softmax(log_class_weights(input_of(rows.x)), 1);
}

// ---------------------------------------------------------------- training

Metrics DiscriminativeRbm::gradients(const Rows& batch, const Turn& turn, Rng& rng) {
  NoGradGuard no_graph;
  const double share = 1.0 / static_cast<double>(batch.size());
  const Tensor y = labels_or_unknown(batch), known = rows_where(y >= 0), unknown = rows_where(y < 0);
  const Tensor x = batch.x.index_select(0, known), labels = y.index_select(0, known);
  const std::string& objective = learning_.objective;
  const double alpha = objective == "generative" ? 1
                       : objective == "hybrid"   ? learning_.generative_weight
                                                 : 0;
  bool begun = false;
  // The machine writes its gradients: what is there already is kept beside and added.
  auto add_generative = [&](const Tensor& pairs, double weight) {
    std::vector<Tensor> before;
    for (const Tensor& p : parameters()) before.push_back(begun ? p.grad().clone() : Tensor());
    joint_->gradients(pairs, turn, rng);
    std::size_t at = 0;
    for (const Tensor& p : parameters()) {
      p.mutable_grad().mul_(weight);
      if (begun) p.mutable_grad().add_(before[at]);
      ++at;
    }
    begun = true;
  };
  if (alpha > 0 && known.size(0) > 0)
    add_generative(joint_rows(x, labels), alpha * share * static_cast<double>(known.size(0)));
  if (learning_.unlabelled_weight > 0 && unknown.size(0) > 0)
    add_generative(drawn_joint_rows(batch.x.index_select(0, unknown), rng),
                   learning_.unlabelled_weight * share * static_cast<double>(unknown.size(0)));
  if (!begun)
    for (const Tensor& p : parameters()) clear_gradient(p);
  if (objective != "generative" && known.size(0) > 0) add_discriminative(x, labels, share);
  return {};
}

// To the gradients: those of -log p(y | x), summed over the rows and times `share`.
void DiscriminativeRbm::add_discriminative(const Tensor& x, const Tensor& y, double share) {
  const Tensor input = input_of(x), biases = class_hidden_bias();
  const Tensor targets = one_hot_labels(y, x.size(0), classes_, discriminative_name);
  const Tensor residuals = (at::softmax(log_class_weights(input), 1) - targets).to(at::kFloat);
  const Tensor dw = joint_->weights.grad();
  Tensor pull = at::zeros_like(input), mean = at::empty_like(input);  // sum_y r_y s_y, s_y
  for (std::int64_t k = 0; k < classes_; ++k) {
    hidden_means(input, biases[k], mean);
    const Tensor residual = residuals.select(1, k).contiguous().unsqueeze(1);
    Tensor class_row = dw.narrow(0, columns() + k, 1);
    multiply(class_row, residual.t(), mean, share, 1);
    pull.addcmul_(mean, residual);
  }
  Tensor cell_rows = dw.narrow(0, 0, columns());
  multiply(cell_rows, x.t(), pull, share, 1);
  Tensor dc = joint_->hidden_bias.grad(), dd = joint_->visible_bias.grad().narrow(0, columns(), classes_);
  column_sums(pull, share, true, dc);
  column_sums(residuals, share, true, dd);
}

Metrics DiscriminativeRbm::diagnose(const Rows& train, const Rows& valid, Rng&) {
  NoGradGuard no_graph;
  Metrics metrics;
  add_class_metrics(*this, train, "train", metrics);
  if (valid.size() > 0) add_class_metrics(*this, valid, "valid", metrics);
  metrics.emplace_back("weight_norm", ordered_norm(joint_->weights));
  return metrics;
}

// ---------------------------------------------------------------- scores and codes

Tensor DiscriminativeRbm::free_energy(const Rows& rows) const {
  NoGradGuard no_graph;
  const Tensor own = cells_.log_weight(rows.x, joint_->visible_bias.narrow(0, 0, columns()), {});
  return -(own + at::logsumexp(log_class_weights(input_of(rows.x)), 1));
}

std::optional<Tensor> DiscriminativeRbm::marginal_free_energy(const Rows& rows) const {
  NoGradGuard no_graph;
  if (!rows.x.isnan().any().item<bool>()) return free_energy(rows);
  return joint_->marginal_free_energy(joint_rows(rows.x, {}));
}

Tensor DiscriminativeRbm::encode(const Rows& rows) const {
  NoGradGuard no_graph;
  const Tensor input = input_of(rows.x), biases = class_hidden_bias();
  const Tensor probs = at::softmax(log_class_weights(input), 1).to(at::kFloat);
  Tensor code = at::zeros_like(input), mean = at::empty_like(input);
  for (std::int64_t y = 0; y < classes_; ++y) {
    hidden_means(input, biases[y], mean);
    code.addcmul_(mean, probs.narrow(1, y, 1));
  }
  return code;
}

template std::shared_ptr<Model> create<DiscriminativeRbmCard>(const Options&, const Options&,
                                                              const DataShape&);

}  // namespace deepgen
