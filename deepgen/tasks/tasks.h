// What users do with a model, by the route its capabilities allow; each refusal says why. Rows are checked
// here, once, before long work begins: callers need not.
#pragma once

#include "deepgen/tasks/classification.h"
#include "deepgen/tasks/codes.h"
#include "deepgen/tasks/completion.h"
#include "deepgen/tasks/pictures.h"
#include "deepgen/tasks/sampling.h"
#include "deepgen/tasks/sequences.h"
