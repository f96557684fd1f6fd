// Hostile bytes for recipes and the settings in them.
#include "targets.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  deepgen::fuzz::recipe({bytes, size});
  return 0;
}
