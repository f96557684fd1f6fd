#include "deepgen/data/files/npy_header.h"

#include <fmt/format.h>

#include <charconv>
#include <cstring>
#include <optional>
#include <set>
#include <string_view>

#include "deepgen/core/error.h"
#include "deepgen/data/files/array_bytes.h"

namespace deepgen {

namespace {

constexpr std::uint64_t longest_dictionary = std::uint64_t{1} << 20;  // a plain array needs about 100 bytes
constexpr std::size_t most_dimensions = 64;                           // what numpy allows

// Reads the part of Python's literals that a header consists of.
class Dictionary {
 public:
  Dictionary(const std::string& path, std::string_view text, NpyHeader& header)
      : path_(path), text_(text), header_(header) {}

  std::string_view read() {  // the type; shape and order go to the header
    expect('{');
    while (!take('}')) {
      const std::string_view key = string();
      if (!seen_.insert(key).second) fail("each key once, got a second " + shown(key));
      expect(':');
      value(key);
      if (!take(',')) {
        expect('}');
        break;
      }
    }
    blanks();
    if (at_ != text_.size()) fail("only blanks after the dictionary");
    for (const char* key : {"descr", "fortran_order", "shape"})
      if (!seen_.count(key)) fail(fmt::format("the key '{}'", key));
    return descr_;
  }

 private:
  [[noreturn]] void fail(const std::string& expected) const {
    fail_data(path_, fmt::format("expected {} at character {} of the npy header, got {}", expected, at_,
                                 shown(text_.substr(at_, 20))));
  }
  void blanks() {
    while (at_ < text_.size() && std::strchr(" \t\r\n", text_[at_]) && text_[at_] != '\0') ++at_;
  }
  bool take(char c) {
    blanks();
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  void expect(char c) {
    if (!take(c)) fail(fmt::format("'{}'", c));
  }
  bool take_word(std::string_view word) {
    blanks();
    if (text_.substr(at_, word.size()) != word) return false;
    at_ += word.size();
    return true;
  }

  std::string_view string() {
    blanks();
    const char quote = at_ < text_.size() ? text_[at_] : '\0';
    if (quote != '\'' && quote != '"') fail("a quoted string");
    const std::size_t end = text_.find(quote, at_ + 1);
    if (end == std::string_view::npos) fail("the end of the string");
    const std::string_view result = text_.substr(at_ + 1, end - at_ - 1);
    if (result.find('\\') != std::string_view::npos) fail("a string without escapes");
    at_ = end + 1;
    return result;
  }

  void value(std::string_view key) {
    blanks();
    if (key == "descr") {
      if (text_.substr(at_, 1) == "[")
        fail("a plain type (structured arrays are not read; save their fields as columns of a .csv file)");
      descr_ = string();
    } else if (key == "fortran_order") {
      header_.fortran_order = take_word("True");
      if (!header_.fortran_order && !take_word("False")) fail("True or False");
    } else if (key == "shape") {
      shape();
    } else {
      fail("one of the keys 'descr', 'fortran_order', 'shape'");
    }
  }

  void shape() {
    expect('(');
    bool comma = true;  // a single size without one is a number in brackets, not a tuple
    while (!take(')')) {
      if (!comma) fail("',' or ')'");
      blanks();
      std::int64_t size = 0;
      const auto [end, error] = std::from_chars(text_.data() + at_, text_.data() + text_.size(), size);
      if (error != std::errc() || size < 0) fail("a size that is not negative and fits 63 bits");
      at_ = static_cast<std::size_t>(end - text_.data());
      take('L');  // Python 2 wrote long integers so
      header_.shape.push_back(size);
      if (header_.shape.size() > most_dimensions) fail(fmt::format("at most {} dimensions", most_dimensions));
      comma = take(',');
    }
    if (header_.shape.size() == 1 && !comma) fail("',' after a single size");
  }

  const std::string& path_;
  std::string_view text_;
  NpyHeader& header_;
  std::string_view descr_;
  std::set<std::string_view> seen_;
  std::size_t at_ = 0;
};

struct WireType {
  const char* name;
  DType type;
  int widen;
};
constexpr WireType wire_types[] = {
    {"b1", DType::u8, 0},  {"u1", DType::u8, 0},  {"i1", DType::i8, 0},  {"u2", DType::u16, 0},
    {"i2", DType::i16, 0}, {"i4", DType::i32, 0}, {"i8", DType::i64, 0}, {"u4", DType::i64, 4},
    {"u8", DType::i64, 8}, {"f4", DType::f32, 0}, {"f8", DType::f64, 0},
};

const char* refused_name(char kind) {
  switch (kind) {
    case 'O':
      return "Python objects, which only pickle can read";
    case 'S':
    case 'a':
      return "byte strings";
    case 'U':
      return "text strings";
    case 'c':
      return "complex numbers";
    case 'f':
      return "floating-point numbers of an unsupported width";
    case 'M':
    case 'm':
      return "dates or times";
    case 'V':
      return "raw or structured records";
    default:
      return "a type that is not known";
  }
}

std::optional<WireType> wire_type(std::string_view descr) {
  if (descr.size() >= 2 && std::strchr("<>|=", descr[0]) && descr[0] != '\0') {
    for (const WireType& type : wire_types) {
      if (descr.substr(1) != type.name) continue;
      if (descr[0] == '|' && descr[2] != '1') break;  // several bytes need an order
      return type;
    }
  }
  return std::nullopt;
}

std::string unread_type(std::string_view descr) {
  const char kind = descr.empty() ? '\0' : descr[descr.size() > 1 && std::strchr("<>|=", descr[0]) ? 1 : 0];
  return fmt::format("dtype {} ({})", shown(descr), refused_name(kind));
}

}  // namespace

std::size_t npy_header_size(const std::string& path, ByteView bytes) {
  if (bytes.size() < npy_preamble)
    fail_data(path, fmt::format("expected an npy header, got only {} bytes", bytes.size()));
  if (std::memcmp(bytes.data(), "\x93NUMPY", 6) != 0)
    fail_data(path, "expected an npy file that begins with 93 'NUMPY', got something else");
  const int major = bytes[6];
  const int minor = bytes[7];
  if (major < 1 || major > 3 || minor != 0)
    fail_data(path, fmt::format("expected npy version 1.0, 2.0 or 3.0, got {}.{}", major, minor));
  const int width = major == 1 ? 2 : 4;
  const std::uint64_t length = little_endian(bytes.data() + 8, width);
  if (length > longest_dictionary)
    fail_data(path,
              fmt::format("expected an npy header of at most {} bytes, got {}", longest_dictionary, length));
  return static_cast<std::size_t>(8 + static_cast<std::uint64_t>(width) + length);
}

NpyHeader parse_npy_header(const std::string& path, ByteView bytes) {
  const std::size_t size = npy_header_size(path, bytes);
  if (bytes.size() < size)
    fail_data(path, fmt::format("expected an npy header of {} bytes, got {}; the file is truncated", size,
                                bytes.size()));
  NpyHeader header;
  header.header_size = size;
  const std::size_t begin = bytes[6] == 1 ? 10 : 12;
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()) + begin, size - begin);
  const std::string_view descr = Dictionary(path, text, header).read();
  const std::optional<WireType> wire = wire_type(descr);
  if (!wire) {
    header.unread = unread_type(descr);
    return header;
  }
  header.type = wire->type;
  header.widen = wire->widen;
  header.swapped = descr[0] == (host_is_little_endian() ? '>' : '<');
  const auto data = byte_size(header.type, header.shape);
  if (!data)
    fail_data(path, fmt::format("expected sizes whose product fits, got {}", shape_text(header.shape)));
  header.data_size = static_cast<std::uint64_t>(wire->widen == 4 ? *data / 2 : *data);
  return header;
}

void refuse_unread(const std::string& path, const NpyHeader& header) {
  if (header.unread.empty()) return;
  const bool texts = header.unread.find("strings") != std::string::npos ||
                     header.unread.find("objects") != std::string::npos;
  fail_data(path, fmt::format("expected integers or floating-point numbers, got {}; {}", header.unread,
                              texts ? "save a table with texts as .csv, and labels as whole numbers from 0"
                                    : "convert it to float32"));
}

}  // namespace deepgen
