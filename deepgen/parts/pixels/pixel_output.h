// What a network says of a pixel: distributions of one pixel's value, given the network's outputs for it.
#pragma once

#include <memory>
#include <string>

#include "deepgen/core/torch.h"
#include "deepgen/data/files/data_shape.h"

namespace deepgen {

class PixelOutput {
 public:
  virtual ~PixelOutput() = default;
  virtual std::int64_t outputs() const = 0;  // numbers that say the distribution
  // The number that stands for this value where it is input to the network; zero is what lies outside the
  // picture.
  virtual float input(float value) const = 0;
  // log p(value), nats.
  virtual double log_prob(const float* outputs, float value) const = 0;
  // gradient = that of -log p(value) by the outputs.
  virtual void gradient(const float* outputs, float value, float* gradient) const = 0;
  // The value at this quantile u in [0, 1) of the distribution, so: a draw for uniform u.
  virtual float quantile(const float* outputs, float u) const = 0;
  virtual float mean(const float* outputs) const = 0;
  // Outputs that say the distribution of these values, told apart by nothing; values [N] without gaps.
  virtual Tensor base_outputs(const Tensor& values) const = 0;
  // Throws a data error at the first value that has no probability; missing ones (NaN) pass.
  virtual void check(const Tensor& x, const std::string& who, const std::string& what,
                     std::int64_t first_row) const = 0;
};

// Bits: one logit.
class BernoulliPixels : public PixelOutput {
 public:
  std::int64_t outputs() const override { return 1; }
  float input(float value) const override { return 2 * value - 1; }
  double log_prob(const float* outputs, float value) const override;
  void gradient(const float* outputs, float value, float* gradient) const override;
  float quantile(const float* outputs, float u) const override { return u < mean(outputs) ? 1.0F : 0.0F; }
  float mean(const float* outputs) const override;
  Tensor base_outputs(const Tensor& values) const override;
  void check(const Tensor& x, const std::string& who, const std::string& what,
             std::int64_t first_row) const override;
};

// Levels k / (levels - 1), k = 0 .. levels - 1, of which each has a probability of its own.
class LevelPixels : public PixelOutput {
 public:
  explicit LevelPixels(std::int64_t levels) : levels_(levels) {}
  float input(float value) const override { return 2 * value - 1; }
  void check(const Tensor& x, const std::string& who, const std::string& what,
             std::int64_t first_row) const override;

 protected:
  std::int64_t level(float value) const;
  float value(std::int64_t level) const {
    return static_cast<float>(level) / static_cast<float>(levels_ - 1);
  }
  std::int64_t levels_;
};

// A logit for each level.
class CategoricalPixels : public LevelPixels {
 public:
  using LevelPixels::LevelPixels;
  std::int64_t outputs() const override { return levels_; }
  double log_prob(const float* outputs, float value) const override;
  void gradient(const float* outputs, float value, float* gradient) const override;
  float quantile(const float* outputs, float u) const override;
  float mean(const float* outputs) const override;
  Tensor base_outputs(const Tensor& values) const override;
};

// A mixture of logistic densities, each integrated over the bin of a level; the first and last bins reach to
// infinity:
//
//   P(level k) = sum_j pi_j (sigmoid((c_k + h - m_j) / s_j) - sigmoid((c_k - h - m_j) / s_j))
//   c_k = 2 h k - 1,   h = 1 / (L - 1),   k = 0 .. L - 1
//
// Outputs: logits of pi, then m, then log s, which is taken as no less than -7 (of more than 256 levels, as
// much less). (Salimans, Karpathy, Chen, Kingma 2017, "PixelCNN++", section 2.1.)
class LogisticPixels : public LevelPixels {
 public:
  LogisticPixels(std::int64_t levels, std::int64_t components)
      : LevelPixels(levels), components_(components) {}
  std::int64_t outputs() const override { return 3 * components_; }
  double log_prob(const float* outputs, float value) const override;
  void gradient(const float* outputs, float value, float* gradient) const override;
  float quantile(const float* outputs, float u) const override;
  float mean(const float* outputs) const override;
  Tensor base_outputs(const Tensor& values) const override;

 private:
  struct Bin;
  Bin bin(const float* outputs, std::int64_t component, std::int64_t level) const;
  double at_most(const float* outputs, std::int64_t level) const;  // P(level or less)
  std::int64_t components_;
};

// "binary", "categorical" or "logistic"; "auto": by the data's values, binary or grey (logistic).
std::unique_ptr<PixelOutput> pixel_output(const std::string& kind, ValueKind values, std::int64_t levels,
                                          std::int64_t components);

}  // namespace deepgen
