// Layers of normal and rectified units; included by vector_kernels.inl.
namespace deepgen {
namespace {

struct NormalRow {
  const NormalLayer layer;
  const RandomKeys& keys;
  const std::int64_t row;

  template <bool full>
  inline Double work(std::int64_t column, int count) const {
    Float n[parts] = {};
    if (layer.sample) normal_group(keys, row, column, layer.columns, n);
    const Float scale = all(layer.scale);
    Float weighted = all(0.0F);
#pragma GCC unroll 8
    for (int part = 0; part < parts; ++part) {
      const std::int64_t j = column + part * width, at = row * layer.columns + j;
      const int left = count - part * width;
      if (!full && left <= 0) break;
      const Float input = layer.input ? read<full>(layer.input + at, left) : all(0.0F);
      const Float bias = layer.bias ? read<full>(layer.bias + j, left) : all(0.0F);
      const Float gain = layer.gain ? read<full>(layer.gain + j, left) * scale : scale;
      const Float mean = fused(gain, input, bias);
      if (layer.mean) write<full>(layer.mean + at, mean, left);
      if (!layer.sample) continue;
      const Float deviation = layer.deviation ? read<full>(layer.deviation + j, left) : all(1.0F);
      const Float sample = fused(deviation, n[part], mean);
      write<full>(layer.sample + at, sample, left);
      if (layer.weight) weighted = fused(sample, read<full>(layer.weight + j, left), weighted);
    }
    return widened_sum(weighted);
  }
};

void normal_layer(const NormalLayer& layer, std::int64_t row_begin, std::int64_t row_end) {
  const RandomKeys keys = random_keys(layer.stream);
  for (std::int64_t row = row_begin; row < row_end; ++row) {
    const Double sum = over_groups(layer.columns, NormalRow{layer, keys, row});
    if (layer.sample && layer.weight) layer.row_sum[row] += sum_of_lanes(sum);
  }
}

struct RectifiedRow {
  const RectifiedLayer layer;
  const RandomKeys& keys;
  const std::int64_t row;

  template <bool full>
  inline Double work(std::int64_t column, int count) const {
    Float n[parts] = {};
    if (layer.sample) normal_group(keys, row, column, layer.columns, n);
    Float weighted = all(0.0F);
#pragma GCC unroll 8
    for (int part = 0; part < parts; ++part) {
      const std::int64_t j = column + part * width, at = row * layer.columns + j;
      const int left = count - part * width;
      if (!full && left <= 0) break;
      const Float bias = layer.bias ? read<full>(layer.bias + j, left) : all(0.0F);
      const Float x = fused(all(layer.scale), read<full>(layer.input + at, left), bias);
      if (layer.mean) write<full>(layer.mean + at, at_least(all(0.0F), x), left);
      if (!layer.sample) continue;
      const Float sample = at_least(all(0.0F), fused(root(sigmoid(x)), n[part], x));
      write<full>(layer.sample + at, sample, left);
      if (layer.weight) weighted = fused(sample, read<full>(layer.weight + j, left), weighted);
    }
    return widened_sum(weighted);
  }
};

void rectified_layer(const RectifiedLayer& layer, std::int64_t row_begin, std::int64_t row_end) {
  const RandomKeys keys = random_keys(layer.stream);
  for (std::int64_t row = row_begin; row < row_end; ++row) {
    const Double sum = over_groups(layer.columns, RectifiedRow{layer, keys, row});
    if (layer.sample && layer.weight) layer.row_sum[row] += sum_of_lanes(sum);
  }
}

}  // namespace
}  // namespace deepgen
