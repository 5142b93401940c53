// SPDX-License-Identifier: Apache-2.0
#include "userspace/model/config.h"

namespace natrix::model {

std::string Endpoint::ToString() const {
  const std::string text = address.ToString();
  const bool is4 = address.family() == Family::kIpv4;
  return (is4 ? text : "[" + text + "]") + ":" + std::to_string(port);
}

}  // namespace natrix::model
