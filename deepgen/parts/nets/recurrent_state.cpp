#include "deepgen/parts/nets/recurrent_state.h"

#include <algorithm>
#include <numeric>

#include "deepgen/core/interruption.h"
#include "deepgen/ops/binary_units.h"
#include "deepgen/ops/layers.h"
#include "deepgen/ops/products.h"

namespace deepgen {
namespace {

// f'(input) from f(input).
Tensor slope_of(const Tensor& state, Activation f) {
  return f == Activation::tanh ? 1 - state * state : state * (1 - state);
}

Tensor recurrent_input(const Tensor& x, const RecurrentWeights& weights) {
  Tensor input = at::empty({x.size(0), weights.bias.size(0)});
  multiply(input, x, weights.input);
  return input.add_(weights.bias);
}

}  // namespace

PackedSequences pack_sequences(const Tensor& starts, std::int64_t rows) {
  const Tensor begins = starts.defined() ? starts.contiguous() : at::arange(rows, at::kLong);
  const std::int64_t cases = begins.size(0);
  PackedSequences packed{
      at::empty({rows}, at::kLong), at::empty({rows}, at::kLong), at::full({cases}, -1, at::kLong), {}};
  if (cases == 0) return packed;
  const Tensor lengths = case_lengths(begins, rows).contiguous();
  const auto *begin = begins.data_ptr<std::int64_t>(), *length = lengths.data_ptr<std::int64_t>();
  std::vector<std::int64_t> longest_first(static_cast<std::size_t>(cases));
  std::iota(longest_first.begin(), longest_first.end(), std::int64_t{0});
  std::stable_sort(longest_first.begin(), longest_first.end(),
                   [&](std::int64_t a, std::int64_t b) { return length[a] > length[b]; });
  auto *order = packed.order.data_ptr<std::int64_t>(), *places = packed.places.data_ptr<std::int64_t>();
  std::int64_t place = 0;
  for (std::int64_t t = 0; t < length[longest_first[0]]; ++t) {
    const std::int64_t first = place;
    for (const std::int64_t one : longest_first) {
      if (length[one] <= t) break;
      order[place] = begin[one] + t, places[begin[one] + t] = place;
      packed.last.data_ptr<std::int64_t>()[one] = place++;
    }
    packed.sizes.push_back(place - first);
  }
  return packed;
}

// ---------------------------------------------------------------- forwards

Tensor next_state(const Tensor& x, const Tensor& state, const RecurrentWeights& weights) {
  NoGradGuard no_graph;
  Tensor input = recurrent_input(x, weights);
  multiply(input, state, weights.state, 1, 1);
  return activate(input, weights.f);
}

Tensor recurrent_states(const PackedSequences& packed, const Tensor& x, const RecurrentWeights& weights) {
  NoGradGuard no_graph;
  Tensor states = recurrent_input(x, weights);  // what f takes, until f has been
  std::int64_t before = 0, first = 0;
  for (const std::int64_t rows : packed.sizes) {
    interruption_point();
    Tensor now = states.narrow(0, first, rows);
    if (first > 0) multiply(now, states.narrow(0, before, rows), weights.state, 1, 1);
    now.copy_(activate(now, weights.f));
    before = first, first += rows;
  }
  return states;
}

Tensor states_before(const PackedSequences& packed, const Tensor& states) {
  Tensor earlier = at::zeros_like(states);
  std::int64_t before = 0, first = 0;
  for (const std::int64_t rows : packed.sizes) {
    if (first > 0) earlier.narrow(0, first, rows).copy_(states.narrow(0, before, rows));
    before = first, first += rows;
  }
  return earlier;
}

Tensor final_states(const PackedSequences& packed, const Tensor& states) {
  Tensor ends = at::zeros({packed.last.size(0), states.size(1)});
  const Tensor begun = (packed.last >= 0).nonzero().squeeze(1);
  ends.index_copy_(0, begun, states.index_select(0, packed.last.index_select(0, begun)));
  return ends;
}

// ---------------------------------------------------------------- back through time

void recurrent_gradients(const PackedSequences& packed, const Tensor& x, const Tensor& states,
                         const Tensor& d_before, const RecurrentWeights& weights,
                         RecurrentWeights& gradients) {
  NoGradGuard no_graph;
  Tensor delta = slope_of(states, weights.f);
  std::int64_t later_rows = 0, first = states.size(0);
  for (std::size_t t = packed.sizes.size(); t-- > 0;) {
    interruption_point();
    const std::int64_t rows = packed.sizes[t], later = first;
    first -= rows;
    // Of the sequences that go on: the longest, which come first. Nothing follows the last row of the others.
    Tensor flow = at::zeros({rows, states.size(1)});
    if (later_rows > 0) {
      Tensor on = flow.narrow(0, 0, later_rows);
      on.copy_(d_before.narrow(0, later, later_rows));
      multiply(on, delta.narrow(0, later, later_rows), weights.state.t(), 1, 1);
    }
    delta.narrow(0, first, rows).mul_(flow);
    later_rows = rows;
  }
  multiply(gradients.input, x.t(), delta, 1, 1);
  multiply(gradients.state, states_before(packed, states).t(), delta, 1, 1);
  column_sums(delta, 1, true, gradients.bias);
}

namespace composed {
Tensor recurrent_states(const Tensor& x, const RecurrentWeights& weights) {
  Tensor state = at::zeros({weights.bias.size(0)}, weights.bias.options());
  std::vector<Tensor> all;
  for (std::int64_t t = 0; t < x.size(0); ++t) {
    const Tensor input = weights.bias + at::mv(weights.input.t(), x[t]) + at::mv(weights.state.t(), state);
    state = weights.f == Activation::tanh ? input.tanh() : input.sigmoid();
    all.push_back(state);
  }
  return at::stack(all);
}
}  // namespace composed

}  // namespace deepgen
