// The verbs that compute. Each takes the parsed arguments, writes machine output to stdout or --out, and
// throws.
#pragma once

#include "deepgen/cli/arguments.h"

namespace deepgen {

void train_command(const Arguments& arguments);
void search_command(const Arguments& arguments);
void reproduce_command(const Arguments& arguments);
void sample_command(const Arguments& arguments);
void score_command(const Arguments& arguments);
void evaluate_command(const Arguments& arguments);
void complete_command(const Arguments& arguments);
void encode_command(const Arguments& arguments);
void reconstruct_command(const Arguments& arguments);
void classify_command(const Arguments& arguments);
void quality_command(const Arguments& arguments);
void study_command(const Arguments& arguments);
void models_command(const Arguments& arguments);
void doctor_command(const Arguments& arguments);

}  // namespace deepgen
