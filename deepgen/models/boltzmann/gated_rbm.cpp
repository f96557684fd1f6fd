// The gated machine: construction and learning.
#include "deepgen/models/boltzmann/gated_rbm.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "deepgen/core/error.h"
#include "deepgen/model/create.h"
#include "deepgen/models/boltzmann/gaussian_base.h"
#include "deepgen/ops/binary_units.h"
#include "deepgen/ops/products.h"
#include "deepgen/ops/products64.h"
#include "deepgen/ops/unit_layers.h"

namespace deepgen {
namespace {

// Columns first .. first + count - 1 of the layer as one of their own; units of one column each.
UnitLayer part_of_layer(const UnitLayer& whole, std::int64_t first, std::int64_t count) {
  std::vector<UnitGroup> groups;
  for (const UnitGroup& group : whole.groups()) {
    const std::int64_t from = std::max(group.first, first),
                       to = std::min(group.first + group.size, first + count);
    if (from < to) groups.push_back({group.kind, from - first, to - from, group.copies});
  }
  return UnitLayer(groups);
}

std::int64_t columns_of_first_part(const GatedRbmOptions& options, const DataShape& data) {
  const std::int64_t first = options.first_columns;
  if (first == 0 && (data.columns < 2 || data.columns % 2 != 0))
    fail_data(
        "gated_rbm",
        fmt::format("expected an even number of columns, two parts of the same size, got {}; say how many "
                    "the first part has with model.first_columns",
                    data.columns));
  if (first >= data.columns)
    fail_usage("model.first_columns",
               fmt::format("expected fewer than the {} columns of the data, got {}", data.columns, first));
  return first == 0 ? data.columns / 2 : first;
}

// Of either type; float32 on float32 kernels.
Tensor typed_product(const Tensor& a, const Tensor& b) {
  Tensor out = at::empty({a.size(0), b.size(1)}, a.options());
  if (a.scalar_type() == at::kDouble)
    multiply64(out, a, b);
  else
    multiply(out, a, b);
  return out;
}

}  // namespace

// ---------------------------------------------------------------- construction

GatedRbm::GatedRbm(GatedRbmOptions options, GatedRbmLearning learning, const DataShape& data)
    : options_(std::move(options)),
      learning_(std::move(learning)),
      visible_units_(UnitLayer::of(data.column_groups())),
      first_units_(part_of_layer(visible_units_, 0, columns_of_first_part(options_, data))),
      second_units_(part_of_layer(visible_units_, first_units_.size(), data.columns - first_units_.size())) {
  learning_.check();
  const std::int64_t count = options_.factors, units = options_.mappings;
  input_factors = register_parameter("input_factors", at::zeros({first_units_.size(), count}), false);
  output_factors = register_parameter("output_factors", at::zeros({second_units_.size(), count}), false);
  mapping_factors = register_parameter("mapping_factors", at::zeros({count, units}), false);
  mapping_bias = register_parameter("mapping_bias", at::zeros({units}), false);
  visible_bias = register_parameter("visible_bias", at::zeros({data.columns}), false);
  data_mean = register_buffer("data_mean", at::full({data.columns}, 0.5));
  if (learning_.learning == "pcd")
    chains = register_buffer("chains", at::zeros({learning_.chains, data.columns}));
}

void GatedRbm::initialise(const Rows& sample, Rng& rng) {
  NoGradGuard no_graph;
  const Tensor known = sample.x.isnan().logical_not().sum(0);
  data_mean.copy_((at::nansum(sample.x, {0}, false, at::kDouble) + 1) / (known + 2));
  for (Tensor* part : {&input_factors, &output_factors, &mapping_factors})
    part->copy_(normal(part->size(0), part->size(1), rng.next()) * options_.weight_scale);
  mapping_bias.zero_();
  visible_bias.copy_(base_activation());
  if (chains.defined()) chains.copy_(chain_start(chains.size(0), rng));
}

bool GatedRbm::decays(const std::string& name, const Tensor&) const { return name.ends_with("_factors"); }

Tensor GatedRbm::filters() const { return at::cat({input_factors, output_factors}).t().contiguous(); }

void GatedRbm::check_data(const Tensor& x, const std::string& what, std::int64_t first_row) const {
  visible_units_.check(x, "gated_rbm", what, first_row);
}

Tensor GatedRbm::base_activation() const { return visible_units_.at_moments(data_mean, {}).theta; }

// ---------------------------------------------------------------- conditionals

GatedRbm::Answers GatedRbm::answers(const Tensor& v) const {
  const Tensor x = centred_part(v, true), y = centred_part(v, false);
  return {x, y, typed_product(x, input_factors.to(v.scalar_type())),
          typed_product(y, output_factors.to(v.scalar_type()))};
}

Tensor GatedRbm::centred_part(const Tensor& v, bool of_first) const {
  const std::int64_t from = of_first ? 0 : first(), count = of_first ? first() : columns() - first();
  return v.narrow(1, from, count) - data_mean.narrow(0, from, count).to(v.scalar_type());
}

Tensor GatedRbm::mapping_input(const Tensor& v) const {
  const Answers a = answers(v);
  return typed_product(a.f * a.g, mapping_factors.to(v.scalar_type())) + mapping_bias.to(v.scalar_type());
}

GatedRbm::VisibleDraw GatedRbm::draw_visible(const Tensor& v, const Tensor& h, double beta,
                                             const Tensor& known, Rng& rng) const {
  const Tensor through = typed_product(h, mapping_factors.t());
  const Tensor theta = base_activation() * (1 - beta) + visible_bias * beta;
  VisibleDraw drawn{v.clone(), at::empty_like(v)};
  auto draw = [&](const UnitLayer& units, std::int64_t from, const Tensor& others,
                  const Tensor& own_factors) {
    const Tensor input = typed_product(others * through, own_factors.t());
    Tensor sample = at::empty_like(input), mean = at::empty_like(input);
    units.activate(input, {theta.narrow(0, from, units.size()).contiguous(), {}, {}}, beta, rng,
                   {.mean = mean, .sample = sample});
    drawn.mean.narrow(1, from, units.size()).copy_(mean);
    Tensor place = drawn.sample.narrow(1, from, units.size());
    if (known.defined()) sample = at::where(known.narrow(1, from, units.size()), place, sample);
    place.copy_(sample);
  };
  draw(first_units_, 0, typed_product(centred_part(v, false), output_factors), input_factors);
  draw(second_units_, first(), typed_product(centred_part(drawn.sample, true), input_factors),
       output_factors);
  return drawn;
}

Tensor GatedRbm::encode(const Rows& rows) const {
  NoGradGuard no_graph;
  Tensor code = mapping_input(rows.x);
  Rng unused(0);
  binary_layer(code, at::zeros({mappings()}), 1, unused.next(), {.mean = code});
  return code;
}

// ---------------------------------------------------------------- learning

Tensor GatedRbm::first_part_known(std::int64_t rows) const {
  return (at::arange(columns(), at::kLong) < first()).expand({rows, columns()}).contiguous();
}

Metrics GatedRbm::gradients(const Rows& batch, const Turn&, Rng& rng) {
  NoGradGuard no_graph;
  const Tensor x = gaps_filled(*this, batch.x, learning_.gap_steps, rng);
  for (Tensor parameter : parameters()) fresh_gradient(parameter);
  add_statistics(x, -1.0 / static_cast<double>(x.size(0)));
  const Tensor held = learning_.objective == "conditional" ? first_part_known(x.size(0)) : Tensor();
  const Tensor end = clamped_steps(chains.defined() ? chains : x, learning_.gibbs_steps, held, rng);
  if (chains.defined()) chains.copy_(end);
  add_statistics(end, 1.0 / static_cast<double>(end.size(0)));
  return {};
}

void GatedRbm::add_statistics(const Tensor& v, double share) {
  const Answers a = answers(v);
  const Tensor on = encode({v, {}}), both = a.f * a.g, back = typed_product(on, mapping_factors.t());
  auto add = [&](const Tensor& left, const Tensor& right, Tensor& parameter) {
    Tensor gradient = parameter.grad();
    multiply(gradient, left.t(), right, share, 1);
  };
  add(a.x, a.g * back, input_factors);
  add(a.y, a.f * back, output_factors);
  add(both, on, mapping_factors);
  auto add_sums = [&](const Tensor& terms, Tensor& parameter) {
    Tensor sums = parameter.grad();
    column_sums(terms, share, true, sums);
  };
  add_sums(on, mapping_bias);
  add_sums(v.contiguous(), visible_bias);
}

// U_f, V_f and W_f of one length, their product as it was.
void GatedRbm::project(const Turn&) {
  NoGradGuard no_graph;
  constexpr double least = 1e-6;
  const Tensor u = column_sums(input_factors.square()).sqrt(),
               v = column_sums(output_factors.square()).sqrt(), w = mapping_factors.square().sum(1).sqrt();
  const Tensor length = (u * v * w).to(at::kDouble).pow(1.0 / 3).to(at::kFloat);
  const Tensor sound = at::minimum(at::minimum(u, v), w) > least;
  auto factor = [&](const Tensor& own) { return at::where(sound, length / own, at::ones_like(own)); };
  input_factors.mul_(factor(u));
  output_factors.mul_(factor(v));
  mapping_factors.mul_(factor(w).unsqueeze(1));
}

Metrics GatedRbm::diagnose(const Rows& train, const Rows& valid, Rng& rng) {
  NoGradGuard no_graph;
  auto filled = [&](const Rows& rows) { return gaps_filled(*this, rows.x, learning_.gap_steps, rng); };
  const Tensor rows = filled(train);
  Metrics metrics = energy_metrics(*this, rows, filled(valid), chains);
  const Tensor activity = column_sums(encode({rows, {}}), 1.0 / static_cast<double>(rows.size(0)));
  metrics.emplace_back("mean_activity", activity.mean().item<double>());
  metrics.emplace_back("dead_units", (activity < 0.001).to(at::kDouble).mean().item<double>());
  // How far y is from its mean given x and the mapping units that see both.
  const std::int64_t second = columns() - first();
  const Tensor mean = draw_visible(rows, encode({rows, {}}), 1, first_part_known(rows.size(0)), rng).mean;
  const Tensor error = (mean - rows).narrow(1, first(), second).square().sum(1, false, at::kDouble);
  metrics.emplace_back("second_part_error", error.mean().item<double>());
  return metrics;
}

std::string GatedRbm::diverged(const Metrics& diagnosis) const {
  return chains_have_left(diagnosis, columns());
}

template std::shared_ptr<Model> create<GatedRbmCard>(const Options&, const Options&, const DataShape&);

}  // namespace deepgen
