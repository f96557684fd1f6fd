#include "deepgen/train/flat.h"

#include <algorithm>

#include "deepgen/core/error.h"

namespace deepgen {

FlatParameters::FlatParameters(Model& model) {
  torch::NoGradGuard no_graph;
  std::int64_t total = 0;
  for (const auto& item : model.named_parameters()) {
    const Tensor& p = item.value();
    slices_.push_back({item.key(), p.sizes().vec(), total, p.numel(), model.decays(item.key(), p)});
    total += (p.numel() + 15) / 16 * 16;
  }
  auto parameters = model.parameters();
  const auto options = parameters.empty() ? at::TensorOptions(at::kFloat) : parameters[0].options();
  values = at::zeros({total}, options.requires_grad(false));
  gradients = at::zeros_like(values);
  for (std::size_t i = 0; i < slices_.size(); ++i) {
    Tensor here = view(values, slices_[i]);
    here.copy_(parameters[i]);
    parameters[i].set_data(here);
    parameters[i].mutable_grad() = view(gradients, slices_[i]);
  }
}

void FlatParameters::reclaim(Model& model) {
  torch::NoGradGuard no_graph;
  const auto named = model.named_parameters();
  bool same = named.size() == slices_.size();
  for (std::size_t i = 0; same && i < slices_.size(); ++i)
    same = named[i].key() == slices_[i].name && named[i].value().sizes() == slices_[i].shape;
  if (!same)
    throw Error(ErrorKind::bug, "training",
                "expected the parameters to stay what they were when a stage begins");
  std::vector<Tensor> strays;  // copied before any is overwritten: one may be a view of another
  for (std::size_t i = 0; i < slices_.size(); ++i) strays.push_back(named[i].value().detach().clone());
  for (std::size_t i = 0; i < slices_.size(); ++i) {
    Tensor parameter = named[i].value(), here = view(values, slices_[i]);
    here.copy_(strays[i]);
    parameter.set_data(here);
    parameter.mutable_grad() = view(gradients, slices_[i]);
  }
}

Tensor FlatParameters::view(const Tensor& buffer, const Slice& slice) {
  return buffer.narrow(0, slice.offset, slice.size).view(slice.shape);
}

std::vector<Slice> FlatParameters::slices_of(const std::vector<Tensor>& parameters) const {
  const float* base = values.data_ptr<float>();
  std::vector<Slice> wanted;
  for (const Slice& slice : slices_) {
    const bool listed = std::any_of(parameters.begin(), parameters.end(), [&](const Tensor& p) {
      return p.data_ptr<float>() == base + slice.offset;
    });
    if (listed) wanted.push_back(slice);
  }
  return wanted;
}

}  // namespace deepgen
