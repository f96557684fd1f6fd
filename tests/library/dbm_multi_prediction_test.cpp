// Multi-prediction training of the deep Boltzmann machine: the gradient back through the mean field against
// finite differences and automatic differentiation of the same steps in double precision, and what it learns.
#include "tests/library/runs.h"
#include "tests/library/small_dbms.h"

namespace deepgen::dbm_multi_prediction_test {
namespace {

using namespace small_dbms;

DbmLearning predicting() {
  DbmLearning learning = learning_by("multi_prediction");
  learning.offset_rate = 0;
  return learning;
}

std::shared_ptr<Dbm> machine(const std::string& hidden, double scale, std::int64_t steps,
                             DbmLearning learning = predicting()) {
  DbmOptions options;
  options.hidden = hidden, options.mean_field_steps = steps;
  const auto dbm = std::make_shared<Dbm>(options, learning, bits_shape(columns));
  Rng rng(3);
  dbm->initialise(bits_tensor(64, columns, rng, 0.35), rng);
  randomise(*dbm, scale, rng);
  for (Tensor& mean : dbm->means) mean.copy_(at::sigmoid(normal_tensor(mean.sizes(), 1, rng)));
  return dbm;
}

// The same in double precision: weights, then biases.
struct Twin {
  std::vector<Tensor> parameters, means;
  std::size_t couplings;

  explicit Twin(const Dbm& dbm) : couplings(dbm.weights.size()) {
    for (const std::vector<Tensor>* some : {&dbm.weights, &dbm.biases})
      for (const Tensor& each : *some) parameters.push_back(each.detach().to(at::kDouble).clone());
    for (const Tensor& each : dbm.means) means.push_back(each.to(at::kDouble));
  }
  const Tensor& weights(std::size_t l) const { return parameters[l]; }
  Tensor activation(std::size_t l, const std::vector<Tensor>& s) const {
    Tensor a = parameters[couplings + l].expand_as(s[l]);
    if (l > 0) a = a + s[l - 1].mm(weights(l - 1));
    if (l < couplings) a = a + s[l + 1].mm(weights(l).t());
    return a;
  }
  // The mean log-probability of the masked units after all steps, odd layers first, every layer moved in
  // each.
  Tensor log_prob(const Tensor& cells, const Tensor& masked, std::int64_t steps) const {
    const Tensor x = cells.to(at::kDouble);
    std::vector<Tensor> s;
    for (const Tensor& each : means) s.push_back(each.expand({x.size(0), each.size(0)}));
    s[0] = at::where(masked, s[0], x);
    Tensor last;
    for (std::int64_t k = 0; k < steps; ++k)
      for (const std::size_t first : {std::size_t{1}, std::size_t{0}})
        for (std::size_t l = first; l <= couplings; l += 2) {
          const Tensor a = activation(l, s);
          if (l == 0) last = a;
          s[l] = l == 0 ? at::where(masked, a.sigmoid(), x) : a.sigmoid();
        }
    const Tensor each = x * last - at::softplus(last, 1, 40);
    return at::where(masked, each, at::zeros_like(each)).sum(1).mean();
  }
};

std::vector<Tensor> gradients_of(const Dbm& dbm) {
  std::vector<Tensor> all;
  for (const std::vector<Tensor>* some : {&dbm.weights, &dbm.biases})
    for (const Tensor& each : *some) all.push_back(each.grad().to(at::kDouble).clone());
  return all;
}

struct Masked {
  Tensor x, masked;
};

Masked some_rows(std::int64_t rows, double share) {
  Rng rng(5);
  const Tensor x = bits_tensor(rows, columns, rng, 0.4);
  return {x, bits_tensor(rows, columns, rng, share) > 0.5};
}

TEST(DbmMultiPrediction, GradientEqualsFiniteDifferences) {
  for (const std::string& hidden : shapes)
    for (const std::int64_t steps : {1, 2, 5}) {
      SCOPED_TRACE(hidden + " after " + std::to_string(steps) + " steps");
      const auto dbm = machine(hidden, 0.8, steps);
      const auto [x, masked] = some_rows(9, 0.5);
      const double value = dbm->prediction_gradient(x, masked);
      Twin twin(*dbm);
      EXPECT_NEAR(value, twin.log_prob(x, masked, steps).item<double>(), 1e-5);
      const std::vector<Tensor> ours = gradients_of(*dbm);
      constexpr double step = 1e-5;
      for (std::size_t i = 0; i < ours.size(); ++i) {
        double* numbers = twin.parameters[i].data_ptr<double>();
        const Tensor dense = ours[i].contiguous();
        for (std::int64_t j = 0; j < dense.numel(); ++j) {
          const double before = numbers[j];
          numbers[j] = before + step;
          const double above = twin.log_prob(x, masked, steps).item<double>();
          numbers[j] = before - step;
          const double below = twin.log_prob(x, masked, steps).item<double>();
          numbers[j] = before;
          ASSERT_NEAR(dense.data_ptr<double>()[j], (below - above) / (2 * step), 1e-5)
              << "parameter " << i << " [" << j << "]";
        }
      }
    }
}

TEST(DbmMultiPrediction, GradientEqualsAutomaticDifferentiationOfManySteps) {
  for (const std::string& hidden : shapes)
    for (const double scale : {0.3, 1.0}) {
      const auto dbm = machine(hidden, scale, 12);
      const auto [x, masked] = some_rows(30, 0.6);
      dbm->prediction_gradient(x, masked);
      const std::vector<Tensor> ours = gradients_of(*dbm);
      Twin twin(*dbm);
      for (Tensor& each : twin.parameters) each.requires_grad_(true);
      (-twin.log_prob(x, masked, 12)).backward();
      for (std::size_t i = 0; i < ours.size(); ++i)
        expect_near(doubles(ours[i]), doubles(twin.parameters[i].grad()), 2e-5, hidden);
      // It is written, and not added to what is there.
      dbm->prediction_gradient(x, masked);
      const std::vector<Tensor> again = gradients_of(*dbm);
      for (std::size_t i = 0; i < ours.size(); ++i) expect_bit_equal(ours[i], again[i], "again");
    }
}

// What is masked must not be seen: another value there has the rest of the probability.
TEST(DbmMultiPrediction, MaskedUnitsAreNotRead) {
  const auto dbm = machine("4,3", 0.8, 6);
  const auto [x, masked] = some_rows(40, 0.5);
  const Tensor row = x.narrow(0, 0, 1);
  for (std::int64_t i = 0; i < columns; ++i) {
    const Tensor single = (at::arange(columns) == i).unsqueeze(0);  // one unit masked: p and 1 - p
    const Tensor flipped = at::where(single, 1 - row, row);
    const double p = std::exp(dbm->prediction_gradient(row, single)),
                 q = std::exp(dbm->prediction_gradient(flipped, single));
    EXPECT_NEAR(p + q, 1, 1e-5);
  }
  // Nothing masked: nothing to tell, and no gradient.
  EXPECT_EQ(dbm->prediction_gradient(x, at::zeros_like(masked)), 0);
  for (const Tensor& each : gradients_of(*dbm)) EXPECT_EQ(each.abs().max().item<double>(), 0);
}

TEST(DbmMultiPrediction, OffsetsFollowTheMeansUnderTheData) {
  DbmLearning learning = predicting();
  learning.offset_rate = 0.25;
  const auto dbm = machine("4,3", 0.5, 5, learning);
  const auto [x, masked] = some_rows(40, 0.5);
  const Tensor before = dbm->means[0].clone(), hidden = dbm->means[2].clone();
  dbm->prediction_gradient(x, masked);
  expect_near(doubles(dbm->means[0]), doubles(before * 0.75 + x.mean(0) * 0.25), 1e-6, "the data's");
  EXPECT_GT((dbm->means[2] - hidden).abs().max().item<float>(), 1e-3);
}

TEST(DbmMultiPrediction, HidesTheShareOfUnitsThatIsAskedFor) {
  DbmLearning all = predicting(), few = predicting();
  all.masked = 1, few.masked = 0.2;
  const Tensor x = some_rows(2000, 0.5).x;
  const auto value = [&](const DbmLearning& learning) {
    const auto dbm = machine("4,3", 0, 3, learning);  // all units evenly on: log 2 a masked unit
    Rng rng(7);
    return runs::metric(dbm->gradients(x, {}, rng), "masked_log_prob_proxy");
  };
  EXPECT_NEAR(value(all), -columns * std::log(2.0), 1e-5);
  const double deviation = std::log(2.0) * std::sqrt(0.2 * 0.8 * columns / 2000);
  EXPECT_NEAR(value(few), -0.2 * columns * std::log(2.0), 5 * deviation);
}

TEST(DbmMultiPrediction, GradientsDoNotDependOnTheNumberOfThreads) {
  DbmOptions options;
  options.hidden = "300,200,250", options.mean_field_steps = 4;
  const auto gradients = [&](int count) {
    const Threads threads(count);
    Dbm dbm(options, learning_by("multi_prediction"), bits_shape(400));
    Rng rng(79);
    const Tensor x = bits_tensor(100, 400, rng, 0.2);
    dbm.initialise(x, rng);
    randomise(dbm, 0.1, rng);
    dbm.gradients(x, {}, rng);
    std::vector<Tensor> all = dbm.means;
    for (const Tensor& each : dbm.parameters()) all.push_back(each.grad());
    return all;
  };
  const std::vector<Tensor> one = gradients(1), four = gradients(4);
  for (std::size_t i = 0; i < one.size(); ++i) expect_bit_equal(one[i], four[i], std::to_string(i));
}

// Adam scales each element by itself: with this rule nothing is centred, so it may.
TEST(DbmMultiPrediction, TakesAdamUnlessItIsPretrainedCentred) {
  machine("4,3", 0, 3)->check_optimiser("adam", 0);
  DbmLearning pretrained = predicting();
  pretrained.pretrain = true;
  const auto refused = [](const DbmLearning& learning) {
    error_of(ErrorKind::usage, [&] { machine("4,3", 0, 3, learning)->check_optimiser("adam", 0); });
  };
  refused(pretrained);
  refused(learning_by("pt"));
}

// Rows that are nearly all zeros or all ones: a hidden cell is told from the others.
TEST(DbmMultiPrediction, LearnsToTellHiddenCellsFromTheOthers) {
  Rng rng(89);
  const Tensor side = bits_tensor(300, 1, rng).expand({300, columns});
  const Tensor x = (side - bits_tensor(300, columns, rng, 0.05)).abs();
  const auto dbm = machine("4,3", 0.2, 6, learning_by("multi_prediction"));
  const Tensor last = (at::arange(columns) == columns - 1).expand_as(x);
  const double before = dbm->prediction_gradient(x, last);
  NoGradGuard no_graph;
  for (int step = 0; step < 1500; ++step) {
    dbm->gradients(x, {}, rng);
    for (Tensor parameter : dbm->parameters()) parameter.sub_(parameter.grad(), 0.2);
  }
  const double after = dbm->prediction_gradient(x, last);
  EXPECT_LT(before, -0.5);
  EXPECT_GT(after, -0.35);  // the entropy of one flip in twenty is 0.2
}

}  // namespace
}  // namespace deepgen::dbm_multi_prediction_test
