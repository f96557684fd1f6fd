#include "deepgen/data/transform.h"

#include <fmt/format.h>

#include <cmath>
#include <limits>

#include "deepgen/core/error.h"
#include "deepgen/ops/binary_units.h"

namespace deepgen {
namespace {

constexpr std::int64_t most_whitened = 1024;  // columns: the checkpoint holds the square of it
constexpr double ridge_share = 1e-5;  // of the mean eigenvalue: directions without variance stay finite
constexpr std::int64_t chunk = 4096;  // rows that are whitened at a time

Tensor row_of(const std::vector<double>& values) { return at::tensor(values, at::kDouble).to(at::kFloat); }

std::vector<double> list_of(const Tensor& x) {
  const Tensor dense = x.contiguous();
  return {dense.data_ptr<double>(), dense.data_ptr<double>() + dense.numel()};
}

Tensor known_values(const Tensor& column) { return column.masked_select(column.isnan().logical_not()); }

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
  for (std::int64_t first = 0; first < x.size(0); first += chunk) {
    const std::int64_t count = std::min(chunk, x.size(0) - first);
    result.narrow(0, first, count).copy_(function(x.narrow(0, first, count).to(at::kDouble)));
  }
  return result;
}

// Means [D] and covariance [D, D] of x [N, D], float64.
std::pair<Tensor, Tensor> moments_of(const Tensor& x) {
  const SingleThread one;
  const Tensor mean = x.mean(at::IntArrayRef{0}, false, at::kDouble);
  Tensor covariance = at::zeros({x.size(1), x.size(1)}, at::kDouble);
  for (std::int64_t first = 0; first < x.size(0); first += chunk) {
    const Tensor rows = x.narrow(0, first, std::min(chunk, x.size(0) - first)).to(at::kDouble) - mean;
    covariance.addmm_(rows.t(), rows);
  }
  return {mean, covariance / static_cast<double>(x.size(0))};
}

void refuse_missing(const Tensor& x, const std::string& what) {
  const Tensor gaps = x.isnan();
  if (!gaps.any().item<bool>()) return;
  const Tensor first = gaps.nonzero()[0];
  fail_data(what, fmt::format("expected no missing cells to whiten, got one at row {}, column {}; whitened "
                              "columns are mixtures of all",
                              first[0].item<std::int64_t>(), first[1].item<std::int64_t>()));
}

}  // namespace

void Transform::fit_onehot(const Tensor& x, const std::string& what) {
  for (std::int64_t j = 0; j < x.size(1); ++j) {
    const Tensor column = known_values(x.select(1, j));
    if (column.numel() == 0) fail_data(what, fmt::format("expected a known cell in column {}", j));
    if (!column.eq(column.round()).all().item<bool>())
      fail_data(what, fmt::format("expected whole numbers for onehot in column {}", j));
    const double low = column.min().item<double>(), high = column.max().item<double>();
    if (high - low > 1000)
      fail_data(what, fmt::format("expected at most 1001 values for onehot in column {}, got {} to {}", j,
                                  low, high));
    group_minimum.push_back(low);
    group_sizes.push_back(static_cast<std::int64_t>(high - low) + 1);
  }
}

void Transform::fit_standardise(const Tensor& x) {
  for (std::int64_t j = 0; j < x.size(1); ++j) {
    const Tensor column = known_values(x.select(1, j)).to(at::kDouble);
    const bool known = column.numel() > 0;
    const double sd = known ? column.std(false).item<double>() : 0;
    mean.push_back(known ? column.mean().item<double>() : 0);
    deviation.push_back(sd > 0 ? sd : 1);  // a constant column stays constant
  }
}

void Transform::fit_whiten(const Tensor& x, const std::string& what) {
  if (x.size(1) > most_whitened)
    fail_data(what, fmt::format("expected at most {} columns to whiten, got {}", most_whitened, x.size(1)));
  refuse_missing(x, what);
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
  if (dequantised) result += known.sum(1) * std::log(255.0 / 256.0);  // (255 grey + u) / 256
  if (!mean.empty()) result -= at::mv(known, at::tensor(deviation, at::kDouble).log());
  if (whitened()) result += log_determinant_;
  return result;
}

Tensor Transform::apply(const Tensor& x, const std::string& what, const Rng& rng) const {
  Tensor result = x;
  const std::size_t expected = !group_sizes.empty() ? group_sizes.size() : !mean.empty() ? mean.size() : 0;
  if (expected > 0 && x.size(1) != static_cast<std::int64_t>(expected))
    fail_data(what, fmt::format("expected {} columns for the transform, got {}", expected, x.size(1)));
  if (!group_sizes.empty()) {
    std::vector<Tensor> groups;
    for (std::size_t j = 0; j < group_sizes.size(); ++j) {
      const Tensor value = result.select(1, static_cast<std::int64_t>(j)) - group_minimum[j];
      const Tensor missing = value.isnan();  // a missing cell becomes a missing group
      const Tensor outside = at::logical_or(value<0, value> static_cast<double>(group_sizes[j] - 1));
      const Tensor bad =
          at::logical_and(at::logical_or(outside, value != value.round()), missing.logical_not());
      if (bad.any().item<bool>())
        fail_data(what,
                  fmt::format("column {} has a value that is not whole or was unseen in training at row {}",
                              j, bad.nonzero()[0].item<std::int64_t>()));
      const Tensor group = at::one_hot(at::nan_to_num(value, 0).to(at::kLong), group_sizes[j]).to(at::kFloat);
      groups.push_back(group.masked_fill(missing.unsqueeze(1), std::numeric_limits<float>::quiet_NaN()));
    }
    result = at::cat(groups, 1);
  }
  if (dequantised) {
    Rng own = rng;
    result = (result * 255 + uniform(result.size(0), result.size(1), own.next())) / 256;
  }
  if (!mean.empty()) result = (result - row_of(mean)) / row_of(deviation);
  if (whitened()) {
    if (x.size(1) != centre_.size(0))
      fail_data(what, fmt::format("expected {} columns to whiten, got {}", centre_.size(0), x.size(1)));
    refuse_missing(result, what);
    result = in_chunks(result, [&](const Tensor& rows) { return at::mm(rows - centre_, whitening_); });
  }
  return result.contiguous();
}

Tensor Transform::invert(const Tensor& x) const {
  Tensor result = x;
  if (whitened())
    result = in_chunks(result, [&](const Tensor& rows) { return at::mm(rows, colouring_) + centre_; });
  if (!mean.empty()) result = result * row_of(deviation) + row_of(mean);
  if (dequantised) result = (result * 256).floor().clamp(0, 255) / 255;
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
  return result;
}

nlohmann::ordered_json Transform::to_json() const {
  nlohmann::ordered_json json = nlohmann::ordered_json::object();
  if (dequantised) json["dequantise"] = true;
  if (!mean.empty()) json["standardise"] = {{"mean", mean}, {"deviation", deviation}};
  if (!group_sizes.empty()) json["onehot"] = {{"sizes", group_sizes}, {"minimum", group_minimum}};
  if (whitened()) json["whiten"] = {{"mean", list_of(centre_)}, {"matrix", list_of(whitening_)}};
  return json;
}

Transform Transform::from_json(const nlohmann::ordered_json& json) {
  Transform transform;
  transform.dequantised = json.value("dequantise", false);
  if (json.contains("standardise")) {
    transform.mean = json["standardise"].at("mean").get<std::vector<double>>();
    transform.deviation = json["standardise"].at("deviation").get<std::vector<double>>();
    if (transform.deviation.size() != transform.mean.size())
      fail_data("transform", "standardise means and deviations differ in number");
  }
  if (json.contains("onehot")) {
    transform.group_sizes = json["onehot"].at("sizes").get<std::vector<std::int64_t>>();
    transform.group_minimum = json["onehot"].at("minimum").get<std::vector<double>>();
    if (transform.group_minimum.size() != transform.group_sizes.size())
      fail_data("transform", "onehot sizes and minima differ in number");
  }
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
