// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * cli/matrix_svg.c - who reaches whom as a picture
 *
 * One cell for each pair, rows connect to columns; namespaces are bands with a heading of their own. Under the mouse a
 * cell tells its ports and who decides. Colours are classes of a style sheet with a second set for dark
 * surroundings; letters and marks say the same to those who cannot tell the colours. Without scripts, fonts or
 * anything else from elsewhere.
 */
#include "cli/markup.h"
#include "cli/matrix.h"
#include "cli/out.h"
#include "common/util.h"

#include <stdio.h>
#include <string.h>

#include "common/banned.h"

/* Pixels. */
#define MARGIN  16U
#define TITLE   44U
#define HEADING 20U /* of a band */
#define LEGEND  18U /* a line */

/* Characters of a label; more end in an ellipsis (the whole name is under the mouse). */
#define LABEL_MAX 36U
/* Lines under the mouse about who decides. */
#define WHY_MAX 5U

/* Colours of what is spoken. The order is that of the legend. */
enum family {
	FAM_HTTP,
	FAM_TLS,
	FAM_DNS,
	FAM_SSH,
	FAM_DATA,
	FAM_MESSAGES,
	FAM_MAIL,
	FAM_OTHER,
	FAM_COUNT,
};

static const struct {
	const char *letter, *text;
} families[] = {
	[FAM_HTTP] = { "H", "only http, http2, grpc, websocket" },
	[FAM_TLS] = { "T", "only tls, quic, dtls" },
	[FAM_DNS] = { "D", "only dns" },
	[FAM_SSH] = { "S", "only ssh, telnet, rdp, vnc" },
	[FAM_DATA] = { "B", "only databases, caches, files" },
	[FAM_MESSAGES] = { "Q", "only kafka, amqp, mqtt, nats" },
	[FAM_MAIL] = { "M", "only mail" },
	[FAM_OTHER] = { "P", "only other protocols" },
};
BH_STATIC_ASSERT_TABLE(families, FAM_COUNT);

static enum family family_of(unsigned proto)
{
	switch (proto) {
	case BH_PROTO_HTTP:
	case BH_PROTO_HTTP2:
	case BH_PROTO_GRPC:
	case BH_PROTO_WEBSOCKET:
		return FAM_HTTP;
	case BH_PROTO_TLS:
	case BH_PROTO_QUIC:
	case BH_PROTO_DTLS:
		return FAM_TLS;
	case BH_PROTO_DNS:
		return FAM_DNS;
	case BH_PROTO_SSH:
	case BH_PROTO_TELNET:
	case BH_PROTO_RDP:
	case BH_PROTO_VNC:
		return FAM_SSH;
	case BH_PROTO_POSTGRES:
	case BH_PROTO_MYSQL:
	case BH_PROTO_MONGODB:
	case BH_PROTO_REDIS:
	case BH_PROTO_MEMCACHED:
	case BH_PROTO_CASSANDRA:
	case BH_PROTO_ZOOKEEPER:
	case BH_PROTO_LDAP:
	case BH_PROTO_SMB:
	case BH_PROTO_NFS:
	case BH_PROTO_FTP:
		return FAM_DATA;
	case BH_PROTO_KAFKA:
	case BH_PROTO_AMQP:
	case BH_PROTO_MQTT:
	case BH_PROTO_NATS:
		return FAM_MESSAGES;
	case BH_PROTO_SMTP:
	case BH_PROTO_IMAP:
	case BH_PROTO_POP3:
		return FAM_MAIL;
	default:
		return FAM_OTHER;
	}
}

static const char style[] =
    "text{font:12px system-ui,sans-serif;fill:#1f2328}"
    ".bg{fill:#ffffff}.band{fill:#eef1f5}"
    ".h{font-weight:700}.t{font-size:16px;font-weight:700}.s{font-size:11px;fill:#59636e}"
    ".r{fill:#f7dcdc}.a{fill:#2f9e5f}.m{fill:#2f9e5f}.n{fill:#a9dcbd}"
    ".f0{fill:#2f6fde}.f1{fill:#0c8f9e}.f2{fill:#8757d6}.f3{fill:#b3541e}"
    ".f4{fill:#b88600}.f5{fill:#c2418b}.f6{fill:#6d7a1d}.f7{fill:#5b6b7f}"
    ".l{fill:#ffffff;text-anchor:middle;font-weight:700}.k{fill:#14532d;text-anchor:middle;font-weight:700}"
    ".x{stroke:#c98a8a;stroke-width:1.2;fill:none}"
    "g.c:hover rect{stroke:#1f2328;stroke-width:2}"
    "@media(prefers-color-scheme:dark){"
    "text{fill:#e6e8eb}.bg{fill:#15181d}.band{fill:#20252d}.s{fill:#9aa4af}"
    ".r{fill:#43262a}.n{fill:#1f5a3a}.k{fill:#c9f2d8}.x{stroke:#8f5a5f}"
    "g.c:hover rect{stroke:#ffffff}}";

/* ---- where things are ---- */

struct axis {
	size_t n;
	unsigned *at;    /* of each party: pixels from the beginning */
	unsigned length; /* of all, with the headings of bands */
	size_t longest;  /* label, in characters */
};

struct drawing {
	const struct bh_matrix *m;
	struct bh_buf *out;
	struct axis rows, columns;
	unsigned cell, left, top;
	bool sums[BH_SUM_COUNT], fams[FAM_COUNT]; /* met, for the legend */
};

/* What stands above a band: the namespace. */
static const char *band_of(const struct bh_party *p)
{
	return p->kind == BH_PARTY_ENDPOINTS ? p->ns : "outside";
}

static bool band_begins(const struct bh_matrix *m, const size_t *list, size_t i)
{
	return i == 0 || !bh_streq(band_of(&m->parties.items[list[i]]),
				   band_of(&m->parties.items[list[i - 1]]));
}

/* Without the namespace, which the band tells. */
static const char *label_of(const struct bh_party *p)
{
	const char *slash = p->kind == BH_PARTY_ENDPOINTS ? strchr(p->name, '/') : NULL;

	return slash ? slash + 1 : p->name;
}

static size_t characters(const char *s)
{
	size_t n = 0;

	for (; *s != '\0'; s++)
		n += ((unsigned char)*s & 0xc0) != 0x80;
	return n;
}

static int axis_make(const struct drawing *d, const size_t *list, size_t n, struct axis *ret)
{
	*ret = (struct axis){ .n = n, .at = calloc(n + 1, sizeof(*ret->at)) };
	if (!ret->at)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		const struct bh_party *p = &d->m->parties.items[list[i]];
		size_t len = BH_MIN(characters(label_of(p)), (size_t)LABEL_MAX) + 1;
		size_t head = BH_MIN(characters(band_of(p)), (size_t)LABEL_MAX);

		if (band_begins(d->m, list, i))
			ret->length += HEADING;
		ret->at[i] = ret->length;
		ret->length += d->cell;
		ret->longest = BH_MAX(ret->longest, BH_MAX(len, head));
	}
	return 0;
}

static unsigned text_width(size_t chars)
{
	return (unsigned)chars * 7;
}

/* ---- labels ---- */

static void put_label(struct bh_buf *out, const char *s)
{
	size_t n = 0, bytes = 0;
	bh_autofree char *cut = NULL;

	while (s[bytes] != '\0' && n < LABEL_MAX) {
		bytes++;
		while (((unsigned char)s[bytes] & 0xc0) == 0x80)
			bytes++;
		n++;
	}
	cut = strndup(s, bytes);
	if (!cut) {
		out->failed = true;
		return;
	}
	bh_put_xml(out, cut);
	if (s[bytes] != '\0')
		bh_buf_puts(out, "…");
}

static void put_row(const struct drawing *d, size_t i)
{
	const struct bh_party *p = bh_matrix_from(d->m, i);
	unsigned y = d->top + d->rows.at[i];

	if (band_begins(d->m, d->m->from, i)) {
		bh_buf_printf(d->out, "<text class=\"h\" x=\"%u\" y=\"%u\">", MARGIN + 6, y - 6);
		put_label(d->out, band_of(p));
		bh_buf_puts(d->out, "</text>\n");
	}
	bh_buf_printf(d->out, "<text x=\"%u\" y=\"%u\"><title>", MARGIN + 14, y + d->cell / 2 + 4);
	bh_put_xml(d->out, p->name);
	bh_buf_puts(d->out, "</title>");
	put_label(d->out, label_of(p));
	bh_buf_puts(d->out, "</text>\n");
}

static void put_column(const struct drawing *d, size_t i)
{
	const struct bh_party *p = bh_matrix_to(d->m, i);
	unsigned x = d->left + d->columns.at[i];

	if (band_begins(d->m, d->m->to, i)) {
		bh_buf_printf(d->out,
			      "<text class=\"h\" transform=\"translate(%u,%u) rotate(-90)\">",
			      x - 6, d->top - 6);
		put_label(d->out, band_of(p));
		bh_buf_puts(d->out, "</text>\n");
	}
	bh_buf_printf(d->out, "<text transform=\"translate(%u,%u) rotate(-90)\"><title>",
		      x + d->cell / 2 + 4, d->top - 6);
	bh_put_xml(d->out, p->name);
	bh_buf_puts(d->out, "</title>");
	put_label(d->out, label_of(p));
	bh_buf_puts(d->out, "</text>\n");
}

/* Every second band has another ground, so that the eye finds its way. */
static void put_bands(const struct drawing *d, bool rows)
{
	const struct axis *a = rows ? &d->rows : &d->columns;
	const size_t *list = rows ? d->m->from : d->m->to;
	unsigned across =
	    rows ? d->left + d->columns.length - MARGIN : d->top + d->rows.length - TITLE;
	size_t band = 0, end;

	for (size_t i = 0; i < a->n; i = end) {
		unsigned begin = a->at[i] - HEADING, length;

		for (end = i + 1; end < a->n && !band_begins(d->m, list, end);)
			end++;
		length = a->at[end - 1] + d->cell - begin;
		if (band++ % 2 != 0)
			continue;
		if (rows)
			bh_buf_printf(d->out,
				      "<rect class=\"band\" x=\"%u\" y=\"%u\" width=\"%u\" "
				      "height=\"%u\" rx=\"4\"/>\n",
				      MARGIN, d->top + begin, across, length);
		else
			bh_buf_printf(d->out,
				      "<rect class=\"band\" x=\"%u\" y=\"%u\" width=\"%u\" "
				      "height=\"%u\" rx=\"4\" opacity=\"0.5\"/>\n",
				      d->left + begin, TITLE, length, across);
	}
}

/* ---- cells ---- */

struct spot {
	unsigned x, y, size;
};

static void put_rect(struct bh_buf *out, const struct spot *s, const char *class)
{
	bh_buf_printf(out,
		      "<rect class=\"%s\" x=\"%u\" y=\"%u\" width=\"%u\" height=\"%u\" "
		      "rx=\"3\"/>",
		      class, s->x, s->y, s->size, s->size);
}

/* The half of it below the diagonal. */
static void put_corner(struct bh_buf *out, const struct spot *s, unsigned inset, const char *class)
{
	bh_buf_printf(out, "<path class=\"%s\" d=\"M%u %uV%uH%uZ\"/>", class, s->x + s->size,
		      s->y + inset, s->y + s->size, s->x + inset);
}

static void put_letter(struct bh_buf *out, const struct spot *s, const char *class,
		       const char *text)
{
	unsigned font = BH_MAX(s->size / 2, 8U);

	bh_buf_printf(out,
		      "<text class=\"%s\" x=\"%u\" y=\"%u\" style=\"font-size:%upx\">%s</text>",
		      class, s->x + s->size / 2, s->y + s->size / 2 + font * 3 / 8, font, text);
}

/* One or two families of what is spoken. Return: how many there are. */
static size_t find_families(const struct bh_protoset *spoken, enum family ret[FAM_COUNT])
{
	bool has[FAM_COUNT] = { false };
	size_t n = 0;

	for (unsigned p = 0; p < 256; p++) {
		if (bh_protoset_has(spoken, p))
			has[family_of(p)] = true;
	}
	for (unsigned f = 0; f < FAM_COUNT; f++) {
		if (has[f])
			ret[n++] = (enum family)f;
	}
	if (n == 0) /* by what is found in it, not by its protocol */
		ret[n++] = FAM_OTHER;
	return n;
}

static void put_spoken(struct drawing *d, const struct bh_pair *p, const struct spot *s)
{
	struct bh_protoset spoken = bh_matrix_spoken(d->m, p);
	enum family fams[FAM_COUNT];
	size_t n = find_families(&spoken, fams);
	char class[4], letters[4] = "";

	for (size_t i = 0; i < n; i++)
		d->fams[fams[i]] = true;
	(void)snprintf(class, sizeof(class), "f%u", (unsigned)fams[0]);
	put_rect(d->out, s, class);
	if (n > 1) {
		(void)snprintf(class, sizeof(class), "f%u", (unsigned)fams[1]);
		put_corner(d->out, s, 0, class);
	}
	(void)snprintf(letters, sizeof(letters), "%s%s", families[fams[0]].letter,
		       n > 2   ? "+"
		       : n > 1 ? families[fams[1]].letter
			       : "");
	put_letter(d->out, s, "l", letters);
}

static void put_shape(struct drawing *d, const struct bh_pair *p, const struct spot *s)
{
	unsigned q = s->size / 3;

	d->sums[p->sum] = true;
	switch ((enum bh_sum)p->sum) {
	case BH_SUM_REFUSED:
		put_rect(d->out, s, "r");
		bh_buf_printf(d->out, "<path class=\"x\" d=\"M%u %ul%u %um0 -%ul-%u %u\"/>",
			      s->x + q, s->y + q, s->size - 2 * q, s->size - 2 * q, s->size - 2 * q,
			      s->size - 2 * q, s->size - 2 * q);
		break;
	case BH_SUM_PORTS:
		put_rect(d->out, s, "n");
		put_letter(d->out, s, "k", "+");
		break;
	case BH_SUM_SPOKEN:
		put_spoken(d, p, s);
		break;
	case BH_SUM_MOST:
		put_rect(d->out, s, "m");
		put_corner(d->out, s, s->size / 2, "r");
		break;
	case BH_SUM_ALL:
		put_rect(d->out, s, "a");
		break;
	case BH_SUM_NONE:
	case BH_SUM_COUNT:
		break;
	}
}

/* Who decides, each once, one a line. */
static void put_whys(const struct bh_matrix *m, const struct bh_pair *p, struct bh_buf *out)
{
	const struct bh_reach_list l = bh_reach_list_at(m->reach, p->list);
	bool allowing = p->sum != BH_SUM_REFUSED;
	unsigned lines = 0;
	size_t begin = out->len;

	for (size_t i = 0; i < l.n && lines < WHY_MAX; i++) {
		bh_cleanup(bh_buf_done) struct bh_buf why = BH_BUF_INIT;
		bool refused = bh_meaning_extent(m->meanings, l.items[i].meaning) == BH_EXTENT_NONE;

		if (allowing && !bh_matrix_worth(m, &l, i))
			continue;
		bh_reach_put_why(m->compiled.rules, &l.items[i].words, !refused, &why);
		if (why.len == 0 || strstr(bh_buf_str(out) + begin, bh_buf_str(&why)))
			continue;
		bh_buf_printf(out, "\n%s%s", refused ? "" : "by ", bh_buf_str(&why));
		lines++;
	}
}

static void put_cell(struct drawing *d, size_t row, size_t column)
{
	const struct bh_pair *p = bh_matrix_pair(d->m, row, column);
	bh_cleanup(bh_buf_done) struct bh_buf tip = BH_BUF_INIT;
	const struct spot s = { d->left + d->columns.at[column] + 1, d->top + d->rows.at[row] + 1,
				d->cell - 2 };

	if (p->sum == BH_SUM_NONE)
		return;
	bh_buf_printf(&tip, "%s → %s\n", bh_matrix_from(d->m, row)->name,
		      bh_matrix_to(d->m, column)->name);
	bh_matrix_put_ports(d->m, p, &tip);
	put_whys(d->m, p, &tip);
	bh_buf_puts(d->out, "<g class=\"c\"><title>");
	bh_put_xml(d->out, bh_buf_str(&tip));
	bh_buf_puts(d->out, "</title>");
	put_shape(d, p, &s);
	bh_buf_puts(d->out, "</g>\n");
	if (bh_buf_failed(&tip))
		d->out->failed = true;
}

/* ---- legend ---- */

static void legend_text(const struct drawing *d, unsigned y, const char *text)
{
	bh_buf_printf(d->out, "<text x=\"%u\" y=\"%u\">%s</text>\n", MARGIN + 22, y + 12, text);
}

static unsigned put_legend(struct drawing *d, unsigned y)
{
	static const char *const texts[] = {
		[BH_SUM_NONE] = "",
		[BH_SUM_REFUSED] = "refused",
		[BH_SUM_PORTS] = "some ports, whatever is spoken",
		[BH_SUM_SPOKEN] = "",
		[BH_SUM_MOST] = "everything but some ports or protocols",
		[BH_SUM_ALL] = "everything",
	};
	bool sums[BH_SUM_COUNT];
	BH_STATIC_ASSERT_TABLE(texts, BH_SUM_COUNT);

	memcpy(sums, d->sums, sizeof(sums));
	for (unsigned i = BH_SUM_ALL; i > BH_SUM_NONE; i--) {
		const struct bh_pair p = { .sum = (uint8_t)i };
		const struct spot s = { MARGIN, y, 15 };

		if (!sums[i])
			continue;
		if (i == BH_SUM_SPOKEN) {
			for (unsigned f = 0; f < FAM_COUNT; f++) {
				const struct spot at = { MARGIN, y, 15 };
				char class[4];

				if (!d->fams[f])
					continue;
				(void)snprintf(class, sizeof(class), "f%u", f);
				put_rect(d->out, &at, class);
				put_letter(d->out, &at, "l", families[f].letter);
				legend_text(d, y, families[f].text);
				y += LEGEND;
			}
			continue;
		}
		put_shape(d, &p, &s);
		legend_text(d, y, texts[i]);
		y += LEGEND;
	}
	return y;
}

/* ---- all ---- */

static void draw(struct drawing *d)
{
	const struct bh_matrix *m = d->m;
	bh_cleanup(bh_buf_done) struct bh_buf body = BH_BUF_INIT;
	struct bh_buf *out = d->out;
	unsigned width, height;

	d->out = &body;
	put_bands(d, true);
	put_bands(d, false);
	for (size_t i = 0; i < d->rows.n; i++)
		put_row(d, i);
	for (size_t i = 0; i < d->columns.n; i++)
		put_column(d, i);
	for (size_t i = 0; i < d->rows.n; i++) {
		for (size_t k = 0; k < d->columns.n; k++)
			put_cell(d, i, k);
	}
	height = put_legend(d, d->top + d->rows.length + 20) + MARGIN;
	width = BH_MAX(d->left + d->columns.length + MARGIN, 330U);
	d->out = out;

	bh_buf_printf(out,
		      "<svg xmlns=\"http://www.w3.org/2000/svg\" role=\"img\" width=\"%u\" "
		      "height=\"%u\" viewBox=\"0 0 %u %u\">\n<title>Who reaches whom</title>\n"
		      "<style>%s</style>\n"
		      "<rect class=\"bg\" width=\"%u\" height=\"%u\"/>\n"
		      "<text class=\"t\" x=\"%u\" y=\"26\">Who reaches whom</text>\n"
		      "<text class=\"s\" x=\"%u\" y=\"41\">rows connect to columns; %zu parties"
		      "</text>\n",
		      width, height, width, height, style, width, height, MARGIN, MARGIN,
		      m->parties.n);
	bh_buf_add(out, bh_buf_str(&body), body.len);
	bh_buf_puts(out, "</svg>\n");
	if (bh_buf_failed(&body))
		out->failed = true;
}

void bh_matrix_put_svg(const struct bh_matrix *m, struct bh_buf *out)
{
	size_t n = BH_MAX(m->n_from, m->n_to);
	struct drawing d = {
		.m = m,
		.out = out,
		.cell = n <= 16   ? 26
			: n <= 40 ? 20
				  : 16,
	};

	if (axis_make(&d, m->from, m->n_from, &d.rows) < 0 ||
	    axis_make(&d, m->to, m->n_to, &d.columns) < 0) {
		out->failed = true;
	} else {
		d.left = MARGIN + 14 + text_width(d.rows.longest) + 8;
		d.top = TITLE + 10 + text_width(d.columns.longest) + 6;
		draw(&d);
	}
	free(d.rows.at);
	free(d.columns.at);
}
