// Arrays as files hold them: a type, a shape and bytes, without torch.
#pragma once

#include <algorithm>
#include <cstdint>
#include <initializer_list>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "deepgen/core/mapped_file.h"

namespace deepgen {

enum class DType { u8, i8, u16, i16, i32, i64, f32, f64 };

std::int64_t item_size(DType type);  // bytes
const char* dtype_name(DType type);  // "uint8", ..., "float64"

// Bytes of its own, or a piece of a mapped file; the first change makes them its own.
class ArrayBytes {
 public:
  using value_type = std::uint8_t;
  using iterator = std::uint8_t*;
  using const_iterator = const std::uint8_t*;

  ArrayBytes() = default;
  ArrayBytes(Bytes own) : own_(std::move(own)) {}  // implicit: arrays are made of bytes
  ArrayBytes(std::initializer_list<std::uint8_t> own) : own_(own) {}
  ArrayBytes(std::shared_ptr<const MappedFile> file, std::size_t begin, std::size_t size)
      : file_(std::move(file)), mapped_(file_->bytes().subspan(begin, size)) {}

  std::size_t size() const { return file_ ? mapped_.size() : own_.size(); }
  bool empty() const { return size() == 0; }
  const std::uint8_t* data() const { return file_ ? mapped_.data() : own_.data(); }
  const std::uint8_t* begin() const { return data(); }
  const std::uint8_t* end() const { return data() + size(); }
  const std::uint8_t& operator[](std::size_t i) const { return data()[i]; }

  std::uint8_t* data() { return own().data(); }
  std::uint8_t* begin() { return data(); }
  std::uint8_t* end() { return data() + size(); }
  std::uint8_t& operator[](std::size_t i) { return data()[i]; }

  const std::shared_ptr<const MappedFile>& file() const { return file_; }  // null: they are its own
  Bytes& own();                                                            // makes them so

  friend bool operator==(const ArrayBytes& a, const ArrayBytes& b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end());
  }

 private:
  Bytes own_;
  std::shared_ptr<const MappedFile> file_;
  ByteView mapped_;
};

struct Array {
  DType type = DType::u8;
  std::vector<std::int64_t> shape;  // row-major; the first size is the number of cases
  ArrayBytes bytes;                 // host byte order

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

// Whether every item is 0 or 1, the columns that are passed over aside.
bool holds_bits(const Array& array, const std::vector<std::int64_t>& passed_over = {});

// One column (0 .. columns() - 1) as doubles, [rows].
std::vector<double> column_values(const Array& array, std::int64_t column);

}  // namespace deepgen
