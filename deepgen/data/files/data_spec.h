// What a SPEC says: which data, and how to read them.
//
//   SPEC = NAME | PATH [ :key=value,... ]        mnist:binarize=dynamic   table.csv:valid=0.1,real=age+income
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "deepgen/core/options.h"
#include "deepgen/data/files/csv_cells.h"
#include "deepgen/data/files/sequences.h"
#include "deepgen/data/files/table_column_kind.h"

namespace deepgen {

struct DataSpec {
  std::string name;                            // a known set, a generated set or a path
  std::map<std::string, std::string> options;  // as written
};

// Splits a SPEC; throws a usage error for a malformed option.
DataSpec parse_data_spec(const std::string& text);

// What can be asked of any set, beside the options of generated sets.
struct DataOptions : Options {
  std::string binarize;
  double valid = -1, test = -1;
  bool standardise = false, dequantise = false, onehot = false, whiten = false;
  std::string labels;          // a column by name or number; "" or -1: none
  std::int64_t labelled = -1;  // training rows that keep their labels; -1: all
  // "": by the lengths in the file, where it has them; "lengths": by these; "none"; or the column that names
  // the sequence of each row.
  std::string sequence;
  std::string matrix;  // of a .npz file: the array that holds the rows; "": see files/npz_set.h
  std::int64_t seed = 0;
  // Of a CSV file: columns by name or number, joined by +, and the column of weights.
  std::string real, count, categorical, binary, ignore, weight;
  std::string ordinal, date, identifier;    // likewise; size(low<high) and when(dmy) say more of a column
  std::string decimal, delimiter, missing;  // how its cells are spelled
  bool strict = false;                      // refuse what a trained run does not know of a file
  std::string header;                       // "true", "false" or ""
  std::string numbers, gaps;  // of a table: "bins" or "gaussian"; "learn" or "ignore"; "": as suits the model

  void visit(OptionVisitor& v) override;
  bool has_labels() const { return !labels.empty() && labels != "-1"; }
  bool has_sequence_column() const {
    return !sequence.empty() && sequence != "lengths" && sequence != "none";
  }
  bool transforms() const { return standardise || dequantise || onehot || whiten; }
  // Whether something is said that only a table of mixed kinds can have.
  bool asks_for_table() const;
};

// Throws a usage error when options of a CSV table are given for something else.
void check_table_options(const DataOptions& options, const std::string& name, bool is_table);

// A column of `columns` by its name, or by its number from 0 where no column has that name. Throws a usage
// error with the nearest name.
std::int64_t find_column(const std::string& who, const std::string& wanted,
                         const std::vector<std::string>& names, std::int64_t columns);

// The kind that is stated for each column, if any. Throws usage errors for unknown columns and for two kinds
// of one column.
std::vector<std::optional<TableColumnKind>> stated_kinds(const DataOptions& options, const std::string& who,
                                                         const std::vector<std::string>& names);

// How cells are spelled, as far as it is stated: before a file is read, and of its columns. Throws usage
// errors for unknown columns, orders and separators.
CellHints cell_hints(const DataOptions& options, const std::string& who);
void add_column_hints(CellHints& hints, const DataOptions& options, const std::string& who,
                      const std::vector<std::string>& names);

// How many of the `left` cases to hold out, when `asked` is a number of cases or (below 1) a share of
// `cases`. Throws a data error when that is none, or leaves none.
std::int64_t held_out(double asked, std::int64_t cases, std::int64_t left, const std::string& what);

// Which rows of a file without parts go where: drawn at random by options.seed where rows are held out.
// Sequences stay whole; where there are any, each part has its own `starts`.
struct RowParts {
  std::vector<std::int64_t> train, valid, test;
  Starts train_starts, valid_starts, test_starts;
};
RowParts split_rows(std::int64_t rows, const DataOptions& options, const std::string& what,
                    const Starts& starts = {});

}  // namespace deepgen
