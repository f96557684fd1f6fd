// Gaussian components of independent columns.
//
// With cells and means taken from a common centre, the densities of a block of rows are one product
//
//   -log p(x | k) = sum_j x_j^2 a_kj - 2 x_j m_kj a_kj + m_kj^2 a_kj + ln s_kj + ln(2 pi) / 2
//   a_kj = 1 / (2 s_kj^2)
//
// and the sums of a pass are its transpose. Terms cancel: of a row some 1e-16 sum_j ((|x_j| + |m_kj|) / s_kj)^2
// nats are lost, which float64 can bear where float32 could not. Where a block would lose more than a limit
// (a deviation of a ten-thousandth of the data's, far outliers) its steps x - m are summed one by one.
#include <cmath>

#include "deepgen/ops/products64.h"
#include "deepgen/ops/unit_layers.h"
#include "deepgen/parts/likelihoods/mixture_blocks.h"
#include "deepgen/parts/likelihoods/mixture_components.h"

namespace deepgen {

// What products take of the parameters.
struct DiagonalFactors {
  std::int64_t columns;
  std::vector<double> centre;       // [D]: the mean of the components' means
  std::vector<double> mean, scale;  // [K, D]: from the centre; 1 / s
  std::vector<double> constants;    // [K, D]: ln s + ln(2 pi) / 2
  std::vector<double> products;  // [K, 3 D]: of a row's cells, of their squares, and of those that are known
  std::vector<double> base;      // [K]: the sum of the last third of them

  std::int64_t count() const { return static_cast<std::int64_t>(base.size()); }
};

namespace {

constexpr double rounding = 1.2e-16;           // of a float64 operation
constexpr double most_nats_lost = 1e-7;        // of the log-density of a row
constexpr double most_share_lost = 1e-8;       // of a variance: float32 parameters round to 6e-8
constexpr std::int64_t columns_a_thread = 32;  // of the sums of one thread

double total(const Tensor& x) {  // in order, whatever the number of threads
  double sum = 0;
  for (std::int64_t i = 0; i < x.numel(); ++i) sum += x.data_ptr<double>()[i];
  return sum;
}

// Some columns of some rows: in each row the cells from the centre, their squares, and 1 where one is known
// (this third only once it was marked).
struct Block {
  double* cells;  // [count, 3 * width]
  double* reach;  // [width]: the largest distance of a known cell from the centre
  std::int64_t count, width;
  bool gaps;
};

// Which cells are known; those that are not become zero.
void mark_known(const Block& block) {
  const std::int64_t width = block.width;
  for (std::int64_t i = 0; i < block.count; ++i) {
    double *cells = block.cells + i * 3 * width, *squares = cells + width, *known = squares + width;
    for (std::int64_t j = 0; j < width; ++j) {
      const bool missing = std::isnan(cells[j]);
      known[j] = missing ? 0 : 1, cells[j] = missing ? 0 : cells[j], squares[j] = missing ? 0 : squares[j];
    }
  }
}

Block block_of(const float* x, std::int64_t stride, std::int64_t count, const double* centre,
               std::int64_t width) {
  Block block{kept_numbers(0, count * 3 * width), kept_numbers(1, width), count, width, false};
  std::fill_n(block.reach, width, 0.0);
  for (std::int64_t i = 0; i < count; ++i) {
    const float* row = x + i * stride;
    double *cells = block.cells + i * 3 * width, *squares = cells + width, *reach = block.reach;
    block.gaps = block.gaps || missing_among(row, width) > 0;
#pragma omp simd
    for (std::int64_t j = 0; j < width; ++j) {
      const double step = row[j] - centre[j], square = step * step;
      cells[j] = step, squares[j] = square;
      reach[j] = square > reach[j] ? square : reach[j];
    }
  }
  for (std::int64_t j = 0; j < width; ++j) block.reach[j] = std::sqrt(block.reach[j]);
  if (block.gaps) mark_known(block);
  return block;
}

// What rounding costs component c at the farthest cell of column `first + j`, as a share of its variance.
double share_lost(const Block& block, const DiagonalFactors& factors, std::int64_t c, std::int64_t first,
                  std::int64_t j) {
  const auto at = static_cast<std::size_t>(c * factors.columns + first + j);
  const double farthest = (block.reach[j] + std::abs(factors.mean[at])) * factors.scale[at];
  return rounding * farthest * farthest;
}

DiagonalFactors factors_of(const Tensor& means, const Tensor& deviations) {
  const std::int64_t k = means.size(0), d = means.size(1);
  const double *m = means.data_ptr<double>(), *log_s = deviations.data_ptr<double>();
  const auto rows = static_cast<std::size_t>(k), columns = static_cast<std::size_t>(d), all = rows * columns;
  DiagonalFactors made{d,
                       std::vector<double>(columns),
                       std::vector<double>(all),
                       std::vector<double>(all),
                       std::vector<double>(all),
                       std::vector<double>(3 * all),
                       std::vector<double>(rows)};
  for (std::size_t c = 0; c < rows; ++c)
    for (std::size_t j = 0; j < columns; ++j) made.centre[j] += m[c * columns + j] / static_cast<double>(k);
  for (std::size_t c = 0; c < rows; ++c) {
    double* products = made.products.data() + c * 3 * columns;
    for (std::size_t j = 0; j < columns; ++j) {
      const std::size_t at = c * columns + j;
      const double step = m[at] - made.centre[j], scale = std::exp(-log_s[at]), half = scale * scale / 2;
      made.mean[at] = step, made.scale[at] = scale, made.constants[at] = log_s[at] + half_log_two_pi;
      products[j] = 2 * half * step, products[columns + j] = -half;
      products[2 * columns + j] = -(half * step * step + made.constants[at]);
      made.base[c] += products[2 * columns + j];
    }
  }
  return made;
}

// The log-densities of component c step by step, into every K-th number of `out`.
void careful_densities(const DiagonalFactors& factors, const Block& block, std::int64_t c, double* out) {
  const std::int64_t d = block.width, k = factors.count();
  const double *mean = factors.mean.data() + c * d, *scale = factors.scale.data() + c * d,
               *constants = factors.constants.data() + c * d;
  for (std::int64_t i = 0; i < block.count; ++i) {
    const double *cells = block.cells + i * 3 * d, *known = cells + 2 * d;
    double sum = 0;
#pragma omp simd reduction(+ : sum)
    for (std::int64_t j = 0; j < d; ++j) {
      const double z = (cells[j] - mean[j]) * scale[j];
      sum += known[j] * (z * z / 2 + constants[j]);
    }
    out[i * k] = -sum;
  }
}

// out [count, K]: the log-densities of some rows.
void block_densities(const DiagonalFactors& factors, const float* x, std::int64_t count, double* out) {
  const std::int64_t d = factors.columns, k = factors.count();
  const Block block = block_of(x, d, count, factors.centre.data(), d);
  const std::int64_t inner = (block.gaps ? 3 : 2) * d;
  if (!block.gaps)
    for (std::int64_t i = 0; i < count; ++i) std::copy(factors.base.begin(), factors.base.end(), out + i * k);
  multiply_alone64({block.cells, count, inner, 3 * d}, {factors.products.data(), inner, k, 3 * d, true}, out,
                   k, !block.gaps);
  bool marked = block.gaps;
  for (std::int64_t c = 0; c < k; ++c) {
    double nats = 0;
    for (std::int64_t j = 0; j < d; ++j) nats += share_lost(block, factors, c, 0, j);
    if (nats <= most_nats_lost) continue;
    if (!marked) mark_known(block);
    marked = true;
    careful_densities(factors, block, c, out + c);
  }
}

// Sums over rows for columns [first, first + width) of all components, [K, D] each, their cells from the means.
struct DiagonalSums {
  double *mass, *first, *second;
};

// Component c step by step, with every K-th number of `shares`.
void careful_sums(const DiagonalFactors& factors, const Block& block, std::int64_t c, std::int64_t first,
                  const double* shares, const DiagonalSums& sums) {
  const std::int64_t at = c * factors.columns + first, k = factors.count();
  const double* mean = factors.mean.data() + at;
  for (std::int64_t i = 0; i < block.count; ++i) {
    const double *cells = block.cells + i * 3 * block.width, *known = cells + 2 * block.width;
    for (std::int64_t j = 0; j < block.width; ++j) {
      const double weight = known[j] * shares[i * k], step = cells[j] - mean[j];
      sums.mass[at + j] += weight;
      sums.first[at + j] += weight * step;
      sums.second[at + j] += weight * step * step;
    }
  }
}

// The shares of a block without those of the components that products would cost too much; these are added
// here.
const double* careful_shares(const DiagonalFactors& factors, const Block& block, std::int64_t first,
                             const double* shares, const DiagonalSums& sums) {
  const std::int64_t k = factors.count(), cells = block.count * k;
  double* rest = nullptr;
  bool marked = block.gaps;
  for (std::int64_t c = 0; c < k; ++c) {
    bool safe = true;
    for (std::int64_t j = 0; j < block.width; ++j)
      safe = safe && share_lost(block, factors, c, first, j) <= most_share_lost;
    if (safe) continue;
    if (!marked) mark_known(block);
    marked = true;
    careful_sums(factors, block, c, first, shares + c, sums);
    if (!rest) rest = kept_numbers(2, cells), std::copy(shares, shares + cells, rest);
    for (std::int64_t i = 0; i < block.count; ++i) rest[i * k + c] = 0;
  }
  return rest ? rest : shares;
}

// From sums about the centre, [K, 3 * width], to those about the means.
void add_about_means(const DiagonalFactors& factors, const double* centred, std::int64_t first,
                     std::int64_t width, const DiagonalSums& sums) {
  for (std::int64_t c = 0; c < factors.count(); ++c) {
    const double *cells = centred + c * 3 * width, *squares = cells + width, *mass = squares + width;
    for (std::int64_t j = 0; j < width; ++j) {
      const std::int64_t at = c * factors.columns + first + j;
      const double mean = factors.mean[static_cast<std::size_t>(at)];
      sums.mass[at] += mass[j];
      sums.first[at] += cells[j] - mass[j] * mean;
      sums.second[at] += squares[j] - mean * (2 * cells[j] - mass[j] * mean);
    }
  }
}

void add_columns(const DiagonalFactors& factors, const float* x, const double* shares, std::int64_t n,
                 std::int64_t first, std::int64_t width, const DiagonalSums& sums) {
  const std::int64_t d = factors.columns, k = factors.count();
  double *centred = kept_numbers(3, k * 3 * width), *whole = kept_numbers(4, k);
  std::fill_n(centred, k * 3 * width, 0.0);
  std::fill_n(whole, k, 0.0);  // the mass of rows without gaps
  each_block(n, [&](std::int64_t row, std::int64_t count) {
    const Block block = block_of(x + row * d + first, d, count, factors.centre.data() + first, width);
    const double* part = careful_shares(factors, block, first, shares + row * k, sums);
    multiply_alone64({part, k, count, k, true}, {block.cells, count, (block.gaps ? 3 : 2) * width, 3 * width},
                     centred, 3 * width, true);
    if (block.gaps) return;
    for (std::int64_t i = 0; i < count; ++i)
      for (std::int64_t c = 0; c < k; ++c) whole[c] += part[i * k + c];
  });
  for (std::int64_t c = 0; c < k; ++c)
    for (std::int64_t j = 0; j < width; ++j) centred[(3 * c + 2) * width + j] += whole[c];
  add_about_means(factors, centred, first, width, sums);
}

}  // namespace

DiagonalComponents::DiagonalComponents(std::int64_t count, std::int64_t columns, GaussianPrior prior)
    : mean(register_parameter("mean", at::zeros({count, columns}))),
      log_deviation(register_parameter("log_deviation", at::zeros({count, columns}))),
      prior_(prior),
      units_(UnitLayer::of(UnitKind::gaussian, columns)),
      spread_(register_buffer("spread", at::ones({columns}, at::kDouble))),
      mass_(sums("mass", {count, columns})),
      first_(sums("first", {count, columns})),
      second_(sums("second", {count, columns})) {}

void DiagonalComponents::check(const Tensor& x, const std::string& what, std::int64_t first_row) const {
  units_.check(x, "components", what, first_row);
}

void DiagonalComponents::start(const ColumnMoments& moments, const Tensor& centres) {
  NoGradGuard no_graph;
  mean.copy_(centres);
  spread_.copy_(moments.variance);
  log_deviation.copy_((moments.variance.log() / 2).expand_as(log_deviation));
}

// ---------------------------------------------------------------- densities and sums

std::shared_ptr<const DiagonalFactors> DiagonalComponents::factors() const {
  return factors_.of({mean, log_deviation},
                     [this] { return factors_of(in_float64(mean), in_float64(log_deviation)); });
}

Tensor DiagonalComponents::log_densities(const Tensor& x) const {
  const std::int64_t n = x.size(0), d = x.size(1), k = mean.size(0);
  const Tensor rows = x.to(at::kFloat).contiguous();
  Tensor out = at::empty({n, k}, at::kDouble);
  const auto ready = factors();
  const float* cells = rows.data_ptr<float>();
  auto* densities = out.data_ptr<double>();
  share_work((n + block_rows - 1) / block_rows, 3 * n * k * d, [&](std::int64_t block) {
    const std::int64_t first = block * block_rows, count = std::min(block_rows, n - first);
    block_densities(*ready, cells + first * d, count, densities + first * k);
  });
  return out;
}

void DiagonalComponents::gather(const Tensor& x, const Tensor& r) {
  const std::int64_t n = x.size(0), d = x.size(1), k = mean.size(0);
  const Tensor rows = x.to(at::kFloat).contiguous(), shares = in_float64(r);
  const auto ready = factors();
  const float* cells = rows.data_ptr<float>();
  const auto* parts = shares.data_ptr<double>();
  const DiagonalSums sums{mass_.data_ptr<double>(), first_.data_ptr<double>(), second_.data_ptr<double>()};
  const std::int64_t cuts = (d + columns_a_thread - 1) / columns_a_thread;
  share_work(cuts, 3 * n * k * d, [&](std::int64_t cut) {
    const std::int64_t first = d * cut / cuts, last = d * (cut + 1) / cuts;
    add_columns(*ready, cells, parts, n, first, last - first, sums);
  });
}

// ---------------------------------------------------------------- the rest

void DiagonalComponents::maximise() {
  NoGradGuard no_graph;
  const Tensor some = mass_ > no_mass;
  const Tensor step = at::where(some, first_ / mass_, at::zeros_like(mass_));
  const double c = prior_.pseudo_count;
  const Tensor squares = at::where(some, second_ - mass_ * step.square(), at::zeros_like(mass_));
  Tensor variance = (squares + c * spread_) / (mass_ + c);
  variance = at::maximum(variance, (prior_.floor * prior_.floor * spread_).expand_as(variance));
  mean.copy_(in_float64(mean) + step);
  // A component without rows and without a prior stays as it is.
  log_deviation.copy_(at::where(mass_ + c > no_mass, variance.log() / 2, in_float64(log_deviation)));
  mass_.zero_(), first_.zero_(), second_.zero_();
}

double DiagonalComponents::log_prior() const {
  if (prior_.pseudo_count == 0) return 0;
  const Tensor deviation = in_float64(log_deviation);
  return -prior_.pseudo_count * total((deviation + spread_ * (deviation * -2).exp() / 2).contiguous());
}

Tensor DiagonalComponents::draw(const Tensor& x, const Tensor& which, Rng& rng) const {
  NoGradGuard no_graph;
  const Tensor noise = normal(x.size(0), x.size(1), rng.next());
  const Tensor deviation = log_deviation.exp().index_select(0, which);
  return at::where(x.isnan(), mean.index_select(0, which) + deviation * noise, x).detach();
}

}  // namespace deepgen
