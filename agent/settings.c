// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * agent/settings.c - bulkheadd.yaml: the agent's own configuration
 */
#include "agent/settings.h"

#include <ctype.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

#include "common/file.h"
#include "common/limits.h"
#include "common/parse.h"
#include "common/util.h"
#include "config.h"
#include "policy/diag.h"
#include "policy/yaml.h"

#include "common/banned.h"

#define DEFAULT_QUEUE_BASE 61440U
#define DEFAULT_NFLOG      61440U
#define DEFAULT_WORKERS    4U
#define SETTINGS_FILE      BH_SYSCONFDIR "/bulkheadd.yaml"
#define SETTINGS_MAX       (1024U * 1024)
#define GRACE_MAX          3600
/* The longest name in the run folder ("worker-15.sock") must fit into a socket address with it. */
#define RUN_DIR_MAX (108U - 16U)

struct reader {
	struct bh_diags *d;
	const struct bh_text *text;
};

typedef int (*setter)(struct reader *rd, const struct bh_yaml_node *v, const char *key,
		      void *field);

static int complain(struct reader *rd, const struct bh_yaml_node *at, const char *hint,
		    const char *fmt, ...) bh_printf(4, 5);

static int complain(struct reader *rd, const struct bh_yaml_node *at, const char *hint,
		    const char *fmt, ...)
{
	struct bh_diag_at place = { .text = rd->text, .pos = at->pos };
	va_list ap;
	int r;

	if (at->end.line == at->pos.line && at->end.column > at->pos.column)
		place.width = at->end.column - at->pos.column;
	va_start(ap, fmt);
	r = bh_diag_addv(rd->d, &place, BH_SEVERITY_ERROR, "e0", hint, fmt, ap);
	va_end(ap);
	return r < 0 ? r : -EINVAL;
}

/* ---- kinds of values ---- */

static int set_string(struct reader *rd, const struct bh_yaml_node *v, const char *key, void *field)
{
	char **to = field, *copy;

	if (v->type != BH_YAML_STRING && v->type != BH_YAML_INT)
		return complain(rd, v, NULL, "%s is %s; it must be a string", key,
				bh_yaml_type_name(v->type));
	if (v->n == 0)
		return complain(rd, v, NULL, "%s is empty", key);
	for (const char *p = v->text; *p; p++)
		if (iscntrl((unsigned char)*p))
			return complain(rd, v, NULL, "%s has a control character", key);
	copy = strdup(v->text);
	if (!copy)
		return -ENOMEM;
	free(*to);
	*to = copy;
	return 0;
}

static int set_path(struct reader *rd, const struct bh_yaml_node *v, const char *key, void *field)
{
	char **to = field;
	size_t len;
	int r = set_string(rd, v, key, field);

	if (r < 0)
		return r;
	if ((*to)[0] != '/')
		return complain(rd, v, NULL, "%s must be an absolute path", key);
	len = strlen(*to);
	if (len >= PATH_MAX - 256)
		return complain(rd, v, NULL, "%s is longer than a path can be", key);
	while (len > 1 && (*to)[len - 1] == '/')
		(*to)[--len] = '\0';
	return 0;
}

static int set_run_dir(struct reader *rd, const struct bh_yaml_node *v, const char *key,
		       void *field)
{
	int r = set_path(rd, v, key, field);

	if (r == 0 && strlen(*(char **)field) > RUN_DIR_MAX)
		return complain(
		    rd, v, NULL,
		    "%s is longer than %u bytes: the sockets in it could not be reached", key,
		    RUN_DIR_MAX);
	return r;
}

static int set_table(struct reader *rd, const struct bh_yaml_node *v, const char *key, void *field)
{
	int r = set_string(rd, v, key, field);

	if (r < 0)
		return r;
	for (const char *p = *(char **)field; *p; p++)
		if (!isascii((unsigned char)*p) ||
		    (!isalnum((unsigned char)*p) && !strchr("_-.", *p)))
			return complain(rd, v, NULL,
					"%s must be of letters, digits, '-', '_' and '.'", key);
	if (strlen(*(char **)field) > 64 || !isalpha((unsigned char)**(char **)field))
		return complain(rd, v, NULL,
				"%s must begin with a letter and have at most 64 characters", key);
	return 0;
}

static int set_number(struct reader *rd, const struct bh_yaml_node *v, const char *key, int64_t lo,
		      int64_t hi, uint16_t *to)
{
	if (v->type != BH_YAML_INT || v->octal)
		return complain(rd, v, v->octal ? "YAML reads a leading zero as octal" : NULL,
				"%s must be a number", key);
	if (v->integer < lo || v->integer > hi)
		return complain(rd, v, NULL, "%s must be from %lld to %lld", key, (long long)lo,
				(long long)hi);
	*to = (uint16_t)v->integer;
	return 0;
}

static int set_workers(struct reader *rd, const struct bh_yaml_node *v, const char *key,
		       void *field)
{
	return set_number(rd, v, key, 1, BH_WORKERS_MAX, field);
}

static int set_u16(struct reader *rd, const struct bh_yaml_node *v, const char *key, void *field)
{
	return set_number(rd, v, key, 0, UINT16_MAX, field);
}

static int set_queue(struct reader *rd, const struct bh_yaml_node *v, const char *key, void *field)
{
	/* Pairs: the open ones are BH_QUEUE_OPEN further. */
	return set_number(rd, v, key, 0, UINT16_MAX - BH_QUEUE_OPEN - BH_WORKERS_MAX + 1, field);
}

static int set_grace(struct reader *rd, const struct bh_yaml_node *v, const char *key, void *field)
{
	return set_number(rd, v, key, 0, GRACE_MAX, field);
}

static int set_keep(struct reader *rd, const struct bh_yaml_node *v, const char *key, void *field)
{
	bool *keep = field;

	if (v->type != BH_YAML_STRING ||
	    (strcmp(v->text, "cut") != 0 && strcmp(v->text, "keep") != 0))
		return complain(rd, v, NULL, "%s must be cut or keep", key);
	*keep = strcmp(v->text, "keep") == 0;
	return 0;
}

static int set_level(struct reader *rd, const struct bh_yaml_node *v, const char *key, void *field)
{
	if (v->type != BH_YAML_STRING || bh_log_level_parse(v->text, field) < 0)
		return complain(rd, v, NULL, "%s must be error, warning, notice, info or debug",
				key);
	return 0;
}

static int set_comments(struct reader *rd, const struct bh_yaml_node *v, const char *key,
			void *field)
{
	static const char *const names[] = { [BH_COMMENTS_FULL] = "full",
					     [BH_COMMENTS_NAMES] = "names",
					     [BH_COMMENTS_OFF] = "off" };
	enum bh_comments *to = field;

	/* YAML takes a plain "off" for a boolean; its text is as written. */
	for (size_t i = 0; v->type <= BH_YAML_STRING && i < BH_ARRAY_SIZE(names); i++) {
		if (bh_streq(v->text, names[i])) {
			*to = (enum bh_comments)i;
			return 0;
		}
	}
	return complain(rd, v, NULL, "%s must be full, names or off", key);
}

/* ---- lists ---- */

static int add_prefix(struct bh_prefixes *l, const struct bh_prefix *p)
{
	struct bh_prefix *items = reallocarray(l->items, l->n + 1, sizeof(*items));

	if (!items)
		return -ENOMEM;
	items[l->n++] = *p;
	l->items = items;
	return 0;
}

static int add_addr(struct bh_addrs *l, const struct bh_addr *a)
{
	struct bh_addr *items;

	for (size_t i = 0; i < l->n; i++)
		if (bh_addr_eq(&l->items[i], a))
			return 0;
	items = reallocarray(l->items, l->n + 1, sizeof(*items));
	if (!items)
		return -ENOMEM;
	items[l->n++] = *a;
	l->items = items;
	return 0;
}

/* @fn: with each item, which is a string. Everything that is wrong with the list is said. */
static int each_item(struct reader *rd, const struct bh_yaml_node *v, const char *key,
		     int (*fn)(struct reader *rd, const struct bh_yaml_node *v, const char *key,
			       void *arg),
		     void *arg)
{
	int r = 0;

	if (v->type != BH_YAML_LIST)
		return complain(rd, v, NULL, "%s is %s; it must be a list", key,
				bh_yaml_type_name(v->type));
	for (uint32_t i = 0; r != -ENOMEM && i < v->n; i++) {
		const struct bh_yaml_node *n = v->items[i];

		if (n->type != BH_YAML_STRING)
			r = complain(rd, n, NULL, "%s has %s in it; its items are strings", key,
				     bh_yaml_type_name(n->type));
		else
			r = fn(rd, n, key, arg);
	}
	return r == -ENOMEM ? r : 0;
}

static int take_range(struct reader *rd, const struct bh_yaml_node *v, const char *key, void *arg)
{
	struct bh_prefix p;

	if (bh_prefix_parse(v->text, &p) < 0)
		return complain(rd, v, "like 10.244.0.0/16 or fd00:244::/48",
				"%s: \"%.100s\" is not a range of addresses", key, v->text);
	return add_prefix(arg, &p);
}

static int take_resolver(struct reader *rd, const struct bh_yaml_node *v, const char *key,
			 void *arg)
{
	struct bh_addr a;

	if (bh_addr_parse(v->text, &a) < 0)
		return complain(rd, v, NULL, "%s: \"%.100s\" is not an address", key, v->text);
	return add_addr(arg, &a);
}

static int set_ranges(struct reader *rd, const struct bh_yaml_node *v, const char *key, void *field)
{
	return each_item(rd, v, key, take_range, field);
}

static int set_resolvers(struct reader *rd, const struct bh_yaml_node *v, const char *key,
			 void *field)
{
	struct bh_settings *s = bh_container_of(field, struct bh_settings, resolvers);

	s->resolvers_given = true;
	return each_item(rd, v, key, take_resolver, field);
}

/* 16 bits side by side. */
static int set_mark_mask(struct reader *rd, const struct bh_yaml_node *v, const char *key,
			 void *field)
{
	uint8_t *down = field;

	if (v->type != BH_YAML_INT)
		return complain(rd, v, NULL, "%s must be a number, as 0xffff0000", key);
	for (unsigned i = 0; i <= 16; i++) {
		if (v->integer != (int64_t)(0xffff0000U >> i))
			continue;
		*down = (uint8_t)i;
		return 0;
	}
	return complain(rd, v, "e.g. 0xffff0000, 0x00ffff00, 0x0000ffff",
			"%s must be 16 bits side by side in a mark of 32", key);
}

/* ---- the table of keys ---- */

static const struct {
	const char *name;
	setter set;
	size_t offset;
} keys[] = {
	{ "runDir", set_run_dir, offsetof(struct bh_settings, run_dir) },
	{ "stateDir", set_path, offsetof(struct bh_settings, state_dir) },
	{ "policyDir", set_path, offsetof(struct bh_settings, policy_dir) },
	{ "violationLog", set_path, offsetof(struct bh_settings, violation_log) },
	{ "nodeName", set_string, offsetof(struct bh_settings, node_name) },
	{ "clusterRanges", set_ranges, offsetof(struct bh_settings, cluster) },
	{ "resolvers", set_resolvers, offsetof(struct bh_settings, resolvers) },
	{ "table", set_table, offsetof(struct bh_settings, table) },
	{ "workers", set_workers, offsetof(struct bh_settings, workers) },
	{ "queueBase", set_queue, offsetof(struct bh_settings, queue_base) },
	{ "nflogGroup", set_u16, offsetof(struct bh_settings, nflog_group) },
	{ "nftComments", set_comments, offsetof(struct bh_settings, comments) },
	{ "markMask", set_mark_mask, offsetof(struct bh_settings, mark_down) },
	{ "existingConnections", set_keep, offsetof(struct bh_settings, keep_connections) },
	{ "midstreamGrace", set_grace, offsetof(struct bh_settings, midstream_grace) },
	{ "logLevel", set_level, offsetof(struct bh_settings, log_level) },
	{ "workerProgram", set_path, offsetof(struct bh_settings, worker_program) },
};

static int set_pair(struct bh_settings *s, struct reader *rd, const struct bh_yaml_pair *pair)
{
	const char *names[BH_ARRAY_SIZE(keys)], *near;
	char hint[64];

	for (size_t i = 0; i < BH_ARRAY_SIZE(keys); i++) {
		names[i] = keys[i].name;
		if (strcmp(keys[i].name, pair->name) == 0)
			return keys[i].set(rd, pair->value, keys[i].name,
					   (char *)s + keys[i].offset);
	}
	near = bh_nearest(pair->name, names, BH_ARRAY_SIZE(names));
	if (near)
		(void)snprintf(hint, sizeof(hint), "did you mean \"%s\"?", near);
	return complain(rd, pair->key, near ? hint : NULL, "unknown key \"%.100s\"", pair->name);
}

static int set_document(struct bh_settings *s, struct reader *rd, const struct bh_yaml_node *root)
{
	int r = 0;

	if (root->type == BH_YAML_NULL)
		return 0;
	if (root->type != BH_YAML_MAP)
		return complain(rd, root, NULL, "the configuration is %s; it must be a map of keys",
				bh_yaml_type_name(root->type));
	for (uint32_t i = 0; i < root->n; i++)
		if (set_pair(s, rd, &root->pairs[i]) == -ENOMEM)
			r = -ENOMEM;
	return r;
}

int bh_settings_parse(struct bh_settings *s, const char *file, const char *text, size_t size,
		      struct bh_diags *d)
{
	bh_cleanup(bh_yaml_freep) struct bh_yaml *y = NULL;
	const struct bh_yaml_doc *doc;
	struct reader rd = { .d = d };
	unsigned n = 0;
	int r = bh_yaml_open(file, text, size, d, &y);

	if (r < 0)
		return r;
	rd.text = bh_yaml_text(y);
	while ((r = bh_yaml_next(y, &doc)) == 1) {
		if (!doc->root)
			continue;
		if (doc->root->type != BH_YAML_NULL && n++ > 0)
			r = complain(&rd, doc->root, NULL,
				     "a second document: the configuration is one");
		else
			r = set_document(s, &rd, doc->root);
		if (r == -ENOMEM)
			break;
	}
	if (r < 0 && r != -EINVAL)
		return r;
	bh_diags_sort(d);
	return d->n_errors > 0 ? -EINVAL : 0;
}

/* ---- defaults ---- */

/* Beside a bulkheadd in a build tree, else where it is installed. */
static char *default_worker(void)
{
	static const char in_tree[] = "/../dataplane/worker/bulkhead-worker";
	char exe[PATH_MAX], path[PATH_MAX + sizeof(in_tree)];
	ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
	char *slash;

	if (n > 0) {
		exe[n] = '\0';
		slash = strrchr(exe, '/');
		if (slash) {
			*slash = '\0';
			(void)snprintf(path, sizeof(path), "%s%s", exe, in_tree);
			if (access(path, X_OK) == 0)
				return strdup(path);
		}
	}
	return strdup(BH_LIBEXECDIR "/bulkhead-worker");
}

static uint16_t default_workers(void)
{
	cpu_set_t set;
	int n = 1;

	if (sched_getaffinity(0, sizeof(set), &set) == 0)
		n = CPU_COUNT(&set);
	return (uint16_t)BH_MAX(1, BH_MIN(n, (int)DEFAULT_WORKERS));
}

static bool is_loopback(const struct bh_addr *a)
{
	static const uint8_t one[16] = { [15] = 1 };

	return a->family == 4 ? a->bytes[0] == 127 || a->bytes[0] == 0
			      : memcmp(a->bytes, one, 15) == 0 && a->bytes[15] <= 1;
}

int bh_resolvers_parse(const char *text, struct bh_addrs *ret)
{
	static const char blank[] = " \t\r", keyword[] = "nameserver";
	int r = 0;

	for (const char *line = text; r == 0 && *line; line += *line == '\n') {
		const char *p = line + strspn(line, blank);
		char word[BH_ADDR_STRLEN];
		struct bh_addr a;
		size_t skip, n;

		line += strcspn(line, "\n");
		if (strncmp(p, keyword, sizeof(keyword) - 1) != 0)
			continue;
		p += sizeof(keyword) - 1;
		skip = strspn(p, blank);
		p += skip;
		/* A zone ("fe80::1%eth0") is of no use here, nor what is said behind. */
		n = strcspn(p, " \t\r\n%#;");
		if (skip == 0 || n >= sizeof(word))
			continue;
		memcpy(word, p, n);
		word[n] = '\0';
		if (bh_addr_parse(word, &a) == 0 && !is_loopback(&a))
			r = add_addr(ret, &a);
	}
	return r;
}

/*
 * As the engines give them to containers: where the host asks a stub of its own (systemd-resolved), what that one asks.
 */
static int host_resolvers(struct bh_addrs *ret)
{
	static const char *const files[] = { "/etc/resolv.conf",
					     "/run/systemd/resolve/resolv.conf" };
	int r = 0;

	for (size_t i = 0; r == 0 && ret->n == 0 && i < BH_ARRAY_SIZE(files); i++) {
		bh_autofree char *text = NULL;
		size_t size;

		if (bh_file_read(files[i], SETTINGS_MAX, &text, &size, NULL) == 0)
			r = bh_resolvers_parse(text, ret);
	}
	return r;
}

int bh_settings_defaults(struct bh_settings *s, struct bh_err *err)
{
	char host[256] = { 0 };

	if (gethostname(host, sizeof(host) - 1) < 0)
		return bh_err_set(err, -errno, "gethostname: %s", strerrordesc_np(errno));
	*s = (struct bh_settings){ .workers = default_workers(),
				   .queue_base = DEFAULT_QUEUE_BASE,
				   .nflog_group = DEFAULT_NFLOG,
				   .log_level = BH_LOG_NOTICE };
	s->run_dir = strdup(BH_RUNDIR);
	s->state_dir = strdup(BH_STATEDIR);
	s->policy_dir = strdup(BH_SYSCONFDIR "/policies");
	s->violation_log = strdup(BH_LOGDIR "/violations.jsonl");
	s->node_name = strdup(host[0] ? host : "localhost");
	s->table = strdup("bulkhead");
	s->worker_program = default_worker();
	if (!s->run_dir || !s->state_dir || !s->policy_dir || !s->violation_log || !s->node_name ||
	    !s->table || !s->worker_program)
		return bh_err_set(err, -ENOMEM, "out of memory");
	return 0;
}

void bh_settings_done(struct bh_settings *s)
{
	free(s->run_dir);
	free(s->state_dir);
	free(s->policy_dir);
	free(s->violation_log);
	free(s->node_name);
	free(s->table);
	free(s->worker_program);
	free(s->cluster.items);
	free(s->resolvers.items);
	*s = (struct bh_settings){ .run_dir = NULL };
}

int bh_settings_load(struct bh_settings *s, const char *file, struct bh_diags *d,
		     struct bh_err *err)
{
	bh_autofree char *text = NULL;
	const char *path = file ? file : SETTINGS_FILE;
	size_t size;
	int r = bh_settings_defaults(s, err);

	if (r < 0)
		return r;
	r = bh_file_read(path, SETTINGS_MAX, &text, &size, err);
	if (r < 0 && (r != -ENOENT || file))
		return r == -EINVAL ? -EIO : r;
	r = r == 0 ? bh_settings_parse(s, path, text, size, d) : 0;
	if (r == 0 && !s->resolvers_given && host_resolvers(&s->resolvers) < 0)
		r = bh_err_set(err, -ENOMEM, "out of memory");
	return r;
}

struct bh_surroundings bh_settings_surroundings(const struct bh_settings *s)
{
	return (struct bh_surroundings){ .cluster = s->cluster.items,
					 .n_cluster = s->cluster.n,
					 .resolvers = s->resolvers.items,
					 .n_resolvers = s->resolvers.n };
}
