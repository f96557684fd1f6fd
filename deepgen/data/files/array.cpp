#include "deepgen/data/files/array.h"

#include <fmt/format.h>

#include "deepgen/core/error.h"
#include "deepgen/data/files/array_bytes.h"

namespace deepgen {

std::int64_t item_size(DType type) {
  switch (type) {
    case DType::u8:
    case DType::i8:
      return 1;
    case DType::u16:
    case DType::i16:
      return 2;
    case DType::i32:
    case DType::f32:
      return 4;
    case DType::i64:
    case DType::f64:
      return 8;
  }
  throw Error(ErrorKind::bug, "array", "expected a known type");
}

const char* dtype_name(DType type) {
  switch (type) {
    case DType::u8:
      return "uint8";
    case DType::i8:
      return "int8";
    case DType::u16:
      return "uint16";
    case DType::i16:
      return "int16";
    case DType::i32:
      return "int32";
    case DType::i64:
      return "int64";
    case DType::f32:
      return "float32";
    case DType::f64:
      return "float64";
  }
  throw Error(ErrorKind::bug, "array", "expected a known type");
}

std::int64_t Array::items() const {
  std::int64_t product = 1;
  for (const std::int64_t size : shape) product *= size;
  return product;
}

std::int64_t Array::columns() const {
  std::int64_t product = 1;
  for (std::size_t i = 1; i < shape.size(); ++i) product *= shape[i];
  return product;
}

Array make_array(DType type, std::vector<std::int64_t> shape) {
  const auto size = byte_size(type, shape);
  if (!size)
    fail_data("array", fmt::format("expected sizes whose product fits in memory, got {}", shape_text(shape)));
  return {type, std::move(shape), Bytes(static_cast<std::size_t>(*size))};
}

}  // namespace deepgen
