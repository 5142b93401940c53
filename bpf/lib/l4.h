/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once

#include "bpf/lib/packet.h"

/* Where transport headers keep what a translation changes. */

/* Which end of a packet. */
enum nx_end {
	NX_SRC,
	NX_DST,
};

/* Where the transport checksum lies in its header, and whether it covers the
 * pseudo header.  False: no checksum that an address or port change touches.
 */
static __always_inline bool l4_check_at(__u8 proto, __u32 *at, bool *pseudo)
{
	*pseudo = true;
	switch (proto) {
	case NX_L4_TCP:
		*at = 16;
		return true;
	case NX_L4_UDP:
	case NX_L4_UDPLITE:
		*at = 6;
		return true;
	case NX_L4_ICMPV6:
		*at = 2;
		return true;
	case NX_L4_ICMP:
		*at = 2;
		*pseudo = false;
		return true;
	}
	return false;
}

/* Offset in the transport header of what nx_tuple calls this end's port. */
static __always_inline __u32 port_at(__u8 proto, enum nx_end end)
{
	if (proto == NX_L4_ICMP || proto == NX_L4_ICMPV6)
		return 4; /* the identifier, whichever side it is */
	return end == NX_SRC ? 0 : 2;
}
