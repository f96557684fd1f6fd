// Hostile bytes for the safetensors reader.
#include "targets.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  deepgen::fuzz::safetensors({bytes, size});
  return 0;
}
