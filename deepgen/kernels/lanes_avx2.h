// Eight floats, four doubles or four 64-bit words at a time. Include it from avx2.cpp alone.
//
// The same names as in lanes_avx512.h, where they are explained.
#pragma once

#include <immintrin.h>

#include <cstdint>

namespace deepgen {
namespace {

constexpr int width = 8;
using Float = __m256;
using Double = __m256d;
using Words = __m256i;

inline __m256i first_lanes(int count) {
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(count), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
inline __m256i first_double_lanes(int count) {
  return _mm256_cmpgt_epi64(_mm256_set1_epi64x(count), _mm256_setr_epi64x(0, 1, 2, 3));
}

inline Float all(float x) { return _mm256_set1_ps(x); }
inline Double all(double x) { return _mm256_set1_pd(x); }
inline Float load(const float* from) { return _mm256_loadu_ps(from); }
inline Double load(const double* from) { return _mm256_loadu_pd(from); }
inline void store(float* to, Float x) { _mm256_storeu_ps(to, x); }

inline Float load_some(const float* from, int count) { return _mm256_maskload_ps(from, first_lanes(count)); }
inline Double load_some(const double* from, int count, double fill) {
  const __m256i mask = first_double_lanes(count);
  return _mm256_blendv_pd(all(fill), _mm256_maskload_pd(from, mask), _mm256_castsi256_pd(mask));
}
inline void store_some(float* to, Float x, int count) { _mm256_maskstore_ps(to, first_lanes(count), x); }
inline Float keep_some(Float x, int count) {
  return _mm256_and_ps(x, _mm256_castsi256_ps(first_lanes(count)));
}

inline Float keep_some(Float x, int count, Float fill) {
  return _mm256_blendv_ps(fill, x, _mm256_castsi256_ps(first_lanes(count)));
}

inline Float load_bytes(const std::uint8_t* from) {
  const __m128i bytes = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(from));
  return _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(bytes));
}
inline Float load_some_bytes(const std::uint8_t* from, int count) {
  alignas(8) std::uint8_t bytes[8] = {};
  for (int i = 0; i < count && i < 8; ++i) bytes[i] = from[i];
  return load_bytes(bytes);
}

inline Float fused(Float a, Float b, Float c) { return _mm256_fmadd_ps(a, b, c); }
inline Double fused(Double a, Double b, Double c) { return _mm256_fmadd_pd(a, b, c); }
inline Float root(Float x) { return _mm256_sqrt_ps(x); }
inline Float magnitude(Float x) { return _mm256_andnot_ps(all(-0.0F), x); }
inline Double magnitude(Double x) { return _mm256_andnot_pd(all(-0.0), x); }

inline Float at_least(Float bound, Float x) { return _mm256_max_ps(bound, x); }
inline Double at_least(Double bound, Double x) { return _mm256_max_pd(bound, x); }

inline Float where_less(Float a, Float b, Float yes, Float no) {
  return _mm256_blendv_ps(no, yes, _mm256_cmp_ps(a, b, _CMP_LT_OQ));
}
inline Float zero_where_less(Float a, Float b, Float no) {
  return _mm256_andnot_ps(_mm256_cmp_ps(a, b, _CMP_LT_OQ), no);
}
// For each set of lanes, their numbers in rising order.
struct LaneOrders {
  std::uint8_t of[256][8] = {};
  constexpr LaneOrders() {
    for (int lanes = 0; lanes < 256; ++lanes)
      for (int lane = 0, count = 0; lane < 8; ++lane)
        if (lanes >> lane & 1) of[lanes][count++] = static_cast<std::uint8_t>(lane);
  }
};
constexpr LaneOrders lane_orders;

inline int append_nonzero(Float x, std::int32_t first, std::int32_t* place, float* value, bool& ones) {
  const __m256 nonzero = _mm256_cmp_ps(x, _mm256_setzero_ps(), _CMP_NEQ_UQ);
  const __m256 other = _mm256_and_ps(nonzero, _mm256_cmp_ps(x, _mm256_set1_ps(1), _CMP_NEQ_UQ));
  const auto lanes = static_cast<unsigned>(_mm256_movemask_ps(nonzero));
  const auto* order = reinterpret_cast<const __m128i*>(lane_orders.of[lanes]);
  const __m256i from = _mm256_cvtepu8_epi32(_mm_loadl_epi64(order));
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(place), _mm256_add_epi32(from, _mm256_set1_epi32(first)));
  _mm256_storeu_ps(value, _mm256_permutevar8x32_ps(x, from));
  ones &= _mm256_movemask_ps(other) == 0;
  return __builtin_popcount(lanes);
}
inline Float one_where_less(Float a, Float b) {
  return _mm256_and_ps(_mm256_cmp_ps(a, b, _CMP_LT_OQ), all(1.0F));
}

inline Float nearest(Float x) { return _mm256_round_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
inline Double nearest(Double x) { return _mm256_round_pd(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
// Added to the exponent bits, so the result must be a normal number; a NaN stays one, as it is not the last
// step (n is then the smallest integer, whose low bits are zero).
inline Float times_two_to(Float x, Float n) {
  const __m256i power = _mm256_slli_epi32(_mm256_cvtps_epi32(n), 23);
  return _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(x), power));
}
inline Double times_two_to(Double x, Double n) {
  const __m256i power = _mm256_slli_epi64(_mm256_cvtepi32_epi64(_mm256_cvtpd_epi32(n)), 52);
  return _mm256_castsi256_pd(_mm256_add_epi64(_mm256_castpd_si256(x), power));
}

inline Float split_power(Float x, Float& n) {
  const __m256i root_half = _mm256_castps_si256(all(0.70710678F));
  const __m256i bits = _mm256_sub_epi32(_mm256_castps_si256(x), root_half);
  n = _mm256_cvtepi32_ps(_mm256_srai_epi32(bits, 23));
  const __m256i mantissa = _mm256_and_si256(bits, _mm256_set1_epi32(0x7FFFFF));
  return _mm256_castsi256_ps(_mm256_add_epi32(mantissa, root_half));
}
inline void add_quarter_turns(Float quarters, Float& sine, Float& cosine) {
  const __m256i k = _mm256_cvtps_epi32(quarters), two = _mm256_set1_epi32(2);
  const Float odd = _mm256_castsi256_ps(_mm256_slli_epi32(k, 31));  // the blend reads the sign alone
  const __m256i sign_of_sine = _mm256_slli_epi32(_mm256_and_si256(k, two), 30);
  const __m256i next = _mm256_add_epi32(k, _mm256_set1_epi32(1));
  const __m256i sign_of_cosine = _mm256_slli_epi32(_mm256_and_si256(next, two), 30);
  const Float s = _mm256_blendv_ps(sine, cosine, odd), c = _mm256_blendv_ps(cosine, sine, odd);
  sine = _mm256_xor_ps(s, _mm256_castsi256_ps(sign_of_sine));
  cosine = _mm256_xor_ps(c, _mm256_castsi256_ps(sign_of_cosine));
}

inline Words load_numbers(const std::int32_t* from) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
}
inline Words lanes_before(int distance) {
  return _mm256_sub_epi32(_mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7), _mm256_set1_epi32(distance));
}
inline Float permute(Float x, Words from) { return _mm256_permutevar8x32_ps(x, from); }
inline Float earlier_or_zero(Float x, Words first, int distance) {
  const Words from = lanes_before(distance);
  return _mm256_andnot_ps(_mm256_castsi256_ps(_mm256_cmpgt_epi32(first, from)), permute(x, from));
}
inline Float earlier_or_first(Float x, Words first, int distance) {
  return permute(x, _mm256_max_epi32(lanes_before(distance), first));
}
inline float largest_of_lanes(Float x) {
  __m128 y = _mm_max_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
  y = _mm_max_ps(y, _mm_movehl_ps(y, y));
  return _mm_cvtss_f32(_mm_max_ss(y, _mm_shuffle_ps(y, y, 1)));
}

inline Double lower_half(Float x) { return _mm256_cvtps_pd(_mm256_castps256_ps128(x)); }
inline Double upper_half(Float x) { return _mm256_cvtps_pd(_mm256_extractf128_ps(x, 1)); }
inline Float join(Double lower, Double upper) {
  return _mm256_set_m128(_mm256_cvtpd_ps(upper), _mm256_cvtpd_ps(lower));
}
inline double sum_of_lanes(Double x) { return (x[0] + x[1]) + (x[2] + x[3]); }
inline double product_of_lanes(Double x) { return (x[0] * x[1]) * (x[2] * x[3]); }

inline Words all_words(std::uint64_t x) { return _mm256_set1_epi64x(static_cast<long long>(x)); }
inline Words even_numbers() { return _mm256_setr_epi64x(0, 2, 4, 6); }
inline Words multiply_lower(Words a, Words b) { return _mm256_mul_epu32(a, b); }
inline Words upper_bits(Words x) { return _mm256_srli_epi64(x, 32); }
inline Words exclusive_or(Words a, Words b, Words c) { return a ^ b ^ c; }
inline Float unit_floats(Words even, Words odd) {
  const Words both = _mm256_blend_epi32(even, _mm256_slli_epi64(odd, 32), 0xAA);
  return _mm256_cvtepi32_ps(_mm256_srli_epi32(both, 8)) * all(0x1p-24F);
}

}  // namespace
}  // namespace deepgen
