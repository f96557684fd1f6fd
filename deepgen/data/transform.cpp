#include "deepgen/data/transform.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "deepgen/core/error.h"
#include "deepgen/data/cell_facts.h"
#include "deepgen/data/column_blocks.h"
#include "deepgen/ops/binary_units.h"

namespace deepgen {
namespace {

constexpr std::int64_t most_whitened = 1024;  // columns: the checkpoint holds the square of it
constexpr double ridge_share = 1e-5;        // of the mean eigenvalue: directions without variance stay finite
constexpr std::int64_t most_onehot = 1001;  // values of a column

Tensor row_of(const std::vector<double>& values, at::ScalarType type) {
  return at::tensor(values, at::kDouble).to(type);
}

std::vector<double> list_of(const Tensor& x) {
  const Tensor dense = x.contiguous();
  return {dense.data_ptr<double>(), dense.data_ptr<double>() + dense.numel()};
}

Tensor known_values(const Tensor& column) { return column.masked_select(column.isnan().logical_not()); }

// The columns of 0 .. count - 1 that are not set aside, [n] int64.
Tensor other_columns(const std::vector<std::int64_t>& set_aside, std::int64_t count) {
  std::vector<std::int64_t> columns;
  auto next = set_aside.begin();
  for (std::int64_t j = 0; j < count; ++j) {
    if (next != set_aside.end() && *next == j)
      ++next;
    else
      columns.push_back(j);
  }
  return at::tensor(columns, at::kLong);
}

// One thread for the length of a scope: matrix products then do not depend on the number of threads.
class SingleThread {
 public:
  SingleThread() : before_(at::get_num_threads()) { at::set_num_threads(1); }
  ~SingleThread() { at::set_num_threads(before_); }
  SingleThread(const SingleThread&) = delete;
  SingleThread& operator=(const SingleThread&) = delete;

 private:
  int before_;
};

// x [N, D] through function(rows in float64), in pieces.
template <class F>
Tensor in_chunks(const Tensor& x, F function) {
  const SingleThread one;
  Tensor result = at::empty(x.sizes(), at::kFloat);
  for (std::int64_t first = 0; first < x.size(0); first += Transform::block_rows) {
    const std::int64_t count = std::min(Transform::block_rows, x.size(0) - first);
    result.narrow(0, first, count).copy_(function(x.narrow(0, first, count).to(at::kDouble)));
  }
  return result;
}

// Means [D] and covariance [D, D] of x [N, D], float64.
std::pair<Tensor, Tensor> moments_of(const Tensor& x) {
  const SingleThread one;
  const Tensor mean = wide_column_sums(x) / static_cast<double>(x.size(0));
  Tensor covariance = at::zeros({x.size(1), x.size(1)}, at::kDouble);
  for (std::int64_t first = 0; first < x.size(0); first += Transform::block_rows) {
    const std::int64_t count = std::min(Transform::block_rows, x.size(0) - first);
    const Tensor rows = x.narrow(0, first, count).to(at::kDouble) - mean;
    covariance.addmm_(rows.t(), rows);
  }
  return {mean, covariance / static_cast<double>(x.size(0))};
}

// For each column of x, whose cells begin at `cell`, whether one of them is known.
template <class T>
std::vector<char> known_columns(const T* cell, const Tensor& x) {
  std::vector<char> known(static_cast<std::size_t>(x.size(1)), 0);
  for (std::int64_t row = 0; row < x.size(0); ++row)
    for (char& one : known)
      if (!std::isnan(*cell++)) one = 1;
  return known;
}

void refuse_missing(const Tensor& x, const std::string& what, std::int64_t first_row) {
  const auto gap = first_missing_cell(x);
  if (!gap) return;
  fail_data(what, fmt::format("expected no missing cells to whiten, got one at row {}, column {}; whitened "
                              "columns are mixtures of all",
                              first_row + gap->first, gap->second));
}

}  // namespace

std::int64_t Transform::columns() const {
  if (whitened()) return centre_.size(0);
  if (!mean.empty()) return static_cast<std::int64_t>(mean.size());
  if (group_sizes.empty()) return -1;
  return std::accumulate(group_sizes.begin(), group_sizes.end(), std::int64_t{0});
}

bool Transform::needs_float64() const {
  constexpr double rounding = 6e-8, seen = 1e-4;  // of float32, relative; of a deviation
  for (std::size_t j = 0; j < mean.size(); ++j)
    if (std::abs(mean[j]) * rounding > seen * deviation[j]) return true;
  return false;
}

void Transform::fit_set_aside(const Tensor& x) {
  if (!x.is_floating_point()) return;
  const Tensor dense = x.contiguous();
  const std::vector<char> known = x.scalar_type() == at::kDouble ? known_columns(dense.data_ptr<double>(), x)
                                                                 : known_columns(dense.data_ptr<float>(), x);
  for (std::size_t j = 0; j < known.size(); ++j)
    if (!known[j]) set_aside.push_back(static_cast<std::int64_t>(j));
}

void Transform::fit_onehot(const Tensor& x, const std::string& what) {
  for (std::int64_t j = 0; j < x.size(1); ++j) {
    const Tensor column = known_values(x.select(1, j).to(at::kDouble));
    if (column.numel() == 0) fail_data(what, fmt::format("expected a known cell in column {}", j));
    if (!column.eq(column.round()).all().item<bool>())
      fail_data(what, fmt::format("expected whole numbers for onehot in column {}", j));
    const double low = column.min().item<double>(), high = column.max().item<double>();
    if (high - low >= static_cast<double>(most_onehot))
      fail_data(what, fmt::format("expected at most {} values for onehot in column {}, got {} to {}",
                                  most_onehot, j, low, high));
    group_minimum.push_back(low);
    group_sizes.push_back(static_cast<std::int64_t>(high - low) + 1);
  }
}

void Transform::fit_standardise(const Tensor& x) {
  for (std::int64_t j = 0; j < x.size(1); ++j) {
    const Tensor column = known_values(x.select(1, j)).to(at::kDouble);
    const bool known = column.numel() > 0;
    double sd = known ? column.std(false).item<double>() : 0;
    mean.push_back(known ? column.mean().item<double>() : 0);
    // What float64 itself rounds is no difference: of 0.1, 0.1, 0.1 the mean is not quite 0.1.
    if (sd <= 4 * std::numeric_limits<double>::epsilon() * std::abs(mean.back())) sd = 0;
    if (known && sd == 0) mean.back() = column[0].item<double>();
    deviation.push_back(static_cast<float>(sd) > 0 ? sd : 1);  // a constant column stays constant
  }
}

void Transform::fit_whiten(const Tensor& x, const std::string& what) {
  if (x.size(1) > most_whitened)
    fail_data(what, fmt::format("expected at most {} columns to whiten, got {}", most_whitened, x.size(1)));
  refuse_missing(x, what, 0);
  const auto [centre, covariance] = moments_of(x);
  const double ridge = ridge_share * covariance.trace().item<double>() / static_cast<double>(x.size(1));
  if (!(ridge > 0) || !std::isfinite(ridge)) fail_data(what, "expected rows that differ to whiten");
  const SingleThread one;
  const auto [variances, directions] = at::linalg_eigh(covariance);
  const Tensor scales = (variances.clamp_min(0) + ridge).rsqrt();
  set_whitening(centre, at::mm(directions * scales, directions.t()));
}

void Transform::set_whitening(const Tensor& centre, const Tensor& matrix) {
  const SingleThread one;
  centre_ = centre, whitening_ = matrix.contiguous();
  log_determinant_ = std::get<1>(at::linalg_slogdet(whitening_)).item<double>();
  if (!std::isfinite(log_determinant_)) fail_data("transform", "the matrix of whiten is not invertible");
  colouring_ = at::linalg_inv(whitening_);
}

Tensor Transform::log_jacobian(const Tensor& z) const {
  const Tensor known = z.isnan().logical_not().to(at::kDouble);
  Tensor result = at::zeros({z.size(0)}, at::kDouble);
  if (dequantised) {  // (255 grey + u) / 256
    const auto count = static_cast<double>(levels);
    result += known.sum(1) * std::log((count - 1) / count);
  }
  if (!mean.empty()) result -= at::mv(known, at::tensor(deviation, at::kDouble).log());
  if (whitened()) result += log_determinant_;
  return result;
}

Tensor Transform::modelled_columns(const Tensor& x, const std::string& what, std::int64_t first_row) const {
  if (set_aside.empty()) return x;
  if (x.size(1) <= set_aside.back())
    fail_data(what, fmt::format("expected more than {} columns, as in the training file, got {}",
                                set_aside.back(), x.size(1)));
  for (const std::int64_t j : set_aside) {
    const Tensor known = x.select(1, j).isnan().logical_not();
    if (!known.any().item<bool>()) continue;
    const std::int64_t row = known.nonzero()[0].item<std::int64_t>();
    fail_data(what, fmt::format("expected a missing cell in column {}, as in all training rows, got {} at "
                                "row {}",
                                j, x[row][j].item<double>(), first_row + row));
  }
  return x.index_select(1, other_columns(set_aside, x.size(1)));
}

// A missing cell becomes a missing group.
Tensor Transform::onehot(const Tensor& x, const std::string& what, std::int64_t first_row) const {
  std::vector<Tensor> groups;
  for (std::size_t j = 0; j < group_sizes.size(); ++j) {
    const Tensor value = x.select(1, static_cast<std::int64_t>(j)) - group_minimum[j];
    const Tensor missing = value.isnan();
    const Tensor outside = at::logical_or(value.lt(0), value.gt(static_cast<double>(group_sizes[j] - 1)));
    const Tensor bad =
        at::logical_and(at::logical_or(outside, value != value.round()), missing.logical_not());
    if (bad.any().item<bool>())
      fail_data(what,
                fmt::format("column {} has a value that is not whole or was unseen in training at row {}", j,
                            first_row + bad.nonzero()[0].item<std::int64_t>()));
    const Tensor group = at::one_hot(at::nan_to_num(value, 0).to(at::kLong), group_sizes[j]).to(at::kFloat);
    groups.push_back(group.masked_fill(missing.unsqueeze(1), std::numeric_limits<float>::quiet_NaN()));
  }
  return at::cat(groups, 1);
}

// Some rows, of which the first has this number among all; `noise`: of dequantisation.
Tensor Transform::block_of(const Tensor& x, const std::string& what, Stream noise,
                           std::int64_t first_row) const {
  Tensor result = modelled_columns(x, what, first_row);
  const std::size_t expected = !group_sizes.empty() ? group_sizes.size() : mean.size();
  if (expected > 0 && result.size(1) != static_cast<std::int64_t>(expected))
    fail_data(what, fmt::format("expected {} columns for the transform, got {}", expected, result.size(1)));
  if (!group_sizes.empty()) result = onehot(result, what, first_row);
  if (dequantised) {
    const Tensor level = result * static_cast<double>(levels - 1);
    const Tensor u = uniform(result.size(0), result.size(1), noise, at::kCPU, first_row);
    // Of 65536 levels float32 has 8 bits left for the noise: a sum that is rounded may be the next level.
    const Tensor noisy = levels > 256 ? level.round() + (u * 256).floor() / 256 : level + u;
    result = noisy / static_cast<double>(levels);
  }
  // float64 cells are rounded when they are near 0, each step as it is when it is learnt.
  if (dequantised) result = result.to(at::kFloat);
  const at::ScalarType type = result.scalar_type();
  if (!mean.empty()) result = ((result - row_of(mean, type)) / row_of(deviation, type)).to(at::kFloat);
  if (!whitened()) return result;
  if (result.size(1) != centre_.size(0))
    fail_data(what, fmt::format("expected {} columns to whiten, got {}", centre_.size(0), result.size(1)));
  refuse_missing(result, what, first_row);
  return in_chunks(result, [&](const Tensor& rows) { return at::mm(rows - centre_, whitening_); });
}

// The result is made where it is undefined; it may be what `some` looks at.
void Transform::apply_to(Tensor& result, std::int64_t rows, const RowSource& some, const std::string& what,
                         const Rng& rng) const {
  Rng own = rng;
  const Stream noise = own.next();
  std::int64_t first = 0;
  do {
    const std::int64_t count = std::min(block_rows, rows - first);
    const Tensor block = block_of(some(first, count), what, noise, first);
    if (!result.defined())
      result = at::empty({rows, block.size(1)}, identity() ? block.options() : at::TensorOptions(at::kFloat));
    result.narrow(0, first, count).copy_(block);
    first += count;
  } while (first < rows);
}

Tensor Transform::apply(std::int64_t rows, const RowSource& some, const std::string& what,
                        const Rng& rng) const {
  Tensor result;
  apply_to(result, rows, some, what, rng);
  return result;
}

Tensor Transform::apply(const Tensor& x, const std::string& what, const Rng& rng) const {
  if (identity() && set_aside.empty()) return x.contiguous();
  return apply(
      x.size(0), [&](std::int64_t first, std::int64_t count) { return x.narrow(0, first, count); }, what,
      rng);
}

void Transform::apply_in_place(Tensor& x, const std::string& what, const Rng& rng) const {
  if (!group_sizes.empty() || !set_aside.empty())
    throw Error(ErrorKind::bug, "transform", "expected one that keeps the columns");
  if (identity()) return;
  const auto rows_of_x = [&](std::int64_t first, std::int64_t count) { return x.narrow(0, first, count); };
  apply_to(x, x.size(0), rows_of_x, what, rng);
}

Tensor Transform::put_back(const Tensor& x, double filling) const {
  if (set_aside.empty()) return x;
  const std::int64_t columns = x.size(1) + static_cast<std::int64_t>(set_aside.size());
  if (set_aside.back() >= columns)
    fail_data("transform",
              fmt::format("expected columns set aside below {}, got {}", columns, set_aside.back()));
  return at::full({x.size(0), columns}, filling, x.options())
      .index_copy_(1, other_columns(set_aside, columns), x);
}

Tensor Transform::invert(const Tensor& x) const {
  Tensor result = x;
  if (whitened())
    result = in_chunks(result, [&](const Tensor& rows) { return at::mm(rows, colouring_) + centre_; });
  if (!mean.empty()) {
    const at::ScalarType type = needs_float64() ? at::kDouble : at::kFloat;
    result = result.to(type) * row_of(deviation, type) + row_of(mean, type);
  }
  if (dequantised) {
    const auto count = static_cast<double>(levels);
    result = (result * count).floor().clamp(0, count - 1) / (count - 1);
  }
  if (!group_sizes.empty()) {
    std::vector<Tensor> columns;
    std::int64_t first = 0;
    for (std::size_t j = 0; j < group_sizes.size(); ++j) {
      const Tensor best = result.narrow(1, first, group_sizes[j]).argmax(1);
      columns.push_back(best.to(at::kFloat) + group_minimum[j]);
      first += group_sizes[j];
    }
    result = at::stack(columns, 1);
  }
  return put_back(result);
}

nlohmann::ordered_json Transform::to_json() const {
  nlohmann::ordered_json json = nlohmann::ordered_json::object();
  if (!set_aside.empty()) json["set_aside"] = set_aside;
  if (dequantised) json["dequantise"] = true;
  if (dequantised && levels != 256) json["levels"] = levels;
  if (!mean.empty()) json["standardise"] = {{"mean", mean}, {"deviation", deviation}};
  if (!group_sizes.empty()) json["onehot"] = {{"sizes", group_sizes}, {"minimum", group_minimum}};
  if (whitened()) json["whiten"] = {{"mean", list_of(centre_)}, {"matrix", list_of(whitening_)}};
  return json;
}

namespace {

// A hostile file may hold anything; what passes here can be applied and inverted.
void check_numbers(const Transform& transform) {
  const auto all = [](const std::vector<double>& values, double above) {
    return std::all_of(values.begin(), values.end(),
                       [&](double value) { return std::isfinite(value) && value > above; });
  };
  constexpr double any = -std::numeric_limits<double>::infinity();
  std::int64_t last = -1;
  for (const std::int64_t j : transform.set_aside) {
    if (j <= last) fail_data("transform", "the columns set aside are not in order");
    last = j;
  }
  if (transform.levels != 256 && transform.levels != 65536)
    fail_data("transform", fmt::format("expected 256 or 65536 grey levels, got {}", transform.levels));
  if (transform.deviation.size() != transform.mean.size())
    fail_data("transform", "standardise means and deviations differ in number");
  if (!all(transform.mean, any) || !all(transform.deviation, 0))
    fail_data("transform", "expected finite means and deviations above 0");
  if (transform.group_minimum.size() != transform.group_sizes.size())
    fail_data("transform", "onehot sizes and minima differ in number");
  for (const std::int64_t size : transform.group_sizes)
    if (size < 1 || size > most_onehot)
      fail_data("transform", fmt::format("expected onehot sizes from 1 to {}, got {}", most_onehot, size));
  if (!all(transform.group_minimum, any)) fail_data("transform", "expected finite minima of onehot");
}

}  // namespace

Transform Transform::from_json(const nlohmann::ordered_json& json) {
  Transform transform;
  transform.set_aside = json.value("set_aside", std::vector<std::int64_t>{});
  transform.dequantised = json.value("dequantise", false);
  transform.levels = json.value("levels", std::int64_t{256});
  if (json.contains("standardise")) {
    transform.mean = json["standardise"].at("mean").get<std::vector<double>>();
    transform.deviation = json["standardise"].at("deviation").get<std::vector<double>>();
  }
  if (json.contains("onehot")) {
    transform.group_sizes = json["onehot"].at("sizes").get<std::vector<std::int64_t>>();
    transform.group_minimum = json["onehot"].at("minimum").get<std::vector<double>>();
  }
  check_numbers(transform);
  if (json.contains("whiten")) {
    const auto centre = json["whiten"].at("mean").get<std::vector<double>>();
    const auto matrix = json["whiten"].at("matrix").get<std::vector<double>>();
    const auto size = static_cast<std::int64_t>(centre.size());
    if (size < 1 || size > most_whitened || matrix.size() != centre.size() * centre.size())
      fail_data("transform", "the matrix of whiten does not fit its means");
    transform.set_whitening(at::tensor(centre, at::kDouble),
                            at::tensor(matrix, at::kDouble).reshape({size, size}));
  }
  return transform;
}

}  // namespace deepgen
