// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>

#include "maps/abi/set.h"
#include "userspace/compile/nest.h"
#include "userspace/model/config.h"
#include "userspace/model/host.h"

namespace natrix::compile {

// Numbers of networks whose containers are masqueraded outside: Docker's bridges in their order,
// from 1, then those of CNI's ipMasq.  A change of the configuration may change them all.
std::uint8_t BridgeNumber(std::size_t bridge);
// nx_device.bridge of a device, one of Docker's bridges or a port of one; 0: neither.
std::uint8_t BridgeOf(const model::Docker& docker, const model::Device& device);

// nx_config.networks.
std::uint8_t NetworksOf(const model::Docker& docker);

// What nx_net holds of them, prefixes as they were written.
void AddNetworks(const model::Config& config, ByPrefix<nx_net>& written);

}  // namespace natrix::compile
