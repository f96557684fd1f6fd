#include "deepgen/models/adversarial/generated_cases.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "deepgen/core/error.h"
#include "deepgen/ops/kernel_rows.h"
#include "deepgen/ops/unit_layers.h"
#include "deepgen/parts/checks/check_cells.h"

namespace deepgen {
namespace {

// Of all columns together; mixed: each has its own.
ValueKind generated_values(const std::string& model, const DataShape& data) {
  const auto all = [&](std::initializer_list<ColumnKind> kinds) {
    return std::all_of(data.groups.begin(), data.groups.end(), [&](const ColumnGroup& group) {
      return std::find(kinds.begin(), kinds.end(), group.kind) != kinds.end();
    });
  };
  if (!data.groups.empty()) {
    if (all({ColumnKind::binary})) return ValueKind::binary;
    if (all({ColumnKind::gaussian, ColumnKind::mean_field})) return ValueKind::real;
    if (!all({ColumnKind::binary, ColumnKind::softmax, ColumnKind::gaussian, ColumnKind::mean_field}))
      fail_data(model, "expected binary, softmax, gaussian or mean_field columns, got count columns");
    return ValueKind::mixed;
  }
  if (data.values == ValueKind::binary || data.values == ValueKind::grey || data.values == ValueKind::real)
    return data.values;
  fail_data(model, fmt::format("expected binary, grey or real values, got {} ones", name_of(data.values)));
}

// exp(s a_j) / sum_k exp(s a_k) within the groups of columns that begin at `offsets`; gradients flow to a:
//
//   da_j = s x_j (dx_j - sum_k x_k dx_k)
class SoftmaxOfGroups : public torch::autograd::Function<SoftmaxOfGroups> {
 public:
  static Tensor forward(torch::autograd::AutogradContext* context, const Tensor& given, const Tensor& offsets,
                        double sharpness) {
    const Tensor a = given.contiguous();
    Tensor x = at::empty_like(a);
    softmax_layer(a, {}, offsets, sharpness, {}, {.mean = x});
    context->save_for_backward({x, offsets});
    context->saved_data["sharpness"] = sharpness;
    return x;
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 torch::autograd::variable_list gradients) {
    const torch::autograd::variable_list saved = context->get_saved_variables();
    const Tensor &x = saved[0], &offsets = saved[1];
    const Tensor g = gradients[0].contiguous();
    Tensor out = at::empty_like(g);
    const Pass pass{x.data_ptr<float>(),
                    g.data_ptr<float>(),
                    out.data_ptr<float>(),
                    offsets.data_ptr<std::int64_t>(),
                    offsets.size(0) - 1,
                    x.size(1),
                    static_cast<float>(context->saved_data["sharpness"].toDouble())};
    for_rows(&SoftmaxOfGroups::through, pass, x.size(0), 2 * static_cast<double>(x.size(1)));
    return {out, Tensor(), Tensor()};
  }

 private:
  struct Pass {
    const float *x, *g;
    float* out;
    const std::int64_t* offsets;
    std::int64_t groups, columns;
    float sharpness;
  };
  static void through(const Pass& pass, std::int64_t begin, std::int64_t end) {
    for (std::int64_t r = begin; r < end; ++r) {
      const float *x = pass.x + r * pass.columns, *g = pass.g + r * pass.columns;
      float* out = pass.out + r * pass.columns;
      for (std::int64_t group = 0; group < pass.groups; ++group) {
        const std::int64_t first = pass.offsets[group], last = pass.offsets[group + 1];
        float mean = 0;
        for (std::int64_t j = first; j < last; ++j) mean += x[j] * g[j];
        for (std::int64_t j = first; j < last; ++j) out[j] = pass.sharpness * x[j] * (g[j] - mean);
      }
    }
  }
};

Tensor column_numbers(const std::vector<std::int64_t>& columns) { return at::tensor(columns, at::kLong); }

// rows [B, D] with some of its columns replaced by f of them.
template <class F>
Tensor with_columns(const Tensor& rows, const Tensor& columns, F f) {
  if (columns.size(0) == 0) return rows;
  return rows.index_copy(1, columns, f(rows.index_select(1, columns)));
}

}  // namespace

// ---------------------------------------------------------------- columns

GeneratedCases::GeneratedCases(const std::string& model, const DataShape& data)
    : model_(model), values_(generated_values(model, data)), units_(UnitLayer::of(data.column_groups())) {
  std::vector<std::int64_t> bits, shares, categories, offsets;
  for (const ColumnGroup& group : data.column_groups()) {
    if (group.kind == ColumnKind::softmax) offsets.push_back(static_cast<std::int64_t>(categories.size()));
    for (std::int64_t j = group.first; j < group.first + group.size; ++j) {
      kinds_.push_back(group.kind);
      if (group.kind == ColumnKind::binary) bits.push_back(j);
      if (group.kind == ColumnKind::mean_field) shares.push_back(j);
      if (group.kind == ColumnKind::softmax) categories.push_back(j);
    }
  }
  offsets.push_back(static_cast<std::int64_t>(categories.size()));
  bits_ = column_numbers(bits), shares_ = column_numbers(shares);
  categories_ = column_numbers(categories), offsets_ = column_numbers(offsets);
  drawn_ = at::logical_or(units_.columns_of(UnitKind::binary), units_.columns_of(UnitKind::softmax));
}

Activation GeneratedCases::last_activation() const {
  return values_ == ValueKind::binary || values_ == ValueKind::grey ? Activation::sigmoid
                                                                    : Activation::identity;
}

Tensor GeneratedCases::bias_at(const Tensor& x) const {
  const Tensor mean = x.to(at::kDouble).mean(0);
  if (values_ == ValueKind::real) return mean;
  const Tensor log_odds = mean.clamp(0.01, 0.99).logit();
  if (plain()) return log_odds;
  Tensor bias = at::where(units_.columns_of(UnitKind::softmax), mean.clamp_min(1e-3).log(), log_odds);
  return at::where(units_.columns_of(UnitKind::gaussian), mean, bias);
}

void GeneratedCases::check(const Tensor& x, const std::string& what, std::int64_t first_row) const {
  const bool unit_interval = values_ == ValueKind::binary || values_ == ValueKind::grey;
  check_cells(x, units_.size(), unit_interval, model_, what, first_row);
  if (!plain()) units_.check(x, model_, what, first_row);
}

// ---------------------------------------------------------------- cases

// Not torch's logarithms, whose loops round the last elements of a thread's share differently.
Tensor GeneratedCases::noise(std::int64_t rows, Stream stream) const {
  constexpr float smallest = 1e-9F;  // uniform numbers begin at 0; the next one is 6e-8
  const std::int64_t columns = units_.size();
  Tensor noise = uniform(rows, columns, stream);
  float* const all = noise.data_ptr<float>();
  parallel_ranges(rows, 15 * static_cast<double>(columns), 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t r = begin; r < end; ++r)
      for (std::int64_t j = 0; j < columns; ++j) {
        float& cell = all[r * columns + j];
        const float u = std::max(cell, smallest);
        const ColumnKind kind = kinds_[static_cast<std::size_t>(j)];
        if (kind == ColumnKind::softmax)
          cell = -std::log(-std::log(u));
        else
          cell = kind == ColumnKind::binary ? std::log(u) - std::log1p(-u) : 0;
      }
  });
  return noise;
}

Tensor GeneratedCases::shaped(const Tensor& a, double sharpness) const {
  const auto sigmoid = [](double scale) {
    return [scale](const Tensor& part) { return activate(part * scale, Activation::sigmoid); };
  };
  Tensor x = with_columns(a, bits_, sigmoid(sharpness));
  x = with_columns(x, shares_, sigmoid(1));
  return with_columns(x, categories_,
                      [&](const Tensor& part) { return SoftmaxOfGroups::apply(part, offsets_, sharpness); });
}

Tensor GeneratedCases::mean(const Tensor& a) const { return plain() ? a : shaped(a, 1); }

Tensor GeneratedCases::relaxed(const Tensor& a, double temperature, Rng& rng) const {
  return plain() ? a : shaped(a + noise(a.size(0), rng.next()), 1 / temperature);
}

Tensor GeneratedCases::sample(const Tensor& a, Rng& rng) const {
  if (values_ == ValueKind::binary) return (a >= 0.5).to(at::kFloat);
  return plain() ? a : at::where(drawn_, units_.sample(a, {}, rng), mean(a));
}

}  // namespace deepgen
