/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once

#include <bpf/bpf_helpers.h>

#include "bpf/lib/addr.h"
#include "bpf/lib/maps.h"
#include "bpf/lib/packet.h"

/* Give a packet of a probe to the proxy that stands for the pod
 * (OVN-PREROUTING: -d POD -p tcp --dport PORT -j TPROXY --on-ip NODE --on-port
 * 8102 --tproxy-mark 0x90004/0x90004).
 *
 *   reads    pkt->tuple, ->frag
 *   writes   the packet's socket; skb->mark under the entry's mask
 *   maps     nx_probe; the kernel's socket tables
 *   returns  NX_CONTINUE  no probe of the list
 *            NX_PASS      the proxy gets it
 *            NX_DROP      nobody listens there.  As TPROXY does: left alone,
 *                         it would reach whatever process of the node has a
 *                         socket for all addresses on that port; over IPv6,
 *                         or if that is transparent, it would answer, and a
 *                         dead pod would look alive
 *
 * The packet's own connection comes first, and only what has none goes to the
 * listener: a listener that is given the third segment of a handshake answers
 * with a reset.
 *
 * Concurrent: the socket is held while it is looked at; the packet is ours.
 */

/* The socket that would receive `t` if it went to `to`:`to_port`. */
static __always_inline struct bpf_sock *
proxy_socket(struct __sk_buff *skb, const struct nx_pkt *pkt, __be16 from_port,
	     const struct nx_addr *to, __be16 to_port)
{
	struct bpf_sock_tuple tuple = {};

	if (pkt->v6) {
		__builtin_memcpy(tuple.ipv6.saddr, &pkt->tuple.src, 16);
		__builtin_memcpy(tuple.ipv6.daddr, to, 16);
		tuple.ipv6.sport = from_port;
		tuple.ipv6.dport = to_port;
		return bpf_skc_lookup_tcp(skb, &tuple, sizeof(tuple.ipv6),
					  BPF_F_CURRENT_NETNS, 0);
	}
	tuple.ipv4.saddr = addr_word(&pkt->tuple.src, 3);
	tuple.ipv4.daddr = addr_word(to, 3);
	tuple.ipv4.sport = from_port;
	tuple.ipv4.dport = to_port;
	return bpf_skc_lookup_tcp(skb, &tuple, sizeof(tuple.ipv4),
				  BPF_F_CURRENT_NETNS, 0);
}

/* 0, or negative when there is no such socket.  Consumes `sk`. */
static __always_inline int proxy_assign(struct __sk_buff *skb,
					struct bpf_sock *sk, bool listening)
{
	int err = -1;

	if (!sk)
		return err;
	if ((sk->state == BPF_TCP_LISTEN) == listening)
		err = bpf_sk_assign(skb, sk, 0);
	bpf_sk_release(sk);
	return err;
}

static __always_inline enum nx_verdict stage_proxy(struct __sk_buff *skb,
						   struct nx_pkt *pkt)
{
	const struct nx_tuple *t = &pkt->tuple;
	struct nx_probe_key key = { .pod = t->dst, .port = t->dport };
	struct nx_probe *probe;
	struct bpf_sock *sk;

	if (t->proto != NX_L4_TCP || pkt->frag != NX_WHOLE)
		return NX_CONTINUE;
	probe = bpf_map_lookup_elem(&nx_probe, &key);
	if (!probe)
		return NX_CONTINUE;

	sk = proxy_socket(skb, pkt, t->sport, &t->dst, t->dport);
	if (!proxy_assign(skb, sk, false))
		goto given;
	sk = proxy_socket(skb, pkt, t->sport, &probe->proxy, probe->proxy_port);
	if (!proxy_assign(skb, sk, true))
		goto given;
	/* Somebody may speak to the proxy itself from just this port: that
	 * connection was found.  From port 0 there is none.
	 */
	sk = proxy_socket(skb, pkt, 0, &probe->proxy, probe->proxy_port);
	if (proxy_assign(skb, sk, true))
		return nx_drop(pkt, NX_R_PROBE_NO_PROXY);
given:
	skb->mark |= probe->mark_prerouting;
	return nx_pass(pkt, NX_R_PROBE);
}
