/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once

#include "maps/abi/addr.h"
#include "maps/abi/flow.h"

/* kube-proxy's sets of ports, when it runs in IPVS mode: maps `nx_ports_left`
 * and `nx_ports_right`, hashes.  Readers: bpf/stage/mark.h, new flows only.
 */
enum nx_port_set {
	NX_PORTS_CLUSTER_IP, /* KUBE-CLUSTER-IP: address, protocol, port */
	NX_PORTS_LOCAL,	     /* KUBE-NODE-PORT-LOCAL-TCP, -UDP: no address */
} __attribute__((packed));

struct nx_port_key {
	struct nx_addr addr; /* all 0 in NX_PORTS_LOCAL */
	__be16 port;
	enum nx_l4 proto;
	enum nx_port_set set;
};
NX_ABI_SIZE(nx_port_key, 20);

struct nx_port_member {
	__u8 present; /* 1 */
};
NX_ABI_SIZE(nx_port_member, 1);

#define NX_MAX_PORTS 65536
