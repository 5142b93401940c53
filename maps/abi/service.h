/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once

#include "maps/abi/addr.h"
#include "maps/abi/flow.h"

/* Services: what kube-proxy's chains KUBE-SERVICES to KUBE-SEP decide about the
 * first packet of a connection (facts/kube-proxy-calico.md 1.2).  All maps are
 * left and right but nx_affinity, the clients' state; readers:
 * bpf/stage/service.h and bpf/stage/call.h, new flows and calls only.
 * So are the host ports of containers, which are called as NodePorts are:
 * chains CNI-HOSTPORT-DNAT and DOCKER (3.1, 3.2).
 *
 * A *Service port* is one port of one Service in one family.  It has a number,
 * which natrixd gives it, and may be called at several addresses: its
 * ClusterIP, external and load balancer IPs, and as NodePort.
 */
#define NX_MAX_SERVICES 131072 /* addresses that are called */
#define NX_MAX_SERVICE_PORTS 65536
#define NX_MAX_BACKENDS 524288 /* endpoints in lists */
#define NX_MAX_SOURCE_RANGES 65536

/* Where one is called: maps `nx_service_left` and `nx_service_right`, hashes.
 * A NodePort's address is the family's "any": it is called at all addresses
 * that are the node's own.  So is a host port's; one with a hostIP has that,
 * and is called there while it is the node's own.
 */
struct nx_service_key {
	struct nx_addr addr; /* NodePort: ::ffff:0.0.0.0 or :: */
	__be16 port;
	enum nx_l4 proto;
	__u8 pad;
};
NX_ABI_SIZE(nx_service_key, 20);

enum nx_service_flags {
	/* Called from outside the cluster: KUBE-EXT, else KUBE-SVC or -SVL. */
	NX_SERVICE_EXTERNAL = 1,
	/* Its policy (external or internal) is Local: this node's endpoints. */
	NX_SERVICE_LOCAL = 2,
	/* Only sources in nx_source may call: KUBE-FW. */
	NX_SERVICE_SOURCES = 4,
	/* A client keeps its endpoint: sessionAffinity ClientIP. */
	NX_SERVICE_AFFINITY = 8,
	/* Without an endpoint here: others have one, so that it is dropped
	 * (Local policy) and not refused.
	 */
	NX_SERVICE_ELSEWHERE = 16,
	/* With NX_SERVICE_SOURCES: an address of this node's is among them. */
	NX_SERVICE_NODE_MAY = 32,
	/* A container's host port, of its one endpoint.  What is in nx_source
	 * is masqueraded, and NX_SERVICE_SOURCES says that anything is.
	 */
	NX_SERVICE_HOST_PORT = 64,
	/* A host port that the node's own processes call at 127.0.0.1, too. */
	NX_SERVICE_LOOPBACK = 128,
} __attribute__((packed));

/* What an address is of the Service: for looking, and of host ports. */
enum nx_service_kind {
	NX_SERVICE_CLUSTER_IP,
	NX_SERVICE_EXTERNAL_IP,
	NX_SERVICE_LOAD_BALANCER,
	NX_SERVICE_NODE_PORT,
	NX_SERVICE_PORTMAP, /* CNI portmap's */
	NX_SERVICE_DOCKER,
	/* Not called at all: a container's own address and port that Docker
	 * publishes, masquerades when it reached itself there, and lets be
	 * reached from elsewhere.  With HOST_PORT.
	 */
	NX_SERVICE_PUBLISHED,
} __attribute__((packed));

#define NX_NOT_FROM_BRIDGES 0x80 /* nx_service.not_from: none of them all */

struct nx_service {
	__u32 number;	/* of the Service port; never 0 */
	__u32 affinity; /* jiffies that a client's choice lasts */
	__u16 all;	/* endpoints that the Cluster policy may choose */
	__u16 local;	/* that the Local policy may */
	enum nx_service_flags flags;
	enum nx_service_kind kind;
	__u8 not_from;	 /* bridge whose own calls are not for it; 0: none */
	__u8 consistent; /* 1: its lists have an nx_table */
};
NX_ABI_SIZE(nx_service, 16);

/* Whose a number is: map `nx_service_name`, hash, nx_service.number (__u32) ->
 * struct nx_service_name.  One for both sides, for looking only; longer names
 * are cut.  Reader: `natrix services`.
 */
struct nx_service_name {
	char name_space[64];
	char name[64];
	char port[64]; /* empty: its only port has no name */
};
NX_ABI_SIZE(nx_service_name, 192);

/* Its endpoints, in blocks, of which few are written sooner than many entries:
 * maps `nx_backend_left` and `nx_backend_right`, hashes, struct nx_backend_key
 * -> struct nx_backend_block.  The indices of a list are 0 to nx_service.all -
 * 1 or .local - 1; what is behind them in the last block is all 0.
 */
#define NX_BACKEND_BLOCK 4
/* Each list has one block that is not full. */
#define NX_MAX_BACKEND_BLOCKS \
	(NX_MAX_BACKENDS / NX_BACKEND_BLOCK + 2 * NX_MAX_SERVICE_PORTS)

enum nx_backend_list {
	NX_BACKENDS_ALL,
	NX_BACKENDS_LOCAL,
} __attribute__((packed));

struct nx_backend_key {
	__u32 service; /* nx_service.number */
	__u16 block;   /* index / NX_BACKEND_BLOCK */
	enum nx_backend_list list;
	__u8 pad;
};
NX_ABI_SIZE(nx_backend_key, 8);

struct nx_backend {
	struct nx_addr addr;
	__be16 port;
	__u8 pad[2];
};
NX_ABI_SIZE(nx_backend, 20);

struct nx_backend_block {
	struct nx_backend at[NX_BACKEND_BLOCK];
};
NX_ABI_SIZE(nx_backend_block, 80);

/* `loadBalancing: maglev`: which of a list's endpoints a flow gets, by its
 * hash (Eisenbud et al., Maglev, NSDI 2016, section 3.4).  A table of so many
 * slots, a prime, in blocks: maps `nx_table_left` and `nx_table_right`, hashes.
 */
#define NX_TABLE_SLOTS 16381
#define NX_TABLE_BLOCK 256 /* slots of a block; of the last one 253 are used */
#define NX_MAX_TABLES 1024 /* lists that have one */

struct nx_table_key {
	__u32 service; /* nx_service.number */
	__u16 block;   /* slot / NX_TABLE_BLOCK */
	enum nx_backend_list list;
	__u8 pad;
};
NX_ABI_SIZE(nx_table_key, 8);

struct nx_table {
	__u16 index[NX_TABLE_BLOCK]; /* nx_backend's */
};
NX_ABI_SIZE(nx_table, 512);

/* loadBalancerSourceRanges: maps `nx_source_left` and `nx_source_right`,
 * tries.  `length` counts the 32 bits of `service`, then the address's.
 */
struct nx_source_key {
	__u32 length;
	__u32 service; /* nx_service.number */
	struct nx_addr addr;
};
NX_ABI_SIZE(nx_source_key, 24);

struct nx_source {
	__u8 present; /* 1 */
};
NX_ABI_SIZE(nx_source, 1);

/* Which endpoint a client has: map `nx_affinity`, lru_hash, one for both
 * sides.  An endpoint that is not in the list any more is not used.
 * Writers: bpf/stage/service.h, bpf/stage/call.h.
 */
struct nx_affinity_key {
	struct nx_addr client;
	__u32 service; /* nx_service.number */
};
NX_ABI_SIZE(nx_affinity_key, 20);

struct nx_affinity {
	struct nx_addr addr; /* of the endpoint */
	__be16 port;
	__u16 index; /* where in its list it was: where to look first */
	__u32 seen;  /* jiffies, low 32 bits, of its last new flow */
};
NX_ABI_SIZE(nx_affinity, 24);

/* Whether kube-proxy's "local detector" takes a packet for one of the
 * cluster's own: nx_config.detect.  KUBE-MARK-MASQ of a ClusterIP is for the
 * others.
 */
enum nx_detect {
	NX_DETECT_NONE,	  /* no such rule at all */
	NX_DETECT_PREFIX, /* nx_net.cluster: ClusterCIDR, NodeCIDR */
	NX_DETECT_DEVICE, /* nx_device.cluster: the device it came in by */
} __attribute__((packed));
