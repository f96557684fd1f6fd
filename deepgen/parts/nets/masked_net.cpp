#include "deepgen/parts/nets/masked_net.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "deepgen/core/error.h"
#include "deepgen/kernels/column_passes.h"
#include "deepgen/kernels/kernels.h"
#include "deepgen/ops/binary_units.h"
#include "deepgen/ops/ranked_weights.h"
#include "deepgen/parts/checks/categories.h"

namespace deepgen {
namespace {

constexpr std::int64_t block_rows = 16;  // rows whose hidden units stay in the first caches together

std::size_t at(std::int64_t i) { return static_cast<std::size_t>(i); }

Tensor whole_numbers(const std::vector<std::int64_t>& values) {
  return at::tensor(values, at::kLong).to(at::kInt);
}

float activate(Activation f, float a) {
  if (f == Activation::relu) return a > 0 ? a : 0;
  if (f == Activation::tanh) return std::tanh(a);
  return 1 / (1 + std::exp(-a));
}

}  // namespace

void draw_variable(bool category, const float* logits, std::int64_t size, float u, float* x) {
  if (!category) {
    x[0] = u < activate(Activation::sigmoid, logits[0]) ? 1.0F : 0.0F;
    return;
  }
  const float most = *std::max_element(logits, logits + size);
  const auto share = [&](std::int64_t k) { return std::exp(static_cast<double>(logits[k] - most)); };
  double total = 0;
  for (std::int64_t k = 0; k < size; ++k) total += share(k);
  std::fill(x, x + size, 0.0F);
  x[pick_category(size, static_cast<double>(u) * total, share)] = 1;
}

namespace {

Activation known_activation(const std::string& name) {
  const Activation f = activation_of(name);
  if (f != Activation::relu && f != Activation::tanh && f != Activation::sigmoid)
    fail_usage("activation", fmt::format("expected relu, tanh or sigmoid, got {}", name));
  return f;
}

}  // namespace

std::vector<std::int64_t> natural_order(std::int64_t n) {
  std::vector<std::int64_t> order(at(n));
  std::iota(order.begin(), order.end(), std::int64_t{0});
  return order;
}

Tensor base_rate_logits(const Tensor& x) {
  NoGradGuard no_graph;
  Tensor sums = at::empty({x.size(1)});
  column_sums(x.contiguous(), 1, false, sums);
  const Tensor ones = sums.to(at::kDouble) + 0.5;
  return (ones.log() - (static_cast<double>(x.size(0)) + 1 - ones).log()).to(at::kFloat);
}

// ---------------------------------------------------------------- construction

MaskedNet::MaskedNet(VariableLayout layout, const std::vector<std::int64_t>& sizes,
                     const std::string& activation, bool direct)
    : layout_(std::move(layout)), columns_(layout_.columns), activation_(known_activation(activation)) {
  std::int64_t in = columns_;
  auto add = [&](std::int64_t out, Activation f) {
    layers_.push_back(
        register_module(fmt::format("layer{}", layers_.size()), std::make_shared<DenseLayer>(in, out, f)));
    in = out;
  };
  for (const std::int64_t size : sizes) add(size, activation_);
  add(columns_, Activation::identity);
  if (direct && !sizes.empty()) direct_ = register_parameter("direct", at::zeros({columns_, columns_}));
}

void MaskedNet::initialise(const Tensor& output_bias, Rng& rng) {
  for (const auto& layer : layers_) layer->initialise(rng);
  NoGradGuard no_graph;
  if (layers_.size() == 1) layers_.back()->weight.zero_();
  if (direct_.defined()) direct_.zero_();
  layers_.back()->bias.copy_(output_bias);
}

Ranks MaskedNet::draw_ranks(std::vector<std::int64_t> order, Rng& rng) const {
  std::vector<std::int64_t> inputs(at(columns_)), outputs(at(columns_));
  for (std::int64_t p = 0; p < layout_.variables(); ++p)
    for (const std::int64_t column : layout_.columns_of({order[at(p)]}))
      inputs[at(column)] = p + 1, outputs[at(column)] = p;
  Ranks ranks;
  ranks.layers.push_back(whole_numbers(inputs));
  std::int64_t least = 1;
  const std::int64_t most = std::max<std::int64_t>(1, layout_.variables() - 1);
  for (std::size_t l = 0; l + 1 < layers_.size(); ++l) {
    std::vector<std::int64_t> hidden(at(layers_[l]->weight.size(1)));
    for (std::int64_t& rank : hidden)
      rank = least + static_cast<std::int64_t>(rng.below(static_cast<std::uint64_t>(most - least + 1)));
    least = *std::min_element(hidden.begin(), hidden.end());
    ranks.layers.push_back(whole_numbers(hidden));
  }
  ranks.layers.push_back(whole_numbers(outputs));
  ranks.order = std::move(order);
  return ranks;
}

// ---------------------------------------------------------------- all logits at once

Tensor MaskedNet::logits(const Tensor& x, const Ranks& ranks, const Dropout& dropout) const {
  const Tensor input = dropout.rng ? dropped(x, dropout.input, *dropout.rng) : x;
  Tensor h = input;
  for (std::size_t l = 0; l < layers_.size(); ++l) {
    const bool last = l + 1 == layers_.size();
    const Tensor w = ranked_weights(layers_[l]->weight, ranks.layers[l], ranks.layers[l + 1]);
    h = dense(h, w, layers_[l]->bias, last ? Activation::identity : activation_);
    if (!last && dropout.rng) h = dropped(h, dropout.hidden, *dropout.rng);
  }
  if (!direct_.defined()) return h;
  return h + dense(input, ranked_weights(direct_, ranks.layers.front(), ranks.layers.back()), {});
}

// ---------------------------------------------------------------- one variable after another

// A layer with its units and its inputs in the order of their ranks, a row for each unit: what a unit sees is
// then the beginning of a row.
struct MaskedNet::Sorted {
  Tensor weight, bias;  // [out, in], [out]
  std::vector<std::int64_t> rank, seen;
};

namespace {

std::vector<std::int64_t> sorted_places(const Tensor& ranks) {
  const std::int32_t* rank = ranks.data_ptr<std::int32_t>();
  std::vector<std::int64_t> places = natural_order(ranks.size(0));
  std::stable_sort(places.begin(), places.end(),
                   [&](std::int64_t a, std::int64_t b) { return rank[a] < rank[b]; });
  return places;
}

Tensor sorted_weights(const Tensor& w, const std::vector<std::int64_t>& in,
                      const std::vector<std::int64_t>& out) {
  return w.detach()
      .index_select(0, at::tensor(in, at::kLong))
      .index_select(1, at::tensor(out, at::kLong))
      .t()
      .contiguous();
}

}  // namespace

std::vector<MaskedNet::Sorted> MaskedNet::sorted_layers(const Ranks& ranks) const {
  std::vector<Sorted> all;
  std::vector<std::int64_t> in = sorted_places(ranks.layers.front());
  for (std::size_t l = 0; l < layers_.size(); ++l) {
    const std::vector<std::int64_t> out = sorted_places(ranks.layers[l + 1]);
    const std::int32_t *below = ranks.layers[l].data_ptr<std::int32_t>(),
                       *own = ranks.layers[l + 1].data_ptr<std::int32_t>();
    Sorted layer;
    layer.weight = sorted_weights(layers_[l]->weight, in, out);
    layer.bias = layers_[l]->bias.detach().index_select(0, at::tensor(out, at::kLong)).contiguous();
    std::size_t seen = 0;
    for (const std::int64_t unit : out) {
      while (seen < in.size() && below[in[seen]] <= own[unit]) ++seen;
      layer.rank.push_back(own[unit]);
      layer.seen.push_back(static_cast<std::int64_t>(seen));
    }
    all.push_back(std::move(layer));
    in = out;
  }
  if (!direct_.defined()) return all;
  Sorted layer;
  const std::vector<std::int64_t> columns = layout_.columns_of(ranks.order);
  layer.weight = sorted_weights(direct_, columns, columns);
  all.push_back(std::move(layer));
  return all;
}

// Some rows on their way through the variables: units in the order of their ranks, computed when they can be.
class MaskedNet::Block {
 public:
  Block(const MaskedNet& net, const std::vector<Sorted>& layers, std::int64_t rows)
      : net_(net),
        layers_(layers),
        rows_(rows),
        widest_(net.layout_.widest()),
        next_(net.layers_.size(), 0),
        past_(at(rows * widest_)) {
    values_.emplace_back(at(rows * net.columns_));
    for (const auto& layer : net.layers_) values_.emplace_back(at(rows * layer->weight.size(1)));
  }

  // The logits of the variable at position p, the next one, whose columns stand at `place` and after it in the
  // order; those before it are set.
  void compute_logits(std::int64_t p, std::int64_t place, std::int64_t size) {
    const std::size_t last = net_.layers_.size() - 1;
    for (std::size_t l = 0; l < last; ++l)
      while (next_[l] < layers_[l].rank.size() && layers_[l].rank[next_[l]] <= p)
        compute_unit(l, net_.activation_);
    for (std::int64_t k = 0; k < size; ++k) {
      compute_unit(last, Activation::identity);
      if (net_.direct_.defined())
        dots(values_[0], net_.columns_, layers_.back(), place + k, place, 0, past_.data() + k, widest_);
    }
  }
  // Of column k of the variable at `place`.
  float logit(std::int64_t row, std::int64_t place, std::int64_t k) const {
    return values_.back()[at(row * net_.columns_ + place + k)] + past_[at(row * widest_ + k)];
  }
  void set(std::int64_t row, std::int64_t place, float x) { values_[0][at(row * net_.columns_ + place)] = x; }

 private:
  void dots(const std::vector<float>& below, std::int64_t in, const Sorted& layer, std::int64_t unit,
            std::int64_t seen, float bias, float* output, std::int64_t stride) {
    column_passes().prefix_dots({.input = below.data(),
                                 .stride = in,
                                 .count = seen,
                                 .weight = layer.weight.data_ptr<float>() + unit * in,
                                 .bias = bias,
                                 .output = output,
                                 .output_stride = stride},
                                0, rows_);
  }
  void compute_unit(std::size_t l, Activation f) {
    const Sorted& layer = layers_[l];
    const std::int64_t out = layer.weight.size(0);
    const auto unit = static_cast<std::int64_t>(next_[l]++);
    float* column = values_[l + 1].data() + unit;
    dots(values_[l], layer.weight.size(1), layer, unit, layer.seen[at(unit)],
         layer.bias.data_ptr<float>()[unit], column, out);
    for (std::int64_t r = 0; f != Activation::identity && r < rows_; ++r)
      column[r * out] = activate(f, column[r * out]);
  }

  const MaskedNet& net_;
  const std::vector<Sorted>& layers_;
  std::int64_t rows_, widest_;
  std::vector<std::vector<float>> values_;  // inputs, then layers: [rows, units in the order of their ranks]
  std::vector<std::size_t> next_;           // of each layer: the unit that is computed next
  std::vector<float> past_;  // what reaches the logits past the hidden layers: [rows, columns of a variable]
};

void MaskedNet::draw_rows(const AncestralPass& pass, const Ranks& ranks, const std::vector<Sorted>& layers,
                          float* logits, std::int64_t begin, std::int64_t end) const {
  Block block(*this, layers, end - begin);
  float* x = pass.x.data_ptr<float>();
  const float* u = pass.uniform.data_ptr<float>();
  const bool* held = pass.held.defined() ? pass.held.data_ptr<bool>() : nullptr;
  const std::int64_t variables = layout_.variables();
  std::int64_t place = 0;
  for (std::int64_t p = 0; p < variables; ++p) {
    const std::int64_t v = ranks.order[at(p)], size = layout_.sizes[at(v)];
    block.compute_logits(p, place, size);
    for (std::int64_t r = 0; r < end - begin; ++r) {
      const std::int64_t cell = (begin + r) * columns_ + layout_.firsts[at(v)];
      for (std::int64_t k = 0; k < size; ++k) logits[cell + k] = block.logit(r, place, k);
      const bool drawn = held == nullptr || !held[cell];
      if (drawn)
        draw_variable(layout_.categories[at(v)], logits + cell, size, u[(begin + r) * variables + v],
                      x + cell);
      for (std::int64_t k = 0; k < size; ++k) block.set(r, place + k, x[cell + k]);
    }
    place += size;
  }
}

Tensor MaskedNet::draw(const AncestralPass& pass, const Ranks& ranks) const {
  NoGradGuard no_graph;
  const std::vector<Sorted> layers = sorted_layers(ranks);
  Tensor logits = at::empty_like(pass.x);
  double weights = 0;
  for (const Sorted& layer : layers) weights += static_cast<double>(layer.weight.numel());
  parallel_ranges(pass.x.size(0), 0.1 * weights, block_rows, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t first = begin; first < end; first += block_rows)
      draw_rows(pass, ranks, layers, logits.data_ptr<float>(), first, std::min(end, first + block_rows));
  });
  return logits;
}

}  // namespace deepgen
