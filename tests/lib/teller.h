/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * tests/lib/teller.h - a stand-in for the worker: says which protocol it is by the first bytes
 *
 * A thread that answers queued packets as dataplane/marks.h has it, each for itself:
 *
 *	"GET..."   RESULT http	   "SSH-..." RESULT ssh
 *	"BLIND"    RESULT unjudged	"UNSEEN" RESULT unseen
 *	"MORE..."  let through, undecided	"CONFIRM" sub-state CONFIRM
 *	other      RESULT unknown
 *	no payload, START  sub-state UNDECIDED;   no payload, else: let through
 *
 * Thread-safety: one test thread; what it counts may be read at any time.
 */
#ifndef BH_TESTS_LIB_TELLER_H
#define BH_TESTS_LIB_TELLER_H

#include <stdbool.h>
#include <stdint.h>

/* In the namespace of the caller. */
void teller_start(uint16_t queue, uint16_t n);
/* Takes the queues, holds at most @maxlen packets in each, and never answers. */
void teller_hang(uint16_t queue, uint16_t n, uint32_t maxlen);
void teller_stop(void); /* no harm if it does not run */
/* From one to the other nothing is answered. */
void teller_hold(void);
void teller_go_on(void);

struct teller_seen {
	unsigned packets, bare, start, confirm, reply, results;
	uint32_t foreign; /* lower half of the last packet's mark */
	bool odd_mark;    /* a mark that is none of ours */
};
struct teller_seen teller_seen(void); /* since the last call */

#endif
