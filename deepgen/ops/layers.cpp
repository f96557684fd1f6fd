#include "deepgen/ops/layers.h"

#include <algorithm>

#include "deepgen/core/error.h"
#include "deepgen/core/interruption.h"
#include "deepgen/kernels/kernels.h"
#include "deepgen/ops/products.h"
#include "deepgen/ops/unit_layers.h"

namespace deepgen {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

const std::vector<std::pair<std::string, Activation>>& table() {
  static const std::vector<std::pair<std::string, Activation>> all = {
      {"identity", Activation::identity}, {"relu", Activation::relu},
      {"leaky", Activation::leaky},       {"tanh", Activation::tanh},
      {"sigmoid", Activation::sigmoid},   {"softplus", Activation::softplus}};
  return all;
}

constexpr std::int64_t grain = 1024;  // elements; a multiple of the widest register
constexpr double element_ns = 0.6;

// y = f(y) in place. Torch's own loops round the last elements of a thread's share differently.
void act(Activation f, Tensor& y) {
  interruption_point();
  if (f == Activation::identity) return;
  const ActivationPass pass{f, y.data_ptr<float>()};
  parallel_ranges(y.numel(), element_ns, grain,
                  [&](std::int64_t begin, std::int64_t end) { kernels().activation(pass, begin, end); });
}

// g f'(a), told from y = f(a): a new tensor, or g itself where f is the identity.
Tensor through(Activation f, const Tensor& g, const Tensor& y) {
  if (f == Activation::identity) return g;
  Tensor out = at::empty_like(g);
  const ActivationGradient pass{f, g.data_ptr<float>(), y.data_ptr<float>(), out.data_ptr<float>()};
  parallel_ranges(g.numel(), element_ns, grain, [&](std::int64_t begin, std::int64_t end) {
    kernels().activation_gradient(pass, begin, end);
  });
  return out;
}

class Dense : public torch::autograd::Function<Dense> {
 public:
  static Tensor forward(AutogradContext* context, const Tensor& x, const Tensor& w, const Tensor& b,
                        std::int64_t activation) {
    const auto f = static_cast<Activation>(activation);
    Tensor y = at::empty({x.size(0), w.size(1)}, x.options());
    if (b.numel() > 0) y.copy_(b);  // a copy: the expanded bias of a single row would be the bias itself
    multiply(y, x, w, 1, b.numel() > 0 ? 1 : 0);
    act(f, y);
    context->save_for_backward({x, w, y});
    context->saved_data["activation"] = activation;
    context->saved_data["needs"] =
        std::vector<bool>{x.requires_grad(), w.requires_grad(), b.numel() > 0 && b.requires_grad()};
    return y;
  }

  static variable_list backward(AutogradContext* context, variable_list gradients) {
    const variable_list saved = context->get_saved_variables();
    const Tensor &x = saved[0], &w = saved[1], &y = saved[2];
    const auto f = static_cast<Activation>(context->saved_data["activation"].toInt());
    const auto needs = context->saved_data["needs"].toBoolList();
    const Tensor g = through(f, gradients[0].contiguous(), y);
    Tensor gx, gw, gb;
    if (needs[0]) {
      gx = at::empty_like(x);
      multiply(gx, g, w.t());
    }
    if (needs[1]) {
      gw = at::empty_like(w);
      multiply(gw, x.t(), g);
    }
    if (needs[2]) {
      gb = at::empty({g.size(1)}, g.options());
      column_sums(g, 1, false, gb);
    }
    return {gx, gw, gb, Tensor()};
  }
};

class BernoulliLogProb : public torch::autograd::Function<BernoulliLogProb> {
 public:
  static Tensor forward(AutogradContext* context, const Tensor& given, const Tensor& x) {
    interruption_point();
    const Tensor logits = given.contiguous(), cases = x.contiguous();
    Tensor residual, sums = at::empty({logits.size(0)}, at::kDouble);
    if (given.requires_grad()) residual = at::empty_like(logits);
    const BernoulliScore score{.logits = logits.data_ptr<float>(),
                               .cases = cases.data_ptr<float>(),
                               .draws = logits.size(0) / std::max<std::int64_t>(1, x.size(0)),
                               .columns = logits.size(1),
                               .row_sum = sums.data_ptr<double>(),
                               .residual = residual.defined() ? residual.data_ptr<float>() : nullptr};
    parallel_ranges(
        logits.size(0), 1.2 * static_cast<double>(logits.size(1)), 1,
        [&](std::int64_t begin, std::int64_t end) { kernels().bernoulli_score(score, begin, end); });
    context->save_for_backward({residual});
    return sums;
  }
  static variable_list backward(AutogradContext* context, variable_list gradients) {
    const Tensor residual = context->get_saved_variables()[0];
    return {residual * gradients[0].to(at::kFloat).unsqueeze(1), Tensor()};
  }
};

class Activate : public torch::autograd::Function<Activate> {
 public:
  static Tensor forward(AutogradContext* context, const Tensor& a, std::int64_t activation) {
    Tensor y = a.contiguous().clone();
    act(static_cast<Activation>(activation), y);
    context->save_for_backward({y});
    context->saved_data["activation"] = activation;
    return y;
  }
  static variable_list backward(AutogradContext* context, variable_list gradients) {
    const auto f = static_cast<Activation>(context->saved_data["activation"].toInt());
    return {through(f, gradients[0].contiguous(), context->get_saved_variables()[0]), Tensor()};
  }
};

class CategoricalLogProb : public torch::autograd::Function<CategoricalLogProb> {
 public:
  static Tensor forward(AutogradContext* context, const Tensor& given, const Tensor& x,
                        const Tensor& offsets) {
    const Tensor logits = given.contiguous(), cases = x.unsqueeze(1);
    Tensor mean, sums = at::empty({logits.size(0)}, at::kDouble);
    if (given.requires_grad()) mean = at::empty_like(logits);
    softmax_layer(logits, {}, offsets, 1, {}, {.mean = mean}, sums);
    const Tensor by_case = logits.view({x.size(0), -1, logits.size(1)});
    const Tensor value = (by_case * cases).to(at::kDouble).sum(2).view({-1}) - sums;
    if (mean.defined()) mean.view(by_case.sizes()).neg_().add_(cases);
    context->save_for_backward({mean});
    return value;
  }
  static variable_list backward(AutogradContext* context, variable_list gradients) {
    const Tensor residual = context->get_saved_variables()[0];
    return {residual * gradients[0].to(at::kFloat).unsqueeze(1), Tensor(), Tensor()};
  }
};

class LogSumExpRows : public torch::autograd::Function<LogSumExpRows> {
 public:
  static Tensor forward(AutogradContext* context, const Tensor& given) {
    const Tensor a = given.contiguous(), all = at::tensor({std::int64_t{0}, a.size(1)}, at::kLong);
    Tensor mean, sums = at::empty({a.size(0)}, at::kDouble);
    if (given.requires_grad()) mean = at::empty_like(a);
    softmax_layer(a, {}, all, 1, {}, {.mean = mean}, sums);
    context->save_for_backward({mean});
    return sums;
  }
  static variable_list backward(AutogradContext* context, variable_list gradients) {
    return {context->get_saved_variables()[0] * gradients[0].to(at::kFloat).unsqueeze(1)};
  }
};

}  // namespace

Activation activation_of(const std::string& name) {
  for (const auto& [known, f] : table())
    if (known == name) return f;
  fail_usage("activation", unknown_name("activation", name, activation_names()));
}

std::vector<std::string> activation_names() {
  std::vector<std::string> names;
  for (const auto& [known, f] : table()) names.push_back(known);
  return names;
}

Tensor dense(const Tensor& x, const Tensor& w, const Tensor& b, Activation f) {
  // Functions of torch take no undefined arguments: one of no length stands for no bias.
  return Dense::apply(x, w, b.defined() ? b : at::empty({0}, w.options().requires_grad(false)),
                      static_cast<std::int64_t>(f));
}

Tensor bernoulli_log_prob(const Tensor& logits, const Tensor& x) {
  return BernoulliLogProb::apply(logits, x);
}

Tensor log_sum_exp_rows(const Tensor& a) { return LogSumExpRows::apply(a); }

Tensor activate(const Tensor& a, Activation f) { return Activate::apply(a, static_cast<std::int64_t>(f)); }

Tensor categorical_log_prob(const Tensor& logits, const Tensor& x, const Tensor& offsets) {
  return CategoricalLogProb::apply(logits, x, offsets);
}

namespace composed {

Tensor dense(const Tensor& x, const Tensor& w, const Tensor& b, Activation f) {
  return composed::activate(b.defined() ? at::addmm(b, x, w) : at::mm(x, w), f);
}

Tensor activate(const Tensor& a, Activation f) {
  switch (f) {
    case Activation::identity:
      return a;
    case Activation::relu:
      return at::relu(a);
    case Activation::leaky:
      return at::leaky_relu(a, leak);
    case Activation::tanh:
      return at::tanh(a);
    case Activation::sigmoid:
      return at::sigmoid(a);
    case Activation::softplus:
      return at::softplus(a);
  }
  return a;
}

Tensor categorical_log_prob(const Tensor& logits, const Tensor& x, const Tensor& offsets) {
  const Tensor a = logits.to(at::kDouble), cases = x.repeat_interleave(logits.size(0) / x.size(0), 0);
  Tensor sum = (cases * a).sum(1);
  for (std::int64_t g = 0; g + 1 < offsets.size(0); ++g) {
    const std::int64_t first = offsets[g].item<std::int64_t>(), next = offsets[g + 1].item<std::int64_t>();
    sum = sum - at::logsumexp(a.narrow(1, first, next - first), 1);
  }
  return sum;
}

Tensor bernoulli_log_prob(const Tensor& logits, const Tensor& x) {
  const Tensor a = logits.to(at::kDouble), cases = x.repeat_interleave(logits.size(0) / x.size(0), 0);
  return (cases * a - at::softplus(a, 1, 40)).sum(1);
}

Tensor log_sum_exp_rows(const Tensor& a) { return at::logsumexp(a.to(at::kDouble), 1); }

}  // namespace composed
}  // namespace deepgen
