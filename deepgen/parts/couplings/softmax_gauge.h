// The gauge of softmax groups: a number added to the weights of all units of a group from one state of the
// other side is an input that the group's choice does not change, as long as it is taken from that state's
// bias. Energies stay as they are.
#pragma once

#include <functional>

#include "deepgen/parts/units/unit_layer.h"

namespace deepgen {

enum class Side { lower, upper };

// Takes the mean out of the weights w [N, M] of each softmax group of the layer on this side. `give` is
// handed each mean, [M] of a group of the lower side, [N] of one of the upper side: the input that the other
// side no longer receives and its bias must make up for.
void take_group_means(Tensor& w, const UnitLayer& layer, Side side,
                      const std::function<void(const Tensor& mean)>& give);

}  // namespace deepgen
