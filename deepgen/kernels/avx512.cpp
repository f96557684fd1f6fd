// The kernels in avx512 instructions. The build gives the flags for them to this file alone.
//
// GCC 12 takes the deliberately undefined operands inside its own intrinsics for mistakes.
#ifndef __clang__
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#endif
#include "deepgen/kernels/lanes_avx512.h"  // first: the others use its names
#include "deepgen/kernels/variants.h"
#include "deepgen/kernels/vector_kernels.inl"

namespace deepgen {

const KernelTable avx512_kernels = {"avx512",        binary_layer, normal_layer,       rectified_layer,
                                    softmax_layer,   anneal_layer, softplus_sum,       softplus_sum64,
                                    gather_bytes,    sgd_pass,     adam_pass,          column_sums,
                                    bernoulli_score, activation,   activation_gradient};

const ColumnPasses avx512_column_passes = {nade_forward, nade_carry, nade_weights, prefix_dots};

const SparsePasses avx512_sparse_passes = {list_nonzeros, sparse_product, pack_transposed};

}  // namespace deepgen
