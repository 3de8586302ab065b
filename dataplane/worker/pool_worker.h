/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * dataplane/worker/pool_worker.h - one worker as the pool sees it
 *
 * Only pool*.c includes this.
 *
 * Thread-safety: the thread of the loop.
 */
#ifndef BH_DATAPLANE_WORKER_POOL_WORKER_H
#define BH_DATAPLANE_WORKER_POOL_WORKER_H

#include <sys/types.h>

#include "dataplane/worker/pool.h"

#define BH_POOL_DEATHS 5

enum bh_pool_answer {
	BH_POOL_ANSWER_NONE = 0, /* asked, or not asked yet */
	BH_POOL_ANSWER_OK,
	BH_POOL_ANSWER_BAD,
};

struct bh_pool_slot {
	struct bh_pool *pool;
	unsigned index;
	uint16_t queue;
	char sock_path[512], pid_path[512];

	int listen_fd, queue_fd; /* kept for the successor; -1: none */
	pid_t pid;               /* 0: no process */
	int pidfd, conn;         /* -1: none */
	struct bh_source *pid_source, *conn_source;
	bool adopted;     /* started by an agent before us */
	bool greeted;     /* HELLO came on this connection */
	bool stopping;    /* told to: its end is no death */
	unsigned unacked; /* findings heard and not acknowledged */

	bh_msec_t retry_at; /* start it, or connect, then; 0: nothing to do */
	bh_msec_t died_at;  /* 0: it lives */
	int died_status;
	bh_msec_t deaths[BH_POOL_DEATHS]; /* a ring */
	unsigned n_deaths;
	unsigned silent; /* seconds without the statistics that were asked for */

	enum bh_pool_answer answer;
	uint64_t asked; /* number of the rule set in pool->wanted that was sent */
	char bad[128];

	uint64_t seq_heard, seq_acked;   /* findings */
	uint64_t lost_heard, lost_acked; /* the worker's count */
	uint64_t queue_dropped, user_dropped;
	struct bh_pool_worker info;
};

/* What is told to the owner, in order, when no call of his is under way. */
struct bh_pool_event {
	enum { BH_POOL_FINDING, BH_POOL_LOST, BH_POOL_RESTARTED } type;
	unsigned worker;
	union {
		struct {
			int64_t wall_us;
			struct bh_finding f;
		} finding;
		struct {
			const char *cause;
			uint64_t n;
		} lost;
		struct {
			int status;
			bh_msec_t gap_ms;
		} restarted;
	};
};

struct bh_pool_rules {
	int rules_fd, addrs_fd; /* -1: none */
	uint64_t number;        /* counts publications */
	uint64_t revision;
};

struct bh_pool {
	struct bh_loop *loop;
	struct bh_pool_config cfg;
	const struct bh_pool_ops *ops;
	void *arg;
	char *run_dir, *worker_bin;
	struct bh_source *tick, *later;
	struct bh_pool_rules current;       /* what a successor gets */
	const struct bh_pool_rules *wanted; /* &current, or what is being published */
	uint64_t published;
	struct bh_pool_event *events;
	size_t n_events, cap_events;
	unsigned depth; /* > 0: inside a call of the owner, or telling him */
	size_t n;
	struct bh_pool_slot *slots;
};

/* ---- pool_worker.c ---- */

/* Starts a process for the slot, which has its sockets; connects, sends the rules. */
int bh_slot_spawn(struct bh_pool_slot *s, struct bh_err *err) bh_must_check;
int bh_slot_connect(struct bh_pool_slot *s) bh_must_check;
void bh_slot_send_rules(struct bh_pool_slot *s);
/* What the connection or the process has to say; called by the loop, and while waiting for answers. */
/* Return: true if it left something unread. */
bool bh_slot_read(struct bh_pool_slot *s);
void bh_slot_check(struct bh_pool_slot *s);
void bh_slot_retry(struct bh_pool_slot *s);
void bh_slot_disconnect(struct bh_pool_slot *s);
/* Ends the process, with STOP first. Its sockets stay. */
void bh_slot_stop(struct bh_pool_slot *s);
/* Closes everything; the process goes on. */
void bh_slot_close(struct bh_pool_slot *s);

/* ---- pool.c ---- */

void bh_pool_tell(struct bh_pool *p, const struct bh_pool_event *e);
/* Tells what is to be told, if the owner is not in a call of his; sets the timer for what is due later. */
void bh_pool_settle(struct bh_pool *p);

#endif
