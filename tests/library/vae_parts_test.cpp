// The parts of variational autoencoders: full covariances, mixtures, likelihoods, regions.
//
// Statistical checks fail by chance once in a million runs of a fresh seed; the seeds are fixed.
#include "deepgen/models/variational/vae.h"

#include "deepgen/ops/layers.h"
#include "deepgen/ops/unit_layers.h"
#include "deepgen/parts/latents/latent_prior.h"
#include "deepgen/parts/likelihoods/likelihood.h"
#include "deepgen/parts/pixels/regions.h"
#include "tests/library/machines.h"

namespace deepgen::vae_parts_test {
namespace {

using namespace machines;

void expect_close(const Tensor& a, const Tensor& b, double tolerance, const std::string& what) {
  EXPECT_TRUE(at::allclose(a.to(at::kDouble), b.to(at::kDouble), tolerance, tolerance))
      << what << " differs by " << (a.to(at::kDouble) - b.to(at::kDouble)).abs().max().item<double>();
}

// Values and gradients of two functions of the same inputs, under fixed weights.
void expect_twins(const Tensor& ours, const Tensor& twin, const std::vector<Tensor>& of, double tolerance,
                  const std::string& what) {
  Rng rng(5);
  const Tensor weights = normal_tensor(ours.sizes(), 1, rng).to(at::kDouble);
  expect_close(ours, twin, tolerance, what);
  const auto g = torch::autograd::grad({(ours * weights).sum()}, of, {}, true);  // the two may share a part
  const auto h = torch::autograd::grad({(twin * weights).sum()}, of);
  for (std::size_t k = 0; k < of.size(); ++k) expect_close(g[k], h[k], tolerance, what + ", gradient");
}

// ---------------------------------------------------------------- Gaussians

Gaussian full_gaussian(std::int64_t cases, std::int64_t units, Rng& rng) {
  return {normal_tensor({cases, units}, 1, rng).requires_grad_(true),
          normal_tensor({cases, units}, 0.5, rng).requires_grad_(true),
          normal_tensor({cases, units * (units - 1) / 2}, 0.4, rng).requires_grad_(true)};
}

TEST(FullCovariances, EqualTheirComposedTwins) {
  Rng rng(3);
  for (const std::int64_t units : {2, 3, 9}) {
    const Gaussian q = full_gaussian(4, units, rng);
    const Tensor noise = normal_tensor({12, units}, 1, rng),
                 z = normal_tensor({12, units}, 1, rng).requires_grad_(true);
    expect_twins(draw(q, noise), composed::draw(q, noise), {q.mean, q.log_variance, q.below}, 1e-3, "draw");
    expect_twins(log_density(q, z), composed::log_density(q, z), {q.mean, q.log_variance, q.below, z}, 3e-3,
                 "density");
  }
}

// The mean of log q - log p over draws of q, against the closed form.
TEST(FullCovariances, DivergencesAreMeansOverDraws) {
  Rng rng(7);
  NoGradGuard no_graph;
  const Gaussian q = full_gaussian(3, 4, rng);
  const Gaussian p{normal_tensor({3, 4}, 0.5, rng), normal_tensor({3, 4}, 0.5, rng)};
  const Tensor z = draw(q, normal(3 * 40000, 4, rng.next()));
  const auto check = [&](const Tensor& log_p, const Tensor& closed) {
    const Tensor each = (log_density(q, z) - log_p).view({3, -1});
    for (std::int64_t b = 0; b < 3; ++b) {
      const double error = each[b].std().item<double>() / 200;
      EXPECT_NEAR(each[b].mean().item<double>(), closed.sum(1)[b].item<double>(), one_in_a_million * error);
    }
  };
  check(standard_log_density(z), divergence_from_standard(q));
  check(log_density(p, z), divergence(q, p));
}

TEST(FullCovariances, DoNotDependOnTheNumberOfThreads) {
  std::vector<Tensor> results[2];
  for (const int count : {1, 4}) {
    const Threads threads(count);
    Rng rng(9);
    const Gaussian q = full_gaussian(50, 20, rng);
    const Tensor z = draw(q, normal(1000, 20, rng.next()));
    results[count / 4] =
        torch::autograd::grad({log_density(q, z.detach() * 1.1).sum() + z.sum().to(at::kDouble)},
                              {q.mean, q.log_variance, q.below});
  }
  for (std::size_t k = 0; k < 3; ++k) expect_bit_equal(results[0][k], results[1][k], "threads");
}

TEST(MixturePriors, EqualTheirComposedTwin) {
  Rng rng(11);
  const Gaussian components{normal_tensor({7, 5}, 1, rng).requires_grad_(true),
                            normal_tensor({7, 5}, 0.7, rng).requires_grad_(true)};
  const Tensor logits = normal_tensor({7}, 1, rng).requires_grad_(true);
  const GaussianMixtureLatent mixture{components, at::log_softmax(logits, 0)};
  const Tensor z = normal_tensor({30, 5}, 2, rng).requires_grad_(true);
  expect_twins(mixture.log_density(z), composed::log_density(mixture, z),
               {components.mean, components.log_variance, logits, z}, 2e-3, "mixture");
}

TEST(MixturePriors, DrawFromTheirComponents) {
  const GaussianMixtureLatent mixture{{at::tensor({-5.0F, 0.0F, 5.0F}).view({3, 1}), at::full({3, 1}, -2.0)},
                                      at::tensor({0.2F, 0.5F, 0.3F}).log()};
  Rng rng(13);
  const Tensor z = mixture.sample(20000, rng);
  const double share = (z < -2.5).to(at::kDouble).mean().item<double>();
  EXPECT_NEAR(share, 0.2, one_in_a_million * std::sqrt(0.16 / 20000));
  EXPECT_NEAR((z > 2.5).to(at::kDouble).mean().item<double>(), 0.3,
              one_in_a_million * std::sqrt(0.21 / 20000));
}

// ---------------------------------------------------------------- likelihoods

TEST(Likelihoods, OfBytesSumToOneAndSampleWhatTheySay) {
  const auto likelihood = logistic_likelihood(3);
  const Tensor parameters = at::tensor({0.3F, 1.2F, -0.4F, 2.0F, -0.5F, 7.5F}).view({1, 6});
  const Tensor levels = at::arange(256, at::kFloat).div(255);
  const Tensor x = at::stack({levels, levels, levels}, 1);
  std::vector<Tensor> columns;
  for (std::int64_t j = 0; j < 3; ++j) {
    const auto one = logistic_likelihood(1);
    const Tensor own = at::stack({parameters[0][j], parameters[0][3 + j]}).view({1, 2}).repeat({256, 1});
    const Tensor p = one->log_prob(own, levels.view({256, 1})).exp();
    EXPECT_NEAR(p.sum().item<double>(), 1, 1e-4) << j;
    EXPECT_NEAR((p * levels).sum().item<double>(), likelihood->mean(parameters)[0][j].item<double>(), 1e-4);
    columns.push_back(p);
  }
  Rng rng(3);
  const Tensor drawn = likelihood->sample(parameters.repeat({20000, 1}), rng);
  likelihood->check(drawn, "draws", 0);
  for (std::int64_t j = 0; j < 3; ++j) {
    const double mean = (columns[static_cast<std::size_t>(j)] * levels).sum().item<double>();
    const double error = drawn.select(1, j).std().item<double>() / std::sqrt(20000.0);
    EXPECT_NEAR(drawn.select(1, j).mean().item<double>(), mean, one_in_a_million * error + 1e-6) << j;
  }
}

// Far from the mean the probability of a byte is tiny and its logarithm still right.
TEST(Likelihoods, OfBytesAreStable) {
  const auto likelihood = logistic_likelihood(1);
  const Tensor parameters = at::tensor({-3.0F, 6.0F}).view({1, 2}).requires_grad_(true);
  const Tensor log_p = likelihood->log_prob(parameters, at::full({1, 1}, 100 / 255.0));
  const double k = std::exp(6.0), b = k * (100.5 / 255 + 3), a = k * (99.5 / 255 + 3);
  EXPECT_NEAR(log_p.item<double>(), -a + std::log(-std::expm1(a - b)), 0.01);
  EXPECT_TRUE(torch::autograd::grad({log_p.sum()}, {parameters})[0].isfinite().all().item<bool>());
}

TEST(Likelihoods, OfRealsAreDensities) {
  const auto likelihood = gaussian_likelihood(1, 0.05);
  Rng rng(5);
  likelihood->start(normal_tensor({1000, 1}, 3, rng) + 10);
  const Tensor grid = at::linspace(-30, 50, 8001).view({-1, 1});
  const Tensor parameters = at::tensor({0.4F, -1.0F}).view({1, 2});
  const Tensor p = likelihood->log_prob(parameters.repeat({8001, 1}), grid).exp();
  EXPECT_NEAR(p.sum().item<double>() * 0.01, 1, 1e-4);
  const double mean = (p * grid.view({-1})).sum().item<double>() * 0.01;
  EXPECT_NEAR(mean, likelihood->mean(parameters).item<double>(), 1e-3);
  const Tensor drawn = likelihood->sample(parameters.repeat({20000, 1}), rng);
  EXPECT_NEAR(drawn.mean().item<double>(), mean,
              one_in_a_million * drawn.std().item<double>() / std::sqrt(2e4));
}

// Each kind begins at the marginals of its sample: the mean of what it draws is that of the rows.
TEST(Likelihoods, BeginAtTheMarginals) {
  Rng rng(7);
  const Tensor reals = normal_tensor({3000, 2}, 2, rng) + 5;
  const Tensor bytes = (bits_tensor(3000, 2, rng, 0.3) * 200 + 20).round() / 255;
  Tensor choice = at::zeros({3000, 3});
  for (std::int64_t i = 0; i < 3000; ++i) choice[i][i % 5 == 0 ? 0 : i % 5 == 1 ? 2 : 1] = 1;
  const std::vector<std::pair<std::shared_ptr<Likelihood>, Tensor>> all = {
      {gaussian_likelihood(2, 0.05), reals},
      {logistic_likelihood(2), bytes},
      {categorical_likelihood({3}), choice}};
  for (const auto& [likelihood, x] : all) {
    likelihood->start(x);
    const Tensor mean = likelihood->mean(likelihood->marginals(x).unsqueeze(0)).view({-1});
    expect_close(mean, x.mean(0), 0.04, "mean");  // the tails of a logistic variable are cut at 0 and 255
  }
  EXPECT_TRUE(gaussian_likelihood(2, 0.05)
                  ->log_prob(at::zeros({2, 4}), reals.narrow(0, 0, 2))
                  .isfinite()
                  .all()
                  .item<bool>());
}

TEST(Likelihoods, SideBySideAreTheSumOfTheirParts) {
  Rng rng(9);
  const DataShape table{7,
                        {7},
                        0,
                        ValueKind::mixed,
                        {{ColumnKind::binary, 0, 2},
                         {ColumnKind::softmax, 2, 2},
                         {ColumnKind::softmax, 4, 2},
                         {ColumnKind::gaussian, 6, 1}}};
  const auto joint = likelihood_for("test", "auto", table, 2, 0.1);
  ASSERT_EQ(joint->width(), 2 + 4 + 2);
  ASSERT_EQ(joint->columns(), 7);
  const Tensor x = at::tensor({1.0F, 0.0F, 0.0F, 1.0F, 1.0F, 0.0F, 0.7F}).view({1, 7}).repeat({2, 1});
  joint->check(x, "rows", 0);
  const Tensor parameters = normal_tensor({6, 8}, 1, rng).requires_grad_(true);  // three draws a row
  const Tensor offsets = at::tensor({0, 2, 4}, at::kLong);
  const Tensor twin = composed::bernoulli_log_prob(parameters.narrow(1, 0, 2), x.narrow(1, 0, 2)) +
                      composed::categorical_log_prob(parameters.narrow(1, 2, 4), x.narrow(1, 2, 4), offsets) +
                      gaussian_likelihood(1, 0.1)->log_prob(parameters.narrow(1, 6, 2), x.narrow(1, 6, 1));
  expect_twins(joint->log_prob(parameters, x), twin, {parameters}, 1e-4, "joint");
  const Tensor drawn = joint->sample(parameters.detach(), rng);
  joint->check(drawn, "draws", 0);
  EXPECT_EQ(joint->mean(parameters.detach()).sizes(), at::IntArrayRef({6, 7}));
}

// Three draws a row: what is missing counts for nothing, and has no gradient.
TEST(Likelihoods, LeaveMissingCellsOut) {
  Rng rng(9);
  const float nan = std::nanf("");
  const auto joint = joint_likelihood({bernoulli_likelihood(2), categorical_likelihood({2, 2}),
                                       gaussian_likelihood(1, 0.1), logistic_likelihood(2)});
  const Tensor x = at::tensor({nan, 0.0F, 0.0F, 1.0F, nan, nan, 0.7F, 0.2F, nan,  //
                               1.0F, 1.0F, nan, nan, 1.0F, 0.0F, nan, nan, 1.0F})
                       .view({2, 9});
  joint->check(x, "rows", 0);
  const Tensor p = normal_tensor({6, 12}, 1, rng).requires_grad_(true);
  const auto part = [&](std::int64_t row, const Likelihood& likelihood, std::int64_t column,
                        const std::vector<std::int64_t>& parameters) {
    return likelihood.log_prob(p.narrow(0, 3 * row, 3).index_select(1, at::tensor(parameters, at::kLong)),
                               x.narrow(0, row, 1).narrow(1, column, likelihood.columns()));
  };
  const auto bit = bernoulli_likelihood(1), pair = categorical_likelihood({2}),
             real = gaussian_likelihood(1, 0.1), byte = logistic_likelihood(1);
  const Tensor first = part(0, *bit, 1, {1}) + part(0, *pair, 2, {2, 3}) + part(0, *real, 6, {6, 7}) +
                       part(0, *byte, 7, {8, 10});
  const Tensor second =
      part(1, *bit, 0, {0}) + part(1, *bit, 1, {1}) + part(1, *pair, 4, {4, 5}) + part(1, *byte, 8, {9, 11});
  expect_twins(joint->log_prob(p, x), at::cat({first, second}), {p}, 1e-4, "gaps");
  EXPECT_LT(joint->log_prob(p, at::full({2, 9}, nan)).abs().max().item<double>(), 1e-30);
}

TEST(Likelihoods, BeginAtTheMarginalsOfWhatIsKnown) {
  Rng rng(7);
  Tensor reals = normal_tensor({400, 2}, 2, rng) + 5, bits = bits_tensor(400, 2, rng, 0.3);
  const auto known = gaussian_likelihood(2, 0.05), holed = gaussian_likelihood(2, 0.05);
  known->start(reals.narrow(0, 0, 300));
  const Tensor wanted = known->marginals(reals.narrow(0, 0, 300));
  const Tensor shares = bernoulli_likelihood(2)->marginals(bits.narrow(0, 0, 300));
  for (Tensor* x : {&reals, &bits}) x->narrow(0, 300, 100).fill_(std::nanf(""));
  holed->start(reals);
  expect_close(holed->marginals(reals), wanted, 1e-5, "reals");
  expect_close(holed->input_of(reals.narrow(0, 0, 9)), known->input_of(reals.narrow(0, 0, 9)), 1e-5, "scale");
  expect_close(bernoulli_likelihood(2)->marginals(bits), shares, 1e-6, "bits");
  EXPECT_TRUE(gaussian_likelihood(2, 0.05)->marginals(reals.narrow(0, 300, 9)).isfinite().all().item<bool>());
}

TEST(Likelihoods, RefuseWhatTheyCannotTake) {
  Tensor x = at::zeros({3, 2});
  x[1][1] = 0.3;
  const auto says = [&](const Likelihood& likelihood, const std::vector<std::string>& parts) {
    expect_says(error_of(ErrorKind::data, [&] { likelihood.check(x, "file", 10); }), parts);
  };
  says(*bernoulli_likelihood(2), {"file", "row 11", "column 1", "0.3"});
  says(*logistic_likelihood(2), {"grey", "row 11"});
  says(*categorical_likelihood({2}), {"row 11"});
  x[1][1] = 0;
  says(*categorical_likelihood({2}), {"exactly one", "row 10"});
  x[2][0] = std::numeric_limits<float>::infinity();
  says(*gaussian_likelihood(2, 0.1), {"number", "row 12"});
  x[0][0] = x[1][0] = 1, x[2][0] = std::nanf("");
  says(*categorical_likelihood({2}), {"exactly one", "row 12"});
  x[2][1] = std::nanf("");
  for (const auto& takes : {bernoulli_likelihood(2), logistic_likelihood(2), categorical_likelihood({2}),
                            gaussian_likelihood(2, 0.1)})
    takes->check(x, "file", 10);
  says(*gaussian_likelihood(3, 0.1), {"3 columns"});
  const DataShape counts{1, {1}, 0, ValueKind::count, {{ColumnKind::count, 0, 1}}};
  expect_says(error_of(ErrorKind::data, [&] { likelihood_for("test", "auto", counts, 2, 0.1); }),
              {"test", "count columns"});
}

// ---------------------------------------------------------------- one-hot groups

Tensor one_hot_rows(std::int64_t rows, std::int64_t groups, std::int64_t size, Rng& rng) {
  Tensor choice = at::empty({rows, groups}, at::kLong);
  for (std::int64_t i = 0; i < choice.numel(); ++i)
    choice.data_ptr<std::int64_t>()[i] =
        static_cast<std::int64_t>(rng.below(static_cast<std::uint64_t>(size)));
  return at::one_hot(choice, size).to(at::kFloat).view({rows, groups * size});
}

// Rows that are one-hot although nothing in the data says so: model.group does.
TEST(OneHotGroups, AreWhatTheCategoricalDecoderSeesInBits) {
  Rng rng(3);
  const auto likelihood = likelihood_for("test", "categorical", bits_shape(12), 4, 0.1);
  const Tensor x = one_hot_rows(20, 3, 4, rng);
  likelihood->check(x, "rows", 0);
  const Tensor logits = normal_tensor({20, 12}, 1, rng);
  EXPECT_TRUE(
      at::equal(likelihood->log_prob(logits, x), categorical_likelihood({4, 4, 4})->log_prob(logits, x)));
  Tensor wrong = x.clone();
  wrong[13].narrow(0, 8, 4).fill_(0);
  expect_says(error_of(ErrorKind::data, [&] { likelihood->check(wrong, "file", 100); }),
              {"file", "columns 8 to 11", "model.group", "row 113", "column 8"});
}

TEST(OneHotGroups, AreThoseOfTheDataWhereTheySay) {
  const DataShape says{
      5, {5}, 0, ValueKind::categorical, {{ColumnKind::softmax, 0, 2}, {ColumnKind::softmax, 2, 3}}};
  EXPECT_EQ(in_one_hot_groups("test", says, 4).groups, says.groups);
  const auto likelihood = likelihood_for("test", "categorical", says, 4, 0.1);
  Tensor x = at::zeros({1, 5});
  x[0][0] = 1;
  const std::string message = error_of(ErrorKind::data, [&] { likelihood->check(x, "file", 0); });
  expect_says(message, {"columns 2 to 4", "column 2"});
  EXPECT_EQ(message.find("model.group"), std::string::npos) << message;
}

TEST(OneHotGroups, NeedBitsAndASizeThatDividesThem) {
  const auto asked = [](const DataShape& data, std::int64_t group) {
    return [=] { likelihood_for("test", "categorical", data, group, 0.1); };
  };
  expect_says(error_of(ErrorKind::usage, asked(bits_shape(10), 4)), {"model.group", "10 columns", "4"});
  expect_says(error_of(ErrorKind::data, asked({4, {4}, 0, ValueKind::real}, 2)), {"test", "real values"});
  const DataShape mixed{
      3, {3}, 0, ValueKind::mixed, {{ColumnKind::softmax, 0, 2}, {ColumnKind::gaussian, 2, 1}}};
  expect_says(error_of(ErrorKind::data, asked(mixed, 2)), {"test", "categories alone", "model.decoder"});
}

// What is decoded and drawn is one-hot, in a model whose data are bits.
TEST(OneHotGroups, AreDrawnByAModelOfBits) {
  VaeOptions options;
  options.latent = 2, options.hidden = "5", options.decoder = "categorical", options.group = 4;
  Vae vae(options, {}, bits_shape(12));
  Rng rng(5);
  const Tensor x = one_hot_rows(60, 3, 4, rng);
  vae.check_data(x, "rows");
  vae.initialise(x, rng);
  vae.check_data(vae.sample(200, rng), "samples");
  const Tensor shares = vae.decode(vae.encode(x)).view({60, 3, 4}).sum(2);
  EXPECT_LT((shares - 1).abs().max().item<float>(), 1e-5);
  error_of(ErrorKind::data, [&] { vae.check_data(bits_tensor(60, 12, rng), "bits"); });
}

// ---------------------------------------------------------------- convolutional networks

std::shared_ptr<Vae> convolutional_vae(std::int64_t height, std::int64_t width, bool pooling) {
  VaeOptions options;
  options.latent = 2, options.hidden = "5", options.activation = "tanh", options.network = "convolutional";
  options.channels = "2,3", options.pooling = pooling;
  const std::int64_t columns = height * width;
  auto vae = std::make_shared<Vae>(options, VaeLearning(), DataShape{columns, {1, height, width}});
  Rng rng(3);
  vae->initialise(bits_tensor(50, columns, rng, 0.4), rng);
  return vae;
}

TEST(ConvolutionalVae, GradientsEqualFiniteDifferences) {
  for (const bool pooling : {false, true}) {
    const auto vae = convolutional_vae(7, 7, pooling);
    Rng rng(5);
    const Rows batch(bits_tensor(4, 49, rng));
    const Rng noise(7);
    const auto loss = [&] {
      Rng own = noise;
      return -vae->gradients(batch, {}, own).front().second;
    };
    expect_slopes(*vae, loss, rng, 2e-3, 3e-3, 4e-3, pooling ? "pooling" : "no pooling");
  }
}

TEST(ConvolutionalVae, TakesPicturesAloneAndBeginsAtTheirMarginals) {
  const auto vae = convolutional_vae(6, 6, false);
  EXPECT_EQ(vae->decode(vae->encode(at::zeros({3, 36}))).sizes(), at::IntArrayRef({3, 36}));
  VaeOptions options;
  options.network = "convolutional";
  error_of(ErrorKind::usage, [&] { Vae(options, {}, bits_shape(10)); });
  error_of(ErrorKind::usage, [&] { Vae(options, {}, {6, {1, 2, 3}}); });
  options.activation = "gated";
  error_of(ErrorKind::usage, [&] { Vae(options, {}, {64, {1, 8, 8}}); });
}

// ---------------------------------------------------------------- regions

TEST(Regions, AreHalvesAndQuarters) {
  const std::vector<std::int64_t> shape = {1, 4, 6};
  const auto count = [&](const std::string& names) {
    return region_mask("model.given", names, shape, 24).sum().item<std::int64_t>();
  };
  EXPECT_EQ(count("left"), 12);
  EXPECT_EQ(count("lower_left"), 6);
  EXPECT_EQ(count("lower_left,upper_left"), 12);
  EXPECT_EQ(count("left,lower"), 18);
  const Tensor mask = region_mask("model.given", "lower_left", shape, 24).view({4, 6});
  EXPECT_TRUE(mask[3][0].item<bool>() && mask[2][2].item<bool>());
  EXPECT_FALSE(mask[1][0].item<bool>() || mask[3][3].item<bool>());
  EXPECT_EQ(region_mask("model.given", "left", {9}, 9).sum().item<std::int64_t>(), 4);
  for (const char* bad : {"", "left,right", "upper,lower", "middle", "left,"})
    expect_says(error_of(ErrorKind::usage, [&] { region_mask("model.given", bad, shape, 24); }),
                {"model.given"});
  error_of(ErrorKind::usage, [] { region_mask("model.given", "lower_left", {9}, 9); });
}

}  // namespace
}  // namespace deepgen::vae_parts_test
