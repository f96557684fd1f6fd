#include "deepgen/data/files/safetensors.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>

#include "deepgen/core/error.h"
#include "deepgen/data/files/array_bytes.h"
#include "deepgen/data/files/safetensors_header.h"

namespace deepgen {

namespace {

struct TypeName {
  const char* name;
  DType type;
};
constexpr TypeName type_names[] = {{"U8", DType::u8},   {"BOOL", DType::u8}, {"I8", DType::i8},
                                   {"U16", DType::u16}, {"I16", DType::i16}, {"I32", DType::i32},
                                   {"I64", DType::i64}, {"F32", DType::f32}, {"F64", DType::f64}};

DType tensor_type(const std::string& path, const TensorEntry& entry) {
  for (const TypeName& known : type_names)
    if (entry.dtype == known.name) return known.type;
  fail_data(path,
            fmt::format("expected tensor {} of type BOOL, U8, I8, U16, I16, I32, I64, F32 or F64, got {}",
                        shown(entry.name), shown(entry.dtype)));
}

// The tensors one after another must cover the `size` bytes of data exactly.
void check_offsets(const std::string& path, std::vector<TensorEntry>& entries, std::uint64_t size) {
  std::sort(entries.begin(), entries.end(), [](const TensorEntry& a, const TensorEntry& b) {
    return std::tie(a.begin, a.end, a.name) < std::tie(b.begin, b.end, b.name);
  });
  std::uint64_t at = 0;
  for (const TensorEntry& entry : entries) {
    if (entry.begin != at || entry.end < entry.begin || entry.end > size)
      fail_data(path,
                fmt::format("expected tensor {} at [{}, at most {}], got data_offsets [{}, {}]; the file is "
                            "truncated or its header is damaged",
                            shown(entry.name), at, size, entry.begin, entry.end));
    at = entry.end;
  }
  if (at != size) fail_data(path, fmt::format("expected {} bytes of data, got {}", at, size));
}

// Of a mapped file: a piece of it, where its items lie as a processor expects them.
Array tensor(const std::string& path, TensorEntry& entry, ByteView data,
             const std::shared_ptr<const MappedFile>& file) {
  const DType type = tensor_type(path, entry);
  const auto size = byte_size(type, entry.shape);
  if (!size || static_cast<std::uint64_t>(*size) != entry.end - entry.begin)
    fail_data(path,
              fmt::format("expected the size of {} {} for tensor {}, got data_offsets [{}, {}]", entry.dtype,
                          shape_text(entry.shape), shown(entry.name), entry.begin, entry.end));
  const ByteView part = data.subspan(entry.begin, entry.end - entry.begin);
  const std::size_t begin = file ? static_cast<std::size_t>(part.data() - file->bytes().data()) : 0;
  if (file && host_is_little_endian() && begin % static_cast<std::size_t>(item_size(type)) == 0)
    return {type, std::move(entry.shape), ArrayBytes(file, begin, part.size())};
  Array array{type, std::move(entry.shape), Bytes(part.begin(), part.end())};
  if (!host_is_little_endian()) reverse_items(array.bytes.own(), item_size(type));
  return array;
}

using Named = std::pair<const std::string, Array>;

std::vector<const Named*> in_file_order(const SafeTensors& content) {
  std::vector<const Named*> order;
  for (const Named& named : content.tensors) order.push_back(&named);
  std::stable_sort(order.begin(), order.end(), [](const Named* a, const Named* b) {
    return item_size(a->second.type) > item_size(b->second.type);
  });
  return order;
}

const char* type_name(DType type) {
  for (const TypeName& known : type_names)
    if (known.type == type) return known.name;
  throw Error(ErrorKind::bug, "safetensors", "expected a known type");
}

// The length and the JSON, padded with blanks.
Bytes encode_header(const SafeTensors& content, const std::vector<const Named*>& order) {
  nlohmann::ordered_json header = nlohmann::ordered_json::object();
  if (!content.metadata.empty()) header["__metadata__"] = content.metadata;
  std::uint64_t at = 0;
  for (const Named* named : order) {
    const auto& [name, array] = *named;
    if (name == "__metadata__") fail_data("safetensors", "expected another tensor name than '__metadata__'");
    const auto size = byte_size(array.type, array.shape);
    if (!size || static_cast<std::uint64_t>(*size) != array.bytes.size())
      fail_data("safetensors",
                fmt::format("expected bytes for {} {} in tensor {}, got {}", dtype_name(array.type),
                            shape_text(array.shape), shown(name), array.bytes.size()));
    header[name] = {{"dtype", type_name(array.type)},
                    {"shape", array.shape},
                    {"data_offsets", {at, at + array.bytes.size()}}};
    at += array.bytes.size();
  }
  std::string text;
  try {
    text = header.dump();
  } catch (const nlohmann::json::exception&) {
    fail_data("safetensors", "expected names and metadata in UTF-8, got other bytes");
  }
  text.resize((text.size() + 7) / 8 * 8, ' ');
  if (text.size() > safetensors_longest_header)
    fail_data("safetensors", fmt::format("expected a header of at most {} bytes, got {}",
                                         safetensors_longest_header, text.size()));
  Bytes bytes(8);
  for (std::size_t i = 0; i < 8; ++i) bytes[i] = static_cast<std::uint8_t>(text.size() >> (8 * i));
  bytes.insert(bytes.end(), text.begin(), text.end());
  return bytes;
}

// Calls with the pieces of the file in order; they live as long as the call.
template <class Use>
void with_parts(const SafeTensors& content, Use use) {
  const std::vector<const Named*> order = in_file_order(content);
  const Bytes header = encode_header(content, order);
  std::vector<ByteView> parts = {header};
  std::vector<Bytes> swapped;
  swapped.reserve(order.size());
  for (const Named* named : order) {
    parts.emplace_back(named->second.bytes);
    if (host_is_little_endian()) continue;
    swapped.emplace_back(named->second.bytes.begin(), named->second.bytes.end());
    reverse_items(swapped.back(), item_size(named->second.type));
    parts.back() = swapped.back();
  }
  use(parts);
}

// `bytes` are those of `file`, unless it is null.
SafeTensors parsed_safetensors(const std::string& path, ByteView bytes,
                               const std::shared_ptr<const MappedFile>& file) {
  if (bytes.size() < 8) fail_data(path, fmt::format("expected a length of 8 bytes, got {}", bytes.size()));
  const std::uint64_t length = little_endian(bytes.data(), 8);
  const std::uint64_t most = std::min<std::uint64_t>(bytes.size() - 8, safetensors_longest_header);
  if (length > most)
    fail_data(path,
              fmt::format("expected a header of at most {} bytes, got a length of {}; the file is truncated "
                          "or no safetensors file",
                          most, length));
  SafeTensors content;
  const ByteView data = bytes.subspan(8 + length);
  std::vector<TensorEntry> entries =
      parse_safetensors_header(path, bytes.subspan(8, length), content.metadata);
  check_offsets(path, entries, data.size());
  for (TensorEntry& entry : entries) content.tensors.emplace(entry.name, tensor(path, entry, data, file));
  return content;
}

}  // namespace

SafeTensors parse_safetensors(const std::string& path, ByteView bytes) {
  return parsed_safetensors(path, bytes, nullptr);
}

SafeTensors read_safetensors(const std::string& path) {
  const std::shared_ptr<const MappedFile> file = MappedFile::open(path);
  return file ? parsed_safetensors(path, file->bytes(), file) : parse_safetensors(path, read_raw_file(path));
}

Bytes encode_safetensors(const SafeTensors& content) {
  Bytes bytes;
  with_parts(content, [&](const std::vector<ByteView>& parts) {
    for (const ByteView part : parts) bytes.insert(bytes.end(), part.begin(), part.end());
  });
  return bytes;
}

void write_safetensors(const std::string& path, const SafeTensors& content) {
  with_parts(content, [&](const std::vector<ByteView>& parts) { write_file(path, parts); });
}

}  // namespace deepgen
