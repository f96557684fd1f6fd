#include "deepgen/data/files/npy.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cstring>

#include "deepgen/core/error.h"
#include "deepgen/data/files/array_bytes.h"

namespace deepgen {

namespace {

// From first index fastest to last index fastest.
Bytes row_major(const Bytes& from, const std::vector<std::int64_t>& shape, std::size_t item) {
  Bytes to(from.size());
  std::vector<std::size_t> stride(shape.size(), item);  // in `from`
  for (std::size_t d = 1; d < shape.size(); ++d)
    stride[d] = stride[d - 1] * static_cast<std::size_t>(shape[d - 1]);
  std::vector<std::int64_t> index(shape.size(), 0);
  std::size_t source = 0;
  for (std::size_t at = 0; at < to.size(); at += item) {
    std::memcpy(to.data() + at, from.data() + source, item);
    for (std::size_t d = shape.size(); d-- > 0;) {
      source += stride[d];
      if (++index[d] < shape[d]) break;
      source -= stride[d] * static_cast<std::size_t>(shape[d]);
      index[d] = 0;
    }
  }
  return to;
}

// Unsigned items of `size` bytes, in host order, as int64.
Bytes widened(const std::string& path, const Bytes& from, std::size_t size) {
  Bytes to(from.size() / size * 8);
  for (std::size_t i = 0; i * size < from.size(); ++i) {
    std::uint64_t value = 0;
    std::uint32_t half = 0;
    if (size == 8) std::memcpy(&value, from.data() + i * 8, 8);
    if (size == 4) std::memcpy(&half, from.data() + i * 4, 4);
    value += half;
    if (value >> 63)
      fail_data(path, fmt::format("expected unsigned items that fit int64, got {} at item {}", value, i));
    std::memcpy(to.data() + i * 8, &value, 8);
  }
  return to;
}

void check_data_size(const std::string& path, const NpyHeader& header, std::size_t size) {
  if (size != header.data_size)
    fail_data(path, fmt::format("expected {} bytes of data for {} {}, got {}", header.data_size,
                                dtype_name(header.type), shape_text(header.shape), size));
}

const char* descr(DType type) {
  switch (type) {
    case DType::u8:
      return "|u1";
    case DType::i8:
      return "|i1";
    case DType::u16:
      return "<u2";
    case DType::i16:
      return "<i2";
    case DType::i32:
      return "<i4";
    case DType::i64:
      return "<i8";
    case DType::f32:
      return "<f4";
    case DType::f64:
      return "<f8";
  }
  throw Error(ErrorKind::bug, "npy", "expected a known type");
}

}  // namespace

Array npy_array(const std::string& path, const NpyHeader& header, Bytes data) {
  refuse_unread(path, header);
  check_data_size(path, header, data.size());
  const auto item = static_cast<std::size_t>(header.widen ? header.widen : item_size(header.type));
  if (header.swapped) reverse_items(data, static_cast<std::int64_t>(item));
  if (header.fortran_order && header.shape.size() > 1) data = row_major(data, header.shape, item);
  if (header.widen) data = widened(path, data, item);
  return {header.type, header.shape, std::move(data)};
}

Array parse_npy(const std::string& path, Bytes bytes) {
  const NpyHeader header = parse_npy_header(path, bytes);
  bytes.erase(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(header.header_size));
  return npy_array(path, header, std::move(bytes));
}

Array read_npy(const std::string& path) {
  const std::shared_ptr<const MappedFile> file = MappedFile::open(path);
  if (!file) return parse_npy(path, read_raw_file(path));
  const NpyHeader header = parse_npy_header(path, file->bytes());
  refuse_unread(path, header);
  const ByteView data = file->bytes().subspan(header.header_size);
  check_data_size(path, header, data.size());
  // Items that need no work and lie where a processor expects them; others are read.
  const bool plain = !header.swapped && header.widen == 0 &&
                     !(header.fortran_order && header.shape.size() > 1) &&
                     header.header_size % static_cast<std::uint64_t>(item_size(header.type)) == 0;
  if (!plain) return npy_array(path, header, Bytes(data.begin(), data.end()));
  return {header.type, header.shape, ArrayBytes(file, header.header_size, data.size())};
}

Bytes encode_npy_header(DType type, const std::vector<std::int64_t>& shape) {
  std::string text = fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': ({}{}), }}", descr(type),
                                 fmt::join(shape, ", "), shape.size() == 1 ? "," : "");
  text.resize((10 + text.size() + 1 + 63) / 64 * 64 - 10, ' ');  // the data begin at a multiple of 64
  text.back() = '\n';
  if (text.size() > 0xffff) fail_data("npy", "expected a shape that fits a header of 64 KiB");
  Bytes bytes = {0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0};
  bytes.push_back(static_cast<std::uint8_t>(text.size() & 0xff));
  bytes.push_back(static_cast<std::uint8_t>(text.size() >> 8));
  bytes.insert(bytes.end(), text.begin(), text.end());
  return bytes;
}

ByteView little_endian_data(const Array& array, Bytes& storage) {
  if (host_is_little_endian()) return array.bytes;
  storage.assign(array.bytes.begin(), array.bytes.end());
  reverse_items(storage, item_size(array.type));
  return storage;
}

void write_npy(const std::string& path, const Array& array) {
  NpyWriter file(path, array.type, array.shape);
  file.append(array);
  file.close();
}

NpyWriter::NpyWriter(const std::string& path, DType type, const std::vector<std::int64_t>& shape)
    : path_(path), type_(type), file_(path) {
  const auto size = byte_size(type, shape);
  if (!size) fail_data(path, fmt::format("expected sizes whose product fits, got {}", shape_text(shape)));
  left_ = static_cast<std::uint64_t>(*size);
  file_.append(encode_npy_header(type, shape));
}

void NpyWriter::append(const Array& piece) {
  if (piece.type != type_ || piece.bytes.size() > left_)
    throw Error(ErrorKind::bug, path_,
                fmt::format("expected at most {} bytes of {}, got {} of {}", left_, dtype_name(type_),
                            piece.bytes.size(), dtype_name(piece.type)));
  Bytes storage;
  file_.append(little_endian_data(piece, storage));
  left_ -= piece.bytes.size();
}

void NpyWriter::close() {
  if (left_ > 0)
    throw Error(ErrorKind::bug, path_, fmt::format("expected {} more bytes of the array", left_));
  file_.close();
}

}  // namespace deepgen
