// Nothing is held twice, and nothing changes by that: rows in blocks, files that are mapped, bits that are kept as
// bytes and files that are written as they come are what they are in one piece, bit for bit.
#include <filesystem>

#include "deepgen/data/files/npy.h"
#include "deepgen/data/files/npz.h"
#include "deepgen/ops/binary_units.h"
#include "deepgen/runs/evaluate_run.h"
#include "deepgen/runs/write_cases.h"
#include "deepgen/tasks/tasks.h"
#include "tests/library/data_sets.h"
#include "tests/library/runs.h"
#include "tests/library/toy_models.h"

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
  const std::string message =
      error_of(ErrorKind::data, [&] { set_of({{"train", floats({9000, 1}, cells)}}, {}, &learnt); });
  expect_says(message, {"row 8500"});
}

TEST(Bits, AreBytesWhateverTheirTypeInTheFile) {
  const Array bytes = runs::random_bytes(40, 3, 1, 1);
  std::vector<float> reals;
  std::vector<double> doubles;
  std::vector<std::int64_t> whole;
  for (const std::uint8_t bit : bytes.bytes)
    reals.push_back(bit), doubles.push_back(bit), whole.push_back(bit);
  const Dataset wanted = set_of({{"train", bytes}}, {{"valid", "10"}});
  for (const Array& array :
       {floats({40, 3}, reals), fixtures::array<double>(DType::f64, {40, 3}, doubles),
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
           {grey, {"", ":binarize=static", ":binarize=threshold,test=9", ":binarize=dynamic", ":dequantise=true"}},
           {reals, {"", ":valid=0.2,test=0.1", ":standardise=true", ":whiten=true"}}}) {
    write_npy(folder.path("a.npy"), array);
    write_npz(folder.path("a.npz"), {{"train", array}});
    for (const std::string& spec : specs) {
      SCOPED_TRACE(dtype_name(array.type) + spec);
      const Dataset mapped = load_dataset(folder.path("a.npy") + spec), read = load_dataset(folder.path("a.npz") + spec);
      EXPECT_EQ(read.train.mapped, nullptr);
      EXPECT_EQ(mapped.train.mapped != nullptr, spec.empty() || spec == ":binarize=dynamic") << "or else copied";
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

// ---------------------------------------------------------------- rows that are made as they are written

class Numbered : public toys::ToyModel, public CanSample {
 public:
  Tensor sample(std::int64_t count, Rng& rng) const override { return uniform(count, 3, rng.next()); }
};

// The first column is the number of the chain in its block, the second how many transitions it has made.
class Counting : public toys::ToyModel, public HasChain {
 public:
  Tensor chain_start(std::int64_t chains, Rng&) const override {
    return at::stack({at::arange(chains, at::kFloat), at::zeros({chains})}, 1);
  }
  Tensor chain_steps(const Tensor& x, std::int64_t steps, Rng&) const override {
    return x + at::tensor({0.0F, static_cast<float>(steps)});
  }
  Tensor chain_mean(const Tensor& x, Rng&) const override { return x; }
};

Tensor in_pieces(const Model& model, const SamplingPlan& plan, std::int64_t most) {
  Observer silent;
  Rng rng(3);
  std::vector<Tensor> parts;
  sample_model(model, plan, rng, silent, [&](const Tensor& rows) {
    EXPECT_LE(rows.size(0), most);
    parts.push_back(rows.clone());
  });
  return at::cat(parts);
}

TEST(SamplesInPieces, AreTheSamplesInTheirOrder) {
  Observer silent;
  Rng rng(3);
  const Numbered direct;
  const SamplingPlan plan{.count = 4100};
  expect_bit_equal(in_pieces(direct, plan, draw_block), sample_model(direct, plan, rng, silent), "direct");
  const auto rbm = make_rbm(4, 3, 0.1, 1);
  const SamplingPlan later{.count = 12, .steps = 5, .rows = 3, .between = 2};
  rng = Rng(3);
  expect_bit_equal(in_pieces(*rbm, later, 12), sample_model(*rbm, later, rng, silent), "chains");
}

// Two blocks of chains: the later samples are below the first ones of all.
TEST(SamplesInPieces, OfManyChainsAreInBands) {
  const Counting chains;
  const std::int64_t count = chain_block + 3;
  const Tensor x = in_pieces(chains, {.count = count, .steps = 4, .rows = 2, .between = 5}, chain_block);
  ASSERT_EQ(x.size(0), 2 * count);
  for (const std::int64_t band : {0, 1}) {
    const Tensor rows = x.narrow(0, band * count, count);
    EXPECT_TRUE((rows.select(1, 1) == (band == 0 ? 4 : 9)).all().item<bool>());
    EXPECT_EQ(rows[chain_block - 1][0].item<float>(), static_cast<float>(chain_block - 1));
    EXPECT_EQ(rows[chain_block + 2][0].item<float>(), 2) << "the third chain of the second block";
  }
}

TEST(CodesInPieces, AreTheCodes) {
  const Dataset data = runs::random_bits(4100, 5);
  const auto vae = make_model(runs::settings_of({"model.latent=2", "model.hidden=4"}, "vae"), data);
  Rng rng(2);
  vae->initialise(Dataset::rows(data.train, 0, 100, Rng(1)), rng);
  Observer silent;
  for (const bool decoded : {false, true}) {
    std::vector<Tensor> parts;
    const RowSink keep = [&](const Tensor& rows) { parts.push_back(rows.clone()); };
    decoded ? reconstruct_rows(*vae, data.train, Rng(1), silent, keep)
            : encode_rows(*vae, data.train, Rng(1), silent, keep);
    EXPECT_EQ(parts.size(), 3U);
    expect_bit_equal(at::cat(parts),
                     decoded ? reconstruct_rows(*vae, data.train, Rng(1), silent)
                             : encode_rows(*vae, data.train, Rng(1), silent),
                     decoded ? "reconstructions" : "codes");
  }
}

TEST(Hidden, InBlocksAreTheGapsOfTheWhole) {
  const Tensor x = at::rand({30, 70});
  for (const char* what : {"0.3", "bottom", "left"}) {
    Rng whole(2), blocks(2);
    const Tensor wanted = hide_cells(x, {70}, what, whole);
    const Tensor groups = hide_groups(x, {30, 40}, what, whole);
    const Hiding cells_of(what, blocks), groups_of(what, blocks);
    for (const std::int64_t first : {0, 10, 25}) {
      const Tensor some = x.narrow(0, first, 5);
      EXPECT_TRUE(at::equal(cells_of.cells(some, {70}, first).isnan(), wanted.narrow(0, first, 5).isnan())) << what;
      EXPECT_TRUE(at::equal(groups_of.groups(some, {30, 40}, first).isnan(), groups.narrow(0, first, 5).isnan()))
          << what;
    }
  }
}

// One block of a chain's rows is completed as if it were alone, and blocks follow each other.
TEST(CompletionsInPieces, AreTheCompletionsOfTheWhole) {
  const auto rbm = make_rbm(3, 2, 0.5, 1);
  Observer silent;
  Rng drawn(4);
  Tensor x = (at::rand({completion_block + 20, 3}) < 0.5).to(at::kFloat);
  x = hide_cells(x, {3}, "0.4", drawn);
  Rng rng(9), alone(9), pieces(9);
  const Tensor whole = complete_rows(*rbm, x, 3, rng, silent);
  EXPECT_FALSE(whole.isnan().any().item<bool>());
  expect_bit_equal(at::where(x.isnan(), whole, x), whole, "known cells stay");
  const Tensor head = x.narrow(0, 0, completion_block);
  expect_bit_equal(complete_rows(*rbm, head, 3, alone, silent), whole.narrow(0, 0, completion_block), "alone");
  Completer completer(*rbm, 3, {}, pieces, silent, x.size(0), 2);
  for (const CaseBlock& block : case_blocks({}, x.size(0), completion_block))
    expect_bit_equal(completer.complete(x.narrow(0, block.first_row, block.rows)),
                     whole.narrow(0, block.first_row, block.rows), "in blocks");
}

// ---------------------------------------------------------------- files that are written as rows come

// A run on whitened columns: its rows are brought back in pieces of a fixed size, whatever the blocks.
OpenRun whitened_run(const Folder& folder) {
  Rng rng(3);
  RawSet raw;
  raw.name = "memory";
  raw.arrays["train"] = make_array(DType::f32, {300, 4});
  float* cell = raw.arrays["train"].as<float>();
  for (std::int64_t i = 0; i < 1200; ++i) cell[i] = static_cast<float>(real(1 + i % 4) * rng.normal());
  DataOptions options;
  options.whiten = true;
  const Dataset data = make_dataset(std::move(raw), options);
  save_checkpoint(folder.path("model.safetensors"),
                  runs::straight({"training.epochs=1", "model.hidden=2"}, data));
  return open_run(folder.path("model.safetensors"));
}

TEST(FilesOfRows, AreTheSameHoweverTheRowsCome) {
  const Folder folder;
  const OpenRun run = whitened_run(folder);
  ASSERT_TRUE(run.learnt.transform.whitened());
  Rng rng(1);
  const Tensor rows = normal_tensor({2 * Transform::block_rows + 900, 4}, 1, rng);
  for (const char* ending : {".npy", ".csv", ".png"}) {
    const std::string whole = folder.path(std::string("whole") + ending),
                      pieces = folder.path(std::string("pieces") + ending);
    write_cases(run, whole, rows);
    for (const std::int64_t size : {1000, 5000}) {
      CasesFile file(run, pieces, rows.size(0));
      for (std::int64_t first = 0; first < rows.size(0); first += size)
        file.append(rows.narrow(0, first, std::min(size, rows.size(0) - first)));
      file.close();
      EXPECT_EQ(read_raw_file(pieces), read_raw_file(whole)) << ending << " by " << size;
    }
  }
  const Tensor line = rows.select(1, 0).to(at::kDouble);
  for (const char* ending : {".npy", ".csv"}) {
    write_rows(folder.path(std::string("whole") + ending), line, {"only"});
    RowsFile file(folder.path(std::string("pieces") + ending), line.size(0), {"only"});
    file.append(line.narrow(0, 0, 7)), file.append(line.narrow(0, 7, line.size(0) - 7));
    file.close();
    EXPECT_EQ(read_raw_file(folder.path(std::string("pieces") + ending)),
              read_raw_file(folder.path(std::string("whole") + ending)));
  }
  expect_says(error_of(ErrorKind::usage, [&] { write_rows(folder.path("a.txt"), rows); }), {".npy", "a.txt"});
}

TEST(FilesOfRows, OfWhitenedRowsAreThoseOfOneInversion) {
  const Folder folder;
  const OpenRun run = whitened_run(folder);
  Rng rng(1);
  const Tensor rows = normal_tensor({Transform::block_rows + 10, 4}, 1, rng);
  write_cases(run, folder.path("a.npy"), rows);
  expect_bit_equal(to_tensor(read_npy(folder.path("a.npy"))), run.learnt.transform.invert(rows), "inverted");
}

TEST(Results, SayHowMuchMemoryTheyTook) {
  const Dataset data = runs::random_bits(30, 4);
  const nlohmann::ordered_json result = evaluation_json("rbm", data, "train", {});
  const double bytes = result.at("peak_memory_bytes").get<double>();
  EXPECT_GT(bytes, 20 << 20) << "torch alone is more";
  EXPECT_LT(bytes, 1e12);
}

}  // namespace
}  // namespace deepgen::light_test
