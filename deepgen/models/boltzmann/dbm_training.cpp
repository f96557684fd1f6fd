// Learning of the deep Boltzmann machine: statistics of data and model, and the gradient they make.
#include "deepgen/models/boltzmann/dbm.h"
#include "deepgen/ops/binary_units.h"
#include "deepgen/ops/products64.h"
#include "deepgen/parts/checks/enumeration.h"
#include "deepgen/parts/couplings/dense_coupling.h"

namespace deepgen {

Metrics Dbm::gradients(const Rows& batch, const Turn& turn, Rng& rng) {
  torch::NoGradGuard no_graph;
  if (pretrains(turn)) return pretraining_gradients(static_cast<std::size_t>(turn.stage), batch.x, rng);
  if (learning_.learning == "multi_prediction") return prediction_gradients(batch.x, rng);
  begin_gradient();
  if (learning_.learning == "exact") {
    exact_gradient(batch.x);
    return {};
  }
  const DbmMeanField q = mean_field(batch.x);
  follow_data(q.means);
  add_statistics(q.means, -1.0 / static_cast<double>(batch.size()), 0);
  if (learning_.learning == "pt")
    tempered_phase(turn, rng);
  else
    chain_phase(rng);
  finish_gradient();
  return {{"mean_field_steps", static_cast<double>(q.steps)}};
}

void Dbm::begin_gradient() {
  auto begin = [](Tensor& parameter) {
    if (!parameter.grad().defined()) parameter.mutable_grad() = at::zeros_like(parameter);
  };
  for (Tensor& w : weights) begin(w);
  for (Tensor& b : biases) begin(b);
}

// ---------------------------------------------------------------- mean field and chains

// Minus the means under the data go into the gradients of the biases; moving averages follow them.
void Dbm::follow_data(const DbmLayers& s) {
  for (std::size_t l = 0; l < layers(); ++l) {
    column_sums(s[l].contiguous(), -1.0 / static_cast<double>(s[l].size(0)), false, biases[l].mutable_grad());
    follow_mean(means[l], biases[l].grad(), learning_.offset_rate);
  }
  for (std::size_t l = 0; l < weights.size(); ++l)
    if (learning_.centring) centring_[l].begin(means[l], means[l + 1]);
}

// dW = keep * dW + share * the products of neighbouring layers; under centring what is carried up by them
// goes into the biases, and what is carried down waits for finish_gradient.
void Dbm::add_statistics(const DbmLayers& s, double share, double keep) {
  for (std::size_t l = 0; l < weights.size(); ++l) {
    Tensor &dw = weights[l].mutable_grad(), &above = biases[l + 1].mutable_grad();
    const DenseCoupling coupling(weights[l]);
    if (learning_.centring)
      centring_[l].add_products(coupling, dw, s[l], s[l + 1], share, keep, above);
    else
      coupling.add_products(dw, s[l], s[l + 1], share, keep);
  }
}

void Dbm::finish_gradient() {
  if (!learning_.centring) return;
  for (std::size_t l = 0; l < weights.size(); ++l) biases[l].mutable_grad().sub_(centring_[l].dw_lambda());
}

// The chains hold the kept half. At the end the other half is a draw, the kept one the means given it and,
// for the next update, a draw from these.
void Dbm::chain_phase(Rng& rng) {
  DbmLayers s = chains;
  for (std::int64_t k = 0; k < learning_.gibbs_steps; ++k) {
    draw_half(1 - kept_, s, rng);
    if (k + 1 < learning_.gibbs_steps) draw_half(kept_, s, rng);
  }
  for (std::size_t l = 0; l < layers(); ++l) {
    if (!chains[l].defined()) continue;
    const Tensor input = input_of(l, s);
    binary_layer(input, biases[l], 1, rng.next(), {.mean = input, .sample = chains[l]});
    s[l] = input;
  }
  add_model_statistics(s);
}

void Dbm::add_model_statistics(const DbmLayers& s) {
  const double share = 1.0 / static_cast<double>(learning_.chains);
  for (std::size_t l = 0; l < layers(); ++l) column_sums(s[l], share, true, biases[l].mutable_grad());
  add_statistics(s, share, 1);
}

// ---------------------------------------------------------------- exact moments

namespace {

DbmMoments no_moments(const std::vector<Tensor>& weights, const std::vector<Tensor>& biases) {
  DbmMoments moments;
  for (const Tensor& b : biases) moments.means.push_back(at::zeros(b.sizes(), at::kDouble));
  for (const Tensor& w : weights) moments.products.push_back(at::zeros(w.sizes(), at::kDouble));
  return moments;
}

// Rows of layers [R, n_l] float64 in the shares `shares` [R].
void add_moments(const DbmLayers& s, const Tensor& shares, DbmMoments& moments) {
  for (std::size_t l = 0; l < s.size(); ++l) {
    Tensor sum = moments.means[l].unsqueeze(0);  // the same numbers
    multiply64(sum, shares.unsqueeze(0), s[l], 1, 1);
    if (l + 1 < s.size()) multiply64(moments.products[l], s[l].t(), s[l + 1] * shares.unsqueeze(1), 1, 1);
  }
}

}  // namespace

// The case x [n_0] with states of the drawn half of the hidden layers [S, n], float64.
DbmLayers Dbm::of_case(const Tensor& x, const Tensor& drawn_states) const {
  DbmLayers s = split_half(drawn_states, drawn_, 1);
  s[0] = x.to(at::kDouble).expand({drawn_states.size(0), units(0)}).contiguous();
  return s;
}

DbmMoments Dbm::data_moments(const Tensor& x) const {
  torch::NoGradGuard no_graph;
  const std::int64_t n = half_units(drawn_, 1);
  const Tensor states = binary_states(0, std::int64_t{1} << n, n);
  DbmMoments moments = no_moments(weights, biases);
  for (const Tensor& row : x.unbind(0)) {
    DbmLayers s = of_case(row, states);
    const Tensor posterior = at::softmax(log_sum_over(1 - drawn_, s), 0);
    add_means(1 - drawn_, s);
    add_moments(s, posterior / static_cast<double>(x.size(0)), moments);
  }
  return moments;
}

DbmMoments Dbm::model_moments() const {
  torch::NoGradGuard no_graph;
  const double log_z = *exact_log_partition();
  const std::int64_t n = half_units(kept_, 0);
  DbmMoments moments = no_moments(weights, biases);
  for_each_block_of_states(n, half_units(1 - kept_, 0), [&](std::int64_t, const Tensor& states) {
    DbmLayers s = split_half(states, kept_, 0);
    const Tensor p = (log_sum_over(1 - kept_, s) - log_z).exp();
    add_means(1 - kept_, s);
    add_moments(s, p, moments);
  });
  return moments;
}

// ---------------------------------------------------------------- exact gradient

// With D the moments of the model less those of the data:
//   dW = D(h_l h_l+1) - m_l D(h_l+1) - D(h_l) m_l+1   (m = 0 without centring)
//   db = D(h_l) - dW_l m_l+1 - dW_l-1^T m_l-1.
void Dbm::exact_gradient(const Tensor& x) {
  const DbmMoments data = data_moments(x), model = model_moments();
  std::vector<Tensor> change, offset;
  for (std::size_t l = 0; l < layers(); ++l) {
    follow_mean(means[l], -data.means[l].to(at::kFloat), learning_.offset_rate);
    change.push_back(model.means[l] - data.means[l]);
    offset.push_back(learning_.centring ? means[l].to(at::kDouble) : at::zeros_like(change[l]));
  }
  std::vector<Tensor> db = change;
  for (std::size_t l = 0; l < weights.size(); ++l) {
    const Tensor dw = model.products[l] - data.products[l] - at::outer(offset[l], change[l + 1]) -
                      at::outer(change[l], offset[l + 1]);
    weights[l].mutable_grad().copy_(dw);
    db[l] = db[l] - (dw * offset[l + 1]).sum(1);
    db[l + 1] = db[l + 1] - (dw * offset[l].unsqueeze(1)).sum(0);
  }
  for (std::size_t l = 0; l < layers(); ++l) biases[l].mutable_grad().copy_(db[l]);
}

}  // namespace deepgen
