// The fuzz targets in the fast suite: valid files, damaged where their structure is, for about a second a
// reader.
//
// The sequence of damages is fixed; DEEPGEN_FUZZ_SECONDS says for how long each reader is tried. Containers
// with checksums (gzip, zip, PNG) are also damaged inside and sealed again, or nothing behind a checksum
// would be reached.
#include <gtest/gtest.h>

#include <chrono>
#include <random>

#include "../fuzz/targets.h"
#include "deepgen/core/image.h"
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

Bytes zip_sealed(const Bytes& bytes) { return zip({stored("a.npy", bytes), compressed("b.npy", bytes)}); }

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

std::string npy_dictionary(const std::string& descr, const std::string& fortran, const std::string& shape) {
  return "{'descr': '" + descr + "', 'fortran_order': " + fortran + ", 'shape': " + shape + ", }";
}

std::vector<Bytes> npy_seeds() {
  return {fixtures::npy(npy_dictionary("<f4", "False", "(2, 3)"), repeated(24, 1)),
          fixtures::npy(npy_dictionary(">i2", "True", "(2, 3, 1)"), repeated(12, 2), 2),
          fixtures::npy(npy_dictionary("<u8", "False", "(3,)"), repeated(24, 3), 3),
          fixtures::npy(npy_dictionary("|b1", "False", "()"), {1})};
}

TEST(FuzzFiles, Idx) {
  const std::vector<Bytes> seeds = {{0, 0, 8, 2, 0, 0, 0, 2, 0, 0, 0, 3, 1, 2, 3, 4, 5, 6},
                                    join({{0, 0, 0x0e, 1, 0, 0, 0, 2}, repeated(16, 9)}),
                                    join({{0, 0, 0x0b, 3}, repeated(12, 0)}),
                                    gzip(Bytes{0, 0, 8, 1, 0, 0, 0, 2, 1, 2})};
  fuzz_for(seeds, fuzz::idx, {as_it_is, [](const Bytes& bytes) { return gzip(bytes); }});
}

TEST(FuzzFiles, Npy) { fuzz_for(npy_seeds(), fuzz::npy, {as_it_is}); }

TEST(FuzzFiles, NpzMembers) { fuzz_for(npy_seeds(), fuzz::npz, {zip_sealed}); }

TEST(FuzzFiles, NpzArchive) {
  std::vector<Bytes> seeds;
  for (const Bytes& seed : npy_seeds()) seeds.push_back(zip_sealed(seed));
  seeds.push_back(encode_npz({{"x", make_array(DType::f32, {4, 4})}, {"y", make_array(DType::u8, {0})}}));
  fuzz_for(seeds, fuzz::npz, {as_it_is});
}

TEST(FuzzFiles, LabelsAndLengths) {
  std::vector<Bytes> seeds = npy_seeds();
  seeds.push_back(fixtures::npy(npy_dictionary("<i4", "False", "(3,)"),
                                join({little(4, 4), little(1, 4), little(7, 4)})));
  seeds.push_back(fixtures::npy(npy_dictionary("<f8", "False", "(2,)"), repeated(16, 0)));
  seeds.push_back(fixtures::npy(npy_dictionary("|i1", "False", "(4,)"), {255, 1, 2, 1}));
  fuzz_for(seeds, fuzz::beside_rows, {zip_sealed});
}

TEST(FuzzFiles, NamedSequences) {
  const std::vector<Bytes> seeds = {text("id,a\nx,1\nx,2\ny,3\n"), text("1;2\n1;3\n2;4\n"),
                                    text("\"a b\"\tq\na b\tq\n c\tq\n")};
  fuzz_for(seeds, fuzz::named_sequences, {as_it_is});
}

TEST(FuzzFiles, DataDescriptions) {
  const std::vector<Bytes> seeds = {
      text(R"({"shape":[1,4,3],"values":"grey","classes":3})"),
      text(R"({"shape":[6],"values":"mixed","groups":[["binary",0,2],["softmax",2,4]],)"
           R"("table":[{"name":"a","kind":"real","mean":1,"deviation":2,"decimals":1,)"
           R"("range":[0,3],"missing":0}]})"),
      text(R"([{"name":"a","kind":"binary","values":["n","y"]},{"name":"b","kind":"sequence"}])")};
  fuzz_for(seeds, fuzz::data_description, {as_it_is});
}

TEST(FuzzFiles, Csv) {
  const std::vector<Bytes> seeds = {text("a,b,c\n1,2.5,-3e4\n,NA,nan\n"),
                                    text("\"x \"\"y\"\"\";z\r\n1;2\r\n\r\n"),
                                    text("\xef\xbb\xbf"
                                         "1\t2\r3\t+4\r"),
                                    text("7\n\n8\n")};
  fuzz_for(seeds, fuzz::csv, {as_it_is});
}

TEST(FuzzFiles, Tables) {
  const std::vector<Bytes> seeds = {text("own,\"a, b\",n\nno,x,1\nyes,\"y\"\"\",2\nno,x,7\n,,\n"),
                                    text("1.5;Lyon\r\n-2;Malm\xc3\xb6\r\n7e3;Lyon\r\n?;\"\nq\"\r\n"),
                                    text("7\nx\n\nx\n")};
  fuzz_for(seeds, fuzz::table, {as_it_is});
}

TEST(FuzzFiles, Png) {
  const Bytes colours =
      join({png_chunk("gAMA", big(45455, 4)), png_chunk("PLTE", {9, 8, 7, 1, 2, 3}), png_chunk("tRNS", {0}),
            png_chunk("zTXt", join({text("k"), {0, 0}, deflated(text("v"), 15)}))});
  const std::vector<Bytes> seeds = {fixtures::png(3, 2, 8, 0, {0, 1, 2, 3, 1, 4, 5, 6}),
                                    fixtures::png(2, 1, 16, 6, join({{4}, repeated(16, 77)})),
                                    fixtures::png(2, 2, 8, 3, {0, 1, 0, 2, 0, 1}, colours),
                                    encode_png({4, 4, 3, Bytes(48, 200)})};
  fuzz_for(seeds, fuzz::png, {as_it_is, png_sealed});
}

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
  SafeTensors content;
  content.metadata = {{"format", "1"}, {"seed", "7"}};
  content.tensors = {{"w", make_array(DType::f32, {2, 3})}, {"b", make_array(DType::u8, {5})}};
  const std::string scalar = R"({"s":{"dtype":"F64","shape":[],"data_offsets":[0,8]},"__metadata__":null})";
  const std::vector<Bytes> seeds = {encode_safetensors(content), encode_safetensors({}),
                                    join({little(scalar.size(), 8), text(scalar), repeated(8, 1)})};
  fuzz_for(seeds, fuzz::safetensors, {as_it_is, safetensors_sealed});
}

}  // namespace
}  // namespace deepgen::fuzz_test
