// Sweeps over all units of a general Boltzmann machine, its hidden units given the visible ones, and
// annealing with few and many hidden units.
#include "tests/library/plain_boltzmann_machine.h"

#include "deepgen/evaluate/annealing.h"
#include "deepgen/models/boltzmann/boltzmann_sweeps.h"

namespace deepgen::boltzmann_sweeps_test {
namespace {

using namespace machines;

TEST(BoltzmannSweep, LeavesTheDistributionOfAllUnitsUnchanged) {
  for (const double scale : {0.3, 1.5}) {
    const auto machine = make_boltzmann_machine(4, 3, scale, 29);
    const Doubles p = probabilities(PlainBoltzmannMachine(*machine).log_joints());
    Rng rng(31);
    BoltzmannRows rows(machine->weights(), machine->biases, exact_samples(p, 7, 40000, rng));
    for (int k = 0; k < 3; ++k) {
      rows.sweep({}, rng);
      expect_drawn_from(rows.states(), p, "sweep " + std::to_string(k));
    }
  }
}

// The check above sees a machine that is another.
TEST(BoltzmannSweep, OfAnotherMachineIsSeen) {
  const auto machine = make_boltzmann_machine(4, 3, 1.5, 29);
  const Doubles p = probabilities(PlainBoltzmannMachine(*machine).log_joints());
  Rng rng(31);
  BoltzmannRows rows(machine->weights(), machine->biases + 0.1, exact_samples(p, 7, 40000, rng));
  for (int k = 0; k < 3; ++k) rows.sweep({}, rng);
  EXPECT_GT(chi_square_z(state_numbers(rows.states()), p), one_in_a_million);
}

TEST(BoltzmannSweep, KeepsWhatUnitsReceiveUpToDate) {
  const auto machine = make_boltzmann_machine(9, 6, 2, 37);
  Rng rng(41);
  BoltzmannRows rows(machine->weights(), machine->biases, bits_tensor(50, 15, rng));
  const Tensor before = rows.states().clone();
  for (int k = 0; k < 200; ++k) rows.sweep({}, rng);
  rows.put_last(bits_tensor(50, 6, rng));
  EXPECT_FALSE(at::equal(rows.states(), before));
  const Tensor fresh =
      rows.states().to(at::kDouble).mm(machine->weights().to(at::kDouble)) + machine->biases.to(at::kDouble);
  expect_near(doubles(rows.received()), doubles(fresh), 1e-10, "a = s W + b");
}

TEST(BoltzmannSweep, HoldsWhatItIsToldTo) {
  const auto machine = make_boltzmann_machine(6, 4, 0.5, 43);
  Rng rng(47);
  const Tensor start = bits_tensor(300, 10, rng), known = bits_tensor(300, 6, rng) > 0.5;
  BoltzmannRows held(machine->weights(), machine->biases, start.clone());
  held.sweep({.known = known}, rng);
  expect_bit_equal(held.states().narrow(1, 0, 6).masked_select(known),
                   start.narrow(1, 0, 6).masked_select(known), "known units");
  EXPECT_FALSE(at::equal(held.states(), start));
  BoltzmannRows hidden(machine->weights(), machine->biases, start.clone());
  hidden.sweep({.first = 6}, rng);
  expect_bit_equal(hidden.states().narrow(1, 0, 6), start.narrow(1, 0, 6), "visible units");
  EXPECT_FALSE(at::equal(hidden.states(), start));
}

TEST(BoltzmannSweep, DoesNotDependOnTheNumberOfThreads) {
  const auto machine = make_boltzmann_machine(100, 7, 0.3, 53);
  auto after = [&](int count) {
    const Threads threads(count);
    Rng rng(59);
    BoltzmannRows rows(machine->weights(), machine->biases, bits_tensor(500, 107, rng));
    for (int k = 0; k < 3; ++k) rows.sweep({}, rng);
    return rows.states().clone();
  };
  expect_bit_equal(after(1), after(4), "states");
}

// ---------------------------------------------------------------- annealing

// From 13 hidden units on they are annealed with the visible ones.
TEST(ManyHiddenUnits, AnnealingFindsTheExactPartition) {
  const auto machine = make_boltzmann_machine(3, BoltzmannMachine::summed_hidden + 1, 0.5, 109);
  const double log_z = *machine->exact_log_partition();
  Doubles logs = PlainBoltzmannMachine(*machine).log_joints();
  EXPECT_NEAR(log_z, log_sum_exp(logs), 1e-9);
  Rng rng(113);
  Observer silent;
  std::vector<double> betas;
  for (int k = 0; k <= 200; ++k) betas.push_back(k / 200.0);
  const LogPartition forward = anneal_forward(*machine, betas, 200, rng, silent);
  EXPECT_NEAR(forward.value, log_z, 6 * forward.standard_error + 1e-6);
  EXPECT_LT(forward.standard_error, 0.2);
  const Doubles p = probabilities(PlainBoltzmannMachine(*machine).log_unnormalised());
  const LogPartition reverse = anneal_reverse(*machine, betas, exact_samples(p, 3, 200, rng), rng, silent);
  EXPECT_NEAR(reverse.value, log_z, 6 * reverse.standard_error + 1e-6);
  EXPECT_LT(reverse.standard_error, 0.2);
}

TEST(BoltzmannAnnealing, GivenTheKnownCellsSumsTheOthersOut) {
  const auto machine = make_boltzmann_machine(6, 3, 0.7, 127);
  Rng rng(131);
  Tensor x = at::tensor({1.0F, 0.0F, std::nanf(""), std::nanf(""), 1.0F, std::nanf("")}).unsqueeze(0);
  const double wanted = -machine->marginal_free_energy(x)->item<double>();
  const Tensor rows = x.repeat({20000, 1});
  const auto chains = machine->anneal_given(rows, rng);
  Tensor log_weights = machine->log_base_partition_given(rows);
  for (int k = 0; k < 10; ++k) chains->step(k / 10.0, (k + 1) / 10.0, log_weights, rng);
  Moments moments;
  for (const double value : doubles(log_weights)) moments.add({std::exp(value - wanted)});
  EXPECT_LT(moments.largest_z({1}, 1e-6), 5.5);
  const Tensor known = rows.isnan().logical_not();
  expect_bit_equal(chains->states(rng).masked_select(known), rows.masked_select(known), "known cells");
}

TEST(HiddenStates, AreDrawnFromTheirConditional) {
  const auto machine = make_boltzmann_machine(3, 4, 1.2, 137);
  const PlainBoltzmannMachine plain(*machine);
  Rng rng(139);
  for (const double beta : {0.0, 0.6, 1.0}) {
    const std::int64_t v = 0b101;
    Doubles logs;  // the visible units' own part is the same for all h
    for (std::int64_t h = 0; h < 16; ++h) logs.push_back(beta * plain.log_joint(v | h << 3));
    const Tensor x = at::tensor({1.0F, 0.0F, 1.0F}).repeat({40000, 1});
    const Tensor h = machine->sample_hidden(machine->hidden_input(x), beta, rng);
    expect_drawn_from(h, probabilities(logs), "beta " + std::to_string(beta));
  }
}

}  // namespace
}  // namespace deepgen::boltzmann_sweeps_test
