// The path from the base-rate model to the machine; of use to rbm*.cpp only.
#pragma once

#include "deepgen/parts/units/unit_layer.h"

namespace deepgen {

// (1 - beta) E_0 + beta E of the visible layer in its natural form.
inline NaturalParameters between(const NaturalParameters& base, const NaturalParameters& model, double beta) {
  NaturalParameters p{at::lerp(base.theta, model.theta, beta), {}, model.couple};
  if (model.gamma.defined()) p.gamma = at::lerp(base.gamma, model.gamma, beta);
  return p;
}

}  // namespace deepgen
