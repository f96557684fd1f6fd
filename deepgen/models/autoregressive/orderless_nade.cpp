#include "deepgen/models/autoregressive/orderless_nade.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "deepgen/core/error.h"
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

constexpr float missing_cell = std::numeric_limits<float>::quiet_NaN();

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

// The same of bits and categories: sum_j weight_j log p_j(x_j), the weights being equal in a group.
class WeightedGroupLogProb : public torch::autograd::Function<WeightedGroupLogProb> {
 public:
  static Tensor forward(AutogradContext* context, const Tensor& logits, const Tensor& x,
                        const Tensor& weights, const Tensor& bit, const UnitLayer* units) {
    const Tensor p = units->mean(logits, {});
    context->save_for_backward({(x - p).mul_(weights)});
    // Of a category only the column that is 1 counts: the others have log 1.
    const Tensor log_p =
        (p.clamp_min(1e-30) * x + (1 - p).clamp_min(1e-30) * (1 - x) * bit + (1 - x) * (1 - bit));
    return row_dots(log_p.log_(), weights).to(at::kDouble);
  }
  static variable_list backward(AutogradContext* context, variable_list gradients) {
    const Tensor g = context->get_saved_variables()[0];
    return {g * gradients[0].to(at::kFloat).unsqueeze(1), Tensor(), Tensor(), Tensor(), Tensor()};
  }
};

// "512,512+": the sizes, and which layers have a +.
std::pair<std::vector<std::int64_t>, std::vector<bool>> parse_layers(const std::string& text) {
  std::string plain;
  std::vector<bool> added(1, false);
  for (const char c : text) {
    if (c == ',') added.push_back(false);
    if (c == '+')
      added.back() = true;
    else
      plain += c;
  }
  const std::vector<std::int64_t> sizes = parse_sizes("model.hidden", plain);
  added.resize(sizes.size());
  for (std::size_t l = 0; l < sizes.size(); ++l)
    if (added[l] && (l == 0 || sizes[l] != sizes[l - 1]))
      fail_usage("model.hidden",
                 fmt::format("a layer with + must be as large as the one before it, got '{}'", text));
  return {sizes, added};
}

}  // namespace

// ---------------------------------------------------------------- construction

OrderlessNade::OrderlessNade(OrderlessNadeOptions options, OrderlessNadeLearning learning,
                             const DataShape& data)
    : options_(std::move(options)),
      learning_(std::move(learning)),
      units_(UnitLayer::of(data.column_groups())),
      layout_(VariableLayout::of(data.column_groups(), data.columns)) {
  options_.check();
  auto [sizes, added] = parse_layers(options_.hidden);
  added_ = added;
  embeddings_ =
      register_module("embeddings", std::make_shared<CategoryEmbeddings>(layout_, options_.embedding));
  net_ = register_module("net", std::make_shared<Mlp>(embeddings_->columns() + variables(), std::move(sizes),
                                                      options_.activation));
  output_ = register_module("output", std::make_shared<DenseLayer>(net_->out(), columns()));
  if (options_.direct == "true" || (options_.direct == "auto" && !units_.all(UnitKind::binary)))
    direct_ = register_parameter("direct", at::zeros({columns() + variables(), columns()}));
}

void OrderlessNade::initialise(const Rows& sample, Rng& rng) {
  embeddings_->initialise(rng);
  net_->initialise(rng);
  output_->initialise(rng);
  NoGradGuard no_graph;
  const Tensor known = sample.x.isnan().logical_not();
  const Tensor bits = units_.columns_of(UnitKind::binary);
  const Tensor ones = at::nan_to_num(sample.x, 0).sum(0, false, at::kDouble) + 0.5,
               rows = known.sum(0, false, at::kDouble) + 1;
  if (direct_.defined()) direct_.zero_();
  const Tensor theta = at::where(bits, ones.log() - (rows - ones).log(), ones.log());
  output_->bias.copy_(theta.to(at::kFloat));
}

void OrderlessNade::check_data(const Tensor& x, const std::string& what, std::int64_t first_row) const {
  units_.check(x, "orderless_nade", what, first_row);
}

// ---------------------------------------------------------------- conditionals

Tensor OrderlessNade::there(const Tensor& x) const {
  return layout_.by_variable(x).isnan().logical_not().to(at::kFloat);
}

// What the first layer receives of (x * m, m).
Tensor OrderlessNade::entrance(const Tensor& input) const {
  if (!embeddings_->any()) return input;
  return at::cat(
      {embeddings_->forward(input.narrow(1, 0, columns())), input.narrow(1, columns(), variables())}, 1);
}

// The last hidden layer, from what layer `first` receives.
Tensor OrderlessNade::hidden_from(Tensor h, std::size_t first, double dropout, Rng* rng) const {
  for (std::size_t l = first; l < net_->layers().size(); ++l) {
    Tensor next = net_->layers()[l]->forward(h);
    if (dropout > 0) next = dropped(next, dropout, *rng);
    h = added_[l] ? h + next : next;
  }
  return h;
}

Tensor OrderlessNade::logits_given(const Tensor& x, const Tensor& known, double dropout, Rng& rng) const {
  const Tensor input = at::cat({at::nan_to_num(x, 0) * layout_.by_column(known), known}, 1);
  return log_odds(hidden_from(entrance(input), 0, dropout, &rng), input);
}

Tensor OrderlessNade::log_odds(const Tensor& h, const Tensor& input) const {
  const Tensor a = output_->forward(h);
  return direct_.defined() ? a + dense(input, direct_, {}) : a;
}

std::vector<std::int64_t> OrderlessNade::order(std::int64_t number) const {
  if (number < 0) fail_usage("orderless_nade", fmt::format("expected an order from 0 on, got {}", number));
  auto all = Rng(0).fork({static_cast<std::uint64_t>(number)}).permutation(variables());
  std::stable_partition(all.begin(), all.end(),
                        [&](std::int64_t v) { return layout_.marks[static_cast<std::size_t>(v)]; });
  return all;
}

// ---------------------------------------------------------------- gradients

OrderlessNade::Splits OrderlessNade::draw_splits(std::int64_t rows, Rng& rng, const Tensor& there) const {
  const std::int64_t variables = this->variables();
  const Tensor keys = uniform(rows, variables, rng.next()), within = uniform(rows, 1, rng.next());
  const std::vector<std::int64_t> stratum = rng.permutation(rows);
  Splits splits{at::zeros({rows, variables}), at::zeros({rows, variables}), at::zeros({rows, 1})};
  const Tensor all = there.defined() ? there.contiguous() : at::ones({rows, variables});
  const bool any_marks = std::find(layout_.marks.begin(), layout_.marks.end(), true) != layout_.marks.end();
  const Tensor unmarked = any_marks ? uniform(rows, 1, rng.next()) : Tensor();
  parallel_ranges(rows, 10.0 * static_cast<double>(variables), 1, [&](std::int64_t begin, std::int64_t end) {
    std::vector<float> order, sorted;  // what comes first has the smallest key
    for (std::int64_t r = begin; r < end; ++r) {
      const double u = (static_cast<double>(stratum[static_cast<std::size_t>(r)]) +
                        static_cast<double>(within.data_ptr<float>()[r])) /
                       static_cast<double>(rows);
      const bool hidden_marks = any_marks && unmarked.data_ptr<float>()[r] < 0.5F;
      order.clear(), sorted.clear();
      for (std::int64_t v = 0; v < variables; ++v) {
        const bool marks = layout_.marks[static_cast<std::size_t>(v)];
        const bool gone = all.data_ptr<float>()[r * variables + v] == 0 || (marks && hidden_marks);
        const float key = keys.data_ptr<float>()[r * variables + v] - (marks ? 1.0F : 0.0F);
        order.push_back(gone ? missing_cell : key);
        if (!gone) sorted.push_back(key);
      }
      if (sorted.empty()) continue;
      const auto cells = static_cast<double>(sorted.size());
      const auto unknown = std::min(sorted.size(), 1 + static_cast<std::size_t>(cells * u * u));
      const auto place = sorted.begin() + static_cast<std::ptrdiff_t>(sorted.size() - unknown);
      std::nth_element(sorted.begin(), place, sorted.end());
      const float bound = *place;
      double n = 0, asked = 0;  // n: `unknown`, or more where keys are equal
      for (std::int64_t v = 0; v < variables; ++v) {
        const float key = order[static_cast<std::size_t>(v)];  // missing: neither
        // The next one may be any that is unknown; while there are marks among them, any of these.
        const bool next = key >= bound && (key < 0 || bound >= 0);
        splits.known.data_ptr<float>()[r * variables + v] = key < bound ? 1.0F : 0.0F;
        splits.asked.data_ptr<float>()[r * variables + v] = next ? 1.0F : 0.0F;
        n += key >= bound ? 1 : 0, asked += next ? 1 : 0;
      }
      // 1 / (asked q(n)); the difference of two roots without cancellation.
      splits.weight.data_ptr<float>()[r] =
          static_cast<float>(std::sqrt(cells) * (std::sqrt(n) + std::sqrt(n - 1)) / asked);
    }
  });
  return splits;
}

Tensor OrderlessNade::objective(const Tensor& x, double dropout, Rng& rng) const {
  const Tensor cells = there(x), values = at::nan_to_num(x, 0);
  const Splits splits = draw_splits(x.size(0), rng, cells);
  const Tensor logits = logits_given(values, splits.known, dropout, rng);
  const Tensor weights = layout_.by_column(splits.asked * splits.weight);
  if (units_.all(UnitKind::binary)) return WeightedLogProb::apply(logits, values, weights);
  const Tensor bit = units_.columns_of(UnitKind::binary).to(at::kFloat);
  return WeightedGroupLogProb::apply(logits, values, weights, bit, &units_);
}

Metrics OrderlessNade::gradients(const Rows& batch, const Turn&, Rng& rng) {
  const Tensor rows = objective(batch.x, learning_.dropout, rng);
  fill_gradients(-rows.mean(), parameters());
  return {{"batch_log_prob_estimate", mean_over_cases(rows.detach())}};
}

// Estimates from one split of each row: the exact value costs a pass for each variable.
Metrics OrderlessNade::diagnose(const Rows& train, const Rows& valid, Rng& rng) {
  NoGradGuard no_graph;
  Metrics metrics = {{"train_log_prob_estimate", mean_over_cases(objective(train.x, 0, rng))}};
  if (valid.size() > 0)
    metrics.emplace_back("valid_log_prob_estimate", mean_over_cases(objective(valid.x, 0, rng)));
  return metrics;
}

template std::shared_ptr<Model> create<OrderlessNadeCard>(const Options&, const Options&, const DataShape&);

}  // namespace deepgen
