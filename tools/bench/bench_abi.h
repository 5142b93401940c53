/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once

#include <linux/types.h>

/* What natrix_bench and its BPF programs tell each other: globals and one map of
 * bench.bpf.c.  Numbers are in host byte order unless their type says otherwise.
 */

#define BENCH_FRAME_V4 64
#define BENCH_FRAME_V6 80

/* The packets to make: a template and what is different in each of them.  Flow n
 * has source port sport + (n & port_mask), and in the last two bytes of its
 * addresses src_low + (n >> src_shift & src_mask), dst_low + (n >> dst_shift & dst_mask).
 */
struct bench_order {
  __u64 made;  /* packets so far; written by the generator */
  __u32 at;    /* the next flow's number; written by the generator */
  __u32 flows; /* numbers from 0 to below it, in turn; 0: none twice */
  __u32 every; /* each of that many packets is of a new flow instead; 0: none */
  __u32 fresh; /* such a flow's number; written by the generator */
  __u32 port_mask;
  __u32 src_shift;
  __u32 src_mask;
  __u32 dst_shift;
  __u32 dst_mask;
  __u32 ip_sum;  /* of the IPv4 header without what is different; unfolded */
  __u32 udp_sum; /* of pseudo header and datagram, likewise */
  __u16 sport;
  __u16 src_low;
  __u16 dst_low;
  __u8 is_v6;
  __u8 pad[5];
  __u8 frame[BENCH_FRAME_V6]; /* both checksums 0 */
};

/* New flows amid others go to addresses of the upper half, BENCH_FRESH_LOW + (fresh >> 12 & 0x3ff).
 */
#define BENCH_FRESH_LOW 0x8000

/* What a packet must look like where it arrives.  An IPv4 address is the second
 * half's first four bytes, the rest 0.
 */
struct bench_wanted {
  __be64 src[2];
  __be64 src_mask[2];
  __be64 dst[2];
  __be64 dst_mask[2];
  __u8 echo; /* send it back, addresses and ports exchanged */
  __u8 pad[7];
};

enum bench_place {
  BENCH_NEAR, /* behind the pod device */
  BENCH_FAR,  /* behind the uplink */
  BENCH_POD,  /* in a pod's own namespace */
  BENCH_PLACES,
};

/* Arrivals: per-CPU array `bench_seen`, index enum bench_place. */
struct bench_seen {
  __u64 right;   /* as wanted */
  __u64 wrong;   /* ours with other addresses */
  __u64 bad_sum; /* UDP checksum wrong; one of 64 is looked at */
  __u64 other;   /* nothing that the generator made */
};
