// SPDX-License-Identifier: Apache-2.0
#include "userspace/daemon/metrics_server.h"

#include <microhttpd.h>
#include <netinet/in.h>
#include <prometheus/text_serializer.h>
#include <sys/socket.h>

#include <cstring>
#include <exception>
#include <string>
#include <string_view>
#include <utility>

#include "userspace/base/unique_fd.h"

namespace natrix::daemon {
namespace {

using model::Endpoint;

// A scraper, a curious person and some who say nothing, for this long.
constexpr unsigned kConnections = 16;
constexpr unsigned kPatienceSeconds = 5;

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

// [::] is all of IPv6 and nothing of IPv4, whatever net.ipv6.bindv6only says.
Result<UniqueFd> OpenListener(const Endpoint& where) {
  const SocketAddress address = ToSocketAddress(where);
  UniqueFd fd(
      socket(address.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP));
  const int on = 1;
  if (!fd || setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
      (address.storage.ss_family == AF_INET6 &&
       setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) != 0) ||
      bind(fd.get(), reinterpret_cast<const sockaddr*>(&address.storage), address.size) != 0 ||
      listen(fd.get(), kConnections) != 0)
    return Fail(errno, "metrics.listen " + where.ToString());
  return fd;
}

MHD_Result Send(MHD_Connection* connection, unsigned status, std::string_view type,
                std::string text) {
  MHD_Response* response =
      MHD_create_response_from_buffer(text.size(), text.data(), MHD_RESPMEM_MUST_COPY);
  if (response == nullptr) return MHD_NO;
  MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, std::string(type).c_str());
  const MHD_Result queued = MHD_queue_response(connection, status, response);
  MHD_destroy_response(response);
  return queued;
}

}  // namespace

struct MetricsServer::Http {
  static MHD_Result Answer(Source& source, MHD_Connection* connection, std::string_view path,
                           std::string_view method) {
    constexpr std::string_view kText = "text/plain; charset=utf-8";
    if (path != "/metrics")
      return Send(connection, MHD_HTTP_NOT_FOUND, kText, "natrixd has /metrics only\n");
    if (method != MHD_HTTP_METHOD_GET && method != MHD_HTTP_METHOD_HEAD)
      return Send(connection, MHD_HTTP_METHOD_NOT_ALLOWED, kText, "GET /metrics\n");
    const auto metrics = [&] {
      const std::lock_guard lock(source.mutex);
      return source.metrics;
    }();
    if (!metrics) return Send(connection, MHD_HTTP_SERVICE_UNAVAILABLE, kText, "not ready\n");
    return Send(connection, MHD_HTTP_OK, "text/plain; version=0.0.4; charset=utf-8",
                prometheus::TextSerializer().Serialize(metrics->Collect()));
  }

  // The library's: called when the header is there, and again when the body is, of which nothing
  // is kept.
  static MHD_Result OnRequest(void* source, MHD_Connection* connection, const char* path,
                              const char* method, const char* /*version*/, const char* /*body*/,
                              std::size_t* body_size, void** request) {
    if (*request == nullptr || *body_size != 0) {
      *request = connection;
      *body_size = 0;
      return MHD_YES;
    }
    try {
      return Answer(*static_cast<Source*>(source), connection, path, method);
    } catch (const std::exception&) {
      return MHD_NO;  // out of memory: the connection is closed
    }
  }
};

void MetricsServer::Stop::operator()(MHD_Daemon* server) const { MHD_stop_daemon(server); }

Result<MetricsServer::Server> MetricsServer::Open(const Endpoint& where) {
  auto listener = OpenListener(where);
  if (!listener) return std::unexpected(std::move(listener).error());
  Server server(MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD, 0, nullptr, nullptr,
                                 &Http::OnRequest, source_.get(), MHD_OPTION_LISTEN_SOCKET,
                                 listener->get(), MHD_OPTION_CONNECTION_LIMIT, kConnections,
                                 MHD_OPTION_CONNECTION_TIMEOUT, kPatienceSeconds, MHD_OPTION_END));
  if (!server) return Fail("metrics.listen " + where.ToString() + ": cannot start a server");
  (void)listener->Release();  // the server closes it
  return server;
}

Result<> MetricsServer::Listen(const std::optional<Endpoint>& where) {
  if (where == where_) return {};
  if (!where) {
    server_.reset();
    where_.reset();
    return {};
  }
  auto server = Open(*where);
  if (!server && where_ && where_->port == where->port) {
    // Perhaps it is we who are in the way: 0.0.0.0 takes the port of 127.0.0.1, too.
    server_.reset();
    server = Open(*where);
    if (!server)
      if (auto back = Open(*where_)) server_ = *std::move(back);
    if (!server && !server_) where_.reset();
  }
  if (!server) return std::unexpected(std::move(server).error());
  server_ = *std::move(server);
  where_ = where;
  return {};
}

void MetricsServer::Answer(std::shared_ptr<const prometheus::Collectable> with) {
  const std::lock_guard lock(source_->mutex);
  source_->metrics = std::move(with);
}

}  // namespace natrix::daemon
