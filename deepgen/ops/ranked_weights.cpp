#include "deepgen/ops/ranked_weights.h"

#include "deepgen/kernels/kernels.h"

namespace deepgen {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

Tensor keep_ranked(const Tensor& w, const Tensor& from, const Tensor& to) {
  const bool plain = w.device().is_cpu() && w.scalar_type() == at::kFloat;
  if (!plain) return composed::ranked_weights(w, from, to);
  const Tensor dense = w.contiguous();
  Tensor kept = at::empty_like(dense);
  const std::int64_t in = w.size(0), out = w.size(1);
  const float* source = dense.data_ptr<float>();
  float* target = kept.data_ptr<float>();
  const std::int32_t *inputs = from.data_ptr<std::int32_t>(), *outputs = to.data_ptr<std::int32_t>();
  parallel_ranges(in, 0.3 * static_cast<double>(out), 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i)
      for (std::int64_t j = 0; j < out; ++j)
        target[i * out + j] = inputs[i] <= outputs[j] ? source[i * out + j] : 0.0F;
  });
  return kept;
}

class RankedWeights : public torch::autograd::Function<RankedWeights> {
 public:
  static Tensor forward(AutogradContext* context, const Tensor& w, const Tensor& from, const Tensor& to) {
    context->save_for_backward({from, to});
    return keep_ranked(w, from, to);
  }
  static variable_list backward(AutogradContext* context, variable_list gradients) {
    const variable_list saved = context->get_saved_variables();
    return {keep_ranked(gradients[0], saved[0], saved[1]), Tensor(), Tensor()};
  }
};

}  // namespace

Tensor ranked_weights(const Tensor& w, const Tensor& from, const Tensor& to) {
  return RankedWeights::apply(w, from, to);
}

namespace composed {
Tensor ranked_weights(const Tensor& w, const Tensor& from, const Tensor& to) {
  return at::where(from.unsqueeze(1) <= to.unsqueeze(0), w, at::zeros({}, w.options()));
}
}  // namespace composed

}  // namespace deepgen
