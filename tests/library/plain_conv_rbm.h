// Small convolutional machines, and one in plain double precision: every quantity is a sum over the states of all
// blocks, by the definition of the energy alone.
#pragma once

#include "deepgen/models/boltzmann/conv_rbm.h"
#include "tests/library/machines.h"

namespace deepgen::machines {

struct PlainConvRbm {
  std::int64_t C, H, W, down, right, K, map_height, map_width;
  bool gaussian;
  Doubles w, b, c, sigma;  // [f, f, C, K], [D], [K], [D]
  std::vector<std::vector<std::int64_t>>
      block_units;  // of each block: (row * map_width + column) * K + filter
  std::vector<std::vector<std::int64_t>> hidden_states;  // units that are on; of few blocks

  explicit PlainConvRbm(const ConvRbm& machine)
      : C(machine.picture()[0]),
        H(machine.picture()[1]),
        W(machine.picture()[2]),
        down(machine.weights.size(0)),
        right(machine.weights.size(1)),
        K(machine.weights.size(3)),
        map_height(H - down + 1),
        map_width(W - right + 1),
        gaussian(machine.visible_layer().all(UnitKind::gaussian)),
        w(doubles(machine.weights)),
        c(doubles(machine.hidden_bias)) {
    const Doubles bias = doubles(machine.visible_bias),
                  deviation = gaussian ? doubles(machine.visible_deviation) : Doubles(size(C), 1.0);
    for (std::int64_t i = 0; i < C * H * W; ++i) {
      b.push_back(bias.size() == size(C) ? bias[size(i / (H * W))] : bias[size(i)]);
      sigma.push_back(deviation[size(i / (H * W))]);
    }
    add_blocks(machine.blocks().down(), machine.blocks().right());
    if (block_units.size() <= 9) add_states({}, 0);
  }
  std::int64_t visible() const { return C * H * W; }

  // a of each unit.
  Doubles activations(const Doubles& v) const {
    Doubles a(size(map_height * map_width * K));
    for (std::int64_t u = 0; u < static_cast<std::int64_t>(a.size()); ++u) {
      const std::int64_t k = u % K, q = u / K % map_width, p = u / K / map_width;
      a[size(u)] = c[size(k)];
      for (std::int64_t d = 0; d < C; ++d)
        for (std::int64_t i = 0; i < down; ++i)
          for (std::int64_t j = 0; j < right; ++j) {
            const std::size_t pixel = size((d * H + p + i) * W + q + j);
            a[size(u)] += w[size(((i * right + j) * C + d) * K + k)] * v[pixel] / sigma[pixel];
          }
    }
    return a;
  }
  double visible_part(const Doubles& v) const {
    double sum = 0;
    for (std::size_t i = 0; i < v.size(); ++i)
      sum += gaussian ? (b[i] * v[i] - v[i] * v[i] / 2) / (sigma[i] * sigma[i]) : b[i] * v[i];
    return sum;
  }
  // -E(v, h) of each state of the blocks.
  Doubles log_joints(const Doubles& v) const {
    const Doubles a = activations(v);
    Doubles all;
    for (const auto& on : hidden_states) {
      double sum = visible_part(v);
      for (const std::int64_t u : on) sum += a[size(u)];
      all.push_back(sum);
    }
    return all;
  }
  double log_unnormalised(const Doubles& v) const { return log_sum_exp(log_joints(v)); }
  // Of all cases of bits.
  Doubles log_unnormalised() const {
    Doubles all;
    const Tensor states = all_states(visible());
    for (std::int64_t s = 0; s < states.size(0); ++s) all.push_back(log_unnormalised(doubles(states[s])));
    return all;
  }
  // What the visible units receive from the units that are on, in v / sigma.
  Doubles input_from(const std::vector<std::int64_t>& on) const {
    Doubles input(size(visible()));
    for (const std::int64_t u : on) {
      const std::int64_t k = u % K, q = u / K % map_width, p = u / K / map_width;
      for (std::int64_t d = 0; d < C; ++d)
        for (std::int64_t i = 0; i < down; ++i)
          for (std::int64_t j = 0; j < right; ++j)
            input[size((d * H + p + i) * W + q + j)] += w[size(((i * right + j) * C + d) * K + k)];
    }
    return input;
  }

 private:
  void add_blocks(std::int64_t pool_down, std::int64_t pool_right) {
    for (std::int64_t p = 0; p < map_height; p += pool_down)
      for (std::int64_t q = 0; q < map_width; q += pool_right)
        for (std::int64_t k = 0; k < K; ++k) {
          block_units.emplace_back();
          for (std::int64_t i = 0; i < pool_down; ++i)
            for (std::int64_t j = 0; j < pool_right; ++j)
              block_units.back().push_back(((p + i) * map_width + q + j) * K + k);
        }
  }
  void add_states(const std::vector<std::int64_t>& on, std::size_t block) {
    if (block == block_units.size()) {
      hidden_states.push_back(on);
      return;
    }
    add_states(on, block + 1);
    for (const std::int64_t unit : block_units[block]) {
      std::vector<std::int64_t> more = on;
      more.push_back(unit);
      add_states(more, block + 1);
    }
  }
};

struct ConvSmall {
  std::vector<std::int64_t> picture = {1, 4, 4};
  std::int64_t filters = 2, filter = 3, pooling = 2;
  ValueKind values = ValueKind::binary;
  std::string bias = "channel";
  std::string units = "auto";

  DataShape shape() const {
    DataShape data;
    data.shape = picture, data.values = values;
    data.columns = 1;
    for (const std::int64_t each : picture) data.columns *= each;
    return data;
  }
};

inline std::shared_ptr<ConvRbm> new_conv_rbm(const ConvSmall& small, ConvRbmLearning learning = {}) {
  ConvRbmOptions options;
  options.filters = small.filters, options.filter = small.filter, options.pooling = small.pooling;
  options.visible_bias = small.bias, options.visible_units = small.units, options.deviation = 0.7;
  return std::make_shared<ConvRbm>(options, learning, small.shape());
}

inline std::shared_ptr<ConvRbm> conv_rbm(const ConvSmall& small, double scale, std::uint64_t seed,
                                         ConvRbmLearning learning = {}) {
  auto machine = new_conv_rbm(small, std::move(learning));
  Rng rng(seed);
  machine->initialise({rows_of_shape(small.shape(), 60, rng), {}}, rng);
  randomise(*machine, scale, rng);
  return machine;
}

}  // namespace deepgen::machines
