#include "deepgen/data/files/open.h"

#include <fmt/format.h>

#include <filesystem>

#include "deepgen/core/error.h"
#include "deepgen/core/file_bytes.h"
#include "deepgen/data/files/array_bytes.h"
#include "deepgen/data/files/csv.h"
#include "deepgen/data/files/idx.h"
#include "deepgen/data/files/npy.h"
#include "deepgen/data/files/npz.h"
#include "deepgen/data/files/png.h"

namespace deepgen {

namespace {

NamedArrays named(Array array) {
  NamedArrays arrays;
  arrays.emplace("data", std::move(array));
  return arrays;
}

std::string lower_case(std::string text) {
  for (char& c : text)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return text;
}

NamedArrays read_folder(const std::string& path) {
  PngFolder folder = read_png_folder(path);
  NamedArrays arrays = named(std::move(folder.images));
  if (!folder.classes.empty()) arrays.emplace("data_labels", std::move(folder.labels));
  return arrays;
}

}  // namespace

NamedArrays read_any(const std::string& path) {
  std::error_code unknown;
  if (std::filesystem::is_directory(path, unknown)) return read_folder(path);
  const std::string name = lower_case(std::filesystem::path(path).filename().string());
  if (name.ends_with(".npz")) return read_npz(path);
  if (name.ends_with(".npy")) return named(read_npy(path));
  for (const char* ending : {".csv", ".tsv", ".csv.gz", ".tsv.gz"})
    if (name.ends_with(ending)) return named(read_csv(path).values);
  if (name.ends_with(".png")) fail_data(path, "expected a folder of .png pictures, got one; name its folder");
  const std::shared_ptr<const MappedFile> file = MappedFile::open(path);
  Bytes read = file ? Bytes() : read_raw_file(path);
  const ByteView bytes = file ? file->bytes() : ByteView(read);
  const bool looks_like_idx = bytes.size() >= 4 && bytes[0] == 0 && bytes[1] == 0;
  if (name.ends_with(".idx") || name.ends_with("-ubyte") || is_gzip(bytes) || looks_like_idx)
    return named(file ? read_idx(path) : parse_idx(path, std::move(read)));
  fail_data(path, fmt::format(
                      "expected .npz, .npy, .csv, .tsv, IDX (.idx, -ubyte, .gz) or a folder of .png, got {}",
                      shown(name)));
}

}  // namespace deepgen
