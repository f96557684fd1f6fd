// doctor: what is installed, what the machine grants, and what of it slows trainings.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cstdlib>
#include <fstream>

#include "deepgen/cli/commands/commands.h"
#include "deepgen/core/machine.h"
#include "deepgen/core/version.h"
#include "deepgen/data/files/known_sets.h"
#include "deepgen/kernels/kernels.h"

// Of OpenBLAS; not every cblas.h names them.
extern "C" {
char* openblas_get_config();
int openblas_get_parallel();  // 0: no threads, 1: its own, 2: OpenMP's
}

namespace deepgen {
namespace {

// The file that the BLAS library's name leads to in this process.
std::string loaded_blas() {
  std::ifstream maps("/proc/self/maps");
  std::string found = "none seen";
  for (std::string line; std::getline(maps, line);) {
    const std::size_t slash = line.find('/');
    if (slash == std::string::npos) continue;
    const std::string path = line.substr(slash);
    if (path.find("openblas") != std::string::npos || path.find("mkl") != std::string::npos) return path;
    if (path.find("libblas") != std::string::npos) found = path;
  }
  return found;
}

void tell(const std::string& name, const std::string& text, const std::string& problem = "") {
  fmt::print("{:<12}{}\n", name, text);
  if (!problem.empty()) fmt::print("  problem: {}\n", problem);
}

void tell_machine() {
  const Machine machine = look_at_machine();
  tell("threads", fmt::format("{} ({})", at::get_num_threads(), processors_text(machine)));
  tell("load", load_text(machine), load_advice(machine));
  tell("memory", memory_text(machine));
}

void tell_blas() {
  tell("BLAS", loaded_blas());
  std::string problem;
  if (openblas_get_parallel() == 1)
    problem =
        "this is the pthread build of OpenBLAS, several times slower here; ./dev setup selects the OpenMP "
        "build";
  if (openblas_get_parallel() == 0)
    problem = "this build of OpenBLAS has no threads; ./dev setup selects the OpenMP build";
  tell("", openblas_get_config(), problem);
}

// How OpenMP's threads wait. The front has set GOMP_SPINCOUNT, unless the environment said something.
void tell_waiting() {
  const char* policy = std::getenv("OMP_WAIT_POLICY");
  const char* looks = std::getenv("GOMP_SPINCOUNT");
  const std::string how =
      looks ? fmt::format("threads look for work {} times, then sleep (GOMP_SPINCOUNT)", looks)
            : fmt::format("as OMP_WAIT_POLICY={} says", policy ? policy : "");
  const bool spins = !looks && policy && (policy[0] == 'a' || policy[0] == 'A');
  tell(
      "waiting", how,
      spins ? "threads that wait take the processor from those that compute, here or in other programs" : "");
}

void tell_heap() {
  constexpr int mebibyte = 1 << 20;
  tell("heap", keep_heap() ? fmt::format("keeps freed blocks up to {} MiB and a free end up to {} MiB",
                                         largest_kept_block / mebibyte, largest_kept_end / mebibyte)
                           : "as the system and the environment have it");
}

}  // namespace

void doctor_command(const Arguments&) {
  tell("deepgen", fmt::format("{} ({})", program_version(), program_commit()));
  tell("torch", TORCH_VERSION);
  tell_machine();
  tell("kernels", fmt::format("{} (available: {})", kernels().name, fmt::join(available_kernels(), ", ")));
  tell_blas();
  tell_waiting();
  tell_heap();
  tell("CUDA", at::hasCUDA() ? "yes" : "no");
  std::vector<std::string> found;
  for (const KnownSet& set : known_sets())
    if (is_available(set)) found.push_back(set.name);
  tell("data", fmt::format("{} of {} known sets found in {}", found.size(), known_sets().size(),
                           fmt::join(data_folders(), ", ")));
}

}  // namespace deepgen
