#include "deepgen/data/files/safetensors_header.h"

#include <fmt/format.h>

#include <limits>
#include <nlohmann/json.hpp>
#include <set>

#include "deepgen/core/error.h"
#include "deepgen/data/files/array_bytes.h"

namespace deepgen {

namespace {

using Json = nlohmann::json;

// Receives the header piece by piece. Depth 1 holds the tensors, 2 the fields of one, 3 the items of a field.
class HeaderReader : public nlohmann::json_sax<Json> {
 public:
  HeaderReader(const std::string& path, std::map<std::string, std::string>& metadata)
      : path_(path), metadata_(metadata) {}

  std::vector<TensorEntry> entries;

  bool start_object(std::size_t) override {
    if (depth_ >= 2 && !skips()) fail(is_list() ? "integers" : "a text", "an object");
    enter();
    if (depth_ == 2) fields_.clear();
    return true;
  }
  bool end_object() override {
    if (depth_ == 2 && !in_metadata_) finish_tensor();
    --depth_;
    return true;
  }
  bool start_array(std::size_t) override {
    if (depth_ < 2) fail("an object", "an array");
    if (depth_ == 2 && !skips() && !is_list()) fail("a text", "an array");
    if (depth_ >= 3 && !skips()) fail("integers", "an array");
    enter();
    return true;
  }
  bool end_array() override {
    --depth_;
    return true;
  }
  bool key(std::string& name) override {
    if (depth_ == 1) {
      if (!names_.insert(name).second) fail("each name once", "a second " + shown(name));
      in_metadata_ = name == "__metadata__";
      tensor_ = {};
      tensor_.name = name;
      offsets_ = 0;
    } else if (depth_ == 2) {
      if (!fields_.insert(name).second) fail("each field once", "a second " + shown(name));
      field_ = name;
    }
    return true;
  }
  bool string(std::string& text) override {
    if (depth_ == 2 && in_metadata_) {
      metadata_[field_] = text;
    } else if (depth_ == 2 && field_ == "dtype") {
      tensor_.dtype = text;
    } else {
      refuse("a text");
    }
    return true;
  }
  bool number_unsigned(std::uint64_t value) override {
    if (depth_ == 3 && !in_metadata_ && field_ == "shape") {
      if (value > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()))
        fail("a size below 2^63", std::to_string(value));
      tensor_.shape.push_back(static_cast<std::int64_t>(value));
    } else if (depth_ == 3 && !in_metadata_ && field_ == "data_offsets") {
      if (++offsets_ > 2) fail("two data_offsets", "more");
      (offsets_ == 1 ? tensor_.begin : tensor_.end) = value;
    } else {
      refuse("a number");
    }
    return true;
  }
  bool null() override {
    if (depth_ == 1 && in_metadata_) return true;  // no metadata
    refuse("null");
    return true;
  }
  bool boolean(bool) override { return refuse("a truth value"); }
  bool number_integer(std::int64_t) override { return refuse("a negative number"); }
  bool number_float(double, const std::string&) override { return refuse("a number with a fraction"); }
  bool binary(Json::binary_t&) override { return refuse("binary data"); }
  bool parse_error(std::size_t at, const std::string&, const nlohmann::detail::exception&) override {
    fail_data(path_, fmt::format("expected valid JSON in the header, got an error at its byte {}", at));
  }

 private:
  [[noreturn]] void fail(const std::string& expected, const std::string& got) const {
    const std::string place = depth_ == 0   ? "in the header"
                              : depth_ == 1 ? "for " + shown(tensor_.name)
                                            : fmt::format("in {} of {}", shown(field_), shown(tensor_.name));
    fail_data(path_, fmt::format("expected {} {}, got {}", expected, place, got));
  }

  // A value where none of its kind belongs: passed over inside a field that is not known.
  bool refuse(const char* got) const {
    if (depth_ >= 2 && skips()) return true;
    if (depth_ < 2) fail("an object", got);
    fail(in_metadata_ || field_ == "dtype" ? "a text"
         : depth_ == 2                     ? "a list of integers"
                                           : "an integer",
         got);
  }

  void enter() {
    constexpr int deepest = 64;  // the format needs 3
    if (++depth_ > deepest) fail(fmt::format("at most {} levels", deepest), "more");
  }
  bool is_list() const { return !in_metadata_ && (field_ == "shape" || field_ == "data_offsets"); }
  bool skips() const { return !in_metadata_ && field_ != "dtype" && !is_list(); }

  void finish_tensor() {
    for (const char* name : {"dtype", "shape", "data_offsets"})
      if (!fields_.count(name))
        fail_data(path_, fmt::format("expected the field '{}' in tensor {}", name, shown(tensor_.name)));
    if (offsets_ != 2)
      fail_data(path_,
                fmt::format("expected two data_offsets in tensor {}, got {}", shown(tensor_.name), offsets_));
    entries.push_back(std::move(tensor_));
  }

  const std::string& path_;
  std::map<std::string, std::string>& metadata_;
  std::set<std::string> names_, fields_;
  TensorEntry tensor_;
  std::string field_;
  int depth_ = 0, offsets_ = 0;
  bool in_metadata_ = false;
};

}  // namespace

std::vector<TensorEntry> parse_safetensors_header(const std::string& path, ByteView json,
                                                  std::map<std::string, std::string>& metadata) {
  HeaderReader reader(path, metadata);
  Json::sax_parse(json.begin(), json.end(), &reader);
  return std::move(reader.entries);
}

}  // namespace deepgen
