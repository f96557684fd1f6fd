// How the numbers a that a generator ends in become a case, by the kinds of columns that data have.
//
// Columns that are all binary, all grey or all real (`plain`): the generator's last layer has the function.
//
//   binary, grey   x = sigmoid(a); a sample of binary data is x cut at one half
//   real           x = a
//
// Columns of several kinds, or categories (a number in bins is one): a is the last layer itself.
//
//   softmax        p(x_j = 1) = exp(a_j) / sum_k exp(a_k) over the columns k of the group, one of which is on
//   binary         p(x = 1) = sigmoid(a)
//   mean_field     x = sigmoid(a)
//   gaussian       x = a
//
// A draw from p has no gradient. While training the discriminator sees draws that are nearly discrete, and
// gradients flow through them, the noise held fixed (the concrete distribution; temperature t, independent
// uniform numbers u):
//
//   softmax        x_j = exp((a_j + g_j) / t) / sum_k exp((a_k + g_k) / t),   g_j = -log(-log u_j)
//   binary         x = sigmoid((a + l) / t),                                  l = log u - log(1 - u)
//
// Whatever t, the largest x_j of a group (x > 1/2 of a bit) is an exact draw from p; as t falls to 0 it rises
// to 1. Samples are one-hot rows and bits drawn from p, one draw a row and group.
//
// Sources: Jang, Gu, Poole 2017, "Categorical reparameterization with Gumbel-softmax"; Maddison, Mnih, Teh
// 2017, "The concrete distribution"; Xu, Skoularidou, Cuesta-Infante, Veeramachaneni 2019, "Modeling tabular
// data using conditional GAN" (t = 0.2).
#pragma once

#include <string>
#include <vector>

#include "deepgen/core/rng.h"
#include "deepgen/data/files/data_shape.h"
#include "deepgen/ops/layers.h"
#include "deepgen/parts/units/unit_layer.h"

namespace deepgen {

class GeneratedCases {
 public:
  // Columns that are neither binary, softmax, mean-field nor gaussian are a data error that names `model`.
  GeneratedCases(const std::string& model, const DataShape& data);

  bool plain() const { return values_ != ValueKind::mixed; }
  Activation last_activation() const;  // of the generator's last layer, from which all below are told
  // The bias of the last layer at which the mean of a case is that of the rows x, [D] float64. Frequencies
  // are raised to a hundredth (of a category: a thousandth), so that what is hardly ever on begins within
  // reach of a gradient; bits are kept as far below 1.
  Tensor bias_at(const Tensor& x) const;

  Tensor mean(const Tensor& a) const;  // [B, D] -> [B, D]
  // What the discriminator sees; the mean of plain columns, which draw no numbers.
  Tensor relaxed(const Tensor& a, double temperature, Rng& rng) const;
  Tensor sample(const Tensor& a, Rng& rng) const;

  // As Model::check_data.
  void check(const Tensor& x, const std::string& what, std::int64_t first_row) const;

 private:
  Tensor noise(std::int64_t rows, Stream stream) const;    // [rows, D], 0 where nothing is drawn
  Tensor shaped(const Tensor& a, double sharpness) const;  // a of what is drawn times sharpness

  std::string model_;
  ValueKind values_;  // binary, grey, real or mixed
  UnitLayer units_;
  std::vector<ColumnKind> kinds_;  // of each column
  Tensor drawn_;                   // [D] bool: binary and softmax columns
  Tensor bits_, shares_;           // numbers of the binary and of the mean-field columns
  Tensor categories_, offsets_;    // of the softmax columns, and where groups begin among them
};

}  // namespace deepgen
