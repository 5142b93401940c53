// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause

/* The programs for devices without a link-layer header: tun, ipip, wireguard.
 * What nx_pod_in, nx_uplink_in and nx_out are elsewhere, of the same headers, on
 * the same maps.  natrixd loads them when there is such a device.
 */
#define NX_L3 0

#include "bpf/hook/egress.h"
#include "bpf/hook/finish.h"
#include "bpf/hook/ingress.h"

SEC("tc")
int nx_bare_pod_in(struct __sk_buff *skb)
{
	struct nx_pkt pkt = {};

	return finish(skb, &pkt, ingress(skb, &pkt, true));
}

SEC("tc")
int nx_bare_up_in(struct __sk_buff *skb)
{
	struct nx_pkt pkt = {};

	return finish(skb, &pkt, ingress(skb, &pkt, false));
}

/* No short cut leads here: nothing comes that has only to leave. */
SEC("tc")
int nx_bare_out(struct __sk_buff *skb)
{
	struct nx_pkt pkt = {};
	int action = finish(skb, &pkt, egress(skb, &pkt));

	/* Said once: an encapsulated packet passes another egress hook. */
	skb->tc_index = 0;
	return action;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
