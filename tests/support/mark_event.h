/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once

#include <linux/types.h>

#define MARK_EVENT_BYTES 144
#define MARK_EVENT_ETHERNET 14 /* of these, its header */

/* One packet as it left: ring buffer `events` of mark_witness.bpf.c.  Writer:
 * the witness.  Reader: tests/support/mark_witness.cpp.  Host byte order.
 */
struct mark_event {
  __u32 netns;
  __u32 ifindex;
  __u32 mark;
  __u32 length;                 /* bytes of `frame` that are there */
  __u8 frame[MARK_EVENT_BYTES]; /* from the Ethernet header on */
};
