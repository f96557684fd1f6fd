// Tasks by the route that capabilities allow, on models made for the purpose: which route, in what pieces,
// with which labels, and what is refused before the work begins.
#include "deepgen/tasks/tasks.h"

#include "deepgen/parts/checks/check_cells.h"
#include "tests/library/machines.h"
#include "tests/library/toy_models.h"

namespace deepgen::tasks_test {
namespace {

using namespace machines;

constexpr std::int64_t columns = 2, classes = 3;

// A model of rows in [0, 1] that can do nothing yet.
class Toy : public toys::ToyModel {
 public:
  void check_data(const Tensor& x, const std::string& what, std::int64_t first_row) const override {
    check_cells(x, columns, true, "toy", what, first_row);
  }
};

// One that is conditional on the label.
class Labelled : public Toy, public IsConditional {
 public:
  explicit Labelled(bool has_distribution = false) : has_distribution_(has_distribution) {}
  std::int64_t condition_classes() const override { return classes; }
  std::string condition() const override { return "the label"; }
  Tensor condition_mask() const override { return {}; }
  bool has_label_distribution() const override { return has_distribution_; }

 private:
  bool has_distribution_;
};

class Recorder : public Observer {
 public:
  void progress(const Progress& p, const Metrics&) override { all.push_back(p); }
  std::vector<Progress> all;
};

Tensor gaps(std::int64_t rows) { return at::full({rows, columns}, std::nanf("")); }

// ---------------------------------------------------------------- sampling

class Direct : public Toy, public CanSample {
 public:
  Tensor sample(std::int64_t count, Rng&) const override {
    blocks.push_back(count);
    return at::full({count, columns}, static_cast<double>(blocks.size()));
  }
  mutable std::vector<std::int64_t> blocks;
};

TEST(Sampling, IsInBlocksThatShowHowFarTheyAre) {
  const Direct model;
  Recorder recorder;
  Rng rng(1);
  const Tensor x = sample_model(model, {.count = 4500, .rows = 1}, rng, recorder);
  EXPECT_EQ(x.sizes(), at::IntArrayRef({4500, columns}));
  EXPECT_EQ(model.blocks, (std::vector<std::int64_t>{2000, 2000, 500}));
  EXPECT_EQ(x[1999][0].item<float>(), 1);
  EXPECT_EQ(x[4499][0].item<float>(), 3);
  ASSERT_EQ(recorder.all.size(), 4U);
  for (const Progress& each : recorder.all) {
    EXPECT_EQ(each.what, "sampling");
    EXPECT_EQ(each.total, 4500);
  }
  EXPECT_EQ(recorder.all[1].done, 2000);
  EXPECT_GT(recorder.all[1].seconds, 0);
  EXPECT_GT(recorder.all[1].seconds_left, 0) << "an estimate after the first block";
  EXPECT_EQ(recorder.all[3].done, 4500);
  EXPECT_EQ(recorder.all[3].seconds_left, 0);
}

class Given : public Labelled, public CanSampleGiven {
 public:
  Tensor sample_given(const Tensor& y, Rng&) const override {
    return y.to(at::kFloat).unsqueeze(1).expand({y.size(0), columns}).contiguous();
  }
};

TEST(Sampling, GivenLabelsTakesTheClassesInTurnOrOne) {
  const Given model;
  Observer silent;
  Rng rng(1);
  EXPECT_TRUE(samples_directly(model));
  EXPECT_EQ(sampled_classes(model), classes);
  const auto drawn = [&](const SamplingPlan& plan) {
    return doubles(sample_model(model, plan, rng, silent).select(1, 0));
  };
  EXPECT_EQ(drawn({.count = 7}), (Doubles{0, 1, 2, 0, 1, 2, 0}));
  EXPECT_EQ(drawn({.count = 3, .label = 2}), (Doubles{2, 2, 2}));
  expect_says(error_of(ErrorKind::data, [&] { drawn({.count = 3, .label = classes}); }), {"0 to 2", "3"});
  const Tensor y = at::arange(5000, at::kLong).square().remainder(classes);
  EXPECT_TRUE(at::equal(sample_given_labels(model, y, rng, silent).select(1, 0), y.to(at::kFloat)))
      << "labels reach their rows in every block";
}

// Counts its transitions.
class Chain : public Toy, public HasChain, public CanClamp {
 public:
  Tensor chain_start(std::int64_t chains, Rng&) const override { return at::zeros({chains, columns}); }
  Tensor chain_steps(const Tensor& x, std::int64_t steps, Rng&) const override { return x + steps; }
  Tensor chain_mean(const Tensor& x, Rng&) const override { return x + 0.5; }
  Tensor clamped_steps(const Tensor& x, std::int64_t steps, const Tensor& known, Rng&) const override {
    return at::where(known, x, x + steps);
  }
};

TEST(Sampling, ByChainsTakesLaterSamplesOfTheSameChains) {
  const Chain model;
  Recorder recorder;
  Rng rng(1);
  SamplingPlan plan{.count = 2, .steps = 120, .rows = 3, .between = 70};
  EXPECT_EQ(doubles(sample_model(model, plan, rng, recorder).select(1, 0)),
            (Doubles{120, 120, 190, 190, 260, 260}));
  EXPECT_EQ(recorder.all.back().total, 260);
  EXPECT_EQ(recorder.all.back().done, 260);
  for (std::size_t i = 1; i < recorder.all.size(); ++i)
    EXPECT_LE(recorder.all[i].done - recorder.all[i - 1].done, 50) << "Ctrl-C is looked for more often";
  plan.means = true;
  EXPECT_EQ(sample_model(model, plan, rng, recorder)[5][1].item<float>(), 260.5F);
}

TEST(Sampling, SaysWhyItRefuses) {
  const Toy nothing;
  const Labelled conditional;
  Observer silent;
  Rng rng(1);
  EXPECT_FALSE(can_sample(nothing));
  expect_says(error_of(ErrorKind::usage, [&] { sample_model(nothing, {}, rng, silent); }), {"neither"});
  expect_says(error_of(ErrorKind::usage, [&] { sample_model(conditional, {}, rng, silent); }),
              {"given the label", "complete"});
}

// ---------------------------------------------------------------- completion

// Missing cells become the label of their row, or 0.25.
class Completing : public Labelled, public CanComplete {
 public:
  using Labelled::Labelled;
  Tensor complete(const Rows& rows, Rng&) const override {
    const Tensor fill = rows.y.defined() ? rows.y.to(at::kFloat) : at::full({rows.size()}, 0.25);
    return at::where(rows.x.isnan(), fill.unsqueeze(1), rows.x);
  }
};

TEST(Completion, TakesTheLabelsOfTheRows) {
  const Completing model;
  Observer silent;
  Rng rng(1);
  const Tensor y = at::arange(4500, at::kLong).square().remainder(classes);
  Tensor x = gaps(4500);
  x.select(1, 0).fill_(0.5);
  const Tensor done = complete_rows(model, {x, y}, 1, rng, silent);
  EXPECT_TRUE(at::equal(done.select(1, 1), y.to(at::kFloat)));
  EXPECT_TRUE((done.select(1, 0) == 0.5).all().item<bool>());
  Tensor partly = y.clone();
  partly[4200] = -1;
  expect_says(error_of(ErrorKind::data,
                       [&] {
                         complete_rows(model, {x, partly}, 1, rng, silent);
                       }),
              {"-1 at row 4200"});
  expect_says(error_of(ErrorKind::data, [&] { complete_rows(model, x, 1, rng, silent); }), {"a label"});
}

TEST(Completion, NeedsNoLabelWhereTheModelHasTheirDistribution) {
  const Completing model(true);
  Observer silent;
  Rng rng(1);
  EXPECT_EQ(complete_rows(model, gaps(3), 1, rng, silent)[2][1].item<float>(), 0.25F);
}

class Clamped : public Toy, public CanClamp {  // a chain to clamp, and none that is stationary
 public:
  Tensor clamped_steps(const Tensor& x, std::int64_t steps, const Tensor& known, Rng&) const override {
    return at::where(known, x, x + steps);
  }
};

TEST(Completion, ByAChainHoldsTheKnownCells) {
  const Chain chain;
  const Clamped clamped;
  Observer silent;
  Rng rng(1);
  Tensor x = gaps(3);
  x[1][0] = 1, x[2][1] = 0.5;
  for (const Model* model : {static_cast<const Model*>(&chain), static_cast<const Model*>(&clamped)}) {
    EXPECT_TRUE(can_complete(*model));
    EXPECT_EQ(doubles(complete_rows(*model, x, 120, rng, silent)), (Doubles{120, 120, 1, 120, 120, 0.5}));
  }
  EXPECT_FALSE(can_sample(clamped));
}

TEST(Completion, ChecksTheKnownCellsOnceAndBeforeAll) {
  const Completing model(true);
  Recorder recorder;
  Rng rng(1);
  Tensor x = gaps(12000);
  x[11000][1] = 7;
  expect_says(error_of(ErrorKind::data, [&] { complete_rows(model, x, 1, rng, recorder); }),
              {"7 at row 11000, column 1"});
  EXPECT_TRUE(recorder.all.empty()) << "the work had begun";
  const Toy nothing;
  expect_says(error_of(ErrorKind::usage, [&] { complete_rows(nothing, x, 1, rng, recorder); }),
              {"cannot complete"});
}

// ---------------------------------------------------------------- codes

// The code of a case is the case with its label as one more number; decoding takes the label from the rows.
class Coding : public Labelled, public CanEncode, public CanDecode {
 public:
  using Labelled::Labelled;
  Tensor encode(const Rows& rows) const override {
    const Tensor y = rows.y.defined() ? rows.y : at::full({rows.size()}, -1, at::kLong);
    return at::cat({rows.x, y.to(at::kFloat).unsqueeze(1)}, 1);
  }
  Tensor decode(const Rows& codes) const override {
    EXPECT_TRUE(!codes.y.defined() || at::equal(codes.y.to(at::kFloat), codes.x.select(1, columns)));
    return codes.x.narrow(1, 0, columns) * 0.5;
  }
};

Split many_rows() {
  Split split;
  split.name = "test";
  Rng rng(5);
  split.x = bits_tensor(4500, columns, rng);
  split.y = at::arange(4500, at::kLong).square().remainder(classes);
  return split;
}

TEST(Codes, TakeTheLabelsOfTheRowsInEveryBlock) {
  const Coding model;
  const Split split = many_rows();
  Recorder recorder;
  EXPECT_TRUE(
      at::equal(encode_rows(model, split, Rng(1), recorder).select(1, columns), split.y.to(at::kFloat)));
  EXPECT_TRUE(at::equal(reconstruct_rows(model, split, Rng(1), recorder), split.x * 0.5));
  EXPECT_EQ(recorder.all.front().what, "encoding");
  EXPECT_EQ(recorder.all.back().what, "reconstructing");
  EXPECT_EQ(recorder.all.back().done, 4500);
  EXPECT_EQ(recorder.all.back().seconds_left, 0);
}

TEST(Codes, NeedALabelOnlyWhereTheModelCannotDoWithoutIt) {
  Split split = many_rows();
  split.y = Tensor();
  Observer silent;
  EXPECT_TRUE((encode_rows(Coding(true), split, Rng(1), silent).select(1, columns) == -1).all().item<bool>());
  for (const bool decoded : {false, true})
    expect_says(error_of(ErrorKind::data,
                         [&] {
                           decoded ? reconstruct_rows(Coding(), split, Rng(1), silent)
                                   : encode_rows(Coding(), split, Rng(1), silent);
                         }),
                {"test", "a label"});
}

// Rows are counted from the beginning of the part, not of a block, and all are looked at before the first.
TEST(Codes, NameTheRowThatTheModelCannotTake) {
  Split split = many_rows();
  split.x[4100][1] = 7;
  Recorder recorder;
  for (const bool decoded : {false, true})
    expect_says(error_of(ErrorKind::data,
                         [&] {
                           decoded ? reconstruct_rows(Coding(true), split, Rng(1), recorder)
                                   : encode_rows(Coding(true), split, Rng(1), recorder);
                         }),
                {"7 at row 4100, column 1"});
  EXPECT_TRUE(recorder.all.empty()) << "the work had begun";
}

TEST(Codes, SayWhyTheyRefuse) {
  const Toy nothing;
  Observer silent;
  const Split split = many_rows();
  EXPECT_FALSE(can_reconstruct(nothing));
  expect_says(error_of(ErrorKind::usage, [&] { encode_rows(nothing, split, Rng(1), silent); }), {"no code"});
  expect_says(error_of(ErrorKind::usage, [&] { reconstruct_rows(nothing, split, Rng(1), silent); }),
              {"encode and decode"});
  Split broken = split;
  broken.x = split.x.clone();
  broken.x[7][1] = std::nanf("");
  expect_says(error_of(ErrorKind::data, [&] { refuse_gaps(broken, "file.npy"); }),
              {"file.npy", "row 7, column 1"});
}

}  // namespace
}  // namespace deepgen::tasks_test
