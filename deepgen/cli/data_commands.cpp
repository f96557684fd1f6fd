// data list, data info, data make: without torch, so that they answer at once.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstdio>

#include "deepgen/cli/arguments.h"
#include "deepgen/core/error.h"
#include "deepgen/core/file_bytes.h"
#include "deepgen/data/files/array_bytes.h"
#include "deepgen/data/files/known_sets.h"
#include "deepgen/data/files/labels.h"
#include "deepgen/data/files/npz.h"
#include "deepgen/data/files/part_facts.h"
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

void describe_array(const std::string& name, const Array& array) {
  fmt::print("  {:<16}[{}] {}\n", name, fmt::join(array.shape, ", "), dtype_name(array.type));
}

// "'no', 'yes'", "'clerk', 'farmer', ... (6)", "16 to 97.5, mean 41.2, deviation 17.9".
std::string column_text(const TableColumn& column) {
  constexpr std::size_t few = 4;
  const std::size_t count = column.values.size();
  if (column.kind == TableColumnKind::count) return fmt::format("{:g} to {:g}", column.low, column.high);
  if (column.kind == TableColumnKind::real && column.format.is_date())
    return fmt::format("{} to {}", column.format.write(column.low, 0), column.format.write(column.high, 0));
  if (column.kind == TableColumnKind::real)
    return fmt::format("{:g} to {:g}, mean {:.4g}, deviation {:.4g}", column.low, column.high, column.mean,
                       column.deviation);
  if (column.kind == TableColumnKind::constant && count == 0) return "all missing: set aside";
  if (column.kind == TableColumnKind::labels && count == 0) return "whole numbers";
  std::string text;
  for (std::size_t i = 0; i < std::min(count, few); ++i)
    text += (i > 0 ? ", " : "") + shown(column.values[i]);
  return count > few ? fmt::format("{}, ... ({})", text, count) : text;
}

// "90 known (3 classes), 10 unknown".
std::string label_text(const LabelCounts& counts) {
  return fmt::format("{} known ({} classes), {} unknown", counts.known, counts.classes, counts.unknown);
}

// What is known of column `i` of the file.
std::string about_column(const RawSet& set, const TableSchema& schema, const RowParts& parts, std::size_t i) {
  const TableColumn& column = schema.columns[i];
  std::string text = plain_text(column_text(column));
  if (column.kind == TableColumnKind::labels)
    return text + "; of the training rows " +
           label_text(count_labels(
               table_labels(column, set.name, *set.table, static_cast<std::int64_t>(i), parts.train)));
  if (column.missing > 0 && column.missing < 1)
    text += fmt::format("; {:.1f} % missing", 100 * column.missing);
  const std::string why = column.reason == "stated" ? std::string() : plain_text(column.reason);
  if (!why.empty()) text += (text.empty() ? "" : "; ") + why;
  const std::string change = plain_text(remedy_text(column));
  return why.empty() || change.empty() ? text : text + fmt::format(" (else state {})", change);
}

void describe_columns(const RawSet& set, const TableSchema& schema, const RowParts& parts) {
  std::size_t longest = 4;
  for (const TableColumn& column : schema.columns) longest = std::max(longest, column.name.size());
  for (std::size_t i = 0; i < schema.columns.size(); ++i) {
    const std::string name = plain_text(schema.columns[i].name), kind = kind_text(schema.columns[i]);
    const std::string about = about_column(set, schema, parts, i);
    if (about.empty())
      fmt::print("  {:<{}}  {}\n", name, longest, kind);
    else
      fmt::print("  {:<{}}  {:<12}{}\n", name, longest, kind, about);
  }
}

void describe_table(const RawSet& set, const DataOptions& options) {
  const CsvCells& file = *set.table;
  const StatedKinds stated = stated_kinds(options, set.name, file.names);
  const RowParts parts = split_rows(file.rows(), options, set.name, starts_of_table(set, stated));
  const TableSchema schema = infer_table(set.name, file, parts.train, stated);
  fmt::print("{}: {}\n  {} rows: {} train, {} valid, {} test; {} columns, {} for a model, values {}\n",
             set.name, set.description, file.rows(), parts.train.size(), parts.valid.size(),
             parts.test.size(), file.columns, schema.width(), name_of(schema.values()));
  describe_columns(set, schema, parts);
}

// The sequences and labels of each part, as loading reads them.
void describe_labels(const RawSet& set, const DataOptions& options) {
  for (const PartFacts& part : facts_of_parts(set, options)) {
    if (part.sequences)
      fmt::print("  {:<16}{} sequences of {} rows\n", "cases of " + part.name, part.cases, part.rows);
    if (part.labels) fmt::print("  {:<16}{}\n", "labels of " + part.name, label_text(*part.labels));
  }
}

void describe_set(const RawSet& set, const DataOptions& options) {
  fmt::print("{}: {}\n", set.name, set.description);
  for (const auto& [name, array] : set.arrays) describe_array(name, array);
  describe_labels(set, options);
  if (!set.case_shape.empty()) fmt::print("  a case is [{}]", fmt::join(set.case_shape, ", "));
  if (set.values) fmt::print(", values {}", name_of(*set.values));
  fmt::print("\n");
}

void show_info(const std::string& text) {
  const DataSpec spec = parse_data_spec(text);
  const DataOptions options = check_spec(spec);
  const RawSet set = read_set(spec);
  set.table ? describe_table(set, options) : describe_set(set, options);
  if (set.values == ValueKind::grey)
    fmt::print(
        "  for binary models say which binarisation: :binarize=threshold, static or dynamic; numbers under "
        "different "
        "ones are not comparable\n");
  if (set.default_valid > 0)
    fmt::print("  the last {} training rows are the validation part (:valid=N changes that)\n",
               set.default_valid);
  if (!set.column_names.empty()) fmt::print("  columns: {}\n", fmt::join(set.column_names, ", "));
  if (set.entropy)
    fmt::print("  entropy {:.4f} nats: no model's expected log-probability is above {:.4f}\n", *set.entropy,
               -*set.entropy);
  for (const GeneratedInfo& info : generated_sets()) {
    if (info.name != set.name) continue;
    for (const GeneratedOption& option : info.options) fmt::print("  option {}\n", option_text(option));
  }
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
  for (const auto& [name, array] : arrays) describe_array(name, array);
  if (!set.factor_names.empty()) fmt::print("  factors: {}\n", fmt::join(set.factor_names, ", "));
}

}  // namespace

bool run_without_torch(const Arguments& arguments) {
  if (arguments.verb == "data list")
    list_data();
  else if (arguments.verb == "data info")
    show_info(arguments.subject);
  else if (arguments.verb == "data make")
    make_data(arguments.subject, arguments.out);
  else
    return false;
  return true;
}

}  // namespace deepgen
