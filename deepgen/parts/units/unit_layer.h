// A layer of stochastic units: the algebra from which every Boltzmann machine is made.
//
// Given the rest of the machine, a layer's density is
//
//   p(x | a) = exp(a.x - gamma.x^2 / 2 + log base(x) - log_partition(a)),
//
// where the activation a is linear in what the layer receives and gamma is the precision of Gaussian units
// (no other kind has one). The first and second derivatives of log_partition are the mean and the variance of
// x.
//
//   kind        values         log partition of one unit                     log base(x)
//   binary      0, 1           log(1 + e^a)                                  0
//   softmax     one-hot        log sum_k e^(a_k)                             0
//   mean_field  [0, 1]         log((e^a - 1) / a)                            0
//   stepped     0 .. N         sum_k=1..N log(1 + e^(a - k + 1/2))           log e_x, see below
//   rectified   0, 1, 2, ...   sum_k=1.. log(1 + e^(a - k + 1/2))            log e_x
//   count       0, 1, 2, ...   e^a                                           -log x!
//   gaussian    real           a^2 / (2 gamma) + log(2 pi / gamma) / 2       0
//
// A stepped unit counts how many of N binary copies with biases a - 1/2, a - 3/2, ... are on, so e_x is the
// elementary symmetric polynomial of degree x of q^(1/2), q^(3/2), ..., with q = 1/e (q-binomial theorem; the
// numerator is 1 for N endless):
//
//   e_x = q^(x^2/2) prod_i=1..x (1 - q^(N-i+1)) / (1 - q^i)
//
// Its mean and that of the rectified unit are, up to a remainder that is taken from the midpoint rule (error
// below 2e-5),
//
//   stepped     softplus(a) - softplus(a - N)
//   rectified   softplus(a)
//
// Sources: Welling, Rosen-Zvi, Hinton 2005, "Exponential family harmoniums", eq. 2-6; Nair and Hinton 2010,
// "Rectified linear units improve restricted Boltzmann machines", section 2; Teh and Hinton 2001 (rate-coded
// copies); Hinton's lectures, 14 (stepped sigmoid units).
#pragma once

#include <string>
#include <vector>

#include "deepgen/core/rng.h"
#include "deepgen/core/torch.h"
#include "deepgen/parts/units/unit_kind.h"

namespace deepgen {

// Neighbouring columns of one kind. A softmax group is one choice; of the other kinds each column is a unit.
struct UnitGroup {
  UnitKind kind = UnitKind::binary;
  std::int64_t first = 0, size = 1;
  std::int64_t copies = 10;  // stepped: N
};

// The parameters of a layer:
//
//   a = theta + scale * couple * input
//
// A theta of [B, N] is a bias that differs from row to row, as in machines conditional on something else.
struct NaturalParameters {
  Tensor theta;   // [N] or [B, N]
  Tensor gamma;   // [N], 1 where the kind has no precision; undefined: all 1
  Tensor couple;  // [N], or undefined: all 1
};

struct LayerOutputs {
  Tensor mean = {}, sample = {};  // [B, N] each, dense, or undefined: not wanted
};

class UnitLayer {
 public:
  // The groups must cover the columns 0 .. N-1 in order.
  explicit UnitLayer(std::vector<UnitGroup> groups);
  // Of the kinds of columns that data have.
  static UnitLayer of(const std::vector<ColumnGroup>& columns);
  static UnitLayer of(UnitKind kind, std::int64_t columns, std::int64_t group = 2, std::int64_t copies = 10);

  std::int64_t size() const { return size_; }
  const std::vector<UnitGroup>& groups() const { return groups_; }
  bool all(UnitKind kind) const;
  bool any(UnitKind kind) const;
  bool any(Growth growth) const;
  Tensor columns_of(UnitKind kind) const;  // [N] bool

  // Mean and sample of the layer that receives `input` [B, N]. The noisy rectified linear approximation
  // stands in for the exact sample of rectified units where `noisy` is set (learning).
  void activate(const Tensor& input, const NaturalParameters& p, double scale, Rng& rng, LayerOutputs out,
                bool noisy = false) const;

  // From activations a [B, N], one for each row, or [N], which is one row. gamma [N] or undefined.
  Tensor mean(const Tensor& a, const Tensor& gamma) const;
  Tensor sample(const Tensor& a, const Tensor& gamma, Rng& rng) const;
  // Features: the mean, but max(0, a) for rectified units, which is equivariant to the scale of a.
  Tensor code(const Tensor& a, const Tensor& gamma) const;

  // log_partition unit by unit, [B, N] float64 (a softmax group's stands at its first column, the others are
  // zero), and its sum over the units, [B] float64; `counted` [B, N] bool leaves out units (whole groups of
  // softmax) where it is false. a as above.
  Tensor log_partition_terms(const Tensor& a, const Tensor& gamma) const;
  Tensor log_partition(const Tensor& a, const Tensor& gamma, const Tensor& counted = {}) const;
  // a.x - gamma.x^2 / 2 + log base(x) summed over the units that are counted, [B] float64; x [B, N], a [N],
  // the same for all rows, or [B, N].
  Tensor log_weight(const Tensor& x, const Tensor& a, const Tensor& gamma, const Tensor& counted = {}) const;

  // theta and gamma of independent units with these means and variances, [N] each: the base-rate model.
  NaturalParameters at_moments(const Tensor& mean, const Tensor& variance) const;

  // Throws a data error that names row (counted from first_row) and column of the first value that these
  // units cannot take. NaN (a missing cell) passes when it fills whole groups. `hint`: what else the caller
  // can suggest where bits were expected ("choose other units (model.visible_units)").
  void check(const Tensor& x, const std::string& who, const std::string& what, std::int64_t first_row,
             const std::string& hint = "") const;

 private:
  // The columns of one kind (and number of copies), taken together.
  struct Part {
    UnitKind kind;
    std::int64_t copies;
    std::vector<std::int64_t> list;
    std::vector<std::int64_t> offsets;  // softmax: where groups begin, and the end
    Tensor columns, group_starts;       // the same as tensors; `columns` undefined: the whole layer
  };
  Tensor take(const Part& part, const Tensor& rows) const;  // [B, N] or [N] -> its columns
  void put(const Part& part, const Tensor& values, Tensor& rows) const;
  void check_groups(const Tensor& x, const std::string& who, const std::string& what,
                    std::int64_t first_row) const;
  bool activate_fused(const Part& part, const Tensor& input, const NaturalParameters& p, double scale,
                      Rng& rng, LayerOutputs out, bool noisy) const;

  std::vector<UnitGroup> groups_;
  std::vector<Part> parts_;
  std::int64_t size_ = 0;
};

}  // namespace deepgen
