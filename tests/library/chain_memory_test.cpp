// training.gibbs_steps=auto: more Gibbs steps when the chains remember too much.
#include "tests/library/machines.h"

namespace deepgen::chain_memory_test {
namespace {

using namespace machines;

RbmLearning automatic(const std::string& how, double memory, const std::string& steps = "auto") {
  RbmLearning learning;
  learning.learning = how, learning.centring = false, learning.gibbs_steps = steps;
  learning.gibbs_memory = memory;
  return learning;
}

struct Memory {
  double steps, share;
};
Memory after_updates(Rbm& rbm, int updates) {
  Rng rng(3);
  const Tensor x = bits_tensor(200, rbm.visible(), rng, 0.5);
  for (int i = 0; i < updates; ++i) {
    Rng own = rng.fork({static_cast<std::uint64_t>(i)});
    rbm.gradients({x, {}}, {0, 0, 0, i, updates}, own);
  }
  return {rbm.chain_memory[0].item<double>(), rbm.chain_memory[1].item<double>()};
}

class ChainMemory : public ::testing::TestWithParam<std::string> {};
INSTANTIATE_TEST_SUITE_P(Rules, ChainMemory, ::testing::Values("cd", "pcd"));

// Without weights a step forgets everything: there is no reason for a second one.
TEST_P(ChainMemory, MachinesWithoutWeightsTakeOneStep) {
  const auto rbm = make_rbm(6, 8, 0, 1, automatic(GetParam(), 0.2));
  const Memory memory = after_updates(*rbm, 100);
  EXPECT_LE(memory.steps, 1);
  EXPECT_LT(std::abs(memory.share), 0.1);
}

// Units in pairs with strong weights: each remembers itself for long, and steps rise to the limit and no further.
TEST_P(ChainMemory, StrongWeightsTakeAsManyStepsAsAreAllowed) {
  const auto rbm = make_rbm(6, 6, 0, 1, automatic(GetParam(), 0.2, "auto..7"));
  rbm->weights.copy_(at::eye(6) * 12);
  rbm->visible_bias.fill_(-6), rbm->hidden_bias.fill_(-6);
  const Memory memory = after_updates(*rbm, 200);
  EXPECT_EQ(memory.steps, 7);
  EXPECT_GT(memory.share, 0.2);
}

// A pair of units with weight w and biases -w / 2 is a chain of two states that stays with probability
// m^2 + (1 - m)^2, m = sigmoid(w / 2), and remembers (2 m - 1)^2 a step: the average finds that number.
TEST_P(ChainMemory, IsTheEigenvalueOfThePair) {
  const auto rbm = make_rbm(6, 6, 0, 1, automatic(GetParam(), 1));
  const double w = 3, m = 1 / (1 + std::exp(-w / 2)), wanted = (2 * m - 1) * (2 * m - 1);
  rbm->weights.copy_(at::eye(6) * w);
  rbm->visible_bias.fill_(-w / 2), rbm->hidden_bias.fill_(-w / 2);
  const Memory memory = after_updates(*rbm, 400);
  EXPECT_LE(memory.steps, 1);
  EXPECT_NEAR(memory.share, wanted, 0.05);
}

TEST(ChainMemoryOption, IsOffUnlessAskedFor) {
  EXPECT_FALSE(make_rbm(4, 3, 0.1, 1)->chain_memory.defined());
  EXPECT_TRUE(make_rbm(4, 3, 0.1, 1, automatic("cd", 0.5))->chain_memory.defined());
}

TEST(ChainMemoryOption, IsReadOrRefused) {
  const GibbsRange range = parse_gibbs_steps("auto..9");
  EXPECT_TRUE(range.automatic);
  EXPECT_EQ(range.first, 1);
  EXPECT_EQ(range.last, 9);
  EXPECT_EQ(parse_gibbs_steps("auto").last, most_automatic_steps);
  EXPECT_FALSE(parse_gibbs_steps("1..9").automatic);
  for (const char* wrong : {"auto..", "auto..0", "auto..x", "automatic", "1..auto"})
    EXPECT_THROW(parse_gibbs_steps(wrong), Error) << wrong;
  for (const char* how : {"pt", "exact"})
    EXPECT_THROW(make_rbm(4, 3, 0, 1, automatic(how, 0.5)), Error) << how;
}

}  // namespace
}  // namespace deepgen::chain_memory_test
