#include "deepgen/ops/layers.h"

#include <cmath>

#include "deepgen/core/error.h"
#include "deepgen/kernels/kernels.h"
#include "deepgen/ops/binary_units.h"
#include "deepgen/ops/products.h"

namespace deepgen {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

constexpr double leak = 0.2;

const std::vector<std::pair<std::string, Activation>>& table() {
  static const std::vector<std::pair<std::string, Activation>> all = {
      {"identity", Activation::identity}, {"relu", Activation::relu},
      {"leaky", Activation::leaky},       {"tanh", Activation::tanh},
      {"sigmoid", Activation::sigmoid},   {"softplus", Activation::softplus}};
  return all;
}

// y = f(y) in place.
void act(Activation f, Tensor& y) {
  switch (f) {
    case Activation::identity:
      return;
    case Activation::relu:
      y.relu_();
      return;
    case Activation::leaky:
      at::leaky_relu_(y, leak);
      return;
    case Activation::tanh:
      y.tanh_();
      return;
    case Activation::sigmoid:
      y.sigmoid_();
      return;
    case Activation::softplus:
      at::softplus_out(y, y.clone());
      return;
  }
}

// g f'(a), told from y = f(a): a new tensor, or g itself where f is the identity.
Tensor through(Activation f, const Tensor& g, const Tensor& y) {
  switch (f) {
    case Activation::identity:
      return g;
    case Activation::relu:
      return at::threshold_backward(g, y, 0);
    case Activation::leaky:
      return at::leaky_relu_backward(g, y, leak, true);
    case Activation::tanh:
      return at::tanh_backward(g, y);
    case Activation::sigmoid:
      return at::sigmoid_backward(g, y);
    case Activation::softplus:
      return g * (1 - (-y).exp());
  }
  return g;
}

class Dense : public torch::autograd::Function<Dense> {
 public:
  static Tensor forward(AutogradContext* context, const Tensor& x, const Tensor& w, const Tensor& b,
                        std::int64_t activation) {
    const auto f = static_cast<Activation>(activation);
    Tensor y;
    if (b.numel() > 0) {
      y = at::empty({x.size(0), w.size(1)}, x.options());
      y.copy_(b);  // not expand().contiguous(): of one row that would be the bias itself
      multiply(y, x, w, 1, 1);
    } else {
      y = at::empty({x.size(0), w.size(1)}, x.options());
      multiply(y, x, w);
    }
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
  static Tensor forward(AutogradContext* context, const Tensor& logits, const Tensor& x) {
    context->save_for_backward({logits, x});
    return row_dots(x, logits).to(at::kDouble) - softplus_row_sum(logits, {});
  }
  static variable_list backward(AutogradContext* context, variable_list gradients) {
    const variable_list saved = context->get_saved_variables();
    Tensor g = at::sigmoid(saved[0]).neg_().add_(saved[1]);
    return {g.mul_(gradients[0].to(at::kFloat).unsqueeze(1)), Tensor()};
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

namespace composed {

Tensor dense(const Tensor& x, const Tensor& w, const Tensor& b, Activation f) {
  const Tensor a = b.defined() ? at::addmm(b, x, w) : at::mm(x, w);
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

Tensor bernoulli_log_prob(const Tensor& logits, const Tensor& x) {
  const Tensor a = logits.to(at::kDouble);
  return (x * a - at::softplus(a, 1, 40)).sum(1);
}

}  // namespace composed
}  // namespace deepgen
