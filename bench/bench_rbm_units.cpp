// One training step of the RBM with Gaussian, rectified and softmax units against its matrix products.
#include <fmt/format.h>

#include <cstring>

#include "bench/harness.h"
#include "deepgen/ops/binary_units.h"
#include "deepgen/ops/unit_layers.h"
#include "deepgen/train/trainer.h"

namespace deepgen::bench {
namespace {

constexpr std::int64_t visible = 784, hidden = 500, batch = 100, rows = 5000;

Dataset set_of(const Tensor& x, ValueKind values) {
  RawSet raw{.name = "random",
             .description = "",
             .arrays = {},
             .case_shape = {visible},
             .values = values,
             .column_names = {}};
  Array train = make_array(DType::f32, {rows, visible});
  std::memcpy(train.bytes.data(), x.contiguous().data_ptr<float>(), train.bytes.size());
  raw.arrays["train"] = std::move(train);
  return make_dataset(std::move(raw), DataOptions{});
}

// One choice of four in each group.
Tensor one_hot_rows() {
  Tensor x = at::empty({rows, visible});
  const Tensor offsets = at::arange(0, visible + 1, 4, at::kLong);
  softmax_layer(at::zeros({rows, visible}), {}, offsets, 1, Rng(5).next(), {.sample = x});
  return x;
}

struct Case {
  const char *name, *visible_units, *hidden_units;
  bool centring;
};

void bench_case(const Case& units, const Dataset& data) {
  Settings settings("rbm");
  settings.set("model.hidden=500");
  settings.set("model.group=4");
  settings.set(fmt::format("model.visible_units={}", units.visible_units));
  settings.set(fmt::format("model.hidden_units={}", units.hidden_units));
  settings.set("training.learning=cd");
  settings.set("training.rate=0.001");
  settings.set(fmt::format("training.centring={}", units.centring));
  auto model = make_model("rbm", settings.model_json(), settings.learning_json(), data.data_shape());
  Trainer trainer(model, data, std::move(settings), 1);
  const Tensor v = at::rand({batch, visible}), w = at::rand({visible, hidden});
  Tensor h = at::empty({batch, hidden}), h1 = at::empty_like(h), v1 = at::empty_like(v),
         g = at::empty_like(w);
  Comparison c(fmt::format("rbm {} 784x500 cd-1{}, batch 100", units.name, units.centring ? " centred" : ""));
  c.add("products", [&] {
    at::mm_out(h, v, w);
    at::addmm_out(g, g, v.t(), h, 0, -1);
    at::mm_out(v1, h, w.t());
    at::mm_out(h1, v1, w);
    at::addmm_out(g, g, v1.t(), h1, 1, 1);
  });
  c.add("step", [&] { trainer.step(); });
  c.run();
  c.ratio("step", "products", units.centring ? 0 : 1.25, false);
  for (const auto& item : model->named_parameters())
    require(item.value().isfinite().all().item<bool>(), "a parameter is not finite");
}

void bench_units_steps() {
  const Dataset real = set_of(normal(rows, visible, Rng(3).next()), ValueKind::real),
                groups = set_of(one_hot_rows(), ValueKind::binary);
  for (const bool centring : {false, true}) {
    bench_case({"gaussian-binary", "gaussian", "binary", centring}, real);
    bench_case({"gaussian-rectified", "gaussian", "rectified", centring}, real);
    bench_case({"softmax-binary", "softmax", "binary", centring}, groups);
  }
}

const Registration steps("rbm-units", bench_units_steps);

}  // namespace
}  // namespace deepgen::bench
