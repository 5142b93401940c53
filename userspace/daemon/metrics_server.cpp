// SPDX-License-Identifier: Apache-2.0
#include "userspace/daemon/metrics_server.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <cstring>
#include <exception>
#include <string>
#include <utility>
#include <vector>

#include "userspace/base/unique_fd.h"

namespace natrix::daemon {
namespace {

using model::Endpoint;
using prometheus::Exposer;

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;
};

SocketAddress ToSocketAddress(const Endpoint& where) {
  SocketAddress out;
  if (where.address.family() == model::Family::kIpv4) {
    sockaddr_in in{};
    in.sin_family = AF_INET;
    in.sin_port = htons(where.port);
    std::memcpy(&in.sin_addr, where.address.bytes.byte + 12, sizeof(in.sin_addr));
    std::memcpy(&out.storage, &in, sizeof(in));
    out.size = sizeof(in);
  } else {
    sockaddr_in6 in{};
    in.sin6_family = AF_INET6;
    in.sin6_port = htons(where.port);
    std::memcpy(&in.sin6_addr, where.address.bytes.byte, sizeof(in.sin6_addr));
    std::memcpy(&out.storage, &in, sizeof(in));
    out.size = sizeof(in);
  }
  return out;
}

// The library only says that it could not; this says why.
Result<> TryToListen(const Endpoint& where) {
  const SocketAddress address = ToSocketAddress(where);
  const UniqueFd fd(socket(address.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int on = 1;
  if (!fd || setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
      (address.storage.ss_family == AF_INET6 &&
       setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) != 0) ||
      bind(fd.get(), reinterpret_cast<const sockaddr*>(&address.storage), address.size) != 0 ||
      listen(fd.get(), 1) != 0)
    return Fail(errno, "metrics.listen " + where.ToString());
  return {};
}

Result<std::unique_ptr<Exposer>> Open(const Endpoint& where) {
  if (auto tried = TryToListen(where); !tried) return std::unexpected(std::move(tried).error());
  try {
    // A scraper and a curious person; one that says nothing is let go after five seconds.
    return std::make_unique<Exposer>(std::vector<std::string>{
        "listening_ports", where.ToString(), "num_threads", "2", "request_timeout_ms", "5000"});
  } catch (const std::exception& error) {
    return Fail("metrics.listen " + where.ToString() + ": " + error.what());
  }
}

}  // namespace

Result<> MetricsServer::Listen(const std::optional<Endpoint>& where) {
  if (where == where_) return {};
  if (!where) {
    Take(nullptr, where);
    return {};
  }
  auto exposer = Open(*where);
  if (!exposer && where_ && where_->port == where->port) {
    // Perhaps it is we who are in the way: 0.0.0.0 takes the port of 127.0.0.1, too.
    const std::optional<Endpoint> before = where_;
    Take(nullptr, std::nullopt);
    exposer = Open(*where);
    if (!exposer)
      if (auto back = Open(*before)) Take(*std::move(back), before);
  }
  if (!exposer) return std::unexpected(std::move(exposer).error());
  Take(*std::move(exposer), where);
  return {};
}

void MetricsServer::Answer(std::shared_ptr<prometheus::Collectable> with) {
  if (exposer_ && answer_) exposer_->RemoveCollectable(answer_);
  answer_ = std::move(with);
  if (exposer_ && answer_) exposer_->RegisterCollectable(answer_);
}

void MetricsServer::Take(std::unique_ptr<Exposer> exposer, const std::optional<Endpoint>& where) {
  exposer_ = std::move(exposer);
  where_ = where;
  if (exposer_ && answer_) exposer_->RegisterCollectable(answer_);
}

}  // namespace natrix::daemon
