// What sequence models share in which a recurrent state moves the biases of a row's distribution:
//
//   p(x_1, x_2, ...) = prod_t p(x_t; b_t, c_t)
//   b_t = b + u_(t-1) P
//   c_t = c + u_(t-1) Q
//   u_t = f(a + x_t A + u_(t-1) B)
//   u_0 = 0
//
// So the biases of the first row are b and c. With what the row's own distribution gives, d loss / d b_t and
// d loss / d c_t,
//
//   d loss / d P = sum_t u_(t-1)' d loss / d b_t          d loss / d b = sum_t d loss / d b_t
//   d loss / d Q = sum_t u_(t-1)' d loss / d c_t          d loss / d c = sum_t d loss / d c_t
//   d loss / d u_(t-1) = d loss / d b_t P' + d loss / d c_t Q',
//
// which goes back through time (parts/nets/recurrent_state.h). The loss is the mean over the rows of a batch, so long
// sequences count by their length.
#pragma once

#include <string>

#include "deepgen/data/files/data_shape.h"
#include "deepgen/model/capabilities.h"
#include "deepgen/parts/nets/recurrent_state.h"
#include "deepgen/parts/units/unit_layer.h"

namespace deepgen {

class RecurrentModel : public Model, public HasGradients, public CanContinue {
 public:
  Metrics gradients(const Rows& batch, const Turn& turn, Rng& rng) override;
  std::int64_t needed_rows() const override { return 0; }
  Tensor continue_sequences(const Rows& begun, std::int64_t steps, Rng& rng) const override;
  void check_data(const Tensor& x, const std::string& what, std::int64_t first_row = 0) const override;

  virtual RecurrentWeights recurrent() const = 0;
  std::int64_t columns() const { return visible_bias.size(0); }

  Tensor visible_bias, hidden_bias;  // b [D], c [H]
  Tensor to_visible, to_hidden;      // P [R, D], Q [R, H]

 protected:
  // The biases of each row, [B, D] and [B, H], or gradients with respect to them.
  struct RowBiases {
    Tensor visible, hidden;
  };

  RecurrentModel(std::string name, const DataShape& data);
  // Registers b, c, P and Q.
  void register_biases(std::int64_t hidden, std::int64_t recurrent);

  RowBiases biases_after(const Tensor& states) const;  // of the rows that follow these states [B, R]
  // Biases of all rows, in the order of the rows.
  RowBiases biases_of(const Rows& rows) const;

  // Rows x [B, D] with these biases: fills .grad of the weights that are the row's own and, in `slopes`, the
  // gradients with respect to the biases of each row, all of the mean over the rows.
  virtual Metrics row_gradients(const Tensor& x, const RowBiases& biases, RowBiases& slopes, const Turn& turn,
                                Rng& rng) = 0;
  // One row drawn for each of the biases, [B, D].
  virtual Tensor draw_rows(const RowBiases& biases, Rng& rng) const = 0;

 private:
  const std::string name_;
  const UnitLayer units_;
};

// The gradient of a parameter, in place: with zeros where there was none.
Tensor kept_gradient(const Tensor& parameter);

}  // namespace deepgen
