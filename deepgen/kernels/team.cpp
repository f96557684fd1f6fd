#include "deepgen/kernels/team.h"

#include <omp.h>
#include <pmmintrin.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

namespace deepgen {
namespace {

using Body = std::function<void(std::int64_t, int)>;

using Clock = std::chrono::steady_clock;

// How long a thread looks before it sleeps. Between the parts of a step of training a worker stays awake; the
// caller sleeps soon, as its processor is what a worker may be waiting for.
constexpr auto worker_looks = std::chrono::microseconds(500);
constexpr auto caller_looks = std::chrono::microseconds(30);

// A wait for the last parts that only a worker without a processor explains; after it the caller works alone for
// so many times as long. So a machine that others use costs little more than working alone does.
constexpr auto long_wait = std::chrono::microseconds(500);
constexpr int alone_times_wait = 10;
constexpr std::int64_t most_parts = 0xFFFF;

thread_local bool inside = false;

// Operations of torch inside keep to their thread as well: OpenMP would have them share it.
struct Inside {
  Inside() {
    inside = true;
    omp_set_num_threads(1);
  }
  ~Inside() {
    inside = before;
    omp_set_num_threads(threads_before);
  }
  const bool before = inside;
  const int threads_before = omp_get_max_threads();
};

// True once `found()` is; false when it was not for so long.
template <class Found>
bool look_for(std::chrono::nanoseconds time, Found found) {
  constexpr int looks_between_clocks = 64;
  const auto end = Clock::now() + time;
  do {
    for (int i = 0; i < looks_between_clocks; ++i) {
      if (found()) return true;
      _mm_pause();
    }
  } while (Clock::now() < end);
  return false;
}

// What is shared now: a number that changes with each call, how many parts it has, and the next to be taken. In
// one word, so that whoever takes a part knows that the call is still on: it ends when all its parts have, and
// the part just taken has not.
struct Ticket {
  std::uint64_t word;
  std::uint64_t call() const { return word >> 32; }
  std::int64_t parts() const { return static_cast<std::int64_t>(word >> 16 & 0xFFFF); }
  std::int64_t next() const { return static_cast<std::int64_t>(word & 0xFFFF); }
  bool open() const { return next() < parts(); }
};

class Team {
 public:
  // False, and nothing is done, while another thread is sharing, or where workers had no processor lately.
  bool share(std::int64_t parts, int team, const Body& body) {
    const std::unique_lock lock(in_use_, std::try_to_lock);
    if (!lock || Clock::now() < alone_until_) return false;
    while (static_cast<int>(workers_.size()) + 1 < team) {
      const int thread = static_cast<int>(workers_.size()) + 1;
      workers_.emplace_back([this, thread] { work(thread); });  // until the process ends
    }
    failure_ = nullptr;
    body_ = &body, team_ = team, done_ = 0, failed_ = false;
    const std::uint64_t call = Ticket{ticket_.load()}.call() + 1;
    ticket_.store(call << 32 | static_cast<std::uint64_t>(parts) << 16);
    if (sleeping_.load() > 0) ticket_.notify_all();
    take_parts(0);
    wait_for_last(parts);
    if (failure_) std::rethrow_exception(failure_);
    return true;
  }

 private:
  void wait_for_last(std::int64_t parts) {
    if (look_for(caller_looks, [&] { return done_.load() == parts; })) return;
    const Clock::time_point before = Clock::now();
    for (std::int64_t done = done_.load(); done != parts; done = done_.load()) done_.wait(done);
    const Clock::time_point after = Clock::now();
    if (after - before > long_wait) alone_until_ = after + (after - before) * alone_times_wait;
  }

  void take_parts(int thread) {
    const Inside here;
    for (;;) {
      std::uint64_t word = ticket_.load();
      const Ticket ticket{word};
      const Body* body = body_.load();
      if (!ticket.open() || thread >= team_.load()) return;
      if (!ticket_.compare_exchange_weak(word, word + 1)) continue;
      try {
        if (!failed_.load()) (*body)(ticket.next(), thread);
      } catch (...) {
        const std::lock_guard lock(failing_);
        if (!failed_.exchange(true)) failure_ = std::current_exception();
      }
      if (done_.fetch_add(1) + 1 == ticket.parts()) done_.notify_one();
    }
  }

  void work(int thread) {
    flush_denormals();
    for (;;) {
      take_parts(thread);
      const std::uint64_t seen = ticket_.load();
      if (Ticket{seen}.open() && thread < team_.load()) continue;
      const auto changed = [&] { return Ticket{ticket_.load()}.call() != Ticket{seen}.call(); };
      if (look_for(worker_looks, changed)) continue;
      ++sleeping_;
      for (std::uint64_t word = ticket_.load(); Ticket{word}.call() == Ticket{seen}.call();
           word = ticket_.load())
        ticket_.wait(word);
      --sleeping_;
    }
  }

  std::mutex in_use_, failing_;
  std::vector<std::thread> workers_;
  std::atomic<std::uint64_t> ticket_ = 0;
  std::atomic<const Body*> body_ = nullptr;
  std::atomic<int> team_ = 0, sleeping_ = 0;
  std::atomic<std::int64_t> done_ = 0;
  std::atomic<bool> failed_ = false;
  std::exception_ptr failure_;
  Clock::time_point alone_until_;
};

// Never destroyed: its workers wait in it when the process ends.
Team& the_team() {
  static Team* const team = new Team;
  return *team;
}

}  // namespace

void flush_denormals() {
  _MM_SET_FLUSH_ZERO_MODE(_MM_FLUSH_ZERO_ON);
  _MM_SET_DENORMALS_ZERO_MODE(_MM_DENORMALS_ZERO_ON);
}

bool in_shared_part() { return inside; }

void share_parts(std::int64_t parts, int team, const Body& body) {
  if (parts > most_parts) {  // several to a part
    const std::int64_t each = (parts - 1) / most_parts + 1;
    return share_parts((parts - 1) / each + 1, team, [&](std::int64_t part, int thread) {
      for (std::int64_t i = part * each; i < std::min(parts, (part + 1) * each); ++i) body(i, thread);
    });
  }
  if (team > 1 && parts > 1 && !inside && the_team().share(parts, team, body)) return;
  const Inside here;
  for (std::int64_t part = 0; part < parts; ++part) body(part, 0);
}

}  // namespace deepgen
