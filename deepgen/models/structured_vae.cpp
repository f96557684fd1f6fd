#include "deepgen/models/structured_vae.h"

#include <fmt/format.h>

#include "deepgen/core/error.h"
#include "deepgen/ops/unit_layers.h"

namespace deepgen {
namespace {

std::int64_t count(const Tensor& mask) { return mask.sum().item<std::int64_t>(); }
Tensor columns_of(const Tensor& mask) { return mask.nonzero().view({-1}); }

}  // namespace

StructuredVae::StructuredVae(const StructuredVaeOptions& options, const StructuredVaeLearning& learning,
                             std::shared_ptr<Likelihood> whole, std::shared_ptr<Likelihood> rest,
                             const Tensor& given)
    : LatentModel("structured_vae", options, learning, std::move(rest),
                  {.inputs = given.size(0), .condition = count(given), .prior_network = true}),
      options_(options),
      structured_learning_(learning),
      whole_(register_module("whole", std::move(whole))),
      mask_(given),
      given_(columns_of(given)),
      rest_(columns_of(given.logical_not())) {
  baseline_ = register_module(
      "baseline", std::make_shared<DecoderNet>(given_.size(0), parse_sizes("model.hidden", options_.hidden),
                                               options_.activation, likelihood_->width()));
}

void StructuredVae::initialise(const Batch& sample, Rng& rng) {
  NoGradGuard no_graph;
  whole_->start(sample.x);
  LatentModel::initialise(sample, rng);
  baseline_->initialise(rng, likelihood_->marginals(target(sample)));
}

void StructuredVae::check_data(const Tensor& x, const std::string& what, std::int64_t first_row) const {
  whole_->check(x, what, first_row);
}

// ---------------------------------------------------------------- gradients

// E_{p(z | g)} log p(r | z, g), by reparameterised draws: a scalar.
Tensor StructuredVae::prediction(const Batch& rows, Rng& rng) const {
  const Tensor given = condition_of(rows);
  const std::int64_t draws = rows.x.size(0) * learning_.samples;
  const Tensor z = draw(prior_network_->forward(given), normal(draws, sizes_.latent, rng.next()));
  return likelihood_->log_prob(decoded(z, given), target(rows)).mean();
}

Tensor StructuredVae::other_loss(const Batch& rows, Rng& rng, Metrics& metrics) const {
  Tensor value = likelihood_->log_prob(baseline_->forward(condition_of(rows)), target(rows)).mean();
  metrics.emplace_back("baseline", value.item<double>());
  const double share = structured_learning_.hybrid;
  if (share == 0) return -value;
  const Tensor predicted = prediction(rows, rng);
  metrics.emplace_back("prediction", predicted.item<double>());
  return -value - predicted * share;
}

// ---------------------------------------------------------------- sampling

Tensor StructuredVae::sample_given(const Tensor&, Rng&) {
  fail_usage(name_, "expected a part of a case as the condition, got labels: use `deepgen complete`");
}

Tensor StructuredVae::complete(const Tensor& x, Rng& rng) {
  NoGradGuard no_graph;
  if (x.size(0) == 0) return x;
  const Tensor gaps = x.isnan();
  if (gaps.index_select(1, given_).any().item<bool>())
    fail_data(name_, fmt::format("expected every cell of the condition ({}) to be known, got a missing one",
                                 condition()));
  const Tensor missing = gaps.index_select(1, rest_), any = missing.any(1), all = missing.all(1);
  if (at::logical_and(any, all.logical_not()).any().item<bool>())
    fail_data(name_,
              "expected rows whose cells outside the condition are all missing or all known, got a row with "
              "some; this model draws the rest as a whole");
  const Tensor given = condition_of({at::nan_to_num(x), {}});
  const Tensor z = draw(prior_network_->forward(given), normal(x.size(0), sizes_.latent, rng.next()));
  const Tensor drawn = likelihood_->sample(decoded(z, given), rng);
  Tensor result = x.clone();
  result.index_copy_(1, rest_, at::where(missing, drawn, x.index_select(1, rest_)));
  return result;
}

// ---------------------------------------------------------------- scores

Tensor StructuredVae::conditional_bound(const Tensor& x, const Tensor&, std::int64_t samples, Rng& rng) {
  return bound_of({x, {}}, samples, rng);
}

std::vector<OwnScore> StructuredVae::own_scores(const Batch& rows, std::int64_t samples, Rng& rng) {
  NoGradGuard no_graph;
  const Tensor without = likelihood_->log_prob(baseline_->forward(condition_of(rows)), target(rows));
  return {{"conditional_log_prob_prior", false, prior_bound_of(rows, samples, rng),
           fmt::format("{} draws a row from the prior network, given {}", samples, condition())},
          {"conditional_log_prob_baseline", true, without,
           "the same network without latent units, given " + condition()}};
}

}  // namespace deepgen
