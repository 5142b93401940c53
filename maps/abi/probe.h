/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once

#include "maps/abi/addr.h"

/* Kubelet probes of pods that the node cannot reach (pods of a custom VPC), which a
 * proxy on the node takes over: map `nx_probe`, hash, struct nx_probe_key ->
 * struct nx_probe.  Stands for Kube-OVN's rules in OVN-OUTPUT and
 * OVN-PREROUTING of the mangle table.
 *
 * An entry says all that the datapath has to know about it, so that it
 * changes as a whole, and one copy of the map will do.
 *
 * Writer: natrixd.  Readers: bpf/stage/steer.h, bpf/stage/proxy.h.
 */
struct nx_probe_key {
	struct nx_addr pod;
	__be16 port;
	__u16 pad;
};
NX_ABI_SIZE(nx_probe_key, 20);
NX_ABI_FIELD(nx_probe_key, port, 16);

struct nx_probe {
	struct nx_addr proxy; /* where the proxy listens; the pod's family */
	__be16 proxy_port;
	__u16 pad;
	/* Bits set, each its own mask: in the socket before it is routed
	 * (0x90003), in the packet that is given to the proxy (0x90004).
	 */
	__u32 mark_output;
	__u32 mark_prerouting;
};
NX_ABI_SIZE(nx_probe, 28);
NX_ABI_FIELD(nx_probe, proxy_port, 16);
NX_ABI_FIELD(nx_probe, mark_output, 20);

/* How many entries nx_probe holds. */
#define NX_MAX_PROBES 16384
