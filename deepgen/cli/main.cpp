// The command: parses and checks without torch, then loads the library for the verbs that compute.
#include <dlfcn.h>

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>

#include "deepgen/cli/arguments.h"
#include "deepgen/core/error.h"
#include "deepgen/core/machine.h"

namespace {

// The threads of torch's own operations (OpenMP's; ours are in kernels/team.h) look for work this often, some 50
// microseconds, and then sleep. OpenMP's own 300,000 times are 15 ms, taken from the very thread that is waited
// for where a processor is shared with others (docs/decisions.md). OpenMP's library reads this as it is loaded,
// so the front is linked without it.
constexpr const char* looks_before_sleep = "1000";

void prepare_process() {
  if (!std::getenv("OMP_WAIT_POLICY")) ::setenv("GOMP_SPINCOUNT", looks_before_sleep, 0);
  deepgen::keep_heap();
}

// libdeepgen.so beside the program, or where the system looks for libraries.
int run_library(int argc, char** argv) {
  prepare_process();
  std::error_code ignored;
  const auto beside =
      std::filesystem::read_symlink("/proc/self/exe", ignored).parent_path() / "libdeepgen.so";
  void* library = dlopen(beside.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!library) library = dlopen("libdeepgen.so", RTLD_NOW | RTLD_LOCAL);
  if (!library) deepgen::fail_usage("deepgen", dlerror());
  using Entry = int (*)(int, char**);
  const Entry entry = reinterpret_cast<Entry>(dlsym(library, "deepgen_run"));
  if (!entry) deepgen::fail_usage("deepgen", dlerror());
  return entry(argc, argv);
}

}  // namespace

int main(int argc, char** argv) {
  try {
    const deepgen::ParsedArguments parsed = deepgen::parse_arguments(argc, argv);
    const deepgen::Arguments& arguments = parsed.arguments;
    if (arguments.verb == "train" && arguments.subject != "auto") deepgen::plan_training(arguments);
    if (arguments.verb == "search") deepgen::plan_search(arguments);
    if (arguments.verb == "reproduce" && !arguments.markdown) deepgen::plan_reproduction(arguments);
    if (!parsed.done && !deepgen::run_without_torch(arguments)) return run_library(argc, argv);
    deepgen::finish_output();
    return 0;
  } catch (const std::exception& error) {
    return deepgen::report_error(error);
  }
}
