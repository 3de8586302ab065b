// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * tests/unit/test_kernel_comment.c - what `nft list` shows beside elements
 *
 *	tests/golden/comment/NAME.yaml	policies and endpoints, all of this host
 *	tests/golden/comment/NAME.txt	every element and its comment
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "common/util.h"
#include "dataplane/kernel/comment.h"
#include "policy/load.h"
#include "policy/text.h"
#include "tests/lib/golden.h"
#include "tests/lib/hand.h"

struct scene {
	struct bh_policy_set *set;
	struct bh_compiled out;
	struct bh_projection p;
};

static void who(void *arg, const struct bh_addr *a, char *buf, size_t size)
{
	const struct scene *s = arg;
	const struct bh_addr_class *ac = bh_compiled_find(&s->out, a);
	const struct bh_endpoint *e = ac ? s->set->endpoints[ac->endpoint] : NULL;

	(void)snprintf(buf, size, "%s%s%s", e ? e->ns : "", e ? "/" : "", e ? e->name : "");
}

static void compile(struct scene *s, const char *name, const char *data, size_t size)
{
	bh_cleanup(bh_diags_done) struct bh_diags d = BH_DIAGS_INIT;
	bh_cleanup(bh_compiler_freep) struct bh_compiler *c = NULL;
	bh_cleanup(bh_buf_done) struct bh_buf text = BH_BUF_INIT;
	struct bh_err err = { .code = 0 };
	int r;

	s->set = bh_policy_set_new();
	assert_non_null(s->set);
	r = bh_load_text(s->set, name, data, size, &d);
	if (bh_load_finish(s->set, &d) < 0 || r < 0) {
		bh_diags_print(&d, &text);
		fail_msg("%s", bh_buf_str(&text));
	}
	assert_int_equal(bh_compiler_new(&c), 0);
	for (size_t i = 0; i < s->set->n_endpoints; i++)
		s->set->endpoints[i]->local = true;
	if (bh_compile(c,
		       &(struct bh_compile_input){
			   .set = s->set,
			   .eps = (const struct bh_endpoint *const *)s->set->endpoints,
			   .n_eps = s->set->n_endpoints,
			   .revision = 1 },
		       &s->out, &err) < 0)
		fail_msg("%s: %s", name, err.msg);
	assert_int_equal(bh_projection_make(s->out.rules, s->out.addrs, s->out.n_addrs, &s->p), 0);
}

static void comments(const char *name, const char *data, size_t size, struct bh_buf *out)
{
	struct scene s = { .set = NULL };
	struct bh_commenter say;

	compile(&s, name, data, size);
	say = (struct bh_commenter){ .rs = s.out.rules, .who = who, .arg = &s };
	for (size_t i = 0; i < s.p.n; i++) {
		const struct bh_kelem *e = &s.p.elems[i];
		char key[96], text[BH_COMMENT_SIZE];

		bh_buf_printf(
		    out, "%s %s %s \"%s\"\n", e->family == 4 ? "ip " : "ip6", bh_kset_name(e->set),
		    bh_kset_key_text(e->set, e->family, e->key, e->key_len, key, sizeof(key)),
		    bh_comment_elem(&say, e, text, sizeof(text)));
	}
	bh_projection_done(&s.p);
	bh_compiled_done(&s.out);
	bh_policy_set_free(s.set);
}

static void test_elements(void **state)
{
	(void)state;
	golden_folder("comment", ".txt", comments);
}

static void named(void *arg, const struct bh_addr *a, char *buf, size_t size)
{
	(void)snprintf(buf, size, "%s", (const char *)arg);
}

/* Names come from anywhere: nft shows them between quotes, on a terminal, and as JSON. */
static void test_names_that_are_not_nice(void **state)
{
	static const char *const cases[][2] = {
		{ "shop/web", "shop/web" },
		{ "", "" },
		{ "a\"b\\c", "a'b/c" },
		{ "a\x1b[31mb\nc\x7f", "a?[31mb?c?" },
		{ "f\xc3\xbcr", "f\xc3\xbcr" },
		{ "\xff\xfe\xc3", "???" },
		{ "a\xe2\x80\xae"
		  "b\xc2\x9b",
		  "a?b?" }, /* turns the direction; a control character of Latin-1 */
		{ "123456789 123456789 123456789 123456789 123456789 123456789 123",
		  "123456789 123456789 123456789 123456789 123456789 123456789 123" },
		{ "123456789 123456789 123456789 123456789 123456789 123456789 1234",
		  "123456789 123456789 123456789 123456789 123456789 123456789 ..." },
		{ "123456789 123456789 123456789 123456789 123456789 12345678\xc3\xbc\xc3\xbc\xc3\xbc",
		  "123456789 123456789 123456789 123456789 123456789 12345678\xc3\xbc..." },
	};
	const struct bh_kelem e = { .set = BH_KSET_PEER, .family = 4, .key_len = 4 };

	(void)state;
	for (size_t i = 0; i < BH_ARRAY_SIZE(cases); i++) {
		struct bh_commenter say = { .who = named, .arg = (void *)(uintptr_t)cases[i][0] };
		char text[BH_COMMENT_SIZE];

		assert_string_equal(bh_comment_elem(&say, &e, text, sizeof(text)), cases[i][1]);
		assert_true(strlen(text) < sizeof(text));
	}
}

/* Who knows nothing says nothing. */
static void test_nothing_is_known(void **state)
{
	(void)state;
	for (uint8_t set = BH_KSET_INVALID + 1; set < BH_KSET_COUNT; set++) {
		const struct bh_kelem e = { .set = set, .family = 6, .data = BH_WORD_ALLOW | 1 };
		const struct bh_commenter say = { .rs = NULL };
		char text[BH_COMMENT_SIZE] = "x";

		assert_string_equal(bh_comment_elem(&say, &e, text, sizeof(text)), "");
		assert_string_not_equal(bh_comment_set(set), "");
	}
	assert_string_equal(bh_comment_chain("mine"), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_elements),
		cmocka_unit_test(test_names_that_are_not_nice),
		cmocka_unit_test(test_nothing_is_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
