// The discriminative machine against sums over the hidden states and automatic differentiation: p(y | x), the
// gradients of all objectives, rows without a label, and what it learns. (Free energies, chains and annealing:
// laws_test.cpp, energy_laws_test.cpp.)
//
// Each statistical check fails by chance once in a million runs of a fresh seed; the seeds are fixed.
#include "deepgen/models/boltzmann/discriminative_rbm.h"

#include "deepgen/evaluate/validation.h"
#include "deepgen/parts/checks/categories.h"
#include "tests/library/machines.h"
#include "tests/library/runs.h"

namespace deepgen::discriminative_rbm_test {
namespace {

using namespace machines;

struct Sizes {
  std::int64_t columns = 5, classes = 3, hidden = 4;
};

DiscriminativeRbmLearning learning(const std::string& objective, double alpha = 0.01, double beta = 0.1) {
  DiscriminativeRbmLearning l;
  l.objective = objective, l.generative_weight = alpha, l.unlabelled_weight = beta, l.learning = "exact";
  return l;
}

DiscriminativeRbmLearning by_chains(DiscriminativeRbmLearning l, const std::string& how = "cd") {
  l.learning = how;
  return l;
}

std::shared_ptr<DiscriminativeRbm> machine(const DiscriminativeRbmLearning& how, double scale,
                                           const Sizes& sizes = {}, ValueKind values = ValueKind::binary,
                                           const std::string& units = "auto") {
  DiscriminativeRbmOptions options;
  options.hidden = sizes.hidden, options.visible_units = units;
  DataShape data = bits_shape(sizes.columns, sizes.classes);
  data.values = values;
  auto model = std::make_shared<DiscriminativeRbm>(options, how, data);
  Rng rng(5);
  const Tensor x = bits_tensor(30, sizes.columns, rng, 0.4);
  model->initialise({x, at::arange(30, at::kLong).remainder(sizes.classes)}, rng);
  randomise(*model, scale, rng);
  return model;
}

// Rows of bits, every fourth without a label where `gaps` is set.
Rows some_rows(std::int64_t count, const Sizes& sizes, std::uint64_t seed, bool gaps) {
  Rng rng(seed);
  const Tensor x = bits_tensor(count, sizes.columns, rng, 0.4);
  Tensor y = at::arange(count, at::kLong).remainder(sizes.classes);
  if (gaps) y.masked_fill_(at::arange(count, at::kLong).remainder(4) == 3, -1);
  return {x, y};
}

// The gradients of all parameters, one after the other.
Doubles gradient_of(DiscriminativeRbm& model, const Rows& rows, std::uint64_t seed = 11) {
  Rng rng(seed);
  model.gradients(rows, {}, rng);
  Doubles all;
  for (const Tensor& p : model.parameters())
    for (const double g : doubles(p.grad())) all.push_back(g);
  return all;
}

// ---------------------------------------------------------------- p(y | x)

// -E(x, y, h) by its definition.
double log_joint(const DiscriminativeRbm& model, const Doubles& x, std::int64_t y, std::int64_t h) {
  const Doubles w = doubles(model.joint().weights), b = doubles(model.joint().visible_bias),
                c = doubles(model.joint().hidden_bias);
  const std::int64_t columns = model.columns(), hidden = model.joint().hidden();
  double sum = b[size(columns + y)];
  for (std::int64_t i = 0; i < columns; ++i) sum += b[size(i)] * x[size(i)];
  for (std::int64_t j = 0; j < hidden; ++j) {
    if (!(h >> j & 1)) continue;
    sum += c[size(j)] + w[size((columns + y) * hidden + j)];
    for (std::int64_t i = 0; i < columns; ++i) sum += x[size(i)] * w[size(i * hidden + j)];
  }
  return sum;
}

// log sum_h exp(-E(x, y, h)) of each class.
Doubles enumerated(const DiscriminativeRbm& model, const Tensor& x) {
  Doubles logs;
  for (std::int64_t y = 0; y < model.classes(); ++y) {
    Doubles terms;
    for (std::int64_t h = 0; h < std::int64_t{1} << model.joint().hidden(); ++h)
      terms.push_back(log_joint(model, doubles(x), y, h));
    logs.push_back(log_sum_exp(terms));
  }
  return logs;
}

void expect_enumerated_classes(const DiscriminativeRbm& model, const Tensor& rows, double tolerance) {
  const Tensor ours = model.log_class_probs(rows);
  ASSERT_EQ(ours.scalar_type(), at::kDouble);
  ASSERT_EQ(ours.sizes(), at::IntArrayRef({rows.size(0), model.classes()}));
  for (std::int64_t r = 0; r < rows.size(0); ++r) {
    Doubles wanted = enumerated(model, rows[r]);
    const double total = log_sum_exp(wanted);
    for (double& each : wanted) each -= total;
    expect_near(doubles(ours[r]), wanted, tolerance, "row " + std::to_string(r));
  }
}

TEST(DiscriminativeRbm, ClassesHaveTheProbabilitiesOfEnumeration) {
  for (const double scale : {0.0, 0.3, 1.0, 4.0}) {
    SCOPED_TRACE(scale);
    expect_enumerated_classes(*machine(learning("hybrid"), scale), all_states(5),
                              5e-6 * std::max(1.0, scale));
  }
  expect_enumerated_classes(*machine(learning("hybrid"), 1, {.columns = 3, .classes = 1}), all_states(3),
                            1e-12);
}

TEST(DiscriminativeRbm, ClassesOfGreyValuesTooWhicheverUnitsTheyAre) {
  Rng rng(3);
  const Tensor x = normal_tensor({9, 5}, 1, rng).sigmoid();
  const auto interval = machine(by_chains(learning("hybrid")), 1, {}, ValueKind::grey);
  const auto bits = machine(by_chains(learning("hybrid")), 1, {}, ValueKind::grey, "expected_bits");
  expect_enumerated_classes(*interval, x, 2e-6);
  expect_enumerated_classes(*bits, x, 2e-6);
  interval->check_data(x, "grey");
  bits->check_data(x, "grey");
  // The chain's cells are values of the units.
  const Tensor drawn = bits->chain_steps(x, 3, rng);
  EXPECT_TRUE(at::logical_or(drawn == 0, drawn == 1).all().item<bool>());
}

TEST(DiscriminativeRbm, LabelsOfTheRowsPlayNoPart) {
  const auto model = machine(learning("hybrid"), 1);
  const Rows rows = some_rows(20, {}, 7, true);
  expect_bit_equal(model->log_class_probs(rows), model->log_class_probs(rows.x), "classes");
  expect_bit_equal(model->free_energy(rows), model->free_energy(rows.x), "free energy");
  expect_bit_equal(model->encode(rows), model->encode(rows.x), "code");
}

TEST(DiscriminativeRbm, TheCodeIsTheMeanOfTheHiddenUnitsGivenTheCase) {
  const auto model = machine(learning("hybrid"), 1);
  const Tensor rows = all_states(5), code = model->encode(rows);
  for (std::int64_t r = 0; r < rows.size(0); ++r) {
    const double total = log_sum_exp(enumerated(*model, rows[r]));
    Doubles wanted(4);
    for (std::int64_t y = 0; y < 3; ++y)
      for (std::int64_t h = 0; h < 16; ++h) {
        const double p = std::exp(log_joint(*model, doubles(rows[r]), y, h) - total);
        for (std::int64_t j = 0; j < 4; ++j) wanted[size(j)] += static_cast<double>(h >> j & 1) * p;
      }
    expect_near(doubles(code[r]), wanted, 2e-6, "row " + std::to_string(r));
  }
}

// ---------------------------------------------------------------- gradients

// The composed twin in double precision.
class Twin {
 public:
  explicit Twin(const DiscriminativeRbm& model) : columns_(model.columns()), classes_(model.classes()) {
    for (const Tensor& p : model.parameters())
      leaves_.push_back(p.detach().to(at::kDouble).clone().requires_grad_(true));
  }

  // -F(x, y) of every class, [B, C].
  Tensor log_pairs(const Tensor& x) const {
    const Tensor &w = leaves_[0], &b = leaves_[1], &c = leaves_[2];
    const Tensor input = x.mm(w.narrow(0, 0, columns_)) + c, own = x.mv(b.narrow(0, 0, columns_));
    std::vector<Tensor> classes;
    for (std::int64_t y = 0; y < classes_; ++y)
      classes.push_back(at::softplus(input + w[columns_ + y], 1, 40).sum(1) + own + b[columns_ + y]);
    return at::stack(classes, 1);
  }
  Tensor log_z() const { return log_pairs(all_states(columns_).to(at::kDouble)).view({-1}).logsumexp(0); }

  // The objective of the header, negated: the mean over the rows.
  Tensor loss(const Rows& rows, const DiscriminativeRbmLearning& how, bool small) const {
    const Tensor pairs = log_pairs(rows.x.to(at::kDouble)), known = rows.y >= 0;
    const Tensor pair = pairs.gather(1, rows.y.clamp_min(0).unsqueeze(1)).squeeze(1),
                 all = pairs.logsumexp(1);
    const Tensor normaliser = small ? log_z() : at::zeros({}, at::kDouble);
    const double alpha = how.objective == "generative" ? 1
                         : how.objective == "hybrid"   ? how.generative_weight
                                                       : 0;
    Tensor labelled = alpha * (pair - normaliser);
    if (how.objective != "generative") labelled = labelled + pair - all;
    return -at::where(known, labelled, how.unlabelled_weight * (all - normaliser)).mean();
  }
  Doubles gradient(const Tensor& loss) const {
    const auto gradients = torch::autograd::grad({loss}, leaves_, {}, false, false, true);
    Doubles joined;
    for (std::size_t i = 0; i < leaves_.size(); ++i)
      for (const double g : doubles(gradients[i].defined() ? gradients[i] : at::zeros_like(leaves_[i])))
        joined.push_back(g);
    return joined;
  }

 private:
  std::int64_t columns_, classes_;
  std::vector<Tensor> leaves_;  // weights, visible_bias, hidden_bias
};

TEST(DiscriminativeRbmGradient, ParametersComeInTheOrderOfTheTwin) {
  std::vector<std::string> names;
  for (const auto& item : machine(learning("hybrid"), 1)->named_parameters()) names.push_back(item.key());
  EXPECT_EQ(names, (std::vector<std::string>{"joint.weights", "joint.visible_bias", "joint.hidden_bias"}));
}

TEST(DiscriminativeRbmGradient, OfTheClassesEqualsAutomaticDifferentiation) {
  const DiscriminativeRbmLearning how = by_chains(learning("discriminative"));
  for (const Sizes& sizes : {Sizes{}, Sizes{.columns = 1, .classes = 2, .hidden = 1},
                             Sizes{.columns = 70, .classes = 5, .hidden = 300}})
    for (const double scale : {0.05, 0.5}) {
      SCOPED_TRACE(std::to_string(sizes.hidden) + " units at " + std::to_string(scale));
      const auto model = machine(how, scale, sizes);
      const Rows rows = some_rows(40, sizes, 13, false);
      const Twin twin(*model);
      const Doubles wanted = twin.gradient(twin.loss(rows, how, false));
      expect_near(gradient_of(*model, rows), wanted, 1e-5, "gradient");
    }
}

// By enumeration in place of the chain.
TEST(DiscriminativeRbmGradient, OfThePairsEqualsTheExactOne) {
  for (const DiscriminativeRbmLearning& how :
       {learning("generative"), learning("hybrid", 0.3), learning("hybrid", 2)}) {
    SCOPED_TRACE(how.objective);
    const auto model = machine(how, 0.7);
    const Rows rows = some_rows(30, {}, 17, false);
    const Twin twin(*model);
    expect_near(gradient_of(*model, rows), twin.gradient(twin.loss(rows, how, true)), 1e-5, "gradient");
    // It is written, and not added to what is there.
    const Doubles once = gradient_of(*model, rows);
    gradient_of(*model, some_rows(7, {}, 19, false));
    expect_near(gradient_of(*model, rows), once, 0, "again");
  }
}

// Labels that are drawn give the gradient of log p(x) on average; nothing else is drawn here.
TEST(DiscriminativeRbmGradient, OfUnlabelledRowsIsRightOnAverage) {
  for (const DiscriminativeRbmLearning& how :
       {learning("discriminative", 0, 0.5), learning("hybrid", 0.4, 0.7)}) {
    SCOPED_TRACE(how.objective);
    const auto model = machine(how, 0.8);
    const Rows rows = some_rows(12, {}, 23, true);
    const Twin twin(*model);
    Moments moments;
    for (std::uint64_t seed = 0; seed < 2000; ++seed) moments.add(gradient_of(*model, rows, seed));
    EXPECT_LT(moments.largest_z(twin.gradient(twin.loss(rows, how, true)), 1e-5), 5.9);  // 44 numbers
  }
}

TEST(DiscriminativeRbmGradient, OfUnlabelledRowsHasNoDiscriminativePart) {
  const Rows all = some_rows(24, {}, 29, true);
  const Tensor known = (all.y >= 0).nonzero().squeeze(1), unknown = (all.y < 0).nonzero().squeeze(1);
  const double share = real(known.size(0)) / 24;
  const auto model = machine(learning("discriminative", 0, 0), 0.7);
  Doubles wanted = gradient_of(*model, all.select(known));
  for (double& each : wanted) each *= share;
  expect_near(gradient_of(*model, all), wanted, 1e-6, "the labelled rows alone");
  for (const double each : gradient_of(*model, all.select(unknown))) ASSERT_EQ(each, 0);
  for (const double each : gradient_of(*model, {all.x, Tensor()})) ASSERT_EQ(each, 0);
  // With a weight it is that of the machine at the labels that were drawn.
  const auto chained = machine(by_chains(learning("discriminative", 0, 0.5)), 0.7);
  const Rows rest = all.select(unknown);
  Doubles ours = gradient_of(*chained, rest, 31);
  Rng rng(31);
  const Tensor pairs = chained->drawn_joint_rows(rest.x, rng);
  EXPECT_TRUE((pairs.narrow(1, 5, 3).sum(1) == 1).all().item<bool>());
  chained->joint().gradients(pairs, {}, rng);
  Doubles theirs;
  for (const Tensor& p : chained->parameters())
    for (const double g : doubles(p.grad())) theirs.push_back(0.5 * g);
  expect_near(ours, theirs, 1e-6, "drawn labels");
}

TEST(DiscriminativeRbmGradient, WithoutGenerativeWeightIsTheDiscriminativeOne) {
  const Rows rows = some_rows(30, {}, 37, false);
  for (const char* how : {"cd", "pcd"}) {
    const auto hybrid = machine(by_chains(learning("hybrid", 0), how), 0.7);
    const auto plain = machine(by_chains(learning("discriminative", 1), how), 0.7);
    Rng a(41), b(41);
    hybrid->gradients(rows, {}, a), plain->gradients(rows, {}, b);
    const std::vector<Tensor> ours = hybrid->parameters(), wanted = plain->parameters();
    for (std::size_t i = 0; i < ours.size(); ++i) expect_bit_equal(ours[i].grad(), wanted[i].grad(), how);
    EXPECT_EQ(a.bits(), b.bits()) << "something was drawn";
  }
}

// ---------------------------------------------------------------- learning

// Three classes by which block of four bits is full; of the other blocks one bit at most is on.
Dataset blocks_of_bits() {
  Dataset data;
  data.spec = data.name = "blocks";
  data.shape = {12}, data.values = ValueKind::binary, data.binarize = "none", data.classes = 3;
  Rng rng(43);
  Tensor x = at::zeros({90, 12}), y = at::empty({90}, at::kLong);
  for (std::int64_t r = 0; r < 90; ++r) {
    y[r] = r % 3;
    for (std::int64_t block = 0; block < 3; ++block)
      if (block == r % 3)
        x[r].narrow(0, 4 * block, 4).fill_(1);
      else if (rng.below(2) == 0)
        x[r][4 * block + static_cast<std::int64_t>(rng.below(4))] = 1;
  }
  data.train.name = "train", data.valid.name = "valid", data.test.name = "test";
  data.train.x = x.narrow(0, 0, 60), data.train.y = y.narrow(0, 0, 60);
  data.valid.x = x.narrow(0, 60, 30), data.valid.y = y.narrow(0, 60, 30).clone();
  return data;
}

double errors(const DiscriminativeRbm& model, const Split& split) {
  return (model.log_class_probs(split.x).argmax(1) != split.y).sum().item<double>();
}

TEST(DiscriminativeRbmTraining, TellsSeparableClassesWithoutAnError) {
  for (const char* objective : {"discriminative", "hybrid"}) {
    SCOPED_TRACE(objective);
    const Dataset data = blocks_of_bits();
    const runs::Assignments how = {"model.hidden=12", "training.batch=10", "training.epochs=150",
                                   std::string("training.objective=") + objective};
    const Settings settings = runs::settings_of(how, "discriminative_rbm");
    const auto model = std::dynamic_pointer_cast<DiscriminativeRbm>(make_model(settings, data));
    ASSERT_TRUE(model);
    Trainer trainer(model, data, runs::settings_of(how, "discriminative_rbm"), 3);
    runs::StopAfter curve;
    trainer.run(curve);
    EXPECT_EQ(errors(*model, data.train), 0);
    EXPECT_EQ(errors(*model, data.valid), 0);
    EXPECT_EQ(runs::metric(curve.curve.back(), "valid_classification_error"), 0);
    EXPECT_LT(runs::metric(curve.curve.back(), "train_classification_log_loss"), 0.2);
  }
}

TEST(DiscriminativeRbmTraining, StoppedAndResumedIsTheSame) {
  Dataset data = blocks_of_bits();
  data.train.y = data.train.y.clone().masked_fill_(at::arange(60, at::kLong).remainder(5) == 0, -1);
  const runs::Assignments how = {"model.hidden=6",        "training.batch=10",
                                 "training.epochs=3",     "training.objective=hybrid",
                                 "training.learning=pcd", "training.chains=7"};
  runs::expect_equal_runs(runs::straight(how, data, 7, "discriminative_rbm"),
                          runs::in_sittings(how, data, {4, 5}, 7, "discriminative_rbm"), "sittings");
}

TEST(DiscriminativeRbmTraining, IsJudgedByTheClassesOfTheValidationRows) {
  const auto model = machine(by_chains(learning("hybrid")), 1, {.columns = 12});
  Dataset data = blocks_of_bits();
  data.valid.y[3] = -1;
  const auto score = judge_model(*model, data, 5);
  ASSERT_TRUE(score);
  EXPECT_EQ(score->name, "valid_log_class_prob");
  double wanted = 0;
  const Tensor logs = model->log_class_probs(data.valid.x);
  for (std::int64_t r = 0; r < 30; ++r)
    if (r != 3) wanted += logs[r][data.valid.y[r].item<std::int64_t>()].item<double>() / 29;
  EXPECT_NEAR(score->value, wanted, 1e-9);
  EXPECT_TRUE(score->diverged.empty());
  data.valid.y = Tensor();
  EXPECT_FALSE(judge_model(*model, data, 5)) << "no label, no score";
}

// ---------------------------------------------------------------- what it refuses

TEST(DiscriminativeRbmData, IsRefusedWithTheReason) {
  const auto model = machine(learning("hybrid"), 0.1);
  const auto refused = [](const std::function<void()>& act) { return error_of(ErrorKind::data, act); };
  Rng rng(47);
  const Tensor x = bits_tensor(6, 5, rng);
  const Rows beyond(x, at::full({6}, 3, at::kLong));
  expect_says(refused([&] { model->initialise({x, Tensor()}, rng); }), {"label", "none among 6"});
  expect_says(refused([&] { model->initialise(beyond, rng); }), {"labels from 0 to 2", "3"});
  expect_says(refused([&] { model->gradients(beyond, {}, rng); }), {"labels from 0 to 2", "3"});
  Tensor gaps = x.clone(), grey = x.clone();
  gaps[2][4] = std::nanf(""), grey[1][3] = 0.5;
  expect_says(refused([&] { model->check_data(gaps, "rows", 10); }), {"missing cell", "row 12", "column 4"});
  expect_says(refused([&] { model->check_data(grey, "rows"); }), {"0 or 1", "row 1", "column 3"});
  const auto make = [](ValueKind values, std::int64_t classes, const std::string& units) {
    DiscriminativeRbmOptions options;
    options.visible_units = units;
    DataShape data = bits_shape(5, classes);
    data.values = values;
    DiscriminativeRbm(options, {}, data);
  };
  expect_says(refused([&] { make(ValueKind::real, 3, "auto"); }), {"binary", "column 0"});
  expect_says(refused([&] { make(ValueKind::count, 3, "expected_bits"); }), {"model.visible_units=auto"});
  expect_says(refused([&] { make(ValueKind::binary, 0, "auto"); }), {"labels"});
}

TEST(DiscriminativeRbmData, ExactLearningOfManyUnitsIsAUsageError) {
  DiscriminativeRbmOptions options;
  options.hidden = 40;
  expect_says(
      error_of(ErrorKind::usage, [&] { DiscriminativeRbm(options, learning("hybrid"), bits_shape(5, 3)); }),
      {"training.learning", "40 hidden"});
}

}  // namespace
}  // namespace deepgen::discriminative_rbm_test
