// Elementwise functions between the layers of networks.
#pragma once

namespace deepgen {

// leaky: slope 0.2 below zero. All have a derivative that can be told from their value.
enum class Activation { identity, relu, leaky, tanh, sigmoid, softplus };

inline constexpr float leak = 0.2F;

}  // namespace deepgen
