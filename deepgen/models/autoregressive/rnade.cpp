#include "deepgen/models/autoregressive/rnade.h"

#include <cmath>

#include "deepgen/core/constants.h"
#include "deepgen/model/create.h"
#include "deepgen/ops/binary_units.h"
#include "deepgen/ops/layers.h"
#include "deepgen/ops/unit_layers.h"
#include "deepgen/parts/checks/categories.h"
#include "deepgen/parts/checks/check_cells.h"
#include "deepgen/parts/likelihoods/mixture_components.h"

namespace deepgen {
namespace {

// log sum_k exp(log_weight_k) N(z; mean_k, deviation_k^2), [B] float64.
Tensor mixture_log_density(const Tensor& log_weight, const Tensor& mean, const Tensor& deviation,
                           const Tensor& z) {
  const Tensor s = deviation.to(at::kDouble);
  const Tensor distance = (z.to(at::kDouble).unsqueeze(1) - mean) / s;
  const Tensor logs = log_weight.to(at::kDouble) - distance.square() / 2 - s.log();
  return at::logsumexp(logs, 1) - log_two_pi / 2;
}

}  // namespace

// ---------------------------------------------------------------- construction

Rnade::Rnade(RnadeOptions options, NoOptions learning, const DataShape& data)
    : columns_(data.columns),
      options_(std::move(options)),
      learning_(std::move(learning)),
      weight_(register_parameter("weight", at::zeros({columns_, options_.hidden}))),
      bias_(register_parameter("bias", at::zeros({options_.hidden}))),
      output_weight_(register_parameter("output_weight",
                                        at::zeros({columns_, options_.hidden, 3 * options_.components}))),
      output_bias_(register_parameter("output_bias", at::zeros({columns_, 3 * options_.components}))),
      mean_(register_buffer("mean", at::zeros({columns_}))),
      deviation_(register_buffer("deviation", at::ones({columns_}))) {}

// The Gaussians begin evenly spread over two deviations to either side of the mean, half as wide as a column.
void Rnade::initialise(const Rows& sample, Rng& rng) {
  const ColumnMoments moments = column_moments(sample.x);
  NoGradGuard no_graph;
  mean_.copy_(moments.mean);
  deviation_.copy_(moments.variance.sqrt());
  const auto hidden = static_cast<double>(options_.hidden);
  fill_uniform(weight_, std::sqrt(6.0 / (static_cast<double>(columns_) + hidden)), rng);
  fill_uniform(bias_, 0.5, rng);
  fill_uniform(output_weight_, std::sqrt(1 / hidden) / 4, rng);
  const std::int64_t k = options_.components;
  output_bias_.zero_();
  for (std::int64_t c = 0; c < k; ++c)
    output_bias_.select(1, k + c).fill_(4 * (static_cast<double>(c) + 0.5) / static_cast<double>(k) - 2);
  output_bias_.narrow(1, 2 * k, k).fill_(std::log(std::expm1(0.5)));
}

void Rnade::check_data(const Tensor& x, const std::string& what, std::int64_t first_row) const {
  if (x.size(1) == columns_) refuse_missing(x, "rnade", what, first_row);  // its chain fills them in
  check_cells(x, columns_, false, "rnade", what, first_row);
}

// ---------------------------------------------------------------- conditionals

Rnade::Slices Rnade::slices() const {
  return {weight_.unbind(0), output_weight_.unbind(0), output_bias_.unbind(0)};
}

// c in every row.
Tensor Rnade::first_input(std::int64_t rows) const {
  return dense(at::ones({rows, 1}), bias_.unsqueeze(0), {});
}

Rnade::Conditional Rnade::conditional(const Slices& of, const Tensor& a, std::int64_t i) const {
  const std::int64_t k = options_.components;
  const auto column = static_cast<std::size_t>(i);
  const Tensor h = at::relu(a) / std::sqrt(static_cast<double>(i) + 1);
  const Tensor out = dense(h, of.output_weight[column], of.output_bias[column]);
  return {at::log_softmax(out.narrow(1, 0, k), 1), out.narrow(1, k, k),
          activate(out.narrow(1, 2 * k, k).contiguous(), Activation::softplus) + options_.smallest_deviation};
}

Tensor Rnade::with_column(const Slices& of, const Tensor& a, const Tensor& z, std::int64_t i) const {
  return a + dense(z.narrow(1, i, 1).contiguous(), of.weight[static_cast<std::size_t>(i)].unsqueeze(0), {});
}

Tensor Rnade::log_densities(const Tensor& x) const {
  const Tensor z = (x - mean_) / deviation_;
  const Slices of = slices();
  Tensor a = first_input(x.size(0));
  std::vector<Tensor> logs;
  for (std::int64_t i = 0; i < columns_; ++i) {
    const Conditional c = conditional(of, a, i);
    logs.push_back(mixture_log_density(c.log_weight, c.mean, c.deviation, z.select(1, i)));
    if (i + 1 < columns_) a = with_column(of, a, z, i);
  }
  return at::stack(logs, 1) - deviation_.to(at::kDouble).log();
}

// ---------------------------------------------------------------- gradients

Metrics Rnade::gradients(const Rows& batch, const Turn&, Rng&) {
  return descend(log_densities(batch.x).sum(1));
}

// ---------------------------------------------------------------- sampling

Autoregressive::Draw Rnade::draw(const Tensor& x, const Tensor& held, Rng& rng) const {
  NoGradGuard no_graph;
  const std::int64_t rows = x.size(0);
  const Tensor u = uniform(rows, columns_, rng.next()), n = normal(rows, columns_, rng.next());
  Tensor z = ((x - mean_) / deviation_).contiguous();
  Draw done{x.clone(), at::empty({rows, columns_}, at::kDouble), at::empty_like(x)};
  const Slices of = slices();
  Tensor a = first_input(rows);
  for (std::int64_t i = 0; i < columns_; ++i) {
    const Conditional c = conditional(of, a, i);
    const Tensor shares = c.log_weight.exp();
    const Tensor which = pick_categories(shares, u.select(1, i)).unsqueeze(1);
    const Tensor drawn =
        c.mean.gather(1, which).squeeze(1) + c.deviation.gather(1, which).squeeze(1) * n.select(1, i);
    const Tensor stays = held.select(1, i);
    // A drawn cell is what its value in the data's units says, so that it scores the same when read again.
    const Tensor value = at::where(stays, x.select(1, i), drawn * deviation_[i] + mean_[i]);
    done.x.select(1, i).copy_(value);
    z.select(1, i).copy_((value - mean_[i]) / deviation_[i]);
    done.mean.select(1, i).copy_((shares * c.mean).sum(1) * deviation_[i] + mean_[i]);
    done.log_prob.select(1, i).copy_(mixture_log_density(c.log_weight, c.mean, c.deviation, z.select(1, i)));
    a = with_column(of, a, z, i);
  }
  return done;
}

// ---------------------------------------------------------------- scores

Tensor Rnade::log_prob(const Rows& rows) const {
  NoGradGuard no_graph;
  return log_densities(rows.x).sum(1);
}

template std::shared_ptr<Model> create<RnadeCard>(const Options&, const Options&, const DataShape&);

}  // namespace deepgen
