// Nothing is held twice, and nothing changes by that: rows in blocks, files that are mapped and bits that are
// kept as bytes are what they are in one piece, bit for bit.
#include <filesystem>

#include "deepgen/data/column_blocks.h"
#include "deepgen/data/files/npy.h"
#include "deepgen/data/files/npz.h"
#include "deepgen/ops/binary_units.h"
#include "deepgen/tasks/blocks.h"
#include "tests/library/data_sets.h"
#include "tests/library/runs.h"

namespace deepgen::light_test {
namespace {

using namespace machines;
using data_sets::floats;
using data_sets::rows_of;
using data_sets::set_of;
using fixtures::Folder;

// ---------------------------------------------------------------- blocks of rows

void expect_blocks_of_the_whole(const Split& split, const std::string& what) {
  const Rng rng(5);
  const Rows whole = Dataset::rows(split, 0, split.cases(), rng);
  for (const std::int64_t size : {1, 7, 64}) {
    std::int64_t row = 0;
    for (std::int64_t first = 0; first < split.cases(); first += size) {
      const std::int64_t count = std::min(size, split.cases() - first);
      const Rows block = Dataset::block(split, first, count, rng);
      expect_bit_equal(block.x, whole.x.narrow(0, row, block.size()), what);
      if (split.starts.defined()) {
        EXPECT_TRUE(at::equal(block.starts + row, whole.starts.narrow(0, first, count))) << what;
      }
      row += block.size();
    }
    EXPECT_EQ(row, split.rows()) << what;
  }
}

TEST(Blocks, HaveTheRowsAndTheDrawsOfTheWhole) {
  const Array bytes = runs::random_bytes(150, 70, 255, 1);
  std::vector<float> grey;
  for (const std::uint8_t byte : bytes.bytes) grey.push_back(static_cast<float>(byte) / 255);
  grey[20] = std::nanf("");
  for (const char* how : {"none", "static", "threshold", "dynamic"}) {
    expect_blocks_of_the_whole(set_of({{"train", bytes}}, {{"binarize", how}}).train, how);
    expect_blocks_of_the_whole(set_of({{"train", floats({150, 70}, grey)}}, {{"binarize", how}}).train, how);
  }
  const Array lengths = data_sets::whole_numbers({1, 60, 2, 80, 7});
  expect_blocks_of_the_whole(
      set_of({{"train", bytes}, {"train_lengths", lengths}}, {{"binarize", "dynamic"}}).train, "sequences");
}

TEST(Blocks, OfCasesCoverThemInOrder) {
  const auto rows_of_blocks = [](const Tensor& starts, std::int64_t rows, std::int64_t most) {
    std::vector<std::int64_t> sizes;
    std::int64_t next_case = 0, next_row = 0;
    for (const CaseBlock& block : case_blocks(starts, rows, most)) {
      EXPECT_EQ(block.first, next_case);
      EXPECT_EQ(block.first_row, next_row);
      next_case += block.count, next_row += block.rows;
      sizes.push_back(block.rows);
    }
    EXPECT_EQ(next_row, rows);
    return sizes;
  };
  using Sizes = std::vector<std::int64_t>;
  EXPECT_EQ(rows_of_blocks({}, 10, 4), (Sizes{4, 4, 2}));
  EXPECT_EQ(rows_of_blocks({}, 8, 4), (Sizes{4, 4}));
  EXPECT_EQ(rows_of_blocks(at::tensor(Sizes{0, 2, 5, 6}, at::kLong), 20, 5), (Sizes{5, 1, 14}))
      << "a case is not cut, however long it is";
}

// ---------------------------------------------------------------- sets

// Draws as they were made when all rows were floats at once.
TEST(StaticBits, AreThoseOfOneDrawOfAllRows) {
  const NamedArrays arrays = {{"train", runs::random_bytes(4500, 9, 255, 1)}};
  Split grey = set_of(arrays).train;
  grey.binarise = true;
  const Rng rng = Rng(std::uint64_t{7} ^ 0xB1A5ULL).fork({0});
  const Tensor whole = Dataset::rows(grey, 0, grey.rows(), rng).x;
  const Dataset bits = set_of(arrays, {{"binarize", "static"}, {"seed", "7"}});
  EXPECT_EQ(bits.train.x.scalar_type(), at::kByte);
  expect_bit_equal(rows_of(bits.train), whole, "in pieces");
}

TEST(Transforms, InBlocksAreThoseOfTheWhole) {
  const NamedArrays arrays = {{"train", runs::random_bytes(9000, 5, 255, 1)}};
  const Rng rng = Rng(0xB1A5ULL).fork({9, 0});
  Rng own = rng;
  const Tensor grey = rows_of(set_of(arrays).train);
  const Tensor noise = uniform(9000, 5, own.next());
  const Dataset dequantised = set_of(arrays, {{"dequantise", "true"}});
  expect_bit_equal(rows_of(dequantised.train), (grey * 255 + noise) / 256, "dequantised");
  const Dataset both = set_of(arrays, {{"dequantise", "true"}, {"standardise", "true"}});
  const Tensor mean = at::tensor(both.transform.mean, at::kDouble).to(at::kFloat),
               deviation = at::tensor(both.transform.deviation, at::kDouble).to(at::kFloat);
  expect_bit_equal(rows_of(both.train), (rows_of(dequantised.train) - mean) / deviation, "and standardised");
  const Learnt learnt = data_sets::learnt_of(both);
  const Dataset later = set_of(arrays, {}, &learnt);
  expect_bit_equal(rows_of(later.train), rows_of(both.train), "as learnt");
  EXPECT_EQ(later.train.before.scalar_type(), at::kByte) << "what was in the file stays bytes";
  expect_bit_equal(later.train.before.to(at::kFloat) * later.train.before_scale, grey, "before");
}

TEST(Transforms, NameRowsOfTheWhole) {
  std::vector<float> cells(9000, 1);
  cells[0] = 0;
  const NamedArrays arrays = {{"train", floats({9000, 1}, cells)}};
  const Learnt learnt = data_sets::learnt_of(set_of(arrays, {{"onehot", "true"}}));
  cells[8500] = 7;
  const std::string message = error_of(ErrorKind::data, [&] {
    set_of({{"train", floats({9000, 1}, cells)}}, {}, &learnt);
  });
  expect_says(message, {"row 8500"});
}

TEST(ColumnBlocks, SumAsTheWholeDoes) {
  Rng rng(1);
  for (const std::int64_t columns : {3, 64, 127, 128, 785}) {
    const Tensor x = normal_tensor({3000, columns}, 100, rng);
    expect_bit_equal(wide_column_sums(x), x.sum(0, false, at::kDouble), std::to_string(columns));
  }
}

TEST(Bits, AreBytesWhateverTheirTypeInTheFile) {
  const Array bytes = runs::random_bytes(40, 3, 1, 1);
  std::vector<float> reals;
  std::vector<double> doubles;
  std::vector<std::int64_t> whole;
  for (const std::uint8_t bit : bytes.bytes)
    reals.push_back(bit), doubles.push_back(bit), whole.push_back(bit);
  const Dataset wanted = set_of({{"train", bytes}}, {{"valid", "10"}});
  for (const Array& array : {floats({40, 3}, reals), fixtures::array<double>(DType::f64, {40, 3}, doubles),
                             fixtures::array<std::int64_t>(DType::i64, {40, 3}, whole)}) {
    const Dataset set = set_of({{"train", array}}, {{"valid", "10"}});
    EXPECT_EQ(set.values, ValueKind::binary);
    for (const char* part : {"train", "valid"}) {
      EXPECT_EQ(set.split(part).x.scalar_type(), at::kByte) << dtype_name(array.type);
      expect_bit_equal(rows_of(set.split(part)), rows_of(wanted.split(part)), part);
    }
  }
}

// Beside labels in the matrix they are bits still; with a gap, or another number in any part, they are not.
TEST(Bits, AreAllPartsOrNone) {
  const float nan = std::nanf("");
  const Array bits = floats({2, 2}, {0, 1, 1, 0}), labelled = floats({2, 3}, {0, 1, 5, 1, 0, 2});
  EXPECT_EQ(set_of({{"train", labelled}}, {{"labels", "2"}}).train.x.scalar_type(), at::kByte);
  EXPECT_EQ(doubles(set_of({{"train", labelled}}, {{"labels", "2"}}).train.y), (Doubles{5, 2}));
  for (const Array& other : {floats({1, 2}, {0, 0.5F}), floats({1, 2}, {nan, 1})}) {
    const Dataset set = set_of({{"train", bits}, {"test", other}});
    EXPECT_EQ(set.train.x.scalar_type(), at::kFloat);
    EXPECT_EQ(set.test.x.scalar_type(), at::kFloat);
    EXPECT_EQ(set.values, ValueKind::binary);
  }
  const Dataset onehot = set_of({{"train", floats({3, 1}, {0, 2, 1})}}, {{"onehot", "true"}});
  EXPECT_EQ(onehot.train.x.scalar_type(), at::kByte);
  EXPECT_EQ(doubles(rows_of(onehot.train)), (Doubles{1, 0, 0, 0, 0, 1, 0, 1, 0}));
}

TEST(Arrays, AreTheMemoryOfTheirTensors) {
  Array array = runs::random_bytes(20, 3, 255, 1);
  const Array copy = array;
  const void* memory = std::as_const(array).bytes.data();
  const Tensor moved = to_tensor(std::move(array));
  EXPECT_EQ(moved.data_ptr(), memory);
  const Tensor copied = to_tensor(copy);
  EXPECT_NE(copied.data_ptr(), static_cast<const void*>(copy.bytes.data()));
  expect_bit_equal(moved, copied, "the same items");
}

// ---------------------------------------------------------------- mapped files

TEST(MappedSets, AreThoseThatAreRead) {
  const Folder folder;
  const Array grey = runs::random_bytes(60, 6, 255, 1), bits = runs::random_bytes(60, 6, 1, 2);
  Array reals = make_array(DType::f32, {60, 6});
  Rng rng(3);
  for (std::int64_t i = 0; i < reals.items(); ++i) reals.as<float>()[i] = static_cast<float>(rng.normal());
  for (const auto& [array, specs] : std::vector<std::pair<Array, std::vector<std::string>>>{
           {bits, {"", ":valid=0.2", ":labels=5"}},
           {grey,
            {"", ":binarize=static", ":binarize=threshold,test=9", ":binarize=dynamic", ":dequantise=true"}},
           {reals, {"", ":valid=0.2,test=0.1", ":standardise=true", ":whiten=true"}}}) {
    write_npy(folder.path("a.npy"), array);
    write_npz(folder.path("a.npz"), {{"train", array}});
    for (const std::string& spec : specs) {
      SCOPED_TRACE(dtype_name(array.type) + spec);
      const Dataset mapped = load_dataset(folder.path("a.npy") + spec),
                    read = load_dataset(folder.path("a.npz") + spec);
      EXPECT_EQ(read.train.mapped, nullptr);
      EXPECT_EQ(mapped.train.mapped != nullptr, spec.empty() || spec == ":binarize=dynamic")
          << "or else copied";
      EXPECT_EQ(mapped.values, read.values);
      for (const char* part : {"train", "valid", "test"}) {
        if (!read.one_matrix && (std::string(part) == "valid" ? read.valid : read.test).rows() == 0) continue;
        expect_bit_equal(rows_of(mapped.split(part)), rows_of(read.split(part)), part);
      }
    }
  }
}

TEST(MappedSets, DoNotChangeTheirFile) {
  const Folder folder;
  const std::string path = folder.path("a.npy");
  write_npy(path, runs::random_bytes(60, 6, 255, 1));
  const Bytes before = read_raw_file(path);
  for (const char* how : {"static", "threshold"}) load_dataset(path + ":binarize=" + how);
  load_dataset(path + ":valid=0.5");
  EXPECT_EQ(read_raw_file(path), before);
}

TEST(MappedSets, SayWhenTheirFileIsCutOrChanged) {
  const Folder folder;
  const std::string path = folder.path("a.npy");
  write_npy(path, runs::random_bytes(6000, 6, 255, 1));
  const Dataset set = load_dataset(path);
  const Tensor first = rows_of(set.train);
  std::filesystem::resize_file(path, 5000);
  expect_says(error_of(ErrorKind::data, [&] { rows_of(set.train); }), {path, "changed"});
  EXPECT_EQ(first.size(0), 6000);
  const Dataset copied = set_of({{"train", runs::random_bytes(3, 2, 255, 1)}});
  EXPECT_EQ(copied.train.mapped, nullptr);
  expect_says(error_of(ErrorKind::data, [&] { load_dataset(path); }), {path, "expected 36000 bytes"});
}

}  // namespace
}  // namespace deepgen::light_test
