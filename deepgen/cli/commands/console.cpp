#include "deepgen/cli/commands/console.h"

#include <fmt/format.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdio>

#include "deepgen/cli/arguments.h"
#include "deepgen/core/html.h"

namespace deepgen {
namespace {

std::atomic<int> interrupts{0};

// The first Ctrl-C asks for a checkpoint and an orderly end; the second ends at once.
void on_interrupt(int) {
  if (interrupts.fetch_add(1) > 0) _exit(130);
}

}  // namespace

ConsoleObserver::ConsoleObserver(bool quiet) : progress_(!quiet && isatty(STDERR_FILENO)), quiet_(quiet) {
  interrupts = 0;
  std::signal(SIGINT, on_interrupt);
  std::signal(SIGTERM, on_interrupt);
}

ConsoleObserver::~ConsoleObserver() {
  clear_line();
  std::signal(SIGINT, SIG_DFL);
  std::signal(SIGTERM, SIG_DFL);
}

void ConsoleObserver::clear_line() {
  if (open_) fmt::print(stderr, "\r\033[K");
  open_ = false;
}

void ConsoleObserver::progress(const Progress& p, const Metrics&) {
  if (!progress_) return;
  constexpr int width = 24;
  const double share = p.total > 0 ? static_cast<double>(p.done) / static_cast<double>(p.total) : 0;
  const auto filled = static_cast<std::size_t>(share * width);
  std::string bar(filled, '=');
  bar.resize(width, ' ');
  fmt::print(stderr, "\r\033[K{} [{}] {:3.0f}%  {} of {}  {} elapsed", p.what, bar, 100 * share, p.done,
             p.total, duration_text(p.seconds));
  if (p.seconds_left >= 0) fmt::print(stderr, ", {} left", duration_text(p.seconds_left));
  std::fflush(stderr);
  open_ = true;
}

void ConsoleObserver::metrics(const Metrics& metrics) {
  if (!progress_) return;
  clear_line();
  std::string line;
  for (const auto& [name, value] : metrics) {
    if (name == "stage" || name == "step") continue;
    line += fmt::format("{}{} {:.4g}", line.empty() ? "" : "  ", name, value);
  }
  fmt::print(stderr, "{}\n", line);
}

void ConsoleObserver::message(const std::string& text) {
  clear_line();
  if (!quiet_) fmt::print(stderr, "{}\n", plain_text(text));
}

bool ConsoleObserver::stop_requested() { return interrupts.load() > 0; }

}  // namespace deepgen
