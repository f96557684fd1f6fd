#include "deepgen/models/sequences/rnn_rbm.h"

#include <cmath>

#include "deepgen/model/create.h"
#include "deepgen/parts/nets/nets.h"

namespace deepgen {

RnnRbm::RnnRbm(RnnRbmOptions options, RecurrentRbmLearning learning, const DataShape& data)
    : RecurrentRbm("rnn_rbm", data, options.hidden),
      options_(std::move(options)),
      learning_(std::move(learning)) {
  const std::int64_t state = options_.recurrent;
  register_biases(options_.hidden, state);
  recurrent_.input = register_parameter("input", at::zeros({data.columns, state}));
  recurrent_.state = register_parameter("state", at::zeros({state, state}));
  recurrent_.bias = register_parameter("state_bias", at::zeros({state}));
}

void RnnRbm::initialise(const Rows& sample, Rng& rng) {
  initialise_machine(sample, rng);
  for (Tensor* each : {&recurrent_.input, &recurrent_.state})
    fill_uniform(*each, std::sqrt(6.0 / static_cast<double>(each->size(0) + each->size(1))), rng);
  NoGradGuard no_graph;
  recurrent_.bias.zero_();
}

template std::shared_ptr<Model> create<RnnRbmCard>(const Options&, const Options&, const DataShape&);

}  // namespace deepgen
