#include "deepgen/core/error.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace deepgen {

Error::Error(ErrorKind kind, const std::string& who, const std::string& what)
    : std::runtime_error(fmt::format("[{}] {}", who, what)), kind_(kind) {}

void fail_usage(const std::string& who, const std::string& what) { throw Error(ErrorKind::usage, who, what); }
void fail_data(const std::string& who, const std::string& what) { throw Error(ErrorKind::data, who, what); }
void fail_numerical(const std::string& who, const std::string& what) {
  throw Error(ErrorKind::numerical, who, what);
}

namespace {

// Edits (insert, delete, replace, swap of neighbours) that turn a into b: the optimal string alignment
// distance.
std::size_t edit_distance(const std::string& a, const std::string& b) {
  std::vector<std::vector<std::size_t>> d(a.size() + 1, std::vector<std::size_t>(b.size() + 1));
  for (std::size_t i = 0; i <= a.size(); ++i) d[i][0] = i;
  for (std::size_t j = 0; j <= b.size(); ++j) d[0][j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replace = d[i - 1][j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      d[i][j] = std::min({d[i - 1][j] + 1, d[i][j - 1] + 1, replace});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        d[i][j] = std::min(d[i][j], d[i - 2][j - 2] + 1);
    }
  }
  return d[a.size()][b.size()];
}

}  // namespace

std::string nearest_name(const std::string& name, const std::vector<std::string>& candidates) {
  if (name.size() > 100) return "";  // no typing error; keeps the distance table small
  std::string best;
  std::size_t best_distance = 0;
  for (const std::string& candidate : candidates) {
    const std::size_t distance = edit_distance(name, candidate);
    if (3 * distance > std::max(name.size(), candidate.size())) continue;
    if (best.empty() || distance < best_distance) {
      best = candidate;
      best_distance = distance;
    }
  }
  return best;
}

std::string unknown_name(const std::string& what, const std::string& name,
                         const std::vector<std::string>& candidates) {
  const std::string near = nearest_name(name, candidates);
  if (!near.empty()) return fmt::format("unknown {} '{}'; did you mean '{}'?", what, name, near);
  return fmt::format("unknown {} '{}'; known: {}", what, name, fmt::join(candidates, ", "));
}

}  // namespace deepgen
