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
  Learnt learnt;                    // how its data were read
};
OpenRun open_run(const std::string& path);

// The data of a verb, in the form the run was trained on: its transform, its table, its columns.
Dataset load_data_for(const OpenRun& run, const std::string& spec);

// The names of the columns the run was trained on, or none.
std::vector<std::string> column_names(const OpenRun& run);

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

// Rows of a run's model [N, D] in the units of its data: a table as the CSV file it was trained on, or as
// numbers in .npy (of a category its index); all else as write_rows.
void write_cases(const OpenRun& run, const std::string& path, const Tensor& rows, const Grid& grid);

// float32, or float64 where the rows are.
Array to_array(const Tensor& rows);

void write_text(const std::string& path, const std::string& text);

double peak_memory_bytes();  // of this process so far

}  // namespace deepgen
