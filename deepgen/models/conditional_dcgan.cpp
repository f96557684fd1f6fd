#include "deepgen/models/conditional_dcgan.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "deepgen/core/error.h"
#include "deepgen/models/adversaries.h"
#include "deepgen/ops/convolution.h"
#include "deepgen/ops/layers.h"
#include "deepgen/ops/unit_layers.h"
#include "deepgen/parts/check_cells.h"
#include "deepgen/parts/nets.h"

namespace deepgen {
namespace {

constexpr std::int64_t kernel = 5, reference_draws = 500;
constexpr double epsilon = 1e-5;            // of batch normalisation
constexpr double initial_deviation = 0.02;  // of the weights
constexpr KernelSteps halve{2, 2, 0}, twice{2, 2, 1};

std::vector<std::int64_t> checked_shape(std::vector<std::int64_t> shape) {
  if (shape.size() == 3 && shape[1] % 4 == 0 && shape[2] % 4 == 0) return shape;
  fail_data("conditional_dcgan",
            fmt::format("expected pictures whose height and width are multiples of 4, got cases of shape {}",
                        fmt::join(shape, " x ")));
}

std::int64_t known_classes(std::int64_t classes) {
  if (classes < 1)
    fail_data(
        "conditional_dcgan",
        "expected data with labels, which are its condition, got none; give train_labels in an .npz, or use "
        "gan");
  return classes;
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

ConditionalDcgan::ConditionalDcgan(ConditionalDcganOptions options, ConditionalDcganLearning learning,
                                   std::vector<std::int64_t> shape, std::int64_t classes, std::string values)
    : options_(std::move(options)),
      learning_(std::move(learning)),
      shape_(checked_shape(std::move(shape))),
      classes_(known_classes(classes)),
      values_(std::move(values)),
      class_shares_(register_buffer("class_shares", at::zeros({classes}, at::kDouble))) {
  if (values_ == "real")
    fail_data("conditional_dcgan", "expected grey or binary pictures with values in [0, 1], got real values");
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

Tensor ConditionalDcgan::add(const std::string& name, at::IntArrayRef sizes, std::vector<Tensor>& owner) {
  owner.push_back(register_parameter(name, at::zeros(sizes)));
  return owner.back();
}

std::vector<Stage> ConditionalDcgan::stages() {
  return adversary_stages(
      discriminator_, generator_,
      {learning_.discriminator_updates, learning_.discriminator_rate, learning_.generator_rate});
}

void ConditionalDcgan::initialise(const Batch& sample, Rng& rng) {
  check_labels(sample.y, sample.x.size(0), classes_, "conditional_dcgan");
  NoGradGuard no_graph;
  for (auto* owner : {&generator_, &discriminator_})
    for (Tensor& each : *owner) {
      const std::int64_t columns = each.size(-1);
      each.copy_(
          normal(each.numel() / columns, columns, rng.next()).mul_(initial_deviation).view(each.sizes()));
    }
  const Tensor counts = at::bincount(sample.y, {}, classes_).to(at::kDouble);
  class_shares_.copy_(counts / counts.sum());
}

void ConditionalDcgan::check_data(const Tensor& x, const std::string& what, std::int64_t first_row) const {
  check_cells(x, shape_[0] * shape_[1] * shape_[2], true, "conditional_dcgan", what, first_row);
}

// ---------------------------------------------------------------- conditionals

Tensor ConditionalDcgan::one_hot(const Tensor& y) const {
  return at::zeros({y.size(0), classes_}).scatter_(1, y.unsqueeze(1), 1.0F);
}

Tensor ConditionalDcgan::planes(const Tensor& y, std::int64_t height, std::int64_t width) const {
  return one_hot(y).view({y.size(0), 1, 1, classes_}).expand({y.size(0), height, width, classes_});
}

Tensor ConditionalDcgan::generator(const Tensor& z, const Tensor& y, Normaliser& normalise) const {
  const std::int64_t height = shape_[1], width = shape_[2];
  const Tensor label = one_hot(y);
  Tensor h = at::relu(normalise(dense(at::cat({z, label}, 1), generator_[0], {})));
  h = at::relu(normalise(dense(at::cat({h, label}, 1), generator_[1], {})));
  h = h.view({y.size(0), height / 4, width / 4, 2 * options_.filters});
  h = at::cat({h, planes(y, height / 4, width / 4)}, 3);
  h = at::relu(normalise(transposed_convolution(h, generator_[2], {}, twice)));
  h = at::cat({h, planes(y, height / 2, width / 2)}, 3);
  return to_rows(activate(transposed_convolution(h, generator_[3], {}, twice), Activation::sigmoid));
}

// The fully connected layer sees the pixels in the order rows, columns, channels.
Tensor ConditionalDcgan::discriminator(const Tensor& x, const Tensor& y, bool frozen) const {
  const std::int64_t height = shape_[1], width = shape_[2];
  const auto weight = [&](std::size_t i) { return frozen ? discriminator_[i].detach() : discriminator_[i]; };
  const Tensor label = one_hot(y);
  Normaliser normalise;
  Tensor h = at::cat({to_pictures(x, shape_), planes(y, height, width)}, 3);
  h = activate(convolution(h, weight(0), {}, halve), Activation::leaky);
  h = at::cat({h, planes(y, height / 2, width / 2)}, 3);
  h = activate(normalise(convolution(h, weight(1), {}, halve)), Activation::leaky);
  h = at::relu(normalise(dense(at::cat({h.flatten(1), label}, 1), weight(2), {})));
  return dense(at::cat({h, label}, 1), weight(3), {});
}

Tensor ConditionalDcgan::generate(const Tensor& z, const Tensor& y) const {
  Normaliser normalise;
  return generator(z, y, normalise);
}

Tensor ConditionalDcgan::logits(const Tensor& x, const Tensor& y) const { return discriminator(x, y, false); }

// ---------------------------------------------------------------- gradients

Metrics ConditionalDcgan::gradients(const Batch& batch, const Turn& turn, Rng& rng) {
  check_labels(batch.y, batch.x.size(0), classes_, "conditional_dcgan");
  const Tensor& y = batch.y;
  if (y.size(0) < 2) {  // a row alone has no moments to be normalised by
    if (turn.step == 0)
      fail_usage("training.batch",
                 "expected batches of 2 rows or more, which batch normalisation needs, got 1");
    const std::vector<Tensor>& own = turn.phase == 0 ? discriminator_ : generator_;
    for (const Tensor& parameter : own)
      if (parameter.grad().defined()) parameter.grad().zero_();
    return {};
  }
  const Tensor z = uniform(y.size(0), options_.noise, rng.next());
  if (turn.phase == 0) {
    Tensor generated;
    {
      NoGradGuard no_graph;
      generated = generate(z, y);
    }
    const Tensor cost = discriminator_cost(discriminator(batch.x, y, false),
                                           discriminator(generated, y, false), learning_.label_smoothing);
    fill_gradients(cost, discriminator_);
    return {{"discriminator_cost", cost.item<double>()}};
  }
  const Tensor cost = generator_cost(discriminator(generate(z, y), y, true), learning_.generator_cost);
  fill_gradients(cost, generator_);
  return {{"generator_cost", cost.item<double>()}};
}

// ---------------------------------------------------------------- sampling

Tensor ConditionalDcgan::sample_given(const Tensor& y, Rng& rng) {
  NoGradGuard no_graph;
  check_labels(y, y.defined() ? y.size(0) : 0, classes_, "conditional_dcgan");
  Normaliser normalise;
  Rng fixed(0);  // the reference draws are a part of the model, not of the sample
  const Tensor u = uniform(reference_draws, 1, fixed.next()).to(at::kDouble);
  const Tensor labels = (class_shares_.cumsum(0) <= u).sum(1).clamp_max(classes_ - 1);
  generator(uniform(reference_draws, options_.noise, fixed.next()), labels, normalise);
  normalise.use_kept();
  const Tensor x = generator(uniform(y.size(0), options_.noise, rng.next()), y, normalise);
  return values_ == "binary" ? (x >= 0.5).to(at::kFloat) : x;
}

// ---------------------------------------------------------------- scores

Metrics ConditionalDcgan::diagnose(const Batch& train, const Batch& valid, Rng& rng) {
  NoGradGuard no_graph;
  const Tensor& y = train.y;
  const Tensor generated = generate(uniform(y.size(0), options_.noise, rng.next()), y);
  Metrics metrics =
      adversary_metrics(logits(train.x, y), logits(generated, y), relative_spread(generated, train.x));
  if (valid.x.defined() && valid.y.defined())
    metrics.emplace_back("valid_called_real",
                         (logits(valid.x, valid.y) > 0).to(at::kDouble).mean().item<double>());
  return metrics;
}

}  // namespace deepgen
