// The fuzz targets in the fast suite: valid files, damaged where their structure is, for about a second a
// reader.
//
// The sequence of damages is fixed; DEEPGEN_FUZZ_SECONDS says for how long each reader is tried. Containers
// with checksums (gzip, zip, PNG) are also damaged inside and sealed again, or nothing behind a checksum
// would be reached.
#include <gtest/gtest.h>

#include <chrono>
#include <random>
#include <set>

#include "../fuzz/seeds.h"
#include "../fuzz/targets.h"
#include "file_fixtures.h"

namespace deepgen::fuzz_test {
namespace {

using namespace fixtures;

using Target = void (*)(ByteView);
using Seal = Bytes (*)(const Bytes&);

class Mutator {
 public:
  explicit Mutator(std::vector<Bytes> seeds) : seeds_(std::move(seeds)) {}

  Bytes next() {
    Bytes bytes = pick(seeds_);
    for (std::size_t i = 1 + below(3); i > 0; --i) damage(bytes);
    return bytes;
  }

 private:
  std::size_t below(std::size_t count) { return count < 2 ? 0 : static_cast<std::size_t>(random_() % count); }
  template <class T>
  const T& pick(const std::vector<T>& all) {
    return all[below(all.size())];
  }

  void damage(Bytes& bytes) {
    const std::size_t at = below(bytes.size() + 1);
    const auto place = bytes.begin() + static_cast<std::ptrdiff_t>(at);
    switch (below(7)) {
      case 0:
        bytes.erase(place, bytes.end());
        break;
      case 1:
        splice(bytes, at);
        break;
      case 2:
        write_number(bytes, at);
        break;
      case 3:
        bytes.insert(place, static_cast<std::uint8_t>(below(256)));
        break;
      case 4:
        bytes.erase(place, place + static_cast<std::ptrdiff_t>(
                                       below(std::min<std::size_t>(9, bytes.size() - at + 1))));
        break;
      case 5:
        digit(bytes, at);
        break;
      default:
        if (at < bytes.size()) bytes[at] ^= static_cast<std::uint8_t>(1U << below(8));
    }
  }

  // A piece of another seed, over or between what is there.
  void splice(Bytes& bytes, std::size_t at) {
    const Bytes& other = pick(seeds_);
    const std::size_t begin = below(other.size() + 1);
    const std::size_t count = below(std::min<std::size_t>(65, other.size() - begin + 1));
    const auto place = bytes.begin() + static_cast<std::ptrdiff_t>(at);
    if (below(2)) bytes.erase(place, place + static_cast<std::ptrdiff_t>(std::min(count, bytes.size() - at)));
    bytes.insert(bytes.begin() + static_cast<std::ptrdiff_t>(at),
                 other.begin() + static_cast<std::ptrdiff_t>(begin),
                 other.begin() + static_cast<std::ptrdiff_t>(begin + count));
  }

  // A number that lengths and counts are likely to be wrong at, in either byte order.
  void write_number(Bytes& bytes, std::size_t at) {
    static const std::vector<std::uint64_t> numbers = {0,
                                                       1,
                                                       2,
                                                       0x7f,
                                                       0x80,
                                                       0xff,
                                                       0x100,
                                                       0x7fff,
                                                       0x8000,
                                                       0xffff,
                                                       0x10000,
                                                       0x7fffffff,
                                                       0x80000000,
                                                       0xffffffff,
                                                       std::uint64_t{1} << 32,
                                                       std::uint64_t{1} << 40,
                                                       ~std::uint64_t{0} >> 1,
                                                       std::uint64_t{1} << 63,
                                                       ~std::uint64_t{0}};
    const int width = 1 << below(4);
    const Bytes number = below(2) ? big(pick(numbers), width) : little(pick(numbers), width);
    for (std::size_t i = 0; i < number.size() && at + i < bytes.size(); ++i) bytes[at + i] = number[i];
  }

  // A number in text: the next digit becomes a long one or a sign.
  void digit(Bytes& bytes, std::size_t at) {
    static const std::vector<std::string> texts = {
        "-1", "0",   "1e9", "1e999", "4294967296", "9223372036854775807", "18446744073709551616",
        "",   "0.5", "nan"};
    while (at < bytes.size() && (bytes[at] < '0' || bytes[at] > '9')) ++at;
    if (at == bytes.size()) return;
    const std::string& number = pick(texts);
    bytes.erase(bytes.begin() + static_cast<std::ptrdiff_t>(at));
    bytes.insert(bytes.begin() + static_cast<std::ptrdiff_t>(at), number.begin(), number.end());
  }

  std::vector<Bytes> seeds_;
  std::mt19937_64 random_{20240229};  // any fixed number
};

Bytes as_it_is(const Bytes& bytes) { return bytes; }

// The checksums of a PNG's chunks, as far as its lengths can be followed.
Bytes png_sealed(const Bytes& bytes) {
  Bytes sealed = bytes;
  std::size_t at = 8;
  while (at + 12 <= sealed.size()) {
    std::size_t length = 0;
    for (std::size_t i = 0; i < 4; ++i) length = length << 8 | sealed[at + i];
    if (length > sealed.size() - at - 12) break;
    const Bytes sum = big(crc(ByteView(sealed).subspan(at + 4, length + 4)), 4);
    std::copy(sum.begin(), sum.end(), sealed.begin() + static_cast<std::ptrdiff_t>(at + 8 + length));
    at += 12 + length;
  }
  return sealed;
}

void fuzz_for(const std::vector<Bytes>& seeds, Target target, const std::vector<Seal>& seals) {
  const char* given = std::getenv("DEEPGEN_FUZZ_SECONDS");
  const std::chrono::duration<double> limit(given ? std::atof(given) : 1.0);
  const auto start = std::chrono::steady_clock::now();
  Mutator mutator(seeds);
  std::size_t tries = 0;
  while (std::chrono::steady_clock::now() - start < limit) {
    const Bytes bytes = mutator.next();
    for (const Seal seal : seals) target(seal(bytes));
    ++tries;
  }
  EXPECT_GT(tries, 100U);
}

TEST(FuzzFiles, Idx) {
  fuzz_for(fuzz::idx_seeds(), fuzz::idx, {as_it_is, [](const Bytes& bytes) { return gzip(bytes); }});
}

TEST(FuzzFiles, Npy) { fuzz_for(fuzz::npy_seeds(), fuzz::npy, {as_it_is}); }

TEST(FuzzFiles, NpzMembers) { fuzz_for(fuzz::npy_seeds(), fuzz::npz, {fuzz::zip_sealed}); }

TEST(FuzzFiles, NpzArchive) { fuzz_for(fuzz::npz_seeds(), fuzz::npz, {as_it_is}); }

TEST(FuzzFiles, LabelsAndLengths) { fuzz_for(fuzz::label_seeds(), fuzz::beside_rows, {fuzz::zip_sealed}); }

TEST(FuzzFiles, NamedSequences) { fuzz_for(fuzz::sequence_seeds(), fuzz::named_sequences, {as_it_is}); }

TEST(FuzzFiles, DataDescriptions) { fuzz_for(fuzz::description_seeds(), fuzz::data_description, {as_it_is}); }

TEST(FuzzFiles, Csv) { fuzz_for(fuzz::csv_seeds(), fuzz::csv, {as_it_is}); }

TEST(FuzzFiles, Tables) { fuzz_for(fuzz::table_seeds(), fuzz::table, {as_it_is}); }

TEST(FuzzFiles, TablesBySchema) { fuzz_for(fuzz::schema_seeds(), fuzz::table_by_schema, {as_it_is}); }

TEST(FuzzFiles, Recipes) { fuzz_for(fuzz::recipe_seeds(), fuzz::recipe, {as_it_is}); }

TEST(FuzzFiles, Png) { fuzz_for(fuzz::png_seeds(), fuzz::png, {as_it_is, png_sealed}); }

// A damaged header behind a length that fits it.
Bytes safetensors_sealed(const Bytes& bytes) {
  const std::size_t end =
      static_cast<std::size_t>(std::find(bytes.rbegin(), bytes.rend(), '}').base() - bytes.begin());
  if (end < 8) return bytes;
  Bytes sealed = bytes;
  const Bytes length = little(end - 8, 8);
  std::copy(length.begin(), length.end(), sealed.begin());
  return sealed;
}

TEST(FuzzFiles, SafeTensors) {
  fuzz_for(fuzz::safetensors_seeds(), fuzz::safetensors, {as_it_is, safetensors_sealed});
}

// What the fuzzers begin with is read in full: a seed that is refused would lead them nowhere.
TEST(FuzzSeeds, AreValidFiles) {
  const auto each = [](const fuzz::Seeds& seeds, const std::function<void(const Bytes&)>& read) {
    for (std::size_t i = 0; i < seeds.size(); ++i) {
      SCOPED_TRACE(i);
      EXPECT_NO_THROW(read(seeds[i]));
    }
  };
  const auto characters = [](const Bytes& bytes) { return std::string(bytes.begin(), bytes.end()); };
  each(fuzz::idx_seeds(), [](const Bytes& bytes) { parse_idx("seed", bytes); });
  each(fuzz::npy_seeds(), [](const Bytes& bytes) { parse_npy("seed", bytes); });
  each(fuzz::npz_seeds(), [](const Bytes& bytes) { list_npz("seed", bytes); });
  each(fuzz::png_seeds(), [](const Bytes& bytes) { parse_png("seed", bytes); });
  each(fuzz::safetensors_seeds(), [](const Bytes& bytes) { parse_safetensors("seed", bytes); });
  each(fuzz::csv_seeds(), [&](const Bytes& bytes) { parse_csv("seed", characters(bytes)); });
  each(fuzz::table_seeds(), [&](const Bytes& bytes) { parse_csv_cells("seed", characters(bytes)); });
  each(fuzz::recipe_seeds(), [&](const Bytes& bytes) {
    const Recipe recipe = parse_recipe("seed.toml", characters(bytes));
    Settings(recipe.model).set_all(recipe.settings);
  });
  each(fuzz::schema_seeds(), [&](const Bytes& bytes) {
    const std::string text = characters(bytes);
    TableSchema::from_json(nlohmann::ordered_json::parse(text.substr(0, text.find('\n'))), "seed");
  });
}

// A fuzzer without seeds, or seeds without a fuzzer, would go unseen.
TEST(FuzzSeeds, EveryFuzzerHasSome) {
  std::set<std::string> fuzzers, seeded;
  for (const auto& entry : std::filesystem::directory_iterator(std::string(DEEPGEN_SOURCE) + "/tests/fuzz"))
    if (entry.path().filename().string().starts_with("fuzz_") && entry.path().extension() == ".cpp")
      fuzzers.insert(entry.path().stem().string());
  for (const auto& [fuzzer, seeds] : fuzz::all_seeds())
    if (!seeds.empty()) seeded.insert(fuzzer);
  EXPECT_EQ(fuzzers, seeded);
}

}  // namespace
}  // namespace deepgen::fuzz_test
