/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * tests/lib/records_scene.h - records of some endpoints under policies that the test brings
 *
 * Policies are loaded and compiled as the agent does it; what workers and kernel would report is made here. Include
 * after <cmocka.h>.
 *
 * Thread-safety: one thread.
 */
#ifndef BH_TESTS_LIB_RECORDS_SCENE_H
#define BH_TESTS_LIB_RECORDS_SCENE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "agent/attachment.h"
#include "agent/builder.h"
#include "agent/records.h"
#include "common/file.h"
#include "common/json.h"
#include "common/log.h"
#include "common/util.h"

#define T0 1767323045678901LL

/* To be set before the first setup(). */
static const char *scene_policies;

struct fixture {
	char dir[64], path[128];
	struct bh_vlog *log;
	struct bh_endpoints *eps;
	struct bh_builder *builder;
	struct bh_generation *g;
	struct bh_history history;
	struct bh_records *records;
};

static inline struct bh_addr addr(const char *s)
{
	struct bh_addr a;

	assert_int_equal(bh_addr_parse(s, &a), 0);
	return a;
}

/* Number of the link of an endpoint. */
static inline int scene_link(const char *name)
{
	return 1000 + name[0];
}

static inline void add_endpoint(struct fixture *f, const char *name, const char *label,
				const char *value, const char *ip, const char *ip6)
{
	bh_cleanup(bh_ep_unrefp) struct bh_ep *ep = NULL;
	bh_autojson json_t *v = json_pack(
	    "{s:s, s:s, s:s, s:s, s:s, s:{s:s}, s:[s, s], s:{s:s, s:i}}", "network", "net", "id",
	    name, "ifname", "eth0", "name", name, "namespace", "shop", "labels", label, value,
	    "ips", ip, ip6, "host", "name", name, "index", scene_link(name));

	assert_int_equal(bh_attachment_parse(v, "n1", &ep, NULL), 0);
	assert_int_equal(bh_endpoints_put(f->eps, ep), 0);
}

static inline int setup(void **state)
{
	bh_cleanup(bh_manifests_done) struct bh_manifests folder = BH_MANIFESTS_INIT;
	bh_cleanup(bh_policies_unrefp) struct bh_policies *p = NULL;
	struct fixture *f = calloc(1, sizeof(*f));
	struct bh_vlog_config cfg = { .path = f->path, .node = "n1", .boot = "0123456789abcdef" };
	static const struct bh_manifests none = BH_MANIFESTS_INIT;
	bh_cleanup(bh_diags_done) struct bh_diags d = BH_DIAGS_INIT;
	struct bh_wanted w = { .node = "n1", .revision = 42 };
	struct bh_manifest *m;

	(void)snprintf(f->dir, sizeof(f->dir), "/tmp/bh-records.XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	(void)snprintf(f->path, sizeof(f->path), "%s/log", f->dir);
	assert_int_equal(bh_vlog_new(&cfg, &f->log, NULL), 0);
	assert_int_equal(
	    bh_manifest_new("p.yaml", strdup(scene_policies), strlen(scene_policies), false, &m),
	    0);
	assert_int_equal(bh_manifests_add(&folder, m), 0);
	if (bh_policies_new(&folder, &none, &p, &d) < 0)
		fail_msg("%s", d.n > 0 ? d.items[0].message : "no memory");
	assert_int_equal(bh_endpoints_new(&f->eps), 0);
	add_endpoint(f, "web", "app", "web", "10.1.0.9", "fd00::9");
	add_endpoint(f, "client", "role", "client", "10.1.0.5", "fd00::5");
	add_endpoint(f, "intruder", "role", "none", "10.1.0.6", "fd00::6");
	add_endpoint(f, "db", "app", "db", "10.1.0.7", "fd00::7");
	assert_int_equal(bh_builder_new(&f->builder), 0);
	w.policies = p;
	w.eps = f->eps;
	assert_int_equal(bh_builder_build(f->builder, &w, &f->g, NULL), 0);
	bh_history_add(&f->history, f->g, 7);
	assert_int_equal(bh_records_new(f->log, &f->history, &f->records), 0);
	*state = f;
	return 0;
}

static inline int teardown(void **state)
{
	struct fixture *f = *state;

	bh_records_free(f->records);
	bh_vlog_free(f->log);
	bh_history_done(&f->history);
	bh_generation_unref(f->g);
	bh_builder_free(f->builder);
	bh_endpoints_free(f->eps);
	(void)unlink(f->path);
	(void)rmdir(f->dir);
	free(f);
	return 0;
}

/* The records so far. */
static inline json_t *records_of(struct fixture *f)
{
	bh_autofree char *text = NULL;
	json_t *list = json_array();
	size_t size;

	assert_int_equal(bh_file_read(f->path, 1 << 20, &text, &size, NULL), 0);
	for (char *p = text, *end; (end = strchr(p, '\n')); p = end + 1) {
		json_t *v = NULL;

		assert_int_equal(bh_json_load(p, (size_t)(end - p), 1 << 20, &v, NULL), 0);
		(void)json_array_append_new(list, v);
	}
	return list;
}

/* The value at "a.b[0].c" as text; strings without quotes. */
static inline const char *at(const json_t *v, const char *path)
{
	static char text[4096];
	char part[64];

	while (*path && v) {
		size_t n = strcspn(path, ".[");

		(void)snprintf(part, sizeof(part), "%.*s", (int)n, path);
		if (n > 0)
			v = json_object_get(v, part);
		path += n;
		if (*path == '[') {
			v = json_array_get(v, (size_t)(path[1] - '0'));
			path += 3;
		}
		if (*path == '.')
			path++;
	}
	if (json_is_string(v))
		return json_string_value(v);
	if (v) {
		bh_autofree char *dump = json_dumps(v, JSON_COMPACT | JSON_ENCODE_ANY);

		(void)snprintf(text, sizeof(text), "%s", dump);
		return text;
	}
	return "(absent)";
}

static inline uint32_t word_for(const struct fixture *f, const char *src, const char *dst,
				uint16_t dport, enum bh_dir dir)
{
	struct bh_addr s = addr(src), d = addr(dst);
	const struct bh_addr_class *sc = bh_generation_addr(f->g, &s),
				   *dc = bh_generation_addr(f->g, &d);
	struct bh_conn c = { .src = s,
			     .dst = d,
			     .src_class = sc ? sc->cls : 0,
			     .dst_class = dc ? dc->cls : 0,
			     .src_local = sc != NULL,
			     .dst_local = dc != NULL,
			     .l4 = BH_L4_TCP,
			     .dport = dport };
	struct bh_decision v = bh_ruleset_decide(f->g->rules->rs, &c);

	return dir == BH_DIR_EGRESS ? v.egress : v.ingress;
}

static inline struct bh_refused refused(const struct fixture *f, const char *src, const char *dst,
					uint16_t sport, uint16_t dport, enum bh_dir dir)
{
	uint32_t word = word_for(f, src, dst, dport, dir);

	return (struct bh_refused){ .reason = bh_word_number(word),
				    .word = word & BH_WORD_VERDICT,
				    .epoch = 7,
				    .dir = (uint8_t)dir,
				    .cause = 'p',
				    .src = addr(src),
				    .dst = addr(dst),
				    .l4 = BH_L4_TCP,
				    .sport = sport,
				    .dport = dport,
				    .len = 60 };
}

static inline struct bh_finding finding(const struct fixture *f, const char *src, const char *dst,
					uint16_t sport, uint16_t dport, unsigned proto)
{
	struct bh_finding v = { .src = addr(src),
				.dst = addr(dst),
				.sport = sport,
				.dport = dport,
				.l4 = BH_L4_TCP,
				.cause = BH_CAUSE_PROTOCOL,
				.by = BH_BY_PROBE,
				.proto = proto,
				.pkts = 1,
				.bytes_c = 21,
				.revision = 42,
				.evidence_len = 4,
				.evidence = "SSH-" };

	v.ingress = word_for(f, src, dst, dport, BH_DIR_INGRESS);
	v.ingress_final = bh_ruleset_settle(f->g->rules->rs, v.ingress, proto);
	v.refused = bh_word_refuses(v.ingress_final);
	v.report = (v.ingress_final & BH_WORD_REPORT) != 0;
	return v;
}

#endif
