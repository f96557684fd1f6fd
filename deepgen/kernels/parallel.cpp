// Threads for the kernels.
#include <omp.h>
#include <pmmintrin.h>

#include <algorithm>
#include <atomic>
#include <exception>
#include <string>

#include "deepgen/core/error.h"
#include "deepgen/kernels/kernels.h"

namespace deepgen {
namespace {

constexpr int most_threads = 4096;

// Work for one thread that is worth waking it: a team of two costs 0.7 us when its threads still spin and 7
// us when they sleep (OMP_WAIT_POLICY=passive).
constexpr double worth_a_thread_ns = 10e3;

std::atomic<int> thread_count = 0;  // 0: what OpenMP says

void flush_denormals() {
  _MM_SET_FLUSH_ZERO_MODE(_MM_FLUSH_ZERO_ON);
  _MM_SET_DENORMALS_ZERO_MODE(_MM_DENORMALS_ZERO_ON);
}

// How many threads are worth their waking for this work.
std::int64_t useful_threads(std::int64_t units, double total_ns) {
  if (omp_in_parallel()) return 1;
  const double worth = std::min(total_ns / worth_a_thread_ns, static_cast<double>(threads()));
  return std::min(units, static_cast<std::int64_t>(worth));
}

}  // namespace

void set_threads(int count) {
  if (count < 1 || count > most_threads)
    fail_usage("threads", "expected a number from 1 to " + std::to_string(most_threads) + ", got " +
                              std::to_string(count));
  thread_count = count;
  omp_set_num_threads(count);
  flush_denormals();
#pragma omp parallel num_threads(count)
  flush_denormals();
}

int threads() {
  const int count = thread_count;
  return count > 0 ? count : omp_get_max_threads();
}

void parallel_ranges(std::int64_t count, double cost_ns, std::int64_t grain,
                     const std::function<void(std::int64_t, std::int64_t)>& body) {
  if (count <= 0) return;
  grain = std::max<std::int64_t>(grain, 1);
  const std::int64_t units = (count - 1) / grain + 1;
  const int team = static_cast<int>(useful_threads(units, static_cast<double>(count) * cost_ns));
  if (team <= 1) return body(0, count);
  std::exception_ptr failure;
#pragma omp parallel for schedule(static) num_threads(team)
  for (int part = 0; part < team; ++part) {
    // Equal shares of whole units; written so that units * part cannot overflow.
    const auto border = [&](std::int64_t i) {
      return std::min(count, grain * (units / team * i + std::min(i, units % team)));
    };
    try {
      if (border(part) < border(part + 1)) body(border(part), border(part + 1));
    } catch (...) {  // must not leave the parallel region
#pragma omp critical(deepgen_parallel_failure)
      if (!failure) failure = std::current_exception();
    }
  }
  if (failure) std::rethrow_exception(failure);
}

}  // namespace deepgen
