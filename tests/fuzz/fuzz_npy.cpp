// Hostile bytes for the npy reader.
#include "targets.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  deepgen::fuzz::npy({bytes, size});
  return 0;
}
