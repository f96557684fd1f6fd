// Rows that are made, completed and written as they come are those that are made at once, bit for bit.
#include "deepgen/data/files/npy.h"
#include "deepgen/ops/binary_units.h"
#include "deepgen/runs/evaluate_run.h"
#include "deepgen/runs/write_cases.h"
#include "deepgen/tasks/tasks.h"
#include "tests/library/runs.h"
#include "tests/library/toy_models.h"

namespace deepgen::pieces_test {
namespace {

using namespace machines;
using fixtures::Folder;

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
      EXPECT_TRUE(at::equal(cells_of.cells(some, {70}, first).isnan(), wanted.narrow(0, first, 5).isnan()))
          << what;
      EXPECT_TRUE(
          at::equal(groups_of.groups(some, {30, 40}, first).isnan(), groups.narrow(0, first, 5).isnan()))
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
  expect_bit_equal(complete_rows(*rbm, head, 3, alone, silent), whole.narrow(0, 0, completion_block),
                   "alone");
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
}  // namespace deepgen::pieces_test
