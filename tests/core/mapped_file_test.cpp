// Files that are mapped and not read, and files that are written piece by piece: the same bytes as in one
// piece, and what is said when a file changes under its reader.
#include "deepgen/core/mapped_file.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cmath>

#include "deepgen/core/file_writer.h"
#include "deepgen/data/files/csv.h"
#include "deepgen/data/files/idx.h"
#include "deepgen/data/files/npy.h"
#include "deepgen/data/files/open.h"
#include "deepgen/data/files/safetensors.h"
#include "deepgen/data/files/table.h"
#include "file_fixtures.h"

namespace deepgen::mapped_file_test {
namespace {

using namespace fixtures;

std::string dictionary(const std::string& descr, const std::string& shape,
                       const std::string& fortran = "False") {
  return "{'descr': '" + descr + "', 'fortran_order': " + fortran + ", 'shape': " + shape + ", }";
}

// As numpy writes it: the data begin at a multiple of 64.
Bytes aligned_npy(std::string dict, const Bytes& data) {
  dict.resize((10 + dict.size() + 1 + 63) / 64 * 64 - 11, ' ');
  return npy(dict, data);
}

Bytes counting(std::size_t count) {
  Bytes bytes(count);
  for (std::size_t i = 0; i < count; ++i) bytes[i] = static_cast<std::uint8_t>(i * 37 + 11);
  return bytes;
}

// Changes bytes of a file in its place, as a program would that writes into it.
void overwrite(const std::string& path, std::size_t at, const std::string& bytes) {
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(static_cast<std::streamoff>(at));
  file << bytes;
}

// The time of the last change moves by the ticks of the system: a change right after opening must be a later
// one.
void make_old(const std::string& path) {
  const timespec times[2] = {{1000000000, 0}, {1000000000, 0}};
  ASSERT_EQ(::utimensat(AT_FDCWD, path.c_str(), times, 0), 0);
}

// ---------------------------------------------------------------- arrays

TEST(MappedArrays, AreThoseThatAreRead) {
  const Folder folder;
  const Bytes data = counting(48);
  for (const char* descr : {"|u1", "|b1", "|i1", "<u2", "<i2", "<i4", "<i8", "<f4", "<f8"}) {
    SCOPED_TRACE(descr);
    const auto items = 48 / (descr[2] - '0');
    const Bytes file = aligned_npy(dictionary(descr, "(" + std::to_string(items / 2) + ", 2)"), data);
    const Array mapped = read_npy(folder.write("a.npy", file)), read = parse_npy("a", file);
    EXPECT_NE(mapped.bytes.file(), nullptr);
    EXPECT_EQ(read.bytes.file(), nullptr);
    expect_equal(mapped, read);
    expect_equal(read_any(folder.path("a.npy")).at("data"), read);
  }
}

// Another order of bytes or of indices, other widths, items that do not lie at multiples of their size.
TEST(MappedArrays, WhatHasToBeConvertedIsRead) {
  const Folder folder;
  const Bytes data = counting(48);
  for (const Bytes& file :
       {aligned_npy(dictionary(">i4", "(6, 2)"), data), aligned_npy(dictionary("<u4", "(6, 2)"), data),
        aligned_npy(dictionary("<i4", "(6, 2)", "True"), data),
        npy(dictionary("<f8", "(3, 2)") + " ", data)}) {
    const Array read = read_npy(folder.write("a.npy", file));
    EXPECT_EQ(read.bytes.file(), nullptr);
    expect_equal(read, parse_npy("a", file));
  }
  // In one dimension there is one order.
  EXPECT_NE(
      read_npy(folder.write("a.npy", aligned_npy(dictionary("<i4", "(12,)", "True"), data))).bytes.file(),
      nullptr);
}

TEST(MappedArrays, IdxOfBytesAndNoOther) {
  const Folder folder;
  const Bytes bytes = join({{0, 0, 8, 2}, big(3, 4), big(4, 4), counting(12)});
  const Array mapped = read_idx(folder.write("a.idx", bytes));
  EXPECT_NE(mapped.bytes.file(), nullptr);
  expect_equal(mapped, parse_idx("a", bytes));
  expect_equal(read_any(folder.write("a-ubyte", bytes)).at("data"), mapped);
  const Array packed = read_idx(folder.write("a.gz", gzip(bytes)));
  EXPECT_EQ(packed.bytes.file(), nullptr);
  expect_equal(packed, mapped);
  const Bytes wide = join({{0, 0, 0x0b, 1}, big(6, 4), counting(12)});  // big-endian
  const Array swapped = read_idx(folder.write("b.idx", wide));
  EXPECT_EQ(swapped.bytes.file(), nullptr);
  expect_equal(swapped, parse_idx("b", wide));
}

TEST(MappedArrays, AreTheTensorsOfACheckpoint) {
  const Folder folder;
  SafeTensors content;
  content.metadata["a"] = "b";
  content.tensors["wide"] = array<double>(DType::f64, {3}, {1, -2, 0.5});
  content.tensors["plain"] = array<float>(DType::f32, {2, 2}, {1, 2, 3, 4});
  content.tensors["bytes"] = array<std::uint8_t>(DType::u8, {3}, {7, 8, 9});
  write_safetensors(folder.path("a"), content);
  const SafeTensors read = read_safetensors(folder.path("a"));
  EXPECT_EQ(read.metadata, content.metadata);
  for (const auto& [name, tensor] : content.tensors) {
    EXPECT_NE(read.tensors.at(name).bytes.file(), nullptr) << name;
    expect_equal(read.tensors.at(name), tensor);
  }
  EXPECT_EQ(encode_safetensors(read), encode_safetensors(content));
}

TEST(MappedArrays, ChangesStayInMemory) {
  const Folder folder;
  const Bytes file = aligned_npy(dictionary("|u1", "(4,)"), {1, 2, 3, 4});
  const std::string path = folder.write("a.npy", file);
  Array changed = read_npy(path);
  const Array other = changed;
  changed.bytes[2] = 9;
  EXPECT_EQ(changed.bytes, (Bytes{1, 2, 9, 4}));
  EXPECT_EQ(changed.bytes.file(), nullptr) << "its own from the first change on";
  EXPECT_EQ(other.bytes, (Bytes{1, 2, 3, 4}));
  EXPECT_EQ(read_raw_file(path), file);
}

TEST(MappedArrays, FilesThatAreTooShortOrTooLongAreRefused) {
  const Folder folder;
  const Bytes npy_file = aligned_npy(dictionary("<f4", "(3, 2)"), counting(24)),
              idx_file = join({{0, 0, 8, 1}, big(5, 4), counting(5)});
  expect_truncation_refused(npy_file, [&](const Bytes& cut) { read_npy(folder.write("cut.npy", cut)); });
  expect_truncation_refused(idx_file, [&](const Bytes& cut) { read_idx(folder.write("cut.idx", cut)); });
  const std::string path = folder.write("long.npy", join({npy_file, {0}}));
  expect_error(path, "expected 24 bytes of data for float32 [3, 2], got 25", [&] { read_npy(path); });
  expect_error(folder.path("no.npy"), "No such file", [&] { read_npy(folder.path("no.npy")); });
  expect_error(folder.path("no.idx"), "No such file", [&] { read_idx(folder.path("no.idx")); });
  expect_error(folder.path(""), "got a folder", [&] { read_npy(folder.path("")); });
}

TEST(MappedArrays, BitsAreToldWhateverTheirType) {
  EXPECT_TRUE(holds_bits(array<double>(DType::f64, {2, 2}, {0, 1, 1, 0})));
  EXPECT_TRUE(holds_bits(array<std::int64_t>(DType::i64, {2, 2}, {0, 7, 1, -1}), {1}));
  EXPECT_FALSE(holds_bits(array<std::int64_t>(DType::i64, {2, 2}, {0, 7, 1, -1}), {0}));
  EXPECT_FALSE(holds_bits(array<std::uint8_t>(DType::u8, {2, 2}, {0, 1, 2, 0})));
  EXPECT_FALSE(holds_bits(array<float>(DType::f32, {1, 2}, {0, std::nanf("")})));
  EXPECT_FALSE(holds_bits(array<float>(DType::f32, {1, 2}, {0.5F, 1})));
}

// ---------------------------------------------------------------- files that change

TEST(MappedFiles, SayWhenTheyWereCutOrWrittenTo) {
  const Folder folder;
  const std::string path = folder.write("a", repeated(10000, 3));
  make_old(path);
  const auto file = MappedFile::open(path);
  ASSERT_NE(file, nullptr);
  EXPECT_EQ(Bytes(file->bytes().begin(), file->bytes().end()), repeated(10000, 3));
  file->check_unchanged();
  overwrite(path, 5000, "x");
  expect_error(path, "changed since", [&] { file->check_unchanged(); });
  make_old(path);
  file->check_unchanged();
  std::filesystem::resize_file(path, 5000);
  expect_error(path, "10000 bytes), but it was changed since (5000 bytes)", [&] { file->check_unchanged(); });
}

TEST(MappedFiles, AFileThatWasReplacedStaysWhatItWas) {
  const Folder folder;
  const std::string path = folder.write("a", text("old content"));
  const auto file = MappedFile::open(path);
  ASSERT_NE(file, nullptr);
  write_file(path, text("new"));  // under another name, then renamed
  file->check_unchanged();
  EXPECT_EQ(Bytes(file->bytes().begin(), file->bytes().end()), text("old content"));
  std::filesystem::remove(path);
  file->check_unchanged();
}

TEST(MappedFiles, WhatCannotBeMappedIsLeftToBeRead) {
  const Folder folder;
  EXPECT_EQ(MappedFile::open(folder.write("empty", {})), nullptr);
  EXPECT_EQ(MappedFile::open("/dev/null"), nullptr);
  const std::string pipe = folder.path("pipe");
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  EXPECT_EQ(MappedFile::open(pipe), nullptr) << "without waiting for who writes to it";
  expect_error(folder.path("b"), "at most 3 bytes",
               [&] { MappedFile::open(folder.write("b", text("four")), 3); });
}

// ---------------------------------------------------------------- files in pieces

TEST(FilesInPieces, AreTheSameArrays) {
  const Folder folder;
  const float nan = std::nanf("");
  const Array whole = array<float>(DType::f32, {5, 2}, {1, nan, -0.0F, 1e-45F, 3, 4, 5, 6, 7, 8});
  const std::vector<float> items = values<float>(whole);
  write_npy(folder.path("whole.npy"), whole);
  write_csv(folder.path("whole.csv"), {"a", "b"}, whole);
  for (const std::vector<std::int64_t>& pieces :
       std::vector<std::vector<std::int64_t>>{{5}, {1, 4}, {2, 2, 1}, {1, 1, 1, 1, 1}}) {
    NpyWriter npy(folder.path("pieces.npy"), DType::f32, {5, 2});
    CsvWriter csv(folder.path("pieces.csv"), {"a", "b"});
    auto item = items.begin();
    for (const std::int64_t rows : pieces) {
      const Array piece = array<float>(DType::f32, {rows, 2}, {item, item + 2 * rows});
      npy.append(piece), csv.append(piece);
      item += 2 * rows;
    }
    npy.close(), csv.close();
    for (const char* ending : {".npy", ".csv"})
      EXPECT_EQ(read_raw_file(folder.path(std::string("pieces") + ending)),
                read_raw_file(folder.path(std::string("whole") + ending)))
          << ending << " in " << pieces.size();
  }
  EXPECT_EQ(folder.entries(), 4U) << "temporary files are left";
}

// A missing cell in a single column, at the beginning of a piece and after another.
TEST(FilesInPieces, OneColumnKeepsItsGaps) {
  const Folder folder;
  const double nan = std::nan("");
  CsvWriter csv(folder.path("a.csv"), {"v"});
  csv.append(array<double>(DType::f64, {1}, {nan}));
  csv.append(array<double>(DType::f64, {2}, {1, nan}));
  csv.close();
  EXPECT_EQ(read_raw_file(folder.path("a.csv")), text("v\n\"\"\n1\n\"\"\n"));
  const CsvCells file = parse_csv_cells("t", "n\nx\ny\n", Header::yes);
  TableSchema schema;
  schema.columns = {{.name = "n", .kind = TableColumnKind::binary, .values = {"x", "y"}}};
  const Array gap = array<double>(DType::f64, {1, 1}, {nan}), y = array<double>(DType::f64, {1, 1}, {1});
  const Array both = array<double>(DType::f64, {2, 1}, {nan, 1});
  EXPECT_EQ(table_csv_header({"n"}) + table_csv_rows(schema, gap) + table_csv_rows(schema, y),
            encode_table_csv(schema, both));
  const std::vector<std::int64_t> rows = {0, 1};
  EXPECT_EQ(table_csv_header(file.names) + spread_csv_rows(schema, file, {0}, gap) +
                spread_csv_rows(schema, file, {0}, y),
            spread_table_csv(schema, file, {0}, both));
  EXPECT_EQ(table_csv_header(file.names) +
                completed_csv_rows(schema, file, {0}, std::span(rows).subspan(0, 1), gap) +
                completed_csv_rows(schema, file, {0}, std::span(rows).subspan(1, 1), y),
            complete_table_csv(schema, file, {0}, rows, both));
}

TEST(FilesInPieces, OfManyCellsAreWrittenInSeveralSteps) {
  const Folder folder;
  Array wide = make_array(DType::f32, {3, 40000});
  for (std::int64_t i = 0; i < wide.items(); ++i) wide.as<float>()[i] = static_cast<float>(i) / 7;
  write_csv(folder.path("a.csv"), {}, wide);
  const std::string written = encode_csv({}, wide);
  EXPECT_EQ(read_raw_file(folder.path("a.csv")), text(written));
}

TEST(FilesInPieces, OnlyAWholeFileTakesThePlaceOfTheOldOne) {
  const Folder folder;
  const std::string path = folder.write("a.npy", text("old"));
  const Array piece = array<float>(DType::f32, {1, 2}, {1, 2});
  {
    NpyWriter file(path, DType::f32, {3, 2});
    file.append(piece);
    EXPECT_EQ(folder.entries(), 2U);
    EXPECT_EQ(read_raw_file(path), text("old"));
    EXPECT_THROW(file.close(), Error) << "rows are missing";
    file.append(piece);
    EXPECT_THROW(file.append(array<float>(DType::f32, {2, 2}, {1, 2, 3, 4})), Error) << "too many";
    EXPECT_THROW(file.append(array<double>(DType::f64, {1, 1}, {1})), Error) << "of another type";
  }
  EXPECT_EQ(read_raw_file(path), text("old"));
  EXPECT_EQ(folder.entries(), 1U) << "the temporary file is left";
  FileWriter file(path);
  file.append(std::string("new ")), file.append(text("content"));
  file.close();
  EXPECT_EQ(read_raw_file(path), text("new content"));
  EXPECT_THROW(file.append(std::string("more")), Error);
  expect_error(folder.path(""), "got a folder", [&] { FileWriter folder_file(folder.path("")); });
}

}  // namespace
}  // namespace deepgen::mapped_file_test
