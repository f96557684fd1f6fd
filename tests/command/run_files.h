// Reads what the program writes, independently of the program's own readers.
#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace deepgen::command {

using Json = nlohmann::ordered_json;

// A safetensors file: its metadata, and the type, shape and bytes of each tensor.
struct StoredTensor {
  std::string type;
  std::vector<std::int64_t> shape;
  std::string bytes;
  bool operator==(const StoredTensor&) const = default;
  std::vector<float> floats() const;
};
struct StoredRun {
  std::map<std::string, std::string> metadata;
  std::map<std::string, StoredTensor> tensors;
};
StoredRun read_stored_run(const std::string& content);
std::string encode_stored_run(const StoredRun& run);
// Names of the tensors that are not equal to the bit, or are in one of the two alone.
std::vector<std::string> differing_tensors(const StoredRun& a, const StoredRun& b);

// Rows and columns of numbers, from .npy or .csv; a column of one number a row has one column.
struct Table {
  std::vector<std::string> names;  // of the columns of a .csv with a header
  std::vector<std::vector<double>> rows;
  std::size_t columns() const { return rows.empty() ? 0 : rows.front().size(); }
};
Table read_npy_table(const std::string& content);  // little-endian float32 or float64, one or two dimensions
Table read_csv_table(const std::string& content);  // a first line of letters is the header
std::string encode_npy_table(const std::vector<std::vector<float>>& rows);
std::string encode_csv_table(const std::vector<std::vector<std::string>>& rows);

// The cells of a .csv, quotes and all: of files without separators within cells.
std::vector<std::vector<std::string>> cells_of(const std::string& content);

bool only_bits(const Table& table);  // every value 0 or 1

struct PictureSize {
  std::uint32_t width = 0, height = 0;
};
PictureSize read_png_size(const std::string& content);  // {0, 0} when it is no PNG

std::vector<Json> read_json_lines(const std::string& content);

}  // namespace deepgen::command
