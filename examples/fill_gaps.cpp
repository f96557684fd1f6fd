// Fills gaps of a table in memory: a mixture of Gaussians learns from rows with missing cells and draws them.
#include <cmath>
#include <cstdio>
#include <exception>

#include "deepgen/deepgen.h"

using namespace deepgen;

int main() try {
  // Points along a line, y = 2 x with some noise; every fifth y is missing.
  Rng rng(1);
  Tensor x = at::empty({500, 2});
  for (std::int64_t row = 0; row < x.size(0); ++row) {
    const double along = rng.normal();
    x[row][0] = along;
    x[row][1] = row % 5 == 0 ? std::nan("") : 2 * along + 0.1 * rng.normal();
  }
  const Dataset data = dataset_of(x);

  Settings settings("gaussian_mixture");
  settings.set("model.components=1");
  settings.set("model.covariance=full");
  const auto model = make_model(settings, data);
  Trainer trainer(model, data, std::move(settings), 1);
  Observer silent;
  trainer.run(silent);

  // Steps are for models that complete by a chain; a mixture draws directly.
  const Tensor filled = complete_rows(*model, x, 1, rng, silent);
  for (std::int64_t row = 0; row < 15; row += 5)
    std::printf("x = %6.2f: y drawn %6.2f, the line says %6.2f\n", filled[row][0].item<double>(),
                filled[row][1].item<double>(), 2 * filled[row][0].item<double>());
  return 0;
} catch (const std::exception& error) {
  std::fprintf(stderr, "%s\n", error.what());
  return 1;
}
