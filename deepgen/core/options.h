// Options: one commented struct per model or tool, with a `visit` that names each field once.
//
// Command line, recipes, help, the docs table and checkpoint metadata are visitors of the same struct, so a
// field cannot be settable in one place and unknown in another.
#pragma once

#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

namespace deepgen {

// What a visitor learns of a field beside its value. Numbers must lie in [minimum, maximum]; a string must be
// one of `choices` when there are any.
struct Field {
  const char* name;
  const char* help;
  double minimum = -std::numeric_limits<double>::infinity();
  double maximum = std::numeric_limits<double>::infinity();
  std::vector<std::string> choices = {};
};

class OptionVisitor {
 public:
  virtual ~OptionVisitor() = default;
  virtual void field(const Field& about, std::int64_t& value) = 0;
  virtual void field(const Field& about, double& value) = 0;
  virtual void field(const Field& about, bool& value) = 0;
  virtual void field(const Field& about, std::string& value) = 0;
};

struct Options {
  virtual ~Options() = default;
  virtual void visit(OptionVisitor& visitor) = 0;
  // Throws a usage error for values that are wrong in themselves or together; ranges are checked before.
  virtual void check() const {}
};

// One field as text, for help, tables and reports.
struct FieldText {
  std::string name, type, value, range, help;
};

// Sets one field from text; throws a usage error that names the nearest field, the type or the range.
// `group` is the prefix the user wrote ("model", "training") and is used in messages only.
void set_option(Options& options, const std::string& group, const std::string& name, const std::string& text);

// Sets the fields named in a JSON object; unknown names and wrong types are usage errors.
void set_options(Options& options, const std::string& group, const nlohmann::ordered_json& values);

nlohmann::ordered_json options_to_json(Options& options);
std::vector<FieldText> describe_options(Options& options);

}  // namespace deepgen
