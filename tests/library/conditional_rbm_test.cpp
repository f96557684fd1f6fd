// The conditional restricted Boltzmann machine: its energy, gradients, chains and scores against enumeration
// of every condition's own machine. (conditional_rbm_runs_test.cpp: all its small cases.)
//
// Statistical checks fail by chance once in a million runs of a fresh seed; the seeds are fixed.
#include "deepgen/models/boltzmann/conditional_rbm.h"

#include "deepgen/core/observer.h"
#include "deepgen/evaluate/likelihood.h"
#include "deepgen/tasks/tasks.h"
#include "tests/library/dynamic_bias_twin.h"
#include "tests/library/runs.h"
#include "tests/library/small_cases.h"

namespace deepgen::conditional_rbm_test {
namespace {

using namespace machines;
using dynamic_bias::Twin;

struct About {
  std::int64_t columns = 8, hidden = 4;  // the first half of the columns is given
  ValueKind values = ValueKind::binary;
  std::string learning = "exact";
  std::int64_t gibbs_steps = 1;
  double scale = 0.7;
};

DataShape shape_of(const About& about) { return {about.columns, {about.columns}, 0, about.values, {}}; }

std::shared_ptr<ConditionalRbm> machine(const About& about) {
  ConditionalRbmOptions options;
  options.hidden = about.hidden;
  DynamicBiasLearning learning;
  learning.learning = about.learning, learning.gibbs_steps = about.gibbs_steps;
  auto model = std::make_shared<ConditionalRbm>(options, learning, shape_of(about));
  Rng rng(3);
  model->initialise(rows_of_shape(shape_of(about), 60, rng), rng);
  randomise(*model, about.scale, rng);
  return model;
}

Rows some_rows(const About& about, std::int64_t count, std::uint64_t seed = 11) {
  Rng rng(seed);
  return rows_of_shape(shape_of(about), count, rng);
}

// `count` rows of one condition: its bits are those of a number.
Tensor condition(std::int64_t number, std::int64_t columns, std::int64_t count) {
  return all_states(columns)[number].unsqueeze(0).repeat({count, 1});
}

// ---------------------------------------------------------------- energy

TEST(ConditionalRbm, ScoresAreThoseOfTheEnergy) {
  for (const About& about :
       {About{}, About{.hidden = 6}, About{.columns = 2, .hidden = 1}, About{.values = ValueKind::real},
        About{.hidden = 12, .values = ValueKind::real}}) {
    SCOPED_TRACE(std::to_string(about.hidden) + " hidden units");
    const auto model = machine(about);
    const Rows rows = some_rows(about, 40);
    const GivenPairs pairs = model->pairs_of(rows);
    const Twin twin(*model);
    const double tolerance = twin.real() ? 1e-4 : 2e-5;  // of float32 activations
    const GivenBiases given = model->biases_given(pairs.condition);
    expect_near(
        doubles(model->exact_log_partition_given(given)),
        [&] {
          // The part of the energy of a real v that neither v nor h changes is left out by the machine.
          const Tensor log_z = twin.log_z(pairs.condition);
          if (!twin.real()) return doubles(log_z);
          const Tensor left = (given.centre.square() * given.visible.gamma).sum(1) / 2;
          return doubles(log_z + left);
        }(),
        tolerance, "log Z");
    expect_near(doubles(model->exact_conditional_log_prob(rows)), doubles(twin.log_prob(pairs)), tolerance,
                "log p(rest | given)");
  }
}

TEST(ConditionalRbm, EveryConditionIsNormalised) {
  const auto model = machine({});
  for (const std::int64_t number : {0, 5, 15}) {
    const Tensor rows = at::cat({condition(number, 4, 16), all_states(4)}, 1);
    EXPECT_NEAR(model->exact_conditional_log_prob(rows).exp().sum().item<double>(), 1, 1e-5);
  }
}

TEST(ConditionalRbm, WithoutAConditionIsThePlainMachine) {
  for (const ValueKind values : {ValueKind::binary, ValueKind::real}) {
    const About about{.values = values};
    const auto model = machine(about);
    {
      NoGradGuard no_graph;
      model->to_visible.zero_();
      model->to_hidden.zero_();
    }
    const Rows rows = some_rows(about, 30);
    const GivenPairs pairs = model->pairs_of(rows);
    const GivenBiases given = model->biases_given(pairs.condition);
    const Rbm& plain = model->machine();
    expect_near(doubles(model->free_energy_given(given, pairs.v)), doubles(plain.free_energy(pairs.v)), 1e-5,
                "free energy");
    for (const double log_z : doubles(model->exact_log_partition_given(given)))
      EXPECT_NEAR(log_z, *plain.exact_log_partition(), 1e-5);
  }
}

TEST(ConditionalRbm, WithoutAConditionLearnsAsThePlainMachine) {
  const auto model = machine({});
  {
    NoGradGuard no_graph;
    model->to_visible.zero_();
    model->to_hidden.zero_();
  }
  const Rows rows = some_rows({}, 30);
  RbmLearning learning;
  learning.learning = "exact", learning.centring = false;
  const auto plain = make_rbm(4, 4, 0.7, 3, learning);
  NoGradGuard no_graph;
  plain->weights.copy_(model->machine().weights);
  plain->visible_bias.copy_(model->machine().visible_bias);
  plain->hidden_bias.copy_(model->machine().hidden_bias);
  Rng a(5), b(5);
  model->gradients(rows, {}, a);
  plain->gradients(model->pairs_of(rows).v, {}, b);
  expect_near(doubles(model->machine().weights.grad()), doubles(plain->weights.grad()), 1e-5, "W");
  expect_near(doubles(model->machine().visible_bias.grad()), doubles(plain->visible_bias.grad()), 1e-5, "b");
  expect_near(doubles(model->machine().hidden_bias.grad()), doubles(plain->hidden_bias.grad()), 1e-5, "c");
}

// ---------------------------------------------------------------- gradients

TEST(ConditionalRbmGradient, EqualsAutomaticDifferentiation) {
  for (const About& about : {About{}, About{.hidden = 7}, About{.columns = 10, .hidden = 3, .scale = 0.2},
                             About{.hidden = 3, .values = ValueKind::real, .scale = 0.4}}) {
    SCOPED_TRACE(std::to_string(about.hidden) + " hidden units");
    dynamic_bias::expect_exact_gradient(*machine(about), some_rows(about, 25));
  }
}

TEST(ConditionalRbmGradient, IsWrittenAndNotAdded) {
  const auto model = machine({});
  dynamic_bias::expect_exact_gradient(*model, some_rows({}, 25));
  dynamic_bias::expect_exact_gradient(*model, some_rows({}, 9, 13));
}

// What cd-k gives on average: tables of both conditionals of each row's machine in place of draws.
std::map<std::string, Doubles> expected_of_chains(const ConditionalRbm& model, const Rows& rows,
                                                  std::int64_t steps) {
  const GivenPairs pairs = model.pairs_of(rows);
  const Twin twin(model);
  const Tensor w = twin.weights().detach(), h = twin.hidden_states();
  const Tensor states = all_states(twin.visible()).to(at::kDouble);
  const Tensor m = twin.visible_bias(pairs.condition).detach(),
               c = twin.hidden_bias(pairs.condition).detach();
  Tensor dw = at::zeros_like(w), r = at::zeros_like(m), q = at::zeros_like(c);
  const std::vector<std::int64_t> numbers = state_numbers(pairs.v);
  for (std::int64_t row = 0; row < pairs.size(); ++row) {
    const Tensor up = (states.mm(w) + c[row]).mm(h.t()).softmax(1);        // p(h | v)
    const Tensor down = (h.mm(w.t()) + m[row]).mm(states.t()).softmax(1);  // p(v | h)
    const Tensor start = at::eye(states.size(0), at::kDouble)[numbers[size(row)]].unsqueeze(0);
    Tensor p = start;
    for (std::int64_t k = 0; k < steps; ++k) p = p.mm(up).mm(down);
    const Tensor change = (p - start).squeeze(0);
    dw += states.t().mm(change.unsqueeze(1) * up.mm(h));
    r[row] = change.unsqueeze(0).mm(states).squeeze(0);
    q[row] = change.unsqueeze(0).mm(up).mm(h).squeeze(0);
  }
  const double share = 1 / real(pairs.size());
  const Tensor u = pairs.condition.to(at::kDouble).t();
  return {{"machine.weights", doubles(dw * share)},
          {"machine.visible_bias", doubles(r.sum(0) * share)},
          {"machine.hidden_bias", doubles(q.sum(0) * share)},
          {"to_visible", doubles(u.mm(r) * share)},
          {"to_hidden", doubles(u.mm(q) * share)}};
}

TEST(ConditionalRbmGradient, OfChainsIsRightOnAverage) {
  for (const std::int64_t steps : {1, 3}) {
    const About about{.hidden = 3, .learning = "cd", .gibbs_steps = steps};
    const auto model = machine(about);
    const Rows rows = some_rows(about, 6);
    std::map<std::string, Moments> moments;
    for (std::uint64_t seed = 0; seed < 3000; ++seed) {
      Rng rng(seed);
      model->gradients(rows, {}, rng);
      for (const auto& item : model->named_parameters())
        moments[item.key()].add(doubles(item.value().grad()));
    }
    for (const auto& [name, wanted] : expected_of_chains(*model, rows, steps))
      EXPECT_LT(moments.at(name).largest_z(wanted, 1e-5), 5.5) << name << " after " << steps;
  }
}

// Of real columns the chain's gradient is, over many steps, the exact one.
TEST(ConditionalRbmGradient, OfLongChainsIsTheExactOneOfRealColumns) {
  const About about{
      .hidden = 3, .values = ValueKind::real, .learning = "cd", .gibbs_steps = 30, .scale = 0.4};
  const auto model = machine(about);
  const Rows rows = some_rows(about, 6);
  std::map<std::string, Moments> moments;
  for (std::uint64_t seed = 0; seed < 1500; ++seed) {
    Rng rng(seed);
    model->gradients(rows, {}, rng);
    for (const auto& item : model->named_parameters()) moments[item.key()].add(doubles(item.value().grad()));
  }
  for (const auto& [name, wanted] : Twin(*model).gradient(model->pairs_of(rows)))
    EXPECT_LT(moments.at(name).largest_z(wanted, 1e-4), 5.5) << name;
}

// ---------------------------------------------------------------- chains

TEST(ConditionalRbmChains, LeaveTheConditionalUnchanged) {
  const auto model = machine({.scale = 1});
  const Twin twin(*model);
  Rng rng(17);
  for (const std::int64_t number : {3, 12}) {
    const Doubles p = twin.probabilities(condition(number, 4, 1));
    const Tensor start = exact_samples(p, 4, 30000, rng);
    const GivenBiases given = model->biases_given(condition(number, 4, 30000));
    expect_drawn_from(model->gibbs_given(given, start, 1, {}, rng), p, "one step");
    expect_drawn_from(model->gibbs_given(given, start, 4, {}, rng), p, "four steps");
    const Tensor other =
        model->gibbs_given(model->biases_given(condition(15 - number, 4, 30000)), start, 4, {}, rng);
    EXPECT_GT(chi_square_z(state_numbers(other), p), one_in_a_million) << "the condition plays no part";
  }
}

TEST(ConditionalRbmChains, CompletionsFollowTheConditional) {
  const auto model = machine({.scale = 0.8});
  const Doubles p = Twin(*model).probabilities(condition(9, 4, 1));
  Tensor x = at::cat({condition(9, 4, 20000), at::full({20000, 4}, std::nanf(""))}, 1);
  Rng rng(19);
  Observer silent;
  const Tensor done = complete_rows(*model, x, 1, rng, silent);
  expect_drawn_from(done.narrow(1, 4, 4), p, "all of the rest");
  // With one bit of the rest known, the others follow given that too.
  x.select(1, 6).fill_(1);
  Doubles some(p.size());
  for (std::size_t s = 0; s < p.size(); ++s) some[s] = s >> 2 & 1 ? p[s] : 0;
  const double total = std::accumulate(some.begin(), some.end(), 0.0);
  for (double& each : some) each /= total;
  expect_drawn_from(model->complete(x, rng).narrow(1, 4, 4), some, "a part of the rest");
}

TEST(ConditionalRbmChains, AnnealedEstimatesOfZAreRightOnAverage) {
  for (const About& about : {About{}, About{.hidden = 3, .values = ValueKind::real, .scale = 0.5}}) {
    const auto model = machine(about);
    const Tensor u = model->pairs_of(some_rows(about, 1)).condition.repeat({8000, 1});
    const GivenBiases given = model->biases_given(u);
    const double exact =
        model->exact_log_partition_given(model->biases_given(u.narrow(0, 0, 1))).item<double>();
    Rng rng(23);
    Moments moments;
    for (const double each : doubles(model->annealed_log_partition_given(given, 1, 5, rng)))
      moments.add({std::exp(each - exact)});
    EXPECT_LT(moments.largest_z({1}, 1e-6), 5.5);
    const Tensor many =
        model->annealed_log_partition_given(model->biases_given(u.narrow(0, 0, 3)), 100, 50, rng);
    expect_near(doubles(many), Doubles(3, exact), 0.1, "100 chains");
  }
}

// ---------------------------------------------------------------- scores

TEST(ConditionalRbmScores, AreExactWhereTheyCanBeAndSaySo) {
  Rng rng(29);
  const auto small = machine({});
  const Rows rows = some_rows({}, 10);
  const std::vector<ExtraScore> exact = small->extra_scores(rows, 5, rng);
  ASSERT_EQ(exact.size(), 1U);
  EXPECT_EQ(exact[0].metric, "conditional_log_prob");
  EXPECT_EQ(exact[0].kind, ScoreKind::exact);
  expect_bit_equal(exact[0].rows, small->exact_conditional_log_prob(rows), "rows");
  const About wide{.columns = 26, .hidden = 13, .learning = "cd", .scale = 0.1};
  const auto large = machine(wide);
  EXPECT_FALSE(large->can_enumerate());
  const std::vector<ExtraScore> annealed = large->extra_scores(some_rows(wide, 10), 5, rng);
  ASSERT_EQ(annealed.size(), 1U);
  EXPECT_EQ(annealed[0].metric, "conditional_log_prob_annealed");
  EXPECT_EQ(annealed[0].kind, ScoreKind::estimate);
  EXPECT_TRUE((annealed[0].rows < 0).all().item<bool>());
}

// 4096 states of 17 bits: torch cuts these into parts of odd sizes.
TEST(ConditionalRbmScores, ThreadsChangeNothingOfManyStates) {
  const About about{.columns = 34, .hidden = 12};
  const auto model = machine(about);
  const Rows rows = some_rows(about, 5);
  std::vector<Tensor> scores, gradients;
  for (const int count : {1, 4}) {
    const Threads threads(count);
    Rng rng(53);
    scores.push_back(model->exact_conditional_log_prob(rows));
    model->gradients(rows, {}, rng);
    gradients.push_back(model->machine().weights.grad().clone());
  }
  expect_bit_equal(scores[0], scores[1], "scores");
  expect_bit_equal(gradients[0], gradients[1], "gradients");
}

// Evaluation reports them although the model has no score among its capabilities.
TEST(ConditionalRbmScores, AreReported) {
  const auto model = machine({});
  Dataset data = small_cases::labelled_set(bits_shape(8, 3), 3);
  Observer silent;
  EvaluationPlan plan;
  plan.samples = 5;
  const std::vector<Score> scores = evaluate_model(*model, data, "valid", plan, Rng(3), silent);
  ASSERT_EQ(scores.size(), 1U);
  EXPECT_EQ(scores[0].metric, "conditional_log_prob");
  EXPECT_EQ(scores[0].kind, ScoreKind::exact);
  EXPECT_NEAR(scores[0].value, model->exact_conditional_log_prob(data.valid.x).mean().item<double>(), 1e-9);
}

// ---------------------------------------------------------------- refusals

TEST(ConditionalRbmRefusals, SayWhatIsWrong) {
  Rng rng(31);
  const auto model = machine({});
  Tensor x = some_rows({}, 3).x.clone();
  x[1][2] = std::nanf("");
  expect_says(error_of(ErrorKind::data, [&] { model->complete(x, rng); }), {"condition", "left"});
  expect_says(error_of(ErrorKind::data, [&] { model->check_data(x, "rows"); }), {"row 1", "column 2"});
  expect_says(error_of(ErrorKind::usage, [] { machine({.columns = 40, .hidden = 13}); }),
              {"training.learning", "12", "13", "20"});
  ConditionalRbmOptions options;
  options.given = "middle";
  expect_says(error_of(ErrorKind::usage, [&] { ConditionalRbm(options, {}, bits_shape(8)); }),
              {"model.given"});
  options.given = "left";
  DataShape table = bits_shape(8);
  table.values = ValueKind::mixed;
  table.groups = {{ColumnKind::binary, 0, 3}, {ColumnKind::softmax, 3, 3}, {ColumnKind::binary, 6, 2}};
  expect_says(error_of(ErrorKind::data, [&] { ConditionalRbm(options, {}, table); }), {"columns 3 to 5"});
}

// ---------------------------------------------------------------- learning

// The rest repeats the given part: bits of it are worth ln 2 each before training.
TEST(ConditionalRbmTraining, LearnsTheRestFromThePartThatIsGiven) {
  for (const char* learning : {"cd", "exact"}) {
    const auto model = machine({.learning = learning, .scale = 0.01});
    Rng rng(47);
    const Tensor half = bits_tensor(48, 4, rng);
    const Rows batch(at::cat({half, half}, 1));
    const auto score = [&] { return model->exact_conditional_log_prob(batch).mean().item<double>(); };
    EXPECT_LT(score(), -2.5);
    for (int step = 0; step < 1500; ++step) {
      model->gradients(batch, {.step = step, .steps = 1500}, rng);
      NoGradGuard no_graph;
      for (Tensor& parameter : model->parameters()) parameter.sub_(parameter.grad(), 0.5);
    }
    EXPECT_GT(score(), -0.5) << learning;
    const Metrics line = model->diagnose(batch, batch, rng);
    EXPECT_LT(runs::metric(line, "valid_prediction_error"), 0.1);
    EXPECT_NEAR(runs::metric(line, "valid_conditional_log_prob"), score(), 0.2);
  }
}

}  // namespace
}  // namespace deepgen::conditional_rbm_test
