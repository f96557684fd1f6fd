// The machine as a deep belief net with tied weights, against sums over all states of all layers; its learning rule
// term by term; untied layers and the bound.
#include "deepgen/models/belief/tied_belief_net.h"

#include "tests/library/machines.h"

namespace deepgen::tied_belief_net_test {
namespace {

using namespace machines;

EnumeratedRbm machine_of(std::int64_t visible, std::int64_t hidden, double scale, std::uint64_t seed) {
  Rng rng(seed);
  return {normal_tensor({visible, hidden}, scale, rng), normal_tensor({visible}, scale, rng),
          normal_tensor({hidden}, scale, rng)};
}

// Shares of the states of v that no machine has.
Tensor data_shares(std::int64_t visible, std::uint64_t seed) {
  Rng rng(seed);
  return state_shares(bits_tensor(11, visible, rng, 0.4));
}

double bit(std::int64_t state, std::int64_t i) { return real(state >> i & 1); }

// The net by its definition alone: the probability of every state of all layers together.
class PlainNet {
 public:
  PlainNet(const EnumeratedRbm& m, std::int64_t depth)
      : depth_(depth),
        sizes_{m.visible(), m.hidden()},
        w_(doubles(m.weights())),
        biases_{doubles(m.visible_bias()), doubles(m.hidden_bias())} {
    log_z_ = log_sum_exp(top_logs());
  }
  std::int64_t size_of(std::int64_t l) const { return sizes_[size(l % 2)]; }
  // What unit i of layer l receives from layer l + 1.
  double input(std::int64_t l, std::int64_t i, std::int64_t above) const {
    double a = biases_[size(l % 2)][size(i)];
    for (std::int64_t j = 0; j < size_of(l + 1); ++j) a += weight(l, i, j) * bit(above, j);
    return a;
  }
  static double mean(double a) { return 1 / (1 + std::exp(-a)); }

  // Calls body(states, probability) for all states of all layers.
  void for_all(const std::function<void(const std::vector<std::int64_t>&, double)>& body) const {
    std::vector<std::int64_t> states(size(depth_ + 1));
    std::int64_t bits = 0;
    for (std::int64_t l = 0; l <= depth_; ++l) bits += size_of(l);
    for (std::int64_t s = 0; s < std::int64_t{1} << bits; ++s) {
      std::int64_t rest = s;
      for (std::int64_t l = 0; l <= depth_; ++l) {
        states[size(l)] = rest & ((std::int64_t{1} << size_of(l)) - 1);
        rest >>= size_of(l);
      }
      body(states, std::exp(log_joint(states)));
    }
  }

  Doubles p_visible() const {
    Doubles p(size(std::int64_t{1} << size_of(0)));
    for_all([&](const auto& states, double probability) { p[size(states[0])] += probability; });
    return p;
  }

  // Of layer l: data's posterior of (s_l - <s_l | s_l+1>) s_l+1', row by row; of the top <s s'> less the model's.
  Doubles term(std::int64_t l, const Doubles& data) const {
    const Doubles p = p_visible();
    Doubles sum(size(size_of(l) * size_of(l + 1)));
    for_all([&](const auto& states, double probability) {
      const double posterior = data[size(states[0])] * probability / p[size(states[0])];
      const std::int64_t below = states[size(l)], above = states[size(l + 1)];
      for (std::int64_t i = 0; i < size_of(l); ++i)
        for (std::int64_t j = 0; j < size_of(l + 1); ++j) {
          double& out = sum[size(i * size_of(l + 1) + j)];
          if (l + 1 < depth_)
            out += posterior * (bit(below, i) - mean(input(l, i, above))) * bit(above, j);
          else
            out += (posterior - probability) * bit(below, i) * bit(above, j);
        }
    });
    return sum;
  }

 private:
  double weight(std::int64_t l, std::int64_t i, std::int64_t j) const {
    return l % 2 == 0 ? w_[size(i * sizes_[1] + j)] : w_[size(j * sizes_[1] + i)];
  }
  double minus_energy(std::int64_t l, std::int64_t below, std::int64_t above) const {
    double e = 0;
    for (std::int64_t i = 0; i < size_of(l); ++i) e += bit(below, i) * input(l, i, above);
    for (std::int64_t j = 0; j < size_of(l + 1); ++j)
      e += bit(above, j) * biases_[size((l + 1) % 2)][size(j)];
    return e;
  }
  Doubles top_logs() const {
    Doubles logs;
    for (std::int64_t v = 0; v < std::int64_t{1} << sizes_[0]; ++v)
      for (std::int64_t h = 0; h < std::int64_t{1} << sizes_[1]; ++h) logs.push_back(minus_energy(0, v, h));
    return logs;
  }
  double log_joint(const std::vector<std::int64_t>& states) const {
    double sum = minus_energy(depth_ - 1, states[size(depth_ - 1)], states[size(depth_)]) - log_z_;
    for (std::int64_t l = 0; l + 1 < depth_; ++l)
      for (std::int64_t i = 0; i < size_of(l); ++i) {
        const double p = mean(input(l, i, states[size(l + 1)]));
        sum += std::log(bit(states[size(l)], i) > 0 ? p : 1 - p);
      }
    return sum;
  }

  std::int64_t depth_;
  std::vector<std::int64_t> sizes_;
  Doubles w_;
  std::vector<Doubles> biases_;
  double log_z_ = 0;
};

void expect_near(const Tensor& ours, const Doubles& wanted, double tolerance, const std::string& what) {
  const Doubles got = doubles(ours);
  ASSERT_EQ(got.size(), wanted.size()) << what;
  for (std::size_t i = 0; i < got.size(); ++i)
    ASSERT_NEAR(got[i], wanted[i], tolerance) << what << " [" << i << "]";
}

double largest_difference(const RbmMoments& a, const RbmMoments& b) {
  return (a - b).flat().abs().max().item<double>();
}

class Depth : public ::testing::TestWithParam<std::int64_t> {};
INSTANTIATE_TEST_SUITE_P(Depths, Depth, ::testing::Values(1, 2, 3, 4));

// The tables of the net equal sums over all layers, and these the machine's free energy, whatever the depth.
TEST_P(Depth, VisibleDistributionIsTheMachines) {
  const EnumeratedRbm machine = machine_of(3, 2, 1.5, 11);
  const Doubles plain = PlainNet(machine, GetParam()).p_visible(), own = doubles(machine.p_visible());
  expect_near(TiedBeliefNet(machine, size(GetParam())).log_prob().exp(), plain, 1e-12, "net");
  for (std::size_t v = 0; v < own.size(); ++v) ASSERT_NEAR(plain[v], own[v], 1e-12) << v;
}

TEST_P(Depth, EqualsTheModelOfTheRegistry) {
  const auto rbm = make_rbm(5, 4, 0.5, 13);
  const TiedBeliefNet net(EnumeratedRbm(rbm->weights, rbm->visible_bias, rbm->hidden_bias), size(GetParam()));
  const Tensor wanted = -rbm->free_energy({all_states(5), {}}) - *rbm->exact_log_partition();
  EXPECT_LT((net.log_prob() - wanted).abs().max().item<double>(), 1e-6);
}

// The complementary prior: by Bayes' rule the posterior is the product that one pass up gives.
TEST_P(Depth, PosteriorOfEveryLayerIsAProduct) {
  const TiedBeliefNet net(machine_of(4, 3, 2, 17), size(GetParam()));
  for (std::size_t l = 0; l < net.depth(); ++l)
    EXPECT_LT((net.posterior(l) - net.recognition(l)).abs().max().item<double>(), 1e-12) << l;
}

TEST_P(Depth, EveryTermOfTheGradientIsASampleLessItsMean) {
  const EnumeratedRbm machine = machine_of(3, 2, 1, 19);
  const Tensor data = data_shares(3, 23);
  const auto terms = TiedBeliefNet(machine, size(GetParam())).gradient_terms(data);
  ASSERT_EQ(terms.size(), size(GetParam()));
  const PlainNet plain(machine, GetParam());
  for (std::int64_t l = 0; l < GetParam(); ++l)
    expect_near(terms[size(l)].products, plain.term(l, doubles(data)), 1e-12, "layer " + std::to_string(l));
}

// Pairs C_0, C_1, ... of the Gibbs chain from the data upwards: (v_0, h_0), (v_1, h_0), (v_1, h_1), ...
Tensor pairs_of_chain(const EnumeratedRbm& machine, const Tensor& data, std::int64_t l) {
  const Tensor v = machine.after_steps(data, l / 2);
  if (l % 2 == 0) return machine.moments(v).products;
  const Tensor h = machine.up().t().mv(v);
  return machine.transposed().moments(h).products.t();
}

TEST_P(Depth, TermsCancelToTheLearningRuleOfTheMachine) {
  const EnumeratedRbm machine = machine_of(4, 3, 1.5, 29);
  const Tensor data = data_shares(4, 31);
  const auto terms = TiedBeliefNet(machine, size(GetParam())).gradient_terms(data);
  for (std::int64_t l = 0; l < GetParam(); ++l) {
    const Tensor own = l % 2 == 0 ? terms[size(l)].products : terms[size(l)].products.t();
    const Tensor next =
        l + 1 < GetParam() ? pairs_of_chain(machine, data, l + 1) : machine.model_moments().products;
    const Tensor wanted = pairs_of_chain(machine, data, l) - next;
    EXPECT_LT((own - wanted).abs().max().item<double>(), 1e-12) << l;
  }
  EXPECT_LT(largest_difference(TiedBeliefNet::tied_sum(terms, terms.size()),
                               machine.moments(data) - machine.model_moments()),
            1e-12);
}

TEST(TiedBeliefNet, TheFirstTermsAreContrastiveDivergence) {
  const EnumeratedRbm machine = machine_of(4, 3, 1.5, 37);
  const Tensor data = data_shares(4, 41);
  const auto terms = TiedBeliefNet(machine, 8).gradient_terms(data);
  for (std::int64_t k = 1; k <= 3; ++k)
    EXPECT_LT(largest_difference(TiedBeliefNet::tied_sum(terms, size(2 * k)),
                                 machine.moments(data) - machine.moments(machine.after_steps(data, k))),
              1e-12)
        << k;
}

// ---------------------------------------------------------------- untied

TEST(Untied, TheBoundIsExactWhileAllIsTied) {
  const TiedBeliefNet net(machine_of(4, 3, 1.5, 43), 4);
  const Tensor data = data_shares(4, 47);
  EXPECT_NEAR(net.bound(data), net.log_likelihood(data), 1e-12);
}

// Any weights above: the bound holds, and has changed by what the new top makes of the inferred layer.
TEST(Untied, NewWeightsAboveChangeTheLastTermAlone) {
  const EnumeratedRbm machine = machine_of(4, 3, 1, 53);
  const Tensor data = data_shares(4, 59);
  TiedBeliefNet net(machine, 3);
  const double before = net.bound(data);
  const Tensor inferred = net.inferred(data, 2);
  const double old_top = (inferred * machine.log_p_visible()).sum().item<double>();
  const EnumeratedRbm other = machine_of(4, 3, 2, 61);
  net.untie(2, other);
  EXPECT_NEAR(net.bound(data) - before, (inferred * other.log_p_visible()).sum().item<double>() - old_top,
              1e-12);
  EXPECT_LT(net.bound(data), net.log_likelihood(data) - 1e-3);
  EXPECT_GT((net.posterior(0) - net.recognition(0)).abs().max().item<double>(), 1e-3);
}

// Layer by layer as in greedy learning: each layer's weights are held and those above, tied, climb the
// log-likelihood of what is inferred for them. Bound and likelihood rise, and the gap opens.
TEST(Untied, LearningLayerByLayerRaisesTheBound) {
  const Tensor data = data_shares(4, 67);
  EnumeratedRbm above = machine_of(4, 4, 0.5, 71);
  TiedBeliefNet net(above, 4);
  double bound = net.bound(data);
  const double start = net.log_likelihood(data);
  for (std::size_t first = 1; first < 4; ++first) {
    const Tensor inferred = net.inferred(data, first);
    above = above.transposed();
    for (int step = 0; step < 200; ++step) {
      const RbmMoments up = above.moments(inferred) - above.model_moments();
      above = EnumeratedRbm(above.weights() + 0.2 * up.products, above.visible_bias() + 0.2 * up.visible,
                            above.hidden_bias() + 0.2 * up.hidden);
    }
    net.untie(first, above);
    EXPECT_GT(net.bound(data), bound) << first;
    EXPECT_GE(net.log_likelihood(data), net.bound(data) - 1e-12) << first;
    bound = net.bound(data);
  }
  EXPECT_GT(net.log_likelihood(data), start);
}

TEST(TiedBeliefNet, RefusesWhatDoesNotFit) {
  const EnumeratedRbm machine = machine_of(4, 3, 1, 73);
  TiedBeliefNet net(machine, 3);
  for (const auto& wrong : std::vector<std::function<void()>>{
           [&] { TiedBeliefNet(machine, 0); }, [&] { net.untie(3, machine); }, [&] { net.untie(1, machine); },
           [&] {
             EnumeratedRbm(at::zeros({11, 2}), at::zeros({11}), at::zeros({2}));
           },
           [&] {
             EnumeratedRbm(at::zeros({3, 2}), at::zeros({2}), at::zeros({2}));
           }}) {
    try {
      wrong();
      ADD_FAILURE() << "accepted";
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::data);
    }
  }
}

// ---------------------------------------------------------------- the kernel

// One hidden and one visible unit: a chain of two states, whose second eigenvalue is its trace less 1.
TEST(EnumeratedRbm, SecondEigenvalueOfTwoStates) {
  for (const double scale : {0.3, 1.0, 4.0}) {
    const EnumeratedRbm machine = machine_of(1, 1, scale, 79);
    const Tensor kernel = machine.up().mm(machine.down());
    EXPECT_NEAR(machine.second_eigenvalue(), kernel.trace().item<double>() - 1, 1e-9) << scale;
  }
}

// chi-square distance to the model falls by at least lambda^2 a step, and in the end by no more.
TEST(EnumeratedRbm, ForgetsAtTheRateOfTheSecondEigenvalue) {
  const EnumeratedRbm machine = machine_of(5, 4, 1.5, 83);
  const Tensor model = machine.p_visible();
  auto distance = [&](const Tensor& p) {
    return std::sqrt(((p - model).square() / model).sum().item<double>());
  };
  Tensor now = data_shares(5, 89);
  const double lambda = machine.second_eigenvalue();
  ASSERT_GT(lambda, 0.1);
  double ratio = 0;
  for (int k = 0; k < 8; ++k) {
    const double before = distance(now);
    now = machine.after_steps(now, 1);
    ratio = distance(now) / before;
    ASSERT_LE(ratio, lambda * (1 + 1e-5)) << k;
  }
  EXPECT_GT(ratio, 0.5 * lambda);
}

}  // namespace
}  // namespace deepgen::tied_belief_net_test
