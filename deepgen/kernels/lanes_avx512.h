// Sixteen floats, eight doubles or eight 64-bit words at a time. Include it from avx512.cpp alone.
//
// + - * / and ^ on these types are the compiler's; here is what has no operator.
#pragma once

#include <immintrin.h>

#include <cstdint>

namespace deepgen {
namespace {

constexpr int width = 16;  // floats in a vector
using Float = __m512;
using Double = __m512d;
using Words = __m512i;

inline __mmask16 first_lanes(int count) {
  return static_cast<__mmask16>(count >= 16 ? 0xFFFFU : (1U << static_cast<unsigned>(count)) - 1U);
}
inline __mmask8 first_double_lanes(int count) {
  return static_cast<__mmask8>(count >= 8 ? 0xFFU : (1U << static_cast<unsigned>(count)) - 1U);
}

inline Float all(float x) { return _mm512_set1_ps(x); }
inline Double all(double x) { return _mm512_set1_pd(x); }
inline Float load(const float* from) { return _mm512_loadu_ps(from); }
inline Double load(const double* from) { return _mm512_loadu_pd(from); }
inline void store(float* to, Float x) { _mm512_storeu_ps(to, x); }

// The first `count` lanes; the others are zero, or `fill`, and memory beyond them is not touched.
inline Float load_some(const float* from, int count) {
  return _mm512_maskz_loadu_ps(first_lanes(count), from);
}
inline Double load_some(const double* from, int count, double fill) {
  return _mm512_mask_loadu_pd(all(fill), first_double_lanes(count), from);
}
inline void store_some(float* to, Float x, int count) { _mm512_mask_storeu_ps(to, first_lanes(count), x); }
inline Float keep_some(Float x, int count) { return _mm512_maskz_mov_ps(first_lanes(count), x); }

inline Float keep_some(Float x, int count, Float fill) {
  return _mm512_mask_mov_ps(fill, first_lanes(count), x);
}

inline Float floats_of(__m128i bytes) { return _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(bytes)); }
inline Float load_bytes(const std::uint8_t* from) {
  return floats_of(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from)));
}
inline Float load_some_bytes(const std::uint8_t* from, int count) {
  return floats_of(_mm_maskz_loadu_epi8(first_lanes(count), from));
}

inline Float fused(Float a, Float b, Float c) { return _mm512_fmadd_ps(a, b, c); }
inline Double fused(Double a, Double b, Double c) { return _mm512_fmadd_pd(a, b, c); }
inline Float root(Float x) { return _mm512_sqrt_ps(x); }
inline Float magnitude(Float x) { return _mm512_abs_ps(x); }
inline Double magnitude(Double x) { return _mm512_abs_pd(x); }

// The larger of `bound` and x; x when x is not a number.
inline Float at_least(Float bound, Float x) { return _mm512_max_ps(bound, x); }
inline Double at_least(Double bound, Double x) { return _mm512_max_pd(bound, x); }

inline Float where_less(Float a, Float b, Float yes, Float no) {
  return _mm512_mask_blend_ps(_mm512_cmp_ps_mask(a, b, _CMP_LT_OQ), no, yes);
}
inline Float zero_where_less(Float a, Float b, Float no) {
  return _mm512_maskz_mov_ps(_mm512_cmp_ps_mask(a, b, _CMP_NLT_UQ), no);
}
// Writes the numbers (counted from `first`) and values of the lanes that are not zero, in order, and returns how
// many there are; what is behind them, up to a whole vector, is overwritten. `ones` becomes false when one of
// them is not 1.
inline int append_nonzero(Float x, std::int32_t first, std::int32_t* place, float* value, bool& ones) {
  const __mmask16 lanes = _mm512_cmp_ps_mask(x, _mm512_setzero_ps(), _CMP_NEQ_UQ);
  const __mmask16 other = _mm512_mask_cmp_ps_mask(lanes, x, _mm512_set1_ps(1), _CMP_NEQ_UQ);
  const __m512i numbers = _mm512_add_epi32(
      _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15), _mm512_set1_epi32(first));
  _mm512_storeu_si512(place, _mm512_maskz_compress_epi32(lanes, numbers));
  _mm512_storeu_ps(value, _mm512_maskz_compress_ps(lanes, x));
  ones &= other == 0;
  return __builtin_popcount(lanes);
}
inline Float one_where_less(Float a, Float b) {
  return _mm512_maskz_mov_ps(_mm512_cmp_ps_mask(a, b, _CMP_LT_OQ), all(1.0F));
}

inline Float nearest(Float x) {
  return _mm512_roundscale_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
inline Double nearest(Double x) {
  return _mm512_roundscale_pd(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
// x * 2^n for whole n; x near one.
inline Float times_two_to(Float x, Float n) { return _mm512_scalef_ps(x, n); }
inline Double times_two_to(Double x, Double n) { return _mm512_scalef_pd(x, n); }

// x = m * 2^n with the returned m from sqrt(1/2) to sqrt(2), for a normal x > 0.
inline Float split_power(Float x, Float& n) {
  const __m512i root_half = _mm512_castps_si512(all(0.70710678F));
  const __m512i bits = _mm512_sub_epi32(_mm512_castps_si512(x), root_half);
  n = _mm512_cvtepi32_ps(_mm512_srai_epi32(bits, 23));
  const __m512i mantissa = _mm512_and_si512(bits, _mm512_set1_epi32(0x7FFFFF));
  return _mm512_castsi512_ps(_mm512_add_epi32(mantissa, root_half));
}
// The sine and cosine of an angle become those of the angle and this many quarter turns, a whole number.
inline void add_quarter_turns(Float quarters, Float& sine, Float& cosine) {
  const __m512i k = _mm512_cvtps_epi32(quarters), two = _mm512_set1_epi32(2);
  const __mmask16 odd = _mm512_test_epi32_mask(k, _mm512_set1_epi32(1));
  const __m512i sign_of_sine = _mm512_slli_epi32(_mm512_and_si512(k, two), 30);
  const __m512i next = _mm512_add_epi32(k, _mm512_set1_epi32(1));
  const __m512i sign_of_cosine = _mm512_slli_epi32(_mm512_and_si512(next, two), 30);
  const Float s = _mm512_mask_blend_ps(odd, sine, cosine), c = _mm512_mask_blend_ps(odd, cosine, sine);
  sine = _mm512_castsi512_ps(_mm512_castps_si512(s) ^ sign_of_sine);
  cosine = _mm512_castsi512_ps(_mm512_castps_si512(c) ^ sign_of_cosine);
}

// Lanes by their numbers, which are 32 bits wide.
inline Words load_numbers(const std::int32_t* from) { return _mm512_loadu_si512(from); }
inline Words lanes_before(int distance) {
  const __m512i lanes = _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
  return _mm512_sub_epi32(lanes, _mm512_set1_epi32(distance));
}
inline Float permute(Float x, Words from) { return _mm512_permutexvar_ps(from, x); }
// What lies so many lanes before each lane, or zero, or the lane `first`, where that is before lane `first`.
inline Float earlier_or_zero(Float x, Words first, int distance) {
  const Words from = lanes_before(distance);
  return _mm512_maskz_permutexvar_ps(_mm512_cmple_epi32_mask(first, from), from, x);
}
inline Float earlier_or_first(Float x, Words first, int distance) {
  return permute(x, _mm512_max_epi32(lanes_before(distance), first));
}
inline float largest_of_lanes(Float x) { return _mm512_reduce_max_ps(x); }

inline Double lower_half(Float x) { return _mm512_cvtps_pd(_mm512_castps512_ps256(x)); }
inline Double upper_half(Float x) { return _mm512_cvtps_pd(_mm512_extractf32x8_ps(x, 1)); }
inline Float join(Double lower, Double upper) {
  return _mm512_insertf32x8(_mm512_castps256_ps512(_mm512_cvtpd_ps(lower)), _mm512_cvtpd_ps(upper), 1);
}
inline double sum_of_lanes(Double x) { return _mm512_reduce_add_pd(x); }
inline double product_of_lanes(Double x) { return _mm512_reduce_mul_pd(x); }

inline Words all_words(std::uint64_t x) { return _mm512_set1_epi64(static_cast<long long>(x)); }
inline Words even_numbers() { return _mm512_set_epi64(14, 12, 10, 8, 6, 4, 2, 0); }
inline Words multiply_lower(Words a, Words b) { return _mm512_mul_epu32(a, b); }  // 32 x 32 bits to 64
inline Words upper_bits(Words x) { return _mm512_srli_epi64(x, 32); }
inline Words exclusive_or(Words a, Words b, Words c) { return _mm512_ternarylogic_epi64(a, b, c, 0x96); }
// The lower 32 bits of every word, alternately of `even` and `odd`, as numbers in [0, 1).
inline Float unit_floats(Words even, Words odd) {
  const Words both = _mm512_mask_blend_epi32(0xAAAA, even, _mm512_slli_epi64(odd, 32));
  return _mm512_cvtepi32_ps(_mm512_srli_epi32(both, 8)) * all(0x1p-24F);
}

}  // namespace
}  // namespace deepgen
