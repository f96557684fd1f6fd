// RNN-RBM and RTRBM: enumeration of short sequences, gradients against enumeration in double precision, the bound by
// annealing against the exact score, runs over sequences.
#include "deepgen/models/sequences/rnn_rbm.h"

#include <map>

#include "deepgen/evaluate/likelihood.h"
#include "deepgen/models/sequences/rtrbm.h"
#include "tests/library/data_sets.h"
#include "tests/library/runs.h"

namespace deepgen::rnn_rbm_test {
namespace {

using namespace machines;
using Numbers = std::vector<std::int64_t>;

Rows sequences(const Tensor& x, const Numbers& starts) {
  Rows rows(x);
  rows.starts = at::tensor(starts, at::kLong);
  return rows;
}

// All sequences of two rows of three bits.
Rows all_pairs() {
  Numbers starts;
  for (std::int64_t s = 0; s < 64; ++s) starts.push_back(2 * s);
  return sequences(all_states(6).view({128, 3}), starts);
}

struct Shape {
  std::int64_t hidden = 4, temperatures = 100, exact_units = 12, gibbs_steps = 15;
};

std::shared_ptr<RecurrentRbm> machine(const std::string& name, double scale, const Shape& shape = {}) {
  RecurrentRbmLearning learning;
  learning.gibbs_steps = shape.gibbs_steps;
  std::shared_ptr<RecurrentRbm> model;
  if (name == "rnn_rbm") {
    RnnRbmOptions options;
    options.hidden = shape.hidden, options.recurrent = 3;
    options.temperatures = shape.temperatures, options.exact_units = shape.exact_units;
    model = std::make_shared<RnnRbm>(options, learning, bits_shape(3));
  } else {
    RtrbmOptions options;
    options.hidden = shape.hidden;
    options.temperatures = shape.temperatures, options.exact_units = shape.exact_units;
    model = std::make_shared<Rtrbm>(options, learning, bits_shape(3));
  }
  Rng rng(11);
  randomise(*model, scale, rng);
  return model;
}

const std::vector<std::string> both = {"rnn_rbm", "rtrbm"};

// ---------------------------------------------------------------- the equations in double precision

using Leaves = std::map<std::string, Tensor>;

Leaves leaves_of(const RecurrentRbm& model) {
  Leaves p;
  for (const auto& item : model.named_parameters())
    p[item.key()] = item.value().detach().to(at::kDouble).clone().requires_grad_(true);
  return p;
}

// log p of each row given those before it in one sequence x [T, 3], by sums over all rows that could be.
std::vector<Tensor> twin_log_probs(const std::string& name, const Leaves& p, const Tensor& x) {
  const RecurrentWeights weights =
      name == "rnn_rbm" ? RecurrentWeights{p.at("input"), p.at("state"), p.at("state_bias")}
                        : RecurrentWeights{p.at("W"), p.at("to_hidden"), p.at("c"), Activation::sigmoid};
  const Tensor own = x.to(at::kDouble), states = composed::recurrent_states(own, weights);
  const Tensor all = all_states(3).to(at::kDouble);
  std::vector<Tensor> logs;
  for (std::int64_t t = 0; t < own.size(0); ++t) {
    Tensor b = p.at("b"), c = p.at("c");
    if (t > 0)
      b = b + states[t - 1].matmul(p.at("to_visible")), c = c + states[t - 1].matmul(p.at("to_hidden"));
    const auto unnormalised = [&](const Tensor& rows) {
      return rows.matmul(b) + at::softplus(rows.matmul(p.at("W")) + c, 1, 40).sum(1);
    };
    logs.push_back(unnormalised(own[t].unsqueeze(0)).squeeze(0) - unnormalised(all).logsumexp(0));
  }
  return logs;
}

// ---------------------------------------------------------------- exact scores

TEST(RecurrentRbm, RowsOfSmallMachinesAreScoredExactly) {
  for (const std::string& name : both)
    for (const std::int64_t hidden : {2, 5}) {  // sums over the hidden or over the visible states
      const auto model = machine(name, 0.9, {.hidden = hidden});
      EXPECT_EQ(model->bound_kind().kind, ScoreKind::exact);
      const Rows rows = all_pairs();
      Rng rng(1);
      const Tensor ours = model->log_prob_bound(rows, 3, rng);
      EXPECT_NEAR(case_sums(ours, rows.starts).exp().sum().item<double>(), 1, 1e-5) << name;
      const Leaves p = leaves_of(*model);
      for (const std::int64_t s : {0, 13, 42, 63}) {
        const std::vector<Tensor> wanted = twin_log_probs(name, p, rows.x.narrow(0, 2 * s, 2));
        for (std::int64_t t = 0; t < 2; ++t)
          EXPECT_NEAR(ours[2 * s + t].item<double>(), wanted[size(t)].item<double>(), 1e-5) << name;
      }
    }
}

TEST(RecurrentRbm, DrawsFollowTheProbabilities) {
  for (const std::string& name : both)
    for (const std::int64_t hidden : {2, 5}) {
      const auto model = machine(name, 0.9, {.hidden = hidden});
      const Rows rows = all_pairs();
      Rng rng(3);
      Rows none(at::empty({0, 3}));
      none.starts = at::zeros({20000}, at::kLong);
      const Tensor drawn = model->continue_sequences(none, 2, rng).view({20000, 6});
      expect_drawn_from(drawn, doubles(case_sums(model->log_prob_bound(rows, 1, rng), rows.starts).exp()),
                        name);
    }
}

// ---------------------------------------------------------------- the bound by annealing

// The weights of few temperatures have the distribution of what is drawn through them.
TEST(RecurrentRbmBound, IsThatOfTheModelAsItDraws) {
  for (const std::string& name : both) {
    const auto model = machine(name, 0.9, {.temperatures = 3, .exact_units = 0});
    EXPECT_EQ(model->bound_kind().kind, ScoreKind::lower_bound);
    Rng rng(5);
    const Doubles p = doubles(model->log_prob_bound(all_states(3), 40000, rng).exp());
    double sum = 0;
    for (const double each : p) sum += each;
    EXPECT_NEAR(sum, 1, 0.02) << name;
    Rows none(at::empty({0, 3}));
    none.starts = at::zeros({4000}, at::kLong);
    expect_drawn_from(model->continue_sequences(none, 1, rng).view({4000, 3}), p, name);
  }
}

TEST(RecurrentRbmBound, TendsToTheExactScoreWithTheTemperatures) {
  for (const std::string& name : both) {
    const auto exact = machine(name, 0.9),
               annealed = machine(name, 0.9, {.temperatures = 300, .exact_units = 0});
    const Rows rows = all_pairs();
    Rng rng(7);
    const Tensor wanted = exact->log_prob_bound(rows, 1, rng),
                 ours = annealed->log_prob_bound(rows, 100, rng);
    EXPECT_LT((ours - wanted).abs().max().item<double>(), 0.1) << name;
    EXPECT_LT((ours - wanted).mean().item<double>(), 0.01) << name;
  }
}

// ---------------------------------------------------------------- annealed estimates

TEST(RecurrentRbmAnnealed, WeightsAreRightOnAverageAndTheirLogarithmsTooLow) {
  for (const std::string& name : both) {
    const auto exact = machine(name, 0.9),
               annealed = machine(name, 0.9, {.temperatures = 3, .exact_units = 0});
    const Rows rows = all_pairs();
    Rng rng(17);
    const Tensor wanted = exact->log_prob_bound(rows, 1, rng);
    constexpr int repeats = 2000;
    Moments moments;
    double above = 0, below = 0;
    for (int r = 0; r < repeats; ++r) {
      const std::vector<ExtraScore> scores = annealed->extra_scores(rows, 1, rng);
      ASSERT_EQ(scores.size(), 1U);
      moments.add(doubles((wanted - scores[0].rows).exp()));  // Z as estimated in units of Z
      above += (scores[0].rows - wanted).mean().item<double>() / repeats;
      below += (annealed->log_prob_bound(rows, 1, rng) - wanted).mean().item<double>() / repeats;
    }
    EXPECT_LT(moments.largest_z(Doubles(128, 1), 1e-5), 5.9) << name;
    EXPECT_GT(above, 0) << name;
    EXPECT_LT(below, 0) << name;
  }
}

TEST(RecurrentRbmAnnealed, TendsToTheExactScoreWithChainsAndTemperatures) {
  for (const std::string& name : both) {
    const auto exact = machine(name, 0.9),
               annealed = machine(name, 0.9, {.temperatures = 300, .exact_units = 0});
    const Rows rows = all_pairs();
    Rng rng(19);
    const Tensor wanted = exact->log_prob_bound(rows, 1, rng);
    const std::vector<ExtraScore> scores = annealed->extra_scores(rows, 100, rng);
    ASSERT_EQ(scores.size(), 1U);
    EXPECT_EQ(scores[0].metric, "log_prob_annealed");
    EXPECT_EQ(scores[0].kind, ScoreKind::estimate);
    EXPECT_LT((scores[0].rows - wanted).abs().max().item<double>(), 0.1) << name;
  }
}

TEST(RecurrentRbmAnnealed, StandsBesideTheBoundWhereThatIsNotExact) {
  const Array lengths = fixtures::array<std::int32_t>(DType::i32, {4}, {5, 1, 9, 3});
  const Dataset data =
      runs::dataset_of({{"train", runs::random_bytes(18, 3, 1, 3)}, {"train_lengths", lengths}});
  Observer silent;
  for (const std::string& name : both) {
    const auto annealed = machine(name, 0.9, {.temperatures = 20, .exact_units = 0});
    std::map<std::string, Score> found;
    for (const Score& score : evaluate_model(*annealed, data, "train", {}, Rng(3), silent))
      found[score.metric] = score;
    ASSERT_TRUE(found.contains("log_prob_annealed") && found.contains("log_prob_annealed_per_row")) << name;
    EXPECT_EQ(found["log_prob"].kind, ScoreKind::lower_bound);
    EXPECT_EQ(found["log_prob_annealed"].kind, ScoreKind::estimate);
    EXPECT_EQ(found["log_prob_annealed"].rows, 4);
    EXPECT_EQ(found["log_prob_annealed_per_row"].rows, 18);
    EXPECT_NE(found["log_prob_annealed"].how.find("too high on average"), std::string::npos);
    for (const Score& score : evaluate_model(*machine(name, 0.9), data, "train", {}, Rng(3), silent))
      EXPECT_EQ(score.metric.find("annealed"), std::string::npos) << "exact: " << name;
  }
}

// ---------------------------------------------------------------- gradients

// Chains so long that what they end in is drawn from the machine: on average the gradient of minus the mean of log p.
TEST(RecurrentRbmGradient, IsThatOfTheLikelihoodAfterLongChains) {
  const Numbers starts = {0, 3, 4};
  Rng data(13);
  const Tensor x = bits_tensor(8, 3, data);
  for (const std::string& name : both) {
    const auto model = machine(name, 0.5, {.gibbs_steps = 40});
    const Leaves p = leaves_of(*model);
    Tensor sum = at::zeros({}, at::kDouble);
    for (std::size_t c = 0; c < 3; ++c) {
      const std::int64_t end = c + 1 < 3 ? starts[c + 1] : 8;
      for (const Tensor& each : twin_log_probs(name, p, x.narrow(0, starts[c], end - starts[c])))
        sum = sum + each;
    }
    std::vector<Tensor> leaves;
    for (const auto& item : model->named_parameters()) leaves.push_back(p.at(item.key()));
    Doubles wanted;
    for (const Tensor& gradient : torch::autograd::grad({-sum / 8}, leaves))
      for (const double each : doubles(gradient)) wanted.push_back(each);
    Moments moments;
    for (std::uint64_t seed = 0; seed < 2000; ++seed) {
      Rng rng(seed);
      model->gradients(sequences(x, starts), {}, rng);
      Doubles ours;
      for (const auto& item : model->named_parameters())
        for (const double each : doubles(item.value().grad())) ours.push_back(each);
      moments.add(ours);
    }
    EXPECT_LT(moments.largest_z(wanted, 1e-5), 5.9) << name;  // some 60 numbers
  }
}

// ---------------------------------------------------------------- runs

TEST(RecurrentRbmTraining, StoppedAndResumedIsTheSameOverSequences) {
  const Array lengths = fixtures::array<std::int32_t>(DType::i32, {4}, {5, 1, 9, 3});
  const Dataset data =
      runs::dataset_of({{"train", runs::random_bytes(18, 6, 1, 3)}, {"train_lengths", lengths}});
  for (const std::string& name : both) {
    const runs::Assignments how = {"model.hidden=4", "training.batch=2", "training.epochs=4",
                                   "training.gibbs_steps=2"};
    runs::expect_equal_runs(runs::straight(how, data, 7, name), runs::in_sittings(how, data, {3, 2}, 7, name),
                            name);
  }
}

}  // namespace
}  // namespace deepgen::rnn_rbm_test
