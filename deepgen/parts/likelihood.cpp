#include "deepgen/parts/likelihood.h"

#include <fmt/format.h>

#include "deepgen/core/error.h"
#include "deepgen/ops/binary_units.h"
#include "deepgen/ops/layers.h"

namespace deepgen {
namespace {

[[noreturn]] void refuse(const Tensor& x, const Tensor& bad, const std::string& what, std::int64_t first_row,
                         const std::string& expected) {
  const Tensor first = bad.nonzero()[0];
  const std::int64_t row = first[0].item<std::int64_t>(), column = first[1].item<std::int64_t>();
  const float value = x[row][column].item<float>();
  fail_data(what, fmt::format("expected {}, got {} at row {}, column {}", expected,
                              std::isnan(value) ? "a missing cell" : fmt::format("{}", value),
                              first_row + row, column));
}

void check_columns(const Tensor& x, std::int64_t columns, const std::string& what) {
  if (x.dim() != 2 || x.size(1) != columns)
    fail_data(what,
              fmt::format("expected rows of {} columns, got {}", columns, x.dim() == 2 ? x.size(1) : 0));
}

class Bernoulli : public Likelihood {
 public:
  explicit Bernoulli(std::int64_t columns) : columns_(columns) {}
  std::int64_t width() const override { return columns_; }
  Tensor log_prob(const Tensor& logits, const Tensor& x) const override {
    return bernoulli_log_prob(logits, x);
  }
  Tensor mean(const Tensor& logits) const override {
    Tensor mean = at::empty_like(logits);
    binary_layer(logits, {}, 1, {}, {.mean = mean});
    return mean;
  }
  Tensor sample(const Tensor& logits, Rng& rng) const override {
    Tensor bits = at::empty_like(logits);
    binary_layer(logits, {}, 1, rng.next(), {.sample = bits});
    return bits;
  }
  Tensor marginals(const Tensor& x) const override {
    // As if each value had been seen half a time more: no logit is infinite.
    const double rows = static_cast<double>(x.size(0));
    const Tensor share = (x.sum(0, false, at::kDouble) + 0.5) / (rows + 1);
    return share.logit().to(at::kFloat);
  }
  void check(const Tensor& x, const std::string& what, std::int64_t first_row) const override {
    check_columns(x, columns_, what);
    const Tensor bad = at::logical_and(x != 0, x != 1);
    if (!bad.any().item<bool>()) return;
    refuse(x, bad, what, first_row,
           "0 or 1 in every cell (binarise grey data with the data's option binarize; fill gaps first)");
  }

 private:
  std::int64_t columns_;
};

}  // namespace

std::shared_ptr<Likelihood> bernoulli_likelihood(std::int64_t columns) {
  return std::make_shared<Bernoulli>(columns);
}

}  // namespace deepgen
