// Parzen windows against their definition, and how their width and their controls come about.
#include "deepgen/evaluate/parzen.h"

#include "tests/library/runs.h"

namespace deepgen::parzen_test {
namespace {

using namespace machines;
using namespace runs;

double plain_log_density(const Tensor& centres, const Tensor& x, double sigma) {
  const Doubles c = doubles(centres), row = doubles(x);
  const std::size_t columns = row.size();
  Doubles terms;
  for (std::size_t n = 0; n < c.size() / columns; ++n) {
    double square = 0;
    for (std::size_t j = 0; j < columns; ++j) square += std::pow(c[n * columns + j] - row[j], 2);
    terms.push_back(-square / (2 * sigma * sigma));
  }
  return log_sum_exp(terms) - std::log(static_cast<double>(terms.size())) -
         0.5 * static_cast<double>(columns) * std::log(2 * M_PI * sigma * sigma);
}

TEST(Parzen, IntegratesToOne) {
  Rng rng(1);
  const ParzenWindow window(normal_tensor({50, 1}, 2, rng));
  const Tensor line = at::linspace(-15, 15, 6001).view({-1, 1});
  const Tensor densities = window.log_density(line, {0.1, 0.5, 1}).exp();
  for (std::int64_t k = 0; k < 3; ++k) EXPECT_NEAR(densities[k].sum().item<double>() * 30 / 6000, 1, 1e-4);
}

TEST(Parzen, EqualsItsDefinition) {
  Rng rng(2);
  const Tensor centres = normal_tensor({300, 40}, 1, rng) + 5, x = normal_tensor({30, 40}, 1, rng) + 5;
  x[3].copy_(centres[17]);  // a row on a centre
  const Doubles sigmas = {0.1, 0.3, 1, 4};
  const Tensor ours = ParzenWindow(centres).log_density(x, sigmas);
  ASSERT_EQ(ours.scalar_type(), at::kDouble);
  for (std::size_t k = 0; k < sigmas.size(); ++k)
    for (std::int64_t i = 0; i < x.size(0); ++i) {
      const double wanted = plain_log_density(centres, x[i], sigmas[k]);
      ASSERT_NEAR(ours[static_cast<std::int64_t>(k)][i].item<double>(), wanted,
                  1e-5 * std::abs(wanted) + 1e-4);
    }
}

TEST(Parzen, DoesNotDependOnTheNumberOfThreads) {
  Rng rng(3);
  const Tensor rows = normal_tensor({700, 130}, 1, rng), x = normal_tensor({400, 130}, 1, rng);
  std::vector<Tensor> one, four;
  Observer silent;
  for (const int count : {1, 4}) {
    const Threads threads(count);
    Rng own(4);
    std::vector<Tensor>& all = count == 1 ? one : four;
    all = {ParzenWindow(rows).log_density(x, {0.3, 1}), kmeans_centres(rows, 60, 3, own, silent)};
  }
  for (std::size_t k = 0; k < one.size(); ++k) expect_bit_equal(one[k], four[k], "threads");
}

TEST(KMeans, FindsClustersAndNeverGetsWorse) {
  Rng rng(5), draw(6);
  Observer silent;
  Tensor rows = normal_tensor({200, 3}, 0.05, rng);
  rows.narrow(0, 0, 100).add_(4);
  // From two rows of one cluster or of both: a few steps lead to the two means or to a part of one of them.
  double before = std::numeric_limits<double>::infinity();
  for (const std::int64_t steps : {0, 1, 2, 5}) {
    Rng same(7);
    const Tensor centres = kmeans_centres(rows, 8, steps, same, silent);
    ASSERT_EQ(centres.sizes(), at::IntArrayRef({8, 3}));
    const Tensor squares = (rows.unsqueeze(1) - centres.unsqueeze(0)).square().sum(2).to(at::kDouble);
    const double inertia = std::get<0>(squares.min(1)).sum().item<double>();
    EXPECT_LE(inertia, before * (1 + 1e-6)) << steps << " steps";
    before = inertia;
  }
  EXPECT_EQ(kmeans_centres(rows, 500, 2, draw, silent).size(0), 200) << "no more centres than rows";
}

Array bytes_of(const Tensor& x) {
  Array array = make_array(DType::u8, x.sizes().vec());
  for (std::size_t i = 0; i < array.bytes.size(); ++i)
    array.bytes[i] =
        static_cast<std::uint8_t>(std::lround(255.0 * static_cast<double>(x.data_ptr<float>()[i])));
  return array;
}

// Validation rows that lie on the samples ask for the smallest deviation, test rows far away for the largest.
TEST(ParzenScores, ChooseTheDeviationOnValidationRowsAlone) {
  Rng rng(8);
  const Tensor near = at::full({40, 6}, 0.2F), far = at::full({30, 6}, 0.9F);
  const Dataset data = dataset_of(
      {{"train", random_bytes(200, 6, 255, 3)}, {"valid", bytes_of(near)}, {"test", bytes_of(far)}}, "none",
      "grey");
  Observer silent;
  const Tensor samples = near.repeat({3, 1});
  const std::vector<Score> scores = parzen_scores(samples, data, "test", {}, Rng(9), silent);
  ASSERT_EQ(scores.size(), 3U);
  const char* names[] = {"parzen_log_density", "parzen_log_density_training_rows",
                         "parzen_log_density_kmeans"};
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(scores[i].metric, names[i]);
    EXPECT_EQ(scores[i].kind, ScoreKind::proxy);
    EXPECT_EQ(scores[i].split, "test");
    EXPECT_EQ(scores[i].rows, 30);
    expect_says(scores[i].how, {"chosen on 40 validation rows", "values from 0 to 1"});
    EXPECT_EQ(scores[i].how.find("likelihood"), std::string::npos);
  }
  expect_says(scores[0].how, {"deviation 0.1 on 120 samples"});
  expect_says(scores[0].warning, {"end"});
  EXPECT_NEAR(scores[0].value, plain_log_density(samples, far[0], 0.1), 0.05 * std::abs(scores[0].value));
  expect_says(scores[1].how, {"120 training rows"});
  expect_says(scores[2].how, {"120 centres", "200 training rows"});
  EXPECT_EQ(scores[2].how.find("half"), std::string::npos);
}

TEST(ParzenScores, HoldTrainingRowsOutWhereThereIsNothingElseToChooseOn) {
  const Dataset data = dataset_of(
      {{"train", random_bytes(50, 6, 255, 3)}, {"test", random_bytes(20, 6, 255, 4)}}, "none", "grey");
  Observer silent;
  const Tensor samples = Dataset::rows(data.test, 0, 20, Rng(1)).x.repeat({3, 1});
  const std::vector<Score> scores = parzen_scores(samples, data, "test", {}, Rng(9), silent);
  expect_says(scores[0].how, {"on 25 of 60 samples", "chosen on 25 other training rows"});
  expect_says(scores[1].how, {"on 25 training rows"});
  expect_says(scores[2].how, {"on 13 centres", "half as many"});
  const std::vector<Score> again = parzen_scores(samples, data, "test", {}, Rng(9), silent);
  for (std::size_t i = 0; i < 3; ++i) EXPECT_EQ(scores[i].value, again[i].value);
}

TEST(ParzenScores, SayInWhichUnitsTheyAre) {
  const Dataset table = load_dataset("people:rows=120,valid=0.25,test=30");
  Observer silent;
  const Tensor samples = Dataset::rows(table.train, 0, 40, Rng(1)).x;
  for (const Score& score : parzen_scores(samples, table, "test", {}, Rng(9), silent)) {
    expect_says(score.how, {"in the units of the file"});
    EXPECT_EQ(score.how.find("from 0 to 1"), std::string::npos) << score.how;
  }
}

// Rows of one distribution in both places: the control by training rows agrees with samples as good as data,
// and better than samples of something else.
TEST(ParzenScores, TheControlIsWhatPerfectSamplesWouldHave) {
  const Dataset data = dataset_of({{"train", random_bytes(1500, 8, 255, 3)},
                                   {"valid", random_bytes(300, 8, 255, 4)},
                                   {"test", random_bytes(400, 8, 255, 5)}},
                                  "none", "grey");
  const Dataset more = dataset_of({{"train", random_bytes(1500, 8, 255, 6)}}, "none", "grey");
  Observer silent;
  const Tensor perfect = Dataset::rows(more.train, 0, 1500, Rng(1)).x;
  const std::vector<Score> good = parzen_scores(perfect, data, "test", {}, Rng(9), silent);
  const std::vector<Score> bad = parzen_scores(perfect * 0.5, data, "test", {}, Rng(9), silent);
  EXPECT_NEAR(good[0].value, good[1].value, 5 * std::hypot(*good[0].standard_error, *good[1].standard_error));
  EXPECT_LT(bad[0].value, bad[1].value - 5 * *bad[1].standard_error);
}

// Standard normal rows of their own for each part.
Dataset normal_rows(std::int64_t train, std::int64_t valid, std::int64_t test, std::int64_t columns) {
  Dataset data;
  data.spec = data.name = "normal";
  data.shape = {columns};
  data.values = ValueKind::real;
  Rng rng(21);
  for (const auto& [part, name, rows] :
       {std::tuple(&data.train, "train", train), std::tuple(&data.valid, "valid", valid),
        std::tuple(&data.test, "test", test)})
    part->name = name, part->x = normal_tensor({rows, columns}, 1, rng);
  return data;
}

// More Gaussians score higher, whatever they stand on: with a window of 1,000 true samples beside one of 30
// training rows a model that is exactly right seems far better than the data.
TEST(ParzenScores, CompareEqualNumbersOfSamplesAndTrainingRows) {
  const Dataset data = normal_rows(30, 200, 1000, 3);
  Rng rng(22);
  Observer silent;
  const std::vector<Score> scores =
      parzen_scores(normal_tensor({1000, 3}, 1, rng), data, "test", {}, Rng(9), silent);
  expect_says(scores[0].how, {"on 30 of 1000 samples"});
  expect_says(scores[1].how, {"on 30 training rows"});
  // Five standard errors of the difference: one run in a million of a fresh seed fails.
  EXPECT_NEAR(scores[0].value, scores[1].value,
              5 * std::hypot(*scores[0].standard_error, *scores[1].standard_error));
  EXPECT_LT(*scores[1].standard_error, 0.3) << "a bound that says nothing";
}

// Samples drawn anew thirty times: the standard error is that of what is seen, where that of the rows alone
// is about half of it (200 samples in 8 dimensions, 4,000 rows).
TEST(ParzenScores, TheirStandardErrorKnowsThatSamplesAreRandom) {
  const Dataset data = normal_rows(200, 300, 4000, 8);
  Rng rng(23);
  Observer silent;
  Doubles values;
  double squares = 0;
  for (int draw = 0; draw < 30; ++draw) {
    const std::vector<Score> scores =
        parzen_scores(normal_tensor({200, 8}, 1, rng), data, "test", {}, Rng(9), silent);
    values.push_back(scores[0].value);
    squares += std::pow(*scores[0].standard_error, 2) / 30;
    expect_says(scores[0].how, {"over draws of the centres (jackknife, 10 groups)"});
    expect_says(scores[2].how, {"standard error over rows alone"});
  }
  const double seen = at::tensor(values, at::kDouble).std(true).item<double>();
  EXPECT_GT(std::sqrt(squares), 0.8 * seen);
  EXPECT_LT(std::sqrt(squares), 2.5 * seen);
}

TEST(ParzenScores, ListenBetweenBlocks) {
  const Dataset data = normal_rows(60, 60, 60, 2);
  Rng rng(24);
  const Tensor samples = normal_tensor({60, 2}, 1, rng);
  for (const std::int64_t after : {1, 3, 6}) {
    StopAfter observer(after);
    expect_says(
        error_of(ErrorKind::interrupted, [&] { parzen_scores(samples, data, "test", {}, Rng(9), observer); }),
        {"stopped"});
  }
}

}  // namespace
}  // namespace deepgen::parzen_test
