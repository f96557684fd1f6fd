// Generated sets: data made from a seed by rule, so that nothing needs to be downloaded and the truth is
// known.
//
// Where the distribution is known exactly, a set brings its log-probability and its entropy: the best
// expected log-probability any model can reach on it. Every case depends on (seed, split, index) alone, so
// the number of threads and the sizes of the splits change no case.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "deepgen/data/files/array.h"
#include "deepgen/data/files/data_shape.h"

namespace deepgen {

struct GeneratedSet {
  std::string name, description;
  ValueKind values = ValueKind::binary;  // grey (u8, 0..255), binary (u8, 0 or 1), real (f32); mixed: a table
  std::vector<std::int64_t> case_shape;  // e.g. {1, 28, 28}
  Array train, valid, test;              // [cases, case_shape...]
  Array train_labels, valid_labels, test_labels;     // u8 [cases], or no bytes at all
  Array train_factors, valid_factors, test_factors;  // f32 [cases, factors], or no bytes at all
  std::string table;  // of a set of mixed columns: a CSV file with a header, and no arrays; else empty
  std::vector<std::string> factor_names;
  std::vector<std::array<double, 2>> factor_ranges;  // lowest and highest value of each factor
  std::optional<double> entropy;                     // nats; of the distribution, where it is known
  // The exact log-probability (or log-density) of one case, in nats; empty where there is none.
  // Values of a binary set are 0 and 1; a case outside the support has -infinity.
  std::function<double(const float*)> log_prob;
};

// One option of a generated set, given as text `name=value`.
struct GeneratedOption {
  std::string name;
  double initial = 0, low = 0, high = 0;  // what it is when not given, and its range, ends included
  bool whole = true;                      // only whole numbers
  std::string description;
};

struct GeneratedInfo {
  std::string name, description;  // one line
  std::vector<GeneratedOption> options;
  bool table = false;  // mixed columns, as a CSV file
};

// Every generated set, with its options, in the order of the help text.
const std::vector<GeneratedInfo>& generated_sets();

// "name=initial (whole number, low..high): description".
std::string option_text(const GeneratedOption& option);

// Throws a usage error when a value of the set's own options is no number or outside its range; other options
// and other names pass. Cheap.
void check_generated_options(const std::string& name, const std::map<std::string, std::string>& options);

// The set of this name. Throws a usage error for an unknown name or option, and for a value that is no number
// or outside its range. Cost: about 20 microseconds a glyph; `ising` from 11 to 16 up to a
// millisecond a case; the others next to nothing.
GeneratedSet generate(const std::string& name, const std::map<std::string, std::string>& options = {});

}  // namespace deepgen
