// What the tests of the file readers share: bytes built by hand, temporary folders, and what every reader
// owes.
#pragma once

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <vector>

#include "deepgen/core/error.h"
#include "deepgen/core/file_bytes.h"
#include "deepgen/data/files/array.h"

namespace deepgen::fixtures {

inline Bytes text(const std::string& characters) { return {characters.begin(), characters.end()}; }

inline Bytes big(std::uint64_t value, int bytes) {
  Bytes out;
  for (int i = bytes; i-- > 0;) out.push_back(static_cast<std::uint8_t>(value >> (8 * i)));
  return out;
}

inline Bytes little(std::uint64_t value, int bytes) {
  Bytes out;
  for (int i = 0; i < bytes; ++i) out.push_back(static_cast<std::uint8_t>(value >> (8 * i)));
  return out;
}

inline Bytes join(const std::vector<Bytes>& parts) {
  Bytes out;
  for (const Bytes& part : parts) out.insert(out.end(), part.begin(), part.end());
  return out;
}

inline Bytes repeated(std::size_t count, std::uint8_t value) { return Bytes(count, value); }

// zlib's deflate with its own (15), a gzip (31) or no (-15) wrapper, of bytes and then `zeros` zero bytes
// (which are never all in memory, so that a bomb does not raise the peak that it is to be measured against).
inline Bytes deflated(ByteView bytes, int wrapper, std::size_t zeros = 0) {
  z_stream stream = {};
  deflateInit2(&stream, 9, Z_DEFLATED, wrapper, 8, Z_DEFAULT_STRATEGY);
  const Bytes zero(std::size_t{1} << 16);
  Bytes out(deflateBound(&stream, bytes.size()) + zeros / 500 + 64);
  stream.next_out = out.data();
  stream.avail_out = static_cast<uInt>(out.size());
  stream.next_in = const_cast<Bytef*>(bytes.data());
  stream.avail_in = static_cast<uInt>(bytes.size());
  while (zeros > 0) {
    deflate(&stream, Z_NO_FLUSH);
    const std::size_t piece = std::min(zeros, zero.size());
    stream.next_in = const_cast<Bytef*>(zero.data());
    stream.avail_in = static_cast<uInt>(piece);
    zeros -= piece;
  }
  deflate(&stream, Z_FINISH);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}
inline Bytes gzip(ByteView bytes, std::size_t zeros = 0) { return deflated(bytes, 15 + 16, zeros); }

inline std::uint32_t crc(ByteView bytes) {
  return static_cast<std::uint32_t>(crc32(0, bytes.data(), static_cast<uInt>(bytes.size())));
}

// A zip archive of members as they are given: `packed` bytes under a compression method, and the size
// declared.
struct ZipMember {
  std::string name;
  Bytes packed;
  std::uint64_t size;
  std::uint32_t checksum;
  int method = 0;
};
inline ZipMember stored(const std::string& name, const Bytes& content) {
  return {name, content, content.size(), crc(content), 0};
}
inline ZipMember compressed(const std::string& name, const Bytes& content) {
  return {name, deflated(content, -15), content.size(), crc(content), 8};
}

// `shared`: only the first has bytes, and all entries point at them.
inline Bytes zip(const std::vector<ZipMember>& members, bool shared = false) {
  Bytes body, directory;
  for (const ZipMember& member : members) {
    const Bytes common =
        join({little(20, 2), little(0, 2), little(static_cast<std::uint64_t>(member.method), 2), little(0, 2),
              little(0x21, 2), little(member.checksum, 4), little(member.packed.size(), 4),
              little(member.size, 4), little(member.name.size(), 2), little(0, 2)});
    directory = join({directory, text("PK\1\2"), little(20, 2), common, repeated(10, 0),
                      little(shared ? 0 : body.size(), 4), text(member.name)});
    if (shared && !body.empty()) continue;
    body = join({body, text("PK\3\4"), common, text(member.name), member.packed});
  }
  return join({body, directory, text("PK\5\6"), repeated(4, 0), little(members.size(), 2),
               little(members.size(), 2), little(directory.size(), 4), little(body.size(), 4), little(0, 2)});
}

// A .npy file from its dictionary.
inline Bytes npy(const std::string& dictionary, const Bytes& data, int major = 1) {
  return join({text("\x93NUMPY"),
               {static_cast<std::uint8_t>(major), 0},
               little(dictionary.size() + 1, major == 1 ? 2 : 4),
               text(dictionary + "\n"),
               data});
}

inline Bytes png_chunk(const std::string& type, const Bytes& data) {
  const Bytes checked = join({text(type), data});
  return join({big(data.size(), 4), checked, big(crc(checked), 4)});
}

// A PNG from raw rows (each with its filter byte); `extra` chunks come before the pixels.
inline Bytes png(std::uint32_t width, std::uint32_t height, int depth, int colour, const Bytes& rows,
                 const Bytes& extra = {}) {
  const Bytes header = join({big(width, 4),
                             big(height, 4),
                             {static_cast<std::uint8_t>(depth), static_cast<std::uint8_t>(colour), 0, 0, 0}});
  return join({text("\x89PNG\r\n\x1a\n"), png_chunk("IHDR", header), extra,
               png_chunk("IDAT", deflated(rows, 15)), png_chunk("IEND", {})});
}

// A folder that goes away with the test.
class Folder {
 public:
  Folder() {
    std::string name = (std::filesystem::temp_directory_path() / "deepgen-XXXXXX").string();
    if (!::mkdtemp(name.data())) throw std::runtime_error("no temporary folder");
    path_ = name;
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  std::string path(const std::string& name) const { return path_ + "/" + name; }
  std::string write(const std::string& name, const Bytes& bytes) const {
    std::filesystem::create_directories(std::filesystem::path(path(name)).parent_path());
    std::ofstream(path(name), std::ios::binary)
        .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    return path(name);
  }
  std::size_t entries() const {
    std::size_t count = 0;
    for (auto entry = std::filesystem::directory_iterator(path_);
         entry != std::filesystem::directory_iterator(); ++entry)
      ++count;
    return count;
  }

 private:
  std::string path_;
};

// The message of the data error that `run` throws; "" and a failed test when it throws none.
inline std::string data_error(const std::function<void()>& run) {
  try {
    run();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::data) << error.what();
    return error.what();
  }
  ADD_FAILURE() << "expected a data error, got none";
  return "";
}

// That a data error names `path` and says `part`.
inline void expect_error(const std::string& path, const std::string& part, const std::function<void()>& run) {
  const std::string message = data_error(run);
  EXPECT_NE(message.find("[" + path), std::string::npos) << message;
  EXPECT_NE(message.find(part), std::string::npos) << message;
}

// That no proper prefix of a valid file is taken for a file.
inline void expect_truncation_refused(const Bytes& valid, const std::function<void(const Bytes&)>& parse) {
  EXPECT_NO_THROW(parse(valid));
  for (std::size_t size = 0; size < valid.size(); ++size) {
    SCOPED_TRACE(size);
    data_error([&] { parse(Bytes(valid.begin(), valid.begin() + static_cast<std::ptrdiff_t>(size))); });
  }
}

// That `run` does not raise the peak of memory in use by 64 MiB.
inline void expect_little_memory(const std::function<void()>& run) {
  rusage before = {}, after = {};
  getrusage(RUSAGE_SELF, &before);
  run();
  getrusage(RUSAGE_SELF, &after);
  EXPECT_LT(after.ru_maxrss - before.ru_maxrss, 64 * 1024);  // KiB
}

template <class T>
Array array(DType type, std::vector<std::int64_t> shape, const std::vector<T>& values) {
  Array result = make_array(type, std::move(shape));
  EXPECT_EQ(result.bytes.size(), values.size() * sizeof(T));
  if (!values.empty()) std::memcpy(result.bytes.data(), values.data(), result.bytes.size());
  return result;
}

template <class T>
std::vector<T> values(const Array& array) {
  std::vector<T> result(array.bytes.size() / sizeof(T));
  if (!result.empty()) std::memcpy(result.data(), array.bytes.data(), array.bytes.size());
  return result;
}

inline void expect_equal(const Array& a, const Array& b) {
  EXPECT_EQ(a.type, b.type);
  EXPECT_EQ(a.shape, b.shape);
  EXPECT_EQ(a.bytes, b.bytes);
}

// A file of the real data sets, or "" where they are not installed.
inline std::string real_file(const std::string& name) {
  const char* folder = std::getenv("DEEPGEN_DATA");
  const std::string path = folder ? std::string(folder) + "/" + name : "";
  return std::filesystem::exists(path) ? path : "";
}

}  // namespace deepgen::fixtures
