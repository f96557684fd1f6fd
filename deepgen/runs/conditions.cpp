#include "deepgen/runs/conditions.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "deepgen/core/error.h"
#include "deepgen/data/files/csv_scanner.h"
#include "deepgen/tasks/draw_sums.h"
#include "deepgen/tasks/tasks.h"

namespace deepgen {
namespace {

constexpr double anywhere = std::numeric_limits<double>::infinity();

// "a=1,b=x,y" at its commas; one before which no new condition begins belongs to the value.
std::vector<std::string> pieces_of(const std::string& text, const TableSchema& table) {
  const auto begins = [&](std::string_view rest) {
    return std::any_of(table.columns.begin(), table.columns.end(), [&](const TableColumn& column) {
      return rest.starts_with(column.name) && rest.size() > column.name.size() &&
             std::string_view("=<>").find(rest[column.name.size()]) != std::string_view::npos;
    });
  };
  std::vector<std::string> pieces(1);
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == ',' && begins(std::string_view(text).substr(i + 1)))
      pieces.emplace_back();
    else
      pieces.back() += text[i];
  }
  return pieces;
}

// The column with the longest name that the condition begins with.
std::size_t column_of(const std::string& piece, const TableSchema& table) {
  std::size_t best = table.columns.size(), length = 0;
  std::vector<std::string> names;
  for (std::size_t i = 0; i < table.columns.size(); ++i) {
    const std::string& name = table.columns[i].name;
    if (table.columns[i].modelled()) names.push_back(name);
    if (!piece.starts_with(name) || piece.size() <= name.size() || name.size() < length) continue;
    if (std::string_view("=<>").find(piece[name.size()]) == std::string_view::npos) continue;
    best = i, length = name.size();
  }
  if (best < table.columns.size() && table.columns[best].modelled()) return best;
  fail_usage("--given", unknown_name("column", piece.substr(0, piece.find_first_of("=<>")), names));
}

double number_of(const TableColumn& column, const std::string& text) {
  const auto value = column.format.parse(text);
  if (!column.is_number() || !value || !std::isfinite(*value))
    fail_usage("--given",
               fmt::format("expected {} as a bound of '{}', got '{}'",
                           column.is_number() ? "a number" : "a number or date column", column.name, text));
  return *value;
}

Condition condition_of(const std::string& piece, const TableSchema& table) {
  Condition condition{.column = column_of(piece, table), .value = {}, .low = -anywhere, .high = anywhere};
  const TableColumn& column = table.columns[condition.column];
  std::string rest = piece.substr(column.name.size());
  if (rest[0] == '=') {
    condition.value = rest.substr(1);
    const std::size_t dots = column.is_number() ? condition.value.find("..") : std::string::npos;
    if (dots == std::string::npos) return condition;
    condition.exact = false;
    condition.low = number_of(column, condition.value.substr(0, dots));
    condition.high = number_of(column, condition.value.substr(dots + 2));
    return condition;
  }
  const bool above = rest[0] == '>', included = rest.size() > 1 && rest[1] == '=';
  const double bound = number_of(column, rest.substr(included ? 2 : 1));
  condition.exact = false;
  const double next = std::nextafter(bound, above ? anywhere : -anywhere);
  (above ? condition.low : condition.high) = included ? bound : next;
  return condition;
}

// One row of the file with the given cells and no others.
Tensor given_row(const std::vector<Condition>& conditions, const TableSchema& table) {
  std::vector<std::string> names, cells(table.columns.size());
  for (const TableColumn& column : table.columns) names.push_back(column.name);
  for (const Condition& condition : conditions)
    if (condition.exact) cells[condition.column] = condition.value;
  std::string text = table_csv_header(names);
  for (std::size_t i = 0; i < cells.size(); ++i) text += (i > 0 ? "," : "") + quoted_cell(cells[i]);
  if (cells.size() == 1 && cells[0].empty()) text += "\"\"";
  CellHints hints;
  hints.separator = ',';
  const CsvCells file = parse_csv_cells("--given", text + "\n", Header::yes, {}, hints);
  Tensor x = to_tensor(encode_table(table, "--given", file, match_columns(table, "--given", file), {0}));
  std::int64_t first = 0;
  for (std::size_t i = 0; i < table.columns.size(); ++i) {
    const TableColumn& column = table.columns[i];
    const auto told = std::find_if(conditions.begin(), conditions.end(),
                                   [&](const Condition& condition) { return condition.column == i; });
    if (told != conditions.end() && told->exact && std::isnan(x[0][first].item<float>()))
      fail_usage("--given", fmt::format("expected a value of '{}', got '{}', which stands for a missing cell",
                                        column.name, told->value));
    if (told != conditions.end() && column.marks_missing) x.select(1, first + column.value_width()).zero_();
    first += column.width();
  }
  return x;
}

// What table_values must be in a column: within a range, or one number in place of a draw of its bin.
struct Demand {
  std::int64_t place;
  bool exact;
  double low, high;
};

std::vector<Demand> demands_of(const std::vector<Condition>& conditions, const TableSchema& table) {
  std::vector<Demand> demands;
  std::int64_t place = 0;
  for (std::size_t i = 0; i < table.columns.size(); ++i) {
    const TableColumn& column = table.columns[i];
    for (const Condition& condition : conditions) {
      if (condition.column != i) continue;
      if (!condition.exact)
        demands.push_back({place, false, condition.low, condition.high});
      else if (column.is_number())
        demands.push_back({place, true, *column.format.parse(condition.value), 0});
    }
    if (column.written()) ++place;
  }
  return demands;
}

// The rows that fit.
Tensor fitting(Tensor values, const std::vector<Demand>& demands) {
  Tensor fits = at::ones({values.size(0)}, at::kBool);
  for (const Demand& demand : demands) {
    Tensor column = values.select(1, demand.place);
    if (demand.exact)
      column.fill_(demand.low);
    else
      fits = fits.logical_and(column >= demand.low).logical_and(column <= demand.high);
  }
  return values.index_select(0, fits.nonzero().squeeze(1));
}

}  // namespace

std::vector<Condition> parse_conditions(const std::string& text, const TableSchema& table) {
  std::vector<Condition> conditions;
  for (const std::string& piece : pieces_of(text, table)) {
    conditions.push_back(condition_of(piece, table));
    for (std::size_t i = 0; i + 1 < conditions.size(); ++i)
      if (conditions[i].column == conditions.back().column)
        fail_usage("--given", fmt::format("expected one condition on '{}', got two; a range is {}=LOW..HIGH",
                                          table.columns[conditions[i].column].name,
                                          table.columns[conditions[i].column].name));
  }
  return conditions;
}

ConditionalDraws draw_given(const OpenRun& run, const std::vector<Condition>& conditions, std::int64_t count,
                            std::int64_t steps, std::uint64_t seed, Observer& observer,
                            const std::function<void(const Tensor& values)>& sink, bool beyond) {
  constexpr double fewest = 1e-4;                      // share of the draws
  constexpr std::int64_t most_rows = 10 * draw_block;  // at a time
  const TableSchema& table = run.learnt.table;
  const Tensor row = given_row(conditions, table);
  const std::vector<Demand> demands = demands_of(conditions, table);
  const auto groups = table.groups();
  Rng rng(seed);
  const Stream within = rng.fork({0xB175}).next();
  ConditionalDraws draws;
  while (draws.kept < count) {
    const double share =
        draws.drawn == 0 ? 1 : static_cast<double>(draws.fitting + 1) / static_cast<double>(draws.drawn);
    if (draws.drawn > 0 && share < fewest)
      fail_numerical("--given",
                     fmt::format("{} of {} draws fit the conditions: too few to go on; give fewer, or "
                                 "wider ranges",
                                 draws.fitting, draws.drawn));
    const auto wanted = static_cast<std::int64_t>(1.1 * static_cast<double>(count - draws.kept) / share) + 1;
    const std::int64_t some = std::min(draws.drawn == 0 ? count : wanted, most_rows);
    const Tensor cells = row.expand({some, row.size(1)}).contiguous();
    const Tensor drawn = complete_rows(*run.model, Rows(cells), steps, rng, observer, groups);
    const Tensor values =
        fitting(to_tensor(drawn_table_values(table, drawn, within, draws.drawn, beyond)), demands);
    const std::int64_t wanted_rows = std::min(values.size(0), count - draws.kept);
    if (wanted_rows > 0) sink(values.narrow(0, 0, wanted_rows));
    draws.drawn += some, draws.kept += wanted_rows, draws.fitting += values.size(0);
  }
  return draws;
}

}  // namespace deepgen
