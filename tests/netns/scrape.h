// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "tests/support/namespace.h"
#include "userspace/base/unique_fd.h"

namespace natrix::netns {

// A listener of `ns` that accepts nobody.
UniqueFd ListenTcp(const support::Namespace& ns, const std::string& address, std::uint16_t port);
// No fd when it is refused.
UniqueFd ConnectTcp(const support::Namespace& ns, const std::string& address, std::uint16_t port);

// What an HTTP server answered; status 0: nobody listens there.
struct HttpAnswer {
  int status = 0;
  std::string body;
};
HttpAnswer Get(const support::Namespace& ns, const std::string& address, std::uint16_t port,
               const std::string& path = "/metrics");

// Samples by name and labels as they are written: `natrix_flows{table="nx_flow"}`.
using Samples = std::map<std::string, double>;
// Throws SetupError when there is no good answer.
Samples Scrape(const support::Namespace& ns, const std::string& address = "127.0.0.1",
               std::uint16_t port = 9188);

}  // namespace natrix::netns
