// What the study of label efficiency (label_efficiency.h) is to measure. Torch-free, so that usage errors answer at
// once.
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <string>
#include <vector>

#include "deepgen/core/error.h"

namespace deepgen {

struct LabelEfficiencyPlan {
  std::string machine;  // the run of an rbm, dbn or dbm that learnt without labels
  std::string data;     // SPEC; "": that of the run
  std::string out;      // folder of the classifiers' runs and of the table
  std::vector<std::string> labels = {"100", "1000", "10000", "all"};
  std::int64_t draws = 1;             // of the labelled rows, and of random weights
  std::vector<std::string> settings;  // of the classifier, as in --set
  std::uint64_t seed = 1;
};

// How many training rows keep their labels; -1: all of them.
inline std::int64_t label_count(const std::string& text) {
  if (text == "all") return -1;
  const bool whole =
      !text.empty() && text.size() < 12 && text.find_first_not_of("0123456789") == std::string::npos;
  const std::int64_t count = whole ? std::stoll(text) : 0;
  if (count < 1)
    fail_usage("--labels", fmt::format("expected whole numbers of 1 or more, or all, got '{}'", text));
  return count;
}

inline void check_label_efficiency(const LabelEfficiencyPlan& plan) {
  if (plan.machine.empty())
    fail_usage("study", "label-efficiency needs the RUN of an rbm, dbn or dbm that learnt without labels");
  if (plan.out.empty())
    fail_usage("--out", "label-efficiency needs a folder for the runs of the classifiers");
  if (plan.labels.empty()) fail_usage("--labels", "expected at least one number");
  for (const std::string& text : plan.labels) label_count(text);
  if (plan.draws < 1) fail_usage("--draws", fmt::format("expected at least 1, got {}", plan.draws));
}

}  // namespace deepgen
