// Parzen windows against their definition, and how their width and their controls come about.
#include "deepgen/evaluate/parzen.h"

#include "tests/library/runs.h"

namespace deepgen {
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
}

TEST(ParzenScores, HoldTrainingRowsOutWhereThereIsNothingElseToChooseOn) {
  const Dataset data = dataset_of(
      {{"train", random_bytes(50, 6, 255, 3)}, {"test", random_bytes(20, 6, 255, 4)}}, "none", "grey");
  Observer silent;
  const Tensor samples = Dataset::rows(data.test, 0, 20, Rng(1)).repeat({3, 1});
  const std::vector<Score> scores = parzen_scores(samples, data, "test", {}, Rng(9), silent);
  expect_says(scores[0].how, {"60 samples", "chosen on 25 other training rows"});
  expect_says(scores[1].how, {"on 25 training rows"});
  const std::vector<Score> again = parzen_scores(samples, data, "test", {}, Rng(9), silent);
  for (std::size_t i = 0; i < 3; ++i) EXPECT_EQ(scores[i].value, again[i].value);
}

TEST(ParzenScores, SayInWhichUnitsTheyAre) {
  const Dataset table = load_dataset("people:rows=120,valid=0.25,test=30");
  Observer silent;
  const Tensor samples = Dataset::rows(table.train, 0, 40, Rng(1));
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
  const Tensor perfect = Dataset::rows(more.train, 0, 1500, Rng(1));
  const std::vector<Score> good = parzen_scores(perfect, data, "test", {}, Rng(9), silent);
  const std::vector<Score> bad = parzen_scores(perfect * 0.5, data, "test", {}, Rng(9), silent);
  EXPECT_NEAR(good[0].value, good[1].value, 5 * std::hypot(good[0].standard_error, good[1].standard_error));
  EXPECT_LT(bad[0].value, bad[1].value - 5 * bad[1].standard_error);
}

}  // namespace
}  // namespace deepgen
