#include "deepgen/tasks/draw_sums.h"

#include <limits>

#include "deepgen/data/memory.h"
#include "deepgen/ops/binary_units.h"

namespace deepgen {

void DrawSums::add(const Tensor& rows) {
  if (count_++ == 0) {
    first_ = rows;
    return;
  }
  if (count_ == 2) {
    first_ = first_.to(at::kDouble);
    sum_ = first_.clone(), squares_ = at::zeros_like(first_);
  }
  const Tensor wide = rows.to(at::kDouble);
  sum_ += wide;
  squares_ += (wide - first_).square();  // about the first draw: no large numbers cancel
}

Tensor DrawSums::mean() const {
  return (count_ > 1 ? sum_ : first_.to(at::kDouble)) / static_cast<double>(count_);
}

Tensor DrawSums::deviation() const {
  const Tensor centre = first_.to(at::kDouble);
  if (count_ == 1) return centre - centre;
  const double n = static_cast<double>(count_);
  const Tensor about_mean = squares_ - n * (mean() - centre).square();
  return (about_mean.clamp_min(0) / (n - 1)).sqrt();
}

DrawSums DrawSums::narrow(std::int64_t first, std::int64_t count) const {
  DrawSums some = *this;
  for (Tensor* each : {&some.first_, &some.sum_, &some.squares_})
    if (each->defined()) *each = each->narrow(0, first, count);
  return some;
}

namespace {

// Deviation of a number whose bins have these shares [N, bins], [N] float64.
Tensor deviation_in_bins(const NumberBins& bins, const Tensor& shares) {
  const double centre = bins.mean(0);
  Tensor mean = at::empty({bins.count()}, at::kDouble), square = at::empty_like(mean);
  for (std::int64_t bin = 0; bin < bins.count(); ++bin) {
    mean.data_ptr<double>()[bin] = bins.mean(bin) - centre;
    square.data_ptr<double>()[bin] = bins.mean_square(bin, centre);
  }
  const Tensor wide = shares.to(at::kDouble);
  return (wide.mv(square) - wide.mv(mean).square()).clamp_min(0).sqrt();
}

}  // namespace

Tensor table_spread(const TableSchema& table, const DrawSums& draws) {
  const Tensor share = draws.mean(), deviation = draws.deviation();
  std::vector<Tensor> columns;
  std::int64_t first = 0;
  for (const TableColumn& column : table.columns) {
    const std::int64_t width = column.value_width();
    if (column.kind == TableColumnKind::constant)
      columns.push_back(at::full({share.size(0)}, std::numeric_limits<double>::quiet_NaN(), at::kDouble));
    if (!column.bins.empty())
      columns.push_back(deviation_in_bins(column.bins, share.narrow(1, first, width)));
    else if (column.kind == TableColumnKind::real)
      columns.push_back(deviation.select(1, first) * column.deviation);
    if (column.kind == TableColumnKind::count) columns.push_back(deviation.select(1, first));
    if (column.kind == TableColumnKind::binary)
      columns.push_back(1 - at::maximum(share.select(1, first), 1 - share.select(1, first)));
    if (column.kind == TableColumnKind::categorical)
      columns.push_back(1 - std::get<0>(share.narrow(1, first, width).max(1)));
    first += column.width();
  }
  return at::stack(columns, 1);
}

Array drawn_table_values(const TableSchema& table, const Tensor& encoded, const Stream& stream,
                         std::int64_t first_row, bool beyond) {
  const Array cells = to_array(encoded.to(at::kFloat));
  const std::int64_t numbers = table.numbers_in_bins();
  if (numbers == 0) return table_values(table, cells, nullptr, beyond);
  const Array draws = to_array(uniform(encoded.size(0), numbers, stream, at::kCPU, first_row));
  return table_values(table, cells, &draws, beyond);
}

Tensor table_known(const TableSchema& table, const Tensor& x) {
  std::vector<Tensor> columns;
  std::int64_t first = 0;
  for (const TableColumn& column : table.columns) {
    if (column.kind == TableColumnKind::constant) columns.push_back(at::ones({x.size(0)}, at::kBool));
    if (column.modelled()) columns.push_back(x.select(1, first).isnan().logical_not());
    first += column.width();
  }
  return at::stack(columns, 1);
}

std::vector<std::int64_t> variable_sizes(const TableSchema& table) {
  std::vector<std::int64_t> sizes;
  for (const TableColumn& column : table.columns)
    if (column.modelled()) sizes.push_back(column.width());
  return sizes;
}

Tensor without_marks(const TableSchema& table, const Tensor& rows) {
  Tensor x = rows;
  std::int64_t first = 0;
  for (const TableColumn& column : table.columns) {
    if (column.modelled() && column.marks_missing) {
      if (x.is_same(rows)) x = rows.clone();
      x.select(1, first + column.value_width()).zero_();
    }
    first += column.width();
  }
  return x;
}

}  // namespace deepgen
