// What is said of a learning curve: each problem where it is, and nothing where there is none.
#include "deepgen/runs/findings.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <string>
#include <vector>

namespace deepgen::findings_test {
namespace {

using Json = nlohmann::ordered_json;
using Lines = std::vector<Json>;

Lines curve(int epochs, const std::function<Json(double)>& metrics) {
  Lines lines;
  for (int e = 1; e <= epochs; ++e) {
    Json line = {{"stage", 0}, {"epoch", e}, {"step", 10 * e}, {"rate", 0.1}};
    line.update(metrics(e));
    lines.push_back(line);
  }
  return lines;
}

// Noise of size one that repeats in no simple way.
double jitter(double e) { return std::sin(e * e * 12.9898); }

Json healthy(double e) {
  return {{"train_free_energy", -300 * (1 - std::exp(-e / 5))},
          {"free_energy_gap", 0.3 + 0.3 * jitter(e)},
          {"pseudo_log_likelihood_proxy", -65 - 30 * std::exp(-e / 3) + 0.1 * jitter(e)},
          {"dead_units", 0},
          {"saturated_units", 0.01},
          {"weight_norm", 90 * (1 - std::exp(-e / 4))}};
}

// That one thing is said, with all these parts.
void expect_one(const Lines& lines, const std::vector<std::string>& parts) {
  const std::vector<std::string> found = findings(lines);
  ASSERT_EQ(found.size(), 1U) << testing::PrintToString(found);
  for (const std::string& part : parts)
    EXPECT_NE(found[0].find(part), std::string::npos) << part << "\n" << found[0];
}

Lines healthy_but(const Json& changed) {
  return curve(30, [&](double e) {
    Json line = healthy(e);
    line.update(changed);
    return line;
  });
}

TEST(Findings, SayNothingOfAHealthyRun) {
  EXPECT_EQ(findings(curve(30, healthy)), std::vector<std::string>());
  EXPECT_EQ(findings({}), std::vector<std::string>());
  EXPECT_EQ(findings(curve(1, healthy)), std::vector<std::string>());
  EXPECT_EQ(findings(curve(2, [](double) { return Json::object(); })), std::vector<std::string>());
}

TEST(Findings, SeeOverfittingInTheScoreAndSinceWhen) {
  const auto overfit = [](double e) {
    Json line = healthy(e);
    line["free_energy_gap"] = 5 * e + 0.3 * jitter(e);
    line["valid_log_prob"] = -90 - 0.05 * (e - 20) * (e - 20) + 0.01 * jitter(e);
    return line;
  };
  expect_one(curve(40, overfit), {"Overfitting since epoch 20", "valid_log_prob", "training.patience"});
  EXPECT_EQ(findings(curve(20, overfit)).size(), 0U) << "it had not begun";
}

TEST(Findings, SeeOverfittingInTheGapAlone) {
  expect_one(curve(30,
                   [](double e) {
                     return Json{{"train_free_energy", -10 * e}, {"free_energy_gap", 3 + 4 * e + jitter(e)}};
                   }),
             {"Overfitting since epoch 1", "nats"});
  EXPECT_EQ(findings(curve(30,
                           [](double e) {
                             return Json{{"train_free_energy", -10 * e}, {"free_energy_gap", 0.5 * e}};
                           })),
            std::vector<std::string>())
      << "a gap that follows slowly is no overfitting";
}

TEST(Findings, TellAFallWithoutAGapFromOverfitting) {
  expect_one(curve(30,
                   [](double e) {
                     Json line = healthy(e);
                     line["pseudo_log_likelihood_proxy"] = -60 - 2 * std::abs(e - 10) + 0.1 * jitter(e);
                     return line;
                   }),
             {"got worse", "epoch 10", "training.rate"});
}

TEST(Findings, JudgeAnObjectiveThatIsDescended) {
  const auto loss = [](double e) {
    return Json{{"objective", 100 * std::exp(-e / 2) + 5 + 0.01 * jitter(e)}};
  };
  EXPECT_EQ(findings(curve(20, loss)), std::vector<std::string>());
  expect_one(curve(20,
                   [](double e) {
                     return Json{{"objective", 50 + 3 * std::abs(e - 5)}};
                   }),
             {"got worse", "objective", "epoch 5"});
  expect_one(curve(20,
                   [](double e) {
                     return Json{{"objective", 100 - 3 * e}};
                   }),
             {"still improving", "in the last 4 epochs", "training.epochs"});
}

// Estimates from random splits of each row jump by themselves; the exact score beside them is smooth.
TEST(Findings, JudgeByTheExactScoreWhereThereIsOne) {
  const auto metrics = [](double e) {
    return Json{{"valid_log_prob_estimate", -18 - 3 * std::exp(-e / 5) + 0.5 * jitter(e)},
                {"valid_log_prob", -28 - 3 * std::exp(-e / 5)}};
  };
  EXPECT_EQ(findings(curve(40, metrics)), std::vector<std::string>());
}

TEST(Findings, SeeOscillationAndOvershoot) {
  expect_one(curve(30,
                   [](double e) {
                     return Json{{"objective", 50 + 20 * std::exp(-e / 3) + 12 * jitter(e)}};
                   }),
             {"jumps", "training.rate"});
  expect_one(curve(30,
                   [](double e) {
                     Json line = healthy(e);
                     line["weight_norm"] = 200 + 1000 * std::exp(-e / 5);
                     return line;
                   }),
             {"too far", "epoch 1", "training.rate"});
}

TEST(Findings, SeeThatNothingWasLearnt) {
  const Lines flat = healthy_but({{"pseudo_log_likelihood_proxy", -194.9}, {"weight_norm", 2.2}});
  expect_one(flat, {"Nothing was learnt", "-194.9", "larger training.rate"});
  EXPECT_EQ(findings(healthy_but({{"pseudo_log_likelihood_proxy", -194.9}})), std::vector<std::string>())
      << "the weights moved";
}

TEST(Findings, SeeUnitsThatDoNothing) {
  expect_one(healthy_but({{"dead_units", 0.35}}), {"35 %", "never on"});
  expect_one(healthy_but({{"saturated_units", 0.5}}), {"50 %", "always on"});
}

TEST(Findings, SeeChainsThatDoNotMix) {
  EXPECT_EQ(findings(healthy_but(
                {{"swap_rate_min", 0.3}, {"chain_autocorrelation", 0.5}, {"chain_free_energy_gap", 3}})),
            std::vector<std::string>());
  expect_one(healthy_but({{"swap_rate_min", 0.01}}), {"swap", "0.01"});
  expect_one(healthy_but({{"chain_autocorrelation", 0.99}}), {"0.99", "gibbs_steps"});
  expect_one(healthy_but({{"chain_free_energy_gap", -80}}), {"80 nats lower"});
  expect_one(healthy_but({{"chain_free_energy_gap", 20}, {"free_energy_spread", 5}}), {"20 nats higher"});
}

TEST(Findings, CountRollbacks) {
  Lines lines = curve(30, healthy);
  const Json event = {{"event", "rollback"}, {"stage", 0}, {"message", "x is nan in step 3: back to step 0"}};
  lines.insert(lines.begin(), event);
  expect_one(lines, {"once", "x is nan in step 3)", "0.5"});
  lines.insert(lines.begin(), event);
  expect_one(lines, {"2 times", "0.25"});
}

// The costs of two adversaries say nothing: only a collapse and a discriminator that is never wrong do.
TEST(Findings, SayWhatBecameOfTwoAdversaries) {
  const auto game = [](double accuracy, double spread) {
    return curve(30, [&](double e) {
      return Json{{"discriminator_cost", 1.3 - 0.04 * e},
                  {"generator_cost", 0.7 + 0.1 * e},
                  {"discriminator_accuracy", std::min(1.0, accuracy + 1e-3 * jitter(e))},
                  {"sample_spread", spread + 0.01 * jitter(e)}};
    });
  };
  EXPECT_EQ(findings(game(0.8, 0.95)), std::vector<std::string>());
  expect_one(game(0.8, 0.1), {"collapsed", "0.1", "sample_spread"});
  expect_one(game(1, 0.9), {"tells all", "% right"});
}

TEST(Findings, LookAtEachStageByItself) {
  Lines lines = curve(30, healthy);
  for (Json line : healthy_but({{"dead_units", 0.9}, {"train_free_energy", 50}})) {
    line["stage"] = 1;
    lines.push_back(line);
  }
  expect_one(lines, {"In stage 1: 90 %"});
}

TEST(Findings, PassOverWhatIsNoNumber) {
  const Lines broken = {Json::array({1}),
                        Json(),
                        {{"stage", "x"}, {"epoch", nullptr}, {"objective", "low"}},
                        {{"event", 3}},
                        {{"event", "rollback"}, {"message", 7}},
                        {{"stage", 1e300}, {"epoch", 1e300}, {"objective", 1e308}, {"dead_units", nullptr}},
                        {{"stage", 1e300}, {"epoch", -1}, {"objective", -1e308}, {"free_energy_gap", 1}}};
  EXPECT_LE(findings(broken).size(), 3U);
}

}  // namespace
}  // namespace deepgen::findings_test
