// Ctrl-C inside long calls: whoever waits for a call opens a scope, the hot operations look whether a stop
// was asked for, and throw.
//
// Only work whose result is thrown away when it stops opens one: sampling, completing, scoring, encoding.
// Training ends at a step's end and writes a checkpoint instead.
#pragma once

#include <string>

#include "deepgen/core/observer.h"

namespace deepgen {

// While it lives, interruption_point() on this thread throws an Error of kind interrupted, naming `what`,
// soon after observer.stop_requested() became true (it is asked some ten times a second). Scopes may be
// nested: the innermost speaks.
class InterruptionScope {
 public:
  struct Place;
  InterruptionScope(Observer& observer, const char* what);
  ~InterruptionScope();
  InterruptionScope(const InterruptionScope&) = delete;
  InterruptionScope& operator=(const InterruptionScope&) = delete;

 private:
  Place* outer_;
};

// Called by operations that long work is made of (products, convolutions, passes over units), on the thread
// that asked for them; some nanoseconds.
void interruption_point();

// The error of kind interrupted that both this and work in pieces (work.h) end with.
[[noreturn]] void fail_interrupted(const std::string& what);

}  // namespace deepgen
