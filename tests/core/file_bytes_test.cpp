// Whole files: bounded reading and inflating, and writing that never leaves half a file.
#include "deepgen/core/file_bytes.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <csignal>

#include "file_fixtures.h"

namespace deepgen::file_bytes_test {
namespace {

using namespace fixtures;

TEST(FileBytes, ReadsWhatWasWritten) {
  const Folder folder;
  for (const std::size_t size : {0U, 1U, 65535U, 65536U, 65537U, 1000000U}) {
    Bytes bytes(size);
    for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::uint8_t>(i * 31 + i / 251);
    write_file(folder.path("a"), bytes);
    EXPECT_EQ(read_raw_file(folder.path("a")), bytes);
    EXPECT_EQ(read_raw_file(folder.path("a"), size), bytes);
    EXPECT_EQ(gunzip("a", gzip(bytes)), bytes);
    EXPECT_EQ(gunzip("a", gzip(bytes), size), bytes);
  }
  EXPECT_EQ(folder.entries(), 1U);
}

TEST(FileBytes, PartsAreJoined) {
  const Folder folder;
  const Bytes a = text("abc"), b, c = text("de");
  write_file(folder.path("a"), {a, b, c});
  EXPECT_EQ(read_raw_file(folder.path("a")), text("abcde"));
}

TEST(FileBytes, GzipIsToldByItsContent) {
  const Folder folder;
  const Bytes bytes = text("some text, some text, some text");
  EXPECT_EQ(read_file_bytes(folder.write("plain", bytes)), bytes);
  EXPECT_EQ(read_file_bytes(folder.write("packed", gzip(bytes))), bytes);
  EXPECT_EQ(read_raw_file(folder.path("packed")), gzip(bytes));
}

TEST(FileBytes, LimitsHold) {
  const Folder folder;
  const std::string path = folder.write("a", repeated(1001, 7));
  expect_error(path, "at most 1000 bytes", [&] { read_raw_file(path, 1000); });
  expect_error("/dev/zero", "at most 1000 bytes", [] { read_raw_file("/dev/zero", 1000); });
  const Bytes bomb = gzip({}, 100'000'000);
  ASSERT_LT(bomb.size(), 200'000U);
  expect_little_memory([&] {
    expect_error("bomb", "at most 1000000 bytes", [&] { gunzip("bomb", bomb, 1'000'000); });
    EXPECT_EQ(gunzip_prefix("bomb", bomb, 10), repeated(10, 0));
  });
}

TEST(FileBytes, DamagedGzipIsRefused) {
  const Bytes bytes = text("a few words that deflate a little, a little, a little");
  const Bytes packed = gzip(bytes);
  expect_truncation_refused(packed, [](const Bytes& cut) { gunzip("cut", cut); });
  expect_error("x", "2 more bytes", [&] { gunzip("x", join({packed, text("zz")})); });
  expect_error("x", "more gzip data", [&] { gunzip("x", join({packed, {0x1f, 0x8b, 8}})); });
  Bytes wrong = packed;
  wrong[wrong.size() - 6] ^= 1;  // the checksum
  expect_error("x", "data check", [&] { gunzip("x", wrong); });
  EXPECT_EQ(gunzip("x", join({packed, packed})), join({bytes, bytes}));  // members follow each other
}

TEST(FileBytes, MissingFilesAndFoldersAreNamed) {
  const Folder folder;
  expect_error(folder.path("no"), "No such file", [&] { read_raw_file(folder.path("no")); });
  expect_error(folder.path(""), "got a folder", [&] { read_raw_file(folder.path("")); });
  expect_error(folder.path("no/a"), "No such file", [&] { write_file(folder.path("no/a"), text("x")); });
  expect_error(folder.path(""), "got a folder", [&] { write_file(folder.path(""), text("x")); });
}

TEST(FileBytes, FullDiskKeepsTheOldFile) {
  expect_error("/dev/full", "No space left", [] { write_file("/dev/full", text("x")); });
  const Folder folder;
  const std::string path = folder.write("a", text("old"));
  rlimit old = {};
  getrlimit(RLIMIT_FSIZE, &old);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  const rlimit small = {4096, old.rlim_max};
  setrlimit(RLIMIT_FSIZE, &small);
  const std::string message = data_error([&] { write_file(path, repeated(100'000, 1)); });
  setrlimit(RLIMIT_FSIZE, &old);
  std::signal(SIGXFSZ, handler);
  EXPECT_NE(message.find("File too large"), std::string::npos) << message;
  EXPECT_NE(message.find(path), std::string::npos) << message;
  EXPECT_EQ(read_raw_file(path), text("old"));
  EXPECT_EQ(folder.entries(), 1U) << "the temporary file is still there";
}

TEST(FileBytes, UnwritableFolderKeepsTheOldFile) {
  if (::geteuid() == 0) GTEST_SKIP() << "root cannot be refused";
  const Folder folder;
  const std::string path = folder.write("a", text("old"));
  ::chmod(folder.path("").c_str(), 0500);
  expect_error(path, "Permission denied", [&] { write_file(path, text("new")); });
  ::chmod(folder.path("").c_str(), 0700);
  EXPECT_EQ(read_raw_file(path), text("old"));
}

TEST(FileBytes, LinksAndModesStay) {
  const Folder folder;
  const std::string path = folder.write("a", text("old"));
  ::chmod(path.c_str(), 0640);
  std::filesystem::create_symlink("a", folder.path("link"));
  write_file(folder.path("link"), text("new"));
  EXPECT_TRUE(std::filesystem::is_symlink(folder.path("link")));
  EXPECT_EQ(read_raw_file(path), text("new"));
  struct stat about = {};
  ::stat(path.c_str(), &about);
  EXPECT_EQ(about.st_mode & 0777, 0640U);
}

TEST(FileBytes, DevicesAreNotReplaced) {
  write_file("/dev/null", text("x"));
  EXPECT_TRUE(std::filesystem::is_character_file("/dev/null"));
}

}  // namespace
}  // namespace deepgen::file_bytes_test
