// The entry of the library for the command: the arguments again, then the verb.
#include <fmt/format.h>

#include <map>

#include "deepgen/cli/commands/commands.h"
#include "deepgen/core/error.h"
#include "deepgen/core/machine.h"
#include "deepgen/kernels/kernels.h"

namespace deepgen {
namespace {

void use_threads(int wanted) {
  set_worker_threads(wanted);
  const int count = worker_threads();  // without a wish: what the machine grants
  at::set_num_threads(count);          // torch may report one thread where there are more
  set_threads(count);
}

void dispatch(const Arguments& arguments) {
  static const std::map<std::string, void (*)(const Arguments&)> verbs = {
      {"train", train_command},       {"search", search_command},   {"reproduce", reproduce_command},
      {"sample", sample_command},     {"score", score_command},     {"evaluate", evaluate_command},
      {"complete", complete_command}, {"encode", encode_command},   {"reconstruct", reconstruct_command},
      {"classify", classify_command}, {"quality", quality_command}, {"models", models_command},
      {"study", study_command},       {"doctor", doctor_command}};
  if (arguments.device == "cuda" && !at::hasCUDA())
    fail_usage("--device",
               "this build of torch has no CUDA; use --device cpu, or build against a torch that has it");
  if (arguments.device == "cuda") fail_usage("--device", "cuda runs are not supported yet; use --device cpu");
  verbs.at(arguments.verb)(arguments);
}

}  // namespace
}  // namespace deepgen

extern "C" __attribute__((visibility("default"))) int deepgen_run(int argc, char** argv) {
  try {
    const deepgen::ParsedArguments parsed = deepgen::parse_arguments(argc, argv);
    deepgen::use_threads(parsed.arguments.threads);
    deepgen::kernels();  // a bad DEEPGEN_KERNELS is an error now, not in the middle
    deepgen::dispatch(parsed.arguments);
    deepgen::finish_output();
    return 0;
  } catch (const c10::Error& error) {  // without torch's stack trace: one line
    return deepgen::report_error(
        deepgen::Error(deepgen::ErrorKind::bug, "torch", error.what_without_backtrace()));
  } catch (const std::exception& error) {
    return deepgen::report_error(error);
  }
}
