// data list, data make, and data info (data_info.h): without torch, so that they answer at once.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cstdio>

#include "deepgen/cli/arguments.h"
#include "deepgen/cli/data_info.h"
#include "deepgen/core/error.h"
#include "deepgen/core/file_bytes.h"
#include "deepgen/data/files/known_sets.h"
#include "deepgen/data/files/npz.h"
#include "deepgen/data/generated/generated.h"

namespace deepgen {
namespace {

void list_data() {
  fmt::print("Generated sets (need nothing; options after a colon, as in glyphs:seed=7):\n");
  for (const GeneratedInfo& info : generated_sets()) fmt::print("  {:<24}{}\n", info.name, info.description);
  fmt::print("\nKnown sets (* found; looked for in {}):\n", fmt::join(data_folders(), ", "));
  for (const KnownSet& set : known_sets())
    fmt::print("{} {:<24}{}\n", is_available(set) ? "*" : " ", set.name, set.description);
  fmt::print(
      "\nFiles: .npz (train, valid, test, train_labels, ... or one matrix), .npy, .csv, .idx[.gz], a folder "
      "of .png\n");
  fmt::print("Options of every SPEC:\n");
  DataOptions options;
  for (const FieldText& field : describe_options(options)) fmt::print("  {:<24}{}\n", field.name, field.help);
}

void make_table(const GeneratedSet& set, const std::string& out) {
  write_file(out, ByteView(reinterpret_cast<const std::uint8_t*>(set.table.data()), set.table.size()));
  fmt::print(stderr, "wrote {}\n", out);
}

void make_data(const std::string& text, const std::string& out) {
  const DataSpec spec = parse_data_spec(text);
  std::vector<std::string> names;
  const GeneratedInfo* known = nullptr;
  for (const GeneratedInfo& info : generated_sets()) {
    names.push_back(info.name);
    if (info.name == spec.name) known = &info;
  }
  if (!known) fail_usage("data make", unknown_name("generated set", spec.name, names));
  const char* ending = known->table ? ".csv" : ".npz";
  if (!out.ends_with(ending))
    fail_usage("--out",
               fmt::format("expected a file that ends in {} for {}, got '{}'", ending, spec.name, out));
  GeneratedSet set = generate(spec.name, spec.options);
  if (known->table) return make_table(set, out);
  NamedArrays arrays;
  auto keep = [&](const char* name, Array& array) {
    if (!array.bytes.empty()) arrays[name] = std::move(array);
  };
  keep("train", set.train), keep("valid", set.valid), keep("test", set.test);
  keep("train_labels", set.train_labels), keep("valid_labels", set.valid_labels),
      keep("test_labels", set.test_labels);
  keep("train_factors", set.train_factors), keep("valid_factors", set.valid_factors),
      keep("test_factors", set.test_factors);
  write_npz(out, arrays);
  fmt::print(stderr, "wrote {}\n", out);
  for (const auto& [name, array] : arrays) fmt::print("{}", array_line(name, array));
  if (!set.factor_names.empty()) fmt::print("  factors: {}\n", fmt::join(set.factor_names, ", "));
}

}  // namespace

bool run_without_torch(const Arguments& arguments) {
  if (arguments.verb == "data list")
    list_data();
  else if (arguments.verb == "data info")
    show_data_info(arguments.subject, arguments.json);
  else if (arguments.verb == "data make")
    make_data(arguments.subject, arguments.out);
  else
    return false;
  return true;
}

}  // namespace deepgen
