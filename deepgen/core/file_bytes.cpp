#include "deepgen/core/file_bytes.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <new>

#include "deepgen/core/error.h"

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
  // 0, or -1 with errno: some file systems report a full disk only here.
  int close() {
    const int number = number_;
    number_ = -1;
    return ::close(number);
  }

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

[[noreturn]] void fail_write(const std::string& path, int error) {
  fail_data(path, fmt::format("expected to write the file, got '{}'; what was there before is unchanged",
                              std::strerror(error)));
}

// 0 or an errno.
int write_all(int number, const std::vector<ByteView>& parts) {
  for (ByteView part : parts) {
    while (!part.empty()) {
      const ssize_t written = ::write(number, part.data(), std::min(part.size(), largest_step));
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) return errno;
      part = part.subspan(static_cast<std::size_t>(written));
    }
  }
  return 0;
}

// A name no other writer uses, in the folder of `path` because a rename cannot cross file systems.
int open_temporary(const std::string& path, std::string& name) {
  static std::atomic<unsigned> counter{0};
  for (;;) {
    name = fmt::format("{}.tmp-{}-{}", path, ::getpid(), counter++);
    const int number = ::open(name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (number >= 0 || errno != EEXIST) return number;
  }
}

// The rename is on disk only when the folder is. 0 or an errno; folders that cannot be opened are left alone.
int flush_folder(const std::string& path) {
  const std::string folder = std::filesystem::path(path).parent_path().string();
  Descriptor file(::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (file.number() < 0 || ::fsync(file.number()) == 0) return 0;
  return errno == EINVAL || errno == ENOTSUP ? 0 : errno;
}

void write_replacing(const std::string& path, const std::vector<ByteView>& parts, const struct stat* old) {
  std::string temporary;
  Descriptor file(open_temporary(path, temporary));
  if (file.number() < 0) fail_write(path, errno);
  int error = 0;
  if (old && ::fchmod(file.number(), old->st_mode & 07777) != 0) error = errno;
  if (!error) error = write_all(file.number(), parts);
  if (!error && ::fsync(file.number()) != 0) error = errno;
  if (file.close() != 0 && !error) error = errno;
  if (!error && ::rename(temporary.c_str(), path.c_str()) != 0) error = errno;
  if (error) {
    ::unlink(temporary.c_str());
    fail_write(path, error);
  }
  if ((error = flush_folder(path)) != 0)
    fail_data(path, fmt::format("expected to flush the folder, got '{}'", std::strerror(error)));
}

}  // namespace

std::uint64_t largest_inflated(std::uint64_t compressed) { return compressed * 1032 + 64; }

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
  read_growing(path, bytes, limit,
               [&](std::uint8_t* to, std::size_t room) { return inflater.read(to, room); });
  bytes.shrink_to_fit();
  return bytes;
}

Bytes gunzip_prefix(const std::string& path, ByteView compressed, std::size_t count) {
  Inflater inflater(path, compressed);
  Bytes bytes(std::min(count, static_cast<std::size_t>(largest_inflated(compressed.size()))));
  bytes.resize(inflater.read(bytes.data(), bytes.size()));
  return bytes;
}

void write_file(const std::string& path, const std::vector<ByteView>& parts) {
  struct stat old = {};
  const bool exists = ::stat(path.c_str(), &old) == 0;
  if (exists && S_ISDIR(old.st_mode)) fail_data(path, "expected a file to write, got a folder");
  if (exists && !S_ISREG(old.st_mode)) {  // a device or pipe: renaming over it would remove it
    Descriptor file(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
    const int error = file.number() < 0 ? errno : write_all(file.number(), parts);
    if (error) fail_data(path, fmt::format("expected to write, got '{}'", std::strerror(error)));
    return;
  }
  if (!exists) return write_replacing(path, parts, nullptr);
  std::error_code unknown;  // a link stays: what it points at is replaced
  const auto target = std::filesystem::canonical(path, unknown);
  write_replacing(unknown ? path : target.string(), parts, &old);
}

void write_file(const std::string& path, ByteView bytes) { write_file(path, std::vector<ByteView>{bytes}); }

}  // namespace deepgen
