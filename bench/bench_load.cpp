// A training step beside programs that keep processors busy, against the same step on a quiet machine and against
// one thread in the same company.
#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <vector>

#include "bench/harness.h"
#include "bench/random_bits.h"
#include "deepgen/core/machine.h"
#include "deepgen/kernels/kernels.h"
#include "deepgen/train/trainer.h"

namespace deepgen::bench {
namespace {

constexpr int rounds = 3;
constexpr double seconds = 0.8;  // of each measurement in each round

// What a child does until it is killed.
[[noreturn]] void keep_busy(pid_t parent) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(0);  // it ended before it could be followed
  for (volatile std::uint32_t x = 1;;) x = x * 1664525U + 1013904223U;
}

// Processes that compute as long as this lives.
class BusyProcesses {
 public:
  explicit BusyProcesses(int count) {
    const pid_t parent = getpid();
    for (int i = 0; i < count; ++i) {
      const pid_t child = fork();
      if (child == 0) keep_busy(parent);
      if (child > 0) children_.push_back(child);
    }
    if (static_cast<int>(children_.size()) == count) return;
    end();
    require(false, "a busy process could not be started");
  }
  ~BusyProcesses() { end(); }
  BusyProcesses(const BusyProcesses&) = delete;
  BusyProcesses& operator=(const BusyProcesses&) = delete;

 private:
  void end() {
    for (const pid_t child : children_) kill(child, SIGKILL);
    for (const pid_t child : children_) waitpid(child, nullptr, 0);
    children_.clear();
  }
  std::vector<pid_t> children_;
};

// The threads of the run, also when a measurement throws.
class Threads {
 public:
  explicit Threads(int count) : before_(threads()) { set_threads(count); }
  ~Threads() { set_threads(before_); }
  Threads(const Threads&) = delete;
  Threads& operator=(const Threads&) = delete;

 private:
  int before_;
};

void bench_beside(Trainer& trainer, int busy) {
  double quiet_ms = 0, loaded_ms = 0, alone_ms = 0;
  auto measure = [&] { return mean_milliseconds([&] { trainer.step(); }, seconds) / rounds; };
  for (int round = 0; round < rounds; ++round) {
    quiet_ms += measure();
    const BusyProcesses others(busy);
    loaded_ms += measure();
    const Threads one(1);
    alone_ms += measure();
  }
  fmt::print("rbm 784x500 pcd-1, batch 100, beside {} busy process{}, mean times\n", busy,
             busy > 1 ? "es" : "");
  fmt::print("  quiet {:.3f} ms, beside {:.3f} ms, with one thread {:.3f} ms\n", quiet_ms, loaded_ms,
             alone_ms);
  fmt::print("  beside / quiet = {:.3f}", loaded_ms / quiet_ms);
  end_line(loaded_ms / quiet_ms, busy == 1 ? 2.0 : 0);
  fmt::print("  all threads / one thread = {:.3f}", loaded_ms / alone_ms);
  end_line(loaded_ms / alone_ms, 1.1);
}

void bench_load() {
  const Dataset data = digits(5000);
  Settings settings("rbm");
  for (const char* setting : {"model.hidden=500", "training.learning=pcd", "training.gibbs_steps=1",
                              "training.batch=100", "training.chains=100"})
    settings.set(setting);
  const auto model = make_model(settings, data);
  Trainer trainer(model, data, std::move(settings), 1);
  for (int i = 0; i < 100; ++i) trainer.step();
  bench_beside(trainer, 1);
  const int cores = look_at_machine().granted();
  if (cores > 1) bench_beside(trainer, cores);
}

const Registration load("load", bench_load);

}  // namespace
}  // namespace deepgen::bench
