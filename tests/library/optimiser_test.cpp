// The optimiser's pass, norms and schedules by themselves; their formulas over whole runs are in
// trainer_test.
#include "deepgen/train/optimiser.h"

#include "deepgen/train/norm.h"
#include "tests/library/machines.h"
#include "tests/library/toy_models.h"

namespace deepgen::optimiser_test {
namespace {

using namespace machines;

// Parameters of sizes that leave gaps between them.
class Weights : public toys::ToyModel {
 public:
  Weights() {
    a = register_parameter("a", at::full({3}, 2.0), false);
    W = register_parameter("W", at::full({5, 7}, -1.0), false);
    b = register_parameter("b", at::full({70}, 0.5), false);
  }
  Tensor a, W, b;
};

TEST(OptimiserPass, TouchesOnlyTheSlicesInTurn) {
  Weights toy;
  FlatParameters flat(toy);
  TrainingOptions options;
  options.momentum = 0.9;
  Optimiser optimiser(options, flat);
  flat.gradients.fill_(1);
  const Doubles a = doubles(toy.a), W = doubles(toy.W);
  optimiser.update(flat.slices_of({toy.b}), 0.5);
  EXPECT_EQ(doubles(toy.a), a);
  EXPECT_EQ(doubles(toy.W), W);
  EXPECT_EQ(doubles(toy.b), Doubles(70, 0.0));
  for (const Slice& slice : flat.slices()) {
    EXPECT_EQ(slice.offset % 16, 0) << slice.name;
    EXPECT_TRUE(FlatParameters::view(flat.values, slice).is_alias_of(flat.values));
  }
}

// A stage may begin with weights that are views of others: they become equal, and their own again.
TEST(FlatParameters, TakeBackWhatWasPointedElsewhere) {
  Weights toy;
  FlatParameters flat(toy);
  const Doubles a = doubles(toy.a);
  Rng rng(2);
  toy.W.set_data(normal_tensor({7, 5}, 1, rng).t());
  toy.b.set_data(flat.values.narrow(0, 0, 70));  // lies over the other two and a part of itself
  const Doubles W = doubles(toy.W), b = doubles(toy.b);
  flat.reclaim(toy);
  EXPECT_EQ(doubles(toy.a), a);
  EXPECT_EQ(doubles(toy.W), W);
  EXPECT_EQ(doubles(toy.b), b);
  flat.gradients.fill_(1);
  Optimiser(TrainingOptions(), flat).update(flat.slices(), 0.5);
  for (const auto& [parameter, before] : {std::pair(toy.a, a), std::pair(toy.W, W), std::pair(toy.b, b)})
    for (std::size_t i = 0; i < before.size(); ++i) EXPECT_NEAR(doubles(parameter)[i], before[i] - 0.5, 1e-6);
}

TEST(FlatParameters, RefuseAnotherShape) {
  Weights toy;
  FlatParameters flat(toy);
  toy.W.set_data(toy.a.detach().clone());  // another shape
  error_of(ErrorKind::bug, [&] { flat.reclaim(toy); });
}

// The sizes leave a ragged end in every place: of a lane, of a block, of a thread's share.
TEST(Clip, SumOfSquaresIsTheSameOnAnyNumberOfThreads) {
  for (const std::int64_t n : {1, 7, 8, 4095, 4096, 4097, 300001}) {
    Rng rng(3);
    const Tensor x = normal_tensor({n}, 1, rng);
    long double wanted = 0;
    for (const double v : doubles(x)) wanted += static_cast<long double>(v) * v;
    double one = 0, two = 0;
    {
      const Threads threads(1);
      one = sum_of_squares(x.data_ptr<float>(), n);
    }
    {
      const Threads threads(2);
      two = sum_of_squares(x.data_ptr<float>(), n);
    }
    EXPECT_EQ(one, two) << n;
    EXPECT_NEAR(one, static_cast<double>(wanted), 1e-12 * static_cast<double>(wanted)) << n;
  }
  for (const float bad : {std::nanf(""), std::numeric_limits<float>::infinity()}) {
    Tensor x = at::zeros({5000});
    x[4999] = bad;
    EXPECT_FALSE(all_finite(x));
    EXPECT_TRUE(all_finite(x.narrow(0, 0, 4999)));
  }
}

TEST(ScheduledRate, StartsAndEndsWhereItSays) {
  TrainingOptions options;
  options.rate = 0.2, options.rate_final = 0.01;
  for (const char* name : {"linear", "cosine", "exponential"}) {
    options.schedule = name;
    EXPECT_NEAR(scheduled_rate(options, 0, 100), 0.2, 1e-15) << name;
    EXPECT_NEAR(scheduled_rate(options, 99, 100), 0.01, 1e-15) << name;
    for (std::int64_t k = 1; k < 100; ++k)
      EXPECT_LT(scheduled_rate(options, k, 100), scheduled_rate(options, k - 1, 100)) << name;
    EXPECT_NEAR(scheduled_rate(options, 0, 1), 0.2, 1e-15) << name;
  }
  EXPECT_NEAR((options.schedule = "linear", scheduled_rate(options, 50, 101)), 0.105, 1e-12);
  EXPECT_NEAR((options.schedule = "cosine", scheduled_rate(options, 50, 101)), 0.105, 1e-12);
  EXPECT_NEAR((options.schedule = "exponential", scheduled_rate(options, 50, 101)), std::sqrt(0.2 * 0.01),
              1e-12);
  options.schedule = "constant";
  for (const std::int64_t k : {0, 50, 99}) EXPECT_EQ(scheduled_rate(options, k, 100), 0.2);
  for (const char* name : {"constant", "linear", "cosine", "exponential"}) {  // zero is an allowed rate
    options.schedule = name, options.rate = 0, options.rate_final = 0;
    EXPECT_EQ(scheduled_rate(options, 5, 10), 0) << name;
  }
}

}  // namespace
}  // namespace deepgen::optimiser_test
