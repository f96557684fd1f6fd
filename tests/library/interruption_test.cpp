// Ctrl-C inside long calls: heard in all that long work is made of, and only where somebody waits for a
// result.
//
// Whoever is asked to stop counts how often: no test measures how long anything took. What would never end
// gives up after a minute, so that a failure ends too.
#include "deepgen/core/interruption.h"

#include <chrono>
#include <thread>

#include "deepgen/core/work.h"
#include "deepgen/evaluate/likelihood.h"
#include "deepgen/ops/convolution.h"
#include "deepgen/ops/layers.h"
#include "deepgen/ops/products.h"
#include "deepgen/ops/unit_layers.h"
#include "deepgen/tasks/tasks.h"
#include "tests/library/machines.h"
#include "tests/library/toy_models.h"

namespace deepgen::interruption_test {
namespace {

using namespace machines;
using std::chrono::milliseconds;

// Wants to stop from the `after`-th question on.
class Impatient : public Observer {
 public:
  explicit Impatient(int after = 1) : after_(after) {}
  bool stop_requested() override { return ++asked >= after_; }
  int asked = 0;

 private:
  int after_;
};

void for_a_while(milliseconds length, const std::function<void()>& work) {
  const auto end = std::chrono::steady_clock::now() + length;
  while (std::chrono::steady_clock::now() < end) work();
}

void endlessly(const std::function<void()>& work) { for_a_while(milliseconds(60000), work); }

void one_product() {
  const Tensor a = at::ones({30, 40}), b = at::ones({40, 50});
  Tensor out = at::empty({30, 50});
  multiply(out, a, b);
}

// What long work is made of, by name.
std::vector<std::pair<std::string, std::function<void()>>> operations() {
  const Tensor x = at::full({20, 12}, 0.5), w = at::full({12, 8}, 0.1), bias = at::zeros({12});
  const Tensor pictures = at::ones({2, 6, 6, 3}), kernel = at::ones({3, 3, 3, 4}),
               wide_kernel = at::ones({3, 3, 4, 3});
  const UnitOutputs outputs{at::empty({20, 12}), at::empty({20, 12})};
  return {{"multiply", one_product},
          {"row_dots", [=] { row_dots(x, x); }},
          {"dense", [=] { dense(x, w, {}, Activation::relu); }},
          {"activate", [=] { activate(x, Activation::tanh); }},
          {"bernoulli_log_prob", [=] { bernoulli_log_prob(x, x); }},
          {"log_sum_exp_rows", [=] { log_sum_exp_rows(x); }},
          {"convolution", [=] { convolution(pictures, kernel, {}, {}); }},
          {"transposed_convolution", [=] { transposed_convolution(pictures, wide_kernel, {}, {}); }},
          {"binary_layer",
           [=] {
             binary_layer(x, bias, 1, {1, 2}, outputs);
           }},
          {"softplus_row_sum", [=] { softplus_row_sum(x, bias); }},
          {"uniform",
           [=] {
             uniform(20, 12, {1, 2});
           }},
          {"normal",
           [=] {
             normal(20, 12, {1, 2});
           }},
          {"normal_layer",
           [=] {
             normal_layer(x, bias, {}, 1, {1, 2}, outputs);
           }},
          {"rectified_layer",
           [=] {
             rectified_layer(x, bias, 1, {1, 2}, outputs);
           }},
          {"softplus_row_sum64", [=] { softplus_row_sum64(x); }},
          {"share_items", [] { share_items(3, [](std::int64_t, int) {}); }}};
}

TEST(Interruption, IsHeardByEveryOperationThatLongWorkIsMadeOf) {
  for (const auto& [name, operation] : operations()) {
    Impatient observer;
    const InterruptionScope scope(observer, "testing");
    expect_says(error_of(ErrorKind::interrupted, [&] { endlessly(operation); }),
                {"[testing]", "stopped by request"});
    EXPECT_EQ(observer.asked, 1) << name << " went on after the answer";
  }
}

TEST(Interruption, IsNotForWorkWithoutAScope) {
  Impatient observer;
  { const InterruptionScope scope(observer, "over"); }
  for_a_while(milliseconds(250), one_product);  // as a step of training is made
  EXPECT_EQ(observer.asked, 0);
}

TEST(Interruption, IsNotForOtherThreads) {
  Impatient observer;
  const InterruptionScope scope(observer, "testing");
  std::thread([] { for_a_while(milliseconds(250), one_product); }).join();  // an error would end the program
  EXPECT_EQ(observer.asked, 0);
}

TEST(Interruption, IsAskedForTenTimesASecond) {
  Impatient observer(1000000);
  const InterruptionScope scope(observer, "testing");
  for_a_while(milliseconds(550), interruption_point);
  EXPECT_GE(observer.asked, 1);
  EXPECT_LE(observer.asked, 6);
}

TEST(Interruption, TheInnermostScopeSpeaks) {
  Impatient outer, inner;
  Observer silent;
  const InterruptionScope outside(outer, "outside");
  {
    const InterruptionScope quiet(silent, "quiet");
    for_a_while(milliseconds(250), one_product);
    const InterruptionScope inside(inner, "inside");
    expect_says(error_of(ErrorKind::interrupted, [] { endlessly(one_product); }), {"[inside]"});
  }
  EXPECT_EQ(outer.asked, 0);
  EXPECT_EQ(inner.asked, 1);
  expect_says(error_of(ErrorKind::interrupted, [] { endlessly(one_product); }), {"[outside]"});
}

// A judge that is trained for an evaluation is stopped in the middle of its gradient too.
TEST(Interruption, KeepsItsKindThroughABackwardPass) {
  Impatient observer;
  const Tensor w = at::ones({12, 8}).requires_grad_(true);
  const Tensor loss = dense(at::ones({20, 12}), w, {}).sum();
  const InterruptionScope scope(observer, "testing");
  std::this_thread::sleep_for(milliseconds(150));
  expect_says(error_of(ErrorKind::interrupted, [&] { loss.backward(); }), {"[testing]"});
}

TEST(Work, SaysHowFarItIsAndHowLongItWillTake) {
  struct Recorder : Observer {
    void progress(const Progress& p, const Metrics&) override { all.push_back(p); }
    std::vector<Progress> all;
  } recorder;
  Work work(recorder, "counting", 10);
  for_a_while(milliseconds(20), [] {});
  work.advance(4);
  work.advance(6);
  ASSERT_EQ(recorder.all.size(), 3U);
  EXPECT_EQ(recorder.all[0].done, 0);
  EXPECT_LT(recorder.all[0].seconds_left, 0) << "nothing is known yet";
  EXPECT_EQ(recorder.all[1].done, 4);
  EXPECT_GE(recorder.all[1].seconds, 0.02);
  EXPECT_NEAR(recorder.all[1].seconds_left, 1.5 * recorder.all[1].seconds, 1e-9);
  EXPECT_EQ(recorder.all[2].done, 10);
  EXPECT_EQ(recorder.all[2].seconds_left, 0);
  for (const Progress& each : recorder.all) {
    EXPECT_EQ(each.what, "counting");
    EXPECT_EQ(each.total, 10);
  }
}

TEST(Work, ListensBetweenItsPieces) {
  Impatient observer(3);
  Work work(observer, "counting", 10);
  work.advance(1);
  expect_says(error_of(ErrorKind::interrupted, [&] { work.advance(1); }), {"[counting]"});
}

TEST(ShareItems, NoItemIsBegunAfterOneHasFailed) {
  const Threads one(1);
  std::int64_t begun = 0;
  const auto fails = [&](std::int64_t, int) {
    ++begun;
    fail_numerical("item", "failed");
  };
  error_of(ErrorKind::numerical, [&] { share_items(100, fails); });
  EXPECT_EQ(begun, 1);
}

// All that it is asked takes for ever, in many products.
class Endless : public toys::ToyModel,
                public CanSample,
                public CanComplete,
                public CanEncode,
                public CanDecode,
                public CanClassify {
 public:
  Tensor sample(std::int64_t, Rng&) const override { return never(); }
  Tensor complete(const Rows&, Rng&) const override { return never(); }
  Tensor encode(const Rows&) const override { return never(); }
  Tensor decode(const Rows&) const override { return never(); }
  std::int64_t classes() const override { return 2; }
  Tensor log_class_probs(const Rows&) const override { return never(); }

 private:
  static Tensor never() {
    endlessly(one_product);
    return at::zeros({1, 1});
  }
};

class EndlessScore : public toys::ToyModel, public HasLogProb {
 public:
  Tensor log_prob(const Rows& rows) const override {
    endlessly(one_product);
    return at::zeros({rows.size()}, at::kDouble);
  }
};

// Annealing from its base, each step of which takes for ever.
class EndlessAnnealing : public toys::ToyModel, public CanAnneal {
 public:
  double log_base_partition() const override { return 0; }
  std::unique_ptr<AnnealedChains> anneal_from_base(std::int64_t, Rng&) const override {
    return std::make_unique<Chains>();
  }
  std::unique_ptr<AnnealedChains> anneal_from(const Tensor&) const override {
    return std::make_unique<Chains>();
  }
  std::unique_ptr<AnnealedChains> anneal_given(const Tensor&, Rng&) const override {
    return std::make_unique<Chains>();
  }
  Tensor log_base_partition_given(const Tensor& x) const override {
    return at::zeros({x.size(0)}, at::kDouble);
  }

 private:
  struct Chains : AnnealedChains {
    void step(double, double, Tensor&, Rng&) override { endlessly(one_product); }
    Tensor states(Rng&) const override { return at::zeros({1, 1}); }
  };
};

class EndlessChain : public toys::ToyModel, public HasChain, public CanClamp {
 public:
  Tensor chain_start(std::int64_t chains, Rng&) const override { return at::zeros({chains, 1}); }
  Tensor chain_steps(const Tensor& x, std::int64_t, Rng&) const override {
    endlessly(one_product);
    return x;
  }
  Tensor chain_mean(const Tensor& x, Rng&) const override { return x; }
  Tensor clamped_steps(const Tensor& x, std::int64_t steps, const Tensor&, Rng& rng) const override {
    return chain_steps(x, steps, rng);
  }
};

TEST(Interruption, IsHeardByEveryTaskWhateverTheModelDoesInside) {
  const Endless endless;
  const EndlessChain chain;
  const EndlessScore score;
  const EndlessAnnealing annealing;
  Rng rng(1);
  Split split;
  split.name = "test", split.x = at::zeros({3, 1});
  Dataset data;
  data.train = data.test = split;
  const Rows gaps = at::full({3, 1}, std::nanf(""));
  const std::vector<std::pair<std::string, std::function<void(Observer&)>>> tasks = {
      {"sampling", [&](Observer& o) { sample_model(endless, {}, rng, o); }},
      {"sampling", [&](Observer& o) { sample_model(chain, {}, rng, o); }},
      {"completing", [&](Observer& o) { complete_rows(endless, gaps, 1, rng, o); }},
      {"completing", [&](Observer& o) { complete_rows(chain, gaps, 1, rng, o); }},
      {"encoding", [&](Observer& o) { encode_rows(endless, split, rng, o); }},
      {"reconstructing", [&](Observer& o) { reconstruct_rows(endless, split, rng, o); }},
      {"classifying", [&](Observer& o) { classify_rows(endless, split, rng, o); }},
      {"scoring", [&](Observer& o) { row_scores(score, data, split, {}, rng, o); }},
      {"scoring", [&](Observer& o) { evaluate_model(score, data, "test", {}, rng, o); }},
      {"annealing", [&](Observer& o) {
         anneal_forward(annealing, {0, 1}, 1, rng, o);
       }}};
  for (const auto& [what, task] : tasks) {
    Impatient observer(2);  // the first question is put before the work
    expect_says(error_of(ErrorKind::interrupted, [&] { task(observer); }), {what, "nothing was written"});
    EXPECT_EQ(observer.asked, 2) << what;
  }
}

}  // namespace
}  // namespace deepgen::interruption_test
