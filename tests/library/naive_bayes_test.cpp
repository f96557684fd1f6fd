// Naive Bayes against counts and enumeration, on columns of several kinds and with labels that are unknown.
//
// Each statistical check fails by chance once in a million runs of a fresh seed; the seeds are fixed.
#include "deepgen/models/mixtures/naive_bayes.h"

#include <cmath>
#include <limits>

#include "tests/library/machines.h"
#include "tests/library/runs.h"

namespace deepgen::naive_bayes_test {
namespace {

using namespace machines;

constexpr float missing = std::numeric_limits<float>::quiet_NaN();

DataShape table_of(std::vector<ColumnGroup> groups, std::int64_t classes) {
  const std::int64_t columns = groups.back().first + groups.back().size;
  return {columns, {columns}, classes, ValueKind::mixed, std::move(groups)};
}

Tensor labels_of(const std::vector<std::pair<std::int64_t, std::int64_t>>& counts) {  // (rows, label) in turn
  std::vector<Tensor> parts;
  for (const auto& [rows, label] : counts) parts.push_back(at::full({rows}, label, at::kLong));
  return at::cat(parts);
}

double pass(NaiveBayes& model, const Rows& rows) {
  model.gather(rows);
  return runs::metric(model.finish_pass(), "objective");
}

// ---------------------------------------------------------------- all labels known

TEST(NaiveBayesFit, CountsTheLabelledRows) {
  Rng rng(47);
  const Tensor x = bits_tensor(90, 4, rng, 0.4), y = labels_of({{30, 1}, {15, 2}, {45, 0}});
  NaiveBayesLearning learning;
  learning.pseudo_count = 0.5;
  NaiveBayes model({}, learning, bits_shape(4, 3));
  model.initialise({x, y}, rng);
  pass(model, {x, y});
  const Tensor p = model.filters();
  for (std::int64_t k = 0; k < 3; ++k) {
    const Tensor rows = x.index_select(0, (y == k).nonzero().squeeze(1));
    const Tensor wanted = (rows.sum(0) + 0.5) / (real(rows.size(0)) + 1);
    EXPECT_TRUE(at::allclose(p[k], wanted, 1e-5, 1e-6)) << "class " << k;
  }
  const Tensor pi = model.mixing.detach().softmax(0);
  EXPECT_NEAR(pi[1].item<double>(), 30.5 / 91.5, 1e-6);
  pass(model, {x, y});
  EXPECT_FALSE(model.converged());  // the first pass gained
  pass(model, {x, y});
  EXPECT_TRUE(model.converged()) << "the counts are the maximum";
}

// p(y | x) by counting, for every case of three bits and for cases with missing cells.
TEST(NaiveBayesClasses, AreThoseOfTheCounts) {
  Rng rng(47);
  const Tensor x = bits_tensor(90, 3, rng, 0.4), y = labels_of({{30, 1}, {60, 0}});
  NaiveBayesLearning learning;
  learning.pseudo_count = 0.5;
  NaiveBayes model({}, learning, bits_shape(3, 2));
  model.initialise({x, y}, rng);
  pass(model, {x, y});
  Tensor cases = at::cat({all_states(3), all_states(3), at::full({1, 3}, missing)});
  cases.narrow(0, 8, 8).select(1, 1).fill_(missing);
  const Tensor ours = model.log_class_probs(cases).exp();
  for (std::int64_t r = 0; r < cases.size(0); ++r) {
    Doubles joint;
    for (std::int64_t k = 0; k < 2; ++k) {
      const Tensor own = x.index_select(0, (y == k).nonzero().squeeze(1));
      const double count = real(own.size(0));
      double product = (count + 0.5) / 91;
      for (std::int64_t i = 0; i < 3; ++i) {
        const double cell = cases[r][i].item<double>();
        const double on = (own.select(1, i).sum().item<double>() + 0.5) / (count + 1);
        product *= std::isnan(cell) ? 1 : cell > 0.5 ? on : 1 - on;
      }
      joint.push_back(product);
    }
    EXPECT_NEAR(ours[r][1].item<double>(), joint[1] / (joint[0] + joint[1]), 1e-5) << "case " << r;
  }
}

// ---------------------------------------------------------------- columns of several kinds

TEST(NaiveBayesMixed, ColumnsAreIndependentWithinAClass) {
  NaiveBayes model(
      {}, {},
      table_of({{ColumnKind::gaussian, 0, 1}, {ColumnKind::binary, 1, 2}, {ColumnKind::mean_field, 3, 1}},
               2));
  Rng rng(53);
  Tensor x = normal_tensor({60, 4}, 1, rng);
  x.narrow(1, 1, 2).copy_(bits_tensor(60, 2, rng));
  const Tensor y = labels_of({{25, 1}, {35, 0}});
  model.initialise({x, y}, rng);
  pass(model, {x, y});
  Tensor parts = at::zeros({60, 2}, at::kDouble);
  const Tensor prior = model.log_joint(at::full({1, 4}, missing));
  for (std::int64_t j = 0; j < 4; ++j) {
    Tensor one = at::full({60, 4}, missing);
    one.select(1, j).copy_(x.select(1, j));
    parts += model.log_joint(one) - prior;
  }
  EXPECT_TRUE(at::allclose(model.log_joint(x), parts + prior, 1e-6, 1e-5));
  const Tensor drawn = model.sample(50, rng), bits = drawn.narrow(1, 1, 2);
  EXPECT_TRUE(at::logical_or(bits == 0, bits == 1).all().item<bool>());
}

// p(y | x) of a category by counting; a row without it has p(y).
TEST(NaiveBayesMixed, CategoriesAreCounted) {
  Tensor x = at::zeros({10, 3});
  const std::vector<std::int64_t> categories = {0, 0, 0, 1, 2, 2, 2, 2, 1, 0};
  for (std::int64_t i = 0; i < 9; ++i) x[i][categories[size(i)]] = 1;
  x[9].fill_(missing);
  const Tensor y = labels_of({{4, 0}, {6, 1}});
  NaiveBayesLearning learning;
  learning.pseudo_count = 0.5;
  NaiveBayes model({}, learning, table_of({{ColumnKind::softmax, 0, 3}}, 2));
  Rng rng(57);
  model.initialise({x, y}, rng);
  pass(model, {x, y});
  const Tensor ours = model.log_class_probs(at::cat({at::eye(3), x.narrow(0, 9, 1)})).exp();
  // Of class 0: 3, 1, 0 of 4 rows; of class 1: 0, 1, 4 of the 5 that are known.
  const Doubles first = {3.5 / 5.5, 1.5 / 5.5, 0.5 / 5.5}, second = {0.5 / 6.5, 1.5 / 6.5, 4.5 / 6.5};
  for (std::int64_t c = 0; c < 3; ++c) {
    const double one = 4.5 * first[size(c)], other = 6.5 * second[size(c)];
    EXPECT_NEAR(ours[c][0].item<double>(), one / (one + other), 1e-5) << "category " << c;
  }
  EXPECT_NEAR(ours[3][0].item<double>(), 4.5 / 11, 1e-6);
}

// A bit and a real number: the sum over the bit of the integral over the number.
class NaiveBayesPlane : public ::testing::Test {
 protected:
  static constexpr std::int64_t points = 2401;
  static constexpr double cell = 24.0 / 2400;
  void SetUp() override {
    Rng rng(59);
    randomise(model, 0.3, rng);
    line = at::linspace(-12, 12, points);
    for (const double bit : {0.0, 1.0})
      densities.push_back(model.log_prob(at::stack({at::full({points}, bit), line}, 1).contiguous()).exp());
  }
  NaiveBayes model{{}, {}, table_of({{ColumnKind::binary, 0, 1}, {ColumnKind::gaussian, 1, 1}}, 3)};
  Tensor line;
  std::vector<Tensor> densities;  // of the points of the line with either bit
};

TEST_F(NaiveBayesPlane, DensitiesIntegrateToOne) {
  EXPECT_NEAR((densities[0] + densities[1]).sum().item<double>() * cell, 1, 1e-5);
}

TEST_F(NaiveBayesPlane, MissingCellsAreIntegratedOut) {
  for (const std::int64_t bit : {0, 1}) {
    const Tensor part = at::tensor({static_cast<float>(bit), missing}).unsqueeze(0);
    const double integral = densities[size(bit)].sum().item<double>() * cell;
    EXPECT_NEAR(model.log_prob(part).item<double>(), std::log(integral), 1e-5) << "bit " << bit;
  }
}

TEST_F(NaiveBayesPlane, SamplesHaveItsMoments) {
  const Tensor wide = line.to(at::kDouble), off = densities[0] * cell, on = densities[1] * cell;
  const auto mean = [](const Tensor& values, const Tensor& p) { return (values * p).sum().item<double>(); };
  const Doubles wanted = {on.sum().item<double>(), mean(wide, off + on), mean(wide.square(), off + on),
                          mean(wide, on)};
  Rng rng(61);
  const Tensor x = model.sample(40000, rng);
  Moments moments;
  for (std::int64_t i = 0; i < x.size(0); ++i) {
    const double bit = x[i][0].item<double>(), number = x[i][1].item<double>();
    moments.add({bit, number, number * number, bit * number});
  }
  EXPECT_LT(moments.largest_z(wanted, 1e-5), 5.1);  // four moments
}

// ---------------------------------------------------------------- labels that are unknown

// Rows of two classes, the first half of class 0 and the other one of class 1; the labels of the first and
// the last twenty are known.
Rows partly_labelled(Rng& rng) {
  Tensor x = bits_tensor(120, 5, rng, 0.25);
  x.narrow(0, 60, 60).copy_(bits_tensor(60, 5, rng, 0.75));
  return {x, labels_of({{20, 0}, {80, -1}, {20, 1}})};
}

TEST(NaiveBayesPartlyLabelled, ObjectiveIsTheMeanOverWhatIsKnownAndNeverFalls) {
  Rng rng(67);
  const Rows rows = partly_labelled(rng);
  NaiveBayesLearning learning;
  learning.pseudo_count = 0;
  NaiveBayes model({}, learning, bits_shape(5, 2));
  model.initialise(rows, rng);
  double before = -std::numeric_limits<double>::infinity();
  for (int i = 0; i < 30; ++i) {
    const Tensor joint = model.log_joint(rows.x), marginal = model.log_prob(rows);
    double wanted = 0;
    for (std::int64_t r = 0; r < 120; ++r) {
      const std::int64_t label = rows.y[r].item<std::int64_t>();
      wanted += label < 0 ? marginal[r].item<double>() : joint[r][label].item<double>();
    }
    const double now = pass(model, rows);
    EXPECT_NEAR(now, wanted / 120, 1e-9) << "pass " << i;
    ASSERT_GE(now, before - 1e-6) << "pass " << i;
    before = now;
  }
}

// A pass counts a row without a label for each class by p(y | x).
TEST(NaiveBayesPartlyLabelled, RowsWithoutALabelAreSharedOutByTheirClassProbabilities) {
  Rng rng(71);
  const Rows rows = partly_labelled(rng);
  NaiveBayesLearning learning;
  learning.pseudo_count = 0.5;
  NaiveBayes model({}, learning, bits_shape(5, 2));
  model.initialise(rows, rng);
  Tensor shares = model.log_class_probs(rows).exp();
  for (std::int64_t r = 0; r < 120; ++r)
    if (const std::int64_t label = rows.y[r].item<std::int64_t>(); label >= 0)
      shares[r].zero_(), shares[r][label] = 1;
  const Tensor ones = shares.t().mm(rows.x.to(at::kDouble)), seen = shares.sum(0).unsqueeze(1);
  pass(model, rows);
  expect_near(doubles(model.filters()), doubles((ones + 0.5) / (seen + 1)), 1e-5, "p(x_i | y)");
}

// It begins at the maximum of the labelled rows, so that classes are apart before the others are counted.
TEST(NaiveBayesPartlyLabelled, BeginsAtTheLabelledRows) {
  Rng rng(73), same(73);
  const Rows rows = partly_labelled(rng);
  const Rows labelled = partly_labelled(same).select((rows.y >= 0).nonzero().squeeze(1));
  NaiveBayes some({}, {}, bits_shape(5, 2)), only({}, {}, bits_shape(5, 2));
  some.initialise(rows, rng);
  only.initialise(labelled, same);
  pass(only, labelled);
  expect_bit_equal(some.mixing, only.mixing, "p(y)");
  expect_bit_equal(some.filters(), only.filters(), "p(x_i | y)");
  EXPECT_FALSE(some.converged()) << "passes over a sample count for nothing";
}

// Rows without labels are worth having: many of them, few with one.
TEST(NaiveBayesPartlyLabelled, FindsTheClassesWithTheHelpOfAllRows) {
  Rng rng(79);
  Tensor x = bits_tensor(2000, 8, rng, 0.2), truth = at::zeros({2000}, at::kLong);
  x.narrow(0, 1000, 1000).copy_(bits_tensor(1000, 8, rng, 0.8));
  truth.narrow(0, 1000, 1000).fill_(1);
  const Tensor y = labels_of({{3, 0}, {1994, -1}, {3, 1}});
  NaiveBayes model({}, {}, bits_shape(8, 2));
  model.initialise({x, y}, rng);
  const auto error = [&] {
    return (model.log_class_probs(x).argmax(1) != truth).to(at::kFloat).mean().item<double>();
  };
  for (int i = 0; i < 50; ++i) pass(model, {x, y});
  EXPECT_LT(error(), 0.06);  // the best classifier errs on 3.3 %
}

TEST(NaiveBayesPartlyLabelled, TrainsInAnySittings) {
  Rng rng(83);
  const Rows rows = partly_labelled(rng);
  Dataset data;
  data.spec = data.name = "memory";
  data.shape = {5}, data.classes = 2, data.binarize = "none";
  data.train.name = "train", data.train.x = rows.x, data.train.y = rows.y;
  data.valid.name = "valid", data.test.name = "test";
  const runs::Assignments settings = {"training.epochs=6", "training.batch=50", "training.tolerance=0"};
  const Checkpoint whole = runs::straight(settings, data, 7, "naive_bayes");
  runs::expect_equal_runs(whole, runs::in_sittings(settings, data, {1, 4}, 7, "naive_bayes"), "in sittings");
}

// The rows that a model begins with are a sample: the few with labels must be among them.
TEST(NaiveBayesPartlyLabelled, BeginsWithTheFewLabelsOfManyRows) {
  Rng rng(89);
  Dataset data;
  data.spec = data.name = "memory";
  data.shape = {4}, data.classes = 2, data.binarize = "none";
  data.train.name = "train", data.valid.name = "valid", data.test.name = "test";
  data.train.x = bits_tensor(40000, 4, rng);
  data.train.y = at::full({40000}, -1, at::kLong);
  data.train.y[17] = 0, data.train.y[39999] = 1;
  EXPECT_NO_THROW(runs::straight({"training.epochs=1", "training.batch=10000"}, data, 7, "naive_bayes"));
}

// ---------------------------------------------------------------- refusals

TEST(NaiveBayesData, NeedsLabels) {
  Rng rng(59);
  const Tensor x = bits_tensor(10, 3, rng);
  NaiveBayes model({}, {}, bits_shape(3, 2));
  expect_says(error_of(ErrorKind::data, [&] { model.initialise({x, {}}, rng); }), {"naive_bayes", "label"});
  expect_says(error_of(ErrorKind::data,
                       [&] {
                         model.initialise({x, labels_of({{10, -1}})}, rng);
                       }),
              {"naive_bayes", "label", "none among 10"});
  const Tensor y = at::full({10}, 2, at::kLong);
  expect_says(error_of(ErrorKind::data, [&] { model.initialise({x, y}, rng); }), {"from 0 to 1", "got 2"});
  expect_says(error_of(ErrorKind::data, [&] { model.gather({x, y}); }), {"from 0 to 1", "got 2"});
  expect_says(error_of(ErrorKind::data, [&] { NaiveBayes({}, {}, bits_shape(3, 0)); }), {"labels"});
}

}  // namespace
}  // namespace deepgen::naive_bayes_test
