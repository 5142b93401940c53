// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <prometheus/collectable.h>
#include <prometheus/exposer.h>

#include <memory>
#include <optional>

#include "userspace/base/result.h"
#include "userspace/model/config.h"

namespace natrix::daemon {

// Answers GET /metrics from threads of its own; its methods are for one thread.
class MetricsServer {
 public:
  // Listens there and nowhere else; nullopt: nowhere.  On an error all is as before.
  Result<> Listen(const std::optional<model::Endpoint>& where);
  // What the answer is made of from now on; until then there is none (404).
  void Answer(std::shared_ptr<prometheus::Collectable> with);

 private:
  // Puts `exposer` in the place of the one there is.
  void Take(std::unique_ptr<prometheus::Exposer> exposer,
            const std::optional<model::Endpoint>& where);

  std::optional<model::Endpoint> where_;
  std::shared_ptr<prometheus::Collectable> answer_;
  std::unique_ptr<prometheus::Exposer> exposer_;  // its threads end before answer_ goes
};

}  // namespace natrix::daemon
