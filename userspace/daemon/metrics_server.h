// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <prometheus/collectable.h>

#include <memory>
#include <mutex>
#include <optional>

#include "userspace/base/result.h"
#include "userspace/model/config.h"

struct MHD_Daemon;

namespace natrix::daemon {

// Answers GET /metrics from a thread of its own; its methods are for one thread.
class MetricsServer {
 public:
  // Listens there and nowhere else; nullopt: nowhere.  On an error all is as before.
  Result<> Listen(const std::optional<model::Endpoint>& where);
  // What the answer is made of from now on; until then there is none (503).
  void Answer(std::shared_ptr<const prometheus::Collectable> with);

 private:
  // What the thread needs.
  struct Source {
    std::mutex mutex;
    std::shared_ptr<const prometheus::Collectable> metrics;
  };
  struct Stop {
    void operator()(MHD_Daemon* server) const;
  };
  using Server = std::unique_ptr<MHD_Daemon, Stop>;
  struct Http;  // the library's callbacks

  Result<Server> Open(const model::Endpoint& where);

  std::optional<model::Endpoint> where_;
  std::unique_ptr<Source> source_ = std::make_unique<Source>();
  Server server_;  // its thread ends before source_ goes
};

}  // namespace natrix::daemon
