// Numbers of a table in bins.
#include <cmath>

#include "deepgen/data/files/table.h"

namespace deepgen {

void learn_table_bins(TableSchema& schema, const CsvCells& file, const std::vector<std::int64_t>& training) {
  for (std::size_t i = 0; i < schema.columns.size(); ++i) {
    TableColumn& about = schema.columns[i];
    if (about.kind != TableColumnKind::real) continue;
    std::vector<double> values = table_numbers(about, file, static_cast<std::int64_t>(i), training);
    std::erase_if(values, [](double value) { return !std::isfinite(value); });
    const auto known = static_cast<std::int64_t>(values.size());
    if (known > 0) about.bins = learn_number_bins(std::move(values), about.decimals, suitable_bins(known));
  }
}

}  // namespace deepgen
