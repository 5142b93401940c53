// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "userspace/compile/services.h"

namespace natrix::compile {

// All but `numbers` is made of `service`.
ServicePart MakeServicePart(const model::Shared<model::Service>& service,
                            std::vector<std::array<std::uint32_t, 2>> numbers,
                            const ServiceNode& node);

}  // namespace natrix::compile
