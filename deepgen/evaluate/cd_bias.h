// What contrastive divergence leaves out: its expected gradient beside that of the likelihood, both exact, on small
// binary restricted Boltzmann machines whose weights and numbers of Gibbs steps grow. Torch-free to include.
//
// With p_k the distribution of the visible units after k Gibbs steps from the data (p_0) and g(p) = <v h>, <v>, <h>
// under it,
//
//   likelihood:  g(p_0) - g(p_model)
//   CD-k:        g(p_0) - g(p_k)
//   left out:    g(p_k) - g(p_model)
//
// and the kernel forgets by its second eigenvalue lambda (models/boltzmann/enumerated_rbm.h):
//
//   chi(p_k) <= lambda^k chi(p_0),   chi(p)^2 = sum_v (p(v) - p_model(v))^2 / p_model(v).
//
// The machines have W_ij normal with deviation `scale` and biases that leave every unit even,
// b_i = -sum_j W_ij / 2, c_j = -sum_i W_ij / 2; the data are as many random rows as there are visible units. A
// machine of another scale is the same machine with its weights multiplied.
//
// Sources: Hinton 2002, "Training products of experts by minimizing contrastive divergence"; Carreira-Perpinan and
// Hinton 2005, "On contrastive divergence learning"; Hinton, Osindero, Teh 2006, section 3; Bengio and Delalleau
// 2009, "Justifying and generalizing contrastive divergence"; Fischer and Igel 2011, "Bounding the bias of
// contrastive divergence learning".
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "deepgen/core/observer.h"
#include "deepgen/evaluate/cd_bias_plan.h"

namespace deepgen {

// Means over the machines.
struct CdBiasRow {
  double scale = 0;
  std::int64_t steps = 0;
  double cosine = 0;          // of the two gradients
  double least_cosine = 1;    // of any machine
  double relative_error = 0;  // |left out| / |gradient of the likelihood|
  double remaining = 0;       // sum_v |p_k(v) - p_model(v)| / 2: probability that is not where it belongs yet
  double second_eigenvalue = 0;  // lambda, the same for all steps
  double eigenvalue_power = 0;   // lambda^k, machine by machine
};

struct CdBiasTable {
  CdBiasPlan plan;
  std::vector<CdBiasRow> rows;  // scale by scale, steps by steps
};

CdBiasTable measure_cd_bias(const CdBiasPlan& plan, Observer& observer);

// For people, as JSON, as a page with charts and the table, and the chart of the relative error by itself (SVG).
std::string cd_bias_text(const CdBiasTable& table);
nlohmann::ordered_json cd_bias_json(const CdBiasTable& table);
std::string cd_bias_page(const CdBiasTable& table);
std::string cd_bias_svg(const CdBiasTable& table);

}  // namespace deepgen
