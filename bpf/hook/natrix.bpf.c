// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "bpf/hook/driver.h"
#include "bpf/hook/egress.h"
#include "bpf/hook/finish.h"
#include "bpf/hook/ingress.h"
#include "bpf/hook/loopback.h"
#include "bpf/hook/peers.h"
#include "bpf/hook/socket.h"
#include "bpf/lib/clock.h"

/* The programs of the datapath.  Names: maps/abi/names.h. */

SEC("tc")
int nx_pod_in(struct __sk_buff *skb)
{
	struct nx_pkt pkt = {};

	return finish(skb, &pkt, ingress(skb, &pkt, true));
}

SEC("tc")
int nx_uplink_in(struct __sk_buff *skb)
{
	struct nx_pkt pkt = {};

	return finish(skb, &pkt, ingress(skb, &pkt, false));
}

SEC("tc")
int nx_out(struct __sk_buff *skb)
{
	struct nx_pkt pkt = {};
	int action;

	if (skb->tc_index == NX_SIGN_DONE) {
		skb->tc_index = 0;
		return TC_ACT_UNSPEC;
	}
	action = finish(skb, &pkt, egress(skb, &pkt));

	/* Said once: an encapsulated packet passes another egress hook. */
	skb->tc_index = 0;
	return action;
}

SEC("tc")
int nx_lo_in(struct __sk_buff *skb)
{
	struct nx_pkt pkt = {};

	return finish(skb, &pkt, loopback(skb, &pkt));
}

SEC("xdp.frags")
int nx_uplink_xdp(struct xdp_md *ctx)
{
	enum nx_reason why = NX_R_NONE;
	__u32 out = 0;
	enum nx_verdict verdict = driver(ctx, &why, &out);

	return driver_finish(ctx, verdict, why, out);
}

/* For generic mode, which makes a packet linear for a program without frags.
 * For one with them the kernel copies the skb without its mac_len, and tcx
 * then sees what was passed without its Ethernet header (6.18).
 */
SEC("xdp")
int nx_uplink_gxdp(struct xdp_md *ctx)
{
	enum nx_reason why = NX_R_NONE;
	__u32 out = 0;
	enum nx_verdict verdict = driver(ctx, &why, &out);

	return driver_finish(ctx, verdict, why, out);
}

SEC("cgroup/connect4")
int nx_connect4(struct bpf_sock_addr *ctx)
{
	return connect4(ctx);
}

SEC("cgroup/connect6")
int nx_connect6(struct bpf_sock_addr *ctx)
{
	return connect6(ctx);
}

SEC("cgroup/sendmsg4")
int nx_sendmsg4(struct bpf_sock_addr *ctx)
{
	return sendmsg4(ctx);
}

SEC("cgroup/sendmsg6")
int nx_sendmsg6(struct bpf_sock_addr *ctx)
{
	return sendmsg6(ctx);
}

SEC("cgroup/recvmsg4")
int nx_recvmsg4(struct bpf_sock_addr *ctx)
{
	return hear4(ctx);
}

SEC("cgroup/recvmsg6")
int nx_recvmsg6(struct bpf_sock_addr *ctx)
{
	return hear6(ctx);
}

SEC("cgroup/getpeername4")
int nx_peername4(struct bpf_sock_addr *ctx)
{
	return hear4(ctx);
}

SEC("cgroup/getpeername6")
int nx_peername6(struct bpf_sock_addr *ctx)
{
	return hear6(ctx);
}

SEC("iter/bpf_sk_storage_map")
int nx_peers(struct bpf_iter__bpf_sk_storage_map *ctx)
{
	return list_peer(ctx);
}

/* Run by the loader with BPF_PROG_TEST_RUN. */
SEC("tc")
int nx_clock_start(struct __sk_buff *skb)
{
	return clock_start();
}

SEC("tc")
int nx_jiffies(struct __sk_buff *skb)
{
	return (int)now_jiffies();
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
