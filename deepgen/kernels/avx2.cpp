// The kernels in avx2 instructions. The build gives the flags for them to this file alone.
#include "deepgen/kernels/lanes_avx2.h"  // first: the others use its names
#include "deepgen/kernels/variants.h"
#include "deepgen/kernels/vector_kernels.inl"

namespace deepgen {

const KernelTable avx2_kernels = {"avx2",          binary_layer, normal_layer,       rectified_layer,
                                  softmax_layer,   anneal_layer, softplus_sum,       softplus_sum64,
                                  gather_bytes,    sgd_pass,     adam_pass,          column_sums,
                                  bernoulli_score, activation,   activation_gradient};

const ColumnPasses avx2_column_passes = {nade_forward, nade_carry, nade_weights, prefix_dots};

const SparsePasses avx2_sparse_passes = {list_nonzeros, sparse_product, pack_transposed};

}  // namespace deepgen
