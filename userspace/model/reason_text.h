// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "maps/abi/reason.h"

namespace natrix::model {

// A reason as people and programs read it.
struct ReasonText {
  std::string name;  // "MASQ_OUTGOING"
  std::string kind;  // "pass", "translate", "drop"
  std::string text;  // "R12: natOutgoing"
};

// A number that this build does not know (a newer datapath) is named by its number.
inline ReasonText TextOf(unsigned reason) {
  switch (reason) {
#define X(enumerator, value, how, meaning)                        \
  case enumerator:                                                \
    return {std::string(#enumerator).substr(sizeof("NX_R_") - 1), \
            NX_KIND_##how == NX_KIND_PASS        ? "pass"         \
            : NX_KIND_##how == NX_KIND_TRANSLATE ? "translate"    \
                                                 : "drop",        \
            meaning};
    NX_REASONS(X)
#undef X
    default:
      return {"REASON_" + std::to_string(reason), "?", "?"};
  }
}

}  // namespace natrix::model
