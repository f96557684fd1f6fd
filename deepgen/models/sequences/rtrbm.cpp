#include "deepgen/models/sequences/rtrbm.h"

#include "deepgen/model/create.h"

namespace deepgen {

Rtrbm::Rtrbm(RtrbmOptions options, RecurrentRbmLearning learning, const DataShape& data)
    : RecurrentRbm("rtrbm", data, options.hidden),
      options_(std::move(options)),
      learning_(std::move(learning)) {
  register_biases(options_.hidden, options_.hidden);
}

void Rtrbm::initialise(const Rows& sample, Rng& rng) { initialise_machine(sample, rng); }

template std::shared_ptr<Model> create<RtrbmCard>(const Options&, const Options&, const DataShape&);

}  // namespace deepgen
