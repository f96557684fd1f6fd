// A run opened for use: its model with the weights to use, and data in the form it was trained on.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "deepgen/data/dataset.h"
#include "deepgen/model/model.h"
#include "deepgen/runs/run_folder.h"
#include "deepgen/train/checkpoint.h"

namespace deepgen {

struct OpenRun {
  RunFolder folder;
  Checkpoint checkpoint;
  std::shared_ptr<Model> model;
  std::vector<std::int64_t> shape;  // of a case
  Learnt learnt;                    // how its data were read
  std::string note;                 // a sentence that a person should see, or ""
};

// `path`: a run's folder, or a .safetensors file. Throws a data error that names the file where it is no run
// or does not fit its model.
OpenRun open_run(const std::string& path);

// The data of `spec` in the form the run was trained on: its transform, its table, its columns. Throws a data
// error for data of another form.
Dataset load_data_for(const OpenRun& run, const std::string& spec);

// The names of the columns the run was trained on, or none.
std::vector<std::string> column_names(const OpenRun& run);

// What a person should know before numbers of this run on these data are compared with others, a sentence
// each: another binarisation than in training; the same set cut up in another way, so that rows of a split
// may be rows that the run learnt from.
std::vector<std::string> cautions(const OpenRun& run, const Dataset& data);

}  // namespace deepgen
