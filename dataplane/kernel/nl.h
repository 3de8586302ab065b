/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * dataplane/kernel/nl.h - a netfilter netlink socket
 *
 * Netfilter works on a message inside sendmsg(2): when it returns, the transaction is made or refused and
 * every reply stands in the socket. So no acknowledgements are asked for: no reply is success.
 *
 * Thread-safety: a socket belongs to one thread.
 */
#ifndef BH_DATAPLANE_KERNEL_NL_H
#define BH_DATAPLANE_KERNEL_NL_H

#include <libmnl/libmnl.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"

struct bh_nl {
	int fd;          /* -1: not open */
	uint32_t portid; /* our address: who made a change, in the kernel's notices */
	uint32_t seq;
	char *rcv;
};
#define BH_NL_INIT       \
	{                \
		.fd = -1 \
	}
#define BH_NL_RCV_SIZE (64U * 1024) /* one datagram; the kernel's dumps come in at most 32 KiB */

/* The first error of a transaction. */
struct bh_nl_error {
	int code;       /* negative errno; 0: none */
	uint32_t seq;   /* of the message that was refused */
	uint32_t off;   /* of the attribute in it that was meant; 0: not said */
	char text[128]; /* the kernel's words; "" where it gave none */
};

/* Attributes in @size bytes from @start, checked: bh_nl_each_attr(a, start, size) { ... } */
const struct nlattr *bh_nl_next_attr(const void *start, size_t size, const struct nlattr *a);
#define bh_nl_each_attr(a, start, size)                                 \
	for ((a) = bh_nl_next_attr((start), (size), NULL); (a) != NULL; \
	     (a) = bh_nl_next_attr((start), (size), (a)))

/* The first attribute of a type: of a netfilter message, inside of another attribute. NULL: none */
const struct nlattr *bh_nl_attr(const struct nlmsghdr *h, unsigned type);
const struct nlattr *bh_nl_nested(const struct nlattr *nest, unsigned type);
/* Its value; 0, "" where it is missing or has another size. Numbers come in network order. */
uint32_t bh_nl_u32(const struct nlattr *a);
uint64_t bh_nl_u64(const struct nlattr *a);
const char *bh_nl_str(const struct nlattr *a);

static inline size_t bh_nl_align(size_t n)
{
	return (n + 3) & ~(size_t)3;
}

int bh_nl_open(struct bh_nl *nl, struct bh_err *err) bh_must_check;
void bh_nl_close(struct bh_nl *nl);

/**
 * bh_nl_send() - Send a whole transaction by one sendmsg(2) and read what the kernel says
 *
 * Return: 0, or the first error, which *@ret_error describes (its seq is 0 if sending itself failed)
 */
int bh_nl_send(struct bh_nl *nl, const void *data, size_t size, struct bh_nl_error *ret_error)
    bh_must_check;
/* The same; @fn gets what messages with NLM_F_ECHO bring back. */
typedef void (*bh_nl_echo_fn)(const struct nlmsghdr *h, void *arg);
int bh_nl_send_echo(struct bh_nl *nl, const void *data, size_t size, bh_nl_echo_fn fn, void *arg,
		    struct bh_nl_error *ret_error) bh_must_check;

/* Return: 0, or a negative errno that ends the dump with it. */
typedef int (*bh_nl_fn)(const struct nlmsghdr *h, void *arg);

/**
 * bh_nl_dump() - Ask for a list
 * @req:	Complete request; NLM_F_REQUEST | NLM_F_DUMP and the number are put in here
 * @begin:	Called before the first message, and again when the list changed while it was read and is
 *		asked for once more; may be NULL
 *
 * Return: 0; -EAGAIN if the list changed each time; what @fn returned; the kernel's error
 */
int bh_nl_dump(struct bh_nl *nl, struct nlmsghdr *req, void (*begin)(void *arg), bh_nl_fn fn,
	       void *arg) bh_must_check;

#endif
