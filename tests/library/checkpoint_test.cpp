// Checkpoints: what goes in comes out, and what does not fit is refused in words.
#include "deepgen/train/checkpoint.h"

#include <nlohmann/json.hpp>

#include "deepgen/data/files/safetensors.h"
#include "tests/library/runs.h"

namespace deepgen::checkpoint_test {
namespace {

using namespace machines;
using namespace runs;
using fixtures::Folder;

Checkpoint trained(const Assignments& more = {}) {
  Assignments all = {"model.hidden=4", "training.epochs=1", "training.batch=5"};
  all.insert(all.end(), more.begin(), more.end());
  const Dataset data = random_bits(23, 6);
  return straight(all, data);
}

class CheckpointFile : public ::testing::Test {
 protected:
  // A file like the one of `checkpoint`, with a change made to its parts.
  std::string changed(const Checkpoint& checkpoint, const std::function<void(SafeTensors&)>& change) const {
    save_checkpoint(path, checkpoint);
    SafeTensors file = read_safetensors(path);
    change(file);
    write_safetensors(path, file);
    return path;
  }
  std::string refusal_of(const Checkpoint& checkpoint,
                         const std::function<void(SafeTensors&)>& change) const {
    changed(checkpoint, change);
    const std::string message = error_of(ErrorKind::data, [&] { load_model(load_checkpoint(path), path); });
    expect_says(message, {path});
    return message;
  }
  Folder folder;
  std::string path = folder.path("model.safetensors");
};

TEST_F(CheckpointFile, ComesBackBitForBit) {
  for (const Assignments& way : {Assignments{}, Assignments{"training.learning=cd"},
                                 Assignments{"training.momentum=0.5", "training.average=0.9"},
                                 Assignments{"training.optimiser=adam", "training.centring=false"}}) {
    Checkpoint before = trained(way);
    before.seed = 18446744073709551615ULL, before.stage = 3, before.step = std::int64_t{1} << 40;
    before.commit = "abc \"quoted\" \n line";
    before.state["best"] = -86.123456789012345;
    save_checkpoint(path, before);
    const Checkpoint after = load_checkpoint(path);
    EXPECT_EQ(after.model, before.model);
    EXPECT_EQ(after.options, before.options);
    EXPECT_EQ(after.data, before.data);
    EXPECT_EQ(after.stage, before.stage);
    EXPECT_EQ(after.step, before.step);
    EXPECT_EQ(after.seed, before.seed);
    EXPECT_EQ(after.state, before.state);
    EXPECT_EQ(after.commit, before.commit);
    ASSERT_EQ(after.tensors.size(), before.tensors.size());
    for (const auto& [name, tensor] : before.tensors) expect_bit_equal(after.tensors.at(name), tensor, name);
    EXPECT_EQ(folder.entries(), 1U) << "a temporary file was left";
  }
}

TEST_F(CheckpointFile, KeepsOddFloatsAndTypes) {
  Checkpoint c = trained();
  c.tensors["odd.float"] = at::tensor({0.0F, -0.0F, 1e-42F, INFINITY, -INFINITY, std::nanf("7")});
  c.tensors["odd.double"] = at::tensor({1e-310, 3.0}, at::kDouble);
  c.tensors["odd.long"] = at::tensor({std::int64_t{1} << 62}, at::kLong);
  c.tensors["odd.empty"] = at::zeros({0, 3});
  c.tensors["odd.scalar"] = at::scalar_tensor(2.5);
  c.tensors["odd.view"] = at::arange(12, at::kFloat).view({3, 4}).t();
  save_checkpoint(path, c);
  const Checkpoint after = load_checkpoint(path);
  for (const auto& [name, tensor] : c.tensors) expect_bit_equal(after.tensors.at(name), tensor, name);
}

// The contract of names and shapes that other programs rely on.
TEST_F(CheckpointFile, HasTheNamesOfTheContract) {
  save_checkpoint(path,
                  trained({"training.optimiser=adam", "training.centring=false", "training.average=0.9"}));
  const SafeTensors file = read_safetensors(path);
  const std::map<std::string, std::vector<std::int64_t>> shapes = {
      {"weights", {6, 4}}, {"visible_bias", {6}}, {"hidden_bias", {4}}};
  for (const auto& [name, shape] : shapes)
    for (const std::string prefix : {"model.", "average.", "optimiser.all.first.", "optimiser.all.second."}) {
      ASSERT_TRUE(file.tensors.contains(prefix + name)) << prefix << name;
      EXPECT_EQ(file.tensors.at(prefix + name).shape, shape);
      EXPECT_EQ(file.tensors.at(prefix + name).type, DType::f32);
    }
  for (const char* key :
       {"format_version", "model", "options", "data", "stage", "step", "seed", "state", "commit"})
    EXPECT_TRUE(file.metadata.contains(key)) << key;
  EXPECT_EQ(file.metadata.at("format_version"), "1");
  EXPECT_EQ(file.metadata.at("model"), "rbm");
  EXPECT_EQ(nlohmann::json::parse(file.metadata.at("options"))["model"]["hidden"], 4);
  EXPECT_EQ(nlohmann::json::parse(file.metadata.at("options"))["training"]["optimiser"], "adam");
}

TEST_F(CheckpointFile, GivesTheModelBack) {
  const Checkpoint c = trained();
  save_checkpoint(path, c);
  const auto model = load_model(load_checkpoint(path), path);
  for (const auto& item : model->named_parameters())
    expect_bit_equal(item.value(), c.tensors.at("model." + item.key()), item.key());
  for (const auto& item : model->named_buffers())
    expect_bit_equal(item.value(), c.tensors.at("model." + item.key()), item.key());
}

TEST_F(CheckpointFile, GivesTheAverageWhereThereIsOne) {
  const Checkpoint c = trained({"training.average=0.9"});
  save_checkpoint(path, c);
  const auto model = load_model(load_checkpoint(path), path);
  EXPECT_FALSE(at::equal(c.tensors.at("average.weights"), c.tensors.at("model.weights")));
  for (const auto& item : model->named_parameters())
    expect_bit_equal(item.value(), c.tensors.at("average." + item.key()), item.key());
}

TEST_F(CheckpointFile, ListsEveryTensorThatDoesNotFit) {
  const std::string message = refusal_of(trained(), [](SafeTensors& file) {
    file.tensors.erase("model.hidden_bias");
    file.tensors.erase("model.data_mean");
    file.tensors["model.surplus"] = make_array(DType::f32, {2});
    file.tensors["model.weights"] = make_array(DType::f32, {4, 6});
    file.tensors["model.visible_bias"] = make_array(DType::f32, {6, 1});
  });
  expect_says(message, {"missing model.hidden_bias", "missing model.data_mean", "extra model.surplus",
                        "model.weights", "[4, 6]", "[6, 4]", "model.visible_bias", "[6, 1]"});
}

TEST_F(CheckpointFile, LeavesTheModelAloneWhenItDoesNotFit) {
  Checkpoint c = trained();
  const auto model = load_model(c, "memory");
  const Tensor before = dynamic_cast<Rbm&>(*model).weights.clone();
  c.tensors["model.weights"] = at::ones({6, 4});
  c.tensors.erase("model.hidden_bias");
  std::map<std::string, Tensor> wanted;
  collect_tensors(*model, "model.", wanted);
  error_of(ErrorKind::data, [&] { copy_tensors(c, wanted, "memory"); });
  expect_bit_equal(dynamic_cast<Rbm&>(*model).weights, before, "weights");
}

// "expected [6, 4], got [6, 4]" would help nobody.
TEST_F(CheckpointFile, NamesTheTypeThatDoesNotFit) {
  Checkpoint c = trained();
  c.tensors["model.weights"] = c.tensors["model.weights"].to(at::kDouble);
  const std::string message = error_of(ErrorKind::data, [&] { load_model(c, "memory"); });
  EXPECT_TRUE(message.find("64") != std::string::npos || message.find("ouble") != std::string::npos)
      << message;
}

// The averages are what users get: they are checked as strictly as the model's own tensors, and all at once.
TEST_F(CheckpointFile, RefusesAveragesThatDoNotFit) {
  const Checkpoint c = trained({"training.average=0.9"});
  expect_says(refusal_of(c, [](SafeTensors& file) { file.tensors.erase("average.visible_bias"); }),
              {"average.visible_bias"});
  expect_says(
      refusal_of(c, [](SafeTensors& file) { file.tensors["average.other"] = make_array(DType::f32, {2}); }),
      {"average.other"});
  expect_says(refusal_of(c,
                         [](SafeTensors& file) {
                           file.tensors["average.weights"] = make_array(DType::f32, {4, 6});
                           file.tensors["average.hidden_bias"] = make_array(DType::f32, {5});
                         }),
              {"average.weights", "average.hidden_bias"});
  refusal_of(c, [](SafeTensors& file) { file.tensors["average.weights"] = make_array(DType::f64, {6, 4}); });
}

TEST_F(CheckpointFile, RefusesTensorsOfNoKnownKind) {
  expect_says(
      refusal_of(trained(),
                 [](SafeTensors& file) { file.tensors["modle.weights"] = make_array(DType::f32, {1}); }),
      {"modle.weights"});
}

TEST_F(CheckpointFile, RefusesModelsAndFormatsItDoesNotKnow) {
  const Checkpoint c = trained();
  expect_says(refusal_of(c, [](SafeTensors& file) { file.metadata["model"] = "rbmm"; }), {"rbmm"});
  expect_says(refusal_of(c, [](SafeTensors& file) { file.metadata["format_version"] = "2"; }),
              {"version", "2", "newer"});
  for (const char* wrong : {"0", "-1", "one", "", "1.5", "99999999999999999999", "null"}) {
    SCOPED_TRACE(wrong);
    refusal_of(c, [&](SafeTensors& file) { file.metadata["format_version"] = wrong; });
  }
}

TEST_F(CheckpointFile, RefusesMissingMetadata) {
  for (const char* key :
       {"format_version", "model", "options", "data", "stage", "step", "seed", "state", "commit"}) {
    SCOPED_TRACE(key);
    expect_says(refusal_of(trained(), [&](SafeTensors& file) { file.metadata.erase(key); }), {key});
  }
}

TEST_F(CheckpointFile, RefusesMalformedMetadata) {
  const std::vector<std::pair<std::string, std::string>> wrong = {
      {"options", "{"},
      {"options", "[1, 2]"},
      {"options", "{\"model\": 3}"},
      {"options", "{\"model\": {\"hiden\": 3}}"},
      {"options", "{\"model\": {\"hidden\": -3}}"},
      {"options", "{\"model\": {\"hidden\": [3]}}"},
      {"options", "{\"other\": {\"hidden\": 3}}"},
      {"data", ""},
      {"data", "{}"},
      {"data", "[]"},
      {"data", "7"},
      {"data", "{\"shape\": \"6\"}"},
      {"data", "{\"shape\": [-6]}"},
      {"data", "{\"shape\": [0]}"},
      {"data", "{\"shape\": [1000000000000000]}"},
      {"data", "{\"shape\": [4294967296, 4294967296]}"},
      {"data", "{\"shape\": [6], \"classes\": \"many\"}"},
      {"stage", "one"},
      {"step", "1e"},
      {"seed", "\"7\""},
      {"state", "}{"},
  };
  const Checkpoint c = trained();
  for (const auto& [key, text] : wrong) {
    SCOPED_TRACE(key + " = " + text);
    refusal_of(c, [&, k = key, t = text](SafeTensors& file) { file.metadata[k] = t; });
  }
}

// Resumes from a file with this metadata entry changed and leaves the process: 0 for a data error, as it
// should be.
[[noreturn]] void exit_after_resume(const std::string& path, const std::string& key,
                                    const std::string& text) {
  const Assignments all = {"model.hidden=4", "training.epochs=1", "training.batch=5"};
  const Dataset data = random_bits(23, 6);
  save_checkpoint(path, straight(all, data));
  SafeTensors file = read_safetensors(path);
  file.metadata[key] = text;
  write_safetensors(path, file);
  try {
    trainer_for(all, data, 7)->resume(load_checkpoint(path), path);
  } catch (const Error& error) {
    std::fputs(error.what(), stderr);
    std::_Exit(error.kind() == ErrorKind::data ? 0 : 4);
  } catch (const std::exception& error) {
    std::fputs(error.what(), stderr);
    std::_Exit(5);
  }
  std::fputs("nothing was thrown", stderr);
  std::_Exit(6);
}

// What only a resume looks at, in a process of its own, so that a crash is a failure like others.
TEST_F(CheckpointFile, RefusesToResumeFromMalformedPlaces) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const std::vector<std::pair<std::string, std::string>> wrong = {
      {"stage", "1"}, {"stage", "-1"}, {"step", "-1"}, {"state", "[]"}, {"state", "{\"best\": []}"}};
  for (const auto& place : wrong) {
    SCOPED_TRACE(place.first + " = " + place.second);
    EXPECT_EXIT(exit_after_resume(path, place.first, place.second), ::testing::ExitedWithCode(0), "");
  }
}

// Every tensor that a resume needs, listed at once, like those of the model.
TEST_F(CheckpointFile, ListsEveryTensorThatAResumeLacks) {
  const Assignments all = {"model.hidden=4", "training.epochs=2", "training.batch=5",
                           "training.optimiser=adam", "training.centring=false"};
  const Dataset data = random_bits(23, 6);
  Checkpoint c = straight(all, data);
  c.tensors.erase("optimiser.all.first.weights");
  c.tensors["optimiser.all.second.weights"] = at::zeros({4, 6});
  c.tensors["optimiser.all.second.hidden_bias"] = at::zeros({4}, at::kDouble);
  const std::string message =
      error_of(ErrorKind::data, [&] { trainer_for(all, data, 7)->resume(c, "memory"); });
  expect_says(message, {"optimiser.all.first.weights", "optimiser.all.second.weights",
                        "optimiser.all.second.hidden_bias"});
}

TEST_F(CheckpointFile, RefusesTruncatedFiles) {
  save_checkpoint(path, trained());
  const Bytes whole = read_raw_file(path);
  std::vector<std::size_t> sizes = {0, 1, 7, 8, 9, whole.size() - 1, whole.size() - 4, whole.size() / 2};
  for (std::size_t n = 10; n < whole.size(); n += 37) sizes.push_back(n);
  for (const std::size_t n : sizes) {
    SCOPED_TRACE(n);
    folder.write("model.safetensors", Bytes(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(n)));
    error_of(ErrorKind::data, [&] { load_checkpoint(path); });
  }
  Bytes longer = whole;
  longer.push_back(0);
  folder.write("model.safetensors", longer);
  error_of(ErrorKind::data, [&] { load_checkpoint(path); });
}

TEST_F(CheckpointFile, RefusesFilesThatAreNone) {
  error_of(ErrorKind::data, [&] { load_checkpoint(folder.path("absent")); });
  folder.write("model.safetensors", fixtures::text("not a checkpoint at all, but long enough for a header"));
  error_of(ErrorKind::data, [&] { load_checkpoint(path); });
  SafeTensors plain;
  plain.tensors["x"] = make_array(DType::f32, {2});
  write_safetensors(path, plain);
  expect_says(error_of(ErrorKind::data, [&] { load_checkpoint(path); }), {"no deepgen checkpoint"});
}

// What only a run that goes on has a use for is no part of the model.
TEST_F(CheckpointFile, OpensWhateverElseARunKeeps) {
  Checkpoint c = trained();
  for (const char* name :
       {"good.model.weights", "best.weights", "start.model.weights", "optimiser.x.first.w"})
    c.tensors[name] = at::full({2}, std::nanf(""));
  save_checkpoint(path, c);
  expect_bit_equal(dynamic_cast<Rbm&>(*load_model(load_checkpoint(path), path)).weights,
                   c.tensors.at("model.weights"), "weights");
}

// A failed write leaves the old file whole.
TEST_F(CheckpointFile, AFailedWriteKeepsTheOldFile) {
  const Checkpoint c = trained();
  save_checkpoint(path, c);
  const Bytes before = read_raw_file(path);
  Checkpoint odd = c;
  odd.tensors["model.weights"] =
      c.tensors.at("model.weights").to(at::kComplexFloat);  // a type the file lacks
  EXPECT_THROW(save_checkpoint(path, odd), Error);
  EXPECT_EQ(read_raw_file(path), before);
  EXPECT_EQ(folder.entries(), 1U);
}

// No tensor of a convolutional model need have as many numbers as a case has pixels.
TEST(ConvolutionalModels, ComeBackFromTheirFile) {
  RawSet raw;
  raw.name = "pictures", raw.values = ValueKind::binary, raw.case_shape = {1, 28, 28};
  raw.arrays = {{"train", runs::random_bytes(12, 784, 1, 1)}};
  const Dataset data = make_dataset(std::move(raw), {});
  const auto trainer = runs::trainer_for(
      {"training.epochs=1", "model.channels=4", "model.blocks=2", "model.head=4"}, data, 7, "pixelcnn");
  std::int64_t largest = 0;
  for (const auto& [name, tensor] : trainer->checkpoint().tensors)
    if (name.starts_with("model.")) largest = std::max(largest, tensor.numel());
  ASSERT_LT(largest, data.columns());
  const fixtures::Folder folder;
  const std::string path = folder.path("model.safetensors");
  save_checkpoint(path, trainer->checkpoint());
  const auto model = load_model(load_checkpoint(path), path);
  EXPECT_EQ(as<HasLogProb>(*model)->log_prob(Dataset::rows(data.train, 0, 2, Rng(1))).size(0), 2);
}

}  // namespace
}  // namespace deepgen::checkpoint_test
