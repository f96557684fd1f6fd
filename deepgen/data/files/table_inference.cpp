// What kind a column of a table is, from its cells.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "deepgen/core/error.h"
#include "deepgen/data/files/array_bytes.h"
#include "deepgen/data/files/column_facts.h"
#include "deepgen/data/files/csv_scanner.h"
#include "deepgen/data/files/labels.h"
#include "deepgen/data/files/table.h"
#include "deepgen/data/files/table_values.h"
#include "deepgen/data/files/usual_orders.h"

namespace deepgen {
namespace {

constexpr std::size_t most_guessed_categories = 200;  // above that a text is rather a name than a category

using Kind = TableColumnKind;

// What is wrong with a column: without the file's name.
struct BadColumn {
  std::string message;
};

std::string lower_case_name(std::string name) {
  for (char& c : name)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return name;
}

// id, customer_id, CustomerID, index, uuid, ...
bool is_named_as_identifier(const std::string& name) {
  const std::string lower = lower_case_name(name);
  for (const char* whole : {"id", "ids", "index", "idx", "uuid", "guid", "rowid", "row", "unnamed: 0", ""})
    if (lower == whole) return true;
  for (const char* end : {"_id", " id", ".id", "-id", "_uuid", "_index"})
    if (lower.ends_with(end)) return true;
  return name.size() > 2 && (name.ends_with("Id") || name.ends_with("ID"));
}

// Whether the numbers count the rows from 0 or 1.
bool counts_rows(const ColumnFacts& facts, const DistinctCells& cells, std::int64_t rows) {
  constexpr std::int64_t least = 20;
  if (rows < least) return false;
  const auto number = [&](std::int64_t row) {
    return facts.numbers[static_cast<std::size_t>(cells.number(row))];
  };
  const double start = number(0);
  if (start != 0 && start != 1) return false;
  for (std::int64_t row = 0; row < rows; ++row)
    if (!std::isnan(number(row)) && number(row) != start + static_cast<double>(row)) return false;
  return true;
}

bool all_differ(const ColumnFacts& facts) {
  std::vector<double> numbers;
  for (std::size_t i = 0; i < facts.numbers.size(); ++i) {
    if (std::isnan(facts.numbers[i])) continue;
    if (facts.rows[i] > 1) return false;
    numbers.push_back(facts.numbers[i]);
  }
  std::sort(numbers.begin(), numbers.end());
  return std::adjacent_find(numbers.begin(), numbers.end()) == numbers.end();
}

// One column while its kind is being found.
class Inference {
 public:
  Inference(const CsvCells& file, const std::vector<char>& training, std::int64_t column,
            std::optional<Kind> stated, bool identifiers)
      : file_(file), training_(training), column_(column), stated_(stated), identifiers_(identifiers) {
    result_.name = file.names[static_cast<std::size_t>(column)];
    result_.missing_as = file.hints.missing;
    if (stated_) result_.kind = *stated_, result_.reason = "stated";
  }

  // Throws BadColumn.
  TableColumn find() {
    if (stated_ == Kind::ignore || stated_ == Kind::weight || stated_ == Kind::sequence) return result_;
    facts_ = facts_of_column(file_, training_, column_, asked());
    const auto rows = static_cast<double>(facts_.known_in_training + facts_.missing_in_training);
    result_.missing = rows > 0 ? static_cast<double>(facts_.missing_in_training) / rows : 0;
    result_.quoted = facts_.quoted, result_.format = facts_.format;
    if (stated_ == Kind::identifier) return result_;
    if (stated_ == Kind::labels) return labels();
    check_stated();
    decide();
    if (result_.is_number())
      describe_numbers();
    else if (result_.kind == Kind::constant || result_.kind == Kind::binary ||
             result_.kind == Kind::categorical)
      keep_values();
    if (result_.missing > 0) spell_gaps();
    return result_;
  }

 private:
  void spell_gaps() {
    const ColumnCells cells(result_, file_, column_);
    std::map<std::string_view, std::int64_t> spellings;
    for (std::size_t i = 0; i < facts_.training_rows.size(); ++i) {
      const std::int64_t row = file_.distinct_of(column_).first_row(static_cast<std::int64_t>(i));
      const std::int64_t count = facts_.training_rows[i];
      if (count > 0 && cells.missing(row)) spellings[text(row)] += count;
    }
    const auto most = std::max_element(spellings.begin(), spellings.end(),
                                       [](const auto& a, const auto& b) { return a.second < b.second; });
    if (most != spellings.end()) result_.gap = most->first;
  }

  FactsAsked asked() const {
    FactsAsked asked;
    const auto date = file_.hints.dates.find(result_.name);
    asked.must_date = date != file_.hints.dates.end();
    if (asked.must_date) asked.date_order = date->second;
    asked.dates = !stated_ || stated_ == Kind::identifier || asked.must_date;
    asked.as_texts = stated_ == Kind::text;
    return asked;
  }

  bool numeric() const { return facts_.numeric; }
  std::string_view text(std::int64_t row) const { return trimmed_cell(file_.cell(row, column_)); }

  [[noreturn]] void fail(std::int64_t row, const std::string& expected) const {
    throw BadColumn{fmt::format("{}: expected {}, got {}", table_place(file_, row, column_), expected,
                                shown(file_.cell(row, column_)))};
  }
  [[noreturn]] void fail(const std::string& what) const {
    throw BadColumn{fmt::format("column '{}': {}", result_.name, what)};
  }

  void check_stated() const {
    if ((stated_ == Kind::real || stated_ == Kind::count) && !numeric() && facts_.text != nowhere)
      fail(facts_.text, asked().must_date ? std::string("a date (date is stated)")
                                          : fmt::format("a number ({} is stated)", name_of(*stated_)));
    if (stated_ == Kind::count && facts_.no_count != nowhere)
      fail(facts_.no_count, "a whole number of 0 or more (count is stated)");
    if (stated_ != Kind::categorical && numeric() && facts_.infinite != nowhere)
      fail(facts_.infinite,
           fmt::format("a finite number (missing={} reads it as a missing cell)", text(facts_.infinite)));
    if (facts_.ambiguous)
      fail(
          fmt::format("its dates, as {}, may have the day first or the month; state date={}(dmy) or "
                      "date={}(mdy)",
                      shown(text(facts_.value_rows[0])), result_.name, result_.name));
  }

  void decide() {
    const std::size_t count = facts_.values();
    if (facts_.known_in_training == 0) {
      result_.kind = Kind::constant;
      result_.reason = "no cell is known in the training rows";
      return;
    }
    if (count == 1 && stated_ != Kind::count) {
      result_.kind = Kind::constant;
      result_.reason = "all known cells are the same";
      return;
    }
    if (stated_ == Kind::binary && count > 2) refuse_third();
    if (stated_ == Kind::categorical && !facts_.all_values())
      fail(fmt::format("expected at most {} categories, got more", most_categories));
    if (stated_) return;
    if (count == 2 && !facts_.format.is_date())
      result_.kind = Kind::binary, result_.reason = "two values";
    else if (numeric())
      decide_numbers();
    else
      decide_texts();
  }

  void decide_numbers() {
    result_.kind = Kind::real;
    result_.reason = facts_.format.is_date()                              ? "all known cells are dates"
                     : facts_.decimals == 0 && facts_.infinite == nowhere ? "whole numbers"
                                                                          : "numbers";
    const std::string spelling = facts_.format.description();
    if (!spelling.empty()) result_.reason += " (" + spelling + ")";
    const bool named = is_named_as_identifier(result_.name);
    const bool counted = counts_rows(facts_, file_.distinct_of(column_), file_.rows());
    if (!identifiers_ || facts_.format.is_date() || facts_.decimals > 0 || !(named || counted)) return;
    if (!all_differ(facts_)) return;
    result_.kind = Kind::identifier;
    result_.reason =
        counted ? "the numbers count the rows" : "another whole number in every row, and its name";
  }

  void decide_texts() {
    constexpr double long_text = 40;  // bytes
    constexpr double nearly = 0.95;
    const auto count = static_cast<double>(facts_.values()), cells = static_cast<double>(facts_.looked_at);
    const bool unique = count == cells || (cells >= 20 && count > nearly * cells);
    const bool numbers = 2 * facts_.plain_numbers > facts_.known;
    const std::string stray =
        numbers ? fmt::format(
                      "most of its cells are numbers, but line {} has {}; missing={} would make it "
                      "a column of numbers",
                      file_.line(facts_.text), shown(text(facts_.text)), text(facts_.text))
                : std::string();
    const bool many = facts_.values() > most_guessed_categories;
    if ((many || unique) && numbers)
      fail(
          fmt::format("{} different texts in {} cells, too many to be guessed as categories; {}; or leave it "
                      "out with ignore={}, or state categorical={}",
                      facts_.values(), facts_.known, stray, result_.name, result_.name));
    result_.kind = Kind::categorical;
    result_.reason =
        fmt::format("{} different texts{}", facts_.values(), looks_ordered() ? ", which look ordered" : "");
    if (numbers) result_.reason += "; " + stray;
    if (!many && !unique) return;
    const std::string different = unique ? std::string("almost every cell differs")
                                         : fmt::format("over {} different texts", most_guessed_categories);
    const bool prose = facts_.mean_length > long_text || !unique;
    result_.kind = prose ? Kind::text : Kind::identifier;
    result_.reason = different;
  }

  bool looks_ordered() const {
    std::vector<std::string> values;
    if (facts_.values() > most_guessed_categories) return false;
    for (const std::int64_t row : facts_.value_rows) values.emplace_back(text(row));
    return !usual_order(values).empty();
  }

  [[noreturn]] void refuse_third() const {
    fail(facts_.value_rows[2], fmt::format("{} or {} (binary is stated)", shown(text(facts_.value_rows[0])),
                                           shown(text(facts_.value_rows[1]))));
  }

  // The different values, each in the form of its first cell: by number, as stated, or by the bytes.
  void keep_values() {
    for (const std::int64_t row : facts_.value_rows) result_.values.emplace_back(text(row));
    if (result_.kind == Kind::constant && facts_.known_in_training == 0) result_.values.clear();
    if (result_.kind == Kind::constant) return;
    const CellFormat& format = result_.format;
    std::sort(result_.values.begin(), result_.values.end(), [&](const std::string& a, const std::string& b) {
      return numeric() ? *format.parse(a) < *format.parse(b) : a < b;
    });
    const auto order = file_.hints.orders.find(result_.name);
    if (order == file_.hints.orders.end()) return;
    result_.ordered = true;
    if (!order->second.empty())
      order_as(order->second);
    else if (!numeric())
      refuse_unordered();
  }

  [[noreturn]] void refuse_unordered() const {
    constexpr std::size_t most = 20;
    fail(fmt::format("its values are texts, whose order must be stated, least first: ordinal={}({})",
                     result_.name, order_text(result_.values, most)));
  }

  void order_as(const std::vector<std::string>& stated) {
    for (const std::int64_t row : facts_.value_rows)
      if (std::find(stated.begin(), stated.end(), text(row)) == stated.end())
        fail(row,
             fmt::format("one of the values of ordinal={} ({})", result_.name, fmt::join(stated, " < ")));
    result_.values = stated;
  }

  void describe_numbers() {
    result_.low = facts_.low, result_.high = facts_.high;
    if (result_.kind == Kind::count) return;
    result_.decimals = facts_.decimals, result_.step = facts_.step;
    result_.least_decimals = facts_.least_decimals;
    long double sum = 0, squares = 0;  // long: the squares of doubles fit
    const auto known = static_cast<long double>(facts_.known_in_training);
    each_number([&](long double value, long double rows) { sum += rows * value; });
    const long double mean = sum / known;
    each_number(
        [&](long double value, long double rows) { squares += rows * (value - mean) * (value - mean); });
    result_.mean = static_cast<double>(mean);
    const auto deviation = static_cast<double>(std::sqrt(squares / known));
    result_.deviation = deviation > 0 ? deviation : 1;
  }

  template <class F>
  void each_number(F function) const {
    for (std::size_t i = 0; i < facts_.numbers.size(); ++i)
      if (facts_.training_rows[i] > 0 && !std::isnan(facts_.numbers[i]))
        function(static_cast<long double>(facts_.numbers[i]),
                 static_cast<long double>(facts_.training_rows[i]));
  }

  // Whole numbers are classes by themselves; texts are numbered in their order.
  TableColumn labels() {
    if (numeric() && facts_.no_label != nowhere) fail(facts_.no_label, expected_label);
    if (!facts_.all_values()) fail(fmt::format("expected at most {} classes, got more", most_categories));
    if (!numeric()) keep_values();
    return result_;
  }

  const CsvCells& file_;
  const std::vector<char>& training_;
  const std::int64_t column_;
  const std::optional<Kind> stated_;
  const bool identifiers_;  // whether numbers may be set aside as such
  ColumnFacts facts_;
  TableColumn result_;
};

std::vector<char> training_rows(const CsvCells& file, const std::vector<std::int64_t>& training) {
  std::vector<char> is_training(static_cast<std::size_t>(file.rows()), 0);
  for (const std::int64_t row : training) is_training[static_cast<std::size_t>(row)] = 1;
  return is_training;
}

// All columns; what is wrong with them is told at once.
TableSchema infer_columns(const std::string& path, const CsvCells& file, const std::vector<char>& training,
                          const StatedKinds& stated, bool identifiers) {
  TableSchema schema;
  schema.separator = file.separator;
  std::vector<std::string> bad;
  for (std::int64_t column = 0; column < file.columns; ++column) {
    try {
      const auto kind = stated[static_cast<std::size_t>(column)];
      schema.columns.push_back(Inference(file, training, column, kind, identifiers).find());
    } catch (const BadColumn& wrong) {
      bad.push_back(wrong.message);
    }
  }
  if (bad.size() == 1) fail_data(path, bad[0]);
  if (!bad.empty())
    fail_data(path, fmt::format("{} columns cannot be read:\n  {}", bad.size(), fmt::join(bad, "\n  ")));
  return schema;
}

}  // namespace

TableColumn infer_column(const std::string& path, const CsvCells& file,
                         const std::vector<std::int64_t>& training, std::int64_t column,
                         std::optional<TableColumnKind> stated) {
  try {
    return Inference(file, training_rows(file, training), column, stated, true).find();
  } catch (const BadColumn& wrong) {
    fail_data(path, wrong.message);
  }
}

TableSchema infer_table(const std::string& path, const CsvCells& file,
                        const std::vector<std::int64_t>& training, const StatedKinds& stated) {
  check_names(path, file);
  if (training.empty()) fail_data(path, "expected at least one training row, got none");
  const std::vector<char> is_training = training_rows(file, training);
  TableSchema schema = infer_columns(path, file, is_training, stated, true);
  const bool identifiers =
      std::any_of(schema.columns.begin(), schema.columns.end(),
                  [](const TableColumn& column) { return column.kind == Kind::identifier; });
  // Numbers that would be all there is are no names of rows.
  if (schema.width() == 0 && identifiers) schema = infer_columns(path, file, is_training, stated, false);
  if (schema.width() == 0)
    fail_data(path, "expected a column whose training cells differ, got only constant or ignored ones");
  return schema;
}

}  // namespace deepgen
