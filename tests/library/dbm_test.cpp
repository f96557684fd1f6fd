// The deep Boltzmann machine against enumeration of all its units.
#include "tests/library/small_dbms.h"

#include "deepgen/core/observer.h"
#include "deepgen/evaluate/annealing.h"
#include "deepgen/tasks/tasks.h"

namespace deepgen::dbm_test {
namespace {

using namespace small_dbms;

class SmallDbm : public ::testing::TestWithParam<std::string> {
 protected:
  std::shared_ptr<Dbm> dbm = make_dbm(GetParam(), 0.8, 3);
  PlainDbm plain{*dbm};
  const DbmHalf& half() const { return dynamic_cast<const DbmHalf&>(dbm->top_machine()); }
  Doubles half_probabilities() const { return probabilities(plain.log_half(dbm->kept())); }
};
INSTANTIATE_TEST_SUITE_P(Shapes, SmallDbm, ::testing::ValuesIn(shapes),
                         [](const auto& about) { return std::to_string(about.index); });

TEST(DbmHalves, AreTheSmallerOnes) {
  EXPECT_EQ(make_dbm("4,3", 0, 1)->kept(), 1);
  EXPECT_EQ(make_dbm("4,3", 0, 1)->drawn(), 0);
  EXPECT_EQ(make_dbm("3,2,4", 0, 1)->kept(), 1);
  EXPECT_EQ(make_dbm("3,2,4", 0, 1)->drawn(), 0);
  EXPECT_EQ(make_dbm("8,2", 0, 1)->kept(), 0);
  EXPECT_EQ(make_dbm("2,8", 0, 1)->drawn(), 1);
}

// ---------------------------------------------------------------- sums

TEST_P(SmallDbm, ProbabilitiesOfItsCasesSumToOne) {
  const auto logs = dbm->exact_log_unnormalised(all_states(columns));
  ASSERT_TRUE(logs);
  expect_near(doubles(*logs), plain.log_cases(), 1e-9, "log p*");
  EXPECT_NEAR(std::exp(at::logsumexp(*logs, 0).item<double>() - *dbm->exact_log_partition()), 1, 1e-9);
}

TEST_P(SmallDbm, LogZIsTheSameByEitherHalf) {
  EXPECT_NEAR(*dbm->exact_log_partition(), plain.log_z(), 1e-9);
  for (const int parity : {0, 1}) {
    const Tensor states = all_states(dbm->half_units(parity, 0)).to(at::kDouble);
    const Tensor logs = dbm->log_sum_over(1 - parity, dbm->split_half(states, parity, 0));
    expect_near(doubles(logs), plain.log_half(parity), 1e-9, "half " + std::to_string(parity));
    EXPECT_NEAR(at::logsumexp(logs, 0).item<double>(), plain.log_z(), 1e-9) << parity;
  }
}

TEST_P(SmallDbm, ManyDrawsOfEitherHalfComeToTheTruth) {
  for (const std::string& hidden : {GetParam(), std::string("2,6")}) {
    const auto machine = make_dbm(hidden, 0.5, 5);
    const Doubles truth = PlainDbm(*machine).log_cases();
    Rng rng(7);
    Moments moments;
    for (int repeat = 0; repeat < 60; ++repeat) {
      const Tensor bound = machine->log_prob_bound(all_states(columns), 100, rng);
      moments.add(doubles((bound - at::tensor(truth, at::kDouble)).exp()));
    }
    EXPECT_LT(moments.largest_z(Doubles(truth.size(), 1), 1e-5), 5.5) << hidden;
  }
}

// ---------------------------------------------------------------- mean field

// Each step is coordinate ascent on the bound; float32 means leave 1e-5.
TEST_P(SmallDbm, MeanFieldNeverLowersTheBound) {
  const Tensor x = all_states(columns);
  const Doubles truth = plain.log_cases();
  Doubles before, start;
  for (std::int64_t steps = 0; steps < 40; ++steps) {
    const DbmMeanField q = dbm->mean_field(x, steps, 0);
    EXPECT_LE(q.steps, steps) << "it ends early where nothing moves any more";
    if (steps < 3) {
      EXPECT_EQ(q.steps, steps);
    }
    const Doubles now = doubles(dbm->mean_field_bound(q.means));
    for (std::size_t r = 0; r < now.size(); ++r) {
      EXPECT_LE(now[r], truth[r] + 1e-5) << "a bound";
      if (steps > 0) {
        EXPECT_GE(now[r], before[r] - 1e-5) << "step " << steps << ", row " << r;
      }
    }
    before = now;
    if (steps == 0) start = now;
  }
  double gained = 0;
  for (std::size_t r = 0; r < before.size(); ++r) gained += before[r] - start[r];
  EXPECT_GT(gained / real(static_cast<std::int64_t>(before.size())), 0.1) << "the case shows nothing";
}

// The bound is E_q[-E] + H(q), here state by state.
TEST_P(SmallDbm, TheBoundIsThatOfIndependentUnits) {
  const DbmLayers q = dbm->mean_field(all_states(columns).narrow(0, 11, 1), 3, 0).means;
  double wanted = 0;
  for (std::size_t s = 0; s < plain.logs.size(); ++s) {
    const auto state = static_cast<std::int64_t>(s);
    if (plain.layer(state, 0) != 11) continue;
    double log_q = 0;
    for (std::size_t l = 1; l < plain.sizes.size(); ++l)
      for (std::int64_t i = 0; i < plain.sizes[l]; ++i) {
        const double mu = q[l][0][i].item<double>();
        log_q += std::log((plain.layer(state, l) >> i & 1) == 1 ? mu : 1 - mu);
      }
    wanted += std::exp(log_q) * (plain.logs[s] - log_q);
  }
  EXPECT_NEAR(dbm->mean_field_bound(q).item<double>(), wanted, 1e-5);
}

TEST_P(SmallDbm, TheMeanFieldEndsWhenNothingMoves) {
  const Tensor x = all_states(columns);
  const DbmMeanField q = dbm->mean_field(x, 1000, 1e-4);
  EXPECT_LT(q.steps, 1000);
  EXPECT_GT(q.steps, 1);
  const DbmMeanField more = dbm->mean_field(x, q.steps + 1, 0);
  for (std::size_t l = 1; l < q.means.size(); ++l)
    EXPECT_LT((q.means[l] - more.means[l]).abs().max().item<float>(), 1e-4) << l;
  EXPECT_EQ(dbm->mean_field(x.narrow(0, 0, 0)).steps, 0);
}

// ---------------------------------------------------------------- chains

TEST_P(SmallDbm, BlockGibbsLeavesTheDistributionUnchanged) {
  const Doubles p = half_probabilities();
  Rng rng(11);
  const Tensor start = exact_samples(p, dbm->half_units(dbm->kept(), 0), 40000, rng);
  const Tensor end = half().chain_steps(start, 2, rng);
  expect_drawn_from(end, p, "states");
  EXPECT_FALSE(at::equal(start, end));
  expect_drawn_from(dbm->cases_of(end, false, rng), probabilities(plain.log_cases()), "cases");
}

TEST_P(SmallDbm, OfAnotherMachineIsSeen) {
  const Doubles p = half_probabilities();
  Rng rng(11);
  const Tensor start = exact_samples(p, dbm->half_units(dbm->kept(), 0), 40000, rng);
  NoGradGuard no_graph;
  dbm->biases[1].add_(0.3);
  EXPECT_GT(chi_square_z(state_numbers(half().chain_steps(start, 3, rng)), p), one_in_a_million);
}

TEST_P(SmallDbm, InferredStatesFollowThePosterior) {
  const std::int64_t v = 13;
  std::vector<Doubles> terms(size(std::int64_t{1} << dbm->half_units(dbm->kept(), 0)));
  Doubles logs(terms.size(), -std::numeric_limits<double>::infinity());
  for (std::size_t s = 0; s < plain.logs.size(); ++s) {
    const auto state = static_cast<std::int64_t>(s);
    if (plain.layer(state, 0) != v) continue;
    std::int64_t number = 0, shift = 0;
    for (auto l = static_cast<std::size_t>(dbm->kept()); l < plain.sizes.size(); l += 2)
      number |= plain.layer(state, l) << shift, shift += plain.sizes[l];
    terms[size(number)].push_back(plain.logs[s]);
  }
  for (std::size_t k = 0; k < terms.size(); ++k)
    if (!terms[k].empty()) logs[k] = log_sum_exp(terms[k]);
  Rng rng(13);
  const Tensor x = all_states(columns).narrow(0, v, 1).repeat({20000, 1});
  expect_drawn_from(dbm->states_of(x, rng), probabilities(logs), "states");
}

TEST_P(SmallDbm, CompletionsFollowTheConditional) {
  Doubles logs = plain.log_cases(), given(logs.size());
  double sum = 0;
  for (std::size_t v = 0; v < logs.size(); ++v)
    if ((v & 0b00101) == 0b00001) sum += given[v] = std::exp(logs[v] - logs[1]);
  for (double& each : given) each /= sum;
  const float gap = std::nanf("");
  const Tensor x = at::tensor({1.0F, gap, 0.0F, gap, gap}).repeat({20000, 1});
  Rng rng(17);
  expect_drawn_from(dbm->complete(x, rng), given, "completions");
}

TEST_P(SmallDbm, AnnealingComesToTheExactLogZ) {
  Rng rng(19);
  Observer silent;
  std::vector<double> betas;
  for (int k = 0; k <= 100; ++k) betas.push_back(k / 100.0);
  const double log_z = plain.log_z();
  const LogPartition forward = anneal_forward(half(), betas, 300, rng, silent);
  EXPECT_NEAR(forward.value, log_z, 6 * forward.standard_error + 1e-5);
  EXPECT_LT(forward.standard_error, 0.2);
  const Tensor start = exact_samples(half_probabilities(), dbm->half_units(dbm->kept(), 0), 300, rng);
  const LogPartition reverse = anneal_reverse(half(), betas, start, rng, silent);
  EXPECT_NEAR(reverse.value, log_z, 6 * reverse.standard_error + 1e-5);
  EXPECT_LT(reverse.standard_error, 0.2);
}

// What a whole step adds to a state's weight leads from the base: its sum must be the base's Z.
TEST_P(SmallDbm, TheBaseOfAnnealingHasTheStatedPartition) {
  Rng rng(23);
  const Tensor states = all_states(dbm->half_units(dbm->kept(), 0));
  Tensor weights = at::zeros({states.size(0)}, at::kDouble);
  half().anneal_from(states)->step(0, 1, weights, rng);
  const Tensor base = -half().free_energy(states) - weights;
  EXPECT_NEAR(at::logsumexp(base, 0).item<double>(), half().log_base_partition(), 1e-4);
  const Tensor starts = half().anneal_from_base(30000, rng)->states(rng);
  expect_drawn_from(starts, probabilities(doubles(base)), "the start of forward runs");
}

// ---------------------------------------------------------------- codes

TEST_P(SmallDbm, CodesAreMeansOfAllHiddenLayers) {
  const Tensor x = all_states(columns), code = dbm->encode(x);
  ASSERT_EQ(code.size(1), plain.units() - columns);
  const DbmLayers q = dbm->mean_field(x).means;
  expect_bit_equal(code.narrow(1, 0, plain.sizes[1]).contiguous(), q[1], "layer 1");
  const Tensor v = (q[1].mm(dbm->weights[0].t()) + dbm->biases[0]).sigmoid();
  expect_near(doubles(dbm->decode(code)), doubles(v), 1e-6, "decoded");
}

// ---------------------------------------------------------------- bad input

TEST(DbmOptions, ThatDoNotFitAreRefused) {
  auto refused = [](const std::string& hidden, const std::string& how) {
    return error_of(ErrorKind::usage, [&] { make_dbm(hidden, 0, 1, learning_by(how)); });
  };
  expect_says(refused("4", "pcd"), {"model.hidden", "two", "rbm"});
  expect_says(refused("", "pcd"), {"model.hidden"});
  expect_says(refused("4,x", "pcd"), {"model.hidden", "4,x"});
  expect_says(refused("13,13", "exact"), {"training.learning", "12", "13", "pcd"});
  const auto centred = make_dbm("4,3", 0, 1), plain = make_dbm("4,3", 0, 1, learning_by("pcd", false));
  expect_says(error_of(ErrorKind::usage, [&] { centred->check_optimiser("adam", 0); }), {"adam", "centring"});
  EXPECT_NO_THROW(plain->check_optimiser("adam", 0));
}

TEST(DbmData, CellsThatAreMissingOrNoBitsAreRefused) {
  const auto dbm = make_dbm("4,3", 0, 1);
  Tensor x = at::zeros({3, columns});
  x[1][2] = 0.5;
  expect_says(error_of(ErrorKind::data, [&] { dbm->check_data(x, "rows", 10); }),
              {"rows", "binary units", "row 11, column 2"});
  x[1][2] = std::nanf("");
  expect_says(error_of(ErrorKind::data, [&] { dbm->check_data(x, "rows", 10); }), {"11", "every cell"});
}

}  // namespace
}  // namespace deepgen::dbm_test
