// What can be told of a set without torch and without training: rows, cases and labels.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "deepgen/data/files/data_spec.h"
#include "deepgen/data/files/known_sets.h"
#include "deepgen/data/files/labels.h"

namespace deepgen {

struct PartFacts {
  std::string name;                  // train, valid or test, as in the file; a file without parts is train
  std::int64_t rows = 0, cases = 0;  // equal where there are no sequences
  bool sequences = false;
  std::optional<LabelCounts> labels = {};  // nothing: the part has no labels
};

// Of each part of the set, before rows are held out. Throws the data errors that loading the set would throw
// for its labels and sequences.
std::vector<PartFacts> facts_of_parts(const RawSet& set, const DataOptions& options);

// The sequences of a part of arrays, by NAME_lengths or by the column of the option `sequence`; empty where
// every row is a case of its own. Throws a data error for lengths of pictures and for lengths that are asked
// for and are not there.
Starts starts_of_part(const RawSet& set, const DataOptions& options, const std::string& name);

// The labels of a part of arrays, i64 [rows], by NAME_labels or by the column of the option `labels`.
std::optional<Array> labels_of_part(const RawSet& set, const DataOptions& options, const std::string& name);

// The sequences of a table, by the column that is stated so; for split_rows.
Starts starts_of_table(const RawSet& set, const StatedKinds& stated);

// The columns of arrays that say something of the rows and are not for a model; -1: none.
struct BesideColumns {
  std::int64_t labels = -1, sequence = -1;
};
BesideColumns beside_columns(const RawSet& set, const DataOptions& options);

}  // namespace deepgen
