#include "deepgen/core/work.h"

#include <utility>

namespace deepgen {

Work::Work(Observer& observer, std::string what, std::int64_t total)
    : observer_(observer), what_(std::move(what)), total_(total), scope_(observer, what_.c_str()) {
  advance(0);
}

void Work::advance(std::int64_t more) {
  done_ += more;
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  const double left = seconds / static_cast<double>(done_) * static_cast<double>(total_ - done_);
  observer_.progress({what_, done_, total_, seconds, done_ > 0 ? left : -1}, {});
  listen();
}

void Work::listen() {
  if (observer_.stop_requested()) fail_interrupted(what_);
}

}  // namespace deepgen
