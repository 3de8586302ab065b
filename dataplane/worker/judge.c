// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * dataplane/worker/judge.c - the packets of one queue through the engine, and a verdict for each
 *
 * DOC: Exactly one verdict
 *
 * The kernel keeps a packet until its id is answered, and takes one answer. So the ids given to the engine
 * stand in a table together with the packet's mark, the engine's answer takes the id out, and only what was
 * in the table is sent: an answer too many goes nowhere, and none is sent but by answer(). A packet that
 * cannot enter the table is answered at once, with a drop.
 *
 * DOC: Refused payload
 *
 * The kernel resets both ends of a connection that the verdict refuses: the packet goes on to the receiver as
 * an RST. It must not carry there what was refused, to be read by whoever listens at the interface. So its
 * payload is taken off here. Should the kernel decide otherwise (it has another revision), what passes is a
 * bare ACK, and TCP sends the payload again. A packet that was held meanwhile is not at hand any more; the
 * kernel sends no copy of a refused packet that has payload (dataplane/kernel/chains_l7.c).
 *
 * DOC: A predecessor's packets
 *
 * A worker that died had read packets that nobody else will answer. What it had not read still stands in the
 * socket. So everything older than the first packet read here is dropped by one batch verdict.
 *
 * DOC: The open queue
 *
 * Packets of flows that may pass unjudged come by the second queue of the pair. What there is no room for, or no rule set,
 * goes on there as it is, and so does what a predecessor had: with the mark by which the kernel finds it, counts it
 * and takes its flow out of the queue. Ids are counted by each queue for itself, so the engine gets a number of ours.
 */
#include "dataplane/worker/judge.h"

#include <fcntl.h>
#include <linux/netfilter.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "common/hash.h"
#include "common/util.h"
#include "dataplane/classifier/packet.h"
#include "dataplane/worker/nfq.h"

#include "common/banned.h"

#define PENDING_SLOTS \
	32768U /* twice the most that may be in it, which is twice the length of both queues */
#define PENDING_MAX 16384U
#define ROUNDS_MAX  8
#define RULES_MAX   (INT64_C(1) << 32)

struct pending {
	uint32_t key;
	uint32_t id;
	uint32_t mark : 16; /* the half that is not ours */
	uint32_t used : 1;
	uint32_t open : 1;
};

struct rules {
	void *mem; /* the block; unmapped when the view is gone */
	size_t size;
	struct bh_ruleset *rs;
	struct bh_addrtable *addrs;
};

struct bh_judge {
	struct bh_nfq *nfq;
	struct bh_engine *engine;
	bh_judge_finding_fn fn;
	void *arg;
	struct rules rules;
	uint8_t mark_down; /* our bits in marks (dataplane/marks.h) */
	bool started[2];   /* a packet was read; of the open queue */
	bh_msec_t now;
	const struct bh_packet *at; /* the one the engine has in hand; NULL: none */
	size_t n_pending;
	struct pending *pending;
};

/* What the engine knows a packet by. Ids that differ in their highest bit alone never wait together. */
static uint32_t key_of(const struct bh_nfq_packet *np)
{
	return np->id << 1 | np->open;
}

static uint32_t pending_slot(uint32_t key)
{
	/* Ids are counted up by the kernel: neighbours fall into neighbouring slots, and that is fine. */
	return key & (PENDING_SLOTS - 1);
}

static struct pending *pending_find(struct bh_judge *j, uint32_t key)
{
	uint32_t i = pending_slot(key);

	/* Never more than half full: an empty slot ends it. */
	while (j->pending[i].used && j->pending[i].key != key)
		i = (i + 1) & (PENDING_SLOTS - 1);
	return &j->pending[i];
}

static void pending_remove(struct bh_judge *j, struct pending *p)
{
	uint32_t hole = (uint32_t)(p - j->pending), i = hole;

	/* Close the gap with whatever could have stood in it. */
	for (;;) {
		uint32_t home;

		i = (i + 1) & (PENDING_SLOTS - 1);
		if (!j->pending[i].used)
			break;
		home = pending_slot(j->pending[i].key);
		if (((i - home) & (PENDING_SLOTS - 1)) < ((i - hole) & (PENDING_SLOTS - 1)))
			continue;
		j->pending[hole] = j->pending[i];
		hole = i;
	}
	j->pending[hole].used = 0;
	j->n_pending--;
}

/* The packet in hand without its payload, if it is @key and TCP; else 0. @out: BH_NFQ_PACKET_MAX bytes. */
static uint32_t without_payload(const struct bh_judge *j, uint32_t key, uint8_t *out)
{
	struct bh_headers h;

	if (!j->at || j->at->id != key ||
	    bh_headers_parse(j->at->data, j->at->len, j->at->wire_len, &h) == BH_HEADERS_BAD ||
	    h.payload_len == 0)
		return 0;
	return bh_headers_bare(j->at->data, &h, out, BH_NFQ_PACKET_MAX);
}

/*
 * The one place from which the verdict about a packet leaves. @p: its mark's half that is not ours, ours in its usual place.
 * What is not exactly an answer of the engine drops the packet.
 */
static void answer(struct bh_judge *j, const struct pending *p, enum bh_verdict v, unsigned result)
{
	uint8_t bare[BH_NFQ_PACKET_MAX];
	uint32_t verdict = NF_DROP, bare_len = 0, mark = p->mark;

	if (v == BH_VERDICT_PASS) {
		verdict = NF_ACCEPT;
	} else if ((v == BH_VERDICT_SUB && result <= BH_SUB_CONFIRM) ||
		   ((v == BH_VERDICT_RESULT || v == BH_VERDICT_REFUSED) &&
		    result >= BH_PROTO_FIRST && result < BH_RESULT_KILLED &&
		    result != BH_PROTO_ADOPTED)) {
		verdict = NF_REPEAT;
		mark |= BH_VMARK | result << BH_MARK_RESULT_SHIFT;
	}
	if (v == BH_VERDICT_REFUSED)
		bare_len = without_payload(j, p->key, bare);
	bh_nfq_verdict(j->nfq, p->open, p->id, verdict, verdict != NF_DROP,
		       bh_mark_place(mark, j->mark_down), bare_len ? bare : NULL, bare_len);
}

static void on_verdict(void *arg, uint32_t id, enum bh_verdict v, unsigned result)
{
	struct bh_judge *j = arg;
	struct pending *slot = pending_find(j, id), p = *slot;

	if (!p.used)
		return;
	pending_remove(j, slot);
	answer(j, &p, v, result);
}

static void on_finding(void *arg, const struct bh_finding *f)
{
	struct bh_judge *j = arg;

	j->fn(j->arg, f);
}

static void on_packet(void *arg, const struct bh_nfq_packet *np)
{
	struct bh_judge *j = arg;
	uint32_t mark = bh_mark_read(np->mark, j->mark_down);
	const struct pending w = {
		.key = key_of(np), .id = np->id, .mark = mark & 0xffff, .used = 1, .open = np->open
	};
	struct bh_packet p = {
		.id = w.key,
		.data = np->data,
		.len = np->len,
		.wire_len = np->wire_len,
		.hook = np->hook,
		.qmark = mark & BH_MARK_OURS,
		.csum_unchecked = np->csum_unchecked,
		.now = j->now,
	};
	struct pending *slot;

	if (!j->started[np->open])
		bh_nfq_give_up_until(j->nfq, np->open, np->id - 1);
	j->started[np->open] = true;

	slot = pending_find(j, w.key);
	if (slot->used)
		return; /* twice the same id: its verdict is still to come */
	if (np->damaged || (mark & BH_VMARK_MASK) != BH_QMARK) {
		answer(j, &w, BH_VERDICT_DROP, 0);
		return;
	}
	if (!j->rules.rs || j->n_pending >= PENDING_MAX) {
		if (np->open)
			bh_nfq_verdict(j->nfq, true, np->id, NF_ACCEPT, false, 0, NULL, 0);
		else
			answer(j, &w, BH_VERDICT_DROP, 0);
		return;
	}
	*slot = w;
	j->n_pending++;
	j->at = &p;
	bh_engine_packet(j->engine, &p);
	j->at = NULL;
}

int bh_judge_new(int queue_fd, uint16_t queue, const struct bh_engine_config *cfg,
		 bh_judge_finding_fn fn, void *arg, struct bh_judge **ret, struct bh_err *err)
{
	static const struct bh_engine_ops ops = { .verdict = on_verdict, .finding = on_finding };
	bh_cleanup(bh_judge_freep) struct bh_judge *j = calloc(1, sizeof(*j));
	int r;

	if (!j)
		return bh_err_set(err, -ENOMEM, "out of memory");
	j->fn = fn;
	j->arg = arg;
	j->mark_down = cfg->mark_down;
	j->pending = calloc(PENDING_SLOTS, sizeof(*j->pending));
	if (!j->pending)
		return bh_err_set(err, -ENOMEM, "out of memory");
	r = bh_nfq_new(queue_fd, queue, &j->nfq);
	if (r < 0)
		return bh_err_set(err, r, "out of memory for the queue's buffers");
	r = bh_engine_new(cfg, &ops, j, &j->engine, err);
	if (r < 0)
		return r;
	*ret = bh_take_ptr(&j);
	return 0;
}

static void rules_done(struct rules *r)
{
	bh_ruleset_free(r->rs);
	bh_addrtable_free(r->addrs);
	if (r->mem)
		(void)munmap(r->mem, r->size);
	*r = (struct rules){ .mem = NULL };
}

struct bh_judge *bh_judge_free(struct bh_judge *j)
{
	if (!j)
		return NULL;
	bh_engine_free(j->engine);
	bh_nfq_free(j->nfq);
	rules_done(&j->rules);
	free(j->pending);
	free(j);
	return NULL;
}

static int map_rules(int fd, struct rules *ret, struct bh_err *err)
{
	const int need = F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_WRITE;
	struct stat st;
	int seals;

	/* Unsealed, it could change after it was checked, or shrink under the reader. */
	seals = fcntl(fd, F_GET_SEALS);
	if (seals < 0 || (seals & need) != need)
		return bh_err_set(err, -EPROTO, "rule set: not a sealed memory file");
	if (fstat(fd, &st) < 0)
		return bh_err_set(err, -errno, "rule set: fstat: %m");
	if (st.st_size <= 0 || st.st_size > RULES_MAX)
		return bh_err_set(err, -EPROTO, "rule set of %lld bytes", (long long)st.st_size);
	/* Private: before Linux 6.7 a shared mapping of a file sealed against writing is refused. */
	ret->mem = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (ret->mem == MAP_FAILED) {
		ret->mem = NULL;
		return bh_err_set(err, -errno, "rule set of %lld bytes: mmap: %m",
				  (long long)st.st_size);
	}
	ret->size = (size_t)st.st_size;
	return bh_ruleset_map(ret->mem, ret->size, &ret->rs, err);
}

int bh_judge_rules(struct bh_judge *j, int rules_fd, int addrs_fd, struct bh_err *err)
{
	bh_cleanup(rules_done) struct rules fresh = { .mem = NULL };
	struct rules old = j->rules;
	int r;

	r = map_rules(rules_fd, &fresh, err);
	if (r == 0)
		r = bh_addrtable_map(addrs_fd, &fresh.addrs, err);
	if (r < 0)
		return r;
	bh_engine_set_rules(j->engine, fresh.rs, fresh.addrs);
	j->rules = fresh;
	fresh = old;
	return 0;
}

uint64_t bh_judge_revision(const struct bh_judge *j)
{
	return j->rules.rs ? bh_ruleset_revision(j->rules.rs) : 0;
}

int bh_judge_read(struct bh_judge *j)
{
	int r = 0;

	for (int i = 0; i < ROUNDS_MAX; i++) {
		j->now = bh_clock_now();
		r = bh_nfq_read(j->nfq, on_packet, j);
		bh_nfq_flush(j->nfq);
		if (r < (int)BH_NFQ_ROUND)
			break;
	}
	return r < 0 ? r : 0;
}

int bh_judge_tick(struct bh_judge *j)
{
	int r = bh_engine_tick(j->engine, bh_clock_now());

	bh_nfq_flush(j->nfq);
	return r;
}

void bh_judge_drain(struct bh_judge *j)
{
	bh_engine_drain(j->engine);
	bh_nfq_flush(j->nfq);
}

size_t bh_judge_pending(const struct bh_judge *j)
{
	return j->n_pending;
}

void bh_judge_stats_get(const struct bh_judge *j, struct bh_worker_stats *ret)
{
	struct bh_nfq_stats nfq;

	bh_nfq_stats_get(j->nfq, &nfq);
	bh_engine_stats_get(j->engine, &ret->engine);
	ret->verdicts = nfq.verdicts;
	ret->verdict_errors = nfq.errors;
}
