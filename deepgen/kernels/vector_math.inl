// Elementary functions and random numbers on vectors; included by the vector kernels after one lanes header.
//
// The polynomials are minimax fits made for this file (Remez exchange, relative weight).
namespace deepgen {
namespace {

constexpr int group = 64;             // columns that share sixteen blocks of random words
constexpr int parts = group / width;  // vectors in a group

// exp(r) - 1 for |r| <= ln(2) / 2; relative error of the polynomial 1.4e-8.
inline Float expm1_near_zero(Float r) {
  Float q = all(1.38825166e-3F);
  q = fused(q, r, all(8.36658031e-3F));
  q = fused(q, r, all(4.16672017e-2F));
  q = fused(q, r, all(1.66665432e-1F));
  q = fused(q, r, all(4.99999981e-1F));
  return fused(r * r, q, r);
}

constexpr float per_log2 = 1.44269504F;
constexpr float log2_upper = 0.693359375F,
                log2_lower = -2.12194440e-4F;  // ln 2; products with n <= 2^14 exact
constexpr float smallest_exponent = -87.3F;    // exp of less is no normal number and counts as 0

// exp(x) for x <= 0, within 1 ulp; exactly 0 far out.
inline Float exp_nonpositive(Float x) {
  const Float n = nearest(x * all(per_log2));
  Float r = fused(n, all(-log2_upper), x);
  r = fused(n, all(-log2_lower), r);
  const Float result = times_two_to(all(1.0F) + expm1_near_zero(r), n);
  return zero_where_less(x, all(smallest_exponent), result);
}

// A factor in two floats, so that exp(factor * x) has no error from rounding the factor or the product.
struct Factor {
  Float upper, lower, least;  // x >= least keeps the product above the smallest exponent
};

inline Factor factor(double value) {  // value >= 0
  const float upper = static_cast<float>(value);
  const float least = value > 0 ? static_cast<float>(smallest_exponent / value) : -3e38F;
  return {all(upper), all(static_cast<float>(value - static_cast<double>(upper))), all(least)};
}

struct ScaledExp {
  Float power, less_one;  // 2^n and exp(r) - 1, where factor * x = n ln 2 + r
};

inline ScaledExp exp_parts(const Factor& f, Float x) {  // x <= 0
  const Float y = at_least(f.least, x);
  const Float n = nearest(f.upper * y * all(per_log2));
  Float r = fused(f.upper, y, n * all(-log2_upper));
  r = fused(f.lower, y, r);
  r = fused(n, all(-log2_lower), r);
  return {times_two_to(all(1.0F), n), expm1_near_zero(r)};
}

// 2 artanh(s) = ln((1 + s) / (1 - s)) for |s| <= 1/3; relative error of the polynomial 5e-9.
inline Float twice_artanh(Float s) {
  const Float w = s * s;
  Float q = all(0.280312906F);
  q = fused(q, w, all(0.279978595F));
  q = fused(q, w, all(0.400217702F));
  q = fused(q, w, all(0.666664120F));
  return fused(s * w, q, s + s);
}

// The natural logarithm of a normal x > 0, to 1e-7 of its value.
inline Float logarithm(Float x) {
  Float n;
  const Float m = split_power(x, n);
  const Float near_zero = twice_artanh((m - all(1.0F)) / (m + all(1.0F)));
  return fused(n, all(log2_upper), fused(n, all(log2_lower), near_zero));
}

// sin and cos of 2 pi u for u in [0, 1). With 4 u = k + r, |r| <= 1/2, k and r are exact, so small values
// keep their relative precision; relative error of the polynomials 3e-8 and 8e-9.
inline void sine_and_cosine(Float u, Float& sine, Float& cosine) {
  const Float quarters = all(4.0F) * u, k = nearest(quarters), r = quarters - k, w = r * r;
  Float s = all(-4.60165786e-3F);
  s = fused(s, w, all(7.96800330e-2F));
  s = fused(s, w, all(-6.45963490e-1F));
  s = fused(s, w, all(1.57079637F));
  Float c = all(9.03362990e-4F);
  c = fused(c, w, all(-2.08599363e-2F));
  c = fused(c, w, all(2.53669173e-1F));
  c = fused(c, w, all(-1.23370051F));
  cosine = fused(c, w, all(1.0F));
  sine = s * r;
  add_quarter_turns(k, sine, cosine);
}

inline Float sigmoid(Float a) {
  const Float e = exp_nonpositive(-magnitude(a));
  return where_less(a, all(0.0F), e, all(1.0F)) / (all(1.0F) + e);
}

// max(a, 0) + ln(1 + e) with e = exp(-|a|); 1 + e = (1 + s) / (1 - s) for s = e / (2 + e).
inline Float softplus(Float a) {
  const Float e = exp_nonpositive(-magnitude(a));
  return at_least(all(0.0F), a) + twice_artanh(e / (all(2.0F) + e));
}

// exp(x) for x <= 0; relative error 4e-16; tiny instead of zero far out.
inline Double exp_nonpositive(Double x) {
  const Double y = at_least(all(-708.0), x);
  const Double n = nearest(y * all(1.4426950408889634));
  Double r = fused(n, all(-0x1.62e42fefa3000p-1), y);
  r = fused(n, all(-0x1.3de6af278ece6p-42), r);
  Double q = all(2.7476590530771590e-7);
  q = fused(q, r, all(2.7635144276902218e-6));
  q = fused(q, r, all(2.4801933203563874e-5));
  q = fused(q, r, all(1.9841184902218065e-4));
  q = fused(q, r, all(1.3888888513915573e-3));
  q = fused(q, r, all(8.3333333710921104e-3));
  q = fused(q, r, all(4.1666666668148371e-2));
  q = fused(q, r, all(1.6666666666611121e-1));
  q = fused(q, r, all(4.9999999999998307e-1));
  return times_two_to(all(1.0) + fused(r * r, q, r), n);
}

inline Double widened_sum(Float x) { return lower_half(x) + upper_half(x); }

// What every block of a stream shares.
struct RandomKeys {
  Words key_0[philox_rounds], key_1[philox_rounds];
  Words call_lower, call_upper;
};

inline RandomKeys random_keys(const Stream& stream) {
  RandomKeys keys;
  std::uint32_t key_0 = static_cast<std::uint32_t>(stream.key);
  std::uint32_t key_1 = static_cast<std::uint32_t>(stream.key >> 32);
  for (int round = 0; round < philox_rounds; ++round) {
    keys.key_0[round] = all_words(key_0);
    keys.key_1[round] = all_words(key_1);
    key_0 += philox_weyl_0;
    key_1 += philox_weyl_1;
  }
  keys.call_lower = all_words(stream.call);
  keys.call_upper = all_words(stream.call >> 32);
  return keys;
}

inline void random_round(Words c[4], Words key_0, Words key_1) {
  const Words product_0 = multiply_lower(c[0], all_words(philox_multiplier_0));
  const Words product_1 = multiply_lower(c[2], all_words(philox_multiplier_1));
  c[0] = exclusive_or(upper_bits(product_1), c[1], key_0);
  c[2] = exclusive_or(upper_bits(product_0), c[3], key_1);
  c[1] = product_1;
  c[3] = product_0;
}

// The blocks at these indices and at the ones after them. One 32-bit word of a block lies in the lower half
// of each 64-bit lane, and whatever the upper half holds is never read: so a round needs no shuffles. Two at
// once, as one alone would wait for its own products.
inline void random_blocks(const RandomKeys& keys, Words index, Words even[4], Words odd[4]) {
  even[0] = index, odd[0] = index + all_words(1);
  even[1] = upper_bits(even[0]), odd[1] = upper_bits(odd[0]);
  even[2] = odd[2] = keys.call_lower;
  even[3] = odd[3] = keys.call_upper;
#pragma GCC unroll 10
  for (int round = 0; round < philox_rounds; ++round) {
    const Words key_0 = keys.key_0[round], key_1 = keys.key_1[round];
    random_round(even, key_0, key_1);
    random_round(odd, key_0, key_1);
  }
}

// The 64 uniform numbers of the group that starts at `column`, in the order of the columns.
inline void random_group(const RandomKeys& keys, std::int64_t row, std::int64_t column, std::int64_t columns,
                         Float u[parts]) {
  constexpr int halves = 16 / width;
  const std::uint64_t groups = static_cast<std::uint64_t>((columns + group - 1) / group);
  const std::uint64_t first =
      16 * (static_cast<std::uint64_t>(row) * groups + static_cast<std::uint64_t>(column / group));
#pragma GCC unroll 2
  for (int half = 0; half < halves; ++half) {
    const Words index = all_words(first + static_cast<std::uint64_t>(half * width)) + even_numbers();
    Words even[4], odd[4];
    random_blocks(keys, index, even, odd);
#pragma GCC unroll 4
    for (int word = 0; word < 4; ++word) u[word * halves + half] = unit_floats(even[word], odd[word]);
  }
}

// The 64 standard normal numbers of the group; see kernels.h.
inline void normal_group(const RandomKeys& keys, std::int64_t row, std::int64_t column, std::int64_t columns,
                         Float n[parts]) {
  constexpr int halves = 16 / width;
  random_group(keys, row, column, columns, n);
#pragma GCC unroll 4
  for (int i = 0; i < parts / 2; ++i) {
    const int a = i / halves * 2 * halves + i % halves,
              b = a + halves;  // the even word, the odd one after it
    const Float radius = root(all(-2.0F) * logarithm(all(1.0F) - n[a]));
    Float sine, cosine;
    sine_and_cosine(n[b], sine, cosine);
    n[a] = radius * cosine;
    n[b] = radius * sine;
  }
}

}  // namespace
}  // namespace deepgen
