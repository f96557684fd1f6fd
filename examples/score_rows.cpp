// Opens a run and prints what each row of a data set is worth to its model, and what that number proves.
//
//   score_rows RUN SPEC
#include <cstdio>
#include <exception>

#include "deepgen/deepgen.h"

using namespace deepgen;

int main(int argc, char** argv) try {
  if (argc != 3) return std::printf("usage: score_rows RUN SPEC\n"), 2;
  const OpenRun run = open_run(argv[1]);
  const Dataset data = load_data_for(run, argv[2]);  // in the form that the run was trained on
  Observer silent;
  for (const Score& score : evaluate_model(*run.model, data, "test", {}, Rng(1), silent))
    std::printf("%s\n", score_line(score).c_str());
  const RowScores scores = row_scores(*run.model, data, data.split("test"), {}, Rng(1), silent);
  for (std::int64_t row = 0; row < std::min<std::int64_t>(5, scores.values.size(0)); ++row)
    std::printf("row %d: %.3f %s\n", static_cast<int>(row), scores.values[row].item<double>(),
                scores.unit.c_str());
  return 0;
} catch (const std::exception& error) {
  std::fprintf(stderr, "%s\n", error.what());
  return 1;
}
