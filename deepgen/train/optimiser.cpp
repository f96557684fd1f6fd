#include "deepgen/train/optimiser.h"

#include <cmath>
#include <numbers>

#include "deepgen/kernels/kernels.h"
#include "deepgen/train/norm.h"

namespace deepgen {

double scheduled_rate(const TrainingOptions& options, std::int64_t done, std::int64_t total) {
  const double progress = total > 1 ? static_cast<double>(done) / static_cast<double>(total - 1) : 0;
  const double first = options.rate, last = options.rate_final;
  if (options.schedule == "linear") return first + (last - first) * progress;
  if (options.schedule == "cosine")
    return last + (first - last) * 0.5 * (1 + std::cos(std::numbers::pi * progress));
  if (options.schedule == "exponential" && first > 0) {
    const double end =
        last > 0 ? last : first * 1e-3;  // a rate of zero is never reached: a thousandth stands for it
    return first * std::pow(end / first, progress);
  }
  return first;
}

Optimiser::Optimiser(const TrainingOptions& options, FlatParameters& flat) : options_(options), flat_(flat) {
  if (options.optimiser == "adam") {
    slots_["first"] = at::zeros_like(flat.values);
    slots_["second"] = at::zeros_like(flat.values);
  } else if (options.momentum > 0) {
    slots_["momentum"] = at::zeros_like(flat.values);
  }
  if (options.average > 0) average_ = flat.values.clone();
}

double Optimiser::gradient_norm(const std::vector<Slice>& slices) const {
  const float* gradients = flat_.gradients.data_ptr<float>();
  double sum = 0;
  for (const Slice& slice : slices) sum += sum_of_squares(gradients + slice.offset, slice.size);
  return std::sqrt(sum);
}

void Optimiser::update(const std::vector<Slice>& slices, double rate, double scale) {
  // Neighbours that are treated alike are one pass; the padding between them is zero and stays zero.
  for (std::size_t i = 0; i < slices.size();) {
    std::size_t last = i;
    auto padded_end = [&](std::size_t k) { return slices[k].offset + (slices[k].size + 15) / 16 * 16; };
    while (last + 1 < slices.size() && slices[last + 1].offset == padded_end(last) &&
           slices[last + 1].decays == slices[i].decays &&
           counts_[slices[last + 1].name] == counts_[slices[i].name])
      ++last;
    update_range(slices[i].offset, padded_end(last), slices[i].decays, rate, scale, counts_[slices[i].name]);
    for (std::size_t k = i; k <= last; ++k) ++counts_[slices[k].name];
    i = last + 1;
  }
}

void Optimiser::update_range(std::int64_t begin, std::int64_t end, bool decays, double rate, double scale,
                             std::int64_t count) {
  const double t = static_cast<double>(count);
  const float keep = static_cast<float>(std::min(options_.average, (1 + t) / (10 + t)));
  const float decay = decays ? static_cast<float>(options_.decay) : 0.0F;
  float* average = average_.defined() ? average_.data_ptr<float>() : nullptr;
  constexpr std::int64_t grain = 1024;
  if (options_.optimiser == "adam") {
    const double beta1 = options_.momentum > 0 ? options_.momentum : 0.9, beta2 = options_.beta2;
    const double correction2 = std::sqrt(1 - std::pow(beta2, t + 1));
    const AdamPass pass{.parameter = flat_.values.data_ptr<float>(),
                        .gradient = flat_.gradients.data_ptr<float>(),
                        .first = slots_["first"].data_ptr<float>(),
                        .second = slots_["second"].data_ptr<float>(),
                        .average = average,
                        .rate = static_cast<float>(rate * correction2 / (1 - std::pow(beta1, t + 1))),
                        .beta1 = static_cast<float>(beta1),
                        .beta2 = static_cast<float>(beta2),
                        .epsilon = static_cast<float>(1e-8 * correction2),
                        .decay = decay,
                        .keep = keep,
                        .gradient_scale = static_cast<float>(scale)};
    parallel_ranges(end - begin, 0.6, grain, [&](std::int64_t from, std::int64_t to) {
      kernels().adam_pass(pass, begin + from, begin + to);
    });
    return;
  }
  const SgdPass pass{
      .parameter = flat_.values.data_ptr<float>(),
      .gradient = flat_.gradients.data_ptr<float>(),
      .momentum_buffer = slots_.contains("momentum") ? slots_["momentum"].data_ptr<float>() : nullptr,
      .average = average,
      .rate = static_cast<float>(rate),
      .momentum = static_cast<float>(options_.momentum),
      .decay = decay,
      .keep = keep,
      .gradient_scale = static_cast<float>(scale)};
  parallel_ranges(end - begin, 0.3, grain, [&](std::int64_t from, std::int64_t to) {
    kernels().sgd_pass(pass, begin + from, begin + to);
  });
}

}  // namespace deepgen
