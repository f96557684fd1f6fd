// Hostile bytes for the npz reader.
#include "targets.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  deepgen::fuzz::npz({bytes, size});
  return 0;
}
