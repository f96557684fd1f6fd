// The deep Boltzmann machine: construction, beginnings, what is seen of it, codes.
#include "deepgen/models/boltzmann/dbm.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "deepgen/core/error.h"
#include "deepgen/model/create.h"
#include "deepgen/models/boltzmann/dbm_half.h"
#include "deepgen/ops/binary_units.h"
#include "deepgen/ops/layers.h"
#include "deepgen/parts/likelihoods/likelihood_checks.h"
#include "deepgen/parts/nets/nets.h"

namespace deepgen {

// ---------------------------------------------------------------- construction

Dbm::Dbm(DbmOptions options, DbmLearning learning, const DataShape& data)
    : options_(std::move(options)),
      learning_(std::move(learning)),
      visible_units_(UnitLayer::of(UnitKind::binary, data.columns)) {
  options_.check();
  learning_.check();
  if (data.columns < 1)
    fail_data("dbm", fmt::format("expected at least one visible unit, got {}", data.columns));
  register_tensors(data.columns);
  refuse_large();
  half_ = std::make_shared<DbmHalf>(*this);
}

void Dbm::register_tensors(std::int64_t columns) {
  std::vector<std::int64_t> sizes = options_.sizes();
  sizes.insert(sizes.begin(), columns);
  for (std::size_t l = 0; l < sizes.size(); ++l) {
    if (l > 0)
      weights.push_back(
          register_parameter(fmt::format("weights{}", l), at::zeros({sizes[l - 1], sizes[l]}), false));
    biases.push_back(register_parameter(fmt::format("bias{}", l), at::zeros({sizes[l]}), false));
    means.push_back(register_buffer(fmt::format("mean{}", l), at::full({sizes[l]}, 0.5)));
  }
  kept_ = half_units(1, 0) <= half_units(0, 0) ? 1 : 0;
  drawn_ = half_units(1, 1) <= half_units(0, 1) ? 1 : 0;
  centring_.resize(weights.size());
  chains.resize(sizes.size());
  register_machines();
  const bool tempered = learning_.learning == "pt";
  if (learning_.learning != "pcd" && !tempered) return;
  const std::int64_t count = learning_.chains * (tempered ? learning_.temperatures : 1);
  for (auto l = static_cast<std::size_t>(kept_); l < sizes.size(); l += 2)
    chains[l] = register_buffer(fmt::format("chains{}", l), at::zeros({count, sizes[l]}));
  if (tempered) swap_rates = register_buffer("swap_rates", at::zeros({learning_.temperatures - 1}));
}

void Dbm::register_machines() {
  for (std::size_t l = 0; learning_.pretrain && l < weights.size(); ++l) {
    lower_biases.push_back(
        register_parameter(fmt::format("lower_bias{}", l + 1), at::zeros({units(l)}), false));
    upper_biases.push_back(
        register_parameter(fmt::format("upper_bias{}", l + 1), at::zeros({units(l + 1)}), false));
  }
}

void Dbm::refuse_large() const {
  const std::int64_t hidden = half_units(drawn_, 1), kept = half_units(kept_, 0);
  if (learning_.learning == "exact" && (hidden > exact_hidden || kept > exact_kept))
    fail_usage("training.learning",
               fmt::format("exact learning enumerates the odd or the even layers: at most {} hidden units of "
                           "the smaller half, got {}, and at most {} units of the smaller half with the "
                           "data's, got {}; use pcd",
                           exact_hidden, hidden, exact_kept, kept));
}

void Dbm::check_data(const Tensor& x, const std::string& what, std::int64_t first_row) const {
  visible_units_.check(x, "dbm", what, first_row);
  likelihood_checks::refuse(x, x.isnan(), what, {first_row, 0},
                            "a value in every cell (rbm trains with gaps; or fill them first)");
}

void Dbm::check_optimiser(const std::string& name, int) const {
  const bool centred = learning_.pretrain || learning_.learning != "multi_prediction";
  if (name == "adam" && learning_.centring && centred)
    fail_usage("training.optimiser",
               "adam scales each element of the gradient by itself, which undoes centring and can go "
               "downhill; use sgd, or set training.centring=false");
}

Tensor Dbm::filters() const { return weights[0].t().contiguous(); }

// ---------------------------------------------------------------- beginnings

void Dbm::initialise(const Rows& sample, Rng& rng) {
  torch::NoGradGuard no_graph;
  const auto rows = static_cast<double>(sample.size());
  for (std::size_t l = 0; l < layers(); ++l) {
    means[l].fill_(0.5);
    biases[l].zero_();
    if (l + 1 == layers()) break;
    float* w = weights[l].data_ptr<float>();
    for (std::int64_t i = 0; i < weights[l].numel(); ++i)
      w[i] = static_cast<float>(options_.weight_scale * rng.normal());
  }
  means[0].copy_((sample.x.sum({0}, false, at::kDouble) + 1) / (rows + 2));
  biases[0].copy_(base_activation(0));
  for (const std::vector<Tensor>* of_machines : {&lower_biases, &upper_biases})
    for (const Tensor& each : *of_machines) each.zero_();
  start_chains(rng);
}

void Dbm::start_chains(Rng& rng) {
  for (std::size_t l = 0; l < layers(); ++l)
    if (chains[l].defined())
      binary_layer(at::zeros(chains[l].sizes()), base_activation(l), 1, rng.next(), {.sample = chains[l]});
}

// ---------------------------------------------------------------- what is seen of it

Metrics Dbm::diagnose(const Rows& train, const Rows& valid, Rng&) {
  constexpr std::int64_t most_rows = 500, most_exact = 50;
  torch::NoGradGuard no_graph;
  const Tensor& all = valid.size() > 0 ? valid.x : train.x;
  const Tensor x = all.narrow(0, 0, std::min(all.size(0), most_rows));
  const DbmMeanField q = mean_field(x);
  Metrics metrics = {{"mean_field_steps", static_cast<double>(q.steps)}};
  for (std::size_t l = 0; l < weights.size(); ++l)
    metrics.emplace_back(fmt::format("weight_norm{}", l + 1), ordered_norm(weights[l]));
  DbmLayers up = q.means;
  up[0] = Tensor();
  add_means(0, up);
  metrics.emplace_back("reconstruction_error_proxy",
                       (up[0] - x).square().sum({1}, false, at::kDouble).mean().item<double>());
  const Tensor few = x.narrow(0, 0, std::min(x.size(0), most_exact));
  if (const auto exact = exact_log_unnormalised(few)) {  // nats by which the mean field's bound is too low
    const Tensor bound = mean_field_bound(mean_field(few).means);
    metrics.emplace_back("mean_field_gap", (*exact - bound).mean().item<double>());
  }
  return metrics;
}

// ---------------------------------------------------------------- features

Tensor Dbm::encode(const Rows& rows) const {
  torch::NoGradGuard no_graph;
  const DbmLayers q = mean_field(rows.x).means;
  return at::cat(std::vector<Tensor>(q.begin() + 1, q.end()), 1);
}

Tensor Dbm::decode(const Rows& codes) const {
  torch::NoGradGuard no_graph;
  DbmLayers s(layers());
  s[1] = codes.x.narrow(1, 0, units(1)).contiguous();
  return activate(input_of(0, s).add_(biases[0]), Activation::sigmoid);
}

template std::shared_ptr<Model> create<DbmCard>(const Options&, const Options&, const DataShape&);

}  // namespace deepgen
