// What kind a column of a table is, from its training cells.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>
#include <unordered_map>

#include "deepgen/core/error.h"
#include "deepgen/data/files/array_bytes.h"
#include "deepgen/data/files/csv_scanner.h"
#include "deepgen/data/files/labels.h"
#include "deepgen/data/files/table.h"
#include "deepgen/data/files/table_values.h"

namespace deepgen {
namespace {

constexpr std::size_t most_guessed_categories = 200;  // above that a text is rather a name than a category
constexpr std::size_t most_categories = 10000;        // stated ones: each is a column for the model
constexpr double most_guessed_count = 10000;          // larger whole numbers are rather measurements
constexpr std::int64_t nowhere = -1;

using Kind = TableColumnKind;

// What one pass over the training cells tells.
struct Facts {
  std::int64_t known = 0, missing = 0, numbers = 0;
  // Rows of the first cell that is text, infinite, no count, or a number that is no label.
  std::int64_t text = nowhere, infinite = nowhere, no_count = nowhere, no_label = nowhere;
  double low = 0, high = 0;
  int decimals = 0;
};

// Places after the point: 2 for "1.50", 4 for "1.5e-3".
int decimals_of(std::string_view text) {
  text = trimmed_cell(text);
  const std::size_t exponent_at = text.find_first_of("eE");
  const std::string_view mantissa = text.substr(0, exponent_at);
  const std::size_t point = mantissa.find('.');
  int places = point == mantissa.npos ? 0 : static_cast<int>(mantissa.size() - point - 1);
  if (exponent_at != text.npos) {
    std::string_view digits = text.substr(exponent_at + 1);
    if (digits.starts_with('+')) digits.remove_prefix(1);
    int exponent = 0;
    std::from_chars(digits.data(), digits.data() + digits.size(), exponent);
    places -= std::clamp(exponent, -400, 400);
  }
  return std::max(places, 0);
}

Facts look_at(const CsvCells& file, const std::vector<std::int64_t>& rows, std::int64_t column) {
  Facts facts;
  for (const std::int64_t row : rows) {
    const std::string_view cell = file.cell(row, column);
    if (is_missing_cell(cell)) {
      ++facts.missing;
      continue;
    }
    ++facts.known;
    const auto value = cell_number(cell);
    if (!value) {
      if (facts.text == nowhere) facts.text = row;
      continue;
    }
    if (!std::isfinite(*value) && facts.infinite == nowhere) facts.infinite = row;
    if (!is_count(*value) && facts.no_count == nowhere) facts.no_count = row;
    if (!is_label(*value) && facts.no_label == nowhere) facts.no_label = row;
    facts.low = facts.numbers == 0 ? *value : std::min(facts.low, *value);
    facts.high = facts.numbers == 0 ? *value : std::max(facts.high, *value);
    ++facts.numbers;
    facts.decimals = std::max(facts.decimals, decimals_of(cell));
  }
  return facts;
}

// One column while its kind is being found.
class Inference {
 public:
  Inference(const std::string& path, const CsvCells& file, const std::vector<std::int64_t>& rows,
            std::int64_t column, std::optional<Kind> stated)
      : path_(path), file_(file), rows_(rows), column_(column), stated_(stated) {
    result_.name = file.names[static_cast<std::size_t>(column)];
    if (stated_) result_.kind = *stated_;
  }

  TableColumn find() {
    if (stated_ == Kind::ignore || stated_ == Kind::weight || stated_ == Kind::sequence) return result_;
    facts_ = look_at(file_, rows_, column_);
    if (!rows_.empty())
      result_.missing = static_cast<double>(facts_.missing) / static_cast<double>(rows_.size());
    if (stated_ == Kind::labels) return labels();
    check_stated();
    find_values();
    decide();
    if (result_.kind == Kind::real || result_.kind == Kind::count) describe_numbers();
    return result_;
  }

 private:
  bool numeric() const { return facts_.text == nowhere; }

  [[noreturn]] void fail(std::int64_t row, const std::string& expected) const {
    fail_data(path_, fmt::format("{}: expected {}, got {}", table_place(file_, row, column_), expected,
                                 shown(file_.cell(row, column_))));
  }

  void check_stated() const {
    if ((stated_ == Kind::real || stated_ == Kind::count) && !numeric())
      fail(facts_.text, fmt::format("a number ({} is stated)", name_of(*stated_)));
    if (stated_ == Kind::count && facts_.no_count != nowhere)
      fail(facts_.no_count, "a whole number of 0 or more (count is stated)");
    if (stated_ != Kind::categorical && numeric() && facts_.infinite != nowhere)
      fail(facts_.infinite, "a finite number");
  }

  // The different values, sorted, each in the form of its first cell; and where the third came up.
  void find_values() {
    std::unordered_map<std::string, std::string> seen;
    for (const std::int64_t row : rows_) {
      const std::string_view cell = file_.cell(row, column_);
      if (is_missing_cell(cell)) continue;
      const bool added = seen.emplace(value_key(cell, numeric()), trimmed_cell(cell)).second;
      if (added && seen.size() == 3) third_ = row;
      if (seen.size() > most_categories) break;
    }
    for (auto& [key, text] : seen) result_.values.push_back(std::move(text));
    sort_values(result_.values, numeric());
  }

  void decide() {
    const std::size_t count = result_.values.size();
    if (count == 0 || (count == 1 && stated_ != Kind::count)) {
      result_.kind = Kind::constant;
      return;
    }
    if (stated_ == Kind::binary && count > 2) refuse_third();
    if (stated_ == Kind::categorical && count > most_categories)
      fail_data(path_, fmt::format("column '{}': expected at most {} categories, got more", result_.name,
                                   most_categories));
    if (stated_) return;
    if (count == 2)
      result_.kind = Kind::binary;
    else if (!numeric())
      check_categories(), result_.kind = Kind::categorical;
    else
      result_.kind =
          facts_.no_count == nowhere && facts_.high <= most_guessed_count ? Kind::count : Kind::real;
  }

  [[noreturn]] void refuse_third() const {
    std::vector<std::string> first;  // the two values that came before it
    for (const std::int64_t row : rows_) {
      const std::string text(trimmed_cell(file_.cell(row, column_)));
      if (is_missing_cell(text) || std::find(first.begin(), first.end(), text) != first.end()) continue;
      if (first.size() == 2) break;
      first.push_back(text);
    }
    fail(third_, fmt::format("{} or {} (binary is stated)", shown(first[0]), shown(first[1])));
  }

  void check_categories() const {
    const std::size_t count = result_.values.size();
    const bool all_differ = static_cast<std::int64_t>(count) == facts_.known;
    if (count <= most_guessed_categories && !all_differ) return;
    const std::string stray =
        2 * facts_.numbers > facts_.known
            ? fmt::format("; most of its cells are numbers, but line {} has {}", file_.line(facts_.text),
                          shown(file_.cell(facts_.text, column_)))
            : std::string();
    fail_data(path_, fmt::format("column '{0}': {1} in {2} cells, too many to be guessed as categories{3}; "
                                 "leave it out with ignore={0}, or state categorical={0}",
                                 result_.name,
                                 all_differ                ? fmt::format("{} different texts", count)
                                 : count > most_categories ? fmt::format("over {} texts", most_categories)
                                                           : fmt::format("{} texts", count),
                                 facts_.known, stray));
  }

  void describe_numbers() {
    result_.values.clear();
    result_.low = facts_.low, result_.high = facts_.high;
    if (result_.kind == Kind::count) return;
    result_.decimals = facts_.decimals;
    long double sum = 0, squares = 0;  // long: the squares of doubles fit
    const auto known = static_cast<long double>(facts_.known);
    each_number([&](long double value) { sum += value; });
    const long double mean = sum / known;
    each_number([&](long double value) { squares += (value - mean) * (value - mean); });
    result_.mean = static_cast<double>(mean);
    const auto deviation = static_cast<double>(std::sqrt(squares / known));
    result_.deviation = deviation > 0 ? deviation : 1;
  }

  template <class F>
  void each_number(F function) const {
    for (const std::int64_t row : rows_) {
      const auto value = cell_number(file_.cell(row, column_));
      if (value && !std::isnan(*value)) function(static_cast<long double>(*value));
    }
  }

  // Whole numbers are classes by themselves; texts are numbered in their order.
  TableColumn labels() {
    if (numeric() && facts_.no_label != nowhere) fail(facts_.no_label, expected_label);
    if (!numeric()) find_values();
    if (result_.values.size() > most_categories)
      fail_data(path_, fmt::format("column '{}': expected at most {} classes, got more", result_.name,
                                   most_categories));
    return result_;
  }

  const std::string& path_;
  const CsvCells& file_;
  const std::vector<std::int64_t>& rows_;
  const std::int64_t column_;
  const std::optional<Kind> stated_;
  Facts facts_;
  TableColumn result_;
  std::int64_t third_ = nowhere;
};

}  // namespace

TableColumn infer_column(const std::string& path, const CsvCells& file,
                         const std::vector<std::int64_t>& training, std::int64_t column,
                         std::optional<TableColumnKind> stated) {
  return Inference(path, file, training, column, stated).find();
}

TableSchema infer_table(const std::string& path, const CsvCells& file,
                        const std::vector<std::int64_t>& training, const StatedKinds& stated) {
  check_names(path, file);
  if (training.empty()) fail_data(path, "expected at least one training row, got none");
  TableSchema schema;
  for (std::int64_t column = 0; column < file.columns; ++column)
    schema.columns.push_back(
        infer_column(path, file, training, column, stated[static_cast<std::size_t>(column)]));
  if (schema.width() == 0)
    fail_data(path, "expected a column whose training cells differ, got only constant or ignored ones");
  return schema;
}

}  // namespace deepgen
