// The command line as a value: what the user asked for, checked as far as that is possible without torch.
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "deepgen/cli/recipe.h"
#include "deepgen/evaluate/cd_bias_plan.h"
#include "deepgen/runs/label_efficiency_plan.h"
#include "deepgen/runs/search_space.h"
#include "deepgen/runs/training_plan.h"

namespace deepgen {

struct Arguments {
  std::string verb;     // train, sample, ... or "data list", "data info", "data make"
  std::string subject;  // MODEL, RECIPE, RUN, SPEC or NAME, whichever the verb takes
  std::string data, out, split = "test", given, device = "cpu";
  std::vector<std::string> settings;  // --set, as written
  std::vector<std::string> starts;    // --start, as written
  std::uint64_t seed = 1;
  bool seed_given = false, epochs_given = false;
  int threads = 0;  // 0: as many as the machine grants
  bool resume = false, overwrite = false, json = false, markdown = false, markdown_table = false,
       quiet = false;
  std::int64_t count = 100;               // -n
  std::int64_t steps = 1000;              // Gibbs steps before a sample, or of a completion
  std::int64_t rows = 1, between = 1000;  // pictures: rows of samples, steps between them
  std::int64_t limit = std::numeric_limits<std::int64_t>::max();  // complete -n: rows at most
  std::string hide;                // complete: cells to forget first (bottom, top, left, right or a share)
  std::int64_t draws = 1;          // complete: of each missing cell
  std::string spread;              // complete: file of how much they differ
  std::string real, test, target;  // quality: SPECs of real rows, and the column to predict
  double gaps = -1;              // quality: share of the cells to hide; below 0: where the run can fill them
  std::int64_t gap_draws = 50;   // quality: of each hidden cell
  std::string ais = "standard";  // schedule of annealed importance sampling
  std::int64_t chains = 100;     // of annealed importance sampling
  std::int64_t samples = 100;    // of latent variables, a row (bounds)
  std::int64_t orders = 1;       // of an ensemble over orders
  bool features = false;         // evaluate: also what encode is worth
  bool sample_tests = false;     // evaluate: also what samples alone can say
  std::int64_t feature_rows = 10000;  // training rows of these classifiers at most
  std::int64_t columns = 0;           // pictures in a row of a grid
  std::int64_t length = 0;            // sample: rows to draw of each sequence
  std::string begin;                  // sample: SPEC of sequences to go on from
  double frame_seconds = 0.5;         // sample: of a row, in music
  bool extrapolate = false;           // sample: numbers of a table may leave the range of the training rows
  std::string choose;                 // train auto: likelihood, gaps or ""
  double budget_seconds = 0;          // train, reproduce, search; 0: no limit
  std::string results;                // reproduce: folder of recorded results
  std::vector<std::string> tries;     // search --try, as written
  std::int64_t trials = 0;            // search; 0: as many as the budget allows
  bool all_rows = false;              // search: the best is trained on the validation rows too
  CdBiasPlan cd_bias;                 // study cd-bias
  LabelEfficiencyPlan label_efficiency;  // study label-efficiency
};

// Throws usage errors (unknown verb, flag, value: with the nearest known one). Help and version are printed
// to stdout and end with `done` set.
struct ParsedArguments {
  Arguments arguments;
  bool done = false;
};
ParsedArguments parse_arguments(int argc, const char* const* argv);

// Throws a usage error for what can be judged without opening a file: names, endings of --out, options of a
// SPEC.
void check_arguments(const Arguments& arguments);

// What `train MODEL|RECIPE` and `search MODEL|RECIPE` resolve to, before any data are read: options, lists to
// try and the data's name are checked; a recipe brings its own defaults.
TrainingPlan plan_training(const Arguments& arguments);
SearchPlan plan_search(const Arguments& arguments);

// What `reproduce RECIPE` resolves to, likewise.
struct ReproductionPlan {
  Recipe recipe;
  TrainingPlan training;
};
ReproductionPlan plan_reproduction(const Arguments& arguments);

// Verbs that need no torch: data list, data info, data make. Returns false for all others.
bool run_without_torch(const Arguments& arguments);

// Flushes stdout; a data error when any of the output was lost.
void finish_output();

// The text without what a terminal would obey: control characters become spaces or question marks.
std::string plain_text(const std::string& text);

// One line on stderr, "deepgen: message"; the exit code of the error.
int report_error(const std::exception& error);

}  // namespace deepgen
