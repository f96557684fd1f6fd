// Recorded motion: the columns that vary, and the lengths of the sequences.
#include "deepgen/data/files/motion.h"

#include "deepgen/data/files/npz.h"
#include "tests/core/file_fixtures.h"

namespace deepgen::motion_test {
namespace {

using fixtures::array;

const Array frames = array<float>(DType::f32, {3, 4}, {0, 1, 2, 3, 10, 11, 12, 13, 20, 21, 22, 23});
const Array lengths = array<std::int32_t>(DType::i32, {2}, {2, 1});

Array columns(const std::vector<std::int32_t>& values) {
  return array<std::int32_t>(DType::i32, {static_cast<std::int64_t>(values.size())}, values);
}

TEST(Motion, HasTheColumnsThatVary) {
  const fixtures::Folder folder;
  const std::string path = folder.path("motion.npz");
  write_npz(path, {{"frames", frames}, {"lengths", lengths}, {"columns49", columns({3, 0})}});
  const NamedArrays read = read_motion(path);
  ASSERT_EQ(read.size(), 2U);
  const Array &train = read.at("train"), &of = read.at("train_lengths");
  EXPECT_EQ(train.shape, (std::vector<std::int64_t>{3, 2}));
  EXPECT_EQ(std::vector<float>(train.as<float>(), train.as<float>() + 6),
            (std::vector<float>{3, 0, 13, 10, 23, 20}));
  EXPECT_EQ(of.bytes, lengths.bytes);
}

TEST(Motion, OfAnotherFormIsRefused) {
  const fixtures::Folder folder;
  const std::string path = folder.path("motion.npz");
  const auto refused = [&](const NamedArrays& arrays) {
    write_npz(path, arrays);
    try {
      read_motion(path);
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::data) << error.what();
      return std::string(error.what());
    }
    ADD_FAILURE() << "no error";
    return std::string();
  };
  EXPECT_NE(refused({{"frames", frames}, {"lengths", lengths}}).find("columns49"), std::string::npos);
  for (const std::int32_t wrong : {-1, 4})
    EXPECT_NE(refused({{"frames", frames}, {"lengths", lengths}, {"columns49", columns({0, wrong})}})
                  .find("got " + std::to_string(wrong)),
              std::string::npos);
  EXPECT_NE(refused({{"frames", lengths}, {"lengths", lengths}, {"columns49", columns({0})}}).find("int32"),
            std::string::npos);
}

}  // namespace
}  // namespace deepgen::motion_test
