#include "deepgen/runs/search_record.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "deepgen/core/error.h"
#include "deepgen/core/file_bytes.h"

namespace deepgen {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::uint64_t largest_record = std::uint64_t{1} << 28;

Json trial_json(const SearchTrial& trial) {
  Json json = {{"trial", trial.number},          {"folder", trial.folder()},
               {"settings", trial.settings},     {"status", trial.status},
               {"epochs", trial.epochs()},       {"score", nullptr},
               {"score_name", trial.score_name}, {"score_kind", trial.score_kind},
               {"seconds", trial.seconds},       {"rounds", Json::array()}};
  for (const TrialRound& round : trial.rounds) {
    json["rounds"].push_back({{"epochs", round.epochs}, {"score", round.score}});
    json["score"] = round.score;
  }
  if (trial.probed_seconds > 0) json["probed_epoch_seconds"] = trial.probed_seconds;
  if (!trial.error.empty()) json["error"] = trial.error;
  return json;
}

SearchTrial read_trial(const Json& json) {
  SearchTrial trial;
  trial.number = json.at("trial").get<std::int64_t>();
  trial.settings = json.at("settings");
  trial.status = json.at("status").get<std::string>();
  trial.score_name = json.at("score_name").get<std::string>();
  trial.score_kind = json.at("score_kind").get<std::string>();
  trial.seconds = json.at("seconds").get<double>();
  trial.probed_seconds = json.value("probed_epoch_seconds", 0.0);
  trial.error = json.value("error", std::string());
  for (const Json& round : json.at("rounds"))
    trial.rounds.push_back({round.at("epochs").get<std::int64_t>(), round.at("score").get<double>()});
  return trial;
}

SearchRecord from_json(const Json& json) {
  SearchRecord record;
  record.asked = json.at("asked");
  record.facts = json.at("facts");
  record.status = json.at("status").get<std::string>();
  record.budget_seconds = json.at("budget_seconds").get<double>();
  record.seconds = json.at("seconds").get<double>();
  for (const Json& round : json.at("rounds")) {
    record.plan.push_back({round.at("trials").get<std::int64_t>(), round.at("epochs").get<std::int64_t>()});
    if (round.contains("entrants"))
      record.entrants.push_back(round.at("entrants").get<std::vector<std::int64_t>>());
  }
  for (const Json& trial : json.at("trials")) record.trials.push_back(read_trial(trial));
  record.best = json.at("best");
  return record;
}

// Throws std::out_of_range for what would not be found later.
void check_numbers(const SearchRecord& record) {
  for (std::size_t i = 0; i < record.trials.size(); ++i)
    if (record.trials[i].number != static_cast<std::int64_t>(i + 1))
      throw std::out_of_range("trials are not numbered in order");
  if (record.plan.empty() || record.entrants.empty() || record.entrants.size() > record.plan.size())
    throw std::out_of_range("rounds do not fit the plan");
  for (const auto& round : record.entrants)
    for (const std::int64_t number : round) record.trial(number);
  if (!record.best.is_object()) throw std::out_of_range("best is no object");
  if (!record.best.empty()) record.trial(record.best.at("trial").get<std::int64_t>());
}

void compare(const std::string& name, const Json& was, const Json& is, std::vector<std::string>& found) {
  if (was == is) return;
  if (!was.is_object() || !is.is_object()) {
    found.push_back(fmt::format("{} was {}, is {}", name, was.dump(), is.dump()));
    return;
  }
  const std::string prefix = name.empty() ? "" : name + ".";
  for (const auto& [key, value] : is.items())
    compare(prefix + key, was.contains(key) ? was.at(key) : Json(), value, found);
  for (const auto& [key, value] : was.items())
    if (!is.contains(key)) compare(prefix + key, value, Json(), found);
}

}  // namespace

std::string SearchTrial::folder() const { return fmt::format("trials/{:03}", number); }

std::int64_t SearchTrial::epochs() const { return rounds.empty() ? 0 : rounds.back().epochs; }

Json to_json(const SearchRecord& record) {
  Json json = {{"status", record.status},
               {"asked", record.asked},
               {"facts", record.facts},
               {"budget_seconds", record.budget_seconds},
               {"seconds", record.seconds},
               {"rounds", Json::array()},
               {"best", record.best.is_object() ? record.best : Json::object()},
               {"trials", Json::array()}};
  for (std::size_t r = 0; r < record.plan.size(); ++r) {
    json["rounds"].push_back({{"trials", record.plan[r].trials}, {"epochs", record.plan[r].epochs}});
    if (r < record.entrants.size()) json["rounds"].back()["entrants"] = record.entrants[r];
  }
  for (const SearchTrial& trial : record.trials) json["trials"].push_back(trial_json(trial));
  return json;
}

SearchRecord read_search(const std::string& path) {
  const Bytes bytes = read_raw_file(path, largest_record);
  try {
    SearchRecord record = from_json(Json::parse(bytes.begin(), bytes.end()));
    check_numbers(record);
    return record;
  } catch (const nlohmann::json::exception& error) {
    fail_data(path, fmt::format("malformed record of a search ({})", error.what()));
  } catch (const std::out_of_range& error) {
    fail_data(path, fmt::format("malformed record of a search ({})", error.what()));
  }
}

void write_search(const std::string& path, const SearchRecord& record) {
  const std::string text = to_json(record).dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
  write_file(path, ByteView(reinterpret_cast<const std::uint8_t*>(text.data()), text.size()));
}

std::vector<std::string> search_differences(const Json& was, const Json& is) {
  std::vector<std::string> found;
  compare("", was, is, found);
  return found;
}

std::vector<std::int64_t> ranked_trials(const SearchRecord& record) {
  std::vector<std::int64_t> numbers;
  for (const SearchTrial& trial : record.trials)
    if (trial.scored()) numbers.push_back(trial.number);
  std::sort(numbers.begin(), numbers.end(), [&](std::int64_t a, std::int64_t b) {
    const SearchTrial &left = record.trial(a), &right = record.trial(b);
    if (left.epochs() != right.epochs()) return left.epochs() > right.epochs();
    if (left.rounds.back().score != right.rounds.back().score)
      return left.rounds.back().score > right.rounds.back().score;
    return a < b;
  });
  return numbers;
}

std::vector<std::int64_t> promoted(const SearchRecord& record, std::size_t round, std::int64_t count) {
  std::vector<std::int64_t> numbers;
  for (const std::int64_t number : record.entrants.at(round))
    if (record.trial(number).scored() && record.trial(number).rounds.size() > round)
      numbers.push_back(number);
  const auto score = [&](std::int64_t number) { return record.trial(number).rounds[round].score; };
  std::sort(numbers.begin(), numbers.end(), [&](std::int64_t a, std::int64_t b) {
    return score(a) != score(b) ? score(a) > score(b) : a < b;
  });
  if (static_cast<std::int64_t>(numbers.size()) > count) numbers.resize(static_cast<std::size_t>(count));
  return numbers;
}

std::string score_kind(const std::string& name) {
  const auto has = [&](const char* part) { return name.find(part) != std::string::npos; };
  if (has("estimate")) return "estimate";
  if (has("bound")) return "lower_bound";
  if (has("pseudo") || has("reconstruction") || has("proxy")) return "proxy";
  return has("log_prob") ? "exact" : "proxy";
}

std::string clock_text(double seconds) {
  const auto whole = static_cast<long long>(std::llround(std::clamp(seconds, 0.0, 1e9)));
  if (whole < 3600) return fmt::format("{}:{:02}", whole / 60, whole % 60);
  return fmt::format("{}:{:02}:{:02}", whole / 3600, whole % 3600 / 60, whole % 60);
}

}  // namespace deepgen
