/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once

#include "bpf/lib/packet.h"

/* nf_conntrack's view of TCP without its window tracking: which flag
 * combinations it takes for real, which first segments open a flow, and the
 * states (net/netfilter/nf_conntrack_proto_tcp.c).
 */

/* Flag combinations without PSH, ECE and CWR that exist on a sane wire; any
 * other segment is INVALID.
 */
static __always_inline bool tcp_flags_valid(__u8 flags)
{
	switch (flags & 0x37) { /* URG ACK RST SYN FIN */
	case NX_TCP_SYN:
	case NX_TCP_SYN | 0x20:
	case NX_TCP_SYN | NX_TCP_ACK:
	case NX_TCP_RST:
	case NX_TCP_RST | NX_TCP_ACK:
	case NX_TCP_FIN | NX_TCP_ACK:
	case NX_TCP_FIN | NX_TCP_ACK | 0x20:
	case NX_TCP_ACK:
	case NX_TCP_ACK | 0x20:
		return true;
	default:
		return false;
	}
}

/* What a segment that no flow knows may start.  SYN-ACK, FIN and RST start
 * nothing; a bare ACK is a connection joined in the middle (tcp_loose).
 */
static __always_inline enum nx_opens tcp_opens(__u8 flags)
{
	if (!tcp_flags_valid(flags) || (flags & (NX_TCP_RST | NX_TCP_FIN)))
		return NX_OPENS_NOTHING;
	if (flags & NX_TCP_SYN)
		return flags & NX_TCP_ACK ? NX_OPENS_NOTHING : NX_OPENS_FLOW;
	return NX_OPENS_LATE;
}

/* The state after a segment.  A segment that conntrack would call invalid or
 * ignore leaves the state as it is.
 */
static __always_inline enum nx_state tcp_next(enum nx_state s, __u8 flags,
					      bool reply)
{
	if (!tcp_flags_valid(flags))
		return s;
	if (flags & NX_TCP_RST)
		return NX_STATE_TCP_CLOSE;
	if (flags & NX_TCP_SYN) {
		if (flags & NX_TCP_ACK) {
			if (s == NX_STATE_TCP_SYN_SENT2 ||
			    (reply && (s == NX_STATE_TCP_SYN_SENT ||
				       s == NX_STATE_TCP_CLOSE)))
				return NX_STATE_TCP_SYN_RECV;
			return s;
		}
		if (reply && s == NX_STATE_TCP_SYN_SENT)
			return NX_STATE_TCP_SYN_SENT2;
		return s;
	}
	if (flags & NX_TCP_FIN) {
		switch (s) {
		case NX_STATE_TCP_SYN_RECV:
		case NX_STATE_TCP_UNREPLIED:
		case NX_STATE_TCP_ESTABLISHED:
			return NX_STATE_TCP_FIN_WAIT;
		case NX_STATE_TCP_FIN_WAIT:
		case NX_STATE_TCP_CLOSE_WAIT:
			return NX_STATE_TCP_LAST_ACK;
		default:
			return s;
		}
	}
	switch (s) { /* ACK alone */
	case NX_STATE_TCP_SYN_RECV:
		return reply ? s : NX_STATE_TCP_ESTABLISHED;
	case NX_STATE_TCP_UNREPLIED:
		return reply ? NX_STATE_TCP_ESTABLISHED : s;
	case NX_STATE_TCP_FIN_WAIT:
		return NX_STATE_TCP_CLOSE_WAIT;
	case NX_STATE_TCP_LAST_ACK:
		return NX_STATE_TCP_TIME_WAIT;
	default:
		return s;
	}
}

/* A SYN on a connection that is over opens a new one, unless all that ended it
 * was the peer's RST, which may have been forged: such a SYN goes on under the
 * old one's translation.
 */
static __always_inline bool tcp_reopens(const struct nx_flow *flow, __u8 flags)
{
	return (flags & (NX_TCP_SYN | NX_TCP_ACK | NX_TCP_RST | NX_TCP_FIN)) ==
		       NX_TCP_SYN &&
	       flow->flags & (NX_FLOW_FIN_SEEN | NX_FLOW_RESET_LAST) &&
	       (flow->state == NX_STATE_TCP_TIME_WAIT ||
		flow->state == NX_STATE_TCP_CLOSE);
}

/* Only one side has been heard so far. */
static __always_inline bool tcp_unanswered(enum nx_state s)
{
	return s == NX_STATE_TCP_SYN_SENT || s == NX_STATE_TCP_UNREPLIED;
}
