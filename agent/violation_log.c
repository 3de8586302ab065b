// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * agent/violation_log.c - JSON lines: what was refused, what nobody will hear of, what changed
 *
 * DOC: Theory of operation
 *
 * A line is numbered when it is certain that it will be written: now, or later from the queue of lines that
 * wait for a disk with room. So sequence numbers have no gap, whatever happens, and a record that is given
 * up is in the count of a `loss` record instead.
 *
 * Keys stand in a hash table, whose own order is that of insertion. As a window always has the same
 * length, this is also the order in which windows end: what is due is found at the head, and so is what must
 * go when the table is full.
 *
 * A write that ends in the middle of a line (the disk is full) is taken back by truncating the file; where
 * that cannot be, the rest of the line is the first that will be written.
 */
#include "agent/violation_log.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "agent/jsonw.h"
#include "common/buf.h"
#include "common/file.h"
#include "common/log.h"
#include "common/map.h"
#include "common/util.h"

#include "common/banned.h"

#define DEFAULT_WINDOW_MS 10000
#define DEFAULT_KEYS      8192U
#define DEFAULT_PENDING   (4U * 1024 * 1024)
#define DEFAULT_KEEP      4096U
#define KEEP_BYTES_MAX    (8U * 1024 * 1024)
#define CAUSES_MAX        24U

_Static_assert(sizeof(struct bh_vlog_key) == 2 * sizeof(struct bh_addr) + 2 + 4 + 12,
	       "a key has padding");

struct entry {
	struct bh_vlog_key key;
	UT_hash_handle hh;
	bh_msec_t ends; /* of the window */
	uint64_t count; /* repeats since its last record */
	int64_t first_us, last_us;
	char *body;
};

struct loss {
	const char *cause;
	uint64_t n;
	int64_t open_ms; /* the longest; negative: nothing was open */
};

struct bh_vlog {
	char *path, *node; /* node: as JSON, with quotes */
	char boot[BH_VLOG_BOOT_SIZE];
	bh_msec_t window_ms;
	unsigned max_keys, keep;
	size_t max_pending;
	void (*line)(void *arg, const char *line, size_t len);
	void *arg;

	int fd;
	bool failing;
	uint64_t seq;
	struct entry *entries;
	struct loss losses[CAUSES_MAX];
	struct bh_buf pending; /* whole lines, except that the first may be the rest of one */
	struct bh_buf scratch;
	uint64_t given_up; /* records that did not fit into the queue */
	struct bh_vlog_stats stats;

	char **ring; /* of @keep lines */
	size_t ring_next, ring_n, ring_bytes;
};

static void entry_free(struct entry *e)
{
	free(e->body);
	free(e);
}

/* ---- the file ---- */

static int open_file(struct bh_vlog *l, struct bh_err *err)
{
	const char *slash = strrchr(l->path, '/');
	bh_autofree char *folder = NULL;

	if (slash && slash > l->path) {
		folder = strndup(l->path, (size_t)(slash - l->path));
		if (!folder)
			return bh_err_set(err, -ENOMEM, "out of memory");
		(void)!bh_mkdir_parents(folder, 0750, NULL);
	}
	l->fd =
	    open(l->path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0640);
	if (l->fd < 0)
		return bh_err_set(err, -errno, "cannot open the violation log '%s': %s", l->path,
				  strerrordesc_np(errno));
	return 0;
}

/* Bytes of @data that are in the file now, or a negative errno. */
static ssize_t write_some(struct bh_vlog *l, const char *data, size_t size)
{
	ssize_t n;

	if (l->fd < 0)
		return -EBADF;
	do {
		n = write(l->fd, data, size);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	if ((size_t)n < size) {
		off_t end = lseek(l->fd, 0, SEEK_END);

		if (end >= n && ftruncate(l->fd, end - n) == 0)
			return -ENOSPC;
	}
	return n;
}

static void set_failing(struct bh_vlog *l, int r)
{
	if (!l->failing)
		bh_warning("cannot write the violation log '%s': %s; records wait for it", l->path,
			   strerrordesc_np(-r));
	l->failing = true;
}

/* Lines that waited. true: none is left. */
static bool write_pending(struct bh_vlog *l)
{
	size_t done = 0;

	while (done < l->pending.len) {
		const char *p = l->pending.data + done;
		const char *end = memchr(p, '\n', l->pending.len - done);
		size_t size = end ? (size_t)(end - p) + 1 : l->pending.len - done;
		ssize_t n = write_some(l, p, size);

		if (n < 0) {
			set_failing(l, (int)n);
			break;
		}
		done += (size_t)n;
		if ((size_t)n < size) {
			set_failing(l, -ENOSPC);
			break;
		}
		l->stats.written++;
	}
	if (done > 0) {
		memmove(l->pending.data, l->pending.data + done, l->pending.len - done);
		l->pending.len -= done;
	}
	return l->pending.len == 0;
}

static void write_line(struct bh_vlog *l, const char *line, size_t len)
{
	ssize_t n;

	if (l->pending.len > 0) {
		bh_buf_add(&l->pending, line, len);
		return;
	}
	n = write_some(l, line, len);
	if (n == (ssize_t)len) {
		l->stats.written++;
		return;
	}
	set_failing(l, n < 0 ? (int)n : -ENOSPC);
	if (n > 0) {
		line += n;
		len -= (size_t)n;
	}
	bh_buf_add(&l->pending, line, len);
}

/* ---- lines ---- */

static void drop_oldest(struct bh_vlog *l)
{
	size_t i = (l->ring_next + l->keep - l->ring_n) % l->keep;

	l->ring_bytes -= strlen(l->ring[i]);
	free(bh_take_ptr(&l->ring[i]));
	l->ring_n--;
}

static void keep_line(struct bh_vlog *l, const char *line, size_t len)
{
	char *copy = strndup(line, len);

	if (!copy)
		return; /* it is in the file */
	while (l->ring_n == l->keep || (l->ring_n > 0 && l->ring_bytes + len > KEEP_BYTES_MAX))
		drop_oldest(l);
	l->ring[l->ring_next] = copy;
	l->ring_next = (l->ring_next + 1) % l->keep;
	l->ring_n++;
	l->ring_bytes += len;
}

struct times {
	uint64_t count;
	int64_t first_us, last_us;
};

static bool emit(struct bh_vlog *l, int64_t wall_us, const char *body, const struct times *t)
{
	char ts[BH_TIME_STRLEN], first[BH_TIME_STRLEN], last[BH_TIME_STRLEN];
	struct bh_buf *b = &l->scratch;

	bh_buf_clear(b);
	bh_buf_printf(b,
		      "{\"v\":1,\"ts\":\"%s\",\"seq\":%" PRIu64 ",\"boot\":\"%s\",\"node\":%s,%s",
		      bh_clock_format(wall_us, ts), l->seq + 1, l->boot, l->node, body);
	if (t)
		bh_buf_printf(b, ",\"count\":%" PRIu64 ",\"first\":\"%s\",\"last\":\"%s\"",
			      t->count, bh_clock_format(t->first_us, first),
			      bh_clock_format(t->last_us, last));
	bh_buf_puts(b, "}\n");
	if (bh_buf_failed(b) || bh_buf_failed(&l->pending) ||
	    (l->pending.len > 0 && l->pending.len + b->len > l->max_pending)) {
		if (bh_buf_failed(b)) {
			bh_buf_done(b);
			*b = (struct bh_buf)BH_BUF_INIT;
		}
		l->given_up += t ? t->count : 1;
		return false;
	}
	l->seq++;
	write_line(l, b->data, b->len);
	keep_line(l, b->data, b->len);
	if (l->line)
		l->line(l->arg, b->data, b->len);
	return true;
}

static void write_losses(struct bh_vlog *l)
{
	for (size_t i = 0; i < CAUSES_MAX && l->losses[i].cause; i++) {
		struct loss *loss = &l->losses[i];
		char body[160], open[48] = "";

		if (loss->n == 0)
			continue;
		if (loss->open_ms >= 0)
			(void)snprintf(open, sizeof(open), ",\"openMs\":%" PRId64, loss->open_ms);
		(void)snprintf(body, sizeof(body),
			       "\"kind\":\"loss\",\"cause\":\"%.64s\",\"count\":%" PRIu64 "%s",
			       loss->cause, loss->n, open);
		/* Not numbered for want of room: this count stays for the next attempt. */
		if (emit(l, bh_clock_wall_us(), body, NULL))
			loss->n = 0;
		else
			l->given_up--;
	}
}

static void write_repeats(struct bh_vlog *l, struct entry *e)
{
	struct times t = { e->count, e->first_us, e->last_us };

	if (e->count == 0)
		return;
	(void)emit(l, e->last_us, e->body, &t);
	l->stats.counted -= e->count;
	e->count = 0;
}

/* ---- the interface ---- */

bool bh_vlog_repeat(struct bh_vlog *l, const struct bh_vlog_key *key, int64_t wall_us, uint64_t n)
{
	struct entry *e = NULL;

	HASH_FIND(hh, l->entries, key, sizeof(*key), e);
	if (!e)
		return false;
	if (e->count == 0)
		e->first_us = wall_us;
	e->count += n;
	e->last_us = wall_us;
	l->stats.suppressed += n;
	l->stats.counted += n;
	return true;
}

static void make_room(struct bh_vlog *l)
{
	struct entry *e = l->entries;

	if (HASH_COUNT(l->entries) < l->max_keys || !e)
		return;
	write_repeats(l, e);
	HASH_DEL(l->entries, e);
	entry_free(e);
}

void bh_vlog_violation(struct bh_vlog *l, const struct bh_vlog_key *key, bh_msec_t now,
		       int64_t wall_us, const char *body)
{
	struct times t = { 1, wall_us, wall_us };
	struct entry *e;

	(void)emit(l, wall_us, body, &t);
	make_room(l);
	e = calloc(1, sizeof(*e));
	if (e)
		e->body = strdup(body);
	if (!e || !e->body) {
		free(e); /* the next one is written in full again */
		return;
	}
	e->key = *key;
	e->ends = now + l->window_ms;
	HASH_ADD(hh, l->entries, key, sizeof(e->key), e);
	if (!e->hh.tbl)
		entry_free(e);
}

void bh_vlog_event(struct bh_vlog *l, int64_t wall_us, const char *body)
{
	(void)emit(l, wall_us, body, NULL);
}

static void add_loss(struct bh_vlog *l, const char *cause, uint64_t n, int64_t open_ms)
{
	size_t i = 0;

	if (n == 0)
		return;
	l->stats.lost += n;
	/* The last place takes whatever has none of its own. */
	while (i < CAUSES_MAX - 1 && l->losses[i].cause && strcmp(l->losses[i].cause, cause) != 0)
		i++;
	if (!l->losses[i].cause)
		l->losses[i].cause = i < CAUSES_MAX - 1 ? cause : "other";
	if (l->losses[i].n == 0)
		l->losses[i].open_ms = -1;
	l->losses[i].n += n;
	l->losses[i].open_ms = BH_MAX(l->losses[i].open_ms, open_ms);
}

void bh_vlog_loss(struct bh_vlog *l, const char *cause, uint64_t n)
{
	add_loss(l, cause, n, -1);
}

void bh_vlog_loss_open(struct bh_vlog *l, const char *cause, bh_msec_t open_ms)
{
	add_loss(l, cause, 1, BH_MAX(open_ms, 0));
}

static void check_file(struct bh_vlog *l)
{
	struct stat st;

	/* Removed by somebody: what is written there is lost for everybody. One that fails is opened anew. */
	if (l->fd >= 0 && (l->failing || (fstat(l->fd, &st) == 0 && st.st_nlink == 0))) {
		bh_closep(&l->fd);
		l->fd = -1;
	}
	if (l->fd < 0)
		(void)open_file(l, NULL);
	if (bh_buf_failed(&l->pending)) {
		/* Out of memory in the queue: what stood in it is numbered and gone. */
		bh_buf_done(&l->pending);
		l->pending = (struct bh_buf)BH_BUF_INIT;
		l->given_up++;
	}
	if (!write_pending(l))
		return;
	if (l->failing && l->fd >= 0) {
		bh_notice("the violation log '%s' can be written again", l->path);
		l->failing = false;
	}
	if (l->given_up > 0 && l->fd >= 0) {
		uint64_t n = l->given_up;

		l->given_up = 0;
		bh_vlog_loss(l, "log_write", n);
	}
}

void bh_vlog_tick(struct bh_vlog *l, bh_msec_t now)
{
	check_file(l);
	write_losses(l);
	while (l->entries && l->entries->ends <= now) {
		struct entry *e = l->entries;

		HASH_DEL(l->entries, e);
		if (e->count == 0) {
			entry_free(e);
			continue;
		}
		/* It goes on: one record for each window. */
		write_repeats(l, e);
		e->ends = now + l->window_ms;
		HASH_ADD(hh, l->entries, key, sizeof(e->key), e);
		if (!e->hh.tbl)
			entry_free(e);
	}
}

void bh_vlog_flush(struct bh_vlog *l)
{
	struct entry *e = NULL, *tmp = NULL;

	check_file(l);
	HASH_ITER(hh, l->entries, e, tmp) {
		write_repeats(l, e);
	}
	write_losses(l);
}

int bh_vlog_reopen(struct bh_vlog *l, struct bh_err *err)
{
	int r;

	bh_closep(&l->fd);
	l->fd = -1;
	r = open_file(l, err);
	if (r == 0)
		check_file(l);
	else
		set_failing(l, r);
	return r;
}

void bh_vlog_stats_get(const struct bh_vlog *l, struct bh_vlog_stats *ret)
{
	*ret = l->stats;
	ret->lost += l->given_up;
	ret->failing = l->failing;
}

void bh_vlog_last(const struct bh_vlog *l, size_t n,
		  void (*fn)(void *arg, const char *line, size_t len), void *arg)
{
	if (n > l->ring_n)
		n = l->ring_n;
	for (size_t i = n; i > 0; i--) {
		const char *line = l->ring[(l->ring_next + l->keep - i) % l->keep];

		fn(arg, line, strlen(line));
	}
}

int bh_vlog_new(const struct bh_vlog_config *cfg, struct bh_vlog **ret, struct bh_err *err)
{
	bh_cleanup(bh_vlog_freep) struct bh_vlog *l = calloc(1, sizeof(*l));
	bh_cleanup(bh_buf_done) struct bh_buf node = BH_BUF_INIT;
	struct bh_err why = { 0 };

	if (!l)
		return bh_err_set(err, -ENOMEM, "out of memory");
	l->fd = -1;
	l->window_ms = cfg->window_ms > 0 ? cfg->window_ms : DEFAULT_WINDOW_MS;
	l->max_keys = cfg->max_keys > 0 ? cfg->max_keys : DEFAULT_KEYS;
	l->keep = cfg->keep > 0 ? cfg->keep : DEFAULT_KEEP;
	l->max_pending = cfg->max_pending > 0 ? cfg->max_pending : DEFAULT_PENDING;
	l->line = cfg->line;
	l->arg = cfg->arg;
	(void)snprintf(l->boot, sizeof(l->boot), "%s", cfg->boot);
	bh_jsonw_str(&node, cfg->node);
	l->node = bh_buf_take(&node);
	l->path = strdup(cfg->path);
	l->ring = calloc(l->keep, sizeof(*l->ring));
	if (!l->node || !l->path || !l->ring)
		return bh_err_set(err, -ENOMEM, "out of memory");
	if (open_file(l, &why) < 0) {
		bh_warning("%s; records wait for it", why.msg);
		l->failing = true;
	}
	*ret = bh_take_ptr(&l);
	return 0;
}

struct bh_vlog *bh_vlog_free(struct bh_vlog *l)
{
	struct entry *e = NULL, *tmp = NULL;

	if (!l)
		return NULL;
	if (l->path && l->node && l->ring)
		bh_vlog_flush(l);
	HASH_ITER(hh, l->entries, e, tmp) {
		HASH_DEL(l->entries, e);
		entry_free(e);
	}
	while (l->ring && l->ring_n > 0)
		drop_oldest(l);
	free(l->ring);
	bh_closep(&l->fd);
	bh_buf_done(&l->pending);
	bh_buf_done(&l->scratch);
	free(l->path);
	free(l->node);
	free(l);
	return NULL;
}
