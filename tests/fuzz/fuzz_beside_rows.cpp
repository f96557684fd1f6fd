// Hostile bytes for the arrays beside the rows of an archive: lengths of sequences, and labels.
#include "targets.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  deepgen::fuzz::beside_rows({bytes, size});
  return 0;
}
