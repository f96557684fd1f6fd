#include "deepgen/models/autoregressive/pixelcnn.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <atomic>
#include <cmath>

#include "deepgen/core/error.h"
#include "deepgen/core/interruption.h"
#include "deepgen/kernels/kernels.h"
#include "deepgen/model/create.h"
#include "deepgen/models/autoregressive/autoregressive.h"
#include "deepgen/ops/binary_units.h"
#include "deepgen/ops/products.h"
#include "deepgen/parts/pixels/cached_raster_scan.h"

namespace deepgen {
namespace {

// Pictures drawn together: enough that products over one pixel each are worth their call.
constexpr std::int64_t drawn_together = 64;
// Pictures whose outputs are held together: those of 256 levels of a whole set would take gigabytes.
constexpr std::int64_t scored_together = 64;

// function(first, rows) for consecutive rows of `count`, a few at a time.
template <class F>
void in_pieces(std::int64_t count, F function) {
  for (std::int64_t first = 0; first < count; first += scored_together)
    function(first, std::min(scored_together, count - first));
}

Tensor piece(const Tensor& rows, std::int64_t first, std::int64_t count) {
  return rows.defined() ? rows.narrow(0, first, count) : rows;
}

PixelNetSizes sizes_of(const PixelCnnOptions& options, const PixelCnnLearning& learning,
                       const DataShape& data, const PixelOutput& pixels, std::int64_t classes) {
  const std::vector<std::int64_t> shape =
      data.shape.empty() ? std::vector<std::int64_t>{data.columns} : data.shape;
  const std::size_t n = shape.size();
  if (n > 3 || (n == 3 && shape[0] != 1))
    fail_data("pixelcnn", fmt::format("expected pictures with one channel, got cases of shape {}",
                                      fmt::join(shape, " x ")));
  PixelNetSizes sizes;
  sizes.width = shape[n - 1];
  sizes.height = n > 1 ? shape[n - 2] : 1;
  sizes.channels = options.channels;
  sizes.blocks = options.blocks;
  sizes.first_kernel = options.first_kernel;
  sizes.kernel = options.kernel;
  sizes.head = options.head;
  sizes.outputs = pixels.outputs();
  sizes.classes = classes;
  sizes.dropout = learning.dropout;
  return sizes;
}

// [B, D, 1]: what stands for each pixel at the network's input.
Tensor inputs_of(const PixelOutput& pixels, const Tensor& x) {
  const Tensor values = x.contiguous();
  Tensor inputs = at::empty({x.size(0), x.size(1), 1});
  const float* from = values.data_ptr<float>();
  float* to = inputs.data_ptr<float>();
  parallel_ranges(x.numel(), 1, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) to[i] = pixels.input(from[i]);
  });
  return inputs;
}

}  // namespace

PixelCnn::PixelCnn(PixelCnnOptions options, PixelCnnLearning learning, const DataShape& data,
                   std::int64_t classes)
    : options_(std::move(options)),
      learning_(std::move(learning)),
      pixels_(pixel_output(options_.pixels, data.values, options_.levels, options_.mixture)),
      net_(register_module(
          "net", std::make_shared<PixelNet>(sizes_of(options_, learning_, data, *pixels_, classes)))) {}

void PixelCnn::initialise(const Rows& sample, Rng& rng) {
  NoGradGuard no_graph;
  net_->initialise(rng);
  net_->output_bias.copy_(pixels_->base_outputs(sample.x.flatten()));
}

void PixelCnn::check_data(const Tensor& x, const std::string& what, std::int64_t first_row) const {
  if (x.size(1) != net_->sizes().pixels())
    fail_data(what, fmt::format("expected {} columns, as the model was made for, got {}",
                                net_->sizes().pixels(), x.size(1)));
  pixels_->check(x, "pixelcnn", what, first_row);
  refuse_missing(x, "pixelcnn", what, first_row);
}

// ---------------------------------------------------------------- conditionals

Tensor PixelCnn::outputs(const Tensor& x, const Tensor& labels) const {
  return net_->outputs(inputs_of(*pixels_, x), labels);
}

// ---------------------------------------------------------------- gradients

Metrics PixelCnn::gradients(const Rows& batch, const Turn&, Rng& rng) {
  const Tensor x = batch.x.contiguous();
  const std::int64_t d = x.size(1), each = pixels_->outputs();
  const double objective = net_->gradients(
      inputs_of(*pixels_, x), net_->sizes().classes > 0 ? batch.y : Tensor(),
      [&](std::int64_t row, const float* outputs, float* gradient) {
        const float* values = x.data_ptr<float>() + row * d;
        double sum = 0;
        for (std::int64_t i = 0; i < d; ++i) {
          sum -= pixels_->log_prob(outputs + i * each, values[i]);
          pixels_->gradient(outputs + i * each, values[i], gradient + i * each);
        }
        return sum;
      },
      rng);
  return {{"batch_log_prob", -objective}};
}

// ---------------------------------------------------------------- sampling

namespace {

// Ctrl-C within an item of share_items, which may take seconds: the calling thread hears it, and all stop.
class SharedInterruption {
 public:
  // Throws on the thread that hears it; true: another one has.
  bool stopped() {
    if (heard_) return true;
    try {
      interruption_point();
    } catch (...) {
      heard_ = true;
      throw;
    }
    return false;
  }

 private:
  std::atomic<bool> heard_ = false;
};

}  // namespace

PixelCnn::Drawn PixelCnn::draw(const Tensor& from, const Tensor& labels, const Tensor& kept,
                               const Tensor& known, const Tensor& u) const {
  const std::int64_t rows = from.size(0), d = from.size(1), each = pixels_->outputs();
  net_->expect_labels(labels, rows);
  const Drawn drawn{from.clone(at::MemoryFormat::Contiguous), at::zeros({rows}, at::kDouble)};
  float* x = drawn.x.data_ptr<float>();
  const float* quantiles = u.data_ptr<float>();
  const std::int64_t* classes = labels.defined() ? labels.data_ptr<std::int64_t>() : nullptr;
  const bool *keeps = kept.data_ptr<bool>(), *counts = known.data_ptr<bool>();
  SharedInterruption interruption;
  share_items((rows + drawn_together - 1) / drawn_together, [&](std::int64_t chunk, int) {
    const std::int64_t first = chunk * drawn_together, count = std::min(drawn_together, rows - first);
    CachedRasterScan pass(*net_, count, classes ? classes + first : nullptr);
    std::vector<float> inputs(static_cast<std::size_t>(count));
    for (std::int64_t i = 0; i < d; ++i) {
      if (interruption.stopped()) return;
      const float* outputs = pass.outputs();
      for (std::int64_t k = 0; k < count; ++k) {
        const std::int64_t cell = (first + k) * d + i;
        if (!keeps[cell]) x[cell] = pixels_->quantile(outputs + k * each, quantiles[cell]);
        if (counts[cell])
          drawn.log_known.data_ptr<double>()[first + k] += pixels_->log_prob(outputs + k * each, x[cell]);
        inputs[static_cast<std::size_t>(k)] = pixels_->input(x[cell]);
      }
      pass.accept(inputs.data());
    }
  });
  return drawn;
}

Tensor PixelCnn::draw_all(std::int64_t count, const Tensor& labels, Rng& rng) const {
  NoGradGuard no_graph;
  const std::int64_t d = net_->sizes().pixels();
  const Tensor none = at::zeros({count, d}, at::kBool);
  return draw(at::zeros({count, d}), labels, none, none, uniform(count, d, rng.next())).x;
}

Tensor PixelCnn::sample(std::int64_t count, Rng& rng) const { return draw_all(count, {}, rng); }

RasterGaps::RasterGaps(const Tensor& known) {
  const std::int64_t n = known.size(0), d = known.size(1);
  for (std::int64_t i = 0; i < n; ++i) {
    const bool* row = known.data_ptr<bool>() + i * d;
    std::vector<std::int64_t> places;
    for (std::int64_t j = 0; j < d; ++j)
      if (!row[j]) places.push_back(j);
    at_the_end.push_back(places.empty() || places.front() + static_cast<std::int64_t>(places.size()) == d);
    missing.push_back(std::move(places));
  }
}

bool RasterGaps::all_at_the_end() const {
  return std::all_of(at_the_end.begin(), at_the_end.end(), [](bool each) { return each; });
}

namespace {

// The known cells and those before the place from which on a row is drawn anew: a random missing one, or the
// first where that draws from the conditional itself.
Tensor kept_cells(const Tensor& known, const RasterGaps& gaps, Rng& rng) {
  Tensor kept = known.clone();
  const std::int64_t d = known.size(1);
  for (std::size_t i = 0; i < gaps.missing.size(); ++i) {
    const std::vector<std::int64_t>& missing = gaps.missing[i];
    if (missing.empty()) continue;
    const std::int64_t from = missing[gaps.at_the_end[i] ? 0 : rng.below(missing.size())];
    bool* row = kept.data_ptr<bool>() + static_cast<std::int64_t>(i) * d;
    std::fill(row, row + from, true);
  }
  return kept;
}

}  // namespace

Tensor PixelCnn::move(Tensor x, const Tensor& labels, std::int64_t steps, const Tensor& known,
                      Rng& rng) const {
  const std::int64_t rows = x.size(0), d = x.size(1);
  const RasterGaps gaps(known);
  if (gaps.all_at_the_end())  // one draw is exact, more are no better
    return draw(x, labels, kept_cells(known, gaps, rng), known, uniform(rows, d, rng.next())).x;
  Tensor weight = log_prob_of(x, labels, known);
  for (std::int64_t step = 0; step < steps; ++step) {
    const Tensor kept = kept_cells(known, gaps, rng);
    const Drawn proposal = draw(x, labels, kept, known, uniform(rows, d, rng.next()));
    Tensor accepted = at::empty({rows}, at::kBool);
    for (std::int64_t i = 0; i < rows; ++i) {
      const double ratio = proposal.log_known.data_ptr<double>()[i] - weight.data_ptr<double>()[i];
      const double u = rng.uniform();  // before the test, so that each row's draws stand where they stood
      accepted.data_ptr<bool>()[i] = gaps.at_the_end[static_cast<std::size_t>(i)] || u < std::exp(ratio);
    }
    x = at::where(accepted.unsqueeze(1), proposal.x, x).contiguous();
    weight = at::where(accepted, proposal.log_known, weight);
  }
  return x;
}

Tensor PixelCnn::chain_steps(const Tensor& x, std::int64_t steps, Rng& rng) const {
  return steps < 1 ? x : sample(x.size(0), rng);
}

Tensor PixelCnn::clamped_steps(const Tensor& x, std::int64_t steps, const Tensor& known, Rng& rng) const {
  NoGradGuard no_graph;
  return steps < 1 ? x : move(x.contiguous(), {}, steps, known.contiguous(), rng);
}

Tensor PixelCnn::chain_mean(const Tensor& x, Rng&) const { return mean_given(x, {}); }

Tensor PixelCnn::mean_given(const Tensor& x, const Tensor& labels) const {
  NoGradGuard no_graph;
  const std::int64_t d = x.size(1), each = pixels_->outputs();
  Tensor mean = at::empty(x.sizes());
  in_pieces(x.size(0), [&](std::int64_t first, std::int64_t rows) {
    const Tensor all = outputs(piece(x, first, rows), piece(labels, first, rows));
    float* means = mean.data_ptr<float>() + first * d;
    parallel_ranges(rows * d, 20, 1, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) means[i] = pixels_->mean(all.data_ptr<float>() + i * each);
    });
  });
  return mean;
}

// ---------------------------------------------------------------- scores

Tensor PixelCnn::log_prob_of(const Tensor& x, const Tensor& labels, const Tensor& counted) const {
  const Tensor values = x.contiguous();
  const std::int64_t d = x.size(1), each = pixels_->outputs();
  const bool* counts = counted.defined() ? counted.data_ptr<bool>() : nullptr;
  Tensor sums = at::zeros({x.size(0)}, at::kDouble);
  in_pieces(x.size(0), [&](std::int64_t first, std::int64_t rows) {
    const Tensor all = outputs(piece(values, first, rows), piece(labels, first, rows));
    parallel_ranges(rows, 20.0 * static_cast<double>(d), 1, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t own = begin * d; own < end * d; ++own) {
        const std::int64_t cell = first * d + own;
        if (!counts || counts[cell])
          sums.data_ptr<double>()[cell / d] +=
              pixels_->log_prob(all.data_ptr<float>() + own * each, values.data_ptr<float>()[cell]);
      }
    });
  });
  return sums;
}

Tensor PixelCnn::log_prob(const Rows& rows) const {
  NoGradGuard no_graph;
  return log_prob_of(rows.x, {}, {});
}

template std::shared_ptr<Model> create<PixelCnnCard>(const Options&, const Options&, const DataShape&);

}  // namespace deepgen
