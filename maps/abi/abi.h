/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once

/* The only header that looks at which compiler is reading the contract. */
#include <linux/types.h>

#ifdef __cplusplus
#define NX_ABI_ASSERT(cond, why) static_assert(cond, why)
#else
#define NX_ABI_ASSERT(cond, why) _Static_assert(cond, why)
#endif

/* Freezes the size of a struct that crosses the kernel/user boundary, and
 * where one of its fields lies.  A change here is a change of layout: bump
 * NX_LAYOUT in names.h, so that a pinned map of the old one is refused.
 */
#define NX_ABI_SIZE(type, bytes) \
	NX_ABI_ASSERT(sizeof(struct type) == (bytes), #type " changed size")
#define NX_ABI_FIELD(type, field, off)                                 \
	NX_ABI_ASSERT(__builtin_offsetof(struct type, field) == (off), \
		      #type "." #field " moved")
