// Threads for the kernels.
#include <omp.h>

#include <algorithm>
#include <atomic>
#include <string>

#include "deepgen/core/error.h"
#include "deepgen/core/machine.h"
#include "deepgen/kernels/kernels.h"
#include "deepgen/kernels/team.h"

namespace deepgen {
namespace {

constexpr int most_threads = 4096;

// Work for one thread that is worth waking it, and a part that is worth sharing.
constexpr double worth_a_thread_ns = 10e3;
constexpr std::int64_t parts_of_a_thread = 4;  // so that the rest of one that is late can be taken by others

std::atomic<int> thread_count = 0;  // 0: what OpenMP says

}  // namespace

void set_threads(int count) {
  if (count < 1 || count > most_threads)
    fail_usage("threads", "expected a number from 1 to " + std::to_string(most_threads) + ", got " +
                              std::to_string(count));
  thread_count = count;
  set_worker_threads(count);
  omp_set_num_threads(count);
  flush_denormals();
#pragma omp parallel num_threads(count)
  flush_denormals();
}

int threads() {
  const int count = thread_count;
  return count > 0 ? count : std::min(omp_get_max_threads(), worker_threads());
}

void parallel_ranges(std::int64_t count, double cost_ns, std::int64_t grain,
                     const std::function<void(std::int64_t, std::int64_t)>& body) {
  if (count <= 0) return;
  grain = std::max<std::int64_t>(grain, 1);
  const std::int64_t units = (count - 1) / grain + 1;
  const double total_ns = static_cast<double>(count) * cost_ns;
  const double worth = std::min(total_ns / worth_a_thread_ns, static_cast<double>(threads()));
  if (worth < 2 || units < 2 || in_shared_part()) return body(0, count);
  const double most = std::min(total_ns / worth_a_thread_ns, worth * parts_of_a_thread);
  const std::int64_t parts = std::min(units, static_cast<std::int64_t>(most));
  // Equal shares of whole units; written so that units * part cannot overflow.
  const auto border = [&](std::int64_t i) {
    return std::min(count, grain * (units / parts * i + std::min(i, units % parts)));
  };
  share_parts(parts, static_cast<int>(worth), [&](std::int64_t part, int) {
    if (border(part) < border(part + 1)) body(border(part), border(part + 1));
  });
}

}  // namespace deepgen
