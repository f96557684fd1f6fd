// The classification restricted Boltzmann machine: a machine of cases and their labels, learnt for telling them
// apart.
//
// The label y is one more group of visible units, e_y its one-hot row:
//
//   E(x, y, h) = -h W x - b.x - c.h - d.e_y - h U e_y        (- log base(x) of units with one)
//   p(x, y, h) = exp(-E(x, y, h)) / Z
//
// So it is a machine of rbm.h over (x, e_y), and everything that samples and scores pairs is that machine's.
// The hidden units summed out,
//
//   F(x, y) = -b.x - log base(x) - d_y - sum_j softplus(c_j + W_j x + U_jy)
//   F(x) = -log sum_y exp(-F(x, y))
//
// and the class of a case has an exact distribution in which Z is not needed:
//
//   p(y | x) = exp(-F(x, y)) / sum_k exp(-F(x, k)).
//
// Objective, the mean over the rows of a batch of
//
//   discriminative   log p(y | x)
//   hybrid           log p(y | x) + alpha log p(x, y)        alpha = training.generative_weight
//   generative       log p(x, y)
//   unknown label    beta log p(x)                           beta = training.unlabelled_weight
//
// The gradient of log p(t | x) is exact: with the hidden means and residuals of each class y
//
//   s_yj = sigmoid(c_j + W_j x + U_jy)
//   r_y = p(y | x) - [y = t]
//
// it is
//
//   d/d d_y   = -r_y
//   d/d U_jy  = -r_y s_yj
//   d/d c_j   = -sum_y r_y s_yj
//   d/d W_ji  = -sum_y r_y s_yj x_i
//   d/d b_i   = 0;
//
// the product W x is shared by all classes, and so is the one that makes the gradient of W. That of log p(x, y) is
// the machine's own, whose means under the model come from k steps of Gibbs sampling of (x, y) (cd, pcd) or from
// enumeration (exact). A row whose label is unknown is given one, drawn from p(y | x), and learnt from in the same
// way: on average over the draws that is the gradient of log p(x).
//
// Training is judged by log p(y | x) of the validation rows. The code of a case is the mean of h given x, the label
// summed out. Samples of x come from a chain that draws (y, then h, then x).
//
// Grey values are those of units on [0, 1] (mean_field). With visible_units=expected_bits they are, as in the first
// source, the means of bits: then p(y | x) is that of the means, chains are bits, and -F(x) of the means is at most
// the mean of -F over the bits (softplus is convex), so scores of grey rows are too low on average.
//
// Known to fail: the discriminative machine learns nothing of p(x): its samples and its log p(x) mean nothing. With
// alpha or beta near 1 and above the generative part decides, as there are many more columns than labels. cd-1 has
// the faults that rbm.h says. Rows with missing cells are refused.
//
// Sources: Larochelle and Bengio 2008, "Classification using discriminative restricted Boltzmann machines", eq. 1-3
// and 5-9, section 6 (semi-supervised; labels drawn from p(y | x)); Larochelle, Mandel, Pascanu, Bengio 2012,
// "Learning algorithms for the classification restricted Boltzmann machine".
#pragma once

#include <memory>
#include <string>

#include "deepgen/model/capabilities.h"
#include "deepgen/models/boltzmann/discriminative_rbm_options.h"
#include "deepgen/models/boltzmann/rbm.h"

namespace deepgen {

// The units of cells that are bits, categories or grey values in [0, 1], as model.visible_units says (auto or
// expected_bits); other cells are a data error of `who`.
UnitLayer choice_layer_of(const std::string& who, const std::string& visible_units, const DataShape& data);

class DiscriminativeRbm : public Model,
                          public HasGradients,
                          public HasFreeEnergy,
                          public HasLogPartition,
                          public CanClassify,
                          public HasChain,
                          public CanClamp,
                          public CanAnneal,
                          public CanEncode {
 public:
  DiscriminativeRbm(DiscriminativeRbmOptions options, DiscriminativeRbmLearning learning,
                    const DataShape& data);

  // Training. Labels must be known of some rows of the sample.
  Metrics gradients(const Rows& batch, const Turn& turn, Rng& rng) override;
  void initialise(const Rows& sample, Rng& rng) override;
  void project(const Turn& turn) override { joint_->project(turn); }
  Metrics diagnose(const Rows& train, const Rows& valid, Rng& rng) override;
  Tensor filters() const override;  // [H, D]
  void check_data(const Tensor& x, const std::string& what, std::int64_t first_row = 0) const override;
  Options& options() override { return options_; }
  Options& learning() override { return learning_; }

  // Classes. The labels of the rows play no part.
  std::int64_t classes() const override { return classes_; }
  Tensor log_class_probs(const Rows& rows) const override;
  bool judged_by_classes() const override { return true; }

  // Scores of x, the label summed out.
  Tensor free_energy(const Rows& rows) const override;
  std::optional<Tensor> marginal_free_energy(const Rows& rows) const override;
  std::int64_t enumeration_units() const override { return joint_->enumeration_units(); }
  std::optional<double> exact_log_partition() const override { return joint_->exact_log_partition(); }

  // Chains of x (discriminative_rbm_chains.cpp).
  Tensor chain_start(std::int64_t count, Rng& rng) const override;
  Tensor chain_steps(const Tensor& x, std::int64_t steps, Rng& rng) const override;
  Tensor clamped_steps(const Tensor& x, std::int64_t steps, const Tensor& known, Rng& rng) const override;
  Tensor chain_mean(const Tensor& x, Rng& rng) const override;
  double log_base_partition() const override { return joint_->log_base_partition(); }
  Tensor log_base_partition_given(const Tensor& x) const override;
  std::unique_ptr<AnnealedChains> anneal_from_base(std::int64_t count, Rng& rng) const override;
  std::unique_ptr<AnnealedChains> anneal_from(const Tensor& x) const override;
  std::unique_ptr<AnnealedChains> anneal_given(const Tensor& x, Rng& rng) const override;

  // Features.
  Tensor encode(const Rows& rows) const override;  // mean of h given x, [B, H]

  std::int64_t columns() const { return cells_.size(); }
  const UnitLayer& cells() const { return cells_; }  // the units of x
  const Rbm& joint() const { return *joint_; }       // the machine of (x, e_y)
  Rbm& joint() { return *joint_; }
  // Parts of the joint machine's parameters, views.
  DenseCoupling cell_coupling() const { return DenseCoupling(joint_->weights.narrow(0, 0, columns())); }
  Tensor class_weights() const { return joint_->weights.narrow(0, columns(), classes_); }    // U [C, H]
  Tensor class_bias() const { return joint_->visible_bias.narrow(0, columns(), classes_); }  // d [C]
  Tensor class_hidden_bias() const { return class_weights() + joint_->hidden_bias; }         // c + U, [C, H]
  // [x, e_y]: a row whose label y [B] is unknown (-1), all of them where y is undefined, has NaN in its place.
  Tensor joint_rows(const Tensor& x, const Tensor& y) const;
  // The same with a label drawn from p(y | x).
  Tensor drawn_joint_rows(const Tensor& x, Rng& rng) const;

 private:
  Tensor input_of(const Tensor& x) const;               // x W, [B, H]
  Tensor log_class_weights(const Tensor& input) const;  // -F(x, y) but for x's own, [B, C] float64
  void add_discriminative(const Tensor& x, const Tensor& y, double share);

  DiscriminativeRbmOptions options_;
  DiscriminativeRbmLearning learning_;
  std::int64_t classes_;
  UnitLayer cells_;
  std::shared_ptr<Rbm> joint_;
};

}  // namespace deepgen
