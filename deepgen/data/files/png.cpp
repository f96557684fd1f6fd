#include "deepgen/data/files/png.h"

#include <fmt/format.h>
#include <png.h>

#include <algorithm>
#include <csetjmp>
#include <cstring>
#include <filesystem>
#include <limits>
#include <new>
#include <utility>

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
#ifdef DEEPGEN_ANY_CHECKSUM  // fuzzers: what they change would never get past a checksum
  png_set_crc_action(png, PNG_CRC_QUIET_USE, PNG_CRC_QUIET_USE);
  png_set_option(png, PNG_IGNORE_ADLER32, PNG_OPTION_ON);
#else
  png_set_crc_action(png, PNG_CRC_ERROR_QUIT, PNG_CRC_ERROR_QUIT);
#endif
  png_set_read_fn(png, &decoder, Decoder::on_read);
  png_read_info(png, decoder.info);
  return true;
}

// Asks for samples of 8 bits, or of 16 where the file has them, then learns the size of a row.
bool choose_samples(Decoder& decoder) {
  png_structp png = decoder.png;
  if (setjmp(png_jmpbuf(png))) return false;
  png_set_expand(png);                             // palettes, few bits, and the transparent colour as alpha
  if (host_is_little_endian()) png_set_swap(png);  // of 16 bits alone
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

// Pixels of `samples` samples with alpha last, on white.
template <class T>
Bytes on_white(const Bytes& bytes, std::size_t samples) {
  constexpr std::uint64_t white = std::numeric_limits<T>::max();
  const std::size_t colours = samples - 1, pixels = bytes.size() / sizeof(T) / samples;
  Bytes result(pixels * colours * sizeof(T));
  const T* from = reinterpret_cast<const T*>(bytes.data());
  T* to = reinterpret_cast<T*>(result.data());
  for (std::size_t pixel = 0; pixel < pixels; ++pixel) {
    const std::uint64_t alpha = from[pixel * samples + colours];
    for (std::size_t c = 0; c < colours; ++c)
      to[pixel * colours + c] =
          static_cast<T>((from[pixel * samples + c] * alpha + white * (white - alpha) + white / 2) / white);
  }
  return result;
}

constexpr std::uint16_t widening = 257;  // 0xffff / 0xff: 8 bits as 16, without loss

// 16-bit samples as 8 where all of them are 8-bit ones that were widened.
void narrow_if_exact(Array& picture) {
  const std::uint16_t* from = std::as_const(picture).as<std::uint16_t>();
  const auto items = static_cast<std::size_t>(picture.items());
  if (!std::all_of(from, from + items, [](std::uint16_t sample) { return sample % widening == 0; })) return;
  Bytes narrow(items);
  for (std::size_t i = 0; i < items; ++i) narrow[i] = static_cast<std::uint8_t>(from[i] / widening);
  picture.type = DType::u8, picture.bytes = std::move(narrow);
}

void widen(Array& picture) {
  if (picture.type == DType::u16) return;
  const std::uint8_t* from = std::as_const(picture).bytes.data();
  Array wide = {DType::u16, picture.shape, Bytes(picture.bytes.size() * sizeof(std::uint16_t))};
  for (std::size_t i = 0; i < picture.bytes.size(); ++i)
    wide.as<std::uint16_t>()[i] = static_cast<std::uint16_t>(from[i] * widening);
  picture = std::move(wide);
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
  const bool wide = png_get_bit_depth(decoder.png, decoder.info) == 16;
  const std::size_t samples = row_size / width / (wide ? 2 : 1);
  if (samples == 2 || samples == 4)
    pixels = wide ? on_white<std::uint16_t>(pixels, samples) : on_white<std::uint8_t>(pixels, samples);
  std::vector<std::int64_t> shape = {static_cast<std::int64_t>(height), static_cast<std::int64_t>(width)};
  if (samples >= 3) shape.push_back(3);
  Array picture = {wide ? DType::u16 : DType::u8, std::move(shape), std::move(pixels)};
  if (wide) narrow_if_exact(picture);
  return picture;
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

// Samples of 16 bits as grey levels in [0, 1]: float32 tells all of them apart.
void become_levels(Array& images) {
  if (images.type != DType::u16) return;
  const Array wide = std::move(images);
  images = {DType::f32, wide.shape, Bytes(wide.bytes.size() * 2)};
  const std::uint16_t* from = wide.as<std::uint16_t>();
  float* to = images.as<float>();
  for (std::int64_t i = 0; i < wide.items(); ++i) to[i] = static_cast<float>(from[i]) / 65535;
}

// Appends a picture to [pictures, ...]; the first one sets the size, and room is made for so many. From the
// first one of 16 bits on all have them.
void append_picture(const std::string& path, std::size_t pictures, Array& images) {
  Array picture = read_png(path);
  if (images.shape.empty()) {
    images.shape = picture.shape;
    images.shape.insert(images.shape.begin(), 0);
    reserve_ahead(images.bytes.own(), std::uint64_t{pictures} * picture.bytes.size());
  }
  const std::vector<std::int64_t> expected(images.shape.begin() + 1, images.shape.end());
  if (picture.shape != expected)
    fail_data(path, fmt::format("expected a picture of {} like the first of the folder, got {}",
                                shape_text(expected), shape_text(picture.shape)));
  if (picture.type != images.type && !images.bytes.empty()) widen(picture), widen(images);
  if (images.bytes.empty()) images.type = picture.type;
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
  become_levels(result.images);
  result.labels = make_array(DType::i64, {static_cast<std::int64_t>(labels.size())});
  if (!labels.empty()) std::memcpy(result.labels.bytes.data(), labels.data(), result.labels.bytes.size());
  return result;
}

}  // namespace deepgen
