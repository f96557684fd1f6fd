// A benchmark compares variants of one piece of work in one run and prints ratios of their best times; beside
// other programs ratios of mean times.
#pragma once

#include <functional>
#include <string>
#include <vector>

namespace deepgen::bench {

// Stops the run when a result is wrong: a fast wrong answer is no benchmark.
void require(bool condition, const std::string& what);

// Ends a printed line with whether the aim (0: none) is reached: the largest value wanted, or with `at_least` the
// smallest.
void end_line(double value, double aim, bool at_least = false);

// The mean time of a call over at least so many seconds. Beside other programs a best time is that of a moment
// in which they did not run.
double mean_milliseconds(const std::function<void()>& body, double seconds);

// Variants are timed in turns (a, b, c, a, b, c, ...), so that a slow minute of the machine hits all alike.
class Comparison {
 public:
  explicit Comparison(std::string name) : name_(std::move(name)) {}
  void add(std::string variant, std::function<void()> body) {
    variants_.push_back({std::move(variant), std::move(body), 0});
  }
  void run();
  // Prints time(a) / time(b); `aim` (0: none) is the largest, or with `at_least` the smallest, ratio wanted.
  void ratio(const std::string& a, const std::string& b, double aim, bool at_least) const;
  // Prints time(a) / elements in nanoseconds; `aim_ns` (0: none) is the most wanted.
  void nanoseconds(const std::string& a, double elements, double aim_ns) const;

 private:
  struct Variant {
    std::string name;
    std::function<void()> body;
    double best_ms;
  };
  double best(const std::string& variant) const;
  std::string name_;
  std::vector<Variant> variants_;
};

// Makes a benchmark known under a name: deepgen_bench [NAME...].
struct Registration {
  Registration(std::string name, std::function<void()> body);
};

}  // namespace deepgen::bench
