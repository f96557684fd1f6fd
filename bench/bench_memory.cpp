// The largest memory of the command at work: training and evaluation of `./dev demo`, and training of an RBM of
// 500 hidden units on digits.
#include <fcntl.h>
#include <fmt/format.h>
#include <malloc.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <string>
#include <vector>

#include "bench/harness.h"
#include "bench/random_bits.h"

namespace deepgen::bench {
namespace {

namespace fs = std::filesystem;
using Words = std::vector<std::string>;

// A folder for runs, gone when this is.
class Scratch {
 public:
  Scratch() : path_(fs::temp_directory_path() / fmt::format("deepgen-bench-{}", getpid())) {
    fs::create_directories(path_);
  }
  ~Scratch() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  std::string run(const std::string& name) const { return (path_ / name).string(); }

 private:
  fs::path path_;
};

// The command of this build.
std::string program() {
  return (fs::read_symlink("/proc/self/exe").parent_path().parent_path() / "deepgen").string();
}

[[noreturn]] void become(char* const* words) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  const int nowhere = open("/dev/null", O_WRONLY);
  dup2(nowhere, STDOUT_FILENO), dup2(nowhere, STDERR_FILENO);
  execv(words[0], words);
  _exit(127);
}

// MiB that the command held at most. A child's count begins with what its parent holds when they part, so that
// is made small; it would have to be beyond the aims to matter.
double peak_of(Words words) {
  words.insert(words.begin(), program());
  std::vector<char*> pointers;
  for (std::string& word : words) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  malloc_trim(0);
  const pid_t child = fork();
  if (child == 0) become(pointers.data());
  int status = 0;
  rusage usage{};
  const bool ended = child > 0 && wait4(child, &status, 0, &usage) == child;
  require(ended && WIFEXITED(status) && WEXITSTATUS(status) == 0,
          fmt::format("`{}` failed", fmt::join(words, " ")));
  return static_cast<double>(usage.ru_maxrss) / 1024;
}

void print_peak(const std::string& what, double aim, const Words& words) {
  const double mib = peak_of(words);
  fmt::print("  {:<36} {:6.0f} MiB", what, mib);
  end_line(mib, aim);
}

void bench_memory() {
  const Scratch scratch;
  const std::string glyphs = "glyphs:binarize=threshold", demo = scratch.run("demo");
  fmt::print("peak memory\n");
  print_peak("demo, training", 450,
             {"train", "rbm", "--data", glyphs, "--out", demo, "--set", "model.hidden=200",
              "training.epochs=2", "training.gibbs_steps=2", "training.rate=0.1", "training.schedule=linear",
              "training.average=0.99", "training.decay=0.0002"});
  print_peak("demo, evaluation", 450,
             {"evaluate", demo, "--data", glyphs, "--split", "test", "--ais", "standard"});
  const std::string data = found_digits() ? "binarized_mnist" : glyphs;
  print_peak("rbm 500 on " + data, 350,
             {"train", "rbm", "--data", data, "--out", scratch.run("rbm-500"), "--set", "model.hidden=500",
              "training.epochs=2", "training.learning=pcd", "training.centring=true",
              "training.schedule=linear", "training.average=0.999", "training.decay=0.0002"});
}

const Registration memory("memory", bench_memory);

}  // namespace
}  // namespace deepgen::bench
