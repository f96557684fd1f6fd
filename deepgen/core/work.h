// Long work in pieces whose result is thrown away when it stops: its progress with the time left, and Ctrl-C,
// between the pieces and inside them.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "deepgen/core/interruption.h"

namespace deepgen {

class Work {
 public:
  // `total` in units of work: rows, steps. Work may contain work: the innermost speaks.
  Work(Observer& observer, std::string what, std::int64_t total);

  // `more` units are done: shows how far the work is, then listens.
  void advance(std::int64_t more);
  // Throws the error of interruption_point when a stop is asked for.
  void listen();

 private:
  Observer& observer_;
  std::string what_;
  std::int64_t done_ = 0, total_;
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  InterruptionScope scope_;  // after what_, which it names
};

}  // namespace deepgen
