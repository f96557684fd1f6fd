#include "deepgen/core/interruption.h"

#include <chrono>

#include "deepgen/core/error.h"

namespace deepgen {
namespace {

using Clock = std::chrono::steady_clock;

// An observer may take its time to answer: a tenth of a second is soon enough for a person.
constexpr auto between_asks = std::chrono::milliseconds(100);

struct Listener {
  Observer* observer;
  const char* what;
  Clock::time_point next_ask;
};

thread_local Listener* innermost = nullptr;

}  // namespace

struct InterruptionScope::Place : Listener {};

InterruptionScope::InterruptionScope(Observer& observer, const char* what)
    : outer_(static_cast<Place*>(innermost)) {
  innermost = new Place{{&observer, what, Clock::now() + between_asks}};
}

InterruptionScope::~InterruptionScope() {
  delete static_cast<Place*>(innermost);
  innermost = outer_;
}

void interruption_point() {
  Listener* const listener = innermost;
  if (!listener) return;
  const Clock::time_point now = Clock::now();
  if (now < listener->next_ask) return;
  listener->next_ask = now + between_asks;
  if (listener->observer->stop_requested()) fail_interrupted(listener->what);
}

void fail_interrupted(const std::string& what) {
  throw Error(ErrorKind::interrupted, what, "stopped by request; nothing was written");
}

}  // namespace deepgen
