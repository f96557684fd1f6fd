// Hostile bytes for what a checkpoint says of its data.
#include "targets.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  deepgen::fuzz::data_description({bytes, size});
  return 0;
}
