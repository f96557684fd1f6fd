#include "deepgen/data/files/idx.h"

#include <fmt/format.h>

#include <optional>

#include "deepgen/core/error.h"
#include "deepgen/data/files/array_bytes.h"

namespace deepgen {

namespace {

constexpr std::size_t largest_header = 4 + 4 * 8;

std::optional<DType> idx_type(std::uint8_t code) {
  switch (code) {
    case 0x08:
      return DType::u8;
    case 0x09:
      return DType::i8;
    case 0x0b:
      return DType::i16;
    case 0x0c:
      return DType::i32;
    case 0x0d:
      return DType::f32;
    case 0x0e:
      return DType::f64;
    default:
      return std::nullopt;
  }
}

struct IdxHeader {
  DType type;
  std::vector<std::int64_t> shape;
  std::uint64_t header_size, file_size;
};

std::vector<std::int64_t> idx_shape(ByteView bytes, std::size_t dims, bool swapped) {
  std::vector<std::int64_t> shape;
  for (std::size_t i = 0; i < dims; ++i) {
    const std::uint8_t* at = bytes.data() + 4 + 4 * i;
    shape.push_back(static_cast<std::int64_t>(swapped ? little_endian(at, 4) : big_endian(at, 4)));
  }
  return shape;
}

IdxHeader idx_header(const std::string& path, ByteView bytes) {
  if (bytes.size() < 4) fail_data(path, fmt::format("expected an IDX header, got {} bytes", bytes.size()));
  if (bytes[2] == 0 && bytes[3] == 0 && bytes[0] >= 1 && bytes[0] <= 8 && idx_type(bytes[1]))
    fail_data(path, "expected a big-endian IDX header, got a little-endian one; swap the bytes of its sizes");
  if (bytes[0] != 0 || bytes[1] != 0)
    fail_data(path, fmt::format("expected an IDX header that begins with 00 00, got {:02x} {:02x}", bytes[0],
                                bytes[1]));
  const auto type = idx_type(bytes[2]);
  if (!type)
    fail_data(path,
              fmt::format("expected an IDX type 08, 09, 0b, 0c, 0d or 0e at byte 2, got {:02x}", bytes[2]));
  const std::size_t dims = bytes[3];
  if (dims < 1 || dims > 8)
    fail_data(path, fmt::format("expected 1 to 8 dimensions at byte 3, got {}", dims));
  const std::size_t header_size = 4 + 4 * dims;
  if (bytes.size() < header_size)
    fail_data(path, fmt::format("expected {} sizes in the header, got the end of the file at byte {}", dims,
                                bytes.size()));
  std::vector<std::int64_t> shape = idx_shape(bytes, dims, false);
  const auto size = byte_size(*type, shape);
  if (!size) fail_data(path, fmt::format("expected sizes whose product fits, got {}", shape_text(shape)));
  return {*type, std::move(shape), header_size, header_size + static_cast<std::uint64_t>(*size)};
}

// `size` is what is there (or, for gzip, the most that can be there).
[[noreturn]] void fail_size(const std::string& path, const IdxHeader& header, ByteView bytes,
                            std::uint64_t size, const char* at_most) {
  const auto swapped = byte_size(header.type, idx_shape(bytes, header.shape.size(), true));
  const bool fits_swapped = swapped && header.header_size + static_cast<std::uint64_t>(*swapped) == size;
  fail_data(path, fmt::format("expected {} bytes for {} {}, got {}{}; {}", header.file_size,
                              dtype_name(header.type), shape_text(header.shape), at_most, size,
                              fits_swapped              ? "the sizes are little-endian, IDX is big-endian"
                              : size < header.file_size ? "the file is truncated or its header is damaged"
                                                        : "there are bytes after the data"));
}

Bytes inflate_idx(const std::string& path, ByteView compressed) {
  const Bytes head = gunzip_prefix(path, compressed, largest_header);
  const IdxHeader header = idx_header(path, head);
  const std::uint64_t most = largest_inflated(compressed.size());
  if (header.file_size > most) fail_size(path, header, head, most, "at most ");
  return gunzip(path, compressed, header.file_size);
}

}  // namespace

Array parse_idx(const std::string& path, Bytes bytes) {
  if (is_gzip(bytes)) bytes = inflate_idx(path, bytes);
  IdxHeader header = idx_header(path, bytes);
  if (header.file_size != bytes.size()) fail_size(path, header, bytes, bytes.size(), "");
  bytes.erase(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(header.header_size));
  if (host_is_little_endian()) reverse_items(bytes, item_size(header.type));  // big-endian in the file
  return {header.type, std::move(header.shape), std::move(bytes)};
}

Array read_idx(const std::string& path) {
  const std::shared_ptr<const MappedFile> file = MappedFile::open(path);
  if (!file) return parse_idx(path, read_raw_file(path));
  const ByteView bytes = file->bytes();
  if (is_gzip(bytes)) return parse_idx(path, inflate_idx(path, bytes));
  IdxHeader header = idx_header(path, bytes);
  if (header.file_size != bytes.size()) fail_size(path, header, bytes, bytes.size(), "");
  if (item_size(header.type) > 1) return parse_idx(path, Bytes(bytes.begin(), bytes.end()));  // big-endian
  return {header.type, std::move(header.shape),
          ArrayBytes(file, header.header_size, bytes.size() - header.header_size)};
}

}  // namespace deepgen
