// The cells of a CSV file one after another, without their quotes; what they mean is the caller's affair.
#pragma once

#include <array>
#include <cstdint>
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
  // Throws a data error for UTF-16 and for an empty file. `path` and `text` must outlive the scanner.
  // `separator`: between cells; 0: as a first line sep=X says, else the tab, the semicolon or the comma.
  CsvScanner(const std::string& path, std::string_view text, char separator = 0);

  // The cells of the next row, each told as on_cell(column, text, line): the column counts from 0, the line
  // from 1, the text is valid until the next call. False at the end. Throws a data error naming `path`, line
  // and column for quotes without an end and for a row of another length than the first.
  template <class OnCell>
  bool next_row(OnCell&& on_cell) {
    if (at_ >= text_.size()) return false;
    const std::int64_t line = line_;
    std::int64_t column = 0;
    for (;; ++at_) {
      const std::int64_t cell_line = line_;
      const std::string_view text = cell(++column);
      if (columns_ > 0 && column > columns_) fail_length(line, column);
      on_cell(column - 1, text, cell_line);
      if (at_line_end()) break;
    }
    if (column < columns_) fail_length(line, column);
    columns_ = column;
    end_line();
    return true;
  }

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
  [[noreturn]] void fail_length(std::int64_t line, std::int64_t cells) const;
  std::string_view cell(std::int64_t column);
  std::string_view quoted(std::int64_t column);

  const std::string& path_;
  std::string_view text_;
  char separator_ = 0;
  std::array<bool, 256> ends_cell_ = {};  // by byte: the separator and line ends
  std::size_t at_ = 0, before_ = 0;       // before_: bytes of the text in front of text_
  bool escaped_ = false;
  std::int64_t line_ = 1, columns_ = 0;
  std::string unquoted_;
  std::vector<std::string> names_;
};

}  // namespace deepgen
