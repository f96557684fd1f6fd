// Options and errors: every field reachable by name, every mistake answered with the nearest name or the
// range.
#include "deepgen/core/options.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "deepgen/core/error.h"
#include "deepgen/train/settings.h"

namespace deepgen::options_test {
namespace {

struct Sample : Options {
  std::int64_t count = 3;
  double rate = 0.5;
  bool flag = false;
  std::string way = "left";
  void visit(OptionVisitor& v) override {
    v.field({"count", "how many", 1, 10}, count);
    v.field({"rate", "how fast", 0, 1}, rate);
    v.field({"flag", "whether"}, flag);
    v.field({"way", "where to", 0, 0, {"left", "right"}}, way);
  }
};

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

TEST(OptionSetting, SetsEveryTypeFromText) {
  Sample s;
  set_option(s, "group", "count", "7");
  set_option(s, "group", "rate", "1e-3");
  set_option(s, "group", "flag", "true");
  set_option(s, "group", "way", "right");
  EXPECT_EQ(s.count, 7);
  EXPECT_EQ(s.rate, 1e-3);
  EXPECT_TRUE(s.flag);
  EXPECT_EQ(s.way, "right");
}

TEST(OptionSetting, RefusesWithARange) {
  Sample s;
  auto message = [&](const char* name, const char* text) {
    return usage_message([&] { set_option(s, "group", name, text); });
  };
  EXPECT_NE(message("count", "11").find("1 to 10"), std::string::npos);
  EXPECT_NE(message("count", "2.5").find("an integer"), std::string::npos);
  EXPECT_NE(message("count", "").find("an integer"), std::string::npos);
  EXPECT_NE(message("count", "99999999999999999999").find("an integer"), std::string::npos);
  EXPECT_NE(message("rate", "nan").find("a finite number"), std::string::npos);
  EXPECT_NE(message("rate", "fast").find("a finite number"), std::string::npos);
  EXPECT_NE(message("flag", "maybe").find("true or false"), std::string::npos);
  EXPECT_NE(message("way", "rihgt").find("did you mean 'right'"), std::string::npos);
  EXPECT_NE(message("cuont", "1").find("did you mean 'count'"), std::string::npos);
  EXPECT_EQ(s.count, 3) << "a refused value changes nothing";
}

TEST(OptionSetting, JsonRoundTrip) {
  Sample s, t;
  s.count = 9, s.rate = 0.1, s.flag = true, s.way = "right";
  set_options(t, "group", options_to_json(s));
  EXPECT_EQ(options_to_json(t), options_to_json(s));
  EXPECT_NE(usage_message([&] { set_options(t, "group", {{"nope", 1}}); }).find("nope"), std::string::npos);
}

TEST(NearestName, CountsSwapsAsOneEdit) {
  EXPECT_EQ(nearest_name("hiden", {"hidden", "visible"}), "hidden");
  EXPECT_EQ(nearest_name("mnits", {"mnist", "dna"}), "mnist");
  EXPECT_EQ(nearest_name("xyzzy", {"hidden", "visible"}), "");
  EXPECT_EQ(nearest_name(std::string(1000000, 'a'), {"hidden"}), "");
}

TEST(SettingsOfARun, GroupsAndNames) {
  Settings settings("rbm");
  settings.set("model.hidden=20");
  settings.set("training.learning=cd");
  settings.set("training.rate=0.25");
  const nlohmann::ordered_json json = settings.to_json();
  EXPECT_EQ(json["model"]["hidden"], 20);
  EXPECT_EQ(json["training"]["learning"], "cd");
  EXPECT_EQ(json["training"]["rate"], 0.25);
  Settings again("rbm");
  again.set_all(json);
  EXPECT_EQ(again.to_json(), json);
  EXPECT_NE(usage_message([&] { settings.set("model.hiden=1"); }).find("hidden"), std::string::npos);
  EXPECT_NE(usage_message([&] { settings.set("training.epoch=1"); }).find("epochs"), std::string::npos);
  EXPECT_NE(usage_message([&] { settings.set("trainig.epochs=1"); }).find("training"), std::string::npos);
  EXPECT_NE(usage_message([&] { settings.set("hidden=1"); }).find("model.<option>"), std::string::npos);
  EXPECT_NE(usage_message([&] { Settings("rbn"); }).find("rbm"), std::string::npos);
}

}  // namespace
}  // namespace deepgen::options_test
