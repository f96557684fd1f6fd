#include "deepgen/evaluate/quality/read_tables.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <unordered_map>

#include "deepgen/core/error.h"
#include "deepgen/core/file_bytes.h"
#include "deepgen/data/files/array_bytes.h"
#include "deepgen/data/files/csv_scanner.h"
#include "deepgen/data/files/known_sets.h"
#include "deepgen/data/files/read_path.h"
#include "deepgen/data/files/table_values.h"

namespace deepgen::quality {
namespace {

enum class Role { number, category, none };

Role role_of(const TableColumn& about) {
  using Kind = TableColumnKind;
  if (about.is_number()) return Role::number;
  const bool category =
      about.kind == Kind::binary || about.kind == Kind::categorical || about.kind == Kind::labels;
  return category ? Role::category : Role::none;
}

// The text cells of a SPEC. A file of numbers alone is a table here too.
std::shared_ptr<const CsvCells> cells_of(const DataSpec& spec, const DataOptions& options) {
  const RawSet set = read_set(spec);
  if (set.table) return set.table;
  if (!is_csv(spec.name)) fail_data(spec.name, "expected a table (.csv, .tsv, also .gz), got other data");
  const Header header = options.header == "true"    ? Header::yes
                        : options.header == "false" ? Header::no
                                                    : Header::automatic;
  const Bytes bytes = read_file_bytes(spec.name);
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  return std::make_shared<const CsvCells>(parse_csv_cells(spec.name, text, header));
}

// The column of a file that belongs to column `i` of the schema, or -1.
std::int64_t column_in(const CsvCells& file, const TableSchema& schema, std::size_t i, bool by_name) {
  if (!by_name) return i < file.names.size() ? static_cast<std::int64_t>(i) : -1;
  const auto found = std::find(file.names.begin(), file.names.end(), schema.columns[i].name);
  return found == file.names.end() ? -1 : found - file.names.begin();
}

// One column of all files, as the schema of the training file says that it is spelled.
class FieldReader {
 public:
  FieldReader(const TableColumn& about, bool is_number) : about_(about) {
    field_.name = about.name;
    field_.is_number = is_number;
    if (!is_number) field_.values = about.values;
  }

  Column read(const Source& source, std::int64_t column) {
    const ColumnCells cells(about_, *source.cells, column);
    Column result;
    for (const std::int64_t row : source.rows) {
      if (field_.is_number)
        result.numbers.push_back(number_of(cells, source, row, column));
      else
        result.codes.push_back(code_of(cells, row));
    }
    return result;
  }

  Field take() { return std::move(field_); }

 private:
  // As the training file spells its numbers, or plainly, as other programs write them.
  double number_of(const ColumnCells& cells, const Source& source, std::int64_t row,
                   std::int64_t column) const {
    if (cells.missing(row)) return std::numeric_limits<double>::quiet_NaN();
    std::optional<double> value = cells.number(row);
    if (!value && !about_.format.is_date()) value = cell_number(cells.text(row));
    if (!value || !std::isfinite(*value))
      fail_data(source.name,
                fmt::format("{}: expected a {}, as in the training rows, got {}",
                            table_place(*source.cells, row, column),
                            about_.format.is_date() ? "date" : "finite number", shown(cells.text(row))));
    return *value + 0.0;  // -0 is 0
  }

  std::int32_t code_of(const ColumnCells& cells, std::int64_t row) {
    if (cells.missing(row)) {
      if (field_.missing_code < 0) field_.missing_code = add("(missing)");
      return field_.missing_code;
    }
    const std::int64_t known = cells.value(row);
    if (known >= 0) return static_cast<std::int32_t>(known);
    const std::optional<double> number = cells.number(row);
    const std::string key = number ? fmt::format("{}", *number + 0.0) : std::string(cells.text(row));
    const auto found = others_.find(key);
    if (found != others_.end()) return found->second;
    return others_[key] = add(key);
  }

  std::int32_t add(std::string value) {
    field_.values.push_back(std::move(value));
    return static_cast<std::int32_t>(field_.values.size()) - 1;
  }

  const TableColumn& about_;
  Field field_;
  std::unordered_map<std::string, std::int32_t> others_;  // values that the schema does not have
};

}  // namespace

Source read_source(const std::string& text) {
  const DataSpec spec = parse_data_spec(text);
  const DataOptions options = check_spec(spec);
  Source source{spec.name, cells_of(spec, options), {}};
  source.rows = counted(source.cells->rows());
  if (source.rows.empty()) fail_data(spec.name, "expected at least one row, got none");
  return source;
}

Source source_of_text(const std::string& name, const std::string& text) {
  Source source{name, std::make_shared<const CsvCells>(parse_csv_cells(name, text, Header::yes)), {}};
  source.rows = counted(source.cells->rows());
  return source;
}

RealSources read_real_sources(const std::string& real, const std::string& test) {
  const DataSpec spec = parse_data_spec(real);
  const DataOptions options = check_spec(spec);
  RealSources sources;
  sources.train = read_source(real);
  const RowParts parts = split_rows(sources.train.cells->rows(), options, spec.name);
  sources.train.rows = parts.train;
  sources.schema = infer_table(spec.name, *sources.train.cells, parts.train,
                               stated_kinds(options, spec.name, sources.train.cells->names));
  if (!test.empty()) {
    sources.test = read_source(test);
    return sources;
  }
  if (parts.test.empty())
    fail_data(
        real,
        "expected held-out rows, got none; name their file with --test, or hold rows out with :test=0.2");
  sources.test = {spec.name + " (held out)", sources.train.cells, parts.test};
  return sources;
}

Tables quality_tables(const RealSources& real, const Source& synthetic) {
  Tables tables;
  const Source* const sources[] = {&real.train, &real.test, &synthetic};
  Table* const into[] = {&tables.real, &tables.test, &tables.synthetic};
  bool by_name = true;
  for (const Source* source : sources) by_name = by_name && source->cells->header == 1;
  for (int k = 0; k < 3; ++k) into[k]->rows = static_cast<std::int64_t>(sources[k]->rows.size());
  for (std::size_t i = 0; i < real.schema.columns.size(); ++i) {
    const TableColumn& about = real.schema.columns[i];
    const Role role = role_of(about);
    std::string why = role == Role::none ? name_of(about.kind) : "";
    std::int64_t places[3] = {};
    for (int k = 0; k < 3; ++k) {
      places[k] = column_in(*sources[k]->cells, real.schema, i, by_name);
      if (places[k] < 0 && why.empty()) why = "not in " + sources[k]->name;
    }
    if (!why.empty()) {
      tables.notes.push_back(fmt::format("column {} is not compared: {}", shown(about.name), why));
      continue;
    }
    FieldReader reader(about, role == Role::number);
    for (int k = 0; k < 3; ++k) into[k]->columns.push_back(reader.read(*sources[k], places[k]));
    tables.fields.push_back(reader.take());
  }
  if (tables.fields.empty())
    fail_data(synthetic.name, fmt::format("expected columns of {}, got none of them; this file has {}",
                                          real.train.name, fmt::join(synthetic.cells->names, ", ")));
  return tables;
}

}  // namespace deepgen::quality
