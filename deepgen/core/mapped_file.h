// A file as bytes that the system brings into memory when they are looked at, and may drop again: nothing of
// it is held twice.
#pragma once

#include <cstdint>
#include <ctime>
#include <memory>
#include <string>

#include "deepgen/core/file_bytes.h"

namespace deepgen {

class MappedFile {
 public:
  // Nothing where there is no way to map it (a pipe, an empty file, some file systems): read it instead.
  // Throws a data error naming `path` for what cannot be opened, a folder, and a file above `limit`.
  static std::shared_ptr<const MappedFile> open(const std::string& path, std::uint64_t limit = largest_file);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  // Writing to these bytes is allowed and changes neither the file nor what others see.
  ByteView bytes() const { return {begin_, size_}; }

  // Throws a data error when the file has been cut or written to since: its bytes are no longer those that
  // were read and checked. To be asked before they are used again: what was cut off cannot be looked at
  // without a crash. A file that was replaced (a new one renamed to its name) stays what it was.
  void check_unchanged() const;

 private:
  MappedFile(const std::string& path, int number) : path_(path), number_(number) {}

  const std::string path_;
  int number_;  // of the open file
  const std::uint8_t* begin_ = nullptr;
  std::size_t size_ = 0;
  timespec changed_ = {};  // when it was last written to
};

}  // namespace deepgen
