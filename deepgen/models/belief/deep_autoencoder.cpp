#include "deepgen/models/belief/deep_autoencoder.h"

#include <fmt/format.h>

#include <algorithm>

#include "deepgen/core/error.h"
#include "deepgen/model/create.h"

namespace deepgen {
namespace {

constexpr const char* deep_autoencoder_name = "deep_autoencoder";

}  // namespace

DeepAutoencoder::DeepAutoencoder(DeepAutoencoderOptions options, DeepAutoencoderLearning learning,
                                 const DataShape& data)
    : FineTunedDbn(deep_autoencoder_name, options.stack(), learning, data),
      options_(std::move(options)),
      learning_(std::move(learning)) {
  options_.check();
  find_parts();
  for (std::size_t l = 0; l < layers(); ++l) {
    const std::int64_t above = machine(l).hidden(), below = machine(l).visible();
    if (!options_.tied)
      weights_.push_back(
          register_parameter(fmt::format("decoder{}_weight", l + 1), at::zeros({above, below})));
    biases_.push_back(register_parameter(fmt::format("decoder{}_bias", l + 1), at::zeros({below})));
  }
}

void DeepAutoencoder::find_parts() {
  for (const UnitGroup& group : machine(0).visible_layer().groups()) {
    if (group.kind != UnitKind::binary && group.kind != UnitKind::softmax && group.kind != UnitKind::gaussian)
      fail_data(
          deep_autoencoder_name,
          fmt::format("expected bits, grey values, one-hot groups or real values, got {} columns from column "
                      "{} on",
                      unit_kind_names()[static_cast<std::size_t>(group.kind)], group.first));
    auto part =
        std::find_if(parts_.begin(), parts_.end(), [&](const Part& p) { return p.kind == group.kind; });
    if (part == parts_.end()) part = parts_.insert(parts_.end(), Part{group.kind});
    for (std::int64_t j = 0; j < group.size; ++j) part->list.push_back(group.first + j);
    part->ends.push_back(part->ends.back() + group.size);
  }
  for (Part& part : parts_) {
    if (parts_.size() > 1) part.columns = at::tensor(part.list, at::kLong);
    part.offsets = at::tensor(part.ends, at::kLong);
  }
}

// ---------------------------------------------------------------- the way down

Tensor DeepAutoencoder::transposed(std::size_t l) const {
  const Tensor across = machine(l).weights.t().contiguous();
  if (!machine(l).has_moments()) return across;
  const NaturalParameters below = machine(l).visible_natural();
  return across * (below.couple / below.gamma).detach();
}

Tensor DeepAutoencoder::downwards(const Tensor& code) const {
  Tensor h = code;
  for (std::size_t l = layers(); l-- > 0;)
    h = dense(h, options_.tied ? transposed(l) : weights_[l], biases_[l],
              l > 0 ? activation(l - 1) : Activation::identity);
  return h;
}

Tensor DeepAutoencoder::decode(const Rows& codes) const {
  NoGradGuard no_graph;
  if (!fine_tune_has_begun()) return stack().decode(codes);
  return machine(0).visible_layer().mean(downwards(codes.x), {});
}

// ---------------------------------------------------------------- training

std::vector<Stage> DeepAutoencoder::stages() {
  std::vector<Stage> all = FineTunedDbn::stages();
  if (!learning_.pretrain) return all;
  for (std::size_t l = 0; l < layers(); ++l)
    if (!machine(l).hidden_layer().all(UnitKind::binary))
      all[l].training["rate"] = fmt::format("{}", learning_.code_rate);
  return all;
}

std::vector<Tensor> DeepAutoencoder::own_parameters() const {
  std::vector<Tensor> all = weights_;
  all.insert(all.end(), biases_.begin(), biases_.end());
  return all;
}

void DeepAutoencoder::initialise(const Rows& sample, Rng& rng) {
  FineTunedDbn::initialise(sample, rng);
  NoGradGuard no_graph;
  for (Tensor each : own_parameters()) each.zero_();
}

void DeepAutoencoder::begin_fine_tune(const Rows&) {
  for (std::size_t l = 0; l < layers(); ++l) {
    if (!options_.tied) weights_[l].copy_(transposed(l));
    biases_[l].copy_(machine(l).visible_bias);
  }
}

Tensor DeepAutoencoder::loss_of(const Tensor& x) const {
  const Tensor a = downwards(upwards(x));
  Tensor loss = at::zeros({}, at::kDouble);
  for (const Part& part : parts_) {
    const bool all = !part.columns.defined();
    const Tensor ours = all ? a : a.index_select(1, part.columns),
                 cells = all ? x : x.index_select(1, part.columns);
    if (part.kind == UnitKind::gaussian)
      loss = loss + ordered_mean((cells - ours).square()) * (0.5 * static_cast<double>(cells.size(1)));
    else if (part.kind == UnitKind::binary)
      loss = loss - ordered_mean(bernoulli_log_prob(ours, cells));
    else
      loss = loss - ordered_mean(categorical_log_prob(ours, cells, part.offsets));
  }
  return loss;
}

Tensor DeepAutoencoder::fine_loss(const Rows& batch, Rng&, Metrics& metrics) const {
  const Tensor loss = loss_of(batch.x);
  metrics.emplace_back("reconstruction_loss", loss.item<double>());
  return loss;
}

Metrics DeepAutoencoder::diagnose_fine(const Rows& train, const Rows& valid) const {
  Metrics metrics = {{"train_reconstruction_loss", loss_of(train.x).item<double>()}};
  if (valid.size() > 0) metrics.emplace_back("valid_reconstruction_loss", loss_of(valid.x).item<double>());
  return metrics;
}

template std::shared_ptr<Model> create<DeepAutoencoderCard>(const Options&, const Options&, const DataShape&);

}  // namespace deepgen
