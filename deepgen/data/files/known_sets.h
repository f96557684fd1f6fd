// Data by name: which sets are known, where their files are, and what is read from them.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "deepgen/data/files/array.h"
#include "deepgen/data/files/data_shape.h"
#include "deepgen/data/files/data_spec.h"
#include "deepgen/data/files/table.h"

namespace deepgen {

// A set read from files, before any transform.
struct RawSet {
  std::string name, description;
  NamedArrays arrays;                          // train, and where there are any valid, test, and NAME_labels,
                                               // NAME_lengths (rows of each sequence)
  std::vector<std::int64_t> case_shape;        // {1, 28, 28}, {123}; empty: the columns as they are
  std::optional<ValueKind> values = {};        // binary, grey (bytes 0..255) or real; nothing: to be inferred
  std::vector<std::string> column_names;       // of a file with a header, else empty
  std::shared_ptr<const CsvCells> table = {};  // columns of mixed kinds; then there are no arrays
  std::optional<double> entropy = {};  // nats, of the distribution a generated set is drawn from, where known
  std::int64_t default_valid = 0;      // rows held out from the end of train when there is no valid part
  std::vector<std::string> notes = {};  // doubts about how the file was read: a sentence each
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

// Reads a known set, a generated set or a file. A CSV file is a table of mixed kinds when a cell is text, the
// SPEC states something of its columns, or cells are missing and the others are not 0 and 1 alone; all other
// CSV files are numbers. `learnt`: of a trained model, decides that instead; its names tell the header. An
// unknown name is a usage error with the nearest known name; a known set whose files are missing is a data
// error that says where to get them and where to put them.
RawSet read_set(const DataSpec& spec, const TableSchema* learnt = nullptr);

// Numbers under different binarisations are not comparable: throws a data error where the literature reads
// this set in several ways and `options` names neither a binarisation nor a transform for real values.
void refuse_unsaid_binarisation(const DataSpec& spec, const DataOptions& options);

// The options of `spec` that are not a generated set's own. Throws a usage error when it names neither a set
// nor an existing file, or an option the set does not take. Cheap: reads nothing.
DataOptions check_spec(const DataSpec& spec);

}  // namespace deepgen
