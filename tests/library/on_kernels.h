// Tests that run on each set of kernels that this machine has.
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "deepgen/kernels/kernels.h"

namespace deepgen {

class OnKernels : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    before_ = kernels().name;
    use_kernels(GetParam());
  }
  void TearDown() override { use_kernels(before_); }

 private:
  std::string before_;
};

}  // namespace deepgen
