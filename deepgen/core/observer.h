// How long work speaks: progress, metrics, messages and pictures, through one interface.
//
// The library never prints. A command, a test or a program hands in an observer; the default one is silent.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "deepgen/core/image.h"

namespace deepgen {

// Named numbers in the order in which they should be shown.
using Metrics = std::vector<std::pair<std::string, double>>;

struct Progress {
  std::string what;                  // "training", "annealing", ...
  std::int64_t done = 0, total = 0;  // in units of work (steps, temperatures, rows)
  double seconds = 0;                // since the work began
  double seconds_left = -1;          // estimate; negative while unknown
};

class Observer {
 public:
  virtual ~Observer() = default;
  virtual void progress(const Progress&, const Metrics&) {}  // often; may be dropped
  virtual void metrics(const Metrics&) {}                    // one line of the learning curve; must be kept
  virtual void message(const std::string&) {}                // something a person should know
  virtual void picture(const std::string& /*name*/, const Image&) {}
  virtual bool stop_requested() { return false; }  // Ctrl-C: finish the step, save, return
};

}  // namespace deepgen
