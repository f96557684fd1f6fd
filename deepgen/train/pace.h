// How fast training goes: in this sitting and stage, whatever was undone of it.
#pragma once

#include <cstdint>

namespace deepgen {

class Pace {
 public:
  // A sitting or a stage begins; `now` in seconds of any clock that never goes back.
  void begin(double now) { since_ = now, steps_ = 0; }
  void add_step() { ++steps_; }
  // Seconds that `steps` more such steps take, the work at the ends of epochs included; -1 while none was
  // made.
  double seconds_for(double steps, double now) const {
    return steps_ > 0 ? (now - since_) / static_cast<double>(steps_) * steps : -1;
  }

 private:
  double since_ = 0;
  std::int64_t steps_ = 0;  // made, those before a rollback too
};

}  // namespace deepgen
