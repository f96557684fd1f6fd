#include "deepgen/train/epoch_metrics.h"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

namespace deepgen {

void EpochMetrics::add(std::size_t phase, const Metrics& metrics) {
  if (phases_.size() <= phase) phases_.resize(phase + 1);
  std::vector<Mean>& means = phases_[phase];
  for (std::size_t i = 0; i < metrics.size(); ++i) {
    const auto& [name, value] = metrics[i];
    auto found =
        i < means.size() && means[i].name == name  // as in the turn before
            ? means.begin() + static_cast<std::ptrdiff_t>(i)
            : std::find_if(means.begin(), means.end(), [&](const Mean& m) { return m.name == name; });
    if (found == means.end()) found = means.insert(means.end(), Mean{name});
    ++found->count;
    found->mean += (value - found->mean) / static_cast<double>(found->count);  // no sum that could overflow
  }
}

Metrics EpochMetrics::line(const std::vector<Phase>& phases) const {
  std::map<std::string, int> reported;
  for (const std::vector<Mean>& means : phases_)
    for (const Mean& each : means) ++reported[each.name];
  Metrics line;
  for (std::size_t p = 0; p < phases_.size(); ++p)
    for (const Mean& each : phases_[p]) {
      const bool shared = reported[each.name] > 1 && p < phases.size();
      line.emplace_back(shared ? phases[p].name + "." + each.name : each.name, each.mean);
    }
  return line;
}

nlohmann::ordered_json EpochMetrics::to_json() const {
  nlohmann::ordered_json json = nlohmann::ordered_json::array();
  for (const std::vector<Mean>& means : phases_) {
    json.push_back(nlohmann::ordered_json::array());
    for (const Mean& each : means)
      json.back().push_back(nlohmann::ordered_json::array({each.name, each.mean, each.count}));
  }
  return json;
}

EpochMetrics EpochMetrics::from_json(const nlohmann::ordered_json& json) {
  EpochMetrics metrics;
  for (const auto& [place, means] : json.items()) {
    metrics.phases_.emplace_back();
    for (const auto& [number, each] : means.items()) {
      const auto count = std::max<std::int64_t>(1, each.at(2).get<std::int64_t>());
      metrics.phases_.back().push_back({each.at(0).get<std::string>(), each.at(1).get<double>(), count});
    }
  }
  return metrics;
}

}  // namespace deepgen
