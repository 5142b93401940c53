// SPDX-License-Identifier: Apache-2.0
#include "tests/netns/traffic_web.h"

#include <microhttpd.h>

#include <utility>

#include "tests/support/setup_error.h"

namespace natrix::netns {
namespace {

MHD_Result Answer(void* line, MHD_Connection* connection, const char*, const char*, const char*,
                  const char*, std::size_t*, void**) {
  auto& text = *static_cast<std::string*>(line);
  MHD_Response* response =
      MHD_create_response_from_buffer(text.size(), text.data(), MHD_RESPMEM_PERSISTENT);
  if (response == nullptr) return MHD_NO;
  MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
  const MHD_Result queued = MHD_queue_response(connection, MHD_HTTP_OK, response);
  MHD_destroy_response(response);
  return queued;
}

}  // namespace

WebServer::WebServer(const support::Namespace& ns, const Point& local, std::string line)
    : line_(std::make_unique<std::string>(std::move(line) + "\n")) {
  UniqueFd listener = Listen(ns, local);
  daemon_.reset(MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD, 0, nullptr, nullptr, Answer,
                                 line_.get(), MHD_OPTION_LISTEN_SOCKET, listener.get(),
                                 MHD_OPTION_END));
  if (!daemon_) throw support::SetupError("cannot start a web server at " + ToString(local));
  (void)listener.Release();  // the server's from now on
}

void WebServer::Stop::operator()(MHD_Daemon* daemon) const { MHD_stop_daemon(daemon); }

}  // namespace natrix::netns
