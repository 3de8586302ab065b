/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * policy/reader.h - typed values out of a tree of nodes, with complaints where they are not what they should be
 *
 * A reader knows the list of messages, the text, and the path to where it is ("spec.ingress[0].from"). An
 * error is noted in it and reading goes on, so that one run shows all of them; who reads asks bh_reader_ok()
 * at the end. What objects exist, and which fields of which type each has, stands in tables (struct
 * bh_object): bh_read_fields() holds a map against one of them.
 *
 * For policies (policy/schema.h has their tables) and for configuration files, which bring their own.
 *
 * Thread-safety: a reader belongs to one thread; tables are constants.
 */
#ifndef BH_POLICY_READER_H
#define BH_POLICY_READER_H

#include "common/buf.h"
#include "policy/diag.h"
#include "policy/yaml.h"

/* ---- tables ---- */

enum bh_field_type {
	BH_FIELD_INVALID = 0,
	BH_FIELD_STRING,
	BH_FIELD_INT,
	BH_FIELD_BOOL,
	BH_FIELD_INT_OR_STRING,
	BH_FIELD_MAP,     /* with the fields of @object, or any where it is NULL */
	BH_FIELD_STRINGS, /* a map of any keys to strings */
	BH_FIELD_LIST,    /* of @item */
	BH_FIELD_ANY,     /* looked at by who reads it, or not at all */
};

enum {
	BH_FIELD_REQUIRED = 1 << 0,
	BH_FIELD_NOT_NULL = 1 << 1, /* else null is as good as absent */
	BH_FIELD_UNSUPPORTED =
	    1 << 2,                /* it exists, but not in this version: an error that says so */
	BH_FIELD_IGNORED = 1 << 3, /* set by a server; read and thrown away */
	/*
	 * The value (of a list: an item) may be of several types: a whole number, a string, or a map with the fields
	 * of @object where there is one. Its type is ANY: who reads it looks.
	 */
	BH_FIELD_SEVERAL = 1 << 4,
	BH_FIELD_NOT_EMPTY = 1 << 5, /* a list that is written has at least one item */
	/* A map that is read as an empty one where it is missing: it is as required as what is in it. */
	BH_FIELD_READ_ANYWAY = 1 << 6,
};

struct bh_object;

struct bh_field {
	const char *name;
	uint8_t type; /* enum bh_field_type */
	uint8_t item; /* of lists: type of an item */
	uint8_t flags;
	uint16_t not_in;    /* where it does not exist: bits that bh_read_fields() is given */
	uint16_t max_items; /* of lists; 0: no limit but that of the file */
	int64_t min,
	    max; /* of whole numbers (and items; of several types: not read by tables); both 0: none */
	/*
	 * What a string (or item, or a number that is more than a number) must look like, for documentation and
	 * schemas; held by who reads it. The formats: below.
	 */
	const char *format;
	const struct bh_object *object; /* of a map, or of the maps in a list */
	const char *const
	    *values;           /* strings (or items): the legal ones, NULL at the end; NULL: any */
	const char *otherwise; /* default, for documentation; may be NULL */
	const char *not_here;  /* hint where it stands where it does not exist */
	const char *help;      /* one line */
};

/*
 * Formats (policy/schema/schema_format.h has their words and patterns):
 *	address		10.1.2.3, fd00::1
 *	cidr		10.1.0.0/16, fd00::/8
 *	port		number of a port
 *	port-name	"http": IANA service name
 *	port-short	80, 443/tcp, 8000-8100, 53/udp, http, metrics/tcp
 *	icmp		echo-request, 8, 3/1
 *	name		what Kubernetes lets an object be called: a domain name in lower case
 *	loose-name	what container engines call things: letters, digits, "-", "_", "."
 *	namespace	likewise; "" is the namespace "default"
 *	label-key, label-value
 *	text		one line of at most 100 characters
 *	date-time	RFC 3339
 *	time-of-day	08:00; up to 24:00
 *	time-zone	Europe/Vienna
 *	name-pattern	shop.example.com, *.example.com
 *	path-glob	"/public/" and two stars: * within a segment, ** over segments
 *	method		GET
 *	token		websocket: lower case
 *	connect-target	db.example.com:5432, or "*" for every port
 *	alpn		h2
 *	dns-type	AAAA, TYPE65
 *	grpc-service	shop.Cart, shop.**
 *	grpc-method	AddItem, *
 *	protocol	name of a protocol or family (policy/protocol.h)
 *	risk		name of a risk (policy/risk.h)
 */

enum {
	BH_OBJECT_ONE_OF =
	    1 << 0,              /* exactly one of the fields must be there; held by who reads it */
	BH_OBJECT_OPEN = 1 << 1, /* other fields are ignored */
	/*
	 * Where none of the fields is there, what is there is of a later version, and no error; held by who reads
	 * it.
	 */
	BH_OBJECT_LATER = 1 << 2,
};

/* A name may stand in @fields more than once, with not_in apart: then it differs from place to place. */
struct bh_object {
	const char *name; /* "rule", for documentation */
	const char *help;
	const struct bh_field *fields;
	size_t n;
	uint8_t flags;
};

/* A field as found. */
struct bh_got {
	const struct bh_yaml_node *key; /* NULL: not written */
	const struct bh_yaml_node
	    *value; /* NULL: not written, null, or of another type (an error) */
};

/* ---- readers ---- */

struct bh_reader {
	const struct bh_text *text;
	struct bh_diags *d;
	const struct bh_yaml_node
	    *around; /* what an error about a missing node points at; may be NULL */
	struct bh_buf path;
	bool bad; /* an error was found */
	int r;    /* -ENOMEM */
};

void bh_reader_init(struct bh_reader *rd, const struct bh_text *text, struct bh_diags *d);
void bh_reader_done(struct bh_reader *rd);
/* Nothing went wrong so far. */
bool bh_reader_ok(const struct bh_reader *rd);
void bh_reader_nomem(struct bh_reader *rd);

/* Steps into a key or an item; bh_path_back() with what they returned steps out. */
size_t bh_path_key(struct bh_reader *rd, const char *key);
size_t bh_path_index(struct bh_reader *rd, size_t i);
void bh_path_back(struct bh_reader *rd, size_t mark);
/* The path, or @otherwise where it is empty. */
const char *bh_path(const struct bh_reader *rd, const char *otherwise);

/* An error (or warning) about @n, at the present path. @n NULL: about what is around it. */
void bh_complain(struct bh_reader *rd, const struct bh_yaml_node *n, const char *code,
		 const char *hint, const char *fmt, ...) bh_printf(5, 6);
void bh_warn(struct bh_reader *rd, const struct bh_yaml_node *n, const char *code, const char *hint,
	     const char *fmt, ...) bh_printf(5, 6);
/* The same about a place. */
void bh_complain_at(struct bh_reader *rd, struct bh_pos pos, const char *code, const char *hint,
		    const char *fmt, ...) bh_printf(5, 6);

/* 'did you mean "x"?' in @buf, or NULL: names within two edits, or the same but for capitals. */
const char *bh_suggest(const char *word, const char *const *names, size_t n, char *buf,
		       size_t size);

/* ---- values ---- */

/**
 * bh_read_fields() - Hold a map against a table
 * @n:		NULL or null: as an empty map
 * @in:		Bits that say where we are (struct bh_field, not_in)
 * @got:	Filled, one for each field of @o
 *
 * Complains about fields that are unknown, unsupported, missing, or of another type.
 *
 * Return: false if @n is no map (an error; then @got is empty)
 */
bool bh_read_fields(struct bh_reader *rd, const struct bh_yaml_node *n, const struct bh_object *o,
		    unsigned in, struct bh_got *got);
/* One value against the type and legal values of a field. Null is not a value. */
bool bh_read_value(struct bh_reader *rd, const struct bh_yaml_node *n, const struct bh_field *f);
/* One item of a list, likewise. */
bool bh_read_item(struct bh_reader *rd, const struct bh_yaml_node *n, const struct bh_field *f);

/* The text of a string; "" for NULL and null. */
const char *bh_node_str(const struct bh_yaml_node *n);
/* An integer: 80, 8e1 and 80.0 are the same. false: @n is none. */
bool bh_node_int(const struct bh_yaml_node *n, int64_t *ret);
bool bh_node_is_null(const struct bh_yaml_node *n); /* NULL too */

#endif
