/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * agent/violation_log.h - JSON lines: what was refused, what nobody will hear of, what changed
 *
 * docs/violation-log.md is the format. The first record of a key is written at once; repeats are counted
 * and written as one record when their window ends, when they are pushed out by others, at a flush, and at
 * the end. What cannot be written waits in a bounded queue; what does not fit there has no sequence number and
 * is counted in a `loss` record as soon as the file works again.
 *
 * Time is told by the caller (bh_vlog_tick()), so that tests need none.
 *
 * Thread-safety: one thread.
 */
#ifndef BH_AGENT_VIOLATION_LOG_H
#define BH_AGENT_VIOLATION_LOG_H

#include "common/addr.h"
#include "common/clock.h"
#include "common/err.h"

#include <stdbool.h>
#include <stdint.h>

struct bh_vlog;

#define BH_VLOG_BOOT_SIZE 17

struct bh_vlog_config {
	const char *path; /* copied, like the others */
	const char *node;
	const char
	    *boot; /* names this life of the agent; BH_VLOG_BOOT_SIZE - 1 characters at most */
	bh_msec_t window_ms; /* repeats are counted for so long; 0: 10 s */
	unsigned max_keys;   /* counted at a time; 0: 8192 */
	size_t max_pending;  /* bytes that wait for a file that cannot be written; 0: 4 MiB */
	unsigned keep;       /* lines kept for bh_vlog_last(); 0: 4096 */
	/* Every line that was numbered, with its newline; may be NULL. */
	void (*line)(void *arg, const char *line, size_t len);
	void *arg;
};

/* What makes two violations the same. To be zeroed before it is filled: it is compared as memory. */
struct bh_vlog_key {
	struct bh_addr src, dst;
	uint8_t l4;
	uint8_t cause; /* what told of it, and why */
	uint16_t dport;
	uint16_t pad;
	uint32_t proto;
	uint32_t egress, ingress; /* reasons */
};

struct bh_vlog_stats {
	uint64_t written;    /* records in the file */
	uint64_t suppressed; /* violations that were counted in another one's record */
	uint64_t lost;       /* records or packets that nobody will hear of, all causes */
	uint64_t counted;    /* of suppressed: those whose count stands in no record yet */
	bool failing;        /* the file cannot be written now */
};

/* -ENOMEM only: a file that cannot be opened is tried again by bh_vlog_tick(). */
int bh_vlog_new(const struct bh_vlog_config *cfg, struct bh_vlog **ret, struct bh_err *err)
    bh_must_check;
/* Flushes. NULL is accepted. */
struct bh_vlog *bh_vlog_free(struct bh_vlog *l);
BH_DEFINE_CLEANUP(struct bh_vlog, bh_vlog_free);

/* Counts @n repeats. false: it is the first of its kind, and bh_vlog_violation() has to be called. */
bool bh_vlog_repeat(struct bh_vlog *l, const struct bh_vlog_key *key, int64_t wall_us, uint64_t n);
/**
 * bh_vlog_violation() - Write the first of its kind
 * @now:	Monotonic, begins the window of its repeats
 * @body:	Members of the object from "kind" on, without braces, "count", "first" and "last"
 */
void bh_vlog_violation(struct bh_vlog *l, const struct bh_vlog_key *key, bh_msec_t now,
		       int64_t wall_us, const char *body);
/* One record of another kind; @body as above. */
void bh_vlog_event(struct bh_vlog *l, int64_t wall_us, const char *body);
/* Counted by cause, written within a second (by bh_vlog_tick()), at a flush and at the end. @cause: borrowed for ever. */
void bh_vlog_loss(struct bh_vlog *l, const char *cause, uint64_t n);
/* One more, and nothing was enforced for @open_ms; of several that make one record, the longest. */
void bh_vlog_loss_open(struct bh_vlog *l, const char *cause, bh_msec_t open_ms);

/* To be called about once a second. */
void bh_vlog_tick(struct bh_vlog *l, bh_msec_t now);
/* Everything that is counted becomes records now. */
void bh_vlog_flush(struct bh_vlog *l);
/* The file was renamed or removed: begin a new one. */
int bh_vlog_reopen(struct bh_vlog *l, struct bh_err *err);

void bh_vlog_stats_get(const struct bh_vlog *l, struct bh_vlog_stats *ret);
/* The last @n lines, oldest first. */
void bh_vlog_last(const struct bh_vlog *l, size_t n,
		  void (*fn)(void *arg, const char *line, size_t len), void *arg);

#endif
