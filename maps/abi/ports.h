/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once

#include "maps/abi/addr.h"
#include "maps/abi/flow.h"

/* kube-proxy's sets, when it runs in IPVS mode (facts/kube-proxy-calico.md 1.4):
 * maps `nx_ports_left` and `nx_ports_right`, hashes.  One lookup answers for
 * all sets of addresses with ports, another one for all sets of ports.
 * Readers: bpf/stage/mark.h, bpf/lib/ports.h, new flows only.
 */
enum nx_port_sets {
	NX_IN_CLUSTER_IP = 1,
	NX_IN_EXTERNAL_IP = 2,
	NX_IN_EXTERNAL_IP_LOCAL = 4,
	NX_IN_LOAD_BALANCER = 8,
	NX_IN_LOAD_BALANCER_LOCAL = 16,
	NX_IN_NODE_PORT = 32, /* TCP and UDP: without address; SCTP: with */
	NX_IN_NODE_PORT_LOCAL = 64,
	NX_IN_LOAD_BALANCER_FW = 128,
	NX_IN_IPVS_IPS = 256, /* any port of any protocol */
	NX_IN_HEALTH_CHECK_NODE_PORT =
		512, /* without address; TCP's, and UDP's */
} __attribute__((packed));

/* What ipset calls them, behind KUBE- or KUBE-6-, up to 31 characters.  Of type hash:ip,port:
 * X(bit, name); of type bitmap:port: X(bit, name, protocol); of type hash:ip: X(bit, name).
 */
#define NX_IP_PORT_SETS(X)                                  \
	X(NX_IN_CLUSTER_IP, "CLUSTER-IP")                   \
	X(NX_IN_EXTERNAL_IP, "EXTERNAL-IP")                 \
	X(NX_IN_EXTERNAL_IP_LOCAL, "EXTERNAL-IP-LOCAL")     \
	X(NX_IN_LOAD_BALANCER, "LOAD-BALANCER")             \
	X(NX_IN_LOAD_BALANCER_LOCAL, "LOAD-BALANCER-LOCAL") \
	X(NX_IN_LOAD_BALANCER_FW, "LOAD-BALANCER-FW")       \
	X(NX_IN_NODE_PORT, "NODE-PORT-SCTP-HASH")           \
	X(NX_IN_NODE_PORT_LOCAL, "NODE-PORT-LOCAL-SCTP-HASH")
#define NX_BARE_PORT_SETS(X)                                       \
	X(NX_IN_NODE_PORT, "NODE-PORT-TCP", NX_L4_TCP)             \
	X(NX_IN_NODE_PORT, "NODE-PORT-UDP", NX_L4_UDP)             \
	X(NX_IN_NODE_PORT_LOCAL, "NODE-PORT-LOCAL-TCP", NX_L4_TCP) \
	X(NX_IN_NODE_PORT_LOCAL, "NODE-PORT-LOCAL-UDP", NX_L4_UDP) \
	X(NX_IN_HEALTH_CHECK_NODE_PORT, "HEALTH-CHECK-NODE-PORT", NX_L4_TCP)
#define NX_IP_SETS(X) X(NX_IN_IPVS_IPS, "IPVS-IPS")

struct nx_port_key {
	struct nx_addr addr; /* all 0 of a port without address */
	__be16 port; /* 0, and proto: any; NX_IN_LOAD_BALANCER_FW, _IPVS_IPS */
	enum nx_l4 proto;
	__u8 pad;
};
NX_ABI_SIZE(nx_port_key, 20);

struct nx_port_member {
	enum nx_port_sets sets; /* that hold it; never 0 */
};
NX_ABI_SIZE(nx_port_member, 2);

#define NX_MAX_PORTS 65536

#define NX_LOOP_SET "LOOP-BACK"

/* KUBE-LOOP-BACK, hash:ip,port,ip as dst,dst,src: who reached itself through
 * IPVS.  Maps `nx_loop_left` and `nx_loop_right`, hashes; nobody asks while
 * nx_config.loop_back is 0.  Reader: bpf/stage/snat.h.
 */
struct nx_loop_key {
	struct nx_addr dst; /* the endpoint */
	struct nx_addr src;
	__be16 port; /* the endpoint's */
	enum nx_l4 proto;
	__u8 pad;
};
NX_ABI_SIZE(nx_loop_key, 36);

struct nx_loop {
	__u8 present; /* 1 */
};
NX_ABI_SIZE(nx_loop, 1);

#define NX_MAX_LOOPS 65536

/* Who may call what is in KUBE-LOAD-BALANCER-FW, two sets that are asked
 * dst,dst,src.  Maps `nx_range_left` and `nx_range_right`, LPM tries; nobody
 * asks while nx_config.ranges is 0.  Reader: bpf/lib/ports.h.
 */
enum nx_range_set {
	NX_RANGE_CIDR,
	NX_RANGE_IP, /* prefixes of full length */
} __attribute__((packed));

/* X(enumerator, name, ipset's type) */
#define NX_RANGE_SETS(X)                                                  \
	X(NX_RANGE_CIDR, "LOAD-BALANCER-SOURCE-CIDR", "hash:ip,port,net") \
	X(NX_RANGE_IP, "LOAD-BALANCER-SOURCE-IP", "hash:ip,port,ip")

struct nx_range_key {
	__u32 length; /* NX_RANGE_KEY_BITS and the source's prefix */
	struct nx_addr dst;
	__be16 port;
	enum nx_l4 proto;
	enum nx_range_set set;
	struct nx_addr src;
};
NX_ABI_SIZE(nx_range_key, 40);
NX_ABI_FIELD(nx_range_key, src, 24);
#define NX_RANGE_KEY_BITS 160 /* all between `length` and `src` */

struct nx_range {
	__u8 present; /* 1 */
};
NX_ABI_SIZE(nx_range, 1);

#define NX_MAX_RANGES 65536
