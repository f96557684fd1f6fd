// The public header on its own, used as its opening comment says.
#include "deepgen/deepgen.h"

#include <gtest/gtest.h>

namespace deepgen::api_test {
namespace {

TEST(PublicApi, ASessionInAFewLines) {
  Dataset data = load_dataset("bars_and_stripes:size=3,train=200,valid=50,test=50");
  Settings settings("rbm");
  settings.set("model.hidden=6");
  settings.set("training.epochs=3");
  auto model = make_model(settings, data);
  Trainer trainer(model, data, std::move(settings), 1);
  Observer silent;
  EXPECT_EQ(trainer.run(silent).epochs, 3);
  Rng rng(2);
  const Tensor samples = sample_model(*model, {.count = 10, .steps = 20}, rng, silent);
  EXPECT_EQ(samples.sizes().vec(), (std::vector<std::int64_t>{10, 9}));
  const std::vector<Score> scores = evaluate_model(*model, data, "test", {}, rng, silent);
  ASSERT_FALSE(scores.empty());
  EXPECT_EQ(scores[0].metric, "log_prob");
  EXPECT_EQ(scores[0].kind, ScoreKind::exact);
  EXPECT_LT(scores[0].value, 0);
  for (const Score& score : scores)
    EXPECT_NE(score_line(score).find(kind_name(score.kind)), std::string::npos);
}

TEST(Tasks, HiddenCellsAreWhatWasAskedFor) {
  Rng rng(3);
  const Tensor x = at::ones({2, 16});
  auto hidden = [&](const std::string& what) {
    return hide_cells(x, {1, 4, 4}, what, rng).isnan().view({2, 4, 4});
  };
  EXPECT_TRUE(hidden("bottom").narrow(1, 2, 2).all().item<bool>());
  EXPECT_FALSE(hidden("bottom").narrow(1, 0, 2).any().item<bool>());
  EXPECT_TRUE(hidden("top").narrow(1, 0, 2).all().item<bool>());
  EXPECT_TRUE(hidden("left").narrow(2, 0, 2).all().item<bool>());
  EXPECT_TRUE(hidden("right").narrow(2, 2, 2).all().item<bool>());
  EXPECT_FALSE(hidden("right").narrow(2, 0, 2).any().item<bool>());
  const Tensor many = hide_cells(at::ones({100, 100}), {100}, "0.2", rng);
  // 10,000 cells at 0.2: five standard deviations are 0.02; false alarms below one in a million, the seed is
  // fixed.
  EXPECT_NEAR(many.isnan().to(at::kDouble).mean().item<double>(), 0.2, 0.02);
  EXPECT_THROW(hide_cells(x, {1, 4, 4}, "botom", rng), Error);
  EXPECT_THROW(hide_cells(x, {1, 4, 4}, "1.5", rng), Error);
}

}  // namespace
}  // namespace deepgen::api_test
