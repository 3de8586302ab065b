/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * policy/spoken.h - what is spoken, as people write it down -> values that rules can be asked about
 *
 *	bh_cleanup(bh_speech_done) struct bh_speech s = BH_SPEECH_INIT;
 *	r = bh_speech_set(&s, "http", "GET http://shop.example.com/x", err);
 *	r = bh_speech_finish(&s, err);
 *	... bh_ruleset_settle_spoken(rs, word, &s.spoken, &open) ...
 *
 * Values are brought into the form in which the classifier finds them on the wire (policy/ruleset/attr.c): paths decoded
 * once, without dot segments, double slashes, query and fragment; names in lower case without a dot at the end.
 * What nobody has said is not known, and stays open.
 *
 * Thread-safety: no state; a struct bh_speech belongs to one thread.
 */
#ifndef BH_POLICY_SPOKEN_H
#define BH_POLICY_SPOKEN_H

#include "policy/ruleset.h"

struct bh_speech {
	struct bh_strlist values[BH_ATTR_COUNT];
	struct bh_spoken spoken; /* points into @values */
};
#define BH_SPEECH_INIT                  \
	{                               \
		.spoken = {.proto = 0 } \
	}

void bh_speech_done(struct bh_speech *s);

/**
 * bh_speech_set() - One thing that is said about what is spoken
 * @what:	As in the table below
 * @value:	Never trusted
 *
 *	protocol	http, ssh, unknown, undecided ...
 *	http		METHOD [PATH]; the path may be a URL, CONNECT has HOST:PORT
 *	host		the host that an HTTP request names
 *	upgrade		what an HTTP request wants to become: websocket, h2c
 *	sni		the server's name of a TLS client hello
 *	alpn		protocols that a client hello offers, with commas between
 *	tls-version	the highest that a client hello offers: 1.0 to 1.3
 *	ech		present, absent: encrypted client hello
 *	dns		NAME [TYPE]: a question
 *	grpc		SERVICE[/METHOD]
 *	risk		risks that nDPI found, with commas between
 *
 * "-" says that there is none of it: no host, no upgrade, no server name, no ALPN, no risk.
 *
 * Return: 0; -EINVAL (in @err what is wrong with @value); -ENOENT (no such @what); -ENOMEM. The values before stay.
 */
int bh_speech_set(struct bh_speech *s, const char *what, const char *value, struct bh_err *err)
    bh_must_check;

/*
 * All is said: the protocol follows from the rest where it was not given. -EINVAL: things that are never spoken
 * together.
 */
int bh_speech_finish(struct bh_speech *s, struct bh_err *err) bh_must_check;

/* The i-th @what, for listings and did-you-mean; NULL past the end. */
const char *bh_speech_nth(size_t i);

/* What kind of details an attribute belongs to. */
enum bh_detail_kind bh_attr_detail(enum bh_attr a);

/* "/a//b/../c%20d?q" -> "/a/c d". *@ret is the caller's. -EINVAL, -ENOMEM. */
int bh_spoken_path(const char *path, char **ret, struct bh_err *err) bh_must_check;
/* "Shop.Example.COM." -> "shop.example.com". *@ret is the caller's. -EINVAL, -ENOMEM. */
int bh_spoken_name(const char *name, char **ret, struct bh_err *err) bh_must_check;

#endif
