#include "deepgen/core/mapped_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "deepgen/core/error.h"

namespace deepgen {

std::shared_ptr<const MappedFile> MappedFile::open(const std::string& path, std::uint64_t limit) {
  const int number =
      ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);  // a pipe must not wait for a writer
  if (number < 0) fail_data(path, fmt::format("expected a readable file, got '{}'", std::strerror(errno)));
  const std::shared_ptr<MappedFile> file(new MappedFile(path, number));  // closes it whatever comes
  struct stat about = {};
  if (::fstat(number, &about) != 0) return nullptr;
  if (S_ISDIR(about.st_mode)) fail_data(path, "expected a file, got a folder");
  if (!S_ISREG(about.st_mode) || about.st_size == 0) return nullptr;
  if (static_cast<std::uint64_t>(about.st_size) > limit)
    fail_data(path, fmt::format("expected a file of at most {} bytes, got {}", limit, about.st_size));
  const auto size = static_cast<std::size_t>(about.st_size);
  void* begin = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE, number, 0);
  if (begin == MAP_FAILED) return nullptr;
  file->begin_ = static_cast<const std::uint8_t*>(begin);
  file->size_ = size;
  file->changed_ = about.st_mtim;
  return file;
}

MappedFile::~MappedFile() {
  if (begin_ != nullptr) ::munmap(const_cast<std::uint8_t*>(begin_), size_);
  ::close(number_);
}

void MappedFile::check_unchanged() const {
  struct stat now = {};
  const bool known = ::fstat(number_, &now) == 0;
  if (known && static_cast<std::size_t>(now.st_size) == size_ && now.st_mtim.tv_sec == changed_.tv_sec &&
      now.st_mtim.tv_nsec == changed_.tv_nsec)
    return;
  fail_data(
      path_,
      fmt::format("expected the file as it was when it was opened ({} bytes), but it was changed since{}; "
                  "start again, and write a new version under another name or rename it into place",
                  size_, known ? fmt::format(" ({} bytes)", now.st_size) : std::string()));
}

}  // namespace deepgen
