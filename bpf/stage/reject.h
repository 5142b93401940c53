/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once

#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "bpf/lib/config.h"
#include "bpf/lib/csum.h"
#include "bpf/lib/icmp.h"
#include "bpf/lib/packet.h"
#include "bpf/lib/ports.h"

/* Refuse TCP to a Service address on a port that no Service has (filter INPUT:
 * ! 0x4000, ovn40services dst, ctstate NEW, REJECT), when kube-proxy runs in
 * IPVS mode: its addresses are the node's then, and any process that listens
 * on all of them would answer.
 *
 *   reads    pkt->tuple, ->opens, ->side; skb->mark
 *   writes   the packet: it becomes the ICMP error about itself
 *   maps     nx_config, nx_local, nx_ports_left or nx_ports_right (lookup)
 *   returns  NX_CONTINUE  not such a packet
 *            NX_REFLECT   the error goes back the way the packet came
 *            NX_DROP      no error could be made of it
 *
 * kube-proxy's own mark comes after this hook, so what KUBE-CLUSTER-IP holds
 * is taken for marked.  No limit to the rate: an error is no larger than what
 * it is about, by more than its headers.
 */
#define NX_ICMP_PORT 3		/* RFC 792: port unreachable */
#define NX_ICMPV6_UNREACHABLE 1 /* RFC 4443 section 3.1 */
#define NX_ICMPV6_PORT 4

/* Of an ICMP error, both families. */
struct nx_icmp_error {
	__u8 type;
	__u8 code;
	__u16 check;
	__u32 unused;
};

/* What is quoted of the transport: the TCP header with its options, without
 * data.
 */
#define NX_TCP_LEAST 20
#define NX_TCP_MOST 60

/* The sum of the quoted TCP header as its receiver will see it.  The device
 * completes a CHECKSUM_PARTIAL field p to the complement of the sum with p in
 * it: the sum with that is then the complement of p.
 */
static __always_inline __u64 quoted_sum(const __u32 *tcp, __u16 tcp_length,
					const struct nx_pkt *pkt)
{
	__u16 check = ((const struct tcphdr *)tcp)->check;
	__u64 pseudo = bpf_htons(NX_L4_TCP) + bpf_htons(tcp_length), sum = 0;

	for (int i = 0; i < NX_TCP_MOST / 4; i++)
		sum += tcp[i];
	/* A v4-mapped address is 0xffff more than an IPv4 one, which is 0. */
	for (int i = 0; i < 4; i++)
		pseudo += (__u64)addr_word(&pkt->tuple.src, i) +
			  addr_word(&pkt->tuple.dst, i);
	return csum_fold(pseudo) == check ? (__u16)~check : sum;
}

static __always_inline int reject_write4(struct __sk_buff *skb,
					 const struct nx_pkt *pkt, __u64 quoted,
					 __u8 tos)
{
	struct {
		struct iphdr ip;
		struct nx_icmp_error icmp;
	} out = {};
	__u32 length = skb->len - NX_L3;
	__u64 sum = 0;

	out.ip.version = 4;
	out.ip.ihl = 5;
	out.ip.tos = (tos & 0x1e) | 0xc0; /* internetwork control */
	out.ip.tot_len = bpf_htons(length);
	out.ip.id = bpf_get_prandom_u32();
	out.ip.ttl = 64;
	out.ip.protocol = NX_L4_ICMP;
	out.ip.saddr = addr_word(&pkt->tuple.dst, 3);
	out.ip.daddr = addr_word(&pkt->tuple.src, 3);
	for (__u32 i = 0; i < sizeof(out.ip) / 4; i++)
		sum += ((__u32 *)&out.ip)[i];
	out.ip.check = (__u16)~csum_fold(sum);
	out.icmp.type = ICMP_DEST_UNREACH;
	out.icmp.code = NX_ICMP_PORT;
	/* The quoted IP header sums to nothing. */
	out.icmp.check = (__u16)~csum_fold(quoted + *(__u16 *)&out.icmp.type);
	bpf_csum_update(skb, csum_fold((__u64) * (__u16 *)&out.icmp.type +
				       out.icmp.check));
	return bpf_skb_store_bytes(skb, NX_L3, &out, sizeof(out), 0);
}

static __always_inline int reject_write6(struct __sk_buff *skb,
					 const struct nx_pkt *pkt, __u64 quoted)
{
	struct {
		struct ipv6hdr ip;
		struct nx_icmp_error icmp;
	} out = {};
	__u32 length = skb->len - NX_L3 - sizeof(out.ip);
	__u64 sum = quoted + bpf_htons(length) + bpf_htons(NX_L4_ICMPV6);

	out.ip.version = 6;
	out.ip.payload_len = bpf_htons(length);
	out.ip.nexthdr = NX_L4_ICMPV6;
	out.ip.hop_limit = 64;
	__builtin_memcpy(&out.ip.saddr, &pkt->tuple.dst, 16);
	__builtin_memcpy(&out.ip.daddr, &pkt->tuple.src, 16);
	out.icmp.type = NX_ICMPV6_UNREACHABLE;
	out.icmp.code = NX_ICMPV6_PORT;
	sum += *(__u16 *)&out.icmp;
	for (int i = 0; i < 4; i++)
		sum += (__u64)addr_word(&pkt->tuple.src, i) +
		       addr_word(&pkt->tuple.dst, i);
	out.icmp.check = (__u16)~csum_fold(sum);
	sum = 0;
	for (__u32 i = 0; i < sizeof(out) / 4; i++)
		sum += ((__u32 *)&out)[i];
	bpf_csum_update(skb, csum_fold(sum));
	return bpf_skb_store_bytes(skb, NX_L3, &out, sizeof(out), 0);
}

/* Makes the packet the ICMP error about itself; 0: done. */
NX_GLOBAL int reject_write(struct __sk_buff *skb, const struct nx_pkt *pkt)
{
	__u32 tcp[NX_TCP_MOST / 4] = {}, l4, room, header;
	__u8 macs[12], tos = 0;
	__u64 quoted;

	if (!pkt)
		return -1;
	l4 = pkt->l4 & NX_L4_MAX;
	room = pkt->v6 ? sizeof(struct ipv6hdr) + sizeof(struct nx_icmp_error) :
			 sizeof(struct iphdr) + sizeof(struct nx_icmp_error);
	if ((pkt->v6 && l4 != NX_L3 + sizeof(struct ipv6hdr)) ||
	    bpf_skb_load_bytes(skb, l4, tcp, NX_TCP_LEAST) ||
	    bpf_skb_load_bytes(skb, NX_L3 + 1, &tos, 1) ||
	    bpf_skb_load_bytes(skb, 0, macs, sizeof(macs)))
		return -1;
	header = (((__u8 *)tcp)[12] >> 4) * 4;
	barrier_var(header);
	if (header < NX_TCP_LEAST || header > NX_TCP_MOST ||
	    bpf_skb_load_bytes(skb, l4, tcp, header))
		return -1;
	quoted = quoted_sum(tcp, skb->len - l4, pkt);
	if (pkt->v6) {
		__u32 ip[10];

		if (bpf_skb_load_bytes(skb, NX_L3, ip, sizeof(ip)))
			return -1;
		for (int i = 0; i < 10; i++)
			quoted += ip[i];
	}
	if (bpf_skb_change_tail(skb, l4 + header, 0) ||
	    bpf_skb_adjust_room(skb, room, BPF_ADJ_ROOM_MAC, 0) ||
	    bpf_skb_store_bytes(skb, 0, macs + 6, 6, 0) ||
	    bpf_skb_store_bytes(skb, 6, macs, 6, 0))
		return -1;
	return pkt->v6 ? reject_write6(skb, pkt, quoted) :
			 reject_write4(skb, pkt, quoted, tos);
}

NX_GLOBAL int stage_reject(struct __sk_buff *skb, struct nx_pkt *pkt)
{
	struct nx_config *config;

	if (!pkt || pkt->opens == NX_OPENS_NOTHING)
		return NX_CONTINUE;
	config = config_of(pkt->side);
	if (!config || skb->mark & config->mark_masquerade ||
	    !is_refused(pkt->side, config, &pkt->tuple))
		return NX_CONTINUE;
	pkt->reason = NX_R_REJECTED;
	return reject_write(skb, pkt) ? NX_DROP : NX_REFLECT;
}
