#include "deepgen/parts/likelihoods/likelihood.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "deepgen/core/error.h"
#include "deepgen/ops/layers.h"
#include "deepgen/ops/unit_layers.h"
#include "deepgen/parts/likelihoods/likelihood_checks.h"

namespace deepgen {
namespace {

// As if each value had been seen half a time more: no logit is infinite. Of the cells that are known.
Tensor smoothed_shares(const Tensor& x) {
  const Tensor known = x.isnan().logical_not();
  return (at::nan_to_num(x).sum(0, false, at::kDouble) + 0.5) / (known.sum(0, false, at::kDouble) + 1);
}

// Cells and logits for a sum of x_j a_j - log_partition(a): what is missing has the value 0 and, for all draws
// of its row, logits under which its log_partition is 0, and without a gradient.
struct GivenCells {
  Tensor logits, x;
};

GivenCells given_cells(const Tensor& logits, const Tensor& x, const Tensor& nothing) {
  const Tensor gaps = x.isnan();
  if (!gaps.any().item<bool>()) return {logits, x};
  const Tensor by_case = logits.reshape({x.size(0), -1, x.size(1)});
  return {at::where(gaps.unsqueeze(1), nothing, by_case).reshape(logits.sizes()), at::nan_to_num(x)};
}

constexpr float no_chance = -1000;  // a logit whose exponential is 0

Tensor no_value(const Tensor& x) { return at::logical_and(at::logical_and(x != 0, x != 1), x == x); }

class Bernoulli : public Likelihood {
 public:
  explicit Bernoulli(std::int64_t columns) : columns_(columns) {}
  std::int64_t width() const override { return columns_; }
  std::int64_t columns() const override { return columns_; }
  Tensor log_prob(const Tensor& logits, const Tensor& x) const override {
    const GivenCells known = given_cells(logits, x, at::full({columns_}, no_chance));
    return bernoulli_log_prob(known.logits, known.x);
  }
  Tensor mean(const Tensor& logits) const override { return activate(logits, Activation::sigmoid); }
  Tensor sample(const Tensor& logits, Rng& rng) const override {
    Tensor bits = at::empty(logits.sizes());
    binary_layer(logits.contiguous(), {}, 1, rng.next(), {.sample = bits});
    return bits;
  }
  Tensor marginals(const Tensor& x) const override { return smoothed_shares(x).logit().to(at::kFloat); }
  void check(const Tensor& x, const std::string& what, std::int64_t first_row,
             std::int64_t first_column) const override {
    likelihood_checks::columns(x, columns_, what);
    likelihood_checks::refuse(x, no_value(x), what, {first_row, first_column},
                              "0 or 1 in every cell (binarise grey data with the data's option binarize)");
  }

 private:
  std::int64_t columns_;
};

class Categorical : public Likelihood {
 public:
  Categorical(const std::vector<std::int64_t>& sizes, std::string hint)
      : sizes_(sizes), hint_(std::move(hint)) {
    std::vector<std::int64_t> ends = {0};
    for (const std::int64_t size : sizes) ends.push_back(ends.back() + size);
    columns_ = ends.back();
    offsets_ = at::tensor(ends, at::kLong);
    nothing_ = at::full({columns_}, no_chance);  // but one
    for (const std::int64_t first : ends)
      if (first < columns_) nothing_[first] = 0;
  }
  std::int64_t width() const override { return columns_; }
  std::int64_t columns() const override { return columns_; }
  Tensor log_prob(const Tensor& logits, const Tensor& x) const override {
    const GivenCells known = given_cells(logits, x, nothing_);
    return categorical_log_prob(known.logits, known.x, offsets_);
  }
  Tensor mean(const Tensor& logits) const override {
    Tensor shares = at::empty(logits.sizes());
    softmax_layer(logits.contiguous(), {}, offsets_, 1, {}, {.mean = shares});
    return shares;
  }
  Tensor sample(const Tensor& logits, Rng& rng) const override {
    Tensor chosen = at::empty(logits.sizes());
    softmax_layer(logits.contiguous(), {}, offsets_, 1, rng.next(), {.sample = chosen});
    return chosen;
  }
  Tensor marginals(const Tensor& x) const override { return smoothed_shares(x).log().to(at::kFloat); }
  void check(const Tensor& x, const std::string& what, std::int64_t first_row,
             std::int64_t first_column) const override {
    likelihood_checks::columns(x, columns_, what);
    likelihood_checks::refuse(x, no_value(x), what, {first_row, first_column},
                              "one category on in every group");
    std::int64_t first = 0;
    for (const std::int64_t size : sizes_) {
      const Tensor group = x.narrow(1, first, size);
      const Tensor wrong = at::logical_and(group.sum(1, true) != 1, group.isnan().all(1, true).logical_not());
      likelihood_checks::refuse(
          x.narrow(1, first, 1), wrong, what, {first_row, first_column + first},
          fmt::format("exactly one of the categories of the group of columns {} to {} to be on{}",
                      first_column + first, first_column + first + size - 1, hint_));
      first += size;
    }
  }

 private:
  std::vector<std::int64_t> sizes_;
  std::string hint_;
  std::int64_t columns_ = 0;
  Tensor offsets_;
  Tensor nothing_;  // [D]: logits whose partition function is 1 in every group
};

// Parts side by side, each with its own columns and its own share of the parameters.
class Joint : public Likelihood {
 public:
  explicit Joint(std::vector<std::shared_ptr<Likelihood>> parts) : parts_(std::move(parts)) {
    for (std::size_t i = 0; i < parts_.size(); ++i) {
      register_module(fmt::format("part{}", i), parts_[i]);
      width_ += parts_[i]->width(), columns_ += parts_[i]->columns();
    }
  }
  std::int64_t width() const override { return width_; }
  std::int64_t columns() const override { return columns_; }
  void start(const Tensor& x) override {
    std::int64_t first = 0;
    for (const auto& part : parts_)
      part->start(x.narrow(1, first, part->columns())), first += part->columns();
  }
  Tensor log_prob(const Tensor& parameters, const Tensor& x) const override {
    Tensor sum;
    each([&](const Likelihood& part, std::int64_t column, std::int64_t parameter) {
      const Tensor value =
          part.log_prob(parameters.narrow(1, parameter, part.width()), x.narrow(1, column, part.columns()));
      sum = sum.defined() ? sum + value : value;
    });
    return sum;
  }
  Tensor mean(const Tensor& parameters) const override {
    return joined(parameters, [](const Likelihood& part, const Tensor& some) { return part.mean(some); });
  }
  Tensor sample(const Tensor& parameters, Rng& rng) const override {
    return joined(parameters,
                  [&](const Likelihood& part, const Tensor& some) { return part.sample(some, rng); });
  }
  Tensor marginals(const Tensor& x) const override {
    std::vector<Tensor> all;
    each([&](const Likelihood& part, std::int64_t column, std::int64_t) {
      all.push_back(part.marginals(x.narrow(1, column, part.columns())));
    });
    return at::cat(all);
  }
  Tensor input_of(const Tensor& x) const override {
    std::vector<Tensor> all;
    each([&](const Likelihood& part, std::int64_t column, std::int64_t) {
      all.push_back(part.input_of(x.narrow(1, column, part.columns())));
    });
    return at::cat(all, 1);
  }
  bool bounded() const override {
    bool all = true;
    for (const auto& part : parts_) all = all && part->bounded();
    return all;
  }
  void check(const Tensor& x, const std::string& what, std::int64_t first_row,
             std::int64_t first_column) const override {
    likelihood_checks::columns(x, columns_, what);
    each([&](const Likelihood& part, std::int64_t column, std::int64_t) {
      part.check(x.narrow(1, column, part.columns()), what, first_row, first_column + column);
    });
  }

 private:
  template <class Body>
  void each(Body body) const {
    std::int64_t column = 0, parameter = 0;
    for (const auto& part : parts_) {
      body(*part, column, parameter);
      column += part->columns(), parameter += part->width();
    }
  }
  template <class F>
  Tensor joined(const Tensor& parameters, F function) const {
    std::vector<Tensor> all;
    each([&](const Likelihood& part, std::int64_t, std::int64_t parameter) {
      all.push_back(function(part, parameters.narrow(1, parameter, part.width())));
    });
    return at::cat(all, 1);
  }
  std::vector<std::shared_ptr<Likelihood>> parts_;
  std::int64_t width_ = 0, columns_ = 0;
};

// The likelihood of groups of columns, neighbours of one kind together.
std::shared_ptr<Likelihood> of_groups(const std::string& who, const std::vector<ColumnGroup>& groups,
                                      double smallest_deviation) {
  std::vector<std::shared_ptr<Likelihood>> parts;
  for (std::size_t i = 0; i < groups.size();) {
    const ColumnGroup& first = groups[i];
    std::vector<std::int64_t> sizes;
    for (; i < groups.size() && groups[i].kind == first.kind; ++i) sizes.push_back(groups[i].size);
    const std::int64_t columns = std::accumulate(sizes.begin(), sizes.end(), std::int64_t{0});
    switch (first.kind) {
      case ColumnKind::binary:
        parts.push_back(bernoulli_likelihood(columns));
        break;
      case ColumnKind::softmax:
        parts.push_back(categorical_likelihood(sizes));
        break;
      case ColumnKind::gaussian:
      case ColumnKind::mean_field:
        parts.push_back(gaussian_likelihood(columns, smallest_deviation));
        break;
      case ColumnKind::count:
        fail_data(who, fmt::format("expected binary, categorical or real columns, got {} columns from column "
                                   "{} of the encoded table; model.decoder=gaussian takes counts as reals",
                                   name_of(first.kind), first.first));
    }
  }
  return parts.size() == 1 ? parts.front() : joint_likelihood(std::move(parts));
}

bool all_of_kind(const std::vector<ColumnGroup>& groups, ColumnKind kind) {
  return std::all_of(groups.begin(), groups.end(), [&](const ColumnGroup& g) { return g.kind == kind; });
}

}  // namespace

namespace likelihood_checks {

void columns(const Tensor& x, std::int64_t wanted, const std::string& what) {
  if (x.dim() != 2 || x.size(1) != wanted)
    fail_data(what, fmt::format("expected rows of {} columns, got {}", wanted, x.dim() == 2 ? x.size(1) : 0));
}

void refuse(const Tensor& x, const Tensor& bad, const std::string& what, const Corner& from,
            const std::string& expected) {
  if (!bad.any().item<bool>()) return;
  const Tensor first = bad.nonzero()[0];
  const std::int64_t row = first[0].item<std::int64_t>(), column = first[1].item<std::int64_t>();
  const float value = x[row][column].item<float>();
  fail_data(what, fmt::format("expected {}, got {} at row {}, column {}", expected,
                              std::isnan(value) ? "a missing cell" : fmt::format("{}", value), from.row + row,
                              from.column + column));
}

}  // namespace likelihood_checks

std::shared_ptr<Likelihood> bernoulli_likelihood(std::int64_t columns) {
  return std::make_shared<Bernoulli>(columns);
}

std::shared_ptr<Likelihood> categorical_likelihood(const std::vector<std::int64_t>& group_sizes,
                                                   const std::string& hint) {
  return std::make_shared<Categorical>(group_sizes, hint);
}

std::shared_ptr<Likelihood> joint_likelihood(std::vector<std::shared_ptr<Likelihood>> parts) {
  return std::make_shared<Joint>(std::move(parts));
}

DataShape in_one_hot_groups(const std::string& who, const DataShape& data, std::int64_t group) {
  const bool says = !data.groups.empty() && !all_of_kind(data.groups, ColumnKind::binary);
  if (says && all_of_kind(data.groups, ColumnKind::softmax)) return data;
  if (says)
    fail_data(who,
              "expected categories alone for the categorical decoder, got columns of other kinds; "
              "model.decoder=auto gives each column its own");
  if (data.values != ValueKind::binary && data.values != ValueKind::categorical && data.groups.empty())
    fail_data(who,
              fmt::format("expected columns of 0 and 1 in one-hot groups for the categorical decoder, got "
                          "{} values",
                          name_of(data.values)));
  if (group < 2 || data.columns % group != 0)
    fail_usage("model.group", fmt::format("expected groups of 2 or more that divide {} columns, got {}",
                                          data.columns, group));
  DataShape grouped = data;
  grouped.values = ValueKind::categorical;
  grouped.groups.clear();
  for (std::int64_t first = 0; first < data.columns; first += group)
    grouped.groups.push_back({ColumnKind::softmax, first, group});
  return grouped;
}

std::shared_ptr<Likelihood> likelihood_for(const std::string& who, const std::string& kind,
                                           const DataShape& data, std::int64_t group,
                                           double smallest_deviation) {
  if (kind == "bernoulli") return bernoulli_likelihood(data.columns);
  if (kind == "gaussian") return gaussian_likelihood(data.columns, smallest_deviation);
  if (kind == "logistic") return logistic_likelihood(data.columns);
  if (kind == "categorical") {
    std::vector<std::int64_t> sizes;
    for (const ColumnGroup& each : in_one_hot_groups(who, data, group).groups) sizes.push_back(each.size);
    const bool known = !data.groups.empty() && all_of_kind(data.groups, ColumnKind::softmax);
    return categorical_likelihood(sizes, known ? "" : " (model.group: columns of a group)");
  }
  if (data.groups.empty() && data.values == ValueKind::grey) return logistic_likelihood(data.columns);
  return of_groups(who, data.column_groups(), smallest_deviation);
}

}  // namespace deepgen
