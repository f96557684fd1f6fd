// What a model makes of cases, as a file: arrays, tables, pictures; class probabilities.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "deepgen/core/file_writer.h"
#include "deepgen/core/image.h"
#include "deepgen/data/files/csv.h"
#include "deepgen/data/files/npy.h"
#include "deepgen/data/memory.h"
#include "deepgen/runs/open_run.h"
#include "deepgen/tasks/blocks.h"

namespace deepgen {

// [N, D] (or [N]: one column) as .npy (float32 or float64), .csv (with these column names, or v0, v1, ...) or
// .png (a grid of cases of this shape). Another ending is a usage error.
void write_rows(const std::string& path, const Tensor& rows, const std::vector<std::string>& names = {},
                const std::vector<std::int64_t>& shape = {}, const Grid& grid = {});

// Rows of a run's model [N, D] in the units of its data: a table as the CSV file it was trained on, or as
// numbers in .npy (of a category its index); all else as write_rows.
void write_cases(const OpenRun& run, const std::string& path, const Tensor& rows, const Grid& grid = {});

// The same two files from rows that arrive block after block, bit for bit: memory does not grow with the
// rows, but for a picture, which is drawn of all of them. The file is there when it is closed; what stood
// there before is unchanged until then.
class RowsFile {
 public:
  RowsFile(const std::string& path, std::int64_t rows, const std::vector<std::string>& names = {},
           const std::vector<std::int64_t>& shape = {}, const Grid& grid = {});
  ~RowsFile();
  RowsFile(const RowsFile&) = delete;
  RowsFile& operator=(const RowsFile&) = delete;
  void append(const Tensor& rows);
  void close();

 private:
  void begin(const Tensor& rows);
  const std::string path_;
  const std::int64_t rows_;  // in all
  const std::vector<std::string> names_;
  const std::vector<std::int64_t> shape_;
  const Grid grid_;
  std::unique_ptr<NpyWriter> npy_;  // one of the three, from the first rows on
  std::unique_ptr<CsvWriter> csv_;
  std::unique_ptr<GatheredRows> picture_;
};

class CasesFile {
 public:
  // `seed`: of the draws of numbers within their bins; `beyond`: numbers may leave the range of the training rows.
  CasesFile(const OpenRun& run, const std::string& path, std::int64_t rows, const Grid& grid = {},
            std::uint64_t seed = 1, bool beyond = false);
  ~CasesFile();
  CasesFile(const CasesFile&) = delete;
  CasesFile& operator=(const CasesFile&) = delete;
  void append(const Tensor& rows);
  // Of a table: rows that are table_values already, [n, columns] float64.
  void append_values(const Tensor& values);
  void close();

 private:
  void write(const Tensor& rows);
  const OpenRun& run_;
  RowsFile file_;
  std::unique_ptr<FileWriter> table_;  // of a table as .csv, in place of file_
  bool numbers_;                       // of a table: as numbers
  bool beyond_;
  const Stream stream_;
  std::int64_t written_ = 0;     // rows
  std::vector<Tensor> waiting_;  // for a whole block: a transform is undone in pieces of that size
  std::int64_t waiting_rows_ = 0;
};

// log p(y | x) [N, classes], nats, as a .csv or .npy file of one row a case: the probability of each class
// (p_0, p_1, ... or p_<name>), the most probable class (`class`) and, where the part has labels, the label
// (`label`; unknown: an empty cell, NaN). Classes go by their names in .csv where the run's table has names
// for them, else by number.
void write_classes(const OpenRun& run, const Split& split, const std::string& path, const Tensor& log_probs);

void write_text(const std::string& path, const std::string& text);

}  // namespace deepgen
