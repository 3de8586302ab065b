/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * dataplane/marks.h - what stands in the conntrack mark and in the packet mark
 *
 * The upper 16 bits of both are ours, the lower 16 belong to others and are kept (unless markMask says otherwise, see
 * bh_mark_place()).
 *
 * Conntrack mark: state (2 bits), epoch (6), result (8).
 *	state	0 none yet, INSPECT, ALLOW, DENY
 *	epoch	the one in which the state was decided; a state of another epoch is decided again.
 *		0..BH_EPOCH_MAX; 63 is never an epoch.
 *	result	BH_SUB_* while a flow is inspected, else the number of its protocol (policy/protocol.h)
 *
 * Packet mark, kernel -> worker (a queued packet): BH_QMARK | flags. Packet mark, worker -> kernel (verdict
 * NF_REPEAT): BH_VMARK | result << 16, where the result is a sub-state or a protocol. Its epoch field is 63,
 * so that a conntrack mark that another program restored into the packet mark can never look like a verdict.
 * Packet mark of a refused packet on its way to NFLOG: reason number in the lower 24 bits, epoch above them
 * (the packet dies, nothing of others is lost).
 *
 * Thread-safety: constants.
 */
#ifndef BH_DATAPLANE_MARKS_H
#define BH_DATAPLANE_MARKS_H

#include <stdint.h>

#define BH_MARK_STATE   0xc0000000U
#define BH_MARK_INSPECT 0x40000000U
#define BH_MARK_ALLOW   0x80000000U
#define BH_MARK_DENY    0xc0000000U
#define BH_MARK_EPOCH   0x3f000000U
#define BH_MARK_RESULT  0x00ff0000U
#define BH_MARK_OURS    0xffff0000U
#define BH_MARK_NOTHING \
	0x00010000U /* nothing is known, and yet not 0: decided again, and never kept as it was */
#define BH_MARK_EPOCH_SHIFT  24
#define BH_MARK_RESULT_SHIFT 16
#define BH_EPOCH_MAX         62U /* epochs run 0..62 and wrap */

/*
 * Results below BH_PROTO_FIRST: sub-states of INSPECT (upper nibble of the result is zero). With BH_SUB_OPEN no contract
 * of the flow minds that it passes unjudged (onOverload).
 */
#define BH_SUB_START \
	0U /* handshake: the first packet of the original direction that is no SYN is queued, bare or not */
#define BH_SUB_UNDECIDED 1U /* packets with payload are queued */
#define BH_SUB_CONFIRM \
	2U /* judged: payload and bare ACKs are queued until the judged bytes are acknowledged */
#define BH_SUB_ADMIT \
	7U /* only while the packet is looked at: a beginning that was not seen is no reason to refuse */
#define BH_SUB_OPEN      8U
#define BH_RESULT_KILLED 255U /* with DENY: both ends were reset; no protocol has this number */
#define BH_MARK_SUB_MASK 0x00f00000U /* zero: the result is a sub-state */
#define BH_MARK_SUB      0x00f70000U /* the sub-state, without BH_SUB_OPEN */
#define BH_MARK_OPEN     0x00080000U

/* Kernel -> worker. */
#define BH_QMARK       0x3e000000U /* state 0, epoch 62+: no state of ours looks so */
#define BH_QMARK_REPLY 0x00010000U /* the packet runs in the reply direction of its connection */
#define BH_QMARK_START \
	0x00020000U /* the flow is in BH_SUB_START: its beginning was seen, no payload yet */
#define BH_QMARK_CONFIRM 0x00040000U /* the flow is in BH_SUB_CONFIRM */

/* Worker -> kernel. */
#define BH_VMARK      0x7f000000U
#define BH_VMARK_MASK 0xff000000U

/*
 * Other programs may need the upper half for themselves. So our 16 bits can be moved down: everything above is written
 * for their usual place, and is turned to the place where it stands in a mark, and back, by these. @down: 0 to 16.
 */
static inline uint32_t bh_mark_place(uint32_t v, unsigned down)
{
	return down == 0 ? v : v >> down | v << (32 - down);
}
static inline uint32_t bh_mark_read(uint32_t mark, unsigned down)
{
	return down == 0 ? mark : mark << down | mark >> (32 - down);
}

#endif
