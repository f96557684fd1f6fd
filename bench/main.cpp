// deepgen_bench [--threads N] [NAME...]: every benchmark, or those whose names begin with NAME.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <limits>
#include <stdexcept>

#include "bench/harness.h"
#include "deepgen/core/machine.h"
#include "deepgen/core/torch.h"
#include "deepgen/core/version.h"
#include "deepgen/kernels/kernels.h"

namespace deepgen::bench {
namespace {

struct Entry {
  std::string name;
  std::function<void()> body;
};
std::vector<Entry>& entries() {
  static std::vector<Entry> all;
  return all;
}

double milliseconds(const std::function<void()>& body, int calls) {
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < calls; ++i) body();
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count() / calls;
}

constexpr int turns = 40;
constexpr double turn_ms = 25;

}  // namespace

Registration::Registration(std::string name, std::function<void()> body) {
  entries().push_back({std::move(name), std::move(body)});
}

void require(bool condition, const std::string& what) {
  if (!condition) throw std::runtime_error(what);
}

void end_line(double value, double aim, bool at_least) {
  const bool reached = at_least ? value >= aim : value <= aim;
  if (aim > 0)
    fmt::print("  (aim {} {}: {})", at_least ? "at least" : "at most", aim,
               reached ? "reached" : "not reached");
  fmt::print("\n");
}

double mean_milliseconds(const std::function<void()>& body, double seconds) {
  double total_ms = 0;
  int calls = 0;
  for (; total_ms < 1e3 * seconds; ++calls) total_ms += milliseconds(body, 1);
  return total_ms / calls;
}

void Comparison::run() {
  std::vector<int> calls;
  for (Variant& v : variants_) {
    milliseconds(v.body, 3);
    calls.push_back(std::max(1, static_cast<int>(turn_ms / milliseconds(v.body, 3))));
    v.best_ms = std::numeric_limits<double>::infinity();
  }
  for (int turn = 0; turn < turns; ++turn)
    for (std::size_t i = 0; i < variants_.size(); ++i)
      variants_[i].best_ms = std::min(variants_[i].best_ms, milliseconds(variants_[i].body, calls[i]));
  fmt::print("{}\n", name_);
  for (const Variant& v : variants_) fmt::print("  {:<10} {:8.3f} ms\n", v.name, v.best_ms);
}

double Comparison::best(const std::string& variant) const {
  return std::find_if(variants_.begin(), variants_.end(), [&](const Variant& v) { return v.name == variant; })
      ->best_ms;
}

void Comparison::ratio(const std::string& a, const std::string& b, double aim, bool at_least) const {
  const double value = best(a) / best(b);
  fmt::print("  {} / {} = {:.3f}", a, b, value);
  end_line(value, aim, at_least);
}

void Comparison::nanoseconds(const std::string& a, double elements, double aim_ns) const {
  const double value = best(a) * 1e6 / elements;
  fmt::print("  {}: {:.2f} ns an element", a, value);
  end_line(value, aim_ns);
}

}  // namespace deepgen::bench

int main(int argc, char** argv) {
  using namespace deepgen::bench;
  int count = deepgen::look_at_machine().granted();
  std::vector<std::string> wanted;
  for (int i = 1; i < argc; ++i) {
    if (argv[i] == std::string("--threads") && i + 1 < argc)
      count = std::max(1, std::atoi(argv[++i]));
    else
      wanted.emplace_back(argv[i]);
  }
  deepgen::keep_heap();  // as the command does
  at::set_num_threads(count);
  deepgen::set_threads(count);
  fmt::print("deepgen {} ({}), {} threads, {} kernels\n", deepgen::program_version(),
             deepgen::program_commit(), count, deepgen::kernels().name);
  bool any = false;
  try {
    for (const Entry& entry : entries()) {
      const bool chosen =
          wanted.empty() || std::any_of(wanted.begin(), wanted.end(),
                                        [&](const std::string& w) { return entry.name.starts_with(w); });
      if (!chosen) continue;
      any = true;
      entry.body();
    }
  } catch (const std::exception& error) {
    fmt::print(stderr, "benchmark failed: {}\n", error.what());
    return 1;
  }
  if (!any) {
    fmt::print(stderr, "no such benchmark; there are:");
    for (const Entry& entry : entries()) fmt::print(stderr, " {}", entry.name);
    fmt::print(stderr, "\n");
    return 2;
  }
  return 0;
}
