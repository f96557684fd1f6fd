// Trains a small machine on a built-in set into a run folder, and draws samples from it.
//
//   train_and_sample RUN        RUN: the folder of the run, made anew
#include <cstdio>
#include <exception>

#include "deepgen/deepgen.h"

using namespace deepgen;

// Messages and the learning curve go where the program wants them.
class Printer : public Observer {
 public:
  void message(const std::string& text) override { std::printf("%s\n", text.c_str()); }
};

int main(int argc, char** argv) try {
  if (argc != 2) return std::printf("usage: train_and_sample RUN\n"), 2;
  Printer printer;
  TrainingPlan plan("rbm", "bars_and_stripes:train=500");
  plan.seed = 1;
  plan.settings.set("model.hidden=12");
  plan.settings.set("training.epochs=200");
  plan.settings.set("training.batch=20");
  plan.settings.set("training.rate=0.05");
  const Dataset data = load_dataset(plan.data);
  const RunFolder folder = RunFolder::create(argv[1], false, true);
  train_into(folder, plan, false, data, printer);

  const OpenRun run = open_run(argv[1]);
  Rng rng(2);
  const Tensor samples = sample_model(*run.model, {.count = 4, .steps = 500}, rng, printer);  // [4, 16]
  for (std::int64_t row = 0; row < samples.size(0); ++row) {
    for (std::int64_t column = 0; column < samples.size(1); ++column)
      std::printf("%s%s", samples[row][column].item<float>() > 0.5F ? "#" : ".", column % 4 == 3 ? "\n" : "");
    std::printf("\n");
  }
  return 0;
} catch (const std::exception& error) {
  std::fprintf(stderr, "%s\n", error.what());
  return 1;
}
