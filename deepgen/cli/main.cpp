// The command: parses and checks without torch, then loads the library for the verbs that compute.
#include <dlfcn.h>

#include <cstdio>
#include <exception>
#include <filesystem>

#include "deepgen/cli/arguments.h"
#include "deepgen/core/error.h"

namespace {

// libdeepgen.so beside the program, or where the system looks for libraries.
int run_library(int argc, char** argv) {
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
    if (arguments.verb == "train") deepgen::plan_training(arguments);
    if (arguments.verb == "search") deepgen::plan_search(arguments);
    if (arguments.verb == "reproduce" && !arguments.markdown) deepgen::plan_reproduction(arguments);
    if (!parsed.done && !deepgen::run_without_torch(arguments)) return run_library(argc, argv);
    deepgen::finish_output();
    return 0;
  } catch (const std::exception& error) {
    return deepgen::report_error(error);
  }
}
