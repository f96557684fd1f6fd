#include "deepgen/data/files/read_path.h"

#include <fmt/format.h>

#include <cmath>
#include <filesystem>
#include <utility>

#include "deepgen/core/error.h"
#include "deepgen/core/file_bytes.h"
#include "deepgen/data/files/csv.h"
#include "deepgen/data/files/csv_scanner.h"
#include "deepgen/data/files/header_doubt.h"
#include "deepgen/data/files/npz_set.h"
#include "deepgen/data/files/open.h"

namespace deepgen {
namespace {

// What the cells are that are for a model.
struct CellsThatAre {
  bool gaps = false, numbers = false;  // numbers: other than 0 and 1
};

CellsThatAre cells_that_are(const std::string& path, const Csv& csv, const DataOptions& options) {
  const std::int64_t columns = csv.values.columns();
  const std::int64_t labels =
      options.has_labels() ? find_column(path + " labels", options.labels, csv.names, columns) : -1;
  const std::int64_t sequence = options.has_sequence_column()
                                    ? find_column(path + " sequence", options.sequence, csv.names, columns)
                                    : -1;
  CellsThatAre found;
  const double* value = csv.values.as<double>();
  for (std::int64_t i = 0; i < csv.values.items(); ++i) {
    if (i % columns == labels || i % columns == sequence) continue;
    found.gaps = found.gaps || std::isnan(value[i]);
    found.numbers = found.numbers || !(std::isnan(value[i]) || value[i] == 0 || value[i] == 1);
  }
  return found;
}

// Whether something is asked for that is done with a matrix of numbers.
bool asks_for_matrix(const DataOptions& options) {
  return options.transforms() || (!options.binarize.empty() && options.binarize != "none") ||
         options.sequence == "lengths";
}

// The numbers of a file that is no table; nothing when it is one.
std::optional<Csv> numbers_of(const std::string& path, std::string_view text, const DataOptions& options,
                              const TableSchema* learnt) {
  if (learnt) return learnt->empty() ? std::optional(parse_csv(path, text)) : std::nullopt;
  if (options.asks_for_table()) return std::nullopt;
  std::optional<Csv> csv = parse_csv_numbers(path, text);
  if (!csv) return std::nullopt;
  const CellsThatAre cells = cells_that_are(path, *csv, options);
  if (cells.numbers && (cells.gaps || !asks_for_matrix(options))) csv.reset();
  return csv;
}

std::vector<std::string> needed_names(const TableSchema* learnt) {
  std::vector<std::string> names;
  if (learnt)
    for (const TableColumn& column : learnt->columns)
      if (column.modelled()) names.push_back(column.name);
  return names;
}

void check_names_are_text(const std::string& path, const std::vector<std::string>& names) {
  for (const std::string& name : names)
    if (utf8_end(name) < name.size())
      fail_data(path, "expected column names in UTF-8, got other bytes; convert the file");
}

// Of a file whose first row was read as values, unless that was said.
void note_header_doubt(RawSet& raw, const DataOptions& options, std::int64_t rows, std::int64_t columns,
                       const NumberOfCell& cell) {
  if (!options.header.empty()) return;
  const std::string doubt = header_doubt(rows, columns, cell);
  if (!doubt.empty()) raw.notes.push_back(doubt);
}

RawSet read_csv_set(const std::string& path, const DataOptions& options, const TableSchema* learnt) {
  const Bytes bytes = read_file_bytes(path);
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  RawSet raw{.name = path, .description = "file", .arrays = {}, .case_shape = {}, .column_names = {}};
  if (std::optional<Csv> csv = numbers_of(path, text, options, learnt)) {
    check_names_are_text(path, csv->names);
    if (!learnt && csv->names.empty()) {
      const std::int64_t columns = csv->values.columns();
      note_header_doubt(
          raw, options, csv->values.rows(), columns, [&](std::int64_t row, std::int64_t column) {
            return std::optional(std::as_const(csv->values).as<double>()[row * columns + column]);
          });
    }
    raw.column_names = std::move(csv->names);
    raw.arrays["train"] = std::move(csv->values);
    return raw;
  }
  const Header header = options.header == "true"    ? Header::yes
                        : options.header == "false" ? Header::no
                                                    : Header::automatic;
  raw.description = "table";
  CellHints hints = cell_hints(options, path);
  const char known = learnt ? learnt->separator : char{0};
  if (hints.separator == 0 && known != ',' && known != ';' && known != '\t') hints.separator = known;
  CsvCells cells = parse_csv_cells(path, text, header, needed_names(learnt), hints);
  if (!learnt) add_column_hints(cells.hints, options, path, cells.names);
  if (!learnt && cells.header == 0)
    note_header_doubt(raw, options, cells.rows(), cells.columns, [&](std::int64_t row, std::int64_t column) {
      return cell_number(cells.cell(row, column));
    });
  raw.table = std::make_shared<const CsvCells>(std::move(cells));
  return raw;
}

}  // namespace

bool has_ending(const std::string& path, const std::string& ending) {
  std::string name = std::filesystem::path(path).filename().string();
  for (char& c : name) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return name.ends_with(ending);
}

bool is_csv(const std::string& path) {
  for (const char* ending : {".csv", ".tsv", ".csv.gz", ".tsv.gz"})
    if (has_ending(path, ending)) return true;
  return false;
}

RawSet read_path(const std::string& path, const DataOptions& options, const TableSchema* learnt) {
  std::error_code unknown;
  if (is_csv(path) && !std::filesystem::is_directory(path, unknown))
    return read_csv_set(path, options, learnt);
  RawSet raw{.name = path,
             .description = "file",
             .arrays = has_ending(path, ".npz") ? read_npz_set(path, options.matrix) : read_any(path),
             .case_shape = {},
             .column_names = {}};
  if (raw.arrays.contains("data") && !raw.arrays.contains("train")) {
    raw.arrays["train"] = std::move(raw.arrays["data"]);
    raw.arrays.erase("data");
    for (const char* of : {"_labels", "_lengths"})
      if (auto beside = raw.arrays.extract(std::string("data") + of); !beside.empty())
        raw.arrays[std::string("train") + of] = std::move(beside.mapped());
  }
  if (!raw.arrays.contains("train"))
    fail_data(path, "expected an array named train, or one matrix named data");
  return raw;
}

RawSet raw_table(const std::string& name, const std::string& description, const std::string& text) {
  RawSet raw{.name = name, .description = description, .arrays = {}, .case_shape = {}, .column_names = {}};
  raw.table = std::make_shared<const CsvCells>(parse_csv_cells(name, text, Header::yes));
  return raw;
}

}  // namespace deepgen
