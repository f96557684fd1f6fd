// Hostile bytes for the csv reader.
#include "targets.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  deepgen::fuzz::csv({bytes, size});
  deepgen::fuzz::table({bytes, size});
  deepgen::fuzz::named_sequences({bytes, size});
  return 0;
}
