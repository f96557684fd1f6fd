// The cells of a CSV file one after another, without their quotes; what they mean is the caller's affair.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace deepgen {

// Without blanks and tabs at both ends.
std::string_view trimmed_cell(std::string_view text);

// Empty, NA, N/A, NaN (in any case) and ?; blanks around them do not count.
bool is_missing_cell(std::string_view text);

// What else stands for a missing cell among numbers: NULL, None, #N/A, -, <NA> and the like, in any case.
bool is_missing_number(std::string_view text);

// NaN for a missing cell; nothing for what is no number or too large for a double.
std::optional<double> cell_number(std::string_view text);

// As a cell or a name is written: in quotes where it would not read back without them.
std::string quoted_cell(std::string_view text);

class CsvScanner {
 public:
  // `column` counts from 0, `line` from 1; the text is valid until the next call.
  using OnCell = std::function<void(std::int64_t column, std::string_view text, std::int64_t line)>;

  // Throws a data error for UTF-16 and for an empty file. `path` and `text` must outlive the scanner.
  // `separator`: between cells; 0: as a first line sep=X says, else the tab, the semicolon or the comma.
  CsvScanner(const std::string& path, std::string_view text, char separator = 0);

  // The cells of the next row; false at the end. Throws a data error naming `path`, line and column for
  // quotes without an end and for a row of another length than the first.
  bool next_row(const OnCell& on_cell);

  std::int64_t columns() const { return columns_; }
  char separator() const { return separator_; }
  // Within the text it was made of: where the next cell begins or, while one is told, where that one ends.
  std::size_t offset() const { return before_ + at_; }
  // Whether quotes within the cell that is told were doubled: it stands otherwise in the text.
  bool escaped() const { return escaped_; }
  std::int64_t line() const { return line_; }                                   // where the next row begins
  void name_columns(const std::vector<std::string>& names) { names_ = names; }  // for messages

  // A data error at this place.
  [[noreturn]] void fail(std::int64_t line, std::int64_t column, const std::string& what) const;

 private:
  void take_separator_line();
  char find_separator() const;
  bool at_line_end() const { return at_ >= text_.size() || text_[at_] == '\n' || text_[at_] == '\r'; }
  void end_line();
  std::string_view cell(std::int64_t column);
  std::string_view quoted(std::int64_t column);

  const std::string& path_;
  std::string_view text_;
  char separator_ = 0;
  std::size_t at_ = 0, before_ = 0;  // before_: bytes of the text in front of text_
  bool escaped_ = false;
  std::int64_t line_ = 1, columns_ = 0;
  std::string unquoted_;
  std::vector<std::string> names_;
};

}  // namespace deepgen
