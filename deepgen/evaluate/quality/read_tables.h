// Files to the tables of a quality report. The kinds of the columns are those of the training file.
#pragma once

#include <memory>
#include <string>

#include "deepgen/data/files/csv_cells.h"
#include "deepgen/data/files/table.h"
#include "deepgen/evaluate/quality/columns.h"

namespace deepgen::quality {

// Some rows of a file.
struct Source {
  std::string name;
  std::shared_ptr<const CsvCells> cells;
  Index rows;
};

struct RealSources {
  TableSchema schema;  // learnt from the training rows
  Source train, test;
};

// `real` and `test` are SPECs. Without `test` the held-out rows are those that the SPEC `real` holds out with
// test=; a data error where it holds out none.
RealSources read_real_sources(const std::string& real, const std::string& test);

// All rows of a file.
Source read_source(const std::string& spec);
// The text of a CSV file with a header.
Source source_of_text(const std::string& name, const std::string& text);

// Columns are found by name where both files have a header, else by place. Numbers (and dates) are numbers; all
// other columns with values to compare are categories: a missing cell and each value that the training rows lack
// are values of their own. Columns that are constant, ignored, weights, sequences, identifiers or free text, or
// that one of the files lacks, are left out, and a note says so. Throws a data error naming line and column for a
// text among numbers, and where no column is left.
Tables quality_tables(const RealSources& real, const Source& synthetic);

}  // namespace deepgen::quality
