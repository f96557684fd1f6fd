// Data by name: what a SPEC says, which sets are known, where their files are.
//
//   SPEC = NAME | PATH [ :key=value,... ]        mnist:binarize=dynamic   table.csv:valid=0.1
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "deepgen/core/options.h"
#include "deepgen/data/files/array.h"

namespace deepgen {

struct DataSpec {
  std::string name;                            // a known set, a generated set or a path
  std::map<std::string, std::string> options;  // as written
};

// Splits a SPEC; throws a usage error for a malformed option.
DataSpec parse_data_spec(const std::string& text);

// What can be asked of any set, beside the options of generated sets.
struct DataOptions : Options {
  std::string binarize;
  double valid = -1, test = -1;
  bool standardise = false, dequantise = false, onehot = false;
  std::int64_t labels = -1;
  std::int64_t seed = 0;

  void visit(OptionVisitor& v) override;
};

// A set read from files, before any transform.
struct RawSet {
  std::string name, description;
  NamedArrays arrays;                     // train, and where there are any valid, test, and NAME_labels
  std::vector<std::int64_t> case_shape;   // {1, 28, 28}, {123}; empty: the columns as they are
  std::string values;                     // "binary", "grey" (bytes 0..255) or "real"
  std::vector<std::string> column_names;  // of a table, else empty
  std::optional<double> entropy = {};  // nats, of the distribution a generated set is drawn from, where known
  std::int64_t default_valid = 0;      // rows held out from the end of train when there is no valid part
};

struct KnownSet {
  std::string name, description, where;  // where to get it, in words
  std::vector<std::string> files;        // below a data folder
};

const std::vector<KnownSet>& known_sets();

// $DEEPGEN_DATA, then the user's data folder ($XDG_DATA_HOME/deepgen or ~/.local/share/deepgen).
std::vector<std::string> data_folders();

// Whether all files of this set are in one of the data folders.
bool is_available(const KnownSet& set);

// Reads a known set, a generated set or a file. An unknown name is a usage error with the nearest known name;
// a known set whose files are missing is a data error that says where to get them and where to put them.
RawSet read_set(const DataSpec& spec);

// The options of `spec` that are not a generated set's own. Throws a usage error when it names neither a set
// nor an existing file, or an option the set does not take. Cheap: reads nothing.
DataOptions check_spec(const DataSpec& spec);

}  // namespace deepgen
