// Whole training runs in memory: small sets, settings from text, and runs that are stopped and resumed.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "deepgen/data/dataset.h"
#include "deepgen/train/trainer.h"
#include "tests/core/file_fixtures.h"
#include "tests/library/machines.h"

namespace deepgen::runs {

using Assignments = std::vector<std::string>;

inline Settings settings_of(const Assignments& assignments, const std::string& model = "rbm") {
  Settings settings(model);
  for (const std::string& each : assignments) settings.set(each);
  return settings;
}

// Bytes in [0, most] with a share of exact zeros, so that columns differ.
inline Array random_bytes(std::int64_t rows, std::int64_t columns, std::uint64_t most, std::uint64_t seed) {
  Rng rng(seed);
  Array array = make_array(DType::u8, {rows, columns});
  for (std::size_t i = 0; i < array.bytes.size(); ++i)
    array.bytes[i] = static_cast<std::uint8_t>(rng.below(3) == 0 ? 0 : rng.below(most + 1));
  return array;
}

inline Dataset dataset_of(NamedArrays arrays, const std::string& binarize = "",
                          const std::string& values = "") {
  RawSet raw;
  raw.name = "memory";
  raw.arrays = std::move(arrays);
  if (!values.empty()) raw.values = value_kind(values, "the test");
  DataOptions options;
  options.binarize = binarize;
  return make_dataset(std::move(raw), options);
}

inline Dataset random_bits(std::int64_t rows, std::int64_t columns, std::uint64_t seed = 1) {
  return dataset_of(
      {{"train", random_bytes(rows, columns, 1, seed)}, {"valid", random_bytes(9, columns, 1, seed + 1)}});
}

inline std::unique_ptr<Trainer> trainer_for(const Assignments& assignments, const Dataset& data,
                                            std::uint64_t seed, const std::string& model = "rbm") {
  const Settings settings = settings_of(assignments, model);
  return std::make_unique<Trainer>(make_model(settings, data), data, settings_of(assignments, model), seed);
}

// Asks for a stop after `steps` steps; never when negative.
class StopAfter : public Observer {
 public:
  explicit StopAfter(std::int64_t steps = -1) : left_(steps) {}
  bool stop_requested() override { return left_ > 0 && --left_ == 0; }
  void metrics(const Metrics& metrics) override { curve.push_back(metrics); }
  std::vector<Metrics> curve;

 private:
  std::int64_t left_;
};

inline Checkpoint frozen(Checkpoint checkpoint) {
  for (auto& [name, tensor] : checkpoint.tensors) tensor = tensor.detach().clone();
  return checkpoint;
}

inline Checkpoint straight(const Assignments& assignments, const Dataset& data, std::uint64_t seed = 7,
                           const std::string& model = "rbm") {
  const auto trainer = trainer_for(assignments, data, seed, model);
  StopAfter never;
  EXPECT_FALSE(trainer->run(never).interrupted);
  return frozen(trainer->checkpoint());
}

// Through the file, as a user would; `stops`: how many steps each sitting takes, the last one going to the
// end.
inline Checkpoint in_sittings(const Assignments& assignments, const Dataset& data,
                              const std::vector<std::int64_t>& stops, std::uint64_t seed = 7,
                              const std::string& model = "rbm") {
  const fixtures::Folder folder;
  const std::string path = folder.path("model.safetensors");
  bool begun = false;
  for (std::size_t sitting = 0;; ++sitting) {
    const auto trainer = trainer_for(assignments, data, seed, model);
    if (begun) trainer->resume(load_checkpoint(path), path);
    trainer->save = [&](const Checkpoint& c, bool) { save_checkpoint(path, c); };
    StopAfter observer(sitting < stops.size() ? stops[sitting] : -1);
    if (!trainer->run(observer).interrupted) return frozen(trainer->checkpoint());
    begun = true;
  }
}

inline void expect_equal_runs(const Checkpoint& a, const Checkpoint& b, const std::string& what) {
  EXPECT_EQ(a.step, b.step) << what;
  EXPECT_EQ(a.stage, b.stage) << what;
  ASSERT_EQ(a.tensors.size(), b.tensors.size()) << what;
  for (const auto& [name, tensor] : a.tensors) {
    ASSERT_TRUE(b.tensors.contains(name)) << what << ": " << name;
    machines::expect_bit_equal(tensor, b.tensors.at(name), what + ": " + name);
  }
}

inline double metric(const Metrics& metrics, const std::string& name) {
  for (const auto& [key, value] : metrics)
    if (key == name) return value;
  ADD_FAILURE() << "no metric " << name;
  return 0;
}

}  // namespace deepgen::runs
