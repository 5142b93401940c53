// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "tools/bench/comparison.h"

// What is measured, area by area.  Each appends its cases to the results.
namespace natrix::bench {

// Established and new flows, masqueraded; and what is none of ours.
void MeasureMasquerade(const Options& options, Results& results);
// Calls of a Service whose endpoint is a pod of this node.
void MeasurePod(const Options& options, Results& results);
// First packets to one of many Services.
void MeasureServices(const Options& options, Results& results);

}  // namespace natrix::bench
