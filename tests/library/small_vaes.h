// Small variational autoencoders of bits, and their gradients by name.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "deepgen/models/variational/vae.h"
#include "tests/library/machines.h"

namespace deepgen::small_vaes {

inline std::shared_ptr<Vae> make_vae(std::int64_t columns, std::int64_t latent, double scale,
                                     VaeLearning learning = {}, VaeOptions options = {}) {
  options.latent = latent, options.hidden = "6,4";
  auto vae = std::make_shared<Vae>(options, learning, machines::bits_shape(columns));
  Rng rng(3);
  vae->initialise(machines::bits_tensor(50, columns, rng, 0.4), rng);
  machines::randomise(*vae, scale, rng);
  // A wide q: weights of a narrow one may have no variance.
  NoGradGuard no_graph;
  for (auto& item : vae->named_parameters())
    if (item.key().starts_with("encoder.mean") || item.key().starts_with("encoder.log_variance"))
      item.value().mul_(0.1);
  return vae;
}

inline std::map<std::string, Tensor> gradients_of(Vae& model, const Rows& batch, const Turn& turn, Rng rng) {
  model.gradients(batch, turn, rng);
  std::map<std::string, Tensor> all;
  for (const auto& item : model.named_parameters()) all[item.key()] = item.value().grad().clone();
  return all;
}

}  // namespace deepgen::small_vaes
