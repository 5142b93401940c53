/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once

#include "maps/abi/addr.h"
#include "maps/abi/flow.h"
#include "maps/abi/outgoing.h"
#include "maps/abi/service.h"
#include "maps/abi/socket.h"

/* Which copy of the configuration is in force: map `nx_generation`, array of
 * one.  The low bit is the index into nx_config, and chooses between all maps
 * that are left and right; a packet reads it once and is judged wholly by that
 * copy.
 *
 * Writer: natrixd, after it has filled the idle copy.
 */
struct nx_generation {
	__u32 number;
};
NX_ABI_SIZE(nx_generation, 4);

enum nx_port_choice {
	NX_PORT_KEEP,	/* the original port if it is free (MASQUERADE) */
	NX_PORT_RANDOM, /* never the original one (--random-fully) */
} __attribute__((packed));

/* How kube-proxy in IPVS mode drops who may not call a load balancer's IP. */
enum nx_ranges {
	NX_RANGES_NONE,	  /* KUBE-LOAD-BALANCER-FW is empty */
	NX_RANGES_FILTER, /* by filter KUBE-PROXY-FIREWALL */
	NX_RANGES_MARK,	  /* nat KUBE-FIREWALL marks: mark_drop */
} __attribute__((packed));

/* Who is called at nx_service's addresses. */
#define NX_ASK_SERVICES 1   /* Services, and perhaps host ports */
#define NX_ASK_HOST_PORTS 2 /* host ports only, or networks' own flows */

/* Bits of nx_config.networks; not 0: Docker has bridges (nx_device.bridge). */
#define NX_NETWORKS 1
#define NX_NETWORKS_ISOLATED 2 /* one does not get to another: Docker <= 27 */
#define NX_NETWORKS_CLOSED 4   /* from elsewhere only published ports: >= 28 */
#define NX_NETWORKS_GUARDED 8  /* nx_net.guarded is somebody's */

/* Scalars of one configuration: map `nx_config`, array of two (left, right).
 * All numbers in host byte order.
 */
struct nx_config {
	__u32 hz;		       /* jiffies per second of this kernel */
	__u32 timeout[NX_STATE_COUNT]; /* jiffies */
	__u32 mark_masquerade;	       /* 0x4000, as kube-proxy's */
	__u32 mark_local;	   /* 0x80000, externalTrafficPolicy Local */
	__u32 mark_policy_nat;	   /* 0x90001 */
	__u32 mark_policy_forward; /* 0x90002 */
	__u32 mark_untrusted;	   /* bits cleared from what pods send */
	__u16 ephemeral_min;	   /* ip_local_port_range */
	__u16 ephemeral_max;
	struct nx_addr node4; /* what R1 translates to; all 0: none */
	struct nx_addr node6;
	struct nx_calico calico;
	enum nx_port_choice port_choice;
	__u8 ipvs; /* 1: kube-proxy's sets of IPVS mode are there */
	__u8 ovn;  /* 1: Kube-OVN's chains stand before kube-proxy's */
	enum nx_detect detect; /* kube-proxy's local detector */
	__u8 services; /* not 0: ask nx_service, keep all flows: NX_ASK_* */
	__u8 masquerade_all;	   /* 1: whoever calls a ClusterIP */
	__u8 node_ports;	   /* 1: NodePorts at any local address */
	__u8 localhost_node_ports; /* 1: at 127.0.0.1 for its own processes */
	enum nx_sockets sockets;   /* whose calls of Services are theirs */
	__u8 networks;		   /* NX_NETWORKS_* */
	__u8 loop_back;		   /* 1: nx_loop has members */
	enum nx_ranges ranges;
	__u32 mark_host_port; /* 0x2000, as CNI portmap's */
	__u32 mark_drop;      /* 0x8000, as kubelet's; 0: nobody drops by it */
	__u8 drop_invalid;    /* 1: KUBE-FORWARD drops what is INVALID */
	__u8 ipvs_filter;     /* 1: KUBE-IPVS-IPS has members */
	__u8 pad[2];
};
NX_ABI_FIELD(nx_config, mark_masquerade, 68);
NX_ABI_FIELD(nx_config, node4, 92);
NX_ABI_SIZE(nx_config, 192);

/* Source ports that are never given to a flow, whatever the choice: host
 * ports, NodePorts, ip_local_reserved_ports.  Map `nx_port`, array, port / 32
 * -> bitmap, bit port % 32.
 */
struct nx_port_word {
	__u32 reserved;
};
NX_ABI_SIZE(nx_port_word, 4);
#define NX_PORT_WORDS 2048
