#include "deepgen/runs/search_time.h"

#include <algorithm>
#include <functional>
#include <numeric>

namespace deepgen {

double epoch_seconds(const SearchTrial& trial) {
  if (trial.epochs() > 0) return trial.seconds / static_cast<double>(trial.epochs());
  return trial.probed_seconds;
}

double typical_epoch_seconds(const SearchRecord& record) {
  std::vector<double> known;
  for (const SearchTrial& trial : record.trials)
    if (const double seconds = epoch_seconds(trial); seconds > 0) known.push_back(seconds);
  if (known.empty()) return 0;
  std::sort(known.begin(), known.end(), std::greater<>());
  known.resize((known.size() + 1) / 2);
  return std::accumulate(known.begin(), known.end(), 0.0) / static_cast<double>(known.size());
}

double seconds_to_end(const SearchRecord& record, std::size_t round, std::int64_t full_epochs,
                      double score_seconds, bool from_scratch) {
  const double typical = typical_epoch_seconds(record);
  if (typical <= 0) return -1;
  const std::int64_t later = epochs_of_rounds(record.plan, round + 1, from_scratch) + full_epochs;
  double seconds = static_cast<double>(later) * typical;
  for (std::size_t r = round + 1; r < record.plan.size(); ++r)
    seconds += static_cast<double>(record.plan[r].trials) * score_seconds;
  for (const std::int64_t number : record.entrants.at(round)) {
    const SearchTrial& trial = record.trial(number);
    if (trial.status == "failed" || trial.rounds.size() > round) continue;
    const double own = epoch_seconds(trial);
    const std::int64_t more = record.plan[round].epochs - (from_scratch ? 0 : trial.epochs());
    seconds += static_cast<double>(more) * (own > 0 ? own : typical) + score_seconds;
  }
  return seconds;
}

std::int64_t trials_after(const SearchRecord& record, std::size_t round) {
  if (round + 1 >= record.plan.size()) return 0;
  std::int64_t tried = 0;
  for (const std::int64_t number : record.entrants.at(round)) {
    const SearchTrial& trial = record.trial(number);
    if (trial.status == "failed" || trial.rounds.size() > round) ++tried;
  }
  return std::min(record.plan[round + 1].trials, (tried + 1) / 2);
}

}  // namespace deepgen
