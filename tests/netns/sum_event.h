/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once

#include <linux/types.h>

#define SUM_EVENT_BYTES 2048

/* One packet that arrived with CHECKSUM_COMPLETE: ring buffer `events` of
 * sum_witness.bpf.c.  Reader: tests/netns/traffic_sums.cpp.  Host byte order.
 */
struct sum_event {
  __u32 csum;   /* skb->csum, not folded */
  __u32 length; /* bytes of the frame; more than SUM_EVENT_BYTES: not here */
  __u8 frame[SUM_EVENT_BYTES];
};
