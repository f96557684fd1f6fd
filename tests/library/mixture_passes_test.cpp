// Densities and sums of mixtures by products of blocks of rows, against plain sums in double precision: many
// blocks, gaps among them, deviations far below the spread of the data, and any number of threads.
#include <numbers>

#include "deepgen/models/mixtures/bernoulli_mixture.h"
#include "deepgen/models/mixtures/gaussian_mixture.h"
#include "tests/library/machines.h"
#include "tests/library/runs.h"

namespace deepgen::mixture_passes_test {
namespace {

using namespace machines;

constexpr std::int64_t rows = 1400, columns = 70, components = 4;  // several blocks, parts and slabs

std::shared_ptr<Mixture> mixture(const std::string& kind, std::int64_t count, std::int64_t width,
                                 double smallest_deviation = 0.01) {
  if (kind == "bernoulli") {
    MixtureOptions options;
    options.components = count;
    MixtureLearning learning;
    learning.pseudo_count = 0;
    return std::make_shared<BernoulliMixture>(options, learning, bits_shape(width));
  }
  GaussianMixtureOptions options;
  options.components = count, options.covariance = kind;
  GaussianMixtureLearning learning;
  learning.pseudo_count = 0, learning.smallest_deviation = smallest_deviation;
  return std::make_shared<GaussianMixture>(options, learning,
                                           DataShape{width, {width}, 0, ValueKind::real, {}});
}

Tensor rows_for(const std::string& kind, Rng& rng) {
  if (kind == "bernoulli") {
    Tensor x = bits_tensor(rows, columns, rng, 0.1);
    x.narrow(0, 0, rows / 2).copy_(bits_tensor(rows / 2, columns, rng, 0.5));
    return x;
  }
  Tensor x = normal_tensor({rows, columns}, 1, rng);
  for (std::int64_t j = 1; j < columns; ++j) x.select(1, j).add_(x.select(1, j - 1), 0.3);
  x.narrow(0, 0, rows / 2).add_(0.5);
  return x + 20;  // far from zero
}

// Gaps in some blocks of rows and not in others, most of them in one row each.
Tensor with_some_gaps(const Tensor& x, Rng& rng) {
  Tensor holed = x.clone();
  for (const std::int64_t first : {130, 520})
    for (std::int64_t i = first; i < first + 20; ++i)
      holed[i][static_cast<std::int64_t>(rng.below(static_cast<std::uint64_t>(x.size(1))))] = std::nanf("");
  return holed;
}

Tensor parameter(const Mixture& model, const std::string& name) {
  return model.named_parameters()["components." + name].detach().to(at::kDouble);
}

// L of component k, [D, D].
Tensor factor_of(const Mixture& model, std::int64_t k) {
  return at::tril(parameter(model, "factor")[k], -1) + at::diag(parameter(model, "log_diagonal")[k].exp());
}

// log N(x; m_k, C_k) by definition, [N, K].
Tensor plain_densities(const Mixture& model, const std::string& kind, const Tensor& x) {
  const Tensor means = parameter(model, "mean"), wide = x.to(at::kDouble);
  std::vector<Tensor> all;
  for (std::int64_t k = 0; k < means.size(0); ++k) {
    const Tensor steps = wide - means[k];
    if (kind == "diagonal") {
      const Tensor log_s = parameter(model, "log_deviation")[k], z = steps * (-log_s).exp();
      all.push_back(-(z.square() / 2 + log_s + std::log(2 * std::numbers::pi) / 2).nansum(1));
      continue;
    }
    const Tensor lower = factor_of(model, k), z = steps.mm(at::inverse(lower).t());
    all.push_back(-(z.square().sum(1) / 2 + lower.diagonal().log().sum() +
                    real(x.size(1)) * std::log(2 * std::numbers::pi) / 2));
  }
  return at::stack(all, 1);
}

// log p(x | k) as the model has it.
Tensor densities(const Mixture& model, const Tensor& x) {
  return model.log_joint(x) - model.mixing.detach().to(at::kDouble).log_softmax(0);
}

void expect_relative(const Tensor& ours, const Tensor& wanted, double absolute, double relative,
                     const std::string& what) {
  ASSERT_EQ(ours.sizes(), wanted.sizes()) << what;
  const Tensor beyond = (ours - wanted).abs() - (absolute + relative * wanted.abs());
  EXPECT_LE(beyond.max().item<double>(), 0) << what;
}

// A model after a few passes, so that its components differ.
std::shared_ptr<Mixture> fitted(const std::string& kind, const Tensor& x, std::int64_t count = components) {
  const auto model = mixture(kind, count, x.size(1));
  Rng rng(3);
  model->initialise({x, {}}, rng);
  for (int pass = 0; pass < 2; ++pass) {
    model->gather({x, {}});
    model->finish_pass();
  }
  return model;
}

// ---------------------------------------------------------------- densities

TEST(MixtureProducts, DensitiesAreThoseOfPlainDoublePrecision) {
  for (const std::string kind : {"diagonal", "full"}) {
    Rng rng(5);
    const Tensor x = rows_for(kind, rng);
    const auto model = fitted(kind, x);
    expect_relative(densities(*model, x), plain_densities(*model, kind, x), 1e-8, 1e-10, kind);
  }
}

TEST(MixtureProducts, DensitiesOfRowsWithGapsAreThoseOfTheirKnownCells) {
  Rng rng(7);
  const Tensor x = with_some_gaps(rows_for("diagonal", rng), rng);
  const auto model = fitted("diagonal", x);
  expect_relative(densities(*model, x), plain_densities(*model, "diagonal", x), 1e-8, 1e-10, "diagonal");
}

// Means 90 apart and deviations of 3e-4: products of squares would lose a hundred thousandth of a nat and more
// of rows at a mean.
TEST(MixtureProducts, NarrowComponentsFarApartKeepTheirDigits) {
  for (const std::string kind : {"diagonal", "full"})
    for (const bool gaps : {false, true}) {
      if (gaps && kind == "full") continue;  // one by one: exact_rows_test
      Rng rng(11);
      const auto model = mixture(kind, 3, 6, 1e-4);
      NoGradGuard no_graph;
      auto parameters = model->named_parameters();
      Tensor& means = parameters["components.mean"];
      means.copy_(at::tensor({0.0F, 0.5F, 90.0F}).unsqueeze(1).expand({3, 6}));
      parameters[kind == "full" ? "components.log_diagonal" : "components.log_deviation"].fill_(
          std::log(3e-4F));
      Tensor x = normal_tensor({300, 6}, 3e-4, rng);
      for (std::int64_t i = 0; i < 300; ++i) x[i].add_(means[i % 3]);
      if (gaps) x[4][2] = x[140][0] = x[141][5] = std::nanf("");
      expect_relative(densities(*model, x), plain_densities(*model, kind, x), 1e-8, 1e-11, kind);
    }
}

// ---------------------------------------------------------------- sums

// One pass over x against m_k = sum_n r_nk x_n / N_k and C_k = sum_n r_nk (x_n - m_k)(x_n - m_k)' / N_k, or
// their diagonals over known cells.
void expect_plain_pass(Mixture& model, const std::string& kind, const Tensor& x, double tolerance) {
  const Tensor shares = model.log_joint(x).softmax(1), wide = x.to(at::kDouble),
               known = wide.isfinite().to(at::kDouble);
  for (std::int64_t first = 0; first < x.size(0); first += 450)
    model.gather({x.narrow(0, first, std::min<std::int64_t>(450, x.size(0) - first)), {}});
  model.finish_pass();
  const Tensor means = parameter(model, "mean");
  for (std::int64_t k = 0; k < shares.size(1); ++k) {
    const Tensor r = shares.select(1, k).unsqueeze(1), mass = (r * known).sum(0);
    const Tensor mean = (r * wide.nan_to_num(0)).sum(0) / mass;
    expect_relative(means[k], mean, 1e-6, 1e-7, kind + ": mean");
    const Tensor steps = (wide - mean).nan_to_num(0);
    if (kind == "diagonal") {
      const Tensor deviation = ((r * steps.square()).sum(0) / mass).sqrt();
      expect_relative(parameter(model, "log_deviation")[k], deviation.log(), tolerance, tolerance,
                      "deviation");
      continue;
    }
    const Tensor lower = factor_of(model, k), wanted = steps.t().mm(r * steps) / shares.select(1, k).sum();
    expect_relative(lower.mm(lower.t()), wanted, tolerance * wanted.abs().max().item<double>(), 0,
                    "covariance");
  }
}

TEST(MixtureProducts, APassIsThePlainSumsInDoublePrecision) {
  for (const std::string kind : {"diagonal", "full"}) {
    Rng rng(13);
    const Tensor x = rows_for(kind, rng);
    expect_plain_pass(*fitted(kind, x), kind, x, 1e-6);
  }
  Rng rng(17);
  const Tensor holed = with_some_gaps(rows_for("diagonal", rng), rng);
  expect_plain_pass(*fitted("diagonal", holed), "diagonal", holed, 1e-6);
}

// Variances of a ten-millionth of a squared distance between components: as a difference of sums of squares
// about a common centre they would keep three digits.
TEST(MixtureProducts, VariancesOfNarrowComponentsFarApartKeepTheirDigits) {
  for (const bool gaps : {false, true}) {
    Rng rng(19);
    const auto model = mixture("diagonal", 3, 40, 1e-4);
    NoGradGuard no_graph;
    auto parameters = model->named_parameters();
    Tensor& means = parameters["components.mean"];
    means.copy_(at::tensor({0.0F, 0.5F, 90.0F}).unsqueeze(1).expand({3, 40}));
    parameters["components.log_deviation"].fill_(std::log(2e-4F));
    Tensor x = normal_tensor({600, 40}, 3e-4, rng);
    for (std::int64_t i = 0; i < 600; ++i) x[i].add_(means[i % 3]);
    if (gaps) x[4][2] = x[140][0] = x[141][39] = std::nanf("");
    expect_plain_pass(*model, "diagonal", x, 3e-7);
  }
}

// ---------------------------------------------------------------- bits

// Few components go by dense products, more of them by lists of the ones where these are few, in the densities
// and in the sums.
TEST(MixtureProducts, OfBitsAreThoseOfPlainDoublePrecision) {
  for (const std::int64_t count : {4, 70, 400})
    for (const double share : {0.12, 0.7})
      for (const bool gaps : {false, true}) {
        Rng rng(31);
        const Tensor bits = bits_tensor(rows, columns, rng, share),
                     x = gaps ? with_some_gaps(bits, rng) : bits;
        const auto model = mixture("bernoulli", count, columns);
        NoGradGuard no_graph;
        model->named_parameters()["components.logits"].copy_(normal_tensor({count, columns}, 1, rng));
        const std::string what = std::to_string(count) + " of " + std::to_string(share);
        const Tensor wide = x.to(at::kDouble), known = wide.isfinite().to(at::kDouble),
                     ones = wide.nan_to_num(0);
        const Tensor logits = parameter(*model, "logits");
        const Tensor wanted = ones.mm(logits.t()) - known.mm(at::softplus(logits).t());
        expect_relative(densities(*model, x), wanted, 1e-4, 0, what);
        const Tensor shares = model->log_joint(x).softmax(1);
        model->gather({x, {}});
        model->finish_pass();
        const Tensor p = (shares.t().mm(ones) / shares.t().mm(known)).clamp(1e-7, 1 - 1e-7);
        const Tensor ours = model->filters().to(at::kDouble), used = shares.sum(0).unsqueeze(1) > 1e-9;
        EXPECT_GT(used.sum().item<double>(), 3) << what;
        expect_relative(ours, at::where(used, p, ours), 1e-5, 0, what);  // others may stay as they are
      }
}

// ---------------------------------------------------------------- laws

TEST(MixtureProducts, ThreadsChangeNothing) {
  const std::vector<std::pair<std::string, std::int64_t>> kinds = {
      {"bernoulli", components}, {"bernoulli", 70}, {"diagonal", components}, {"full", components}};
  for (const auto& [kind, many] : kinds)
    for (const bool gaps : {false, true}) {
      auto results = [&, kind = kind, many = many](int count) {
        const Threads threads(count);
        Rng rng(23);
        const Tensor x = rows_for(kind, rng), seen = gaps ? with_some_gaps(x, rng) : x;
        const auto model = fitted(kind, seen, many);
        std::vector<Tensor> all = {model->log_joint(seen)};
        for (const Tensor& each : model->parameters()) all.push_back(each);
        model->gather({seen, {}});
        all.push_back(at::tensor(runs::metric(model->finish_pass(), "objective"), at::kDouble));
        return all;
      };
      const std::vector<Tensor> one = results(1);
      for (const int count : {2, 3}) {
        const std::vector<Tensor> several = results(count);
        ASSERT_EQ(one.size(), several.size());
        for (std::size_t i = 0; i < one.size(); ++i)
          expect_bit_equal(one[i], several[i],
                           kind + " " + std::to_string(i) + " on " + std::to_string(count));
      }
    }
}

// What was made of the parameters is made anew when they change, however that happens.
TEST(MixtureProducts, ChangedParametersAreNoticed) {
  for (const std::string kind : {"bernoulli", "diagonal", "full"}) {
    Rng rng(29);
    const Tensor x = rows_for(kind, rng);
    const auto model = fitted(kind, x), other = mixture(kind, components, columns);
    const Tensor before = model->log_prob({x, {}});
    for (Tensor& each : model->parameters()) each.data_ptr<float>()[0] += 0.25F;  // behind torch's back
    NoGradGuard no_graph;
    for (std::size_t i = 0; i < model->parameters().size(); ++i)
      other->parameters()[i].copy_(model->parameters()[i]);
    const Tensor after = model->log_prob({x, {}});
    expect_bit_equal(after, other->log_prob({x, {}}), kind);
    EXPECT_GT((after - before).abs().max().item<double>(), 1e-3) << kind;
  }
}

}  // namespace
}  // namespace deepgen::mixture_passes_test
