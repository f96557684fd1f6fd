#include "deepgen/data/files/read_path.h"

#include <fmt/format.h>

#include <cmath>
#include <filesystem>

#include "deepgen/core/error.h"
#include "deepgen/core/file_bytes.h"
#include "deepgen/data/files/csv.h"
#include "deepgen/data/files/open.h"

namespace deepgen {
namespace {

// Missing cells beside numbers that are not 0 and 1 alone; columns that are not for the model do not count.
bool has_gaps_among_numbers(const std::string& path, const Csv& csv, const DataOptions& options) {
  const std::int64_t columns = csv.values.columns();
  const std::int64_t labels =
      options.has_labels() ? find_column(path + " labels", options.labels, csv.names, columns) : -1;
  const std::int64_t sequence = options.has_sequence_column()
                                    ? find_column(path + " sequence", options.sequence, csv.names, columns)
                                    : -1;
  bool gaps = false, numbers = false;
  const double* value = csv.values.as<double>();
  for (std::int64_t i = 0; i < csv.values.items(); ++i) {
    if (i % columns == labels || i % columns == sequence) continue;
    gaps = gaps || std::isnan(value[i]);
    numbers = numbers || !(std::isnan(value[i]) || value[i] == 0 || value[i] == 1);
  }
  return gaps && numbers;
}

// The numbers of a file that is no table; nothing when it is one.
std::optional<Csv> numbers_of(const std::string& path, std::string_view text, const DataOptions& options,
                              const TableSchema* learnt) {
  if (learnt) return learnt->empty() ? std::optional(parse_csv(path, text)) : std::nullopt;
  if (options.asks_for_table()) return std::nullopt;
  std::optional<Csv> csv = parse_csv_numbers(path, text);
  if (csv && has_gaps_among_numbers(path, *csv, options)) csv.reset();
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

RawSet read_csv_set(const std::string& path, const DataOptions& options, const TableSchema* learnt) {
  const Bytes bytes = read_file_bytes(path);
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  RawSet raw{.name = path, .description = "file", .arrays = {}, .case_shape = {}, .column_names = {}};
  if (std::optional<Csv> csv = numbers_of(path, text, options, learnt)) {
    check_names_are_text(path, csv->names);
    raw.column_names = std::move(csv->names);
    raw.arrays["train"] = std::move(csv->values);
    return raw;
  }
  const Header header = options.header == "true"    ? Header::yes
                        : options.header == "false" ? Header::no
                                                    : Header::automatic;
  raw.description = "table";
  raw.table = std::make_shared<const CsvCells>(parse_csv_cells(path, text, header, needed_names(learnt)));
  return raw;
}

}  // namespace

bool is_csv(const std::string& path) {
  std::string name = std::filesystem::path(path).filename().string();
  for (char& c : name) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  for (const char* ending : {".csv", ".tsv", ".csv.gz", ".tsv.gz"})
    if (name.ends_with(ending)) return true;
  return false;
}

RawSet read_path(const std::string& path, const DataOptions& options, const TableSchema* learnt) {
  std::error_code unknown;
  if (is_csv(path) && !std::filesystem::is_directory(path, unknown))
    return read_csv_set(path, options, learnt);
  RawSet raw{
      .name = path, .description = "file", .arrays = read_any(path), .case_shape = {}, .column_names = {}};
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
