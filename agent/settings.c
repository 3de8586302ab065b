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
	return set_number(rd, v, key, 0, UINT16_MAX - BH_WORKERS_MAX + 1, field);
}

static int set_level(struct reader *rd, const struct bh_yaml_node *v, const char *key, void *field)
{
	if (v->type != BH_YAML_STRING || bh_log_level_parse(v->text, field) < 0)
		return complain(rd, v, NULL, "%s must be error, warning, notice, info or debug",
				key);
	return 0;
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
	{ "table", set_table, offsetof(struct bh_settings, table) },
	{ "workers", set_workers, offsetof(struct bh_settings, workers) },
	{ "queueBase", set_queue, offsetof(struct bh_settings, queue_base) },
	{ "nflogGroup", set_u16, offsetof(struct bh_settings, nflog_group) },
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
	if (r == -ENOENT && !file)
		return 0;
	if (r < 0)
		return r == -EINVAL ? -EIO : r;
	return bh_settings_parse(s, path, text, size, d);
}
