// What the fuzzers and the fast suite try on hostile bytes: a reader may read or throw a data error, nothing
// else, and what it has read must be whole and survive being written and read again.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <numeric>
#include <string_view>

#include "deepgen/cli/recipe.h"
#include "deepgen/core/error.h"
#include "deepgen/core/file_bytes.h"
#include "deepgen/data/files/array_bytes.h"
#include "deepgen/data/files/csv.h"
#include "deepgen/data/files/csv_cells.h"
#include "deepgen/data/files/csv_scanner.h"
#include "deepgen/data/files/data_shape.h"
#include "deepgen/data/files/idx.h"
#include "deepgen/data/files/labels.h"
#include "deepgen/data/files/npy.h"
#include "deepgen/data/files/npz.h"
#include "deepgen/data/files/png.h"
#include "deepgen/data/files/safetensors.h"
#include "deepgen/data/files/sequences.h"
#include "deepgen/data/files/table.h"
#include "deepgen/train/settings.h"

namespace deepgen::fuzz {

inline void require(bool holds) {
  if (!holds) std::abort();  // what a fuzzer and a test program both notice
}

inline void require_whole(const Array& array) {
  const auto size = byte_size(array.type, array.shape);
  require(size && static_cast<std::uint64_t>(*size) == array.bytes.size());
}

inline void require_same(const Array& a, const Array& b) {
  require(a.type == b.type && a.shape == b.shape && a.bytes == b.bytes);
}

// Runs `read`, which may throw data errors only.
template <class Read>
void read_or_refuse(Read read) {
  try {
    read();
  } catch (const Error& error) {
    require(error.kind() == ErrorKind::data);
  }
}

inline void idx(ByteView bytes) {
  read_or_refuse([&] { require_whole(parse_idx("fuzz", Bytes(bytes.begin(), bytes.end()))); });
}

inline void npy(ByteView bytes) {
  read_or_refuse([&] {
    const Array array = parse_npy("fuzz", Bytes(bytes.begin(), bytes.end()));
    require_whole(array);
    Bytes again = encode_npy_header(array.type, array.shape);
    again.insert(again.end(), array.bytes.begin(), array.bytes.end());
    require_same(parse_npy("fuzz", std::move(again)), array);
  });
}

inline void npz(ByteView bytes) {
  read_or_refuse([&] {
    for (const auto& [name, header] : list_npz("fuzz", bytes)) {
      const auto size = byte_size(header.type, header.shape);
      require(!header.unread.empty() || size.has_value());
    }
  });
  read_or_refuse([&] {
    for (const auto& [name, array] : parse_npz("fuzz", bytes)) require_whole(array);
  });
}

inline void csv(ByteView bytes) {
  read_or_refuse([&] {
    const Csv csv = parse_csv("fuzz", {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
    require_whole(csv.values);
    require(csv.names.empty() || static_cast<std::int64_t>(csv.names.size()) == csv.values.columns());
    if (csv.values.rows() == 0) return;
    const Csv again = parse_csv("fuzz", encode_csv(csv.names, csv.values));
    require(again.names == csv.names);
    require_same(again.values, csv.values);
  });
}

// That cases cover the rows: each begins behind the one before it and has at least one row.
inline void require_cases(const Starts& starts, std::int64_t rows) {
  std::vector<std::int64_t> all(starts.size());
  std::iota(all.begin(), all.end(), std::int64_t{0});
  const CaseRows cases = rows_of_cases(starts, rows, all);
  require(cases.starts == starts && static_cast<std::int64_t>(cases.rows.size()) == rows);
  for (std::int64_t row = 0; row < rows; ++row) require(cases.rows[static_cast<std::size_t>(row)] == row);
}

// What stands beside the rows of an archive: any of its arrays as lengths of some rows, and as labels.
inline void beside_rows(ByteView bytes) {
  read_or_refuse([&] {
    for (const auto& [name, array] : parse_npz("fuzz", bytes)) {
      const auto rows = static_cast<std::int64_t>(std::min<std::size_t>(array.bytes.size(), 1000));
      read_or_refuse([&, &about = array] {
        const Starts starts = starts_of_lengths(about, rows, "fuzz", "lengths");
        if (rows > 0) require_cases(starts, rows);
      });
      if (array.items() == 0 || array.columns() == 0) continue;
      read_or_refuse([&, &about = array] {
        const LabelCounts counts = count_labels(read_labels(column_values(about, 0), "fuzz", "labels"));
        require(counts.known + counts.unknown == about.rows() && counts.classes <= 1000000);
      });
    }
  });
}

// The first column of a table as the names of sequences.
inline void named_sequences(ByteView bytes) {
  read_or_refuse([&] {
    const CsvCells file =
        parse_csv_cells("fuzz", std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
    require_cases(starts_of_cells(file, 0, "fuzz"), file.rows());
  });
}

// The description of the data in a checkpoint.
inline void data_description(ByteView bytes) {
  const auto json = nlohmann::ordered_json::parse(bytes.begin(), bytes.end(), nullptr, false);
  if (json.is_discarded()) return;
  read_or_refuse([&] {
    const DataShape data = data_shape_from_json(json, "fuzz");
    std::int64_t product = 1;
    for (const std::int64_t size : data.shape) product *= size;
    require(product == data.columns && data.columns > 0 && data.classes >= 0);
    require(data.groups.empty() ||
            groups_from_json(groups_to_json(data.groups), product, "fuzz") == data.groups);
  });
  read_or_refuse([&] {
    const TableSchema schema =
        TableSchema::from_json(json.is_object() ? json.value("table", json) : json, "fuzz");
    require(TableSchema::from_json(schema.to_json(), "fuzz").to_json() == schema.to_json());
  });
}

// A table that is read, learnt and encoded; written unchanged it must read back cell by cell.
inline void table(ByteView bytes) {
  read_or_refuse([&] {
    const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    const CsvCells file = parse_csv_cells("fuzz", text);
    std::vector<std::int64_t> rows;
    for (std::int64_t row = 0; row < file.rows(); ++row) rows.push_back(row);
    const TableSchema schema =
        infer_table("fuzz", file, rows, StatedKinds(static_cast<std::size_t>(file.columns)));
    const std::vector<std::int64_t> columns = match_columns(schema, "fuzz", file);
    const Array encoded = encode_table(schema, "fuzz", file, columns, rows);
    require_whole(encoded);
    Array values = table_values(schema, encoded);
    parse_csv_cells("fuzz", encode_table_csv(schema, values), Header::yes);
    for (std::int64_t i = 0; i < values.items(); ++i) values.as<double>()[i] = std::nan("");
    const CsvCells again = parse_csv_cells("fuzz", complete_table_csv(schema, file, columns, rows, values),
                                           file.header > 0 ? Header::yes : Header::no);
    require(again.names == file.names && again.rows() == file.rows());
    for (std::int64_t row = 0; row < file.rows(); ++row)
      for (std::int64_t column = 0; column < file.columns; ++column)
        if (schema.columns[static_cast<std::size_t>(column)].kind != TableColumnKind::constant)
          require(trimmed_cell(again.cell(row, column)) == trimmed_cell(file.cell(row, column)));
  });
}

// A file read by a schema that came from elsewhere: the first line is the schema, as a checkpoint has it.
inline void table_by_schema(ByteView bytes) {
  const auto end = std::find(bytes.begin(), bytes.end(), '\n');
  const auto json = nlohmann::ordered_json::parse(bytes.begin(), end, nullptr, false);
  if (json.is_discarded() || end == bytes.end()) return;
  const ByteView rest = bytes.subspan(static_cast<std::size_t>(end - bytes.begin()) + 1);
  read_or_refuse([&] {
    const TableSchema schema = TableSchema::from_json(json, "fuzz");
    require(static_cast<std::int64_t>(schema.encoded_names().size()) == schema.width());
    const CsvCells file = parse_csv_cells(
        "fuzz", std::string_view(reinterpret_cast<const char*>(rest.data()), rest.size()), Header::yes);
    const std::vector<std::int64_t> columns = match_columns(schema, "fuzz", file);
    std::vector<std::int64_t> rows(static_cast<std::size_t>(file.rows()));
    std::iota(rows.begin(), rows.end(), std::int64_t{0});
    const Array encoded = encode_table(schema, "fuzz", file, columns, rows);
    require_whole(encoded);
    require(encoded.rows() == file.rows() && encoded.columns() == schema.width());
    const Array values = table_values(schema, encoded);
    parse_csv_cells("fuzz", complete_table_csv(schema, file, columns, rows, values), Header::yes);
  });
}

// A recipe and the settings in it. Unknown keys, and values out of their range, are usage errors.
inline void recipe(ByteView bytes) {
  try {
    const Recipe recipe = parse_recipe("fuzz.toml", std::string(bytes.begin(), bytes.end()));
    require(!recipe.model.empty() && !recipe.data.empty());
    Settings settings(recipe.model);
    settings.set_all(recipe.settings);
    Settings again(recipe.model);
    again.set_all(settings.to_json());
    require(again.to_json() == settings.to_json());
  } catch (const Error& error) {
    require(error.kind() == ErrorKind::data || error.kind() == ErrorKind::usage);
  }
}

inline void png(ByteView bytes) {
  read_or_refuse([&] { require_whole(parse_png("fuzz", bytes)); });
}

inline void safetensors(ByteView bytes) {
  read_or_refuse([&] {
    const SafeTensors content = parse_safetensors("fuzz", bytes);
    for (const auto& [name, array] : content.tensors) require_whole(array);
    const SafeTensors again = parse_safetensors("fuzz", encode_safetensors(content));
    require(again.metadata == content.metadata && again.tensors.size() == content.tensors.size());
    for (const auto& [name, array] : content.tensors) require_same(again.tensors.at(name), array);
  });
}

}  // namespace deepgen::fuzz
