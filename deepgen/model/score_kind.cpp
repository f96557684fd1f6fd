#include "deepgen/model/score_kind.h"

namespace deepgen {

const char* kind_name(ScoreKind kind) {
  switch (kind) {
    case ScoreKind::exact:
      return "exact";
    case ScoreKind::lower_bound:
      return "lower_bound";
    case ScoreKind::upper_bound:
      return "upper_bound";
    case ScoreKind::estimate:
      return "estimate";
    case ScoreKind::proxy:
      return "proxy";
  }
  return "";
}

}  // namespace deepgen
