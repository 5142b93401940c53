/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once

#include "maps/abi/addr.h"

enum nx_device_role {
	NX_DEVICE_UPLINK, /* towards the physical network */
	NX_DEVICE_POD,	  /* towards pods: its marks are not trusted */
} __attribute__((packed));

#define NX_DEVICE_ADDRS 4

/* Bit of nx_device.cluster, ->nat_outgoing and ->tunnel* under one copy of the
 * configuration: devices have one copy, and what it says of them is not to
 * change before the rest does.
 */
#define NX_DEVICE_SIDE(side) (1 << ((side) & 1))

/* nx_device.bridge: the number of its network (nx_net.network), and whether
 * there is no userland proxy.
 */
#define NX_BRIDGE_NUMBER 0x7f
#define NX_BRIDGE_NO_PROXY 0x80

/* Bits of nx_device.ways: the short cut (maps/abi/way.h). */
#define NX_DEVICE_STRAIGHT 1	 /* a frame is all its transmission asks for */
#define NX_DEVICE_PEER 2	 /* a veth into another namespace, no qdisc */
#define NX_DEVICE_NO_SHORT_CUT 4 /* fastPath: off, for what comes or leaves */
/* Its driver sends frames that XDP gives it: of another device, of more than
 * one buffer, and back out of the device they came by.
 */
#define NX_DEVICE_XDP_OUT 8
#define NX_DEVICE_XDP_FRAGS 16
#define NX_DEVICE_XDP_BACK 32
#define NX_DEVICE_BARE 64 /* no link-layer header: the programs for that */

/* One address that MASQUERADE may pick on a device. */
struct nx_device_addr {
	struct nx_addr addr;
	__u32 length; /* on-link prefix, bits of the 16-byte form; 0: no entry */
};
NX_ABI_SIZE(nx_device_addr, 20);

/* A managed device: map `nx_device`, hash, ifindex (__u32) -> struct nx_device.
 *
 * Primary addresses in the kernel's order, secondaries left out; for IPv6 the
 * ones source address selection would not avoid (RFC 6724 rules 2, 3).
 * Writer: natrixd, from rtnetlink.  Readers: bpf/stage/snat.h, new flows only;
 * bpf/hook/driver.h.
 */
struct nx_device {
	char name[16];
	enum nx_device_role role;
	__u8 cluster;	   /* what comes in by it is the cluster's own: bits */
	__u8 bridge[2];	   /* Docker's, under either copy: NX_BRIDGE_*; or 0 */
	__u8 nat_outgoing; /* Calico's natOutgoing is asked there: bits */
	__u8 tunnel4;	   /* one of Calico's tunnels, for IPv4: bits */
	__u8 tunnel6;
	__u8 ways;   /* NX_DEVICE_*: bits */
	__u32 mtu;   /* the device's, or the smallest of routes by it */
	__u8 mac[6]; /* frames for this node carry it; 0: XDP is not on it */
	__u8 pad[2];
	struct nx_device_addr addr4[NX_DEVICE_ADDRS];
	struct nx_device_addr addr6[NX_DEVICE_ADDRS];
};
NX_ABI_SIZE(nx_device, 196);
NX_ABI_FIELD(nx_device, addr4, 36);

/* The node's own addresses (addrtype LOCAL): map `nx_local`, hash,
 * struct nx_addr -> struct nx_local.
 */
struct nx_local {
	__u32 ifindex;
};
NX_ABI_SIZE(nx_local, 4);
