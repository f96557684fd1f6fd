// The verbs that compute. Each takes the parsed arguments, writes machine output to stdout or --out, and
// throws.
#pragma once

#include <memory>

#include "deepgen/cli/arguments.h"
#include "deepgen/data/dataset.h"
#include "deepgen/evaluate/likelihood.h"
#include "deepgen/train/run_folder.h"

namespace deepgen {

void train_command(const Arguments& arguments);
void search_command(const Arguments& arguments);
void reproduce_command(const Arguments& arguments);
void sample_command(const Arguments& arguments);
void score_command(const Arguments& arguments);
void evaluate_command(const Arguments& arguments);
void complete_command(const Arguments& arguments);
void encode_command(const Arguments& arguments);
void reconstruct_command(const Arguments& arguments);
void models_command(const Arguments& arguments);
void doctor_command(const Arguments& arguments);

// A run opened for use: its model with the weights to use, and what it was trained on.
struct OpenRun {
  RunFolder folder;
  Checkpoint checkpoint;
  std::shared_ptr<Model> model;
  std::vector<std::int64_t> shape;  // of a case
};
OpenRun open_run(const std::string& path);

// The data of a verb, in the form the run was trained on: its transform, its columns.
Dataset load_data_for(const OpenRun& run, const std::string& spec, bool allow_missing = false);

// Trains as planned into a folder; returns how it went. Shared by train and reproduce.
// The folder is changed only when the new run is known to be able to start. Without `pictures` the run is
// quicker: none are drawn, neither on the way nor at its end.
TrainingResult train_into(const RunFolder& folder, const TrainingPlan& plan, bool resume, const Dataset& data,
                          Observer& observer, double budget_seconds = 0, bool pictures = true);

// How scores name a split: a file with one matrix has all its rows in each.
std::string split_label(const Dataset& data, const std::string& split);

// The object of `evaluate --json`.
nlohmann::ordered_json evaluation_json(const std::string& model, const Dataset& data,
                                       const std::string& split, const std::vector<Score>& scores);

// [N, D] as .npy (float32 or float64), .csv (with these column names, or v0, v1, ...) or .png (a grid of
// cases).
void write_rows(const std::string& path, const Tensor& rows, const std::vector<std::string>& names,
                const std::vector<std::int64_t>& shape, const Grid& grid);

double peak_memory_bytes();  // of this process so far

}  // namespace deepgen
