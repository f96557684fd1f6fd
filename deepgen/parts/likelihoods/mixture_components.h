// The components of a mixture: K densities of a case, fitted from weighted rows.
//
// Missing cells are NaN. Columns that are independent within a component leave them out of every sum: only
// the component is hidden then, and the maximiser of the known cells is exact. Full covariances fill them in
// by their expectation given the known cells (with the conditional covariance), which is EM with the cells
// hidden too. Sums are float64 buffers, so that a pass that was stopped half way is in the checkpoint. All
// results are the same for any number of threads.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "deepgen/core/rng.h"
#include "deepgen/core/torch.h"
#include "deepgen/parts/likelihoods/mixture_blocks.h"
#include "deepgen/parts/units/unit_layer.h"

namespace deepgen {

// Mean and variance of each column over its known cells, [D] float64; 0 and 1 where no cell is known, and
// variance 1 where all are equal.
struct ColumnMoments {
  Tensor mean, variance;
};
ColumnMoments column_moments(const Tensor& x);

// By this distances count in deviations of the columns: 1 / deviation, [D] float32.
inline Tensor in_deviations(const ColumnMoments& data) { return data.variance.rsqrt().to(at::kFloat); }

// K rows of x [N, D], complete, each drawn with a probability in proportion to the squared distance from the
// nearest row drawn so far (Arthur and Vassilvitskii 2007). Distances are taken after columns are multiplied
// by scale [D]. Cost: K N D.
Tensor spread_rows(const Tensor& x, std::int64_t count, const Tensor& scale, Rng& rng);

// Sums over rows in their order: [N, K] float64 -> [K] float64.
Tensor column_totals(const Tensor& rows);

class MixtureComponents : public torch::nn::Module {
 public:
  // Throws a data error that names row and column of the first value that cannot be taken.
  virtual void check(const Tensor& x, const std::string& what, std::int64_t first_row) const = 0;
  // Parameters at the centres [K, D] with the spread of the whole data.
  virtual void start(const ColumnMoments& data, const Tensor& centres) = 0;
  // log p(known cells of x | component), [B, K] float64.
  virtual Tensor log_densities(const Tensor& x) const = 0;
  // Adds rows x [B, D] to the sums, each to component k in the proportion r [B, K] float64.
  virtual void gather(const Tensor& x, const Tensor& r) = 0;
  // The parameters that maximise the gathered log-density plus log prior; the sums begin anew.
  virtual void maximise() = 0;
  virtual double log_prior() const = 0;  // of the present parameters, up to a constant
  // x [B, D] with its missing cells drawn given the known ones and component which [B] int64.
  virtual Tensor draw(const Tensor& x, const Tensor& which, Rng& rng) const = 0;
  virtual Tensor means() const = 0;  // [K, D]
  // What the columns are multiplied by before distances between rows are taken, [D] float32.
  virtual Tensor distance_scale(const ColumnMoments& data) const { return at::ones({data.mean.size(0)}); }

 protected:
  Tensor sums(const std::string& name, at::IntArrayRef shape) {
    return register_buffer(name, at::zeros(shape, at::kDouble));
  }
};

// Independent bits: logits [K, D]; a Beta prior with parameters 1 + pseudo_count on each probability.
class BernoulliComponents : public MixtureComponents {
 public:
  BernoulliComponents(std::int64_t count, std::int64_t columns, double pseudo_count);
  void check(const Tensor& x, const std::string& what, std::int64_t first_row) const override;
  void start(const ColumnMoments& data, const Tensor& centres) override;
  Tensor log_densities(const Tensor& x) const override;
  void gather(const Tensor& x, const Tensor& r) override;
  void maximise() override;
  double log_prior() const override;
  Tensor draw(const Tensor& x, const Tensor& which, Rng& rng) const override;
  Tensor means() const override;

  Tensor logits;

 private:
  double pseudo_count_;
  UnitLayer units_;
  Tensor ones_, seen_;            // [K, D]
  Tensor product_;                // of the last batch, kept for the next
  Remembered<Tensor> partition_;  // [K] float64: sum of softplus(logits)
};

// What Gaussian components share. The prior counts pseudo_count rows with the variances of the whole data
// (independent columns); no variance falls below floor^2 times that of its column.
struct GaussianPrior {
  double pseudo_count = 0.1, floor = 0.01;
};

struct DiagonalFactors;

// Independent Gaussian columns: mean, log_deviation [K, D].
class DiagonalComponents : public MixtureComponents {
 public:
  DiagonalComponents(std::int64_t count, std::int64_t columns, GaussianPrior prior);
  void check(const Tensor& x, const std::string& what, std::int64_t first_row) const override;
  void start(const ColumnMoments& data, const Tensor& centres) override;
  Tensor log_densities(const Tensor& x) const override;
  void gather(const Tensor& x, const Tensor& r) override;
  void maximise() override;
  double log_prior() const override;
  Tensor draw(const Tensor& x, const Tensor& which, Rng& rng) const override;
  Tensor means() const override { return mean.detach(); }
  Tensor distance_scale(const ColumnMoments& data) const override { return in_deviations(data); }

  Tensor mean, log_deviation;

 private:
  std::shared_ptr<const DiagonalFactors> factors() const;
  GaussianPrior prior_;
  UnitLayer units_;
  Tensor spread_;                 // [D] variance of the data
  Tensor mass_, first_, second_;  // [K, D] sums of r, r (x - mean), r (x - mean)^2
  Remembered<DiagonalFactors> factors_;
};

struct GapPattern;

// Gaussians with covariance L L': mean [K, D], the part of L below its diagonal in factor [K, D, D], the
// logarithm of its diagonal in log_diagonal [K, D].
class FullComponents : public MixtureComponents {
 public:
  FullComponents(std::int64_t count, std::int64_t columns, GaussianPrior prior);
  void check(const Tensor& x, const std::string& what, std::int64_t first_row) const override;
  void start(const ColumnMoments& data, const Tensor& centres) override;
  Tensor log_densities(const Tensor& x) const override;
  void gather(const Tensor& x, const Tensor& r) override;
  void maximise() override;
  double log_prior() const override;
  Tensor draw(const Tensor& x, const Tensor& which, Rng& rng) const override;
  Tensor means() const override { return mean.detach(); }
  Tensor distance_scale(const ColumnMoments& data) const override { return in_deviations(data); }

  Tensor mean, factor, log_diagonal;

 private:
  struct One;
  struct Sums {
    double *first, *second;  // of one component
  };
  One one(std::int64_t c) const;
  void whole_densities(std::int64_t c, const float* x, const std::int64_t* rows, std::int64_t count,
                       double* out) const;
  double add_whole(const One& me, const float* x, const std::vector<std::int64_t>& rows, const double* shares,
                   double least, const Sums& sums) const;
  double add_filled(const One& me, const float* x, const GapPattern& pattern, const double* shares,
                    double least, const Sums& sums) const;
  void set_covariance(std::int64_t c, double* covariance);
  GaussianPrior prior_;
  UnitLayer units_;
  Tensor spread_;
  Tensor mass_, first_, second_;  // [K], [K, D], [K, D, D] (lower half), as above
};

}  // namespace deepgen
