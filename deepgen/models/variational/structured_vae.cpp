#include "deepgen/models/variational/structured_vae.h"

#include <fmt/format.h>

#include "deepgen/core/error.h"
#include "deepgen/model/create.h"
#include "deepgen/ops/unit_layers.h"
#include "deepgen/parts/likelihoods/likelihood_checks.h"
#include "deepgen/parts/pixels/regions.h"

namespace deepgen {
namespace {

std::int64_t count(const Tensor& mask) { return mask.sum().item<std::int64_t>(); }
Tensor columns_of(const Tensor& mask) { return mask.nonzero().view({-1}); }

// The data with the one-hot groups that a categorical decoder sees in them.
DataShape grouped(const StructuredVaeOptions& options, const DataShape& data) {
  return options.decoder == "categorical" ? in_one_hot_groups("structured_vae", data, options.group) : data;
}

// The columns outside the condition as data of their own.
DataShape rest_of(const StructuredVaeOptions& options, const DataShape& data, const Tensor& given) {
  const DataShape whole = grouped(options, data);
  DataShape rest{count(given.logical_not()), {}, whole.classes, whole.values, {}};
  rest.shape = {rest.columns};
  std::int64_t first = 0;
  for (const ColumnGroup& group : whole.groups) {
    const std::int64_t size = group.size - count(given.narrow(0, group.first, group.size));
    if (group.kind == ColumnKind::softmax && size > 0 && size < group.size)
      fail_data("structured_vae",
                fmt::format("expected each category inside or outside the condition ({}) as a whole, got its "
                            "border within columns {} to {}; choose another model.given",
                            options.given, group.first, group.first + group.size - 1));
    if (size > 0) rest.groups.push_back({group.kind, first, size});
    first += size;
  }
  return rest;
}

}  // namespace

StructuredVae::StructuredVae(const StructuredVaeOptions& options, const StructuredVaeLearning& learning,
                             const DataShape& data)
    : StructuredVae(options, learning, data,
                    region_mask("model.given", options.given, data.shape, data.columns)) {}

StructuredVae::StructuredVae(const StructuredVaeOptions& options, const StructuredVaeLearning& learning,
                             const DataShape& data, const Tensor& given)
    : LatentModel("structured_vae", options, learning,
                  case_likelihood("structured_vae", options, rest_of(options, data, given)),
                  {.beside = count(given), .condition = count(given), .prior_network = true}),
      options_(options),
      structured_learning_(learning),
      whole_(register_module("whole", case_likelihood("structured_vae", options, grouped(options, data)))),
      mask_(given),
      given_(columns_of(given)),
      rest_(columns_of(given.logical_not())) {
  baseline_ = register_module(
      "baseline", std::make_shared<DecoderNet>(given_.size(0), parse_sizes("model.hidden", options_.hidden),
                                               options_.activation, likelihood_->width()));
}

void StructuredVae::initialise(const Rows& sample, Rng& rng) {
  NoGradGuard no_graph;
  whole_->start(sample.x);
  LatentModel::initialise(sample, rng);
  baseline_->initialise(rng, likelihood_->marginals(target(sample.x)));
}

void StructuredVae::check_data(const Tensor& x, const std::string& what, std::int64_t first_row) const {
  whole_->check(x, what, first_row);
  likelihood_checks::refuse(x, x.isnan(), what, {first_row, 0},
                            "a value in every cell of a model of one part given the other (vae trains with "
                            "gaps; or fill them first)");
}

// ---------------------------------------------------------------- gradients

// E_{p(z | g)} log p(r | z, g), by reparameterised draws: a scalar.
Tensor StructuredVae::prediction(const Cases& cases, Rng& rng) const {
  const std::int64_t draws = cases.x.size(0) * learning_.samples;
  const Tensor z = draw(prior_network_->forward(cases.condition), normal(draws, sizes_.latent, rng.next()));
  return ordered_mean(likelihood_->log_prob(decoded(z, cases.condition), target(cases.x)));
}

Tensor StructuredVae::baseline_log_prob(const Cases& cases) const {
  return likelihood_->log_prob(baseline_->forward(cases.condition), target(cases.x));
}

Tensor StructuredVae::other_loss(const Cases& cases, Rng& rng, Metrics& metrics) const {
  const Tensor value = ordered_mean(baseline_log_prob(cases));
  metrics.emplace_back("baseline", value.item<double>());
  const double share = structured_learning_.hybrid;
  if (share == 0) return -value;
  const Tensor predicted = prediction(cases, rng);
  metrics.emplace_back("prediction", predicted.item<double>());
  return -value - predicted * share;
}

// ---------------------------------------------------------------- sampling

Tensor StructuredVae::complete(const Rows& rows, Rng& rng) const {
  NoGradGuard no_graph;
  const Tensor& x = rows.x;
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
  const Tensor given = condition_of(at::nan_to_num(x));
  const Tensor z = draw(prior_network_->forward(given), normal(x.size(0), sizes_.latent, rng.next()));
  const Tensor drawn = likelihood_->sample(decoded(z, given), rng);
  Tensor result = x.clone();
  result.index_copy_(1, rest_, at::where(missing, drawn, x.index_select(1, rest_)));
  return result;
}

// ---------------------------------------------------------------- scores

std::vector<ExtraScore> StructuredVae::extra_scores(const Rows& rows, std::int64_t samples, Rng& rng) const {
  NoGradGuard no_graph;
  const Cases cases = cases_of(rows);
  const Tensor without = baseline_log_prob(cases);
  return {{"conditional_log_prob_prior", ScoreKind::lower_bound, prior_bound(cases, samples, rng),
           fmt::format("{} draws a row from the prior network, given {}", samples, condition())},
          {"conditional_log_prob_baseline", ScoreKind::exact, without,
           "the same network without latent units, given " + condition()}};
}

template std::shared_ptr<Model> create<StructuredVaeCard>(const Options&, const Options&, const DataShape&);

}  // namespace deepgen
