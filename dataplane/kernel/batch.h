/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * dataplane/kernel/batch.h - one nftables transaction
 *
 * Messages are put together in one buffer and leave by one sendmsg(2): all of them take effect, or none.
 * When the kernel refuses one, the error names the object it is about, found again by the message's number:
 * "element 10.1.0.5 of map peer of table ip bulkhead".
 *
 * Running out of memory sticks and is told by bh_batch_commit().
 *
 * Thread-safety: a batch belongs to one thread.
 */
#ifndef BH_DATAPLANE_KERNEL_BATCH_H
#define BH_DATAPLANE_KERNEL_BATCH_H

#include "common/buf.h"
#include "dataplane/kernel/nl.h"

struct nftnl_rule;
struct nftnl_set;

struct bh_batch {
	struct bh_buf buf;
	const char *table; /* borrowed; of every message */
	uint32_t seq;      /* of the next message */
	uint32_t first_seq;
	uint32_t next_set_id; /* for maps that belong to one rule */
	size_t msg_off;       /* of the message that is being made */
	struct nlattr *elems; /* open list of elements, or NULL */
	uint8_t elems_set, elems_family, elems_type;
	bool failed;
};

void bh_batch_init(struct bh_batch *b, const char *table);
void bh_batch_done(struct bh_batch *b);

/* A message with room for 60 kB of attributes; NULL if memory ran out. bh_batch_end() closes it. */
struct nlmsghdr *bh_batch_msg(struct bh_batch *b, unsigned type, uint8_t family, unsigned flags);
void bh_batch_end(struct bh_batch *b, struct nlmsghdr *h);

void bh_batch_table(struct bh_batch *b, uint8_t family, uint32_t flags);
void bh_batch_del_table(struct bh_batch *b, uint8_t family);
/* A chain that others jump to. No harm if it is there. */
void bh_batch_chain(struct bh_batch *b, uint8_t family, const char *name);
/* A chain at a hook (NF_INET_*), policy accept. */
void bh_batch_base_chain(struct bh_batch *b, uint8_t family, const char *name, unsigned hook,
			 int prio);
void bh_batch_flush_chain(struct bh_batch *b, uint8_t family, const char *name);
void bh_batch_counter(struct bh_batch *b, uint8_t family, const char *name);
/* Both are freed here; NULL is a failure to make one and sticks. */
void bh_batch_rule(struct bh_batch *b, struct nftnl_rule *r);
void bh_batch_set(struct bh_batch *b, uint8_t family, struct nftnl_set *s);

/*
 * One element. Elements of one set that follow each other share messages; bh_batch_elems_end() closes the last.
 * @set: enum bh_kset. @flags: NFT_SET_ELEM_*. @data: NULL where the element has none. @comment: NULL, "": none.
 */
void bh_batch_elem(struct bh_batch *b, bool add, uint8_t family, uint8_t set, const void *key,
		   size_t key_len, uint32_t flags, const uint32_t *data, const char *comment);
void bh_batch_elems_end(struct bh_batch *b);
/* All elements go; each is echoed, as it was at last. */
void bh_batch_flush_set(struct bh_batch *b, uint8_t family, const char *name);

/* Messages so far, without those that open and close the transaction. */
typedef void (*bh_batch_fn)(const struct nlmsghdr *h, void *arg);
void bh_batch_each(const struct bh_batch *b, bh_batch_fn fn, void *arg);

/* Return: 0; -ENOMEM; the kernel's first error */
int bh_batch_commit(struct bh_batch *b, struct bh_nl *nl, struct bh_err *err) bh_must_check;
int bh_batch_commit_echo(struct bh_batch *b, struct bh_nl *nl, bh_nl_echo_fn fn, void *arg,
			 struct bh_err *err) bh_must_check;

#endif
