// Adversarial network of dense layers conditional on the label of a case.
//
//   x = G(z, y),   z of independent numbers with mean 0 and variance 1
//   D(x, y) = sigmoid(a(x, y))
//
//   min over G, max over D of   E_data [log D(x, y)] + E_(z, y) [log(1 - D(G(z, y), y))]
//
// The first layer of each network sees the label beside what it is given, as one unit a class; generated rows
// have the labels of the real rows beside them. Dropout leaves the label alone. The weights of G's label
// begin at zero, so every class begins with the means of all rows. All else is that of gan.h: kinds of columns,
// draws of categories, costs, the learning curve and what is known to fail.
//
// Differs from the source: label and case (or noise) meet in the first layer and not in the second, after a
// layer of their own each; the settings of gan.h in place of its momentum and decay.
//
// Known to fail: besides, a class with few rows may be left to the others: D sees it too seldom.
//
// Source: Mirza and Osindero 2014, "Conditional generative adversarial nets".
#pragma once

#include "deepgen/models/adversarial/conditional_gan_options.h"
#include "deepgen/models/adversarial/dense_adversaries.h"

namespace deepgen {

class ConditionalGan : public DenseAdversaries, public IsConditional, public CanSampleGiven {
 public:
  ConditionalGan(const GanOptions& options, const GanLearning& learning, const DataShape& data);

  std::int64_t condition_classes() const override { return classes(); }
  std::string condition() const override { return "the label"; }
  Tensor condition_mask() const override { return {}; }
  bool has_label_distribution() const override { return false; }
  Tensor sample_given(const Tensor& y, Rng& rng) const override;
};

}  // namespace deepgen
