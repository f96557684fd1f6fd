#include "deepgen/data/files/npz_set.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <utility>
#include <vector>

#include "deepgen/core/error.h"
#include "deepgen/data/files/array_bytes.h"
#include "deepgen/data/files/npz.h"

namespace deepgen {
namespace {

using NpzHeaders = std::map<std::string, NpyHeader>;

// "X [150, 4] float64, names [4] dtype '<U12' (text strings)".
std::string found_arrays(const NpzHeaders& headers) {
  constexpr std::size_t most = 8;
  std::vector<std::string> found;
  for (const auto& [name, header] : headers) {
    if (found.size() == most) break;
    found.push_back(fmt::format("{} {} {}", shown(name), shape_text(header.shape),
                                header.unread.empty() ? dtype_name(header.type) : header.unread.c_str()));
  }
  return fmt::format("{}{}", fmt::join(found, ", "),
                     headers.size() > most ? fmt::format(" and {} more", headers.size() - most) : "");
}

std::string one_matrix_name(const std::string& path, const NpzHeaders& headers) {
  std::vector<std::string> matrices;
  for (const auto& [name, header] : headers)
    if (header.unread.empty() && (header.shape.size() >= 2 || headers.size() == 1)) matrices.push_back(name);
  if (matrices.size() == 1) return matrices[0];
  fail_data(path, fmt::format("expected an array named train, or one matrix of numbers; found {}; {}",
                              found_arrays(headers),
                              matrices.empty() ? "save the numbers as an array [rows, columns]"
                                               : "state which one with matrix=NAME"));
}

// The array beside a matrix that looks like its labels, or "".
std::string label_array(const NpzHeaders& headers, const std::string& matrix) {
  const std::vector<std::int64_t>& shape = headers.at(matrix).shape;
  std::vector<std::string> found;
  for (const char* name : {"y", "Y", "label", "labels", "target", "targets"}) {
    const auto at = headers.find(name);
    if (at == headers.end() || name == matrix || shape.empty() || at->second.shape != std::vector{shape[0]})
      continue;
    const bool fractions = at->second.type == DType::f32 || at->second.type == DType::f64;
    if (!at->second.unread.empty() || !fractions) found.emplace_back(name);
  }
  return found.size() == 1 ? found[0] : "";
}

}  // namespace

NamedArrays read_npz_set(const std::string& path, const std::string& matrix) {
  const NpzHeaders headers = list_npz(path);
  if (!matrix.empty() && !headers.contains(matrix))
    fail_data(path, fmt::format("expected an array {}, found {}", shown(matrix), found_arrays(headers)));
  std::map<std::string, std::string> wanted;  // the name in the set, by the name in the file
  const auto want_part = [&](const std::string& from, const std::string& as) {
    for (const char* of : {"", "_labels", "_lengths"})
      if (headers.contains(from + of)) wanted[from + of] = as + of;
  };
  std::string only = matrix;
  if (matrix.empty() && headers.contains("train")) {
    want_part("train", "train");
  } else {
    if (only.empty()) only = headers.contains("data") ? "data" : one_matrix_name(path, headers);
    want_part(only, "train");
    const std::string labels = label_array(headers, only);
    if (!labels.empty() && !headers.contains(only + "_labels")) wanted[labels] = "train_labels";
  }
  if (matrix.empty() && (only.empty() || only == "data"))
    for (const char* part : {"valid", "test"}) want_part(part, part);
  std::vector<std::string> names;
  for (const auto& [from, as] : wanted) names.push_back(from);
  NamedArrays read = read_npz(path, names), arrays;
  for (const auto& [from, as] : wanted) arrays[as] = std::move(read.at(from));
  return arrays;
}

}  // namespace deepgen
