#include "run_files.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstring>
#include <limits>
#include <sstream>
#include <stdexcept>

namespace deepgen::command {
namespace {

std::uint64_t little(const std::string& text, std::size_t at, int bytes) {
  std::uint64_t value = 0;
  for (int i = bytes; i-- > 0;)
    value = value << 8 | static_cast<std::uint8_t>(text.at(at + static_cast<std::size_t>(i)));
  return value;
}

std::string little(std::uint64_t value, int bytes) {
  std::string text;
  for (int i = 0; i < bytes; ++i) text.push_back(static_cast<char>(value >> (8 * i)));
  return text;
}

template <class T>
std::vector<double> numbers(const std::string& bytes) {
  std::vector<T> items(bytes.size() / sizeof(T));
  std::memcpy(items.data(), bytes.data(), items.size() * sizeof(T));
  return {items.begin(), items.end()};
}

// "(3, 4)" or "(3,)" after 'shape':.
std::vector<std::size_t> npy_shape(const std::string& header) {
  const std::size_t open = header.find('(', header.find("'shape'")), close = header.find(')', open);
  std::string inside = header.substr(open + 1, close - open - 1);
  std::replace(inside.begin(), inside.end(), ',', ' ');
  std::istringstream stream(inside);
  std::vector<std::size_t> shape;
  for (std::size_t size = 0; stream >> size;) shape.push_back(size);
  return shape;
}

}  // namespace

std::vector<float> StoredTensor::floats() const {
  std::vector<float> items(bytes.size() / sizeof(float));
  std::memcpy(items.data(), bytes.data(), items.size() * sizeof(float));
  return items;
}

StoredRun read_stored_run(const std::string& content) {
  const std::size_t size = little(content, 0, 8);
  const Json header = Json::parse(content.substr(8, size));
  const std::string data = content.substr(8 + size);
  StoredRun run;
  for (const auto& [name, entry] : header.items()) {
    if (name == "__metadata__") {
      run.metadata = entry.get<std::map<std::string, std::string>>();
      continue;
    }
    const auto ends = entry.at("data_offsets").get<std::vector<std::size_t>>();
    run.tensors[name] = {entry.at("dtype").get<std::string>(),
                         entry.at("shape").get<std::vector<std::int64_t>>(),
                         data.substr(ends.at(0), ends.at(1) - ends.at(0))};
  }
  return run;
}

std::string encode_stored_run(const StoredRun& run) {
  Json header = {{"__metadata__", run.metadata}};
  std::string data;
  for (const char* type :
       {"F64", "I64", "F32", "I32", "I16", "I8", "U8"})  // wide types first: all are aligned
    for (const auto& [name, tensor] : run.tensors) {
      if (tensor.type != type) continue;
      header[name] = {{"dtype", tensor.type},
                      {"shape", tensor.shape},
                      {"data_offsets", {data.size(), data.size() + tensor.bytes.size()}}};
      data += tensor.bytes;
    }
  std::string text = header.dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');
  return little(text.size(), 8) + text + data;
}

std::vector<std::string> differing_tensors(const StoredRun& a, const StoredRun& b) {
  std::vector<std::string> names;
  for (const auto& [name, tensor] : a.tensors)
    if (const auto found = b.tensors.find(name); found == b.tensors.end() || !(found->second == tensor))
      names.push_back(name);
  for (const auto& [name, tensor] : b.tensors)
    if (!a.tensors.contains(name)) names.push_back(name);
  return names;
}

Table read_npy_table(const std::string& content) {
  if (!content.starts_with("\x93NUMPY\x01")) throw std::runtime_error("no .npy file of version 1");
  const std::size_t size = little(content, 8, 2);
  const std::string header = content.substr(10, size), data = content.substr(10 + size);
  const bool wide = header.find("<f8") != std::string::npos;
  if (!wide && header.find("<f4") == std::string::npos)
    throw std::runtime_error("unexpected type: " + header);
  const std::vector<std::size_t> shape = npy_shape(header);
  const std::vector<double> all = wide ? numbers<double>(data) : numbers<float>(data);
  std::size_t columns = 1;
  for (std::size_t i = 1; i < shape.size(); ++i) columns *= shape[i];
  if (shape.empty() || all.size() != shape[0] * columns)
    throw std::runtime_error("the data do not fit: " + header);
  Table table;
  for (std::size_t r = 0; r < shape[0]; ++r) {
    const auto first = all.begin() + static_cast<std::ptrdiff_t>(r * columns);
    table.rows.emplace_back(first, first + static_cast<std::ptrdiff_t>(columns));
  }
  return table;
}

Table read_csv_table(const std::string& content) {
  Table table;
  for (const std::vector<std::string>& cells : cells_of(content)) {
    if (table.names.empty() && table.rows.empty() && !cells[0].empty() &&
        std::isalpha(static_cast<unsigned char>(cells[0][0]))) {
      table.names = cells;
      continue;
    }
    std::vector<double> row;
    for (const std::string& cell : cells)
      row.push_back(cell.empty() ? std::numeric_limits<double>::quiet_NaN() : std::stod(cell));
    table.rows.push_back(row);
  }
  return table;
}

std::string encode_npy_table(const std::vector<std::vector<float>>& rows) {
  std::string data;
  for (const auto& row : rows)
    data.append(reinterpret_cast<const char*>(row.data()), row.size() * sizeof(float));
  const std::string header = "{'descr': '<f4', 'fortran_order': False, 'shape': (" +
                             std::to_string(rows.size()) + ", " + std::to_string(rows.at(0).size()) +
                             "), }\n";
  return std::string("\x93NUMPY\x01\x00", 8) + little(header.size(), 2) + header + data;
}

std::string encode_csv_table(const std::vector<std::vector<std::string>>& rows) {
  std::string text;
  for (const auto& row : rows)
    for (std::size_t j = 0; j < row.size(); ++j) text += row[j] + (j + 1 < row.size() ? "," : "\n");
  return text;
}

std::vector<std::vector<std::string>> cells_of(const std::string& content) {
  std::vector<std::vector<std::string>> lines;
  std::istringstream stream(content);
  for (std::string line; std::getline(stream, line);) {
    lines.emplace_back(1);
    for (const char c : line)
      if (c == ',')
        lines.back().emplace_back();
      else
        lines.back().back() += c;
  }
  return lines;
}

bool only_bits(const Table& table) {
  for (const auto& row : table.rows)
    for (const double value : row)
      if (value != 0 && value != 1) return false;
  return !table.rows.empty();
}

PictureSize read_png_size(const std::string& content) {
  if (!content.starts_with("\x89PNG\r\n\x1a\n") || content.size() < 24) return {};
  auto big = [&](std::size_t at) {
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < 4; ++i) value = value << 8 | static_cast<std::uint8_t>(content[at + i]);
    return value;
  };
  return {big(16), big(20)};
}

std::vector<Json> read_json_lines(const std::string& content) {
  std::vector<Json> lines;
  std::istringstream stream(content);
  for (std::string line; std::getline(stream, line);) lines.push_back(Json::parse(line));
  return lines;
}

}  // namespace deepgen::command
