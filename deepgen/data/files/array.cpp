#include "deepgen/data/files/array.h"

#include <fmt/format.h>

#include "deepgen/core/error.h"
#include "deepgen/data/files/array_bytes.h"

namespace deepgen {
namespace {

template <class T>
std::vector<double> column_of(const Array& array, std::int64_t column) {
  const std::int64_t step = array.columns();
  std::vector<double> values;
  for (std::int64_t row = 0; row < array.rows(); ++row)
    values.push_back(static_cast<double>(array.as<T>()[row * step + column]));
  return values;
}

template <class T>
bool bits_of(const Array& array, const std::vector<bool>& wanted) {
  const T* item = array.as<T>();
  for (std::int64_t row = 0; row < array.rows(); ++row)
    for (const bool looked_at : wanted) {
      if (looked_at && *item != 0 && *item != 1) return false;
      ++item;
    }
  return true;
}

// function(T()) for the type of the items.
template <class F>
auto with_type(DType type, F function) {
  switch (type) {
    case DType::u8:
      return function(std::uint8_t{});
    case DType::i8:
      return function(std::int8_t{});
    case DType::i16:
      return function(std::int16_t{});
    case DType::u16:
      return function(std::uint16_t{});
    case DType::i32:
      return function(std::int32_t{});
    case DType::i64:
      return function(std::int64_t{});
    case DType::f32:
      return function(float{});
    case DType::f64:
      return function(double{});
  }
  throw Error(ErrorKind::bug, "array", "expected a known type");
}

}  // namespace

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

Bytes& ArrayBytes::own() {
  if (!file_) return own_;
  own_.assign(mapped_.begin(), mapped_.end());
  file_.reset();
  mapped_ = {};
  return own_;
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

std::vector<double> column_values(const Array& array, std::int64_t column) {
  return with_type(array.type, [&]<class T>(T) { return column_of<T>(array, column); });
}

bool holds_bits(const Array& array, const std::vector<std::int64_t>& passed_over) {
  std::vector<bool> wanted(static_cast<std::size_t>(array.columns()), true);
  for (const std::int64_t column : passed_over)
    if (column >= 0 && column < array.columns()) wanted[static_cast<std::size_t>(column)] = false;
  return with_type(array.type, [&]<class T>(T) { return bits_of<T>(array, wanted); });
}

Array make_array(DType type, std::vector<std::int64_t> shape) {
  const auto size = byte_size(type, shape);
  if (!size)
    fail_data("array", fmt::format("expected sizes whose product fits in memory, got {}", shape_text(shape)));
  return {type, std::move(shape), Bytes(static_cast<std::size_t>(*size))};
}

}  // namespace deepgen
