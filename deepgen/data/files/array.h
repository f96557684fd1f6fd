// Arrays as files hold them: a type, a shape and bytes, without torch.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace deepgen {

enum class DType { u8, i8, u16, i16, i32, i64, f32, f64 };

std::int64_t item_size(DType type);  // bytes
const char* dtype_name(DType type);  // "uint8", ..., "float64"

struct Array {
  DType type = DType::u8;
  std::vector<std::int64_t> shape;  // row-major; the first size is the number of cases
  std::vector<std::uint8_t> bytes;  // host byte order

  std::int64_t items() const;  // product of the sizes
  std::int64_t rows() const { return shape.empty() ? 1 : shape[0]; }
  std::int64_t columns() const;  // items per row
  template <class T>
  const T* as() const {
    return reinterpret_cast<const T*>(bytes.data());
  }
  template <class T>
  T* as() {
    return reinterpret_cast<T*>(bytes.data());
  }
};

using NamedArrays = std::map<std::string, Array>;

// An array of this type and shape, all zero. Throws when a size is negative or the product overflows.
Array make_array(DType type, std::vector<std::int64_t> shape);

// One column (0 .. columns() - 1) as doubles, [rows].
std::vector<double> column_values(const Array& array, std::int64_t column);

}  // namespace deepgen
