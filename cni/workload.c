// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * cni/workload.c - who the container is: name, namespace, labels, named ports
 */
#include "cni/workload.h"

#include "common/limits.h"
#include "common/parse.h"
#include "common/util.h"

#include <stdlib.h>
#include <string.h>

#include "common/banned.h"

#define LABEL_PREFIX "LABEL_"
/* Labels of one container. Docker Compose sets about 15; 1,000 are beyond any use. */
#define LABELS_MAX 1000U
#define PORTS_MAX  256U

/* Value of a base64 digit; both alphabets. */
static int digit(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '-' || c == '+')
		return 62;
	if (c == '_' || c == '/')
		return 63;
	return -1;
}

/* Source: RFC 4648 section 5. Padding may be left out. NULL: not base64, or out of memory. */
static char *decode(const char *s, size_t *ret_size)
{
	size_t len = strlen(s), n = 0;
	unsigned bits = 0;
	uint32_t acc = 0;
	char *out = malloc(len / 4 * 3 + 4);

	if (!out)
		return NULL;
	while (len > 0 && s[len - 1] == '=')
		len--;
	for (size_t i = 0; i < len; i++) {
		int d = digit(s[i]);

		if (d < 0) {
			free(out);
			return NULL;
		}
		acc = (acc << 6 | (uint32_t)d) & 0xffffff;
		bits += 6;
		if (bits >= 8) {
			bits -= 8;
			out[n++] = (char)(acc >> bits & 0xff);
		}
	}
	out[n] = '\0';
	*ret_size = n;
	return out;
}

static enum bh_cni_code set_label(struct bh_workload *w, const char *key, json_t *value,
				  const char *where, struct bh_cni_error *e)
{
	if (!key || !key[0])
		return bh_cni_fail(e, BH_CNI_CONFIG, "%s: a label has no key", where);
	if (!json_is_string(value))
		return bh_cni_fail(e, BH_CNI_CONFIG,
				   "%s: the value of label '%.64s' is no UTF-8 string", where, key);
	if (json_object_set(w->labels, key, value) < 0)
		return bh_cni_fail(e, BH_CNI_CONFIG, "%s: label key '%.64s' is not UTF-8", where,
				   key);
	if (json_object_size(w->labels) > LABELS_MAX)
		return bh_cni_fail(e, BH_CNI_CONFIG, "%s: more than %u labels", where, LABELS_MAX);
	return BH_CNI_OK;
}

static enum bh_cni_code labels_of_object(struct bh_workload *w, json_t *o, const char *where,
					 struct bh_cni_error *e)
{
	enum bh_cni_code code;
	const char *key;
	json_t *value;

	json_object_foreach(o, key, value) {
		code = set_label(w, key, value, where, e);
		if (code)
			return code;
	}
	return BH_CNI_OK;
}

static enum bh_cni_code labels_of_env(struct bh_workload *w, const struct bh_cni_args *a,
				      struct bh_cni_error *e)
{
	const char *packed = bh_cni_args_get(a, "BULKHEAD_LABELS");
	bh_autofree char *text = NULL;
	bh_autojson json_t *o = NULL;
	struct bh_err err = { 0 };
	size_t size = 0;
	int r;

	for (size_t i = 0; i < a->n_pairs; i++) {
		bh_autojson json_t *v = NULL;
		enum bh_cni_code code;

		if (strncmp(a->pairs[i].key, LABEL_PREFIX, strlen(LABEL_PREFIX)) != 0)
			continue;
		v = json_string(a->pairs[i].value);
		code = set_label(w, a->pairs[i].key + strlen(LABEL_PREFIX), v, "CNI_ARGS", e);
		if (code)
			return code;
	}
	if (!packed)
		return BH_CNI_OK;
	text = decode(packed, &size);
	if (!text)
		return bh_cni_fail(e, BH_CNI_ENV, "CNI_ARGS: BULKHEAD_LABELS is not base64url");
	r = bh_json_load(text, size, BH_CNI_MSG_MAX, &o, &err);
	if (r < 0)
		return bh_cni_fail_err(e, BH_CNI_ENV, &err, r, "CNI_ARGS: BULKHEAD_LABELS");
	if (!json_is_object(o))
		return bh_cni_fail(e, BH_CNI_ENV, "CNI_ARGS: BULKHEAD_LABELS is no JSON object");
	return labels_of_object(w, o, "CNI_ARGS: BULKHEAD_LABELS", e);
}

static enum bh_cni_code labels_of_config(struct bh_workload *w, const struct bh_netconf *c,
					 struct bh_cni_error *e)
{
	json_t *v = bh_netconf_arg(c, "labels");
	json_t *item;
	size_t i;

	if (!v)
		return BH_CNI_OK;
	if (json_is_object(v))
		return labels_of_object(w, v, "args.cni.labels", e);
	if (!json_is_array(v))
		return bh_cni_fail(
		    e, BH_CNI_CONFIG,
		    "args.cni.labels must be a list of {\"key\", \"value\"} or an object");
	json_array_foreach(v, i, item) {
		const char *key = json_string_value(json_object_get(item, "key"));
		enum bh_cni_code code =
		    set_label(w, key, json_object_get(item, "value"), "args.cni.labels", e);

		if (code)
			return code;
	}
	return BH_CNI_OK;
}

static enum bh_cni_code read_ports(struct bh_workload *w, const struct bh_netconf *c,
				   struct bh_cni_error *e)
{
	json_t *v = bh_netconf_arg(c, "ports");
	json_t *item;
	size_t i;

	if (!v)
		return BH_CNI_OK;
	if (!json_is_array(v) || json_array_size(v) > PORTS_MAX)
		return bh_cni_fail(
		    e, BH_CNI_CONFIG,
		    "args.cni.ports must be a list of {\"name\", \"port\", \"protocol\"}");
	json_array_foreach(v, i, item) {
		json_t *proto = bh_netconf_get(item, "protocol");
		const char *name = json_string_value(bh_netconf_get(item, "name"));
		const char *p = proto ? json_string_value(proto) : "TCP";
		json_t *port = bh_netconf_get(item, "port");
		json_int_t n = json_integer_value(port);

		if (!name || !name[0] || !json_is_integer(port) || n < 1 || n > 65535 ||
		    !(bh_streq(p, "TCP") || bh_streq(p, "UDP") || bh_streq(p, "SCTP")))
			return bh_cni_fail(
			    e, BH_CNI_CONFIG,
			    "args.cni.ports: entry %zu needs a name, a port from 1 to 65535 "
			    "and TCP, UDP or SCTP as protocol",
			    i + 1);
		if (json_array_append_new(w->ports, json_pack("{s:s, s:I, s:s}", "name", name,
							      "port", n, "protocol", p)) < 0)
			return bh_cni_fail(e, BH_CNI_SYSTEM, "out of memory");
	}
	return BH_CNI_OK;
}

static const char *first_of(const struct bh_cni_args *a, const char *k1, const char *k2,
			    const char *fallback)
{
	const char *s = bh_cni_args_get(a, k1);

	if (!s || !s[0])
		s = bh_cni_args_get(a, k2);
	return s && s[0] ? s : fallback;
}

enum bh_cni_code bh_workload_read(const struct bh_netconf *c, const struct bh_cni_args *a,
				  struct bh_workload *ret, struct bh_cni_error *e)
{
	enum bh_cni_code code;

	*ret = (struct bh_workload){
		.name = first_of(a, "BULKHEAD_NAME", "K8S_POD_NAME", a->container_id),
		.ns = first_of(a, "BULKHEAD_NAMESPACE", "K8S_POD_NAMESPACE", "default"),
		.labels = json_object(),
		.ports = json_array(),
		.cni_args = json_object(),
	};
	if (!ret->labels || !ret->ports || !ret->cni_args)
		return bh_cni_fail(e, BH_CNI_SYSTEM, "out of memory");
	for (size_t i = 0; i < a->n_pairs; i++)
		if (json_object_set_new(ret->cni_args, a->pairs[i].key,
					json_string(a->pairs[i].value)) < 0)
			return bh_cni_fail(e, BH_CNI_ENV, "CNI_ARGS: '%.64s' is not UTF-8",
					   a->pairs[i].key);
	code = labels_of_env(ret, a, e);
	if (!code)
		code = labels_of_config(ret, c, e);
	if (!code)
		code = read_ports(ret, c, e);
	return code;
}

void bh_workload_done(struct bh_workload *w)
{
	json_decref(w->labels);
	json_decref(w->ports);
	json_decref(w->cni_args);
	*w = (struct bh_workload){ .name = NULL };
}
