#include "deepgen/core/file_writer.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "deepgen/core/error.h"

namespace deepgen {
namespace {

constexpr std::size_t largest_write = std::size_t{1} << 26;  // some systems take no more at once than 2 GB

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
int flush_folder_of(const std::string& path) {
  const std::string folder = std::filesystem::path(path).parent_path().string();
  const int number = ::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (number < 0) return 0;
  const int error = ::fsync(number) == 0 || errno == EINVAL || errno == ENOTSUP ? 0 : errno;
  ::close(number);
  return error;
}

}  // namespace

struct FileWriter::Open {
  int number = -1;
  std::string temporary, target;  // empty: a device or a pipe, written directly

  Open() = default;
  Open(const Open&) = delete;
  Open& operator=(const Open&) = delete;
  ~Open() {
    if (number >= 0) ::close(number);
    if (!temporary.empty()) ::unlink(temporary.c_str());
  }
  // 0, or an errno: some file systems report a full disk only here.
  int close() {
    const int closing = number;
    number = -1;
    return ::close(closing) == 0 ? 0 : errno;
  }
};

FileWriter::FileWriter(const std::string& path) : path_(path), open_(std::make_unique<Open>()) {
  struct stat old = {};
  const bool exists = ::stat(path.c_str(), &old) == 0;
  if (exists && S_ISDIR(old.st_mode)) fail_data(path, "expected a file to write, got a folder");
  if (exists && !S_ISREG(old.st_mode)) {  // renaming over it would remove it
    open_->number = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
    if (open_->number < 0) fail(errno);
    return;
  }
  std::error_code unknown;  // a link stays: what it points at is replaced
  const auto behind = exists ? std::filesystem::canonical(path, unknown) : std::filesystem::path(path);
  open_->target = unknown ? path : behind.string();
  std::string name;
  open_->number = open_temporary(open_->target, name);
  if (open_->number < 0) fail(errno);
  open_->temporary = name;
  if (exists && ::fchmod(open_->number, old.st_mode & 07777) != 0) fail(errno);
}

FileWriter::~FileWriter() = default;

void FileWriter::fail(int error) const {
  const bool direct = open_->target.empty();
  fail_data(path_, fmt::format("expected to write{}, got '{}'{}", direct ? "" : " the file",
                               std::strerror(error), direct ? "" : "; what was there before is unchanged"));
}

void FileWriter::append(ByteView bytes) {
  if (!open_ || open_->number < 0) throw Error(ErrorKind::bug, path_, "expected an open file to write to");
  while (!bytes.empty()) {
    const ssize_t written = ::write(open_->number, bytes.data(), std::min(bytes.size(), largest_write));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) fail(errno);
    bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
}

void FileWriter::append(const std::string& text) {
  append(ByteView(reinterpret_cast<const std::uint8_t*>(text.data()), text.size()));
}

void FileWriter::close() {
  if (!open_ || open_->number < 0) throw Error(ErrorKind::bug, path_, "expected an open file to close");
  const bool direct = open_->target.empty();
  if (!direct && ::fsync(open_->number) != 0) fail(errno);
  if (const int error = open_->close(); error != 0) fail(error);
  if (direct) return;
  if (::rename(open_->temporary.c_str(), open_->target.c_str()) != 0) fail(errno);
  open_->temporary.clear();
  if (const int error = flush_folder_of(open_->target); error != 0)
    fail_data(path_, fmt::format("expected to flush the folder, got '{}'", std::strerror(error)));
}

}  // namespace deepgen
