// Hostile bytes for the idx reader.
#include "targets.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  deepgen::fuzz::idx({bytes, size});
  return 0;
}
