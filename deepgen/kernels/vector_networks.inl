// What networks do between their matrix products; included by vector_kernels.inl.
namespace deepgen {
namespace {

struct BernoulliRow {
  const BernoulliScore layer;
  const std::int64_t row;

  template <bool full>
  inline Double work(std::int64_t column, int count) const {
    const float* logits = layer.logits + row * layer.columns + column;
    const float* x = layer.cases + row / layer.draws * layer.columns + column;
    Float sum = all(0.0F);
#pragma GCC unroll 8
    for (int part = 0; part < parts; ++part) {
      const int left = count - part * width;
      if (!full && left <= 0) break;
      const Float a = read<full>(logits + part * width, left), bit = read<full>(x + part * width, left);
      const Float one = all(1.0F), e = exp_nonpositive(-magnitude(a));
      const Float softly = at_least(all(0.0F), a) + twice_artanh(e / (all(2.0F) + e));
      const Float value = fused(bit, a, -softly);
      sum += full ? value : keep_some(value, left);
      if (!layer.residual) continue;
      const Float mean = where_less(a, all(0.0F), e, one) / (one + e);
      write<full>(layer.residual + row * layer.columns + column + part * width, bit - mean, left);
    }
    return widened_sum(sum);
  }
};

void bernoulli_score(const BernoulliScore& layer, std::int64_t row_begin, std::int64_t row_end) {
  for (std::int64_t row = row_begin; row < row_end; ++row)
    layer.row_sum[row] = sum_of_lanes(over_groups(layer.columns, BernoulliRow{layer, row}));
}

// exp(x) - 1 for x <= 0, to a few units in the last place.
inline Float expm1_nonpositive(Float x) {
  const Float y = at_least(all(smallest_exponent), x);
  const Float n = nearest(y * all(per_log2));
  Float r = fused(n, all(-log2_upper), y);
  r = fused(n, all(-log2_lower), r);
  const Float power = times_two_to(all(1.0F), n);
  return fused(power, expm1_near_zero(r), power - all(1.0F));
}

// With m = expm1(-2 |x|): tanh |x| = -m / (2 + m).
inline Float hyperbolic_tangent(Float x) {
  const Float m = expm1_nonpositive(all(-2.0F) * magnitude(x)), t = m / (all(2.0F) + m);
  return where_less(x, all(0.0F), t, -t);
}

template <Activation f>
inline Float activated(Float a) {
  if constexpr (f == Activation::relu) return at_least(all(0.0F), a);
  if constexpr (f == Activation::leaky) return where_less(a, all(0.0F), all(leak) * a, a);
  if constexpr (f == Activation::tanh) return hyperbolic_tangent(a);
  if constexpr (f == Activation::sigmoid) return sigmoid(a);
  if constexpr (f == Activation::softplus) return softplus(a);
  return a;
}

template <Activation f>
inline Float sloped(Float g, Float y) {
  const Float zero = all(0.0F), one = all(1.0F);
  if constexpr (f == Activation::relu) return where_less(zero, y, g, zero * g);
  if constexpr (f == Activation::leaky) return where_less(zero, y, g, all(leak) * g);
  if constexpr (f == Activation::tanh) return g * (one - y * y);
  if constexpr (f == Activation::sigmoid) return g * (y * (one - y));
  if constexpr (f == Activation::softplus) return g * -expm1_nonpositive(-y);
  return g;
}

template <Activation f>
void activate_all(const ActivationPass& pass, std::int64_t begin, std::int64_t end) {
  float* values = pass.values;
  std::int64_t at = begin;
  for (; at + width <= end; at += width) store(values + at, activated<f>(load(values + at)));
  if (at >= end) return;
  const int left = static_cast<int>(end - at);
  store_some(values + at, activated<f>(load_some(values + at, left)), left);
}

template <Activation f>
void slope_all(const ActivationGradient& pass, std::int64_t begin, std::int64_t end) {
  const float *gradient = pass.gradient, *value = pass.value;
  float* result = pass.result;
  std::int64_t at = begin;
  for (; at + width <= end; at += width) store(result + at, sloped<f>(load(gradient + at), load(value + at)));
  if (at >= end) return;
  const int left = static_cast<int>(end - at);
  store_some(result + at, sloped<f>(load_some(gradient + at, left), load_some(value + at, left)), left);
}

void activation(const ActivationPass& pass, std::int64_t begin, std::int64_t end) {
  switch (pass.function) {
    case Activation::identity:
      return;
    case Activation::relu:
      return activate_all<Activation::relu>(pass, begin, end);
    case Activation::leaky:
      return activate_all<Activation::leaky>(pass, begin, end);
    case Activation::tanh:
      return activate_all<Activation::tanh>(pass, begin, end);
    case Activation::sigmoid:
      return activate_all<Activation::sigmoid>(pass, begin, end);
    case Activation::softplus:
      return activate_all<Activation::softplus>(pass, begin, end);
  }
}

void activation_gradient(const ActivationGradient& pass, std::int64_t begin, std::int64_t end) {
  switch (pass.function) {
    case Activation::identity:
      return slope_all<Activation::identity>(pass, begin, end);
    case Activation::relu:
      return slope_all<Activation::relu>(pass, begin, end);
    case Activation::leaky:
      return slope_all<Activation::leaky>(pass, begin, end);
    case Activation::tanh:
      return slope_all<Activation::tanh>(pass, begin, end);
    case Activation::sigmoid:
      return slope_all<Activation::sigmoid>(pass, begin, end);
    case Activation::softplus:
      return slope_all<Activation::softplus>(pass, begin, end);
  }
}

}  // namespace
}  // namespace deepgen
