// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "userspace/base/netlink.h"
#include "userspace/base/result.h"
#include "userspace/shim/routing.h"

// The kernel's policy routing, in the network namespace of the calling thread.
namespace natrix::shim {

// What is there of ours.  Routes of one table, or, which has the kernel walk all of them, of
// every table.
Result<Routing> ReadRouting(std::optional<std::uint32_t> table);

// In the order of RoutingEdits.  What is there already, or gone already, is no error.
Result<> ApplyEdits(const RoutingEdits& edits);

// Takes all of ours away.  Returns how many rules and routes there were.
Result<std::size_t> RemoveRouting();

// A socket that wakes up when a rule, or a route of ours, is removed, and for nothing else: a
// node that speaks BGP has a million routes come and go.
Result<Netlink> WatchRouting();

}  // namespace natrix::shim
