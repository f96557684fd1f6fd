#include "deepgen/core/interruption.h"

#include <chrono>

#include "deepgen/core/error.h"

namespace deepgen {
namespace {

using Clock = std::chrono::steady_clock;

// An observer may take its time to answer: a tenth of a second is soon enough for a person.
constexpr auto between_asks = std::chrono::milliseconds(100);

thread_local InterruptionScope::Place* innermost = nullptr;

}  // namespace

struct InterruptionScope::Place {
  Observer* observer;
  const char* what;
  Clock::time_point next_ask;
};

InterruptionScope::InterruptionScope(Observer& observer, const char* what) : outer_(innermost) {
  innermost = new Place{&observer, what, Clock::now() + between_asks};
}

InterruptionScope::~InterruptionScope() {
  delete innermost;
  innermost = outer_;
}

void interruption_point() {
  InterruptionScope::Place* const place = innermost;
  if (!place) return;
  const Clock::time_point now = Clock::now();
  if (now < place->next_ask) return;
  place->next_ask = now + between_asks;
  if (place->observer->stop_requested()) fail_interrupted(place->what);
}

void fail_interrupted(const std::string& what) {
  throw Error(ErrorKind::interrupted, what, "stopped by request; nothing was written");
}

}  // namespace deepgen
