/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once

#include "maps/abi/abi.h"

/* Why the datapath did with a packet what it did:
 * X(enumerator, value, kind, text).
 *
 * Values index `nx_count`, are stored in flows and shown by `natrix counters`:
 * append, never renumber.  `kind` is the enumerator of nx_verdict_kind without
 * its prefix.  R1..R12 are the rules of Kube-OVN's OVN-POSTROUTING in order.
 */
#define NX_REASONS(X)                                                          \
	X(NX_R_NONE, 0, PASS, "no stage decided")                              \
	X(NX_R_NOT_IP, 1, PASS, "neither IPv4 nor IPv6")                       \
	X(NX_R_VLAN, 2, PASS, "VLAN tag: left to the VLAN device")             \
	X(NX_R_MALFORMED, 3, PASS, "header cut short or impossible")           \
	X(NX_R_UNTRACKED, 4, PASS, "neighbour discovery or group membership")  \
	X(NX_R_NOT_OURS, 5, PASS, "no set holds either address, no mark asks") \
	X(NX_R_INVALID, 6, PASS, "can start no flow, and belongs to none")     \
	X(NX_R_ICMP_UNRELATED, 7, PASS, "ICMP error about no live flow")       \
	X(NX_R_FLOW_KEPT, 8, PASS, "known flow, not translated here")          \
	X(NX_R_FLOW_TRANSLATED, 9, TRANSLATE, "known flow, translated")        \
	X(NX_R_ICMP_TRANSLATED, 10, TRANSLATE,                                 \
	  "ICMP error about a live flow, translated")                          \
	X(NX_R_FRAGMENT, 11, TRANSLATE,                                        \
	  "fragment whose first one is not known, address only")               \
	X(NX_R_FIP_DNAT, 12, TRANSLATE, "floating IP to its pod")              \
	X(NX_R_FIP_SNAT, 13, TRANSLATE, "pod to itself through a floating IP") \
	X(NX_R_MARKED, 14, PASS, "pod to service: asked for masquerade")       \
	X(NX_R_LOCAL, 15, PASS, "new flow to this node: remembered")           \
	X(NX_R_SNAT_NODE, 16, TRANSLATE, "R1: service to pod, node's address") \
	X(NX_R_MASQ_MARK, 17, TRANSLATE, "R2: masquerade asked by mark")       \
	X(NX_R_MASQ_SUBNETS, 18, TRANSLATE, "R3: subnet to subnet")            \
	X(NX_R_KEEP_LOCAL, 19, PASS, "R4: local policy, distributed gateway")  \
	X(NX_R_MASQ_LOCAL, 20, TRANSLATE, "R5: local policy, other gateway")   \
	X(NX_R_KEEP_NON_SYN, 21, PASS, "R6: first segment seen is no SYN")     \
	X(NX_R_KEEP_ROUTED, 22, PASS, "R7: routed from outside to a subnet")   \
	X(NX_R_MASQ_POLICY, 23, TRANSLATE, "R9: policy says nat")              \
	X(NX_R_KEEP_POLICY, 24, PASS, "R10: policy says forward")              \
	X(NX_R_MASQ_OUTGOING, 25, TRANSLATE, "R12: natOutgoing")               \
	X(NX_R_KEEP, 26, PASS, "new flow of a subnet that no rule translates") \
	X(NX_R_RENUMBERED, 27, TRANSLATE,                                      \
	  "this node's own flow, moved off a translated flow's port")          \
	X(NX_R_INVALID_RST, 28, DROP,                                          \
	  "RST from a pod that belongs to no flow")                            \
	X(NX_R_NO_PORT, 29, DROP, "no free source port found")                 \
	X(NX_R_NO_ADDRESS, 30, DROP, "output device has no address to use")    \
	X(NX_R_NO_ROOM, 31, DROP, "flow table refused an entry")               \
	X(NX_R_CLASH, 32, DROP, "tuple is taken and has no port to change")    \
	X(NX_R_WRITE_FAILED, 33, DROP, "headers could not be rewritten")       \
	X(NX_R_EXT_CHAIN, 34, DROP, "too many IPv6 extension headers")         \
	X(NX_R_HEADLESS, 35, DROP,                                             \
	  "to be translated, without the header to do it")                     \
	X(NX_R_SNAT_EGRESS, 36, TRANSLATE,                                     \
	  "R11: centralized gateway, egress address")                          \
	X(NX_R_ORPHAN, 37, DROP,                                               \
	  "TCP without SYN and flow, may not leave its subnet")                \
	X(NX_R_MARKED_LOCAL, 38, PASS, "NodePort with local policy: marked")   \
	X(NX_R_PROBE, 39, PASS, "probe of a pod, given to the proxy's socket") \
	X(NX_R_PROBE_NO_PROXY, 40, DROP,                                       \
	  "probe of a pod, and no proxy listens for it")                       \
	X(NX_R_REJECTED, 41, DROP,                                             \
	  "service has no such port: sender told, port unreachable")           \
	X(NX_R_SERVICE, 42, TRANSLATE, "service to its endpoint")              \
	X(NX_R_NO_ENDPOINT, 43, DROP,                                          \
	  "service has no endpoint: sender told, port unreachable")            \
	X(NX_R_NO_LOCAL_ENDPOINT, 44, DROP,                                    \
	  "service with local policy has no endpoint on this node")            \
	X(NX_R_SOURCE_RANGE, 45, DROP,                                         \
	  "source may not call this load balancer address")                    \
	X(NX_R_SCTP_PORT, 46, DROP,                                            \
	  "SCTP to a service whose endpoint has another port")                 \
	X(NX_R_HOST_PORT, 47, TRANSLATE, "host port to its container")         \
	X(NX_R_MASQ_HOST_PORT, 48, TRANSLATE,                                  \
	  "host port: masquerade asked by mark")                               \
	X(NX_R_MASQ_BRIDGE, 49, TRANSLATE,                                     \
	  "Docker: out of its bridge's subnet")                                \
	X(NX_R_MASQ_NO_PROXY, 50, TRANSLATE,                                   \
	  "Docker: into the bridge, by a container to itself or the node")     \
	X(NX_R_MASQ_POD, 51, TRANSLATE,                                        \
	  "ipMasq: out of the container's network")                            \
	X(NX_R_MASQ_POOL, 52, TRANSLATE, "natOutgoing of its Calico pool")     \
	X(NX_R_SNAT_POOL, 53, TRANSLATE,                                       \
	  "natOutgoing of its Calico pool, natOutgoingAddress")                \
	X(NX_R_MASQ_TUNNEL, 54, TRANSLATE,                                     \
	  "this node into a Calico tunnel, the tunnel's address")              \
	X(NX_R_MASQ_LOOP_BACK, 55, TRANSLATE,                                  \
	  "IPVS: a pod to itself, by KUBE-LOOP-BACK")                          \
	X(NX_R_MARK_DROP, 56, DROP, "marked to be dropped: marks.drop")        \
	X(NX_R_SHORT_CUT, 57, TRANSLATE,                                       \
	  "known flow, sent straight to its output device")                    \
	X(NX_R_XDP_SENT, 58, TRANSLATE,                                        \
	  "known flow, sent by XDP to its output device")                      \
	X(NX_R_XDP_MALFORMED, 59, DROP,                                        \
	  "IP header impossible, or the packet cut short: dropped by XDP")     \
	X(NX_R_LOCALNET, 60, DROP,                                             \
	  "to this node's 127.0.0.0/8 from another host")                      \
	X(NX_R_DIRECT_ACCESS, 61, DROP,                                        \
	  "Docker: straight to a container, and not by its bridge")            \
	X(NX_R_ISOLATED, 62, DROP,                                             \
	  "Docker: from one of its bridges to another")                        \
	X(NX_R_UNPUBLISHED, 63, DROP,                                          \
	  "Docker: into a bridge from elsewhere, to no published port")        \
	X(NX_R_METADATA, 64, TRANSLATE,                                        \
	  "OpenStack's metadata service, to who serves it")                    \
	X(NX_R_INVALID_FORWARD, 65, DROP,                                      \
	  "to be forwarded, starts no flow and belongs to none")

enum nx_reason {
#define X(name, value, kind, text) name = value,
	NX_REASONS(X)
#undef X
	NX_R_COUNT
} __attribute__((packed));
NX_ABI_ASSERT(sizeof(enum nx_reason) == 1, "nx_reason is one byte in a flow");

enum nx_verdict_kind {
	NX_KIND_PASS,	   /* left as it was */
	NX_KIND_TRANSLATE, /* rewritten and passed on */
	NX_KIND_DROP,
} __attribute__((packed));

/* Packets and bytes per reason: map `nx_count`, index enum nx_reason.
 *
 * Writers: bpf/hook/finish.h, each CPU its own copy.  Readers: `natrix
 * counters`.  Bytes count from the Ethernet header, a GSO packet once.
 */
struct nx_count {
	__u64 packets;
	__u64 bytes;
};
NX_ABI_SIZE(nx_count, 16);
