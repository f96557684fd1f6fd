// The passes over flat buffers and columns; included by vector_kernels.inl.
namespace deepgen {
namespace {

template <bool full>
inline void follow_average(float* average, float keep, Float parameter, std::int64_t at, int left) {
  if (!average) return;
  const Float before = read<full>(average + at, left);
  write<full>(average + at, fused(all(1 - keep), parameter - before, before), left);
}

template <bool full>
inline void sgd_step(const SgdPass& pass, std::int64_t at, int left) {
  Float parameter = read<full>(pass.parameter + at, left);
  const Float gradient = all(pass.gradient_scale) * read<full>(pass.gradient + at, left);
  const Float g = fused(all(pass.decay), parameter, gradient);
  Float step = g;
  if (pass.momentum_buffer) {
    const Float m = fused(all(pass.momentum), read<full>(pass.momentum_buffer + at, left), g);
    write<full>(pass.momentum_buffer + at, m, left);
    step = pass.nesterov ? fused(all(pass.momentum), m, g) : m;
  }
  parameter = fused(all(-pass.rate), step, parameter);
  write<full>(pass.parameter + at, parameter, left);
  follow_average<full>(pass.average, pass.keep, parameter, at, left);
}

void sgd_pass(const SgdPass& given, std::int64_t begin, std::int64_t end) {
  const SgdPass pass = given;  // a copy that the stores cannot alias
  std::int64_t at = begin;
  for (; at + width <= end; at += width) sgd_step<true>(pass, at, width);
  if (at < end) sgd_step<false>(pass, at, static_cast<int>(end - at));
}

template <bool full>
inline void adam_step(const AdamPass& pass, std::int64_t at, int left) {
  Float parameter = read<full>(pass.parameter + at, left);
  const Float gradient = all(pass.gradient_scale) * read<full>(pass.gradient + at, left);
  const Float g = fused(all(pass.decay), parameter, gradient);
  const Float m = fused(all(pass.beta1), read<full>(pass.first + at, left), all(1 - pass.beta1) * g);
  const Float v = fused(all(pass.beta2), read<full>(pass.second + at, left), all(1 - pass.beta2) * g * g);
  write<full>(pass.first + at, m, left);
  write<full>(pass.second + at, v, left);
  parameter = parameter - all(pass.rate) * m / (root(v) + all(pass.epsilon));
  write<full>(pass.parameter + at, parameter, left);
  follow_average<full>(pass.average, pass.keep, parameter, at, left);
}

void adam_pass(const AdamPass& given, std::int64_t begin, std::int64_t end) {
  const AdamPass pass = given;
  std::int64_t at = begin;
  for (; at + width <= end; at += width) adam_step<true>(pass, at, width);
  if (at < end) adam_step<false>(pass, at, static_cast<int>(end - at));
}

constexpr int strip = 4;  // vectors of columns summed at once: their double sums fill half of the registers

template <bool full>
inline void sum_strip(const ColumnSums& layer, std::int64_t column, int count) {
  constexpr int vectors = full ? strip : 1;
  Double lower[vectors], upper[vectors];
  for (int i = 0; i < vectors; ++i) lower[i] = upper[i] = all(0.0);
  for (std::int64_t row = 0; row < layer.rows; ++row) {
    const float* input = layer.input + row * layer.columns + column;
#pragma GCC unroll 4
    for (int i = 0; i < vectors; ++i) {
      const Float x = read<full>(input + i * width, count);
      lower[i] += lower_half(x);
      upper[i] += upper_half(x);
    }
  }
  const Double scale = all(static_cast<double>(layer.scale));
  for (int i = 0; i < vectors; ++i) {
    float* sums = layer.sums + column + i * width;
    const Float before = layer.accumulate ? read<full>(sums, count) : all(0.0F);
    const Double sum_lower = fused(scale, lower[i], lower_half(before));
    const Double sum_upper = fused(scale, upper[i], upper_half(before));
    write<full>(sums, join(sum_lower, sum_upper), count);
  }
}

void column_sums(const ColumnSums& layer, std::int64_t column_begin, std::int64_t column_end) {
  std::int64_t column = column_begin;
  for (; column + strip * width <= column_end; column += strip * width) sum_strip<true>(layer, column, width);
  for (; column < column_end; column += width) {
    const std::int64_t left = column_end - column;
    sum_strip<false>(layer, column, left < width ? static_cast<int>(left) : width);
  }
}

}  // namespace
}  // namespace deepgen
