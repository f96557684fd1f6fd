// Two dense networks against each other: what gan and conditional_gan share. gan.h has the equations.
#pragma once

#include <memory>
#include <string>

#include "deepgen/model/capabilities.h"
#include "deepgen/models/adversarial/adversaries.h"
#include "deepgen/models/adversarial/gan_options.h"
#include "deepgen/models/adversarial/generated_cases.h"
#include "deepgen/parts/nets/discriminator.h"

namespace deepgen {

class DenseAdversaries : public Model, public HasGradients {
 public:
  std::vector<Stage> stages() override;
  void initialise(const Rows& sample, Rng& rng) override;
  Metrics gradients(const Rows& batch, const Turn& turn, Rng& rng) override;
  Metrics diagnose(const Rows& train, const Rows& valid, Rng& rng) override;
  void check_data(const Tensor& x, const std::string& what, std::int64_t first_row = 0) const override;
  Options& options() override { return options_; }
  Options& learning() override { return learning_; }

  // label [B, classes] is one-hot; undefined where the networks see none.
  Tensor noise(std::int64_t rows, Rng& rng) const;                       // [rows, noise]
  Tensor generate(const Tensor& z, const Tensor& label = {}) const;      // [B, noise] -> [B, D]: means
  Tensor relaxed(const Tensor& z, const Tensor& label, Rng& rng) const;  // what D sees in training
  Tensor logits(const Tensor& x, const Tensor& label = {}) const;        // a(x), [B, D] -> [B, 1]: no dropout

 protected:
  // `classes`: of the label that both networks see beside what they are given; 0: none.
  DenseAdversaries(const std::string& model, const GanOptions& options, const GanLearning& learning,
                   const DataShape& data, std::int64_t classes);
  std::int64_t columns() const { return columns_; }
  std::int64_t classes() const { return classes_; }
  Tensor one_hot(const Tensor& y, std::int64_t rows) const;  // checks the labels; undefined without classes
  Tensor draw(std::int64_t rows, const Tensor& label, Rng& rng) const;  // samples [rows, D]

 private:
  Tensor numbers(const Tensor& z, const Tensor& label) const;  // what GeneratedCases takes
  Game players() const;

  std::string model_name_;
  GanOptions options_;
  GanLearning learning_;
  std::int64_t columns_, classes_;
  GeneratedCases cases_;
  std::shared_ptr<Mlp> hidden_;
  std::shared_ptr<DenseLayer> output_;
  std::shared_ptr<Discriminator> discriminator_;
};

}  // namespace deepgen
