#include "deepgen/data/files/column_facts.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "deepgen/data/files/csv_scanner.h"
#include "deepgen/data/files/labels.h"
#include "deepgen/data/files/table_values.h"

namespace deepgen {

bool stands_for_missing(std::string_view trimmed, const std::vector<std::string>& missing_as, bool number) {
  if (is_missing_cell(trimmed) || (number && is_missing_number(trimmed))) return true;
  return std::find(missing_as.begin(), missing_as.end(), trimmed) != missing_as.end();
}

namespace {

constexpr int most_decimals = 15;  // for a grid: a double has hardly more
constexpr double missing_number = std::numeric_limits<double>::quiet_NaN();

// One column while it is looked at: its distinct cells, in the order of their first rows.
class Look {
 public:
  Look(const CsvCells& file, const std::vector<char>& training, std::int64_t column, const FactsAsked& asked)
      : file_(file),
        training_(training),
        column_(column),
        asked_(asked),
        cells_(file.distinct_of(column)),
        count_(static_cast<std::size_t>(cells_.count())) {}

  ColumnFacts facts() {
    count_rows();
    const bool plain = !asked_.must_date && file_.hints.decimal != ',';
    facts_.numeric = !asked_.as_texts && ((plain && read_plain()) || read_spelled());
    if (facts_.numeric && facts_.format.plain() && asked_.dates) find_compact_dates();
    if (facts_.numeric)
      describe_numbers();
    else
      describe_texts();
    return std::move(facts_);
  }

 private:
  std::int64_t first_row(std::size_t cell) const { return cells_.first_row(static_cast<std::int64_t>(cell)); }
  std::string_view text(std::size_t cell) const { return trimmed_cell(file_.cell(first_row(cell), column_)); }
  bool quoted(std::size_t cell) const { return file_.quoted(first_row(cell), column_); }

  void count_rows() {
    facts_.rows.assign(count_, 0), facts_.training_rows.assign(count_, 0);
    for (std::int64_t row = 0; row < file_.rows(); ++row) {
      const auto cell = static_cast<std::size_t>(cells_.number(row));
      ++facts_.rows[cell];
      facts_.training_rows[cell] += training_[static_cast<std::size_t>(row)];
    }
  }

  bool missing(std::string_view text, bool number) const {
    return stands_for_missing(text, file_.hints.missing, number);
  }

  bool is_stated_missing(std::string_view text) const {
    const std::vector<std::string>& stated = file_.hints.missing;
    return std::find(stated.begin(), stated.end(), text) != stated.end();
  }

  // Whether all known cells are numbers as cell_number reads them, and there are some. What stands for a
  // missing number does so only beside numbers.
  bool read_plain() {
    const bool own = !file_.hints.missing.empty();
    bool words = false, numbers = false;
    facts_.numbers.reserve(count_);
    for (std::size_t i = 0; i < count_; ++i) {
      const std::string_view cell = text(i);
      const auto value = own && missing(cell, false) ? missing_number : cell_number(cell);
      if (!value && !missing(cell, true)) {
        facts_.text = first_row(i);
        facts_.numbers.clear();
        return false;
      }
      words = words || !value, numbers = numbers || (value && !std::isnan(*value));
      facts_.numbers.push_back(value.value_or(missing_number));
      if (value && !std::isnan(*value)) count_decimals(cell);
    }
    if (words && !numbers) facts_.numbers.clear();
    return numbers || !words;
  }

  // Whether all known cells are numbers or dates in one other spelling.
  bool read_spelled() {
    constexpr std::size_t some = 50;  // whose spelling must be known before all are looked at
    std::vector<std::string_view> cells;
    const FormatHints hints = {.decimal = file_.hints.decimal,
                               .commas = file_.separator == ';' || file_.separator == '\t',
                               .numbers = !asked_.must_date,
                               .dates = asked_.dates || asked_.must_date,
                               .date_order = asked_.date_order};
    for (std::size_t i = 0; i < count_; ++i) {
      const std::string_view cell = text(i);
      if (missing(cell, true)) continue;
      cells.push_back(cell);
      if (cells.size() == some && !recognise_format(cells, hints)) return false;
    }
    const auto found = cells.empty() ? std::nullopt : recognise_format(cells, hints);
    if (!found) return false;
    facts_.format = found->format, facts_.ambiguous = found->ambiguous;
    facts_.numbers.assign(count_, missing_number);
    facts_.decimals = 0, least_ = most_decimals, padded_ = false;
    for (std::size_t i = 0; i < count_; ++i) {
      const std::string_view cell = text(i);
      if (missing(cell, true)) continue;
      facts_.numbers[i] = *facts_.format.parse(cell);
      count_decimals(cell);
    }
    return true;
  }

  // 1.50 is filled up with zeros, 1.5 and 2.0 are not.
  void count_decimals(std::string_view cell) {
    const auto marks = [](char c) { return c == '.' || c == 'e' || c == 'E'; };
    const bool whole = facts_.format.plain() && std::none_of(cell.begin(), cell.end(), marks);
    const int places = whole ? 0 : facts_.format.decimals_of(cell);
    facts_.decimals = std::max(facts_.decimals, places), least_ = std::min(least_, places);
    if (padded_ || places < 2) return;
    const std::size_t last = cell.find_last_of("0123456789");
    padded_ = last != cell.npos && cell[last] == '0';
  }

  // Of several numbers all of which are days.
  void find_compact_dates() {
    constexpr std::int64_t least = 3;
    std::int64_t known = 0;
    for (std::size_t i = 0; i < count_; ++i) known += std::isnan(facts_.numbers[i]) ? 0 : facts_.rows[i];
    if (known < least || facts_.decimals > 0 || !are_compact_dates(facts_.numbers)) return;
    facts_.format.date = "%Y%m%d";
    for (std::size_t i = 0; i < count_; ++i)
      if (double& number = facts_.numbers[i]; !std::isnan(number))
        number = facts_.format.parse(text(i)).value_or(missing_number);
  }

  void count_cell(std::size_t cell, bool known) {
    facts_.known += known ? facts_.rows[cell] : 0;
    if (known) facts_.quoted = facts_.quoted && quoted(cell);
    (known ? facts_.known_in_training : facts_.missing_in_training) += facts_.training_rows[cell];
  }

  void describe_numbers() {
    std::unordered_map<double, char> seen;
    facts_.quoted = true;
    bool ranged = false;
    for (std::size_t i = 0; i < count_; ++i) {
      const double value = facts_.numbers[i];
      count_cell(i, !std::isnan(value));
      if (std::isnan(value)) continue;
      const std::int64_t row = first_row(i);
      if (facts_.all_values() && seen.emplace(value + 0.0, 1).second) facts_.value_rows.push_back(row);
      if (facts_.infinite == nowhere && !std::isfinite(value)) facts_.infinite = row;
      if (facts_.no_count == nowhere && !is_count(value)) facts_.no_count = row;
      if (facts_.no_label == nowhere && !is_label(value)) facts_.no_label = row;
      if (facts_.training_rows[i] == 0) continue;
      facts_.low = ranged ? std::min(facts_.low, value) : value;
      facts_.high = ranged ? std::max(facts_.high, value) : value;
      ranged = true;
    }
    facts_.quoted = facts_.quoted && facts_.known > 0;
    facts_.least_decimals = padded_ ? facts_.decimals : std::min(least_, facts_.decimals);
    find_step();
  }

  // The greatest common step of the values, where there are enough of them that it is no accident.
  void find_step() {
    constexpr double exact = 9007199254740992;  // 2^53
    constexpr std::size_t enough = 10;
    if (facts_.decimals > most_decimals || facts_.infinite != nowhere || facts_.known == 0) return;
    const double scale = std::pow(10.0, facts_.decimals);
    std::int64_t common = 0, first = 0;
    bool any = false;
    for (const double value : facts_.numbers) {
      if (std::isnan(value)) continue;
      const double scaled = std::round(value * scale);
      if (!(std::abs(scaled) < exact)) return;
      const auto whole = static_cast<std::int64_t>(scaled);
      if (!any) first = whole;
      any = true;
      if (common != 1) common = std::gcd(common, whole - first);
    }
    if (facts_.values() < enough || common == 0) common = 1;
    facts_.step = static_cast<double>(common) / scale;
  }

  // A quoted NA is a text where other cells of the column stand without quotes.
  void describe_texts() {
    bool bare = false;
    for (std::size_t i = 0; i < count_ && !bare; ++i) bare = !quoted(i);
    std::unordered_map<std::string_view, char> seen;
    std::vector<char> is_known(count_, 0);
    double length = 0;
    facts_.quoted = true;
    for (std::size_t i = 0; i < count_; ++i) {
      const std::string_view cell = text(i);
      const bool named = bare && !cell.empty() && quoted(i);
      is_known[i] = !missing(cell, false) || (named && !is_stated_missing(cell));
      count_cell(i, is_known[i]);
      if (!is_known[i]) continue;
      if (facts_.text == nowhere) facts_.text = first_row(i);
      length += static_cast<double>(cell.size()) * static_cast<double>(facts_.rows[i]);
      if (!asked_.as_texts && cell_number(cell)) facts_.plain_numbers += facts_.rows[i];
      if (facts_.all_values() && seen.emplace(cell, 1).second) facts_.value_rows.push_back(first_row(i));
    }
    facts_.quoted = facts_.quoted && facts_.known > 0;
    facts_.mean_length = length / std::max(1.0, static_cast<double>(facts_.known));
    facts_.looked_at = facts_.known;
    if (!facts_.all_values()) facts_.looked_at = known_up_to(facts_.value_rows.back(), is_known);
  }

  std::int64_t known_up_to(std::int64_t last, const std::vector<char>& is_known) const {
    std::int64_t known = 0;
    for (std::int64_t row = 0; row <= last; ++row)
      known += is_known[static_cast<std::size_t>(cells_.number(row))];
    return known;
  }

  const CsvCells& file_;
  const std::vector<char>& training_;
  const std::int64_t column_;
  const FactsAsked& asked_;
  const DistinctCells& cells_;
  const std::size_t count_;  // of distinct cells
  ColumnFacts facts_;
  int least_ = most_decimals;
  bool padded_ = false;
};

}  // namespace

ColumnFacts facts_of_column(const CsvCells& file, const std::vector<char>& training, std::int64_t column,
                            const FactsAsked& asked) {
  return Look(file, training, column, asked).facts();
}

}  // namespace deepgen
