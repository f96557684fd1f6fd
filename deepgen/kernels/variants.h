// The implementations that dispatch.cpp chooses from; the vector ones may be called only where the processor
// has their instructions.
#pragma once

#include "deepgen/kernels/kernels.h"

namespace deepgen {

extern const KernelTable reference_kernels;
extern const KernelTable avx2_kernels;
extern const KernelTable avx512_kernels;

}  // namespace deepgen
