// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * policy/explain/spoken.c - what is spoken, as people write it down -> values that rules can be asked about
 *
 * For explain, test and replay. The classifier reads the same things from packets and must come to the same values.
 */
#include "policy/spoken.h"

#include "common/parse.h"
#include "common/util.h"
#include "policy/dnstype.h"
#include "policy/pattern.h"
#include "policy/risk.h"

#include <string.h>

#include "common/banned.h"

#define NAME_MAX_LEN 253U
#define PATH_MAX_LEN 8192U

void bh_speech_done(struct bh_speech *s)
{
	for (unsigned a = 0; a < BH_ATTR_COUNT; a++)
		bh_strlist_done(&s->values[a]);
	*s = (struct bh_speech)BH_SPEECH_INIT;
}

static int no_memory(struct bh_err *err)
{
	return bh_err_set(err, -ENOMEM, "out of memory");
}

static bool is_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static char upper(char c)
{
	return c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
}

/* ---- paths ---- */

static int hex_digit(char c)
{
	c = lower(c);
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Without query and fragment, with %XX decoded once. @out: as long as @path. */
static int path_decode(const char *path, char *out, struct bh_err *err)
{
	for (; *path && *path != '?' && *path != '#'; path++) {
		int hi = -1, lo = -1;

		if ((unsigned char)*path <= ' ' || *path == 0x7f)
			return bh_err_set(err, -EINVAL, "a path has no blanks: write %%20");
		if (*path != '%') {
			*out++ = *path;
			continue;
		}
		hi = hex_digit(path[1]);
		if (hi >= 0)
			lo = hex_digit(path[2]);
		if (lo < 0 || hi * 16 + lo == 0)
			return bh_err_set(err, -EINVAL, "'%.3s' stands for no character", path);
		*out++ = (char)(hi * 16 + lo);
		path += 2;
	}
	*out = '\0';
	return 0;
}

static void merge_slashes(char *p)
{
	char *out = p;

	for (; *p; p++) {
		if (p[0] != '/' || p[1] != '/')
			*out++ = *p;
	}
	*out = '\0';
}

/* RFC 3986, section 5.2.4, of a path that begins with a slash and has no two in a row. */
static void remove_dots(char *path)
{
	const char *in = path;
	char *out = path;

	while (*in) {
		size_t n = 1 + strcspn(in + 1, "/");
		bool one = n == 2 && in[1] == '.', two = n == 3 && in[1] == '.' && in[2] == '.';

		if (two) {
			while (out > path && *--out != '/')
				;
		}
		if (!one && !two) {
			memmove(out, in, n);
			out += n;
		} else if (!in[n]) {
			*out++ = '/';
		}
		in += n;
	}
	if (out == path)
		*out++ = '/';
	*out = '\0';
}

int bh_spoken_path(const char *path, char **ret, struct bh_err *err)
{
	size_t n = strlen(path);
	bh_autofree char *out = NULL;
	int r;

	if (*path != '/')
		return bh_err_set(err, -EINVAL, "path '%s' does not begin with a slash", path);
	if (n > PATH_MAX_LEN)
		return bh_err_set(err, -EINVAL, "a path of more than %u bytes", PATH_MAX_LEN);
	out = calloc(n + 2, 1);
	if (!out)
		return no_memory(err);
	r = path_decode(path, out, err);
	if (r < 0)
		return r;
	merge_slashes(out);
	remove_dots(out);
	*ret = bh_take_ptr(&out);
	return 0;
}

/* ---- names ---- */

static bool name_char(char c)
{
	return is_alnum(c) || c == '-' || c == '_' || c == '.';
}

int bh_spoken_name(const char *name, char **ret, struct bh_err *err)
{
	size_t n = strlen(name);
	bh_autofree char *out = NULL;

	if (n > 0 && name[n - 1] == '.')
		n--;
	if (n > NAME_MAX_LEN)
		return bh_err_set(err, -EINVAL, "a name of more than %u characters", NAME_MAX_LEN);
	out = calloc(n + 1, 1);
	if (!out)
		return no_memory(err);
	for (size_t i = 0; i < n; i++) {
		if (name[i] == '*')
			return bh_err_set(err, -EINVAL, "'%s' is a pattern; one name is wanted",
					  name);
		if ((unsigned char)name[i] >= 0x80)
			return bh_err_set(err, -EINVAL,
					  "'%s': write the name as it is sent, in ASCII (xn--...)",
					  name);
		if (!name_char(name[i]) || (name[i] == '.' && (i == 0 || name[i - 1] == '.')))
			return bh_err_set(err, -EINVAL, "'%s' is no name of a host", name);
		out[i] = lower(name[i]);
	}
	*ret = bh_take_ptr(&out);
	return 0;
}

/* "[2001:DB8::1]", in place. */
static int literal_make(char *host, struct bh_err *err)
{
	size_t n = strlen(host);
	struct bh_addr a;
	int r;

	if (host[n - 1] != ']')
		return bh_err_set(err, -EINVAL, "'%s' is no host", host);
	host[n - 1] = '\0';
	r = bh_addr_parse(host + 1, &a);
	host[n - 1] = ']';
	if (r < 0 || a.family != 6)
		return bh_err_set(err, -EINVAL, "'%s' is no host", host);
	for (char *p = host; *p; p++)
		*p = lower(*p);
	return 0;
}

/* "Shop.example:8080", "[2001:DB8::1]:80" -> without the port. */
static int host_make(const char *s, char **ret, const char **ret_port, struct bh_err *err)
{
	const char *end = *s == '[' ? strchr(s, ']') : s;
	const char *colon = end ? strchr(end, ':') : NULL;
	bh_autofree char *host = colon ? strndup(s, (size_t)(colon - s)) : strdup(s);
	uint64_t port;
	int r;

	*ret_port = colon ? colon + 1 : NULL;
	if (!host)
		return no_memory(err);
	if (*ret_port && bh_parse_u64(*ret_port, UINT16_MAX, &port) < 0)
		return bh_err_set(err, -EINVAL, "'%s' is no port", *ret_port);
	if (*host != '[')
		return bh_spoken_name(host, ret, err);
	r = literal_make(host, err);
	if (r == 0)
		*ret = bh_take_ptr(&host);
	return r;
}

/* ---- values ---- */

static void make_known(struct bh_speech *s, enum bh_attr a)
{
	s->spoken.known |= 1U << a;
	s->spoken.attr[a].v = (const char *const *)s->values[a].items;
	s->spoken.attr[a].n = s->values[a].n;
}

/* Takes *@value over. */
static int add_value(struct bh_speech *s, enum bh_attr a, char **value, struct bh_err *err)
{
	struct bh_strlist *l = &s->values[a];
	char **items = reallocarray(l->items, l->n + 1, sizeof(*items));

	if (!items)
		return no_memory(err);
	l->items = items;
	items[l->n++] = bh_take_ptr(value);
	make_known(s, a);
	return 0;
}

static int add_copy(struct bh_speech *s, enum bh_attr a, const char *text, size_t n,
		    struct bh_err *err)
{
	bh_autofree char *value = strndup(text, n);

	return value ? add_value(s, a, &value, err) : no_memory(err);
}

/* Letters and digits, and what else stands in the names of things. */
static bool is_word(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (!is_alnum(s[i]) && !strchr("-_.+!#$%&'*^`|~/", s[i]))
			return false;
	}
	return n > 0;
}

/* "a,b" */
static int add_list(struct bh_speech *s, enum bh_attr a, const char *text, struct bh_err *err)
{
	int r = 0;

	while (r == 0) {
		size_t n = strcspn(text, ",");

		if (!is_word(text, n))
			return bh_err_set(err, -EINVAL,
					  "names are wanted, with commas between them");
		r = add_copy(s, a, text, n, err);
		if (!text[n])
			break;
		text += n + 1;
	}
	return r;
}

/* A word that is in no table; told with the nearest that is. */
static int unknown_word(const char *what, const char *word, const char *(*nth)(size_t),
			const char *otherwise, struct bh_err *err)
{
	const char *names[256], *near;
	size_t n = 0;

	for (; n < BH_ARRAY_SIZE(names) && nth(n); n++)
		names[n] = nth(n);
	near = bh_nearest(word, names, n);
	if (near)
		return bh_err_set(err, -EINVAL, "unknown %s '%s'; did you mean '%s'?", what, word,
				  near);
	return bh_err_set(err, -EINVAL, "unknown %s '%s'; %s", what, word, otherwise);
}

/* ---- HTTP ---- */

static int set_host(struct bh_speech *s, const char *text, struct bh_err *err)
{
	bh_autofree char *host = NULL;
	const char *port;
	int r = host_make(text, &host, &port, err);

	if (r < 0)
		return r;
	if (*host == '\0')
		return bh_err_set(err, -EINVAL, "the host is missing");
	if (s->spoken.known & 1U << BH_ATTR_HTTP_HOST) {
		const struct bh_strlist *l = &s->values[BH_ATTR_HTTP_HOST];

		if (l->n == 1 && bh_streq(l->items[0], host))
			return 0;
		return bh_err_set(err, -EINVAL, "two hosts for one request");
	}
	return add_value(s, BH_ATTR_HTTP_HOST, &host, err);
}

static int set_path(struct bh_speech *s, const char *text, struct bh_err *err)
{
	bh_autofree char *path = NULL;
	int r = bh_spoken_path(text, &path, err);

	return r < 0 ? r : add_value(s, BH_ATTR_HTTP_PATH, &path, err);
}

/* CONNECT has a host and a port in place of a path. */
static int set_connect(struct bh_speech *s, const char *target, struct bh_err *err)
{
	bh_cleanup(bh_buf_done) struct bh_buf b = BH_BUF_INIT;
	bh_autofree char *host = NULL, *value = NULL;
	const char *port;
	int r = host_make(target, &host, &port, err);

	if (r < 0)
		return r;
	if (!port || *host == '\0')
		return bh_err_set(err, -EINVAL, "CONNECT wants HOST:PORT, not '%s'", target);
	bh_buf_printf(&b, "%s:%s", host, port);
	value = bh_buf_take(&b);
	if (!value)
		return no_memory(err);
	make_known(s, BH_ATTR_HTTP_PATH);
	r = add_value(s, BH_ATTR_HTTP_CONNECT, &value, err);
	return r < 0 ? r : set_host(s, target, err);
}

/* "/x", "http://shop.example.com/x", "*" */
static int set_target(struct bh_speech *s, const char *target, struct bh_err *err)
{
	static const char scheme[] = "http://", tls[] = "https://";
	bh_autofree char *host = NULL;
	size_t n;
	int r;

	if (bh_streq(target, "*"))
		return add_copy(s, BH_ATTR_HTTP_PATH, target, 1, err);
	if (strncmp(target, tls, strlen(tls)) == 0)
		return bh_err_set(
		    err, -EINVAL,
		    "HTTP inside of TLS cannot be seen: ask for the name of the server instead");
	if (strncmp(target, scheme, strlen(scheme)) != 0)
		return set_path(s, target, err);
	target += strlen(scheme);
	n = strcspn(target, "/?#");
	host = strndup(target, n);
	if (!host)
		return no_memory(err);
	r = set_host(s, host, err);
	if (r < 0)
		return r;
	return set_path(s, target[n] == '/' ? target + n : "/", err);
}

static int set_method(struct bh_speech *s, const char *text, size_t n, struct bh_err *err)
{
	bh_autofree char *method = strndup(text, n);
	const char *why = method ? bh_pattern_method(method) : NULL;

	if (!method)
		return no_memory(err);
	if (why)
		return bh_err_set(err, -EINVAL, "method '%s': %s", method, why);
	return add_value(s, BH_ATTR_HTTP_METHOD, &method, err);
}

static int set_http(struct bh_speech *s, const char *text, struct bh_err *err)
{
	size_t n = strcspn(text, " ");
	const char *target = text + n + strspn(text + n, " ");
	bool connects = n == 7 && memcmp(text, "CONNECT", 7) == 0;
	int r;

	if (*text == '/' || !is_word(text, n) || strpbrk(target, " "))
		return bh_err_set(err, -EINVAL, "a request is 'METHOD PATH', like 'GET /x'");
	r = set_method(s, text, n, err);
	if (r < 0)
		return r;
	if (!connects)
		make_known(s, BH_ATTR_HTTP_CONNECT);
	if (!*target)
		return 0;
	return connects ? set_connect(s, target, err) : set_target(s, target, err);
}

/* ---- the others ---- */

static int set_upgrade(struct bh_speech *s, const char *text, struct bh_err *err)
{
	int r = add_list(s, BH_ATTR_HTTP_UPGRADE, text, err);

	for (size_t i = 0; r == 0 && i < s->values[BH_ATTR_HTTP_UPGRADE].n; i++) {
		for (char *p = s->values[BH_ATTR_HTTP_UPGRADE].items[i]; *p; p++)
			*p = lower(*p);
	}
	return r;
}

static int set_sni(struct bh_speech *s, const char *text, struct bh_err *err)
{
	bh_autofree char *name = NULL;
	int r = bh_spoken_name(text, &name, err);

	return r < 0 ? r : add_value(s, BH_ATTR_TLS_NAME, &name, err);
}

static int set_alpn(struct bh_speech *s, const char *text, struct bh_err *err)
{
	return add_list(s, BH_ATTR_TLS_ALPN, text, err);
}

static int set_tls_version(struct bh_speech *s, const char *text, struct bh_err *err)
{
	static const char *const versions[] = { "1.0", "1.1", "1.2", "1.3" };

	for (size_t i = 0; i < BH_ARRAY_SIZE(versions); i++) {
		if (bh_streq(text, versions[i]))
			return add_copy(s, BH_ATTR_TLS_VERSION, text, strlen(text), err);
	}
	return bh_err_set(err, -EINVAL, "'%s' is none of 1.0, 1.1, 1.2, 1.3", text);
}

static int set_ech(struct bh_speech *s, const char *text, struct bh_err *err)
{
	if (!bh_streq(text, "present") && !bh_streq(text, "absent"))
		return bh_err_set(err, -EINVAL, "'%s' is neither present nor absent", text);
	return add_copy(s, BH_ATTR_TLS_ECH, text, strlen(text), err);
}

/* "AAAA", "type28" -> as rules have it. */
static int set_dns_type(struct bh_speech *s, const char *text, struct bh_err *err)
{
	char upped[32], buf[BH_DNS_TYPE_STRLEN];
	const char *name;
	size_t n = strlen(text);
	uint16_t type = 0;

	for (size_t i = 0; i <= n && n < sizeof(upped); i++)
		upped[i] = upper(text[i]);
	if (n >= sizeof(upped) || bh_dns_type_parse(upped, &type) < 0)
		return unknown_word("type of records", text, bh_dns_type_nth,
				    "write A, AAAA, MX ..., or TYPE and a number", err);
	name = bh_dns_type_name(type, buf);
	return add_copy(s, BH_ATTR_DNS_TYPE, name, strlen(name), err);
}

static int set_dns(struct bh_speech *s, const char *text, struct bh_err *err)
{
	size_t n = strcspn(text, " ");
	const char *type = text + n + strspn(text + n, " ");
	bh_autofree char *first = strndup(text, n), *name = NULL;
	int r;

	if (!first)
		return no_memory(err);
	if (n == 0 || strpbrk(type, " "))
		return bh_err_set(err, -EINVAL,
				  "a question is 'NAME' or 'NAME TYPE', like 'example.com AAAA'");
	r = bh_spoken_name(first, &name, err);
	if (r == 0)
		r = add_value(s, BH_ATTR_DNS_NAME, &name, err);
	return r < 0 || !*type ? r : set_dns_type(s, type, err);
}

/* "shop.Orders/List", also with a slash in front, as it stands in the path of the request. */
static int set_grpc(struct bh_speech *s, const char *text, struct bh_err *err)
{
	const char *method;
	size_t n;
	int r;

	text += *text == '/';
	n = strcspn(text, "/");
	method = text[n] ? text + n + 1 : NULL;
	if (!is_word(text, n) ||
	    (method && (strchr(method, '/') || !is_word(method, strlen(method)))))
		return bh_err_set(err, -EINVAL,
				  "a call is 'SERVICE/METHOD', like 'shop.Orders/List'");
	r = add_copy(s, BH_ATTR_GRPC_SERVICE, text, n, err);
	if (r < 0 || !method)
		return r;
	return add_copy(s, BH_ATTR_GRPC_METHOD, method, strlen(method), err);
}

static int set_risk(struct bh_speech *s, const char *text, struct bh_err *err)
{
	int r = add_list(s, BH_ATTR_RISK, text, err);

	for (size_t i = 0; r == 0 && i < s->values[BH_ATTR_RISK].n; i++) {
		const char *name = s->values[BH_ATTR_RISK].items[i];

		if (bh_risk_by_name(name) == 0)
			r = unknown_word("risk", name, bh_risk_nth,
					 "names are those of nDPI, like tls-obsolete-version", err);
	}
	return r;
}

static int set_protocol(struct bh_speech *s, const char *text, struct bh_err *err)
{
	s->spoken.proto = bh_streq(text, bh_proto_name(BH_PROTO_UNDECIDED))
			      ? BH_PROTO_UNDECIDED
			      : bh_proto_by_name(text);
	if (s->spoken.proto != BH_PROTO_INVALID)
		return 0;
	return unknown_word("protocol", text, bh_proto_nth, "'bulkhead protocols' lists all names",
			    err);
}

/* ---- the table ---- */

struct saying {
	const char *what;
	enum bh_attr attr; /* known once it was said; INVALID: none */
	bool may_be_none;  /* "-" */
	int (*set)(struct bh_speech *, const char *, struct bh_err *);
};

static const struct saying sayings[] = {
	{ "protocol", BH_ATTR_INVALID, false, set_protocol },
	{ "http", BH_ATTR_HTTP_METHOD, false, set_http },
	{ "host", BH_ATTR_INVALID, true, set_host },
	{ "upgrade", BH_ATTR_HTTP_UPGRADE, true, set_upgrade },
	{ "sni", BH_ATTR_TLS_NAME, true, set_sni },
	{ "alpn", BH_ATTR_TLS_ALPN, true, set_alpn },
	{ "tls-version", BH_ATTR_TLS_VERSION, false, set_tls_version },
	{ "ech", BH_ATTR_TLS_ECH, false, set_ech },
	{ "dns", BH_ATTR_DNS_NAME, false, set_dns },
	{ "grpc", BH_ATTR_GRPC_SERVICE, false, set_grpc },
	{ "risk", BH_ATTR_RISK, true, set_risk },
};

const char *bh_speech_nth(size_t i)
{
	return i < BH_ARRAY_SIZE(sayings) ? sayings[i].what : NULL;
}

int bh_speech_set(struct bh_speech *s, const char *what, const char *value, struct bh_err *err)
{
	const struct saying *y = NULL;
	enum bh_attr a;

	for (size_t i = 0; i < BH_ARRAY_SIZE(sayings) && !y; i++) {
		if (bh_streq(what, sayings[i].what))
			y = &sayings[i];
	}
	if (!y)
		return bh_err_set(err, -ENOENT, "nobody knows what '%s' is", what);
	if (y->attr == BH_ATTR_INVALID ? y->set == set_protocol && s->spoken.proto != 0
				       : s->spoken.known >> y->attr & 1)
		return bh_err_set(err, -EINVAL, "it is given twice");
	if (!y->may_be_none || !bh_streq(value, "-"))
		return y->set(s, value, err);
	a = y->set == set_host ? BH_ATTR_HTTP_HOST : y->attr;
	if (s->values[a].n > 0)
		return bh_err_set(err, -EINVAL, "it is given twice");
	make_known(s, a);
	return 0;
}

enum bh_detail_kind bh_attr_detail(enum bh_attr a)
{
	switch (a) {
	case BH_ATTR_HTTP_METHOD:
	case BH_ATTR_HTTP_PATH:
	case BH_ATTR_HTTP_HOST:
	case BH_ATTR_HTTP_CONNECT:
	case BH_ATTR_HTTP_UPGRADE:
		return BH_DETAIL_HTTP;
	case BH_ATTR_TLS_NAME:
	case BH_ATTR_TLS_ALPN:
	case BH_ATTR_TLS_VERSION:
	case BH_ATTR_TLS_ECH:
		return BH_DETAIL_TLS;
	case BH_ATTR_DNS_NAME:
	case BH_ATTR_DNS_TYPE:
		return BH_DETAIL_DNS;
	case BH_ATTR_GRPC_SERVICE:
	case BH_ATTR_GRPC_METHOD:
		return BH_DETAIL_GRPC;
	case BH_ATTR_RISK:
		return BH_DETAIL_RISK;
	case BH_ATTR_INVALID:
	case BH_ATTR_COUNT:
		break;
	}
	return BH_DETAIL_INVALID;
}

static bool kind_is_known(const struct bh_speech *s, enum bh_detail_kind k)
{
	for (enum bh_attr a = BH_ATTR_HTTP_METHOD; a < BH_ATTR_COUNT; a++) {
		if (bh_attr_detail(a) == k && s->spoken.known >> a & 1)
			return true;
	}
	return false;
}

/* The protocols that have such details, the usual one first. */
static const unsigned *protos_of(enum bh_detail_kind k, size_t *ret_n)
{
	static const unsigned http[] = { BH_PROTO_HTTP, BH_PROTO_HTTP2 },
			      tls[] = { BH_PROTO_TLS, BH_PROTO_QUIC }, dns[] = { BH_PROTO_DNS },
			      grpc[] = { BH_PROTO_GRPC };

	*ret_n = k == BH_DETAIL_HTTP || k == BH_DETAIL_TLS ? 2 : 1;
	return k == BH_DETAIL_HTTP  ? http
	       : k == BH_DETAIL_TLS ? tls
	       : k == BH_DETAIL_DNS ? dns
				    : grpc;
}

int bh_speech_finish(struct bh_speech *s, struct bh_err *err)
{
	enum bh_detail_kind kind = BH_DETAIL_INVALID;
	const unsigned *protos;
	size_t n, i = 0;

	for (enum bh_detail_kind k = BH_DETAIL_HTTP; k < BH_DETAIL_RISK; k++) {
		if (!kind_is_known(s, k))
			continue;
		if (kind != BH_DETAIL_INVALID)
			return bh_err_set(err, -EINVAL,
					  "%s and %s are not spoken in one connection",
					  bh_detail_name(kind), bh_detail_name(k));
		kind = k;
	}
	if (kind == BH_DETAIL_INVALID)
		return 0;
	protos = protos_of(kind, &n);
	if (s->spoken.proto == 0)
		s->spoken.proto = protos[0];
	while (i < n && protos[i] != s->spoken.proto)
		i++;
	if (i == n)
		return bh_err_set(err, -EINVAL,
				  "what is said about %s does not go with protocol %s",
				  bh_detail_name(kind), bh_proto_name(s->spoken.proto));
	return 0;
}
