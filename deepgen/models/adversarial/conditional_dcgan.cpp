#include "deepgen/models/adversarial/conditional_dcgan.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "deepgen/core/error.h"
#include "deepgen/model/create.h"
#include "deepgen/ops/convolution.h"
#include "deepgen/ops/layers.h"
#include "deepgen/ops/unit_layers.h"
#include "deepgen/parts/checks/categories.h"
#include "deepgen/parts/checks/check_cells.h"

namespace deepgen {
namespace {

constexpr std::int64_t kernel = 5, reference_draws = 500;
constexpr double epsilon = 1e-5;            // of batch normalisation
constexpr double initial_deviation = 0.02;  // of the weights
constexpr KernelSteps halve{2, 2, 0}, twice{2, 2, 1};

const std::string who = "conditional_dcgan";

std::vector<std::int64_t> checked_shape(const std::vector<std::int64_t>& shape) {
  if (shape.size() == 3 && shape[1] % 4 == 0 && shape[2] % 4 == 0) return shape;
  fail_data(who,
            fmt::format("expected pictures whose height and width are multiples of 4, got cases of shape {}",
                        fmt::join(shape, " x ")));
}

ValueKind checked_values(ValueKind values) {
  if (values == ValueKind::binary || values == ValueKind::grey) return values;
  fail_data(who, fmt::format("expected grey or binary pictures with values in [0, 1], got {} values",
                             name_of(values)));
}

// The label beside the pixels h [B, height, width, C], as planes that are 1 or 0 throughout.
Tensor with_planes(const Tensor& h, const Tensor& label) {
  const std::int64_t rows = h.size(0), classes = label.size(1);
  return at::cat({h, label.view({rows, 1, 1, classes}).expand({rows, h.size(1), h.size(2), classes})}, 3);
}

}  // namespace

// Normalises layer after layer: by the moments of each batch, which it keeps, or by those kept before.
class ConditionalDcgan::Normaliser {
 public:
  Tensor operator()(const Tensor& x) {
    const Tensor gain = at::ones({x.size(-1)}), shift = at::zeros({x.size(-1)});
    if (kept_) return normalise_with(x, moments_[next_++], gain, shift, epsilon);
    moments_.push_back(channel_moments(x.detach()));
    return normalise_batch(x, moments_.back(), gain, shift, epsilon);
  }
  void use_kept() { kept_ = true, next_ = 0; }

 private:
  std::vector<ChannelMoments> moments_;
  bool kept_ = false;
  std::size_t next_ = 0;
};

// ---------------------------------------------------------------- construction

ConditionalDcgan::ConditionalDcgan(const ConditionalDcganOptions& options,
                                   const ConditionalDcganLearning& learning, const DataShape& data)
    : options_(options),
      learning_(learning),
      shape_(checked_shape(data.shape)),
      classes_(required_classes(who, data.classes, "gan")),
      values_(checked_values(data.values)),
      class_shares_(register_buffer("class_shares", at::zeros({classes_}, at::kDouble))) {
  const std::int64_t K = classes_, F = options_.filters, U = options_.units, C = shape_[0];
  const std::int64_t inner = shape_[1] / 4 * (shape_[2] / 4) * 2 * F;
  add("generator_dense1", {options_.noise + K, U}, generator_);
  add("generator_dense2", {U + K, inner}, generator_);
  add("generator_deconvolution1", {kernel, kernel, F, 2 * F + K}, generator_);
  add("generator_deconvolution2", {kernel, kernel, C, F + K}, generator_);
  add("discriminator_convolution1", {kernel, kernel, C + K, F}, discriminator_);
  add("discriminator_convolution2", {kernel, kernel, F + K, 2 * F}, discriminator_);
  add("discriminator_dense1", {inner + K, U}, discriminator_);
  add("discriminator_dense2", {U + K, 1}, discriminator_);
}

void ConditionalDcgan::add(const std::string& weights, at::IntArrayRef sizes, std::vector<Tensor>& owner) {
  owner.push_back(register_parameter(weights, at::zeros(sizes)));
}

std::vector<Stage> ConditionalDcgan::stages() { return adversary_stages(players(), learning_); }

Game ConditionalDcgan::players() const {
  Game game;
  game.discriminator = discriminator_, game.generator = generator_;
  return game;
}

void ConditionalDcgan::initialise(const Rows& sample, Rng& rng) {
  check_labels(sample.y, sample.size(), classes_, who);
  NoGradGuard no_graph;
  for (auto* owner : {&generator_, &discriminator_})
    for (Tensor& each : *owner) {
      const std::int64_t columns = each.size(-1);
      each.copy_(
          normal(each.numel() / columns, columns, rng.next()).mul_(initial_deviation).view(each.sizes()));
    }
  const Tensor counts = label_counts(sample.y, classes_, who);
  class_shares_.copy_(counts / counts.sum());
}

void ConditionalDcgan::check_data(const Tensor& x, const std::string& what, std::int64_t first_row) const {
  check_cells(x, shape_[0] * shape_[1] * shape_[2], true, who, what, first_row);
}

// ---------------------------------------------------------------- conditionals

Tensor ConditionalDcgan::one_hot(const Tensor& y) const {
  return one_hot_labels(y, y.defined() ? y.size(0) : 0, classes_, who);
}

Tensor ConditionalDcgan::generator(const Tensor& z, const Tensor& label, Normaliser& normalise) const {
  Tensor h = at::relu(normalise(dense(at::cat({z, label}, 1), generator_[0], {})));
  h = at::relu(normalise(dense(at::cat({h, label}, 1), generator_[1], {})));
  h = h.view({z.size(0), shape_[1] / 4, shape_[2] / 4, 2 * options_.filters});
  h = at::relu(normalise(transposed_convolution(with_planes(h, label), generator_[2], {}, twice)));
  const Tensor x = transposed_convolution(with_planes(h, label), generator_[3], {}, twice);
  return to_rows(activate(x, Activation::sigmoid));
}

// The fully connected layer sees the pixels in the order rows, columns, channels.
Tensor ConditionalDcgan::discriminator(const Tensor& x, const Tensor& label, bool frozen) const {
  const auto weight = [&](std::size_t i) { return frozen ? discriminator_[i].detach() : discriminator_[i]; };
  Normaliser normalise;
  Tensor h = convolution(with_planes(to_pictures(x, shape_), label), weight(0), {}, halve);
  h = activate(h, Activation::leaky);
  h = activate(normalise(convolution(with_planes(h, label), weight(1), {}, halve)), Activation::leaky);
  h = at::relu(normalise(dense(at::cat({h.flatten(1), label}, 1), weight(2), {})));
  return dense(at::cat({h, label}, 1), weight(3), {});
}

Tensor ConditionalDcgan::noise(std::int64_t rows, Rng& rng) const {
  return uniform(rows, options_.noise, rng.next());
}

Tensor ConditionalDcgan::generate(const Tensor& z, const Tensor& y) const {
  Normaliser normalise;
  return generator(z, one_hot(y), normalise);
}

Tensor ConditionalDcgan::logits(const Tensor& x, const Tensor& y) const {
  return discriminator(x, one_hot(y), false);
}

// ---------------------------------------------------------------- gradients

// A row alone has no moments to be normalised by: its units would all be zero, and what moved the weights
// would be momentum alone.
Metrics ConditionalDcgan::gradients(const Rows& batch, const Turn& turn, Rng& rng) {
  if (batch.size() < fewest_rows())
    fail_usage("training.batch",
               fmt::format("expected batches of {} rows or more, which batch normalisation needs, got {}",
                           fewest_rows(), batch.size()));
  const Tensor label = one_hot_labels(batch.y, batch.size(), classes_, who);
  Game game = players();
  game.generate = [&] {
    Normaliser normalise;
    return generator(noise(batch.size(), rng), label, normalise);
  };
  game.logits = [&](const Tensor& x, bool frozen) { return discriminator(x, label, frozen); };
  return adversary_gradients(game, batch.x, turn, learning_);
}

// ---------------------------------------------------------------- sampling

Tensor ConditionalDcgan::sample_given(const Tensor& y, Rng& rng) const {
  NoGradGuard no_graph;
  const Tensor label = one_hot(y);
  if (label.size(0) == 0) return at::empty({0, shape_[0] * shape_[1] * shape_[2]});
  Normaliser normalise;
  Rng fixed(0);  // the reference draws are a part of the model, not of the sample
  const Tensor u = uniform(reference_draws, 1, fixed.next()).to(at::kDouble).squeeze(1);
  const Tensor reference = one_hot(pick_categories(class_shares_, u));
  generator(noise(reference_draws, fixed), reference, normalise);
  normalise.use_kept();
  const Tensor x = generator(noise(label.size(0), rng), label, normalise);
  return values_ == ValueKind::binary ? (x >= 0.5).to(at::kFloat) : x;
}

// ---------------------------------------------------------------- scores

Metrics ConditionalDcgan::diagnose(const Rows& train, const Rows& valid, Rng& rng) {
  NoGradGuard no_graph;
  const Tensor generated = generate(noise(train.size(), rng), train.y);
  Metrics metrics = adversary_metrics(logits(train.x, train.y), logits(generated, train.y),
                                      relative_spread(generated, train.x));
  if (valid.size() > 0 && all_labelled(valid))
    metrics.emplace_back("valid_called_real", called_real(logits(valid.x, valid.y)));
  return metrics;
}

template std::shared_ptr<Model> create<ConditionalDcganCard>(const Options&, const Options&,
                                                             const DataShape&);

}  // namespace deepgen
