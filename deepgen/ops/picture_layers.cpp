#include "deepgen/ops/picture_layers.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "deepgen/core/error.h"
#include "deepgen/kernels/kernels.h"
#include "deepgen/ops/convolution_products.h"

namespace deepgen {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

constexpr double float_ns = 0.3;  // to touch a number

// body(picture) for each of B, shared out.
template <class Body>
void each_picture(std::int64_t batch, std::int64_t floats, Body body) {
  parallel_ranges(batch, float_ns * static_cast<double>(floats), 1,
                  [&](std::int64_t begin, std::int64_t end) {
                    for (std::int64_t i = begin; i < end; ++i) body(i);
                  });
}

// Sizes of pooled pictures within whole ones.
struct Cells {
  std::int64_t height, width, rows, columns, channels;  // of pixels, of cells
  std::int64_t pixel(std::int64_t row, std::int64_t column, std::int64_t place) const {
    return ((2 * row + place / 2) * width + 2 * column + place % 2) * channels;
  }
};

void gather_places(const Cells& c, const float* x, const std::uint8_t* places, float* values) {
  for (std::int64_t row = 0; row < c.rows; ++row)
    for (std::int64_t column = 0; column < c.columns; ++column)
      for (std::int64_t k = 0; k < c.channels; ++k) {
        const std::int64_t cell = (row * c.columns + column) * c.channels + k;
        values[cell] = x[c.pixel(row, column, places[cell]) + k];
      }
}

void scatter_places(const Cells& c, const float* values, const std::uint8_t* places, float* x) {
  for (std::int64_t row = 0; row < c.rows; ++row)
    for (std::int64_t column = 0; column < c.columns; ++column)
      for (std::int64_t k = 0; k < c.channels; ++k) {
        const std::int64_t cell = (row * c.columns + column) * c.channels + k;
        x[c.pixel(row, column, places[cell]) + k] = values[cell];
      }
}

void find_places(const Cells& c, const float* x, std::uint8_t* places) {
  for (std::int64_t row = 0; row < c.rows; ++row)
    for (std::int64_t column = 0; column < c.columns; ++column)
      for (std::int64_t k = 0; k < c.channels; ++k) {
        std::uint8_t best = 0;
        for (std::uint8_t place = 1; place < 4; ++place)
          if (x[c.pixel(row, column, place) + k] > x[c.pixel(row, column, best) + k]) best = place;
        places[(row * c.columns + column) * c.channels + k] = best;
      }
}

Tensor taken(const Tensor& x, const Tensor& places) {
  const Cells c{x.size(1), x.size(2), places.size(1), places.size(2), x.size(3)};
  const std::int64_t whole = x.numel() / x.size(0), part = places.numel() / x.size(0);
  Tensor values = at::empty(places.sizes(), x.options());
  each_picture(x.size(0), part, [&](std::int64_t i) {
    gather_places(c, x.data_ptr<float>() + i * whole, places.data_ptr<std::uint8_t>() + i * part,
                  values.data_ptr<float>() + i * part);
  });
  return values;
}

Tensor put_back(const Tensor& values, const Tensor& places, std::int64_t height, std::int64_t width) {
  const Cells c{height, width, places.size(1), places.size(2), places.size(3)};
  Tensor x = at::zeros({values.size(0), height, width, c.channels}, values.options());
  const std::int64_t whole = height * width * c.channels,
                     part = places.numel() / std::max<std::int64_t>(1, places.size(0));
  each_picture(values.size(0), whole, [&](std::int64_t i) {
    scatter_places(c, values.data_ptr<float>() + i * part, places.data_ptr<std::uint8_t>() + i * part,
                   x.data_ptr<float>() + i * whole);
  });
  return x;
}

// Values at places, and the other way round: each the adjoint of the other.
class Take : public torch::autograd::Function<Take> {
 public:
  static Tensor forward(AutogradContext* context, const Tensor& x, const Tensor& places) {
    context->save_for_backward({places});
    context->saved_data["height"] = x.size(1);
    context->saved_data["width"] = x.size(2);
    return taken(x, places);
  }
  static variable_list backward(AutogradContext* context, variable_list gradients) {
    return {put_back(gradients[0].contiguous(), context->get_saved_variables()[0],
                     context->saved_data["height"].toInt(), context->saved_data["width"].toInt()),
            Tensor()};
  }
};

class Put : public torch::autograd::Function<Put> {
 public:
  static Tensor forward(AutogradContext* context, const Tensor& values, const Tensor& places,
                        std::int64_t height, std::int64_t width) {
    context->save_for_backward({places});
    return put_back(values, places, height, width);
  }
  static variable_list backward(AutogradContext* context, variable_list gradients) {
    return {taken(gradients[0].contiguous(), context->get_saved_variables()[0]), Tensor(), Tensor(),
            Tensor()};
  }
};

// y(r, c) += or = x(r / times, c / times) for each pixel, or the adjoint: x(r / times, c / times) += y(r, c).
template <class Pixel>
void for_repeats(const Tensor& small, std::int64_t times, Pixel pixel) {
  const std::int64_t height = small.size(1) * times, width = small.size(2) * times, channels = small.size(3);
  each_picture(small.size(0), height * width * channels, [&](std::int64_t i) {
    for (std::int64_t r = 0; r < height; ++r)
      for (std::int64_t c = 0; c < width; ++c)
        pixel(((i * small.size(1) + r / times) * small.size(2) + c / times) * channels,
              ((i * height + r) * width + c) * channels);
  });
}

class Upsample : public torch::autograd::Function<Upsample> {
 public:
  static Tensor forward(AutogradContext* context, const Tensor& x, std::int64_t times) {
    context->saved_data["times"] = times;
    const std::int64_t channels = x.size(3);
    Tensor y = at::empty({x.size(0), x.size(1) * times, x.size(2) * times, channels}, x.options());
    const float* from = x.data_ptr<float>();
    float* to = y.data_ptr<float>();
    for_repeats(x, times, [&](std::int64_t small, std::int64_t large) {
      std::copy_n(from + small, channels, to + large);
    });
    return y;
  }
  static variable_list backward(AutogradContext* context, variable_list gradients) {
    const std::int64_t times = context->saved_data["times"].toInt();
    const Tensor g = gradients[0].contiguous();
    const std::int64_t channels = g.size(3);
    Tensor x = at::zeros({g.size(0), g.size(1) / times, g.size(2) / times, channels}, g.options());
    const float* from = g.data_ptr<float>();
    float* to = x.data_ptr<float>();
    for_repeats(x, times, [&](std::int64_t small, std::int64_t large) {
      for (std::int64_t k = 0; k < channels; ++k) to[small + k] += from[large + k];
    });
    return {x, Tensor()};
  }
};

class Normalise : public torch::autograd::Function<Normalise> {
 public:
  static Tensor forward(AutogradContext* context, const Tensor& x, const Tensor& gain, const Tensor& shift,
                        const Tensor& mean, const Tensor& inverse, bool own_moments) {
    context->save_for_backward({x, gain, mean, inverse});
    context->saved_data["own_moments"] = own_moments;
    return ((x - mean) * (inverse * gain)).add_(shift);
  }
  static variable_list backward(AutogradContext* context, variable_list gradients) {
    const variable_list saved = context->get_saved_variables();
    const Tensor &x = saved[0], &gain = saved[1], &mean = saved[2], &inverse = saved[3];
    const Tensor g = gradients[0].contiguous(), unit = (x - mean).mul_(inverse);
    const Tensor shift_gradient = channel_sums(g), gain_gradient = channel_sums(g * unit);
    Tensor gx = g;
    if (context->saved_data["own_moments"].toBool()) {
      const double count = static_cast<double>(x.numel() / x.size(-1));
      gx = g - (shift_gradient / count).to(at::kFloat) - unit * (gain_gradient / count).to(at::kFloat);
    }
    return {gx * (gain * inverse),
            gain_gradient.to(at::kFloat),
            shift_gradient.to(at::kFloat),
            Tensor(),
            Tensor(),
            Tensor()};
  }
};

Tensor normalise(const Tensor& x, const ChannelMoments& moments, const Tensor& gain, const Tensor& shift,
                 double epsilon, bool own_moments) {
  const Tensor inverse = (moments.variance + epsilon).rsqrt().to(at::kFloat);
  return Normalise::apply(x.contiguous(), gain, shift, moments.mean.to(at::kFloat), inverse, own_moments);
}

}  // namespace

Tensor to_pictures(const Tensor& rows, const std::vector<std::int64_t>& shape) {
  const std::size_t n = shape.size();
  const std::int64_t width = n > 0 ? shape[n - 1] : 0, height = n > 1 ? shape[n - 2] : 1,
                     channels = n > 2 ? shape[n - 3] : 1;
  if (n < 1 || n > 3 || rows.dim() != 2 || channels * height * width != rows.size(1))
    fail_usage("pictures", fmt::format("expected rows of pictures of shape {}, got {} columns",
                                       fmt::join(shape, " x "), rows.dim() == 2 ? rows.size(1) : 0));
  return rows.view({rows.size(0), channels, height, width}).permute({0, 2, 3, 1}).contiguous();
}

Tensor to_rows(const Tensor& pictures) { return pictures.permute({0, 3, 1, 2}).contiguous().flatten(1); }

Pooled max_pool(const Tensor& x) {
  const Tensor dense = x.contiguous();
  const Cells c{x.size(1), x.size(2), x.size(1) / 2, x.size(2) / 2, x.size(3)};
  Tensor places = at::empty({x.size(0), c.rows, c.columns, c.channels}, at::kByte);
  const std::int64_t whole = c.height * c.width * c.channels, part = c.rows * c.columns * c.channels;
  each_picture(x.size(0), whole, [&](std::int64_t i) {
    find_places(c, dense.data_ptr<float>() + i * whole, places.data_ptr<std::uint8_t>() + i * part);
  });
  return {Take::apply(dense, places), places};
}

Tensor max_unpool(const Tensor& values, const Tensor& places, std::int64_t height, std::int64_t width) {
  if (values.sizes() != places.sizes() || height / 2 != places.size(1) || width / 2 != places.size(2))
    fail_usage("max_unpool", fmt::format("expected values and places of {} x {} cells, got {} x {}",
                                         height / 2, width / 2, places.size(1), places.size(2)));
  return Put::apply(values.contiguous(), places, height, width);
}

Tensor upsample(const Tensor& x, std::int64_t times) { return Upsample::apply(x.contiguous(), times); }

ChannelMoments channel_moments(const Tensor& x) {
  NoGradGuard no_graph;
  const Tensor dense = x.detach().contiguous();
  const auto count = static_cast<double>(x.numel() / x.size(-1));
  const Tensor mean = channel_sums(dense) / count;
  return {mean, channel_sums((dense - mean.to(at::kFloat)).square_()) / count};
}

Tensor normalise_batch(const Tensor& x, const ChannelMoments& moments, const Tensor& gain,
                       const Tensor& shift, double epsilon) {
  return normalise(x, moments, gain, shift, epsilon, true);
}

Tensor normalise_with(const Tensor& x, const ChannelMoments& moments, const Tensor& gain, const Tensor& shift,
                      double epsilon) {
  return normalise(x, moments, gain, shift, epsilon, false);
}

namespace composed {

Pooled max_pool(const Tensor& x) {
  const Tensor cells = x.narrow(1, 0, x.size(1) / 2 * 2)
                           .narrow(2, 0, x.size(2) / 2 * 2)
                           .reshape({x.size(0), x.size(1) / 2, 2, x.size(2) / 2, 2, x.size(3)})
                           .permute({0, 1, 3, 5, 2, 4})
                           .flatten(4);
  const auto [values, places] = cells.max(4);
  return {values, places.to(at::kByte)};
}

Tensor upsample(const Tensor& x, std::int64_t times) {
  return x.repeat_interleave(times, 1).repeat_interleave(times, 2);
}

Tensor normalise_batch(const Tensor& x, const Tensor& gain, const Tensor& shift, double epsilon) {
  const Tensor rows = x.reshape({-1, x.size(-1)});
  const Tensor mean = rows.mean(0), centred = rows - mean, variance = centred.square().mean(0);
  return (centred * (variance + epsilon).rsqrt() * gain + shift).view(x.sizes());
}

}  // namespace composed
}  // namespace deepgen
