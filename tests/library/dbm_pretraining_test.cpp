// Pretraining of the deep Boltzmann machine: the machines that are learned alone against sums over all
// states, their gradients against automatic differentiation, and stages that are resumed.
// (dbm_training_test.cpp: the joint gradient, tempered chains.)
//
// Each statistical check fails by chance once in a million runs of a fresh seed; the seeds are fixed.
#include "deepgen/models/boltzmann/dbm_doubled.h"
#include "tests/library/runs.h"
#include "tests/library/small_dbms.h"

namespace deepgen::dbm_pretraining_test {
namespace {

using namespace small_dbms;

DbmLearning pretrained(bool centring = true) {
  DbmLearning learning;
  learning.pretrain = true, learning.centring = centring;
  return learning;
}

// Has all kinds of machines: a bottom, one between and a top.
const std::string three_layers = "3,2,4";

std::vector<Tensor> trained_in(Dbm& dbm, int stage) { return dbm.stages()[size(stage)].phases[0].parameters; }

// ---------------------------------------------------------------- one machine

// A machine alone in double precision, by the definition of its energy: states of all copies of both layers.
struct PlainDoubled {
  std::int64_t N, M, lower_copies, upper_copies;
  double strength;
  Doubles w, b, c;

  PlainDoubled(const Dbm& dbm, std::size_t l)
      : N(dbm.units(l)),
        M(dbm.units(l + 1)),
        lower_copies(l == 0 ? 2 : 1),
        upper_copies(l + 2 == dbm.layers() ? 2 : 1),
        strength(lower_copies + upper_copies == 2 ? 2 : 1),
        w(doubles(dbm.weights[l])),
        b(doubles(dbm.lower_biases[l])),
        c(doubles(dbm.upper_biases[l])) {}

  static bool on(std::int64_t state, std::int64_t copy, std::int64_t size_of, std::int64_t i) {
    return (state >> (copy * size_of + i) & 1) != 0;
  }
  // -E of the copies of the lower and of the upper layer, side by side.
  double log_joint(std::int64_t v, std::int64_t h) const {
    double sum = 0;
    for (std::int64_t k = 0; k < lower_copies; ++k)
      for (std::int64_t i = 0; i < N; ++i) {
        if (!on(v, k, N, i)) continue;
        sum += b[size(i)];
        for (std::int64_t d = 0; d < upper_copies; ++d)
          for (std::int64_t j = 0; j < M; ++j)
            if (on(h, d, M, j)) sum += strength * w[size(i * M + j)];
      }
    for (std::int64_t d = 0; d < upper_copies; ++d)
      for (std::int64_t j = 0; j < M; ++j)
        if (on(h, d, M, j)) sum += c[size(j)];
    return sum;
  }
  std::int64_t lower_states() const { return std::int64_t{1} << (N * lower_copies); }
  std::int64_t upper_states() const { return std::int64_t{1} << (M * upper_copies); }
  // The state of the lower copies when all are in state v.
  std::int64_t agreeing(std::int64_t v) const { return lower_copies == 2 ? v << N | v : v; }

  // p(unit j of copy d of the upper layer is on | lower copies).
  double upper_mean(std::int64_t v, std::int64_t d, std::int64_t j) const {
    Doubles all, some;
    for (std::int64_t h = 0; h < upper_states(); ++h) {
      all.push_back(log_joint(v, h));
      if (on(h, d, M, j)) some.push_back(all.back());
    }
    return std::exp(log_sum_exp(some) - log_sum_exp(all));
  }
  double lower_mean(std::int64_t h, std::int64_t k, std::int64_t i) const {
    Doubles all, some;
    for (std::int64_t v = 0; v < lower_states(); ++v) {
      all.push_back(log_joint(v, h));
      if (on(v, k, N, i)) some.push_back(all.back());
    }
    return std::exp(log_sum_exp(some) - log_sum_exp(all));
  }
};

// The sum over copies of the states of a layer, [states, size_of].
Tensor sums_of_copies(std::int64_t size_of, std::int64_t copies) {
  const Tensor states = all_states(size_of * copies);
  return states.view({states.size(0), copies, size_of}).sum(1);
}

TEST(DoubledMachine, CountsWhatItsEnergyCounts) {
  const auto dbm = make_dbm(three_layers, 0.7, 3, pretrained());
  for (std::size_t l = 0; l < 3; ++l) {
    SCOPED_TRACE(l);
    const DoubledMachine alone = dbm->machine(l);
    const PlainDoubled plain(*dbm, l);
    EXPECT_EQ(alone.lower_copies(), plain.lower_copies);
    EXPECT_EQ(alone.upper_copies(), plain.upper_copies);
    const Tensor up = alone.upper_means(alone.input_to_upper(sums_of_copies(plain.N, plain.lower_copies)));
    for (std::int64_t v = 0; v < plain.lower_states(); v += 3)
      for (std::int64_t d = 0; d < plain.upper_copies; ++d)
        for (std::int64_t j = 0; j < plain.M; ++j)
          ASSERT_NEAR(up[v][j].item<double>(), plain.upper_mean(v, d, j), 1e-6) << v;
    const Tensor down = alone.lower_means(alone.input_to_lower(sums_of_copies(plain.M, plain.upper_copies)));
    for (std::int64_t h = 0; h < plain.upper_states(); h += 3)
      for (std::int64_t k = 0; k < plain.lower_copies; ++k)
        for (std::int64_t i = 0; i < plain.N; ++i)
          ASSERT_NEAR(down[h][i].item<double>(), plain.lower_mean(h, k, i), 1e-6) << h;
  }
}

TEST(DoubledMachine, DrawsItsCopiesIndependently) {
  const auto dbm = make_dbm(three_layers, 0.7, 5, pretrained());
  const DoubledMachine bottom = dbm->machine(0), top = dbm->machine(2);
  Rng rng(7);
  constexpr std::int64_t rows = 20000;
  const auto expect_sums = [&](const Tensor& sums, const Tensor& means, const std::string& what) {
    for (std::int64_t i = 0; i < sums.size(1); ++i) {
      const double p = means[0][i].item<double>();
      std::vector<std::int64_t> counts;
      for (const double each : doubles(sums.select(1, i))) counts.push_back(std::llround(each));
      EXPECT_LT(chi_square_z(counts, {(1 - p) * (1 - p), 2 * p * (1 - p), p * p}), one_in_a_million)
          << what << i;
    }
  };
  const Tensor down = bottom.input_to_lower(bits_tensor(1, 3, rng).expand({rows, 3}).contiguous());
  expect_sums(bottom.draw_lower(down, rng), bottom.lower_means(down), "two copies of the data ");
  const Tensor up = top.input_to_upper(bits_tensor(1, 2, rng).expand({rows, 2}).contiguous());
  expect_sums(top.draw_upper(up, rng), top.upper_means(up), "two copies of the top ");
}

// ---------------------------------------------------------------- gradient

// Minus half the mean log-probability of rows x all of whose copies agree, [W, b, c] leaves in double
// precision.
Tensor half_loss(const std::vector<Tensor>& leaves, const PlainDoubled& plain, const Tensor& x) {
  const Tensor &w = leaves[0], &b = leaves[1], &c = leaves[2];
  const auto log_weight = [&](const Tensor& sums) {  // log sum over the upper copies of exp(-E)
    const Tensor each = at::softplus(plain.strength * sums.mm(w) + c, 1, 40).sum(1);
    return sums.mv(b) + static_cast<double>(plain.upper_copies) * each;
  };
  const Tensor all = sums_of_copies(plain.N, plain.lower_copies).to(at::kDouble);
  const Tensor rows = x.to(at::kDouble) * static_cast<double>(plain.lower_copies);
  return (at::logsumexp(log_weight(all), 0) - log_weight(rows).mean()) / 2;
}

// Of W, b and c: plain, or that of the coordinates that centring learns in, carried back.
Doubles wanted_gradient(const Dbm& dbm, std::size_t l, const Tensor& x, bool centring) {
  const PlainDoubled plain(dbm, l);
  std::vector<Tensor> leaves;
  for (const Tensor& each : {dbm.weights[l], dbm.lower_biases[l], dbm.upper_biases[l]})
    leaves.push_back(each.detach().to(at::kDouble).clone().requires_grad_(true));
  half_loss(leaves, plain, x).backward();
  Tensor dw = leaves[0].grad(), db = leaves[1].grad(), dc = leaves[2].grad();
  if (centring) {
    const Tensor m = dbm.means[l].to(at::kDouble), n = dbm.means[l + 1].to(at::kDouble);
    const double down = plain.strength * static_cast<double>(plain.upper_copies),
                 up = plain.strength * static_cast<double>(plain.lower_copies);
    dw = dw - at::outer(m, dc) * up - at::outer(db, n) * down;
    db = db - down * dw.mv(n);
    dc = dc - up * dw.t().mv(m);
  }
  Doubles all;
  for (const Tensor& each : {dw, db, dc})
    for (const double value : doubles(each)) all.push_back(value);
  return all;
}

// A long chain forgets the rows where it began: contrastive divergence becomes the gradient.
TEST(DbmPretraining, OfManyStepsIsTheGradientOfHalfTheLogProbability) {
  for (const bool centring : {false, true}) {
    DbmLearning learning = pretrained(centring);
    learning.pretrain_steps = 40, learning.offset_rate = 0;
    const auto dbm = make_dbm(three_layers, 0.4, 11, learning);
    Rng rng(13);
    for (Tensor& mean : dbm->means) mean.copy_(at::sigmoid(normal_tensor(mean.sizes(), 1, rng)));
    const Tensor x = bits_tensor(1, columns, rng, 0.5).expand({400, columns}).contiguous();
    for (const std::size_t l : {std::size_t{0}, std::size_t{1}, std::size_t{2}}) {
      Moments moments;
      for (std::uint64_t seed = 0; seed < 60; ++seed) {
        Rng own(seed), same(seed);
        const Tensor rows = dbm->machine_rows(l, x, same);  // the draws that the step begins with
        dbm->gradients(x, {.stage = static_cast<int>(l)}, own);
        Doubles off = wanted_gradient(*dbm, l, rows, centring);
        std::size_t at = 0;
        for (const Tensor& each : {dbm->weights[l], dbm->lower_biases[l], dbm->upper_biases[l]})
          for (const double g : doubles(each.grad())) off[at++] -= g;
        moments.add(off);
      }
      // Some 23 numbers at once, and tails of 60 repeats.
      EXPECT_LT(
          moments.largest_z(Doubles(size(dbm->weights[l].numel() + dbm->units(l) + dbm->units(l + 1))), 1e-6),
          6.5)
          << "machine " << l << " centred " << centring;
    }
  }
}

TEST(DbmPretraining, GradientsDoNotDependOnTheNumberOfThreads) {
  DbmOptions options;
  options.hidden = "300,200,250";
  const auto gradients = [&](int count) {
    const Threads threads(count);
    Dbm dbm(options, pretrained(), bits_shape(400));
    Rng rng(17);
    const Tensor x = bits_tensor(100, 400, rng, 0.2);
    dbm.initialise(x, rng);
    randomise(dbm, 0.1, rng);
    std::vector<Tensor> all;
    for (int stage = 0; stage < 4; ++stage) {
      Turn turn;
      turn.stage = stage;
      dbm.gradients(x, turn, rng);
      for (const Tensor& each : trained_in(dbm, stage)) all.push_back(each.grad().clone());
    }
    return all;
  };
  const std::vector<Tensor> one = gradients(1), four = gradients(4);
  ASSERT_EQ(one.size(), 3U * 3U + 7U);
  for (std::size_t i = 0; i < one.size(); ++i) expect_bit_equal(one[i], four[i], std::to_string(i));
}

// ---------------------------------------------------------------- stages

TEST(DbmPretraining, HasAStageForEachMachineAndOneForAll) {
  const auto dbm = make_dbm(three_layers, 0.5, 19, pretrained());
  std::vector<std::string> names;
  for (const Stage& stage : dbm->stages()) names.push_back(stage.name);
  EXPECT_EQ(names, (std::vector<std::string>{"machine1", "machine2", "machine3", "joint"}));
  EXPECT_EQ(dbm->stages().back().phases[0].parameters.size(), 7U) << "weights and biases of the whole alone";
  // Without it there is one stage, and nothing in a file that there was not before.
  const auto plain = make_dbm(three_layers, 0.5, 19);
  EXPECT_EQ(plain->stages().size(), 1U);
  EXPECT_EQ(plain->parameters().size(), 7U);
  EXPECT_EQ(dbm->parameters().size(), 13U);
}

// In the whole machine an inner layer hears half of what each of its two machines says of it.
TEST(DbmPretraining, JoinsHalfOfWhatTheMachinesSay) {
  const auto dbm = make_dbm(three_layers, 0.5, 23, pretrained());
  Rng rng(29);
  dbm->begin_stage({.stage = 3}, {}, rng);
  DbmLayers s;
  for (std::size_t l = 0; l < 4; ++l) s.push_back(bits_tensor(20, dbm->units(l), rng));
  for (std::size_t l = 0; l < 4; ++l) {
    const Tensor whole = dbm->input_of(l, s) + dbm->biases[l];
    if (l == 0 || l == 3) {
      const DoubledMachine end = dbm->machine(l == 0 ? 0 : 2);
      const Tensor own = l == 0 ? end.input_to_lower(s[1]) : end.input_to_upper(s[2]);
      expect_near(doubles(whole), doubles(own + (l == 0 ? end.lower_bias : end.upper_bias)), 1e-5, "an end");
      continue;
    }
    const DoubledMachine below = dbm->machine(l - 1), above = dbm->machine(l);
    const Tensor from_below = below.input_to_upper(s[l - 1]) * below.weight_upwards() + below.upper_bias,
                 from_above = above.input_to_lower(s[l + 1]) * above.weight_downwards() + above.lower_bias;
    expect_near(doubles(whole), doubles((from_below + from_above) / 2), 1e-5, std::to_string(l));
  }
}

TEST(DbmPretraining, LearnsTheMachinesOneAfterTheOther) {
  const auto dbm = make_dbm("4,3", 0.3, 31, pretrained());
  Rng rng(37);
  const Tensor x = bits_tensor(50, columns, rng, 0.4);
  const auto move = [&](int stage) {
    Turn turn;
    turn.stage = stage;
    dbm->begin_stage(turn, x, rng);
    dbm->gradients(x, turn, rng);
    NoGradGuard no_graph;
    for (Tensor each : trained_in(*dbm, stage)) each.sub_(each.grad(), 0.1);
    dbm->project(turn);
  };
  const Tensor first = dbm->weights[0].clone(), second = dbm->weights[1].clone();
  move(0);
  EXPECT_FALSE(at::equal(dbm->weights[0], first));
  expect_bit_equal(dbm->weights[1], second, "the second machine's turn has not come");
  const Tensor learnt = dbm->weights[0].clone(), bias = dbm->upper_biases[0].clone();
  move(1);
  expect_bit_equal(dbm->weights[0], learnt, "the first machine's turn is over");
  expect_bit_equal(dbm->upper_biases[0], bias, "its bias");
  EXPECT_FALSE(at::equal(dbm->weights[1], second));
  expect_near(doubles(dbm->biases[1]), doubles((bias + dbm->lower_biases[1]) / 2), 1e-6, "joined");
  move(2);
  EXPECT_FALSE(at::equal(dbm->weights[0], learnt));
  for (const Tensor& each : dbm->chains)
    if (each.defined()) {
      EXPECT_TRUE(at::logical_or(each == 0, each == 1).all().item<bool>());
    }
}

// Stopped in each of the stages, and between them.
TEST(DbmPretraining, RunsAreTheSameInSittings) {
  const Dataset data = runs::random_bits(60, columns);
  const runs::Assignments settings = {"model.hidden=4,3",       "model.weight_scale=0.3",
                                      "training.pretrain=true", "training.pretrain_share=0.5",
                                      "training.epochs=8",      "training.batch=20",
                                      "training.chains=20",     "training.average=0.9",
                                      "training.rate=0.02",     "training.schedule=linear"};
  const Checkpoint whole = runs::straight(settings, data, 7, "dbm");
  EXPECT_EQ(whole.stage, 2);
  for (const std::vector<std::int64_t>& stops :
       {std::vector<std::int64_t>{2}, {6}, {8}, {13}, {5, 4, 6}, {1, 1, 1}})
    runs::expect_equal_runs(whole, runs::in_sittings(settings, data, stops, 7, "dbm"), "in sittings");
}

}  // namespace
}  // namespace deepgen::dbm_pretraining_test
