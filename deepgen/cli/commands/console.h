// What a command shows while it works: one line of progress on a terminal, messages, Ctrl-C.
#pragma once

#include <string>

#include "deepgen/core/observer.h"

namespace deepgen {

class ConsoleObserver : public Observer {
 public:
  explicit ConsoleObserver(bool quiet);  // progress only on a terminal, and never when quiet
  ~ConsoleObserver() override;

  void progress(const Progress& progress, const Metrics& metrics) override;
  void metrics(const Metrics& metrics) override;  // the line of an epoch, above the line of progress
  void message(const std::string& text) override;
  bool stop_requested() override;

 private:
  void clear_line();
  bool progress_, quiet_, open_ = false;
};

}  // namespace deepgen
