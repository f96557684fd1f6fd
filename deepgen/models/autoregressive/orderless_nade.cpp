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

double log_prob_of_bit(float bit, float logit) {
  const double a = logit;
  return static_cast<double>(bit) * a - std::max(a, 0.0) - std::log1p(std::exp(-std::abs(a)));
}

// The category that u in [0, 1) draws under these logits, or the given one; and its log-probability.
std::int64_t category_of(const std::vector<float>& logits, const float* one_hot, const float* u,
                         double& log_prob) {
  const double most = *std::max_element(logits.begin(), logits.end());
  double total = 0;
  for (const float logit : logits) total += std::exp(static_cast<double>(logit) - most);
  const auto count = static_cast<std::int64_t>(logits.size());
  std::int64_t category = 0;
  if (u) {
    double left = static_cast<double>(*u) * total;
    for (; category + 1 < count; ++category) {
      left -= std::exp(static_cast<double>(logits[static_cast<std::size_t>(category)]) - most);
      if (left < 0) break;
    }
  } else {
    category = std::max_element(one_hot, one_hot + count) - one_hot;
  }
  log_prob += static_cast<double>(logits[static_cast<std::size_t>(category)]) - most - std::log(total);
  return category;
}

}  // namespace

// ---------------------------------------------------------------- construction

OrderlessNade::OrderlessNade(OrderlessNadeOptions options, OrderlessNadeLearning learning,
                             const DataShape& data)
    : columns_(data.columns),
      options_(std::move(options)),
      learning_(std::move(learning)),
      units_(UnitLayer::of(data.column_groups())) {
  options_.check();
  std::vector<std::int64_t> variable_of;
  const auto add_variable = [&](std::int64_t first, std::int64_t size, bool marks) {
    variable_of.insert(variable_of.end(), static_cast<std::size_t>(size), variables());
    firsts_.push_back(first), sizes_.push_back(size), marks_.push_back(marks);
  };
  for (const ColumnGroup& group : data.column_groups())
    if (group.kind == ColumnKind::softmax)
      add_variable(group.first, group.size, false);
    else
      for (std::int64_t j = 0; j < group.size; ++j) add_variable(group.first + j, 1, group.marks);
  variable_of_ = at::tensor(variable_of, at::kLong);
  auto [sizes, added] = parse_layers(options_.hidden);
  added_ = added;
  net_ = register_module(
      "net", std::make_shared<Mlp>(columns_ + variables(), std::move(sizes), options_.activation));
  output_ = register_module("output", std::make_shared<DenseLayer>(net_->out(), columns_));
  if (options_.direct == "true" || (options_.direct == "auto" && !units_.all(UnitKind::binary)))
    direct_ = register_parameter("direct", at::zeros({columns_ + variables(), columns_}));
}

void OrderlessNade::initialise(const Rows& sample, Rng& rng) {
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
  return x.index_select(1, at::tensor(firsts_, at::kLong)).isnan().logical_not().to(at::kFloat);
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
  const Tensor input = at::cat({at::nan_to_num(x, 0) * known.index_select(1, variable_of_), known}, 1);
  return log_odds(hidden_from(input, 0, dropout, &rng), input);
}

Tensor OrderlessNade::log_odds(const Tensor& h, const Tensor& input) const {
  const Tensor a = output_->forward(h);
  return direct_.defined() ? a + dense(input, direct_, {}) : a;
}

std::vector<std::int64_t> OrderlessNade::order(std::int64_t number) const {
  if (number < 0) fail_usage("orderless_nade", fmt::format("expected an order from 0 on, got {}", number));
  auto all = Rng(0).fork({static_cast<std::uint64_t>(number)}).permutation(variables());
  std::stable_partition(all.begin(), all.end(),
                        [&](std::int64_t v) { return marks_[static_cast<std::size_t>(v)]; });
  return all;
}

// ---------------------------------------------------------------- gradients

OrderlessNade::Splits OrderlessNade::draw_splits(std::int64_t rows, Rng& rng, const Tensor& there) const {
  const std::int64_t variables = this->variables();
  const Tensor keys = uniform(rows, variables, rng.next()), within = uniform(rows, 1, rng.next());
  const std::vector<std::int64_t> stratum = rng.permutation(rows);
  Splits splits{at::zeros({rows, variables}), at::zeros({rows, variables}), at::zeros({rows, 1})};
  const Tensor all = there.defined() ? there.contiguous() : at::ones({rows, variables});
  const bool any_marks = std::find(marks_.begin(), marks_.end(), true) != marks_.end();
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
        const bool marks = marks_[static_cast<std::size_t>(v)];
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
  const Tensor weights = (splits.asked * splits.weight).index_select(1, variable_of_);
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

// ---------------------------------------------------------------- one variable after another

// Rows that learn one variable a step. What is not known at the start and not among these stays unknown.
struct OrderlessNade::Walk {
  Tensor x;                             // [B, D], dense: what is drawn is written
  Tensor known;                         // [B, V] of 0 and 1, at the start
  std::vector<std::int64_t> variables;  // [B, steps], row by row; below 0: none
  Tensor uniform;                       // [B, steps]: values are drawn; undefined: they are in x

  Tensor zero = {},
         one = {};     // [V, H], [D, H]: what the first layer receives with a bit that is 0; with a column
                       // that is 1
  Tensor output = {};  // [D, out], the last layer's weights
  // Of the direct weights, where there are any: [B, D] what the log odds receive; [V, D], [D, D] as above.
  Tensor straight = {}, straight_zero = {}, straight_one = {};

  std::int64_t steps() const {
    return static_cast<std::int64_t>(variables.size()) / std::max<std::int64_t>(1, x.size(0));
  }
};

// Row r learns its next variable: its log odds from the last hidden layer h, its value, and what the first
// layer receives with it.
void OrderlessNade::learn_variable(Walk& walk, std::int64_t r, std::int64_t step, const Tensor& h, Tensor& a,
                                   double& log_prob) const {
  const std::int64_t steps = walk.steps(), out = h.size(1), hidden = a.size(1);
  const std::int64_t v = walk.variables[static_cast<std::size_t>(r * steps + step)];
  if (v < 0) return;
  const auto own_place = static_cast<std::size_t>(v);
  const std::int64_t first = firsts_[own_place], size = sizes_[own_place];
  float* x = walk.x.data_ptr<float>() + r * columns_ + first;
  const float* u = walk.uniform.defined() ? walk.uniform.data_ptr<float>() + r * steps + step : nullptr;
  if (u && own_place + 1 < marks_.size() && marks_[own_place + 1] && x[size] == 1) {
    std::fill(x, x + size, missing_cell);  // as in training: it is not there
    return;
  }
  std::vector<float> logits(static_cast<std::size_t>(size));
  column_passes().prefix_dots({.input = walk.output.data_ptr<float>() + first * out,
                               .stride = out,
                               .count = out,
                               .weight = h.data_ptr<float>() + r * out,
                               .bias = 0,
                               .output = logits.data(),
                               .output_stride = 1},
                              0, size);
  for (std::int64_t k = 0; k < size; ++k)
    logits[static_cast<std::size_t>(k)] += output_->bias.data_ptr<float>()[first + k];
  float* straight = walk.straight.defined() ? walk.straight.data_ptr<float>() + r * columns_ : nullptr;
  for (std::int64_t k = 0; straight && k < size; ++k)
    logits[static_cast<std::size_t>(k)] += straight[first + k];
  const bool bit = size == 1;
  std::int64_t on = 0;  // the column that is 1
  if (bit) {
    if (u) x[0] = *u < 1 / (1 + std::exp(-logits[0])) ? 1.0F : 0.0F;
    log_prob += log_prob_of_bit(x[0], logits[0]);
  } else {
    on = category_of(logits, x, u, log_prob);
    std::fill(x, x + size, 0.0F);
    x[on] = 1;
  }
  const float* added = bit && x[0] == 0 ? walk.zero.data_ptr<float>() + v * hidden
                                        : walk.one.data_ptr<float>() + (first + on) * hidden;
  float* own = a.data_ptr<float>() + r * hidden;
  for (std::int64_t j = 0; j < hidden; ++j) own[j] += added[j];
  if (!straight) return;
  const float* more = bit && x[0] == 0 ? walk.straight_zero.data_ptr<float>() + v * columns_
                                       : walk.straight_one.data_ptr<float>() + (first + on) * columns_;
  for (std::int64_t j = 0; j < columns_; ++j) straight[j] += more[j];
}

// The log-probability of what each row has learnt.
std::vector<double> OrderlessNade::walk(Walk& walk) const {
  NoGradGuard no_graph;
  const DenseLayer& first = *net_->layers().front();
  const Activation f = activation_of(options_.activation);
  walk.zero = first.weight.narrow(0, columns_, variables()).detach();
  walk.one = walk.zero.index_select(0, variable_of_) + first.weight.narrow(0, 0, columns_);
  walk.output = output_->weight.detach().t().contiguous();
  const std::int64_t rows = walk.x.size(0);
  const Tensor known = walk.known.index_select(1, variable_of_);
  const Tensor input = at::cat({at::nan_to_num(walk.x, 0) * known, walk.known}, 1);
  Tensor a = dense(input, first.weight, first.bias);
  if (direct_.defined()) {
    walk.straight = dense(input, direct_, {});
    walk.straight_zero = direct_.narrow(0, columns_, variables()).detach();
    walk.straight_one = walk.straight_zero.index_select(0, variable_of_) + direct_.narrow(0, 0, columns_);
  }
  std::vector<double> log_probs(static_cast<std::size_t>(rows), 0);
  const double width = static_cast<double>(columns_) / static_cast<double>(variables());
  for (std::int64_t step = 0; step < walk.steps(); ++step) {
    const Tensor h = hidden_from(activate(a, f), 1, 0, nullptr).contiguous();
    const double cost = 0.3 * static_cast<double>(a.size(1)) + 0.1 * width * static_cast<double>(h.size(1));
    parallel_ranges(rows, cost, 1, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t r = begin; r < end; ++r)
        learn_variable(walk, r, step, h, a, log_probs[static_cast<std::size_t>(r)]);
    });
  }
  return log_probs;
}

// ---------------------------------------------------------------- sampling

namespace {

// The unknown variables of each row of known [B, V] in an order of the row's own, marks first, filled up with -1.
std::vector<std::int64_t> shuffled_unknown(const Tensor& known, const std::vector<bool>& marks, Rng& rng) {
  const std::int64_t rows = known.size(0), variables = known.size(1);
  const Tensor keys = uniform(rows, variables, rng.next());
  std::vector<std::vector<std::int64_t>> unknown(static_cast<std::size_t>(rows));
  std::size_t steps = 0;
  for (std::int64_t r = 0; r < rows; ++r) {
    auto& own = unknown[static_cast<std::size_t>(r)];
    for (std::int64_t v = 0; v < variables; ++v)
      if (known.data_ptr<float>()[r * variables + v] == 0) own.push_back(v);
    const float* key = keys.data_ptr<float>() + r * variables;
    std::sort(own.begin(), own.end(),
              [&](std::int64_t a, std::int64_t b) { return key[a] < key[b] || (key[a] == key[b] && a < b); });
    std::stable_partition(own.begin(), own.end(),
                          [&](std::int64_t v) { return marks[static_cast<std::size_t>(v)]; });
    steps = std::max(steps, own.size());
  }
  std::vector<std::int64_t> all;
  for (auto& own : unknown) {
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
    const Tensor some = x.narrow(0, first, rows), known = there(some).contiguous();
    Walk draws{at::nan_to_num(some, 0).contiguous(), known, shuffled_unknown(known, marks_, rng), {}};
    const std::int64_t steps = draws.steps();
    draws.uniform = uniform(rows, std::max<std::int64_t>(1, steps), rng.next());
    if (steps > 0) walk(draws);
    parts.push_back(at::where(known.index_select(1, variable_of_) > 0, some, draws.x));
  }
  return parts.empty() ? x : at::cat(parts);
}

// Nothing is known.
Tensor OrderlessNade::sample(std::int64_t count, Rng& rng) const {
  return complete(Rows(at::full({count, columns_}, missing_cell)), rng);
}

// ---------------------------------------------------------------- scores

Tensor OrderlessNade::log_prob_under(const Rows& all, std::int64_t number) const {
  NoGradGuard no_graph;
  const Tensor& x = all.x;
  const std::vector<std::int64_t> variables = order(number);
  Tensor log_prob = at::empty({x.size(0)}, at::kDouble);
  for (std::int64_t first = 0; first < x.size(0); first += walk_rows) {
    const std::int64_t rows = std::min(walk_rows, x.size(0) - first);
    const Tensor some = x.narrow(0, first, rows), cells = there(some).contiguous();
    Walk given{at::nan_to_num(some, 0).contiguous(), at::zeros({rows, this->variables()}), {}, {}};
    for (std::int64_t r = 0; r < rows; ++r)
      for (const std::int64_t v : variables)
        given.variables.push_back(cells.data_ptr<float>()[r * this->variables() + v] > 0 ? v : -1);
    const std::vector<double> values = walk(given);
    std::copy(values.begin(), values.end(), log_prob.data_ptr<double>() + first);
  }
  return log_prob;
}

template std::shared_ptr<Model> create<OrderlessNadeCard>(const Options&, const Options&, const DataShape&);

}  // namespace deepgen
