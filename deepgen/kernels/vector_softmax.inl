// Layers of softmax groups; included by vector_kernels.inl.
//
// Small groups are packed: as many neighbours as fit share a vector, and sums and maxima run within each
// group by steps of 1, 2, 4, ... lanes that stop at its first lane. A group larger than a vector is a loop of
// its own.
namespace deepgen {
namespace {

struct Piece {
  std::int64_t column, count;
  bool packed;                             // else one group larger than a vector, and no more is filled in
  std::int32_t first[width], last[width];  // of the group of each lane; lanes beyond `count` are alone
  float ends[width];                       // 1 in the last lane of each group, else 0
};

template <class T>
class Room {  // for some T, which start as anything; std::vector is forbidden here (see vector_kernels.inl)
 public:
  explicit Room(std::int64_t count) : at_(new T[static_cast<unsigned long>(count)]) {}
  ~Room() { delete[] at_; }
  Room(const Room&) = delete;
  Room& operator=(const Room&) = delete;
  T* get() const { return at_; }

 private:
  T* at_;
};

// Takes neighbouring groups from `next` on while they fit into a vector; returns the next group.
inline std::int64_t pack(const SoftmaxLayer& layer, std::int64_t next, Piece& piece) {
  const std::int64_t begin = layer.offsets[next];
  for (int lane = 0; lane < width; ++lane) {
    piece.first[lane] = piece.last[lane] = lane;
    piece.ends[lane] = 0;
  }
  for (; next < layer.groups && layer.offsets[next + 1] - begin <= width; ++next) {
    const int from = static_cast<int>(layer.offsets[next] - begin);
    const int to = static_cast<int>(layer.offsets[next + 1] - begin);
    for (int lane = from; lane < to; ++lane) {
      piece.first[lane] = from;
      piece.last[lane] = to - 1;
    }
    piece.ends[to - 1] = 1;
  }
  piece.column = begin;
  piece.count = layer.offsets[next] - begin;
  piece.packed = true;
  return next;
}

// Fills in the pieces of a row, `largest` with the size of the largest group; returns their number.
inline std::int64_t cut_into_pieces(const SoftmaxLayer& layer, Piece* pieces, std::int64_t& largest) {
  std::int64_t count = 0;
  for (std::int64_t next = 0; next < layer.groups; ++count) {
    const std::int64_t size = layer.offsets[next + 1] - layer.offsets[next];
    if (size > largest) largest = size;
    if (size <= width) {
      next = pack(layer, next, pieces[count]);
    } else {
      pieces[count].column = layer.offsets[next++];
      pieces[count].count = size;
      pieces[count].packed = false;
    }
  }
  return count;
}

// Whole vectors where there are so many left: masked stores are slow on some processors with AVX2 alone.
inline void put(float* to, Float x, std::int64_t left) {
  if (left >= width) {
    store(to, x);
  } else {
    store_some(to, x, static_cast<int>(left));
  }
}

// The element where the sum of e exceeds the threshold, the last when none does; e is zero from `count` up to
// whole vectors.
inline std::int64_t first_above(const float* e, std::int64_t count, double threshold) {
  double sum = 0;
  for (std::int64_t i = 0; i < count; i += width) {
    const double next = sum + sum_of_lanes(widened_sum(load(e + i)));
    if (!(next > threshold)) {
      sum = next;
      continue;
    }
    for (std::int64_t k = i; k < i + width; ++k) {
      sum += static_cast<double>(e[k]);
      if (sum > threshold) return k;
    }
  }
  return count - 1;
}

struct SoftmaxRow {
  const SoftmaxLayer layer;
  const std::int64_t row;
  const float* uniforms;             // [columns and a vector more], those of first columns of groups
  float* room;                       // for the largest group and a vector more
  double log_sum = 0, weighted = 0;  // of the large groups
  Double log_sums = all(0.0), sums_of_weights = all(0.0);  // of the packed ones

  template <bool full>
  inline Float activation(std::int64_t column, int left) const {
    const Float bias = layer.bias ? read<full>(layer.bias + column, left) : all(0.0F);
    return fused(all(layer.scale), read<full>(layer.input + row * layer.columns + column, left), bias);
  }

  inline void packed(const Piece& piece) {
    const std::int64_t at = row * layer.columns + piece.column;
    const int count = static_cast<int>(piece.count);
    const Float x = activation<false>(piece.column, count), ends = load(piece.ends);
    const Words first = load_numbers(piece.first), last = load_numbers(piece.last);
    Float top = x;
#pragma GCC unroll 4
    for (int step = 1; step < width; step *= 2) top = at_least(top, earlier_or_first(top, first, step));
    top = permute(top, last);
    const Float e = exp_nonpositive(x - top);
    Float sum = e;
#pragma GCC unroll 4
    for (int step = 1; step < width; step *= 2) sum = sum + earlier_or_zero(sum, first, step);
    const Float total = permute(sum, last);
    if (layer.mean) put(layer.mean + at, e / total, count);
    if (layer.log_sum_exp) log_sums += widened_sum(ends * top) + widened_sum(ends * logarithm(total));
    if (!layer.sample) return;
    const Float threshold = permute(load(uniforms + piece.column), first) * total;
    const Float above = at_least(ends, one_where_less(threshold, sum));
    const Float sample = above - earlier_or_zero(above, first, 1);
    put(layer.sample + at, sample, count);
    if (layer.weight) sums_of_weights += widened_sum(sample * load_some(layer.weight + piece.column, count));
  }

  // The exponentials of a group, relative to the largest, go to `room`; returns their sum.
  inline double exponentials(const Piece& piece, float& top) const {
    constexpr float lowest = -__builtin_inff();
    Float tops = all(lowest);
    std::int64_t i = 0;
    for (; i + width <= piece.count; i += width) {
      const Float x = activation<true>(piece.column + i, width);
      store(room + i, x);
      tops = at_least(tops, x);
    }
    if (i < piece.count) {
      const int left = static_cast<int>(piece.count - i);
      const Float x = keep_some(activation<false>(piece.column + i, left), left, all(lowest));
      store(room + i, x);
      tops = at_least(tops, x);
    }
    top = largest_of_lanes(tops);
    Double total = all(0.0);
    for (i = 0; i < piece.count; i += width) {
      const Float e = exp_nonpositive(load(room + i) - all(top));
      store(room + i, e);
      total += widened_sum(e);
    }
    return sum_of_lanes(total);
  }

  inline void large(const Piece& piece) {
    const std::int64_t at = row * layer.columns + piece.column;
    float top;
    const double total = exponentials(piece, top);
    if (layer.log_sum_exp) log_sum += static_cast<double>(top) + ::log(total);
    const Float share = all(static_cast<float>(1 / total));
    for (std::int64_t i = 0; i < piece.count && layer.mean; i += width)
      put(layer.mean + at + i, load(room + i) * share, piece.count - i);
    if (!layer.sample) return;
    const double threshold = static_cast<double>(uniforms[piece.column]) * total;
    const std::int64_t on = first_above(room, piece.count, threshold);
    for (std::int64_t i = 0; i < piece.count; i += width)
      put(layer.sample + at + i, all(0.0F), piece.count - i);
    layer.sample[at + on] = 1;
    if (layer.weight) weighted += static_cast<double>(layer.weight[piece.column + on]);
  }
};

// The uniform numbers of a row, of those 64 neighbours only among which a group begins.
inline void draw_uniforms(const SoftmaxLayer& layer, const RandomKeys& keys, std::int64_t row,
                          float* uniforms) {
  std::int64_t done = 0;
  for (std::int64_t g = 0; g < layer.groups; ++g) {
    if (layer.offsets[g] < done) continue;
    const std::int64_t column = layer.offsets[g] - layer.offsets[g] % group;
    Float u[parts];
    random_group(keys, row, column, layer.columns, u);
#pragma GCC unroll 8
    for (int part = 0; part < parts; ++part) store(uniforms + column + part * width, u[part]);
    done = column + group;
  }
}

void softmax_layer(const SoftmaxLayer& layer, std::int64_t row_begin, std::int64_t row_end) {
  const RandomKeys keys = random_keys(layer.stream);
  const Room<Piece> pieces(layer.groups);
  std::int64_t largest = 0;
  const std::int64_t count = cut_into_pieces(layer, pieces.get(), largest);
  const Room<float> room(largest + width), uniforms(layer.columns + 2 * group);
  for (std::int64_t row = row_begin; row < row_end; ++row) {
    if (layer.sample) draw_uniforms(layer, keys, row, uniforms.get());
    SoftmaxRow work{layer, row, uniforms.get(), room.get()};
    for (const Piece* piece = pieces.get(); piece < pieces.get() + count; ++piece)
      piece->packed ? work.packed(*piece) : work.large(*piece);
    if (layer.log_sum_exp) layer.log_sum_exp[row] = work.log_sum + sum_of_lanes(work.log_sums);
    if (layer.sample && layer.weight)
      layer.row_sum[row] += work.weighted + sum_of_lanes(work.sums_of_weights);
  }
}

}  // namespace
}  // namespace deepgen
