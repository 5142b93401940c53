// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "userspace/compile/services.h"

namespace natrix::compile {

// All but `numbers` is made of `service`.
ServicePart MakeServicePart(const model::Shared<model::Service>& service,
                            std::vector<std::array<std::uint32_t, 2>> numbers,
                            const ServiceNode& node);

// Whether an address stands for all of the node's.
bool IsAny(const model::Address& address);

// Whether a family's NodePorts are at all addresses of the node: kube-proxy takes a list without
// one of that family so.
bool AtAnyAddress(const std::vector<model::Prefix>& node_port_addresses, model::Family family);

}  // namespace natrix::compile
