/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once

#include <linux/bpf.h>

/* What ingress tells egress in skb->tc_index, which survives the kernel's
 * forwarding and bpf_redirect().  Never trusted from outside: ingress
 * overwrites it.
 *
 * Bits 0-5 slot (bpf/stage/handoff.h), bit 6 configuration side, bits 7 and 8
 * say which of the two are set, bit 9 that a subnet counts this packet, bit 10
 * that ingress saw it, bits 11 and 12 which bits of the mark it set, bit 13
 * that the slot is a stranger's, bit 14 that nf_conntrack would have called the
 * packet INVALID when it came (bpf/stage/invalid.h).
 */
#define NX_SIGN_SIDE 0x080
#define NX_SIGN_SLOT 0x100
#define NX_SIGN_COUNT 0x200
#define NX_SIGN_SEEN 0x400
#define NX_SIGN_MASQUERADE 0x800
#define NX_SIGN_LOCAL 0x1000
#define NX_SIGN_STRANGER 0x2000
#define NX_SIGN_INVALID 0x4000

/* The whole sign of a packet that took the short cut: it has only to leave. */
#define NX_SIGN_DONE 0x8000

/* VERIFIER: clang 14 makes one store of two on different paths, through a
 * pointer into the context ("dereference of modified ctx ptr").  Guarded by:
 * loading.
 */
static __always_inline void sign_set(struct __sk_buff *skb, __u32 sign)
{
	__asm__ volatile(
		"*(u32 *)(%[skb] + %[at]) = %[sign]"
		:
		: [skb] "r"(skb), [sign] "r"(sign),
		  [at] "i"(__builtin_offsetof(struct __sk_buff, tc_index))
		: "memory");
}
