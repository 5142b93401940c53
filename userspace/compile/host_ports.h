// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "userspace/compile/services.h"

namespace natrix::compile {

// A container's host ports as a Service, which they are nearly: called as NodePorts are, with one
// endpoint.  In namespaces that Kubernetes has no name for: "hostPorts", "docker:docker0".
std::vector<model::Shared<model::Service>> HostPortServices(const model::Config& config);

// The entries of such a Service's part.
void AddHostPorts(ServicePart& part);

}  // namespace natrix::compile
