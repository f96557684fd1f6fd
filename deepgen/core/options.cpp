#include "deepgen/core/options.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>

#include "deepgen/core/error.h"

namespace deepgen {
namespace {

std::string range_text(const Field& about) {
  const bool low = std::isfinite(about.minimum), high = std::isfinite(about.maximum);
  if (!about.choices.empty()) return fmt::format("{}", fmt::join(about.choices, "|"));
  if (low && high) return fmt::format("{} to {}", about.minimum, about.maximum);
  if (low) return fmt::format("at least {}", about.minimum);
  if (high) return fmt::format("at most {}", about.maximum);
  return "";
}

// Collects the names, types, values and ranges of all fields.
class Describer : public OptionVisitor {
 public:
  std::vector<FieldText> fields;
  void field(const Field& about, std::int64_t& value) override {
    add(about, "integer", fmt::format("{}", value));
  }
  void field(const Field& about, double& value) override { add(about, "number", fmt::format("{}", value)); }
  void field(const Field& about, bool& value) override { add(about, "true|false", value ? "true" : "false"); }
  void field(const Field& about, std::string& value) override {
    add(about, about.choices.empty() ? "text" : "choice", value);
  }

 private:
  void add(const Field& about, const char* type, std::string value) {
    fields.push_back({about.name, type, std::move(value), range_text(about), about.help});
  }
};

class ToJson : public OptionVisitor {
 public:
  nlohmann::ordered_json json = nlohmann::ordered_json::object();
  void field(const Field& about, std::int64_t& value) override { json[about.name] = value; }
  void field(const Field& about, double& value) override { json[about.name] = value; }
  void field(const Field& about, bool& value) override { json[about.name] = value; }
  void field(const Field& about, std::string& value) override { json[about.name] = value; }
};

// Sets one field from text.
class Setter : public OptionVisitor {
 public:
  Setter(std::string group, std::string name, std::string text)
      : group_(std::move(group)), name_(std::move(name)), text_(std::move(text)) {}
  bool found = false;

  void field(const Field& about, std::int64_t& value) override {
    if (!matches(about)) return;
    std::int64_t number = 0;
    const auto [end, code] = std::from_chars(text_.data(), text_.data() + text_.size(), number);
    if (code != std::errc() || end != text_.data() + text_.size()) refuse("an integer", about);
    check_range(about, static_cast<double>(number));
    value = number;
  }
  void field(const Field& about, double& value) override {
    if (!matches(about)) return;
    double number = 0;
    const auto [end, code] = std::from_chars(text_.data(), text_.data() + text_.size(), number);
    if (code != std::errc() || end != text_.data() + text_.size() || !std::isfinite(number))
      refuse("a finite number", about);
    check_range(about, number);
    value = number;
  }
  void field(const Field& about, bool& value) override {
    if (!matches(about)) return;
    if (text_ == "true" || text_ == "1" || text_ == "yes" || text_ == "on")
      value = true;
    else if (text_ == "false" || text_ == "0" || text_ == "no" || text_ == "off")
      value = false;
    else
      refuse("true or false", about);
  }
  void field(const Field& about, std::string& value) override {
    if (!matches(about)) return;
    if (!about.choices.empty() &&
        std::find(about.choices.begin(), about.choices.end(), text_) == about.choices.end())
      fail_usage(who(), unknown_name("value", text_, about.choices));
    value = text_;
  }

 private:
  std::string group_, name_, text_;

  bool matches(const Field& about) {
    if (name_ != about.name) return false;
    return found = true;
  }
  std::string who() const { return group_ + "." + name_; }
  [[noreturn]] void refuse(const char* expected, const Field& about) const {
    const std::string range = range_text(about);
    fail_usage(who(), fmt::format("expected {}{}, got '{}'", expected,
                                  range.empty() ? "" : " (" + range + ")", text_));
  }
  void check_range(const Field& about, double number) const {
    if (number < about.minimum || number > about.maximum)
      fail_usage(who(), fmt::format("expected {}, got {}", range_text(about), text_));
  }
};

}  // namespace

void set_option(Options& options, const std::string& group, const std::string& name,
                const std::string& text) {
  Setter setter(group, name, text);
  options.visit(setter);
  if (setter.found) return;
  std::vector<std::string> names;
  for (const FieldText& field : describe_options(options)) names.push_back(field.name);
  fail_usage(group, unknown_name("option", name, names));
}

void set_options(Options& options, const std::string& group, const nlohmann::ordered_json& values) {
  if (!values.is_object()) fail_usage(group, "expected a table of options");
  for (const auto& [name, value] : values.items()) {
    if (!value.is_primitive() || value.is_null())
      fail_usage(group + "." + name, "expected a number, text, true or false");
    set_option(options, group, name, value.is_string() ? value.get<std::string>() : value.dump());
  }
}

nlohmann::ordered_json options_to_json(Options& options) {
  ToJson visitor;
  options.visit(visitor);
  return visitor.json;
}

std::vector<FieldText> describe_options(Options& options) {
  Describer describer;
  options.visit(describer);
  return describer.fields;
}

}  // namespace deepgen
