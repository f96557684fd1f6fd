// Learning of the deep Boltzmann machine: the exact gradient against automatic differentiation, centring,
// chains in equilibrium, and runs that raise the likelihood. (dbm_test.cpp: scores and chains.)
#include "tests/library/small_dbms.h"

namespace deepgen::dbm_training_test {
namespace {

using namespace small_dbms;

// -E of every row of states [n, units] float64.
Tensor log_joint(const std::vector<Tensor>& weights, const std::vector<Tensor>& biases,
                 const Tensor& states) {
  Tensor sum = at::zeros({states.size(0)}, at::kDouble), below;
  std::int64_t first = 0;
  for (std::size_t l = 0; l < biases.size(); ++l) {
    const Tensor h = states.narrow(1, first, biases[l].size(0));
    first += biases[l].size(0);
    sum = sum + h.mv(biases[l]);
    if (l > 0) sum = sum + (below.mm(weights[l - 1]) * h).sum(1);
    below = h;
  }
  return sum;
}

// The gradient of minus the mean log-likelihood by automatic differentiation of the sum over all states: the
// weights, then the biases.
std::vector<Doubles> differentiated(const Dbm& dbm, const Tensor& x) {
  std::vector<Tensor> weights, biases;
  auto leaf = [](const Tensor& t) { return t.detach().to(at::kDouble).clone().requires_grad_(true); };
  for (const Tensor& each : dbm.weights) weights.push_back(leaf(each));
  for (const Tensor& each : dbm.biases) biases.push_back(leaf(each));
  std::int64_t units = 0;
  for (const Tensor& each : biases) units += each.size(0);
  const Tensor states = all_states(units).to(at::kDouble), logs = log_joint(weights, biases, states);
  std::vector<Tensor> rows;
  for (const Tensor& row : x.unbind(0)) {
    const Tensor fits = (states.narrow(1, 0, columns) == row.to(at::kDouble)).all(1);
    rows.push_back(at::logsumexp(logs.masked_select(fits), 0));
  }
  (at::logsumexp(logs, 0) - at::stack(rows).mean()).backward();
  std::vector<Doubles> all;
  for (const Tensor& each : weights) all.push_back(doubles(each.grad()));
  for (const Tensor& each : biases) all.push_back(doubles(each.grad()));
  return all;
}

std::vector<Doubles> gradients_of(Dbm& dbm, const Tensor& x, Rng& rng) {
  dbm.gradients(x, {}, rng);
  std::vector<Doubles> all;
  for (const Tensor& each : dbm.weights) all.push_back(doubles(each.grad()));
  for (const Tensor& each : dbm.biases) all.push_back(doubles(each.grad()));
  return all;
}

Doubles joined(const std::vector<Doubles>& parts) {
  Doubles all;
  for (const Doubles& each : parts) all.insert(all.end(), each.begin(), each.end());
  return all;
}

Tensor some_rows(std::int64_t count, std::uint64_t seed) {
  Rng rng(seed);
  return bits_tensor(count, columns, rng, 0.4);
}

TEST(DbmExactGradient, EqualsAutomaticDifferentiation) {
  for (const std::string& hidden : shapes)
    for (const double scale : {0.3, 1.5}) {
      const auto dbm = make_dbm(hidden, scale, 29, learning_by("exact", false));
      Rng rng(31);
      const Tensor x = some_rows(9, 37);
      const Doubles wanted = joined(differentiated(*dbm, x));
      expect_near(joined(gradients_of(*dbm, x, rng)), wanted, 2e-6, hidden);
      expect_near(joined(gradients_of(*dbm, x, rng)), wanted, 2e-6, hidden + ", again");
    }
}

// The centred gradient is the plain one, its weights' part less what the offsets explain, carried back.
TEST(DbmCentring, IsThePlainGradientInOtherCoordinates) {
  for (const std::string& hidden : shapes) {
    DbmLearning still = learning_by("exact");
    still.offset_rate = 0;
    const auto dbm = make_dbm(hidden, 0.8, 41, still);
    Rng rng(43);
    for (Tensor& mean : dbm->means) mean.copy_(at::sigmoid(normal_tensor(mean.sizes(), 1, rng)));
    const Tensor x = some_rows(9, 47);
    const std::vector<Doubles> plain = differentiated(*dbm, x);
    const std::vector<Doubles> centred = gradients_of(*dbm, x, rng);
    const std::size_t couplings = dbm->weights.size();
    std::vector<Tensor> db;
    for (std::size_t l = 0; l <= couplings; ++l) db.push_back(at::tensor(plain[couplings + l], at::kDouble));
    const std::vector<Tensor> dc = db;
    for (std::size_t l = 0; l < couplings; ++l) {
      const Tensor below = dbm->means[l].to(at::kDouble), above = dbm->means[l + 1].to(at::kDouble);
      const Tensor dw = at::tensor(plain[l], at::kDouble).view(dbm->weights[l].sizes()) -
                        at::outer(below, dc[l + 1]) - at::outer(dc[l], above);
      expect_near(centred[l], doubles(dw), 2e-6, hidden + ", weights");
      db[l] = db[l] - dw.mv(above), db[l + 1] = db[l + 1] - dw.t().mv(below);
    }
    for (std::size_t l = 0; l <= couplings; ++l)
      expect_near(centred[couplings + l], doubles(db[l]), 2e-6, hidden + ", biases");
  }
}

// Offsets are coordinates of learning: whatever they are, p(x) is the same.
TEST(DbmCentring, LeavesProbabilitiesAsTheyAre) {
  const auto dbm = make_dbm("4,3", 0.8, 53);
  const Tensor x = all_states(columns);
  const Doubles before = doubles(*dbm->exact_log_unnormalised(x));
  const double log_z = *dbm->exact_log_partition();
  for (Tensor& mean : dbm->means) mean.fill_(0.1);
  expect_near(doubles(*dbm->exact_log_unnormalised(x)), before, 0, "log p*");
  EXPECT_EQ(*dbm->exact_log_partition(), log_z);
}

TEST(DbmCentring, OffsetsFollowTheMeansUnderTheData) {
  for (const std::string how : {"pcd", "exact"}) {
    DbmLearning learning = learning_by(how);
    learning.offset_rate = 0.25;
    const auto dbm = make_dbm("4,3", 0.5, 59, learning);
    const Tensor x = some_rows(40, 61), before = dbm->means[0].clone();
    Rng rng(67);
    dbm->gradients(x, {}, rng);
    expect_near(doubles(dbm->means[0]), doubles(before * 0.75 + x.mean(0) * 0.25), 1e-6, how);
    EXPECT_GT((dbm->means[2] - 0.5).abs().max().item<float>(), 1e-3) << how;
  }
}

// Chains in equilibrium give the mean of the model exactly, and stay in equilibrium: what a gradient is off
// the exact one is the mean field's part, which does not depend on the chains.
TEST(DbmPersistentChains, InEquilibriumAreRightOnAverage) {
  for (const std::string& hidden : shapes)
    for (const bool centring : {false, true}) {
      DbmLearning learning = learning_by("pcd", centring);
      learning.offset_rate = 0, learning.gibbs_steps = 2;
      const auto dbm = make_dbm(hidden, 0.6, 71, learning);
      const Doubles p = probabilities(PlainDbm(*dbm).log_half(dbm->kept()));
      const Tensor x = some_rows(20, 73);
      const DbmLayers q = dbm->mean_field(x).means;
      const DbmMoments model = dbm->model_moments();
      std::vector<Tensor> dw, db;
      for (std::size_t l = 0; l < q.size(); ++l) db.push_back(model.means[l] - q[l].to(at::kDouble).mean(0));
      const std::vector<Tensor> dc = db;
      for (std::size_t l = 0; l + 1 < q.size(); ++l) {
        dw.push_back(model.products[l] - q[l].to(at::kDouble).t().mm(q[l + 1].to(at::kDouble)) / 20);
        if (!centring) continue;
        const Tensor below = dbm->means[l].to(at::kDouble), above = dbm->means[l + 1].to(at::kDouble);
        dw[l] = dw[l] - at::outer(below, dc[l + 1]) - at::outer(dc[l], above);
        db[l] = db[l] - dw[l].mv(above), db[l + 1] = db[l + 1] - dw[l].t().mv(below);
      }
      Doubles wanted;
      for (const std::vector<Tensor>& parts : {dw, db})
        for (const Tensor& each : parts)
          for (const double value : doubles(each)) wanted.push_back(value);
      Moments moments;
      std::vector<Tensor> after;
      for (std::uint64_t seed = 0; seed < 300; ++seed) {
        Rng own(seed);
        const DbmLayers start =
            dbm->split_half(exact_samples(p, dbm->half_units(dbm->kept(), 0), 50, own), dbm->kept(), 0);
        for (std::size_t l = 0; l < start.size(); ++l)
          if (start[l].defined()) dbm->chains[l].copy_(start[l]);
        moments.add(joined(gradients_of(*dbm, x, own)));
        after.push_back(dbm->join_half(dbm->chains, dbm->kept()));
      }
      EXPECT_LT(moments.largest_z(wanted, 1e-6), 6) << hidden << centring;
      expect_drawn_from(at::cat(after), p, hidden);
    }
}

TEST(DbmGradient, DoesNotDependOnTheNumberOfThreads) {
  DbmOptions options;
  options.hidden = "300,200,250";
  auto gradient = [&](int count) {
    const Threads threads(count);
    Dbm dbm(options, {}, bits_shape(400));
    Rng rng(79);
    const Tensor x = bits_tensor(100, 400, rng, 0.2);
    dbm.initialise(x, rng);
    randomise(dbm, 0.1, rng);
    dbm.gradients(x, {}, rng);
    std::vector<Tensor> all = dbm.chains;
    for (const Tensor& each : dbm.parameters()) all.push_back(each.grad());
    return all;
  };
  const std::vector<Tensor> one = gradient(1), four = gradient(4);
  for (std::size_t i = 0; i < one.size(); ++i)
    if (one[i].defined()) expect_bit_equal(one[i], four[i], std::to_string(i));
}

// Rows that are all zeros or all ones but for some flips, so that independent units are far from them; the
// start has small weights.
TEST(DbmLearning, RaisesTheLikelihoodByEitherRule) {
  Rng rng(89);
  const Tensor side = bits_tensor(300, 1, rng).expand({300, columns});
  const Tensor x = (side - bits_tensor(300, columns, rng, 0.1)).abs();
  auto learnt = [&](const std::string& how) {
    const auto dbm = make_dbm("4,3", 0, 97, learning_by(how));
    Rng own(101);
    dbm->initialise(x, own);
    auto log_prob = [&] {
      return dbm->exact_log_unnormalised(x)->mean().item<double>() - *dbm->exact_log_partition();
    };
    NoGradGuard no_graph;
    for (Tensor& w : dbm->weights) w.mul_(20);
    const double before = log_prob();
    for (int step = 0; step < 1500; ++step) {
      dbm->gradients(x, {}, own);
      for (Tensor parameter : dbm->parameters()) parameter.sub_(parameter.grad(), 0.2 * (1 - step / 1500.0));
    }
    EXPECT_GT(log_prob(), before + 0.05) << how;
    return log_prob();
  };
  EXPECT_NEAR(learnt("pcd"), learnt("exact"), 0.1);
}

// ---------------------------------------------------------------- tempered chains

// p_beta of the states of the kept half: log p*_beta is linear in beta up to what is summed out.
Doubles log_half_at(const Dbm& dbm, double beta) {
  const std::int64_t kept = dbm.half_units(dbm.kept(), 0), other = dbm.half_units(1 - dbm.kept(), 0);
  const Tensor kept_states = all_states(kept), other_states = all_states(other);
  Doubles logs;
  for (std::int64_t r = 0; r < kept_states.size(0); ++r) {
    const Tensor state = kept_states.narrow(0, r, 1).expand({other_states.size(0), kept});
    DbmLayers s = dbm.split_half(state, dbm.kept(), 0);
    const DbmLayers rest = dbm.split_half(other_states, 1 - dbm.kept(), 0);
    Tensor log_weight = at::zeros({other_states.size(0)}, at::kDouble);
    for (std::size_t l = 0; l < dbm.layers(); ++l)
      if (rest[l].defined()) s[l] = rest[l];
    for (std::size_t l = 0; l < dbm.layers(); ++l) {
      const Tensor h = s[l].to(at::kDouble), base = dbm.base_activation(l).to(at::kDouble);
      log_weight += h.mv(base + beta * (dbm.biases[l].to(at::kDouble) - base));
      if (l > 0)
        log_weight += beta * (s[l - 1].to(at::kDouble).mm(dbm.weights[l - 1].to(at::kDouble)) * h).sum(1);
    }
    logs.push_back(log_sum_exp(doubles(log_weight)));
  }
  return logs;
}

// Begun at the distribution of its temperature each level stays there, swaps and all.
TEST(DbmTemperedChains, KeepTheDistributionOfEveryTemperature) {
  constexpr std::int64_t levels = 3, count = 8000;
  for (const std::string hidden : {"4,3", "8,2"}) {
    DbmOptions options;
    options.hidden = hidden;
    DbmLearning learning = learning_by("pt");
    learning.chains = count, learning.temperatures = levels;
    learning.gibbs_steps = 2, learning.offset_rate = 0;
    Dbm dbm(options, learning, bits_shape(columns));
    Rng rng(41);
    const Tensor x = bits_tensor(30, columns, rng, 0.35);
    dbm.initialise(x, rng);
    randomise(dbm, 0.8, rng);
    std::vector<Doubles> p;
    std::vector<Tensor> start;
    for (std::int64_t t = 0; t < levels; ++t) {
      p.push_back(probabilities(log_half_at(dbm, real(t) / real(levels - 1))));
      start.push_back(exact_samples(p.back(), dbm.half_units(dbm.kept(), 0), count, rng));
    }
    expect_near(p.back(), probabilities(PlainDbm(dbm).log_half(dbm.kept())), 1e-6, "the model is the last");
    const DbmLayers layers = dbm.split_half(at::cat(start), dbm.kept(), 0);
    for (std::size_t l = 0; l < layers.size(); ++l)
      if (layers[l].defined()) dbm.chains[l].copy_(layers[l]);
    for (std::int64_t step = 0; step < 4; ++step) {
      dbm.gradients(x, {.step = step, .steps = 4}, rng);
      const Tensor after = dbm.join_half(dbm.chains, dbm.kept());
      for (std::int64_t t = 0; t < levels; ++t)
        expect_drawn_from(after.narrow(0, t * count, count), p[size(t)],
                          hidden + " level " + std::to_string(t) + " step " + std::to_string(step));
    }
    EXPECT_TRUE((dbm.swap_rates > 0).all().item<bool>()) << "both pairs had their turns";
  }
}

// A gradient differs from that of chains at one temperature by the noise of its chains alone.
TEST(DbmTemperedChains, InEquilibriumAreRightOnAverage) {
  DbmLearning learning = learning_by("pt", false);
  learning.temperatures = 3, learning.gibbs_steps = 1, learning.offset_rate = 0;
  const auto dbm = make_dbm("4,3", 0.6, 43, learning);
  Rng rng(47);
  const Tensor x = bits_tensor(20, columns, rng, 0.4);
  const DbmLayers q = dbm->mean_field(x).means;
  const DbmMoments model = dbm->model_moments();
  Doubles wanted;
  for (std::size_t l = 0; l + 1 < q.size(); ++l)
    for (const double each :
         doubles(model.products[l] - q[l].to(at::kDouble).t().mm(q[l + 1].to(at::kDouble)) / 20))
      wanted.push_back(each);
  for (std::size_t l = 0; l < q.size(); ++l)
    for (const double each : doubles(model.means[l] - q[l].to(at::kDouble).mean(0))) wanted.push_back(each);
  std::vector<Doubles> p;
  for (const double beta : {0.0, 0.5, 1.0}) p.push_back(probabilities(log_half_at(*dbm, beta)));
  Moments moments;
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    Rng own(seed);
    std::vector<Tensor> start;
    for (const Doubles& each : p)
      start.push_back(exact_samples(each, dbm->half_units(dbm->kept(), 0), 50, own));
    const DbmLayers layers = dbm->split_half(at::cat(start), dbm->kept(), 0);
    for (std::size_t l = 0; l < layers.size(); ++l)
      if (layers[l].defined()) dbm->chains[l].copy_(layers[l]);
    dbm->gradients(x, {.step = static_cast<std::int64_t>(seed)}, own);
    Doubles all;
    for (const std::vector<Tensor>* parameters : {&dbm->weights, &dbm->biases})
      for (const Tensor& each : *parameters)
        for (const double g : doubles(each.grad())) all.push_back(g);
    moments.add(all);
  }
  EXPECT_LT(moments.largest_z(wanted, 1e-6), 6);
}

TEST(DbmTemperedChains, GradientsDoNotDependOnTheNumberOfThreads) {
  DbmOptions options;
  options.hidden = "300,200";
  const auto gradients = [&](int count) {
    const Threads threads(count);
    DbmLearning learning = learning_by("pt");
    learning.temperatures = 4;
    Dbm dbm(options, learning, bits_shape(400));
    Rng rng(53);
    const Tensor x = bits_tensor(100, 400, rng, 0.2);
    dbm.initialise(x, rng);
    randomise(dbm, 0.1, rng);
    dbm.gradients(x, {}, rng);
    std::vector<Tensor> all = {dbm.chains[static_cast<std::size_t>(dbm.kept())], dbm.swap_rates};
    for (const Tensor& each : dbm.parameters()) all.push_back(each.grad());
    return all;
  };
  const std::vector<Tensor> one = gradients(1), four = gradients(4);
  for (std::size_t i = 0; i < one.size(); ++i) expect_bit_equal(one[i], four[i], std::to_string(i));
}

}  // namespace
}  // namespace deepgen::dbm_training_test
