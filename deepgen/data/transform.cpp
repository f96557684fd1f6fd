#include "deepgen/data/transform.h"

#include <fmt/format.h>

#include <cmath>
#include <limits>

#include "deepgen/core/error.h"
#include "deepgen/ops/binary_units.h"

namespace deepgen {
namespace {

Tensor row_of(const std::vector<double>& values) { return at::tensor(values, at::kDouble).to(at::kFloat); }

}  // namespace

void Transform::fit_onehot(const Tensor& x, const std::string& what) {
  for (std::int64_t j = 0; j < x.size(1); ++j) {
    const Tensor column = x.select(1, j);
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
    const Tensor column = x.select(1, j).to(at::kDouble);
    const double sd = column.std(false).item<double>();
    mean.push_back(column.mean().item<double>());
    deviation.push_back(sd > 0 ? sd : 1);  // a constant column stays constant
  }
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
  return result.contiguous();
}

Tensor Transform::invert(const Tensor& x) const {
  Tensor result = x;
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
  return transform;
}

}  // namespace deepgen
