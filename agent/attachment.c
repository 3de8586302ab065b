// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * agent/attachment.c - the plugin's `add` requests and its records on disk: JSON to endpoint
 */
#include "agent/attachment.h"

#include <dirent.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "common/file.h"
#include "common/limits.h"
#include "common/log.h"
#include "common/parse.h"
#include "common/util.h"

#include "common/banned.h"

#define BOOT_ID       "/proc/sys/kernel/random/boot_id"
#define NAME_MAX_LEN  512U
#define LABEL_MAX_LEN 65536U

/* Not empty, not endless, nothing that could confuse a terminal, a log or a key. */
static int check_name(const char *what, const char *s, size_t max, struct bh_err *err)
{
	size_t len = strlen(s);

	if (len == 0)
		return bh_err_set(err, -EINVAL, "%s is empty", what);
	if (len > max)
		return bh_err_set(err, -EINVAL, "%s is longer than %zu bytes", what, max);
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)s[i] < 0x20 || s[i] == 0x7f)
			return bh_err_set(err, -EINVAL, "%s has a control character", what);
	return 0;
}

/* What is not there is as wrong as what is there and wrong. */
static int missing_is_wrong(struct bh_err *err, int r)
{
	if (r != -ENOENT)
		return r;
	if (err)
		err->code = -EINVAL;
	return -EINVAL;
}

static int get_name(const json_t *msg, const char *key, size_t max, const char **ret,
		    struct bh_err *err)
{
	int r = bh_json_str(msg, key, ret, err);

	return r < 0 ? r : check_name(key, *ret, max, err);
}

int bh_attachment_key_parse(const json_t *msg, struct bh_attachment_key *ret, struct bh_err *err)
{
	int r = get_name(msg, "network", NAME_MAX_LEN, &ret->network, err);

	if (r == 0)
		r = get_name(msg, "id", NAME_MAX_LEN, &ret->id, err);
	if (r == 0)
		r = get_name(msg, "ifname", IFNAMSIZ - 1, &ret->ifname, err);
	return missing_is_wrong(err, r);
}

/* A string that may be missing. */
static int get_optional(const json_t *msg, const char *key, const char *fallback, char **ret,
			struct bh_err *err)
{
	const char *s = fallback;
	int r = bh_json_str(msg, key, &s, err);

	if (r < 0 && r != -ENOENT)
		return r;
	if (r == -ENOENT || !*s)
		s = fallback;
	r = check_name(key, s, NAME_MAX_LEN, err);
	if (r < 0)
		return r;
	*ret = strdup(s);
	return *ret ? 0 : bh_err_set(err, -ENOMEM, "out of memory");
}

static int parse_addrs(const json_t *msg, struct bh_endpoint *e, struct bh_err *err)
{
	json_t *ips, *v;
	size_t i, n;
	int r = bh_json_arr(msg, "ips", &ips, err);

	if (r < 0)
		return missing_is_wrong(err, r);
	n = json_array_size(ips);
	if (n == 0)
		return bh_err_set(err, -EINVAL,
				  "ips is empty: an endpoint without an address cannot "
				  "be protected");
	if (n > BH_ATTACHMENT_ADDRS_MAX)
		return bh_err_set(err, -E2BIG, "ips has more than %u addresses",
				  BH_ATTACHMENT_ADDRS_MAX);
	e->addrs = calloc(n, sizeof(*e->addrs));
	if (!e->addrs)
		return bh_err_set(err, -ENOMEM, "out of memory");
	json_array_foreach(ips, i, v) {
		static const uint8_t zero[16];
		const char *s = json_string_value(v);
		struct bh_addr a;

		if (!s || bh_addr_parse(s, &a) < 0)
			return bh_err_set(err, -EINVAL, "ips[%zu] '%.64s' is not an address", i,
					  s ? s : "?");
		if (memcmp(a.bytes, zero, sizeof(zero)) == 0 ||
		    (a.family == 4 && (a.bytes[0] == 127 || a.bytes[0] >= 224)) ||
		    (a.family == 6 && a.bytes[0] == 0xff))
			return bh_err_set(err, -EINVAL,
					  "ips[%zu] '%.64s' cannot be a container's address", i, s);
		for (size_t k = 0; k < e->n_addrs; k++)
			if (bh_addr_eq(&e->addrs[k], &a))
				return bh_err_set(err, -EINVAL, "ips has '%.64s' twice", s);
		e->addrs[e->n_addrs++] = a;
	}
	return 0;
}

static int parse_labels(const json_t *msg, struct bh_endpoint *e, struct bh_err *err)
{
	const char *key;
	json_t *labels, *v;
	int r = bh_json_obj(msg, "labels", &labels, err);

	if (r < 0)
		return r == -ENOENT ? 0 : r;
	if (json_object_size(labels) > BH_ATTACHMENT_LABELS_MAX)
		return bh_err_set(err, -E2BIG, "labels has more than %u entries",
				  BH_ATTACHMENT_LABELS_MAX);
	json_object_foreach(labels, key, v) {
		const char *s = json_string_value(v);

		if (!s)
			return bh_err_set(err, -EINVAL, "label '%.64s' is not a string", key);
		if (strlen(key) > LABEL_MAX_LEN || strlen(s) > LABEL_MAX_LEN)
			return bh_err_set(err, -E2BIG, "label '%.64s' is longer than %u bytes", key,
					  LABEL_MAX_LEN);
		r = bh_labels_set(&e->labels, key, s);
		if (r < 0)
			return bh_err_set(err, r, "out of memory");
	}
	return 0;
}

static int parse_port(const json_t *v, struct bh_named_port *p, struct bh_err *err)
{
	const char *name, *proto = "TCP";
	uint64_t port;
	int r = get_name(v, "name", 253, &name, err);

	if (r == 0)
		r = bh_json_u64(v, "port", 65535, &port, err);
	if (r < 0)
		return r;
	if (port == 0)
		return bh_err_set(err, -EINVAL, "port is 0");
	r = bh_json_str(v, "protocol", &proto, err);
	if (r < 0 && r != -ENOENT)
		return r;
	if (strcasecmp(proto, "TCP") == 0)
		p->l4 = BH_L4_TCP;
	else if (strcasecmp(proto, "UDP") == 0)
		p->l4 = BH_L4_UDP;
	else if (strcasecmp(proto, "SCTP") == 0)
		p->l4 = BH_L4_SCTP;
	else
		return bh_err_set(err, -EINVAL, "protocol '%.32s' is not TCP, UDP or SCTP", proto);
	p->port = (uint16_t)port;
	p->name = strdup(name);
	return p->name ? 0 : bh_err_set(err, -ENOMEM, "out of memory");
}

static int parse_ports(const json_t *msg, struct bh_endpoint *e, struct bh_err *err)
{
	json_t *ports, *v;
	size_t i, n;
	int r = bh_json_arr(msg, "ports", &ports, err);

	if (r < 0)
		return r == -ENOENT ? 0 : r;
	n = json_array_size(ports);
	if (n > BH_ATTACHMENT_PORTS_MAX)
		return bh_err_set(err, -E2BIG, "ports has more than %u entries",
				  BH_ATTACHMENT_PORTS_MAX);
	e->ports = calloc(n + 1, sizeof(*e->ports));
	if (!e->ports)
		return bh_err_set(err, -ENOMEM, "out of memory");
	json_array_foreach(ports, i, v) {
		r = parse_port(v, &e->ports[e->n_ports], err);
		if (r < 0)
			return bh_err_wrap(err, r == -ENOENT ? -EINVAL : r, "ports[%zu]", i);
		e->n_ports++;
	}
	return 0;
}

static int parse_host(const json_t *msg, struct bh_ep *ep, struct bh_err *err)
{
	const char *name;
	json_t *host;
	uint64_t index;
	int r = bh_json_obj(msg, "host", &host, err);

	if (r < 0)
		return r == -ENOENT ? 0 : r;
	r = get_name(host, "name", IFNAMSIZ - 1, &name, err);
	if (r == 0)
		r = bh_json_u64(host, "index", INT32_MAX, &index, err);
	if (r < 0)
		return bh_err_wrap(err, r == -ENOENT ? -EINVAL : r, "host");
	ep->host_index = (unsigned)index;
	ep->host_if = strdup(name);
	return ep->host_if ? 0 : bh_err_set(err, -ENOMEM, "out of memory");
}

/* The container's end. Records of plugins that did not say are still read: then only the addresses are bound. */
static int parse_cont(const json_t *msg, struct bh_ep *ep, struct bh_err *err)
{
	static const uint8_t none[sizeof(ep->mac)];
	const char *mac;
	json_t *cont;
	int r = bh_json_obj(msg, "cont", &cont, err);

	if (r == 0)
		r = bh_json_str(cont, "mac", &mac, err);
	if (r < 0)
		return r == -ENOENT ? 0 : bh_err_wrap(err, r, "cont");
	if (bh_parse_mac(mac, ep->mac) < 0 || (ep->mac[0] & 1) ||
	    memcmp(ep->mac, none, sizeof(none)) == 0)
		return bh_err_set(err, -EINVAL, "cont.mac '%.64s' is not the MAC of a container",
				  mac);
	ep->has_mac = true;
	return 0;
}

int bh_attachment_parse(const json_t *msg, const char *node, struct bh_ep **ret, struct bh_err *err)
{
	bh_cleanup(bh_ep_unrefp) struct bh_ep *ep = NULL;
	struct bh_attachment_key key;
	const char *mode = "main";
	struct bh_endpoint *e;
	int r = bh_attachment_key_parse(msg, &key, err);

	if (r < 0)
		return r;
	ep = bh_ep_new(key.network, key.id, key.ifname);
	if (!ep)
		return bh_err_set(err, -ENOMEM, "out of memory");
	e = ep->e = calloc(1, sizeof(*e));
	if (!e)
		return bh_err_set(err, -ENOMEM, "out of memory");
	e->local = true;
	e->id = strdup(key.id);
	e->node = strdup(node);
	if (!e->id || !e->node)
		return bh_err_set(err, -ENOMEM, "out of memory");
	r = get_optional(msg, "name", key.id, &e->name, err);
	if (r == 0)
		r = get_optional(msg, "namespace", "default", &e->ns, err);
	if (r == 0)
		r = parse_addrs(msg, e, err);
	if (r == 0)
		r = parse_labels(msg, e, err);
	if (r == 0)
		r = parse_ports(msg, e, err);
	if (r == 0)
		r = parse_host(msg, ep, err);
	if (r == 0)
		r = parse_cont(msg, ep, err);
	if (r < 0)
		return r;
	if (bh_json_str(msg, "mode", &mode, NULL) < 0)
		mode = "main";
	ep->routed = bh_streq(mode, "main");
	r = bh_json_bool(msg, "labelsFinal", &ep->labels_final, err);
	if (r == -ENOENT)
		ep->labels_final =
		    true; /* "with `cni` the labels of ADD are final" is the default */
	else if (r < 0)
		return r;
	ep->fresh = true;
	*ret = bh_take_ptr(&ep);
	return 0;
}

/* ---- the records on disk ---- */

static int load_record(const char *path, const char *boot, const char *node, struct bh_ep **ret,
		       struct bh_err *err)
{
	bh_autofree char *text = NULL;
	bh_autojson json_t *record = NULL;
	const char *phase, *record_boot;
	size_t size;
	int r = bh_file_read(path, BH_CNI_MSG_MAX, &text, &size, err);

	if (r == 0)
		r = bh_json_load(text, size, BH_CNI_MSG_MAX, &record, err);
	if (r == 0)
		r = bh_json_str(record, "phase", &phase, err);
	if (r == 0)
		r = bh_json_str(record, "boot", &record_boot, err);
	if (r < 0)
		return r;
	if (strcmp(phase, "ready") != 0 || strcmp(record_boot, boot) != 0)
		return 0;
	return bh_attachment_parse(record, node, ret, err);
}

static int is_record(const struct dirent *d)
{
	size_t len = strlen(d->d_name);

	return d->d_name[0] != '.' && len > 5 && strcmp(d->d_name + len - 5, ".json") == 0;
}

static int read_boot_id(char *buf, size_t size)
{
	bh_autofree char *text = NULL;
	size_t len;
	int r = bh_file_read(BOOT_ID, size - 1, &text, &len, NULL);

	if (r < 0)
		return r;
	(void)snprintf(buf, size, "%.*s", (int)strcspn(text, "\n"), text);
	return 0;
}

int bh_attachments_load(const char *run_dir, const char *node,
			void (*fn)(void *arg, struct bh_ep *ep), void *arg)
{
	bh_autofree char *folder = NULL;
	struct dirent **list = NULL;
	char boot[64];
	int n, taken = 0, r = read_boot_id(boot, sizeof(boot));

	if (r < 0)
		return r;
	if (asprintf(&folder, "%s/attachments", run_dir) < 0)
		return -ENOMEM;
	n = scandir(folder, &list, is_record, alphasort);
	if (n < 0)
		return errno == ENOENT ? 0 : -errno;
	for (int i = 0; i < n; i++) {
		bh_cleanup(bh_ep_unrefp) struct bh_ep *ep = NULL;
		bh_autofree char *path = NULL;
		struct bh_err err = { 0 };

		r = asprintf(&path, "%s/%s", folder, list[i]->d_name) < 0 ? -ENOMEM : 0;
		if (r == 0)
			r = load_record(path, boot, node, &ep, &err);
		if (r < 0)
			bh_warning("the record '%s' is left out, its container stays cut off: %s",
				   list[i]->d_name, bh_err_text(&err, r));
		else if (ep) {
			fn(arg, ep);
			taken++;
		}
		free(list[i]);
	}
	free(list);
	return taken;
}
