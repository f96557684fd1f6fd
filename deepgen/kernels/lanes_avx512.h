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
