#include "deepgen/data/files/png.h"

#include <fmt/format.h>
#include <png.h>

#include <algorithm>
#include <csetjmp>
#include <cstring>
#include <filesystem>
#include <new>

#include "deepgen/core/error.h"
#include "deepgen/data/files/array_bytes.h"

namespace deepgen {

namespace {

constexpr png_uint_32 largest_side = 32768;
constexpr png_alloc_size_t largest_chunk = png_alloc_size_t{8} << 20;  // a palette needs 768 bytes

// libpng leaves by longjmp, which runs no destructors: every function that calls it inside a setjmp holds
// plain values only, and what needs a destructor lives in its caller.
struct Decoder {
  explicit Decoder(ByteView bytes) : input(bytes) {
    png = png_create_read_struct(PNG_LIBPNG_VER_STRING, this, on_error, on_warning);
    info = png ? png_create_info_struct(png) : nullptr;
    if (!info) {
      png_destroy_read_struct(&png, nullptr, nullptr);
      throw std::bad_alloc();
    }
  }
  Decoder(const Decoder&) = delete;
  Decoder& operator=(const Decoder&) = delete;
  ~Decoder() { png_destroy_read_struct(&png, &info, nullptr); }

  [[noreturn]] static void on_error(png_structp png, png_const_charp message) {
    auto* self = static_cast<Decoder*>(png_get_error_ptr(png));
    std::strncpy(self->message, message, sizeof self->message - 1);
    png_longjmp(png, 1);
  }
  static void on_warning(png_structp, png_const_charp) {}  // what libpng repairs is no reason to stop
  static void on_read(png_structp png, png_bytep to, std::size_t count) {
    auto* self = static_cast<Decoder*>(png_get_io_ptr(png));
    if (count > self->input.size() - self->at) png_error(png, "the file is truncated");
    std::memcpy(to, self->input.data() + self->at, count);
    self->at += count;
  }

  png_structp png = nullptr;
  png_infop info = nullptr;
  ByteView input;
  std::size_t at = 0;
  char message[128] = {};
};

// All of the header up to the first pixels. False: see decoder.message.
bool read_header(Decoder& decoder) {
  png_structp png = decoder.png;
  if (setjmp(png_jmpbuf(png))) return false;
  png_set_user_limits(png, largest_side, largest_side);
  png_set_chunk_malloc_max(png, largest_chunk);
  // Texts, profiles and the like are passed over: packed, a thousand of them could take a thousand times
  // more.
  png_set_keep_unknown_chunks(png, PNG_HANDLE_CHUNK_NEVER, nullptr, -1);
  png_set_crc_action(png, PNG_CRC_ERROR_QUIT, PNG_CRC_ERROR_QUIT);
  png_set_read_fn(png, &decoder, Decoder::on_read);
  png_read_info(png, decoder.info);
  return true;
}

// Asks for 8-bit samples, then learns the size of a row.
bool choose_samples(Decoder& decoder) {
  png_structp png = decoder.png;
  if (setjmp(png_jmpbuf(png))) return false;
  png_set_expand(png);  // palettes, few bits, and the transparent colour as alpha
  png_set_scale_16(png);
  png_set_interlace_handling(png);
  png_read_update_info(png, decoder.info);
  return true;
}

bool read_pixels(Decoder& decoder, png_bytepp rows) {
  if (setjmp(png_jmpbuf(decoder.png))) return false;
  png_read_image(decoder.png, rows);
  png_read_end(decoder.png, nullptr);
  return true;
}

[[noreturn]] void fail_png(const std::string& path, const Decoder& decoder) {
  fail_data(path, fmt::format("expected a valid PNG picture, got {} at byte {}", shown(decoder.message),
                              decoder.at));
}

// [pixels, samples] with alpha last, on white.
Bytes on_white(const Bytes& from, std::size_t samples) {
  const std::size_t colours = samples - 1;
  Bytes to(from.size() / samples * colours);
  for (std::size_t pixel = 0; pixel * samples < from.size(); ++pixel) {
    const unsigned alpha = from[pixel * samples + colours];
    for (std::size_t c = 0; c < colours; ++c)
      to[pixel * colours + c] =
          static_cast<std::uint8_t>((from[pixel * samples + c] * alpha + 255 * (255 - alpha) + 127) / 255);
  }
  return to;
}

}  // namespace

Array parse_png(const std::string& path, ByteView bytes) {
  Decoder decoder(bytes);
  if (!read_header(decoder)) fail_png(path, decoder);
  const std::size_t height = png_get_image_height(decoder.png, decoder.info);
  const std::size_t width = png_get_image_width(decoder.png, decoder.info);
  // Before memory is taken: the rows as they are in the file.
  const std::size_t raw = height * png_get_rowbytes(decoder.png, decoder.info);
  if (raw > largest_inflated(bytes.size()))
    fail_data(path, fmt::format("expected {} x {} pixels, got a file of {} bytes, too short for so many",
                                height, width, bytes.size()));
  if (!choose_samples(decoder)) fail_png(path, decoder);
  const std::size_t row_size = png_get_rowbytes(decoder.png, decoder.info);
  Bytes pixels(height * row_size);
  std::vector<png_bytep> rows(height);
  for (std::size_t y = 0; y < height; ++y) rows[y] = pixels.data() + y * row_size;
  if (!read_pixels(decoder, rows.data())) fail_png(path, decoder);
  if (decoder.at != bytes.size())
    fail_data(path,
              fmt::format("expected the end of the file after the picture, got {} more bytes at byte {}",
                          bytes.size() - decoder.at, decoder.at));
  const std::size_t samples = row_size / width;
  if (samples == 2 || samples == 4) pixels = on_white(pixels, samples);
  std::vector<std::int64_t> shape = {static_cast<std::int64_t>(height), static_cast<std::int64_t>(width)};
  if (samples >= 3) shape.push_back(3);
  return {DType::u8, std::move(shape), std::move(pixels)};
}

Array read_png(const std::string& path) { return parse_png(path, read_raw_file(path)); }

namespace {

namespace fs = std::filesystem;

std::vector<fs::path> sorted_entries(const std::string& folder, bool (*wanted)(const fs::directory_entry&)) {
  std::vector<fs::path> paths;
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error))
    if (!entry->path().filename().string().starts_with('.') && wanted(*entry)) paths.push_back(entry->path());
  if (error) fail_data(folder, fmt::format("expected a readable folder, got '{}'", error.message()));
  std::sort(paths.begin(), paths.end());
  return paths;
}

std::vector<fs::path> png_files(const std::string& folder) {
  return sorted_entries(folder, [](const fs::directory_entry& entry) {
    std::string ending = entry.path().extension().string();
    for (char& c : ending) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    std::error_code unknown;
    return ending == ".png" && !entry.is_directory(unknown);
  });
}

// Appends a picture to [pictures, ...]; the first one sets the size, and room is made for so many.
void append_picture(const std::string& path, std::size_t pictures, Array& images) {
  const Array picture = read_png(path);
  if (images.shape.empty()) {
    images.shape = picture.shape;
    images.shape.insert(images.shape.begin(), 0);
    reserve_ahead(images.bytes.own(), std::uint64_t{pictures} * picture.bytes.size());
  }
  const std::vector<std::int64_t> expected(images.shape.begin() + 1, images.shape.end());
  if (picture.shape != expected)
    fail_data(path, fmt::format("expected a picture of {} like the first of the folder, got {}",
                                shape_text(expected), shape_text(picture.shape)));
  Bytes& all = images.bytes.own();
  all.insert(all.end(), picture.bytes.begin(), picture.bytes.end());
  ++images.shape[0];
}

}  // namespace

PngFolder read_png_folder(const std::string& folder) {
  PngFolder result;
  std::vector<fs::path> pictures = png_files(folder);
  const std::size_t top = pictures.size();
  std::vector<std::int64_t> labels;
  for (const fs::path& sub : sorted_entries(folder, [](const fs::directory_entry& entry) {
         std::error_code unknown;
         return entry.is_directory(unknown);
       })) {
    const std::vector<fs::path> files = png_files(sub.string());
    if (!files.empty() && top > 0)
      fail_data(folder,
                fmt::format("expected pictures in the folder or in its sub-folders, got both ({} and {})",
                            shown(pictures[0].filename().string()), shown(sub.filename().string())));
    if (files.empty()) continue;
    pictures.insert(pictures.end(), files.begin(), files.end());
    labels.resize(labels.size() + files.size(), static_cast<std::int64_t>(result.classes.size()));
    result.classes.push_back(sub.filename().string());
  }
  if (pictures.empty()) fail_data(folder, "expected *.png pictures, got none");
  for (const fs::path& path : pictures) append_picture(path.string(), pictures.size(), result.images);
  result.labels = make_array(DType::i64, {static_cast<std::int64_t>(labels.size())});
  if (!labels.empty()) std::memcpy(result.labels.bytes.data(), labels.data(), result.labels.bytes.size());
  return result;
}

}  // namespace deepgen
