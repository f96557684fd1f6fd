// Hostile bytes for the png reader.
#include "targets.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  deepgen::fuzz::png({bytes, size});
  return 0;
}
