// The files of a run's folder when a write does not come to its end.
#include "deepgen/runs/run_folder.h"

#include <filesystem>

#include "tests/library/runs.h"

namespace deepgen::run_folder_test {
namespace {

using namespace machines;
using namespace runs;

// The place from which a run goes on is given up only when a newer one is on the disk.
TEST(RunFolderFiles, TheLatestStateStaysUntilTheBestIsWritten) {
  const fixtures::Folder place;
  const RunFolder folder = RunFolder::create(place.path("run"), false, false);
  folder.begin(false);
  Checkpoint checkpoint = straight({"training.epochs=1", "model.hidden=3"}, random_bits(20, 4));
  folder.write_checkpoint(checkpoint, true);
  EXPECT_FALSE(folder.has("latest.safetensors"));
  checkpoint.state["best"] = 1.0;  // a better one is kept as a file
  folder.write_checkpoint(checkpoint, false);
  ASSERT_TRUE(folder.has("latest.safetensors"));

  const std::filesystem::path model = folder.path("model.safetensors");
  std::filesystem::remove(model);
  std::filesystem::create_directories(model / "in the way");  // nothing can take this name
  EXPECT_ANY_THROW(folder.write_checkpoint(checkpoint, true));
  EXPECT_TRUE(folder.has("latest.safetensors"));

  std::filesystem::remove_all(model);
  folder.write_checkpoint(checkpoint, true);
  EXPECT_TRUE(folder.has("model.safetensors"));
  EXPECT_FALSE(folder.has("latest.safetensors")) << "older than the best, it would lead back";
}

}  // namespace
}  // namespace deepgen::run_folder_test
