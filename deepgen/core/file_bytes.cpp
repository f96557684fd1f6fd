#include "deepgen/core/file_bytes.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <new>

#include "deepgen/core/error.h"
#include "deepgen/core/file_writer.h"

namespace deepgen {

namespace {

constexpr std::size_t first_step = std::size_t{1} << 16;    // small files in one read
constexpr std::size_t largest_step = std::size_t{1} << 26;  // what is allocated ahead of the data at most

// A file descriptor that closes itself.
class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (number_ >= 0) ::close(number_);
  }
  int number() const { return number_; }

 private:
  int number_;
};

void resize(const std::string& path, Bytes& bytes, std::size_t size, bool only_reserve = false) {
  try {
    only_reserve ? bytes.reserve(size) : bytes.resize(size);
  } catch (const std::exception&) {  // bad_alloc, length_error
    fail_data(path, fmt::format("expected content that fits in memory, got at least {} bytes", size));
  }
}

// One gzip file in memory, inflated piece by piece.
class Inflater {
 public:
  Inflater(const std::string& path, ByteView input) : path_(path), input_(input) {
    if (inflateInit2(&stream_, 15 + 16) != Z_OK) throw std::bad_alloc();  // 16: the gzip wrapper and no other
#ifdef DEEPGEN_ANY_CHECKSUM  // fuzzers: what they change would never get past a checksum
    inflateValidate(&stream_, 0);
#endif
  }
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;
  ~Inflater() { inflateEnd(&stream_); }

  // Fills up to `room` bytes; 0 at the end of the last member.
  std::size_t read(std::uint8_t* to, std::size_t room) {
    stream_.next_out = to;
    stream_.avail_out = static_cast<uInt>(room);
    while (stream_.avail_out > 0 && !(member_done_ && at_ == input_.size())) step();
    return room - stream_.avail_out;
  }

 private:
  void step() {
    if (member_done_) begin_member();
    const std::size_t piece = std::min(input_.size() - at_, std::size_t{1} << 30);  // avail_in has 32 bits
    stream_.next_in = const_cast<Bytef*>(input_.data() + at_);
    stream_.avail_in = static_cast<uInt>(piece);
    const uInt room = stream_.avail_out;
    const int code = inflate(&stream_, Z_NO_FLUSH);
    const std::size_t used = piece - stream_.avail_in;
    at_ += used;
    if (code == Z_STREAM_END) {
      member_done_ = true;
    } else if (code == Z_BUF_ERROR || (code == Z_OK && used == 0 && stream_.avail_out == room)) {
      fail_data(path_, fmt::format("expected more gzip data, got the end of the file at byte {}; it is "
                                   "truncated, fetch it again",
                                   at_));
    } else if (code == Z_MEM_ERROR) {
      throw std::bad_alloc();
    } else if (code != Z_OK) {
      fail_data(path_, fmt::format("expected valid gzip data, got '{}' near byte {}",
                                   stream_.msg ? stream_.msg : "a damaged stream", at_));
    }
  }

  void begin_member() {
    if (!is_gzip(input_.subspan(at_)))
      fail_data(path_, fmt::format("expected the end of the gzip data, got {} more bytes at byte {}",
                                   input_.size() - at_, at_));
    inflateReset(&stream_);
    member_done_ = false;
  }

  const std::string& path_;
  ByteView input_;
  std::size_t at_ = 0;
  bool member_done_ = false;
  z_stream stream_ = {};
};

// What a gzip file says of its content's size: of its last member, modulo 2^32. A hint.
std::uint64_t gzip_size(ByteView compressed) {
  std::uint64_t size = 0;
  for (std::size_t i = 0; i < 4 && i < compressed.size(); ++i)
    size = size << 8 | compressed[compressed.size() - 1 - i];
  return size;
}

}  // namespace

std::uint64_t largest_inflated(std::uint64_t compressed) { return compressed * 1032 + 64; }

void reserve_ahead(Bytes& bytes, std::uint64_t size) {
  try {
    bytes.reserve(static_cast<std::size_t>(size));
  } catch (const std::exception&) {  // then it grows with what arrives
  }
}

void read_growing(const std::string& path, Bytes& bytes, std::uint64_t limit,
                  const std::function<std::size_t(std::uint8_t*, std::size_t)>& more) {
  std::size_t size = bytes.size();
  std::size_t got = 0;
  do {
    // One byte beyond the limit is asked for, to see whether there is more.
    const std::uint64_t left = limit - std::min<std::uint64_t>(limit, size);
    std::size_t room = std::clamp(size, first_step, largest_step);
    if (left < room) room = static_cast<std::size_t>(left) + 1;
    if (bytes.capacity() > size)
      room = std::min(room, bytes.capacity() - size);  // what was reserved suffices
    resize(path, bytes, size + room);
    got = more(bytes.data() + size, room);
    size += got;
    if (size > limit) fail_data(path, fmt::format("expected at most {} bytes of content, got more", limit));
  } while (got > 0);
  bytes.resize(size);
}

Bytes read_raw_file(const std::string& path, std::uint64_t limit) {
  Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.number() < 0)
    fail_data(path, fmt::format("expected a readable file, got '{}'", std::strerror(errno)));
  struct stat about = {};
  if (::fstat(file.number(), &about) == 0) {
    if (S_ISDIR(about.st_mode)) fail_data(path, "expected a file, got a folder");
    if (S_ISREG(about.st_mode) && static_cast<std::uint64_t>(about.st_size) > limit)
      fail_data(path, fmt::format("expected a file of at most {} bytes, got {}", limit, about.st_size));
  }
  Bytes bytes;
  if (S_ISREG(about.st_mode))  // this size is real: one allocation, and one byte more to see the end
    resize(path, bytes, static_cast<std::size_t>(about.st_size) + 1, true);
  read_growing(path, bytes, limit, [&](std::uint8_t* to, std::size_t room) {
    ssize_t got = 0;
    do got = ::read(file.number(), to, room);
    while (got < 0 && errno == EINTR);
    if (got < 0) fail_data(path, fmt::format("expected to read the file, got '{}'", std::strerror(errno)));
    return static_cast<std::size_t>(got);
  });
  return bytes;
}

Bytes read_file_bytes(const std::string& path, std::uint64_t limit) {
  Bytes bytes = read_raw_file(path, limit);
  return is_gzip(bytes) ? gunzip(path, bytes, limit) : bytes;
}

bool is_gzip(ByteView bytes) {
  return bytes.size() >= 3 && bytes[0] == 0x1f && bytes[1] == 0x8b && bytes[2] == 8;
}

Bytes gunzip(const std::string& path, ByteView compressed, std::uint64_t limit) {
  Inflater inflater(path, compressed);
  Bytes bytes;
  reserve_ahead(bytes, std::min({gzip_size(compressed), limit, largest_inflated(compressed.size())}) + 1);
  read_growing(path, bytes, limit,
               [&](std::uint8_t* to, std::size_t room) { return inflater.read(to, room); });
  if (bytes.capacity() - bytes.size() > bytes.size() / 8) bytes.shrink_to_fit();
  return bytes;
}

Bytes gunzip_prefix(const std::string& path, ByteView compressed, std::size_t count) {
  Inflater inflater(path, compressed);
  Bytes bytes(std::min(count, static_cast<std::size_t>(largest_inflated(compressed.size()))));
  bytes.resize(inflater.read(bytes.data(), bytes.size()));
  return bytes;
}

void write_file(const std::string& path, const std::vector<ByteView>& parts) {
  FileWriter file(path);
  for (const ByteView part : parts) file.append(part);
  file.close();
}

void write_file(const std::string& path, ByteView bytes) { write_file(path, std::vector<ByteView>{bytes}); }

}  // namespace deepgen
