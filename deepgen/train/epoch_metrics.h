// The numbers of an epoch so far: of each phase the means over its updates, each update counting alike.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "deepgen/core/observer.h"
#include "deepgen/model/model.h"

namespace deepgen {

class EpochMetrics {
 public:
  void add(std::size_t phase, const Metrics& metrics);
  void clear() { phases_.clear(); }
  bool empty() const { return phases_.empty(); }

  // The means, phase by phase in the order in which they were first reported. A name that two phases report
  // becomes "<phase>.<name>" in both.
  Metrics line(const std::vector<Phase>& phases) const;

  // For a checkpoint: [[[name, mean, count], ...] of each phase, ...]. A mean that comes back is the same to
  // the bit. from_json throws nlohmann's exceptions for what is malformed.
  nlohmann::ordered_json to_json() const;
  static EpochMetrics from_json(const nlohmann::ordered_json& json);

 private:
  struct Mean {
    std::string name;
    double mean = 0;
    std::int64_t count = 0;
  };
  std::vector<std::vector<Mean>> phases_;
};

}  // namespace deepgen
