// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <spdlog/logger.h>

#include <memory>
#include <string>

namespace natrix::daemon {

// To stderr, one line a record: "2026-01-31T12:00:00.123Z info attach method=tcx".
// `level`: trace, debug, info, warning, error.
std::shared_ptr<spdlog::logger> MakeLogger(const std::string& level);

// Sends libbpf's messages there, as debug records: an error that matters comes back from the call
// that failed.  The logger must live as long as libbpf is used.
void RouteLibbpf(spdlog::logger* logger);

}  // namespace natrix::daemon
