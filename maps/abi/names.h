/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once

/* The number of this build's map layout.  Bumped with every change of a struct
 * in maps/abi, of a map's type or of what a field means.
 */
#define NX_LAYOUT 7

/* Where everything is pinned: maps/<map>, progs/<prog>,
 * links/<device>-<ifindex>-<hook> (bpffs refuses dots: eth0.7 is eth0_7 here),
 * links/cgroup-connect4 and so on.
 */
#define NX_PIN_ROOT "/sys/fs/bpf/natrix"

/* tcx programs, one per way through the node. */
#define NX_PROG_POD_INGRESS "nx_pod_in"
#define NX_PROG_UPLINK_INGRESS "nx_uplink_in"
#define NX_PROG_EGRESS "nx_out"
/* On `lo`, of kubelet probes (maps/abi/probe.h). */
#define NX_PROG_LOOPBACK_INGRESS "nx_lo_in"
/* On the root cgroup: what processes call.  The first two are for probes too. */
#define NX_PROG_CONNECT4 "nx_connect4"
#define NX_PROG_CONNECT6 "nx_connect6"
#define NX_PROG_SENDMSG4 "nx_sendmsg4"
#define NX_PROG_SENDMSG6 "nx_sendmsg6"
#define NX_PROG_RECVMSG4 "nx_recvmsg4"
#define NX_PROG_RECVMSG6 "nx_recvmsg6"
#define NX_PROG_PEERNAME4 "nx_peername4"
#define NX_PROG_PEERNAME6 "nx_peername6"
/* Run once by the loader, by BPF_PROG_TEST_RUN: starts the expiry clock, and
 * tells which jiffy it is (retval: low 32 bits).
 */
#define NX_PROG_CLOCK_START "nx_clock_start"
#define NX_PROG_JIFFIES "nx_jiffies"
/* An iterator over nx_peer, for natrixd. */
#define NX_PROG_PEERS "nx_peers"
