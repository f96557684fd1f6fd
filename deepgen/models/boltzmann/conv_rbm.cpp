#include "deepgen/models/boltzmann/conv_rbm.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "deepgen/core/error.h"
#include "deepgen/model/create.h"
#include "deepgen/ops/picture_layers.h"
#include "deepgen/parts/checks/check_cells.h"

namespace deepgen {

// ---------------------------------------------------------------- construction

namespace {

const char* const conv_rbm_name = "conv_rbm";

// {C, H, W} of the cases.
std::vector<std::int64_t> picture_shape(const DataShape& data) {
  std::vector<std::int64_t> shape = data.shape;
  if (shape.empty()) shape = {data.columns};
  if (shape.size() > 3)
    fail_data(conv_rbm_name, fmt::format("expected pictures [channels, height, width], got cases of shape {}",
                                         fmt::join(shape, " x ")));
  while (shape.size() < 3) shape.insert(shape.begin(), 1);
  return shape;
}

UnitLayer picture_units(const ConvRbmOptions& options, const DataShape& data) {
  const std::vector<ColumnGroup> groups = data.column_groups();
  for (const ColumnGroup& group : groups)
    if (group.kind != groups[0].kind)
      fail_data(conv_rbm_name, fmt::format("expected pictures whose cells are of one kind, got other values "
                                           "from column {} on; use rbm",
                                           group.first));
  if (options.visible_units != "expected_bits") return UnitLayer::of(groups);
  if (groups[0].kind != ColumnKind::binary && groups[0].kind != ColumnKind::mean_field)
    fail_data(conv_rbm_name,
              "expected bits or grey values in [0, 1] as the means of bits, got other values; use "
              "model.visible_units=auto");
  return UnitLayer::of(UnitKind::binary, data.columns);
}

Window filter_window(const ConvRbmOptions& options, const std::vector<std::int64_t>& picture) {
  const std::int64_t height = picture[1], width = picture[2], f = options.filter;
  const std::int64_t down = height == 1 ? 1 : f;
  if (down > height || f > width)
    fail_usage(options.filter_option,
               fmt::format("expected filters that fit into the pictures of {} x {}, got {} x {}", height,
                           width, down, f));
  Window window{height, width, height - down + 1, width - f + 1, 1, {}};
  for (std::int64_t i = 0; i < down; ++i)
    for (std::int64_t j = 0; j < f; ++j) window.offsets.push_back({i, j});
  return window;
}

PoolingBlocks blocks_of(const ConvRbmOptions& options, const Window& window) {
  const std::int64_t right = options.pooling, down = window.height == 1 ? 1 : right;
  if (window.out_height % down != 0 || window.out_width % right != 0)
    fail_usage(
        options.pooling_option,
        fmt::format("expected blocks that divide the hidden maps of {} x {} (pictures of {} x {} under "
                    "filters of width {}), got blocks of {} x {}; change {} or {}",
                    window.out_height, window.out_width, window.height, window.width, options.filter, down,
                    right, options.filter_option, options.pooling_option));
  return {window.out_height, window.out_width, options.filters, down, right};
}

}  // namespace

ConvRbm::ConvRbm(ConvRbmOptions options, ConvRbmLearning learning, const DataShape& data)
    : options_(std::move(options)),
      learning_(std::move(learning)),
      picture_(picture_shape(data)),
      visible_units_(picture_units(options_, data)),
      window_(filter_window(options_, picture_)),
      blocks_(blocks_of(options_, window_)) {
  options_.check();
  learning_.check();
  register_tensors();
}

void ConvRbm::register_tensors() {
  const std::int64_t channels = picture_[0], down = window_.taps() / options_.filter;
  const bool shared = options_.visible_bias == "channel";
  weights =
      register_parameter("weights", at::zeros({down, options_.filter, channels, options_.filters}), false);
  visible_bias = register_parameter("visible_bias", at::zeros({shared ? channels : visible()}), false);
  hidden_bias = register_parameter("hidden_bias", at::zeros({options_.filters}), false);
  data_mean = register_buffer("data_mean", at::full({visible()}, 0.5));
  if (visible_units_.any(UnitKind::gaussian)) {
    data_variance = register_buffer("data_variance", at::ones({visible()}));
    visible_deviation = register_buffer("visible_deviation", at::ones({channels}));
  }
  if (learning_.learning == "pcd")
    chains = register_buffer("chains", at::zeros({learning_.chains, blocks_.units()}));
}

void ConvRbm::check_data(const Tensor& x, const std::string& what, std::int64_t first_row) const {
  if (expects_bits())
    check_cells(x, visible(), true, conv_rbm_name, what, first_row);
  else
    visible_units_.check(x, conv_rbm_name, what, first_row);
}

// ---------------------------------------------------------------- visible parameters

Tensor ConvRbm::over_pixels(const Tensor& parameter) const {
  if (parameter.size(0) == visible()) return parameter;
  return parameter.repeat_interleave(visible() / picture_[0]);
}

Tensor ConvRbm::as_bias(const Tensor& of_pixels) const {
  if (visible_bias.size(0) == visible()) return of_pixels;
  return of_pixels.to(at::kDouble).view({picture_[0], -1}).mean(1).to(at::kFloat);
}

NaturalParameters ConvRbm::natural_with(const Tensor& bias) const {
  NaturalParameters p{over_pixels(bias), {}, {}};
  if (!has_moments()) return p;
  const Tensor sigma = over_pixels(visible_deviation);
  p.couple = at::reciprocal(sigma), p.gamma = p.couple.square();
  p.theta = p.theta * p.gamma;
  return p;
}

NaturalParameters ConvRbm::visible_natural() const { return natural_with(visible_bias); }

NaturalParameters ConvRbm::base_natural() const {
  return visible_units_.at_moments(data_mean, data_variance);
}

NaturalParameters ConvRbm::start_natural() const {
  const Tensor mean = as_bias(data_mean);
  if (has_moments()) return natural_with(mean);
  return natural_with(as_bias(visible_units_.at_moments(over_pixels(mean), {}).theta));
}

Tensor ConvRbm::coupled(const Tensor& v) const {
  return has_moments() ? v * at::reciprocal(over_pixels(visible_deviation)) : v;
}

// ---------------------------------------------------------------- conditionals

Tensor ConvRbm::hidden_activation(const Tensor& v) const {
  return window_product(window_, to_pictures(coupled(v).contiguous(), picture_), kernel(), hidden_bias);
}

Tensor ConvRbm::visible_input(const Tensor& h) const {
  return to_rows(window_adjoint(window_, h.contiguous(), kernel(), {}));
}

Tensor ConvRbm::mean_v_given_h(const Tensor& h) const {
  Tensor v = visible_input(h);
  Rng unused(0);
  visible_units_.activate(v, visible_natural(), 1, unused, {.mean = v});
  return v;
}

Tensor ConvRbm::sample_v_given_h(const Tensor& h, Rng& rng) const {
  Tensor v = visible_input(h);
  visible_units_.activate(v, visible_natural(), 1, rng, {.sample = v});
  return v;
}

Tensor ConvRbm::log_prob_v_given_h(const Tensor& v, const Tensor& h) const {
  const NaturalParameters p = visible_natural();
  const Tensor input = visible_input(h);
  const Tensor a = p.couple.defined() ? at::addcmul(p.theta, input, p.couple) : input + p.theta;
  return visible_units_.log_weight(v, a, p.gamma) - visible_units_.log_partition(a, p.gamma);
}

Tensor ConvRbm::pooled_rows(const Tensor& h) const { return to_rows(blocks_.pool(h)); }

Tensor ConvRbm::pooled_mean(const Tensor& v) const {
  NoGradGuard no_graph;
  return by_some_rows(v, [&](const Tensor& some) { return pooled_rows(mean_h_given_v(some)); });
}

Tensor ConvRbm::pooled_sample(const Tensor& v, Rng& rng) const {
  NoGradGuard no_graph;
  return by_some_rows(v, [&](const Tensor& some) { return pooled_rows(sample_h_given_v(some, rng)); });
}

Tensor ConvRbm::filters() const {
  NoGradGuard no_graph;
  Tensor pictures = at::zeros({blocks_.maps(), picture_[0], picture_[1], picture_[2]});
  pictures.narrow(2, (window_.out_height - 1) / 2, weights.size(0))
      .narrow(3, (window_.out_width - 1) / 2, weights.size(1))
      .copy_(weights.permute({3, 2, 0, 1}));
  return pictures.flatten(1);
}

Tensor ConvRbm::dense_weights() const {
  const std::int64_t down = weights.size(0), right = weights.size(1);
  const Tensor wide = weights.detach().permute({2, 0, 1, 3}).to(at::kDouble);  // [C, f, f, K]
  Tensor all = at::zeros(
      {picture_[0], picture_[1], picture_[2], window_.out_height, window_.out_width, blocks_.maps()},
      at::kDouble);
  for (std::int64_t p = 0; p < window_.out_height; ++p)
    for (std::int64_t q = 0; q < window_.out_width; ++q)
      all.narrow(1, p, down).narrow(2, q, right).select(3, p).select(3, q).copy_(wide);
  return blocks_.cells_of(all.flatten(0, 2)).flatten(1).contiguous();
}

template std::shared_ptr<Model> create<ConvRbmCard>(const Options&, const Options&, const DataShape&);

}  // namespace deepgen
