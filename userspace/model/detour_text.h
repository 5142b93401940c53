// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "maps/abi/way.h"

namespace natrix::model {

// Why packets took no short cut, as people and programs read it.
struct DetourText {
  std::string name;  // "EPOCH"
  std::string text;  // "the node's routes changed since"
};

inline DetourText DetourTextOf(unsigned detour) {
  switch (detour) {
#define X(enumerator, value, meaning) \
  case enumerator:                    \
    return {std::string(#enumerator).substr(sizeof("NX_DETOUR_") - 1), meaning};
    NX_DETOURS(X)
#undef X
    default:
      return {"DETOUR_" + std::to_string(detour), "?"};
  }
}

}  // namespace natrix::model
