#include "deepgen/models/autoregressive/orderless_nade.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "deepgen/core/error.h"
#include "deepgen/kernels/column_passes.h"
#include "deepgen/kernels/kernels.h"
#include "deepgen/model/create.h"
#include "deepgen/models/autoregressive/autoregressive.h"
#include "deepgen/ops/binary_units.h"
#include "deepgen/ops/layers.h"
#include "deepgen/ops/products.h"
#include "deepgen/parts/nets/sizes.h"

namespace deepgen {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

constexpr std::int64_t walk_rows = 250;  // rows whose layers fit into the second cache together

// sum_j weight_j (x_j a_j - softplus(a_j)) of each row, [B] float64; gradients flow to the logits a.
class WeightedLogProb : public torch::autograd::Function<WeightedLogProb> {
 public:
  static Tensor forward(AutogradContext* context, const Tensor& logits, const Tensor& x,
                        const Tensor& weights) {
    context->save_for_backward({logits, x, weights});
    return row_dots(x * logits - activate(logits, Activation::softplus), weights).to(at::kDouble);
  }
  static variable_list backward(AutogradContext* context, variable_list gradients) {
    const variable_list saved = context->get_saved_variables();
    const Tensor g = activate(saved[0], Activation::sigmoid).neg_().add_(saved[1]).mul_(saved[2]);
    return {g * gradients[0].to(at::kFloat).unsqueeze(1), Tensor(), Tensor()};
  }
};

}  // namespace

// ---------------------------------------------------------------- construction

OrderlessNade::OrderlessNade(OrderlessNadeOptions options, OrderlessNadeLearning learning,
                             const DataShape& data)
    : columns_(data.columns),
      options_(std::move(options)),
      learning_(std::move(learning)),
      units_(UnitLayer::of(UnitKind::binary, data.columns)) {
  options_.check();
  net_ = register_module(
      "net",
      std::make_shared<Mlp>(2 * columns_, parse_sizes("model.hidden", options_.hidden), options_.activation));
  output_ = register_module("output", std::make_shared<DenseLayer>(net_->out(), columns_));
}

void OrderlessNade::initialise(const Rows& sample, Rng& rng) {
  net_->initialise(rng);
  output_->initialise(rng);
  NoGradGuard no_graph;
  output_->bias.copy_(base_rate_logits(sample.x));
}

void OrderlessNade::check_data(const Tensor& x, const std::string& what, std::int64_t first_row) const {
  units_.check(x, "orderless_nade", what, first_row);
  refuse_missing(x, "orderless_nade", what, first_row);
}

// ---------------------------------------------------------------- conditionals

Tensor OrderlessNade::logits_given(const Tensor& x, const Tensor& known, double dropout, Rng& rng) const {
  Tensor h = at::cat({x * known, known}, 1);
  for (const auto& layer : net_->layers()) h = dropped(layer->forward(h), dropout, rng);
  return output_->forward(h);
}

std::vector<std::int64_t> OrderlessNade::order(std::int64_t number) const {
  if (number < 0) fail_usage("orderless_nade", fmt::format("expected an order from 0 on, got {}", number));
  return Rng(0).fork({static_cast<std::uint64_t>(number)}).permutation(columns_);
}

// ---------------------------------------------------------------- gradients

OrderlessNade::Splits OrderlessNade::draw_splits(std::int64_t rows, Rng& rng) const {
  const Tensor keys = uniform(rows, columns_, rng.next()), within = uniform(rows, 1, rng.next());
  const std::vector<std::int64_t> stratum = rng.permutation(rows);
  Splits splits{at::empty({rows, columns_}), at::empty({rows, 1})};
  const auto columns = static_cast<double>(columns_);
  parallel_ranges(rows, 10.0 * columns, 1, [&](std::int64_t begin, std::int64_t end) {
    std::vector<float> sorted(static_cast<std::size_t>(columns_));
    for (std::int64_t r = begin; r < end; ++r) {
      const double u = (static_cast<double>(stratum[static_cast<std::size_t>(r)]) +
                        static_cast<double>(within.data_ptr<float>()[r])) /
                       static_cast<double>(rows);
      const auto missing = std::min(columns_, 1 + static_cast<std::int64_t>(columns * u * u));
      const float* own = keys.data_ptr<float>() + r * columns_;
      std::copy(own, own + columns_, sorted.begin());
      std::nth_element(sorted.begin(), sorted.begin() + (columns_ - missing), sorted.end());
      const float bound = sorted[static_cast<std::size_t>(columns_ - missing)];
      double n = 0;  // `missing`, or more where keys are equal
      for (std::int64_t j = 0; j < columns_; ++j) {
        const bool known = own[j] < bound;
        splits.known.data_ptr<float>()[r * columns_ + j] = known ? 1.0F : 0.0F;
        n += known ? 0 : 1;
      }
      // 1 / (n q(n)); the difference of two roots without cancellation.
      splits.weight.data_ptr<float>()[r] =
          static_cast<float>(std::sqrt(columns) * (std::sqrt(n) + std::sqrt(n - 1)) / n);
    }
  });
  return splits;
}

Tensor OrderlessNade::objective(const Tensor& x, double dropout, Rng& rng) const {
  const Splits splits = draw_splits(x.size(0), rng);
  const Tensor logits = logits_given(x, splits.known, dropout, rng);
  return WeightedLogProb::apply(logits, x, (1 - splits.known) * splits.weight);
}

Metrics OrderlessNade::gradients(const Rows& batch, const Turn&, Rng& rng) {
  const Tensor rows = objective(batch.x, learning_.dropout, rng);
  fill_gradients(-rows.mean(), parameters());
  return {{"batch_log_prob_estimate", mean_over_cases(rows.detach())}};
}

// Estimates from one split of each row: the exact value costs D passes.
Metrics OrderlessNade::diagnose(const Rows& train, const Rows& valid, Rng& rng) {
  NoGradGuard no_graph;
  Metrics metrics = {{"train_log_prob_estimate", mean_over_cases(objective(train.x, 0, rng))}};
  if (valid.size() > 0)
    metrics.emplace_back("valid_log_prob_estimate", mean_over_cases(objective(valid.x, 0, rng)));
  return metrics;
}

// ---------------------------------------------------------------- one column after another

// Rows that learn one column a step. What is not known at the start and not among the columns stays unknown.
struct OrderlessNade::Walk {
  Tensor x;                           // [B, D], dense: what is drawn is written
  Tensor known;                       // [B, D] of 0 and 1, at the start
  std::vector<std::int64_t> columns;  // [B, steps], row by row; below 0: no column
  Tensor uniform;                     // [B, steps]: columns are drawn; undefined: their values are in x

  Tensor zero = {}, one = {};  // [D, H]: what a column adds to the first layer when it is known to be 0, or 1
  Tensor output = {};          // [D, out], the last layer's weights

  std::int64_t steps() const {
    return static_cast<std::int64_t>(columns.size()) / std::max<std::int64_t>(1, x.size(0));
  }
};

// Row r learns its next column: its logit from the last hidden layer h, its value, and what the first layer
// receives with it.
void OrderlessNade::learn_column(Walk& walk, std::int64_t r, std::int64_t step, const Tensor& h, Tensor& a,
                                 Tensor& logits) const {
  const std::int64_t steps = walk.steps(), out = h.size(1), hidden = a.size(1);
  const std::int64_t i = walk.columns[static_cast<std::size_t>(r * steps + step)];
  if (i < 0) return;
  float& logit = logits.data_ptr<float>()[r * steps + step];
  column_passes().prefix_dots({.input = h.data_ptr<float>() + r * out,
                               .stride = out,
                               .count = out,
                               .weight = walk.output.data_ptr<float>() + i * out,
                               .bias = output_->bias.data_ptr<float>()[i],
                               .output = &logit,
                               .output_stride = 1},
                              0, 1);
  float& x = walk.x.data_ptr<float>()[r * columns_ + i];
  if (walk.uniform.defined())
    x = walk.uniform.data_ptr<float>()[r * steps + step] < 1 / (1 + std::exp(-logit)) ? 1.0F : 0.0F;
  const float* added = (x != 0 ? walk.one : walk.zero).data_ptr<float>() + i * hidden;
  float* own = a.data_ptr<float>() + r * hidden;
  for (std::int64_t j = 0; j < hidden; ++j) own[j] += added[j];
}

// The log odds of the column of each step, [B, steps]; 0 where there is none.
Tensor OrderlessNade::walk(Walk& walk) const {
  NoGradGuard no_graph;
  const DenseLayer& first = *net_->layers().front();
  const Activation f = activation_of(options_.activation);
  walk.zero = first.weight.narrow(0, columns_, columns_).detach();
  walk.one = walk.zero + first.weight.narrow(0, 0, columns_);
  walk.output = output_->weight.detach().t().contiguous();
  const std::int64_t rows = walk.x.size(0);
  Tensor a = dense(at::cat({walk.x * walk.known, walk.known}, 1), first.weight, first.bias);
  Tensor logits = at::zeros({rows, walk.steps()});
  for (std::int64_t step = 0; step < walk.steps(); ++step) {
    Tensor h = activate(a, f);
    for (std::size_t l = 1; l < net_->layers().size(); ++l) h = net_->layers()[l]->forward(h);
    const double cost = 0.3 * static_cast<double>(a.size(1) + h.size(1));
    parallel_ranges(rows, cost, 1, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t r = begin; r < end; ++r) learn_column(walk, r, step, h, a, logits);
    });
  }
  return logits;
}

// ---------------------------------------------------------------- sampling

Tensor OrderlessNade::sample(std::int64_t count, Rng& rng) const {
  const std::vector<std::int64_t> columns = order(0);
  std::vector<Tensor> parts;
  for (std::int64_t first = 0; first < count; first += walk_rows) {
    const std::int64_t rows = std::min(walk_rows, count - first);
    Walk draws{
        at::zeros({rows, columns_}), at::zeros({rows, columns_}), {}, uniform(rows, columns_, rng.next())};
    for (std::int64_t r = 0; r < rows; ++r)
      draws.columns.insert(draws.columns.end(), columns.begin(), columns.end());
    walk(draws);
    parts.push_back(draws.x);
  }
  return parts.empty() ? at::zeros({0, columns_}) : at::cat(parts);
}

namespace {

// The missing columns of each row of known [B, D] in an order of the row's own, filled up with -1.
std::vector<std::int64_t> shuffled_missing(const Tensor& known, Rng& rng) {
  const std::int64_t rows = known.size(0), columns = known.size(1);
  const Tensor keys = uniform(rows, columns, rng.next());
  std::vector<std::vector<std::int64_t>> missing(static_cast<std::size_t>(rows));
  std::size_t steps = 0;
  for (std::int64_t r = 0; r < rows; ++r) {
    auto& own = missing[static_cast<std::size_t>(r)];
    for (std::int64_t i = 0; i < columns; ++i)
      if (known.data_ptr<float>()[r * columns + i] == 0) own.push_back(i);
    const float* key = keys.data_ptr<float>() + r * columns;
    std::sort(own.begin(), own.end(),
              [&](std::int64_t a, std::int64_t b) { return key[a] < key[b] || (key[a] == key[b] && a < b); });
    steps = std::max(steps, own.size());
  }
  std::vector<std::int64_t> all;
  for (auto& own : missing) {
    own.resize(steps, -1);
    all.insert(all.end(), own.begin(), own.end());
  }
  return all;
}

}  // namespace

Tensor OrderlessNade::complete(const Rows& all, Rng& rng) const {
  const Tensor& x = all.x;
  std::vector<Tensor> parts;
  for (std::int64_t first = 0; first < x.size(0); first += walk_rows) {
    const std::int64_t rows = std::min(walk_rows, x.size(0) - first);
    const Tensor some = x.narrow(0, first, rows),
                 known = some.isnan().logical_not().to(at::kFloat).contiguous();
    Walk draws{at::nan_to_num(some, 0).contiguous(), known, shuffled_missing(known, rng), {}};
    const std::int64_t steps = draws.steps();
    draws.uniform = uniform(rows, std::max<std::int64_t>(1, steps), rng.next());
    if (steps > 0) walk(draws);
    parts.push_back(at::where(known > 0, some, draws.x));
  }
  return parts.empty() ? x : at::cat(parts);
}

// ---------------------------------------------------------------- scores

Tensor OrderlessNade::log_prob_under(const Rows& all, std::int64_t number) const {
  NoGradGuard no_graph;
  const Tensor& x = all.x;
  const std::vector<std::int64_t> columns = order(number);
  const Tensor index = at::tensor(columns, at::kLong);
  Tensor log_prob = at::empty({x.size(0)}, at::kDouble);
  for (std::int64_t first = 0; first < x.size(0); first += walk_rows) {
    const std::int64_t rows = std::min(walk_rows, x.size(0) - first);
    Walk given{x.narrow(0, first, rows).clone().contiguous(), at::zeros({rows, columns_}), {}, {}};
    for (std::int64_t r = 0; r < rows; ++r)
      given.columns.insert(given.columns.end(), columns.begin(), columns.end());
    const Tensor logits = walk(given);
    log_prob.narrow(0, first, rows).copy_(exact_log_prob(logits, given.x.index_select(1, index)));
  }
  return log_prob;
}

template std::shared_ptr<Model> create<OrderlessNadeCard>(const Options&, const Options&, const DataShape&);

}  // namespace deepgen
