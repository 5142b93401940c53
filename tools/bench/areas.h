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
// Established packets under ten and under thousands of prefixes, policies and Services.
void MeasureGrowth(const Options& options, Results& results);
// How long a large configuration takes until it is in force.
void MeasureLoads(const Options& options, Results& results);
// What one endpoint's change costs, and does to the packets meanwhile.
void MeasureChanges(const Options& options, Results& results);
// Established flows while the table is full and new ones keep coming.
void MeasureFlood(const Options& options, Results& results);
// Real sockets: connections, requests, bulk.
void MeasureTcp(const Options& options, Results& results);

}  // namespace natrix::bench
