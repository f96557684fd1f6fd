// The space and the arithmetic of a search: what is drawn, who goes on, what fits into a time.
#include <gtest/gtest.h>

#include <functional>
#include <set>

#include "deepgen/core/error.h"
#include "deepgen/runs/search_record.h"
#include "deepgen/runs/search_space.h"
#include "deepgen/runs/search_time.h"

namespace deepgen::search_test {
namespace {

using Json = nlohmann::ordered_json;
using Rounds = std::vector<HalvingRound>;

std::string usage_message(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    EXPECT_EQ(error.exit_code(), 2) << error.what();
    return error.what();
  }
  ADD_FAILURE() << "no error";
  return "";
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

SearchSpace space_of(const std::vector<std::string>& fixed, const std::vector<std::string>& tries) {
  return search_space(Settings("rbm"), fixed, tries);
}

TEST(SearchSpace, DefaultsAreSettable) {
  const SearchSpace space = space_of({}, {});
  EXPECT_GE(space.axes.size(), 2U);
  for (const Json& one : sample_combinations(space, 1000, 1)) {
    const Json options = settings_with(Settings("rbm"), one).to_json();
    for (const auto& [name, value] : one.items()) {
      const std::size_t dot = name.find('.');
      EXPECT_EQ(options.at(name.substr(0, dot)).at(name.substr(dot + 1)), value) << name;
    }
  }
}

TEST(SearchSpace, TryReplacesAndAdds) {
  const Json before = space_of({}, {}).to_json();
  ASSERT_TRUE(before.contains("training.rate"));
  ASSERT_FALSE(before.contains("training.momentum"));
  const Json after = space_of({}, {"training.rate=0.5|0.25", "training.momentum=0.9"}).to_json();
  EXPECT_EQ(after["training.rate"], Json({0.5, 0.25}));
  EXPECT_EQ(after["training.momentum"], Json::array({0.9}));
  EXPECT_EQ(after.size(), before.size() + 1);
}

TEST(SearchSpace, WhatIsSetIsNotSearched) {
  const Json space = space_of({"model.hidden=7"}, {}).to_json();
  EXPECT_FALSE(space.contains("model.hidden"));
  EXPECT_TRUE(space.contains("training.rate"));
}

TEST(SearchSpace, ValuesOfEveryType) {
  const Json space =
      space_of({}, {"training.centring=true|no", "training.learning=cd|pcd", "model.hidden=3|4"}).to_json();
  EXPECT_EQ(space["training.centring"], Json({true, false}));
  EXPECT_EQ(space["training.learning"], Json({"cd", "pcd"}));
  EXPECT_EQ(space["model.hidden"], Json({3, 4}));
}

TEST(SearchSpace, MistakesAreNamed) {
  const auto message = [](const std::string& written) {
    return usage_message([&] { space_of({}, {written}); });
  };
  EXPECT_TRUE(contains(message("training.rte=1|2"), "'rate'"));
  EXPECT_TRUE(contains(message("model.hidden=1|0"), "1 to 1000000"));
  EXPECT_TRUE(contains(message("training.rate=0.1|1e-1"), "twice"));
  EXPECT_TRUE(contains(message("training.rate="), "none"));
  EXPECT_TRUE(contains(message("rate=1"), "training.<option>"));
  EXPECT_TRUE(contains(message("training.epochs=1|2"), "--set"));
  EXPECT_TRUE(contains(usage_message([] { space_of({"training.rate=1"}, {"training.rate=1|2"}); }), "--set"));
}

TEST(SearchSample, IsDistinctAndHoldsAllWhereItMay) {
  const SearchSpace space = space_of({}, {});
  const std::uint64_t size = space.size();
  std::set<std::string> seen;
  for (const Json& one : sample_combinations(space, 10000, 3)) seen.insert(one.dump());
  EXPECT_EQ(seen.size(), size);
  EXPECT_EQ(sample_combinations(space, 5, 3).size(), 5U);
}

TEST(SearchSample, DependsOnTheSeedAlone) {
  const SearchSpace space = space_of({}, {});
  const auto few = sample_combinations(space, 6, 3), many = sample_combinations(space, 20, 3);
  EXPECT_TRUE(std::equal(few.begin(), few.end(), many.begin())) << "a longer search begins differently";
  EXPECT_NE(few, sample_combinations(space, 6, 4));
}

TEST(SearchSample, HugeSpacesAreDrawnFrom) {
  SearchSpace space;
  for (int i = 0; i < 40; ++i) space.axes.push_back({"model.x" + std::to_string(i), {1, 2, 3, 4}});
  EXPECT_EQ(space.size(), std::uint64_t{1} << 62);
  EXPECT_EQ(sample_combinations(space, 50, 1).size(), 50U);
}

TEST(Halving, EpochsDoubleAndTrialsHalve) {
  EXPECT_EQ(halving_rounds(12, 20), (Rounds{{12, 2}, {6, 5}, {3, 10}, {2, 20}}));
  EXPECT_EQ(halving_rounds(8, 8), (Rounds{{8, 2}, {4, 4}, {2, 8}}));
  EXPECT_EQ(halving_rounds(2, 5), (Rounds{{2, 5}}));
  EXPECT_EQ(halving_rounds(1, 5), (Rounds{{1, 5}}));
  EXPECT_EQ(halving_rounds(16, 2), (Rounds{{16, 1}, {8, 2}})) << "no more rounds than epochs can be halved";
  EXPECT_EQ(halving_rounds(16, 1), (Rounds{{16, 1}}));
}

TEST(Halving, CountsTheEpochsOfAllTrials) {
  const Rounds rounds = {{4, 2}, {2, 5}};
  EXPECT_EQ(epochs_of_rounds(rounds, 0, false), 4 * 2 + 2 * 3);
  EXPECT_EQ(epochs_of_rounds(rounds, 0, true), 4 * 2 + 2 * 5);
  EXPECT_EQ(epochs_of_rounds(rounds, 1, false), 2 * 3);
  EXPECT_EQ(epochs_of_rounds(rounds, 2, false), 0);
}

TEST(Halving, FitsIntoTheTime) {
  EXPECT_EQ(fit_halving(12, 20, {1, 0}, 1e6, false), halving_rounds(12, 20));
  EXPECT_EQ(fit_halving(2, 20, {1, 0}, 12.5, false), (Rounds{{2, 6}}));
  EXPECT_EQ(fit_halving(9, 20, {1, 0}, 0, false), (Rounds{{2, 1}})) << "the least there is";
  EXPECT_EQ(fit_halving(1, 20, {1, 0}, 4.5, false), (Rounds{{1, 4}}));
  for (const bool from_scratch : {false, true})
    for (const double seconds : {10.0, 40.0, 100.0, 300.0, 1000.0}) {
      const TrialCost cost{0.7, 0.4};
      const Rounds rounds = fit_halving(16, 20, cost, seconds, from_scratch);
      double spent = cost.epoch * static_cast<double>(epochs_of_rounds(rounds, 0, from_scratch));
      for (const HalvingRound& round : rounds) spent += cost.round * static_cast<double>(round.trials);
      EXPECT_LE(spent, seconds);
      EXPECT_EQ(rounds, halving_rounds(rounds.front().trials, rounds.back().epochs));
    }
}

TEST(Halving, TheRetrainingKeepsHalfAtMost) {
  EXPECT_EQ(seconds_for_rounds(100, 20, 1), 80);
  EXPECT_EQ(seconds_for_rounds(100, 20, 30), 50);
}

TEST(Retraining, FitsIntoWhatIsLeft) {
  const Retraining wanted{20, 5};
  EXPECT_EQ(plan_retraining(wanted, 1, 1, 40), wanted);
  EXPECT_EQ(plan_retraining(wanted, 1, 1, 39), (Retraining{20, 0}));
  EXPECT_EQ(plan_retraining(wanted, 1, 1, 12.7), (Retraining{12, 0}));
  EXPECT_EQ(plan_retraining(wanted, 1, 1, -3), (Retraining{1, 0}));
  EXPECT_EQ(plan_retraining(wanted, 0, 0, -3), wanted) << "nothing was measured";
}

SearchTrial trial(std::int64_t number, std::vector<TrialRound> rounds, const std::string& status = "done") {
  SearchTrial made;
  made.number = number, made.rounds = std::move(rounds), made.status = status;
  made.settings = {{"model.hidden", 10 * number}};
  made.score_name = "valid_log_prob", made.score_kind = "exact";
  made.seconds = static_cast<double>(made.epochs());
  return made;
}

// Five trials, of which one failed; two went on.
SearchRecord small_record() {
  SearchRecord record;
  record.asked = {{"model", "rbm"}, {"data", "<glyphs>"}, {"seed", 1}};
  record.facts = {{"train_rows", 10}};
  record.plan = {{5, 2}, {3, 4}};
  record.trials = {trial(1, {{2, -9.0}}), trial(2, {{2, -5.0}, {4, -4.5}}), trial(3, {}, "failed"),
                   trial(4, {{2, -6.0}, {4, -4.0}}), trial(5, {{2, -5.5}})};
  record.trials[2].error = "[training] it's not finite";
  record.entrants = {{1, 2, 3, 4, 5}, {2, 5, 4}};
  record.best = Json::object();
  return record;
}

TEST(SearchRanking, TheLastRoundDecides) {
  EXPECT_EQ(ranked_trials(small_record()), (std::vector<std::int64_t>{4, 2, 5, 1}));
}

TEST(SearchRanking, TheBetterHalfGoesOn) {
  SearchRecord record = small_record();
  EXPECT_EQ(trials_after(record, 0), 3) << "of five that were tried, the failed one included";
  EXPECT_EQ(promoted(record, 0, 3), (std::vector<std::int64_t>{2, 5, 4}));
  EXPECT_EQ(promoted(record, 1, 3), (std::vector<std::int64_t>{4, 2})) << "5 did not finish this round";
  record.trials[0].rounds.clear(), record.trials[0].status = "waiting";
  record.trials[1].rounds.clear(), record.trials[1].status = "waiting";
  EXPECT_EQ(trials_after(record, 0), 2) << "time ended the round after three";
  EXPECT_EQ(trials_after(record, 1), 0);
}

TEST(SearchRanking, EqualScoresKeepTheirOrder) {
  SearchRecord record = small_record();
  for (SearchTrial& each : record.trials) each.status = "done", each.rounds = {{2, -1.0}};
  EXPECT_EQ(promoted(record, 0, 2), (std::vector<std::int64_t>{1, 2}));
  EXPECT_EQ(ranked_trials(record), (std::vector<std::int64_t>{1, 2, 3, 4, 5}));
}

TEST(SearchTime, ExpectsTheRestAndTheRetraining) {
  const SearchRecord record = small_record();  // a second an epoch; only trial 5 has its two epochs to go
  EXPECT_DOUBLE_EQ(seconds_to_end(record, 1, 20, 0.5, false), 2 * 1 + 0.5 + 20);
  EXPECT_DOUBLE_EQ(seconds_to_end(record, 0, 20, 0.5, false), 3 * (2 + 0.5) + 20) << "round 0 is over";
  SearchRecord unknown;
  unknown.plan = {{1, 1}}, unknown.entrants = {{}};
  EXPECT_LT(seconds_to_end(unknown, 0, 20, 0, false), 0);
}

TEST(SearchTime, TheSlowerHalfIsTypical) {
  SearchRecord record;
  for (const double seconds : {1.0, 2.0, 6.0, 8.0, 0.0}) {
    record.trials.emplace_back();
    record.trials.back().probed_seconds = seconds;
  }
  EXPECT_DOUBLE_EQ(typical_epoch_seconds(record), 7);
}

TEST(SearchTime, AsAClockShowsIt) {
  EXPECT_EQ(clock_text(250), "4:10");
  EXPECT_EQ(clock_text(3725), "1:02:05");
  EXPECT_EQ(clock_text(-3), "0:00");
}

TEST(SearchRecord, ComesBackFromTheFile) {
  const std::string path = testing::TempDir() + "search.json";
  SearchRecord record = small_record();
  record.best = {{"trial", 4}, {"epochs", 20}, {"status", "training"}};
  record.trials[0].probed_seconds = 0.5;
  write_search(path, record);
  EXPECT_EQ(to_json(read_search(path)), to_json(record));
}

TEST(SearchRecord, RefusesWhatItIsNot) {
  const std::string path = testing::TempDir() + "broken.json";
  const Json good = to_json(small_record());
  std::vector<std::string> texts = {"", "{", "[]", "{}"};
  for (const char* key : {"asked", "facts", "rounds", "trials", "best", "status", "seconds"}) {
    Json less = good;
    less.erase(key);
    texts.push_back(less.dump());
  }
  Json wrong = good;
  wrong["rounds"][0]["entrants"][0] = 99;
  texts.push_back(wrong.dump());
  wrong = good;
  wrong["best"] = {{"trial", 0}};
  texts.push_back(wrong.dump());
  wrong = good;
  wrong["trials"][1]["trial"] = 7;
  texts.push_back(wrong.dump());
  for (const std::string& text : texts) {
    FILE* file = std::fopen(path.c_str(), "wb");
    std::fwrite(text.data(), 1, text.size(), file);
    std::fclose(file);
    try {
      read_search(path);
      ADD_FAILURE() << "was read: " << text;
    } catch (const Error& error) {
      EXPECT_EQ(error.exit_code(), 3) << error.what();
      EXPECT_TRUE(contains(error.what(), "broken.json")) << error.what();
    }
  }
}

TEST(SearchRecord, NamesWhatDiffers) {
  const Json was = {
      {"model", "rbm"}, {"options", {{"training", {{"rate", 0.1}, {"epochs", 3}}}}}, {"old", 1}};
  Json is = was;
  EXPECT_TRUE(search_differences(was, is).empty());
  is["options"]["training"]["rate"] = 0.2;
  is.erase("old");
  EXPECT_EQ(search_differences(was, is),
            (std::vector<std::string>{"options.training.rate was 0.1, is 0.2", "old was 1, is null"}));
}

TEST(SearchReport, ShowsEveryTrialEscapedAndLinked) {
  SearchRecord record = small_record();
  record.best = {{"trial", 4},
                 {"epochs", 20},
                 {"status", "done"},
                 {"score", -3.5},
                 {"score_name", "valid_log_prob"},
                 {"score_kind", "exact"}};
  const std::string page = search_html(record);
  for (const char* part : {"trials/001/report.html", "trials/004/report.html", "best/report.html",
                           "&lt;glyphs&gt;", "model.hidden", "it&#39;s not finite", "<svg"})
    EXPECT_TRUE(contains(page, part)) << part;
  EXPECT_FALSE(contains(page, "<glyphs>"));
  EXPECT_FALSE(contains(page, "trials/003/report.html")) << "the failed one has no epoch to show";
  EXPECT_LT(page.find("trials/004/report.html"), page.find("trials/002/report.html"));
  EXPECT_EQ(search_table(record).size(), 6U) << "a heading and five trials";
}

TEST(SearchReport, KindsOfScores) {
  EXPECT_EQ(score_kind("valid_log_prob"), "exact");
  EXPECT_EQ(score_kind("valid_log_prob_estimate"), "estimate");
  EXPECT_EQ(score_kind("valid_log_prob_bound"), "lower_bound");
  EXPECT_EQ(score_kind("valid_pseudo_log_likelihood"), "proxy");
  EXPECT_EQ(score_kind("valid_something_new"), "proxy") << "no name is taken for more than it proves";
}

}  // namespace
}  // namespace deepgen::search_test
