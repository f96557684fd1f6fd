// A file that is written piece by piece and then takes the place of the old one, whole.
#pragma once

#include <memory>
#include <string>

#include "deepgen/core/file_bytes.h"

namespace deepgen {

// Pieces go to a temporary name in the same folder; close() flushes and renames. Without it, and on any
// failure, the old file stays whole and the temporary one goes. Devices and pipes are written directly. All
// throw a data error that names `path`.
class FileWriter {
 public:
  explicit FileWriter(const std::string& path);
  ~FileWriter();
  FileWriter(const FileWriter&) = delete;
  FileWriter& operator=(const FileWriter&) = delete;

  void append(ByteView bytes);
  void append(const std::string& text);
  void close();  // the file is there, on disk; nothing can be appended any more

 private:
  struct Open;
  [[noreturn]] void fail(int error) const;
  const std::string path_;
  std::unique_ptr<Open> open_;
};

}  // namespace deepgen
