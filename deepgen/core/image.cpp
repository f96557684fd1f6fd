#include "deepgen/core/image.h"

#include <fmt/format.h>
#include <png.h>

#include <algorithm>
#include <cmath>
#include <csetjmp>
#include <cstring>
#include <new>

#include "deepgen/core/error.h"
#include "deepgen/core/file_bytes.h"

namespace deepgen {

namespace {

constexpr std::uint8_t mid_grey = 128;
constexpr std::int64_t largest_side = 1'000'000;  // libpng's own limit

std::uint8_t level(float value) {  // of a value in [0, 1]; what is no number is drawn mid grey
  if (std::isnan(value)) return mid_grey;
  return static_cast<std::uint8_t>(std::lround(255 * std::clamp(value, 0.0F, 1.0F)));
}

// Where the cases of a grid go.
struct Layout {
  std::int64_t columns, rows;
  std::int64_t step_y, step_x;  // from one picture to the next
};

Layout lay_out(std::int64_t cases, std::int64_t height, std::int64_t width, std::int64_t channels,
               const Grid& grid) {
  if (cases < 1 || height < 1 || width < 1 || (channels != 1 && channels != 3))
    fail_usage("grid", fmt::format("expected cases of height x width x 1 or 3, got {} of {} x {} x {}", cases,
                                   height, width, channels));
  if (grid.columns < 0 || grid.gap < 0 || grid.scale < 1)
    fail_usage("grid", fmt::format("expected columns >= 0, gap >= 0 and scale >= 1, got {}, {} and {}",
                                   grid.columns, grid.gap, grid.scale));
  const auto square = static_cast<std::int64_t>(std::ceil(std::sqrt(static_cast<double>(cases))));
  const std::int64_t columns = std::min(grid.columns > 0 ? grid.columns : square, cases);
  const std::int64_t rows = (cases - 1) / columns + 1;
  if (std::max({height, width, columns, rows}) > largest_side ||
      rows * (height * grid.scale + grid.gap) > largest_side ||
      columns * (width * grid.scale + grid.gap) > largest_side)
    fail_usage("grid",
               fmt::format("expected at most {} pixels a side, got more; show fewer cases", largest_side));
  return {columns, rows, height * grid.scale + grid.gap, width * grid.scale + grid.gap};
}

// Draws each value of each case as a square of scale x scale, its level given by `shade(case, value)`.
template <class Shade>
Image draw(const float* values, std::int64_t cases, std::int64_t height, std::int64_t width,
           std::int64_t channels, const Grid& grid, Shade shade) {
  const Layout layout = lay_out(cases, height, width, channels, grid);
  Image image{
      layout.rows * layout.step_y - grid.gap, layout.columns * layout.step_x - grid.gap, channels, {}};
  image.pixels.assign(static_cast<std::size_t>(image.height * image.width * channels), mid_grey);
  for (std::int64_t i = 0; i < cases * height * width; ++i) {
    const std::int64_t c = i / (height * width);
    const std::int64_t above = c / layout.columns * layout.step_y + i / width % height * grid.scale;
    const std::int64_t left = c % layout.columns * layout.step_x + i % width * grid.scale;
    for (std::int64_t j = 0; j < std::int64_t{grid.scale} * grid.scale; ++j) {
      const std::int64_t pixel = (above + j / grid.scale) * image.width + left + j % grid.scale;
      for (std::int64_t k = 0; k < channels; ++k)
        image.pixels[static_cast<std::size_t>(pixel * channels + k)] = shade(c, values[i * channels + k]);
    }
  }
  return image;
}

// libpng leaves by longjmp, which runs no destructors: see write_rows.
struct Encoder {
  Encoder() {
    png = png_create_write_struct(PNG_LIBPNG_VER_STRING, this, on_error, on_warning);
    info = png ? png_create_info_struct(png) : nullptr;
    if (!info) {
      png_destroy_write_struct(&png, nullptr);
      throw std::bad_alloc();
    }
  }
  Encoder(const Encoder&) = delete;
  Encoder& operator=(const Encoder&) = delete;
  ~Encoder() { png_destroy_write_struct(&png, &info); }

  [[noreturn]] static void on_error(png_structp png, png_const_charp message) {
    auto* self = static_cast<Encoder*>(png_get_error_ptr(png));
    std::strncpy(self->message, message, sizeof self->message - 1);
    png_longjmp(png, 1);
  }
  static void on_warning(png_structp, png_const_charp) {}
  static void on_write(png_structp png, png_bytep from, std::size_t count) {
    auto* self = static_cast<Encoder*>(png_get_io_ptr(png));
    bool enough = true;
    try {
      self->output.insert(self->output.end(), from, from + count);
    } catch (const std::bad_alloc&) {
      enough = false;  // no exception may cross libpng
    }
    if (!enough) png_error(png, "out of memory");
  }
  static void on_flush(png_structp) {}

  png_structp png = nullptr;
  png_infop info = nullptr;
  Bytes output;
  char message[128] = {};
};

// Holds plain values only, because libpng may jump out of it. False: see encoder.message.
bool write_rows(Encoder& encoder, const Image& image) {
  png_structp png = encoder.png;
  if (setjmp(png_jmpbuf(png))) return false;
  png_set_write_fn(png, &encoder, Encoder::on_write, Encoder::on_flush);
  png_set_IHDR(png, encoder.info, static_cast<png_uint_32>(image.width),
               static_cast<png_uint_32>(image.height), 8,
               image.channels == 1 ? PNG_COLOR_TYPE_GRAY : PNG_COLOR_TYPE_RGB, PNG_INTERLACE_NONE,
               PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
  png_write_info(png, encoder.info);
  for (std::int64_t y = 0; y < image.height; ++y)
    png_write_row(png, image.pixels.data() + y * image.width * image.channels);
  png_write_end(png, nullptr);
  return true;
}

}  // namespace

Image image_grid(const float* values, std::int64_t cases, std::int64_t height, std::int64_t width,
                 std::int64_t channels, const Grid& grid) {
  return draw(values, cases, height, width, channels, grid,
              [](std::int64_t, float value) { return level(value); });
}

Image filter_grid(const float* values, std::int64_t cases, std::int64_t height, std::int64_t width,
                  std::int64_t channels, const Grid& grid) {
  lay_out(cases, height, width, channels, grid);  // refuses sizes before they are used
  const std::int64_t items = height * width * channels;
  std::vector<float> largest(static_cast<std::size_t>(cases), 0.0F);
  for (std::int64_t i = 0; i < cases * items; ++i) {
    float& most = largest[static_cast<std::size_t>(i / items)];
    if (std::isfinite(values[i])) most = std::max(most, std::fabs(values[i]));
  }
  return draw(values, cases, height, width, channels, grid, [&](std::int64_t c, float value) {
    const float most = largest[static_cast<std::size_t>(c)];
    return value == 0 || most == 0 ? mid_grey : level(0.5F + 0.5F * (value / most));
  });
}

Bytes encode_png(const Image& image) {
  const std::int64_t side = std::max(image.height, image.width);
  if (std::min(image.height, image.width) < 1 || side > largest_side ||
      (image.channels != 1 && image.channels != 3) ||
      static_cast<std::int64_t>(image.pixels.size()) != image.height * image.width * image.channels)
    fail_usage("png", fmt::format("expected [height, width, 1 or 3] pixels, got {} bytes for [{}, {}, {}]",
                                  image.pixels.size(), image.height, image.width, image.channels));
  Encoder encoder;
  if (!write_rows(encoder, image))
    fail_data("png", fmt::format("expected to encode, got '{}'", encoder.message));
  return std::move(encoder.output);
}

void write_png(const std::string& path, const Image& image) { write_file(path, encode_png(image)); }

}  // namespace deepgen
