/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once

#include "maps/abi/addr.h"

/* Source ports that a flow may be given, host byte order; `first` 0: no such
 * demand.
 */
struct nx_port_span {
	__u16 first;
	__u16 last;
};
NX_ABI_SIZE(nx_port_span, 4);

/* Calico's cali-nat-outgoing, the tunnels of cali-POSTROUTING, and whether
 * there are floating IPs: nx_config.calico.  Which addresses are asked for is in nx_net, which devices
 * in nx_device.
 */
struct nx_calico {
	struct nx_addr nat4; /* natOutgoingAddress; all 0: the device's */
	struct nx_addr nat6;
	struct nx_port_span ports;	  /* natPortRange, of TCP and UDP */
	struct nx_port_span tunnel_ports; /* of UDP, beside the VXLAN port */
	__u8 present;			  /* 1: Calico's sets are there */
	__u8 tunnels;			  /* 1: there may be tunnels */
	__u8 floating_ips;		  /* 1: nx_fip has external ones */
	__u8 pad;
};
NX_ABI_SIZE(nx_calico, 44);
NX_ABI_FIELD(nx_calico, ports, 32);
