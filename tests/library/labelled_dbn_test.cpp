// The deep belief network with labels against enumeration of all its units, and the updates of up-down
// against automatic differentiation in double precision.
//
// Each statistical check fails by chance once in a million runs of a fresh seed; the seeds are fixed.
#include "deepgen/models/belief/labelled_dbn.h"

#include "deepgen/core/observer.h"
#include "deepgen/tasks/sampling.h"
#include "tests/library/small_labelled_dbns.h"

namespace deepgen::labelled_dbn_test {
namespace {

using namespace small_labelled_dbns;

Doubles exponentials(const Doubles& logs) {
  Doubles p;
  for (const double each : logs) p.push_back(std::exp(each));
  return p;
}

double sum_of(const Doubles& values) {
  double sum = 0;
  for (const double each : values) sum += each;
  return sum;
}

Tensor wide(const Tensor& t) { return t.detach().to(at::kDouble); }

// Means of layer L - 1 by the recognition weights, in double precision.
Tensor wide_means(const LabelledDbn& dbn, const Tensor& x) {
  Tensor h = wide(x);
  for (std::size_t l = 0; l < dbn.levels(); ++l)
    h = (h.mm(wide(dbn.machine(l).weights)) + wide(dbn.machine(l).hidden_bias)).sigmoid();
  return h;
}

// -F([h, e_y]) of rows and one label.
Tensor wide_pairs(const LabelledDbn& dbn, const Tensor& h, std::int64_t y) {
  const Rbm& joint = dbn.top().joint();
  const Tensor label = at::zeros({h.size(0), dbn.classes()}, at::kDouble);
  label.select(1, y).fill_(1);
  const Tensor v = at::cat({h, label}, 1);
  return v.mv(wide(joint.visible_bias)) +
         at::softplus(v.mm(wide(joint.weights)) + wide(joint.hidden_bias), 1, 40).sum(1);
}

// ---------------------------------------------------------------- classes and codes

TEST(LabelledDbn, ClassesAreThoseOfTheUppermostMachineAtTheMeans) {
  for (const Wanted& wanted : stacks) {
    const auto dbn = random_dbn(wanted, 1, 3);
    const Rows rows = some_rows(24, 5);
    const Tensor h = wide_means(*dbn, rows.x);
    std::vector<Tensor> all;
    for (std::int64_t y = 0; y < classes; ++y) all.push_back(wide_pairs(*dbn, h, y));
    const Tensor logs = at::log_softmax(at::stack(all, 1), 1), ours = dbn->log_class_probs(rows);
    ASSERT_EQ(ours.scalar_type(), at::kDouble);
    expect_near(doubles(ours), doubles(logs), 1e-5, wanted.layers);
    expect_bit_equal(ours, dbn->log_class_probs(rows.x), "the labels of the rows play no part");
  }
}

TEST(LabelledDbn, CodesGoUpByRecognitionAndDownByGenerativeWeights) {
  const auto dbn = random_dbn({.layers = "4,4,3"}, 1, 7);
  ASSERT_TRUE(dbn->untied());
  const Tensor x = some_rows(20, 9).x, code = dbn->encode(x);
  ASSERT_EQ(code.size(1), 3);
  expect_near(doubles(code), doubles(dbn->top().encode(wide_means(*dbn, x).to(at::kFloat))), 1e-5, "up");
  const Rbm& joint = dbn->top().joint();
  Tensor h = wide(code).mm(wide(joint.weights).t()) + wide(joint.visible_bias);
  h = h.narrow(1, 0, 4).sigmoid();
  for (std::size_t l = 2; l > 0; --l)
    h = (h.mm(wide(dbn->generative_weights(l - 1)).t()) + wide(dbn->machine(l - 1).visible_bias)).sigmoid();
  expect_near(doubles(dbn->decode(code)), doubles(h), 1e-5, "down");
}

// ---------------------------------------------------------------- scores

TEST(LabelledDbnScores, ProbabilitiesOfCasesAndLabelsSumToOne) {
  for (const Wanted& wanted : stacks)
    EXPECT_NEAR(sum_of(exponentials(PlainLabelledDbn(*random_dbn(wanted, 1, 11)).log_prob())), 1, 1e-9);
}

// The weights' mean is p(x), one case at a time.
TEST(LabelledDbnScores, ImportanceWeightsAreRightOnAverage) {
  for (const Wanted& wanted : stacks) {
    const auto dbn = random_dbn(wanted, 0.4, 13);
    const Tensor truth = at::tensor(PlainLabelledDbn(*dbn).log_prob(), at::kDouble);
    Rng rng(17);
    Moments moments;
    for (int repeat = 0; repeat < 60; ++repeat)
      moments.add(doubles((bound_of_states(*dbn, 200, rng) - truth).exp()));
    EXPECT_LT(moments.largest_z(Doubles(32, 1), 1e-4), 5.5) << wanted.layers;  // 32 at once
  }
}

TEST(LabelledDbnScores, OneDrawIsTheVariationalBound) {
  for (const Wanted& wanted : {stacks[0], stacks[1], stacks[2]}) {
    const auto dbn = random_dbn(wanted, 1, 19);
    const PlainLabelledDbn plain(*dbn);
    const Doubles truth = plain.log_prob();
    Doubles bounds;
    for (std::size_t v = 0; v < truth.size(); ++v) {
      bounds.push_back(plain.bound(static_cast<std::int64_t>(v)));
      EXPECT_LE(bounds.back(), truth[v] + 1e-9) << v;
    }
    EXPECT_LT(sum_of(bounds), sum_of(truth) - 0.3) << "the case shows nothing";
    Rng rng(23);
    Moments moments;
    for (int repeat = 0; repeat < 400; ++repeat) moments.add(doubles(bound_of_states(*dbn, 1, rng)));
    EXPECT_LT(moments.largest_z(bounds, 1e-4), 5.5) << wanted.layers;
  }
}

// ---------------------------------------------------------------- samples

TEST(LabelledDbnSamples, FollowTheProbabilities) {
  for (const Wanted& wanted : stacks) {
    const auto dbn = random_dbn(wanted, 0.7, 29);
    const PlainLabelledDbn plain(*dbn);
    Rng rng(31);
    Observer silent;
    EXPECT_TRUE(can_sample(*dbn));
    EXPECT_FALSE(samples_directly(*dbn));
    expect_drawn_from(sample_model(*dbn, {.count = 20000, .steps = 60}, rng, silent),
                      exponentials(plain.log_prob()), wanted.layers);
  }
}

TEST(LabelledDbnSamples, GivenALabelFollowTheProbabilitiesOfItsCases) {
  for (const Wanted& wanted : stacks) {
    const auto dbn = random_dbn(wanted, 0.7, 37);
    const PlainLabelledDbn plain(*dbn);
    Rng rng(41);
    for (const std::int64_t label : {0, 2}) {
      const Tensor y = at::full({20000}, label, at::kLong);
      const Doubles p = probabilities(plain.cases[size(label)]);
      expect_drawn_from(dbn->cases_given(y, 60, false, rng), p, wanted.layers);
      const Tensor means = dbn->cases_given(y, 60, true, rng);
      Doubles wanted_means(size(columns));
      for (std::size_t v = 0; v < p.size(); ++v)
        for (std::int64_t i = 0; i < columns; ++i)
          wanted_means[size(i)] += static_cast<double>(v >> i & 1) * p[v];
      Moments moments;
      for (std::int64_t r = 0; r < means.size(0); ++r) moments.add(doubles(means[r]));
      EXPECT_LT(moments.largest_z(wanted_means, 1e-6), 5.5) << wanted.layers;
    }
    for (const std::int64_t wrong : {std::int64_t{-1}, classes})
      error_of(ErrorKind::data, [&] { dbn->cases_given(at::full({3}, wrong, at::kLong), 1, false, rng); });
  }
}

// ---------------------------------------------------------------- states of up-down

// Whose wake states are of the recognition weights, whose sleep states of the generative ones.
TEST(UpDown, StatesFollowTheirLayers) {
  const auto dbn = random_dbn({.layers = "4,3,3"}, 0.7, 43);
  const Rows one = some_rows(1, 47);
  const Rows rows(one.x.repeat({20000, 1}), one.y.repeat({20000}));
  Rng rng(53);
  const UpDownStates states = dbn->draw_up_down(rows, 60, rng);
  ASSERT_EQ(states.wake.size(), 3U);
  ASSERT_EQ(states.sleep.size(), 3U);
  expect_bit_equal(states.wake[0], rows.x, "the cases");
  auto expect_means = [](const Tensor& residual, const std::string& what) {
    Moments moments;
    for (std::int64_t r = 0; r < residual.size(0); ++r) moments.add(doubles(residual[r]));
    EXPECT_LT(moments.largest_z(Doubles(size(residual.size(1))), 1e-5), 5.5) << what;
  };
  for (std::size_t l = 0; l < 2; ++l) {
    const Rbm& rbm = dbn->machine(l);
    expect_means(wide(states.wake[l + 1]) -
                     (wide(states.wake[l]).mm(wide(rbm.weights)) + wide(rbm.hidden_bias)).sigmoid(),
                 "wake");
    expect_means(wide(states.sleep[l]) - (wide(states.sleep[l + 1]).mm(wide(dbn->generative_weights(l)).t()) +
                                          wide(rbm.visible_bias))
                                             .sigmoid(),
                 "sleep");
  }
  // So long a chain has forgotten where it began, and fantasies are cases of the model.
  const PlainLabelledDbn plain(*dbn);
  expect_drawn_from(states.sleep[0], exponentials(plain.log_prob()), "fantasies");
  expect_bit_equal(states.chain_start.narrow(1, 0, 3).contiguous(), states.wake[2], "start of the chain");
  expect_bit_equal(states.chain_end.narrow(1, 0, 3).contiguous(), states.sleep[2], "end of the chain");
}

// A label that is not known is drawn from p(y | h_L-1).
TEST(UpDown, LabelsThatAreKnownStayAndOthersAreDrawn) {
  const auto dbn = random_dbn({.layers = "4,3"}, 1, 59);
  const Rows rows = some_rows(4000, 61, true);
  Rng rng(67);
  const UpDownStates states = dbn->draw_up_down(rows, 1, rng);
  const Tensor labels = states.chain_start.narrow(1, 4, classes), drawn = labels.argmax(1);
  EXPECT_TRUE((labels.sum(1) == 1).all().item<bool>());
  const Tensor known = rows.y >= 0;
  EXPECT_TRUE(at::equal(drawn.masked_select(known), rows.y.masked_select(known)));
  const Tensor unknown = known.logical_not().nonzero().squeeze(1);
  const Tensor p = dbn->top().log_class_probs(states.wake[1].index_select(0, unknown)).exp();
  const Tensor residual = wide(labels.index_select(0, unknown)) - p;
  Moments moments;
  for (std::int64_t r = 0; r < residual.size(0); ++r) moments.add(doubles(residual[r]));
  EXPECT_LT(moments.largest_z(Doubles(size(classes)), 1e-5), 5.5);
  const UpDownStates none = dbn->draw_up_down(rows.x, 1, rng);
  EXPECT_TRUE((none.chain_start.narrow(1, 4, classes).sum(1) == 1).all().item<bool>());
  error_of(ErrorKind::data, [&] {
    dbn->draw_up_down({rows.x, at::full({4000}, classes, at::kLong)}, 1, rng);
  });
}

TEST(UpDown, FantasiesOfMeansOfBitsAreMeans) {
  for (const std::string units : {"auto", "expected_bits"}) {
    const auto dbn = random_dbn({.layers = "4,3",
                                 .visible_units = units,
                                 .values = units == "auto" ? ValueKind::binary : ValueKind::grey},
                                1, 71);
    Rng rng(73);
    const Tensor fantasies = dbn->draw_up_down(some_rows(200, 79), 2, rng).sleep[0];
    const Tensor bits = at::logical_or(fantasies == 0, fantasies == 1);
    EXPECT_EQ(bits.all().item<bool>(), units == "auto");
    EXPECT_TRUE(at::logical_and(fantasies >= 0, fantasies <= 1).all().item<bool>());
  }
}

// ---------------------------------------------------------------- gradients of up-down

// The parameters in double precision, followed by automatic differentiation.
class Twin {
 public:
  explicit Twin(const LabelledDbn& dbn) : levels_(dbn.levels()) {
    for (const auto& item : dbn.named_parameters())
      leaves_[item.key()] = wide(item.value()).clone().requires_grad_(true);
  }
  const std::map<std::string, Tensor>& leaves() const { return leaves_; }
  // What up-down descends given its states: the means of
  //
  //   -log p(h_l-1 | h_l) awake, -log q(h_l | h_l-1) asleep, F at the start of the chain less F at its end.
  Tensor loss(const UpDownStates& states) const {
    Tensor sum = log_pairs(states.chain_end).mean() - log_pairs(states.chain_start).mean();
    for (std::size_t l = 0; l < levels_; ++l) {
      const std::string layer = "layer" + std::to_string(l + 1);
      const Tensor down = wide(states.wake[l + 1]).mm(leaves_.at(layer + "_generative").t());
      const Tensor up = wide(states.sleep[l]).mm(leaves_.at(layer + ".weights"));
      sum = sum - log_bits(wide(states.wake[l]), down + leaves_.at(layer + ".visible_bias")).mean();
      sum = sum - log_bits(wide(states.sleep[l + 1]), up + leaves_.at(layer + ".hidden_bias")).mean();
    }
    return sum;
  }

 private:
  // Of bits, or on average over the bits whose means x are.
  static Tensor log_bits(const Tensor& x, const Tensor& a) { return (x * a - at::softplus(a, 1, 40)).sum(1); }
  Tensor log_pairs(const Tensor& rows) const {
    const Tensor v = wide(rows);
    const Tensor input = v.mm(leaves_.at("top.joint.weights")) + leaves_.at("top.joint.hidden_bias");
    return v.mv(leaves_.at("top.joint.visible_bias")) + at::softplus(input, 1, 40).sum(1);
  }

  std::size_t levels_;
  std::map<std::string, Tensor> leaves_;
};

void expect_gradients_of(LabelledDbn& dbn, const UpDownStates& states) {
  const Twin twin(dbn);
  std::vector<Tensor> leaves;
  for (const auto& [name, leaf] : twin.leaves()) leaves.push_back(leaf);
  const auto wanted = torch::autograd::grad({twin.loss(states)}, leaves);
  dbn.follow_up_down(states);
  std::size_t at = 0;
  for (const auto& [name, leaf] : twin.leaves()) {
    const Tensor ours = dbn.named_parameters()[name].grad();
    ASSERT_EQ(ours.sizes(), leaf.sizes()) << name;
    expect_near(doubles(ours), doubles(wanted[at++]), 1e-5, name);
    EXPECT_GT(ours.abs().max().item<float>(), 1e-4) << name;
  }
}

TEST(UpDownGradient, EqualsAutomaticDifferentiation) {
  for (const Wanted& wanted :
       {Wanted{.layers = "4,3"}, Wanted{.layers = "6,5,4"}, Wanted{.layers = "4"},
        Wanted{.layers = "60,50,70", .visible = 90},
        Wanted{.layers = "6,4", .visible_units = "expected_bits", .values = ValueKind::grey}})
    for (const double scale : {0.05, 0.5}) {
      SCOPED_TRACE(wanted.layers + " at " + std::to_string(scale));
      const auto dbn = random_dbn(wanted, scale, 83);
      Rows rows = some_rows(40, 89, true, wanted.visible);
      if (wanted.values == ValueKind::grey) {
        Rng own(91);
        rows.x = normal_tensor(rows.x.sizes(), 1, own).sigmoid();
      }
      Rng rng(97);
      const UpDownStates states = dbn->draw_up_down(rows, 3, rng);
      expect_gradients_of(*dbn, states);
      expect_gradients_of(*dbn, states);  // written, and not added to what is there
    }
}

// The Gibbs steps are those of the part of the stage that training has come to.
TEST(UpDownGradient, IsThatOfItsStatesInEachPartOfTheStage) {
  const auto dbn = random_dbn({.layers = "4,3"}, 1, 101);
  const Rows rows = some_rows(30, 103, true);
  ASSERT_EQ(dbn->stages().size(), 3U);
  std::int64_t part = 0;
  for (const std::int64_t step : {0, 5, 8}) {  // of 9: the parts are three steps long
    Rng a(107), b(107);
    dbn->gradients(rows, {.stage = 2, .step = step, .steps = 9}, a);
    std::vector<Tensor> ours;
    for (const Tensor& p : dbn->parameters()) ours.push_back(p.grad().clone());
    dbn->follow_up_down(dbn->draw_up_down(rows, std::vector<std::int64_t>{3, 6, 10}[size(part++)], b));
    for (std::size_t i = 0; i < ours.size(); ++i)
      expect_bit_equal(ours[i], dbn->parameters()[i].grad(), "step " + std::to_string(step));
    EXPECT_EQ(a.bits(), b.bits());
  }
}

// ---------------------------------------------------------------- layers, then all together

TEST(LabelledDbnStages, UpDownBeginsAsTheNetworkThatTheLayersMade) {
  const auto dbn = random_dbn({.layers = "4,4,3"}, 1, 109);
  const Rows rows = some_rows(30, 113);
  Rng rng(127);
  dbn->begin_stage({.stage = 2}, rows, rng);  // the uppermost machine
  EXPECT_FALSE(dbn->untied());
  Rng last(131);
  {
    NoGradGuard no_graph;
    for (auto& item : dbn->named_parameters())
      if (item.key().starts_with("top.")) item.value().copy_(normal_tensor(item.value().sizes(), 1, last));
  }
  auto numbers = [&] {
    Rng own(137);
    const Tensor code = dbn->encode(rows);
    return std::vector<Tensor>{dbn->log_class_probs(rows),
                               dbn->log_prob_bound(rows, 3, own),
                               code,
                               dbn->decode(code),
                               dbn->cases_given(rows.y, 3, false, own),
                               dbn->cases_of(dbn->states_of(rows.x, own), true, own)};
  };
  const std::vector<Tensor> layers = numbers();
  dbn->begin_stage({.stage = 3}, rows, rng);
  EXPECT_TRUE(dbn->untied());
  const std::vector<Tensor> untied = numbers();
  for (std::size_t i = 0; i < layers.size(); ++i) expect_bit_equal(layers[i], untied[i], std::to_string(i));
  for (std::size_t l = 0; l < 2; ++l) {
    expect_bit_equal(dbn->generative_weights(l), dbn->machine(l).weights, "tied start");
    EXPECT_FALSE(dbn->generative_weights(l).is_same(dbn->machine(l).weights)) << "one and the same";
  }
}

// Until its turn the uppermost machine knows how frequent labels are, and little else.
TEST(LabelledDbnStages, BeforeItsTurnTheTopKnowsTheSharesOfTheLabels) {
  const auto dbn = new_dbn({.layers = "4,3"}, 139);
  Rng rng(149);
  Rows rows = some_rows(60, 139);
  const Tensor place = at::arange(60, at::kLong).remainder(6);
  rows.y = (place >= 3).to(at::kLong) + (place >= 5).to(at::kLong);  // 30, 20 and 10 of them
  dbn->initialise(rows, rng);
  dbn->begin_stage({.stage = 0}, rows, rng);
  const Tensor p = dbn->log_class_probs(some_rows(20, 151).x).exp();
  const Tensor shares = at::tensor({31.0, 21.0, 11.0}, at::kDouble) / 63;  // one of each is added
  EXPECT_LT((p - shares).abs().max().item<double>(), 0.02);
}

}  // namespace
}  // namespace deepgen::labelled_dbn_test
