/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * cli/matrix.h - who reaches whom, as it is shown
 *
 * matrix.c finds it out; matrix_text.c and matrix_svg.c show it.
 *
 * Thread-safety: one thread.
 */
#ifndef BH_CLI_MATRIX_H
#define BH_CLI_MATRIX_H

#include "cli/world.h"
#include "policy/party.h"
#include "policy/reach.h"

/* A pair in one sign. */
enum bh_sum {
	BH_SUM_NONE =
	    0, /* they cannot meet: no address family in common, one address, nobody's policies */
	BH_SUM_REFUSED,
	BH_SUM_PORTS,  /* some ports, whatever is spoken */
	BH_SUM_SPOKEN, /* some protocols, on some ports or on all */
	BH_SUM_MOST,   /* everything but some ports or protocols */
	BH_SUM_ALL,
	BH_SUM_COUNT,
};

struct bh_pair {
	uint32_t list; /* number of the struct bh_reach_list; nothing with BH_SUM_NONE */
	uint8_t sum;   /* enum bh_sum */
};

struct bh_matrix {
	struct bh_compiled compiled;
	struct bh_parties parties;
	struct bh_meanings *meanings;
	struct bh_reach *reach;
	const struct bh_endpoint *const *eps;
	struct bh_node *const *nodes;
	size_t *from, *to; /* indexes of parties: rows and columns */
	size_t n_from, n_to;
	struct bh_pair *pairs; /* row by row */
};
#define BH_MATRIX_INIT                       \
	{                                    \
		.compiled = {.rules = NULL } \
	}

/* @from, @to: "NAMESPACE/NAME", "NAMESPACE/", an address, the name of a party; NULL: all. Return: exit code */
int bh_matrix_make(struct bh_matrix *m, const struct bh_world *w, const char *from, const char *to);
void bh_matrix_done(struct bh_matrix *m);

static inline const struct bh_pair *bh_matrix_pair(const struct bh_matrix *m, size_t row,
						   size_t column)
{
	return &m->pairs[row * m->n_to + column];
}
static inline const struct bh_party *bh_matrix_from(const struct bh_matrix *m, size_t row)
{
	return &m->parties.items[m->from[row]];
}
static inline const struct bh_party *bh_matrix_to(const struct bh_matrix *m, size_t column)
{
	return &m->parties.items[m->to[column]];
}

/* What is worth telling of a list: a piece that is as "everything else", or refused like it, is not. */
bool bh_matrix_worth(const struct bh_matrix *m, const struct bh_reach_list *l, size_t i);
/* "80/tcp http; 9000-9010/tcp", "everything; 22/tcp refused". */
void bh_matrix_put_ports(const struct bh_matrix *m, const struct bh_pair *p, struct bh_buf *out);
/* Protocols by name that some port of it allows. */
struct bh_protoset bh_matrix_spoken(const struct bh_matrix *m, const struct bh_pair *p);

void bh_matrix_put_table(const struct bh_matrix *m, bool colour, struct bh_buf *out);
void bh_matrix_put_list(const struct bh_matrix *m, struct bh_buf *out);
void bh_matrix_put_csv(const struct bh_matrix *m, struct bh_buf *out);
void bh_matrix_put_dot(const struct bh_matrix *m, struct bh_buf *out);
void bh_matrix_put_svg(const struct bh_matrix *m, struct bh_buf *out);
/* NULL: out of memory. */
json_t *bh_matrix_json(const struct bh_matrix *m);

#endif
