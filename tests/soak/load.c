// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * tests/soak/load.c - the load of the soak: messages with tags, and which part is to run
 *
 *	soak_load COUNTS serve PORT[h]...	TCP and UDP servers of both families; h: HTTP requests
 *	soak_load COUNTS sniff KIND:ADDRESS[p]...	what arrives at eth0 from these; p: only payload counts
 *	soak_load COUNTS client KIND HOW ADDRESS PORT [KEY=VALUE...]	load_client.c says which
 *
 * All end when standard input does, or brings something.
 */
#include "tests/soak/load.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define HTTP_REQ_HEAD "GET /"
#define HTTP_REQ_TAIL " HTTP/1.1\r\nHost: soak\r\nX-Last: %c\r\n\r\n"
#define HTTP_ANS_HEAD "HTTP/1.1 200 OK\r\nContent-Length: 64\r\n\r\n"
#define SSH_HEAD      "SSH-2.0-"

uint64_t (*counts)[COLUMNS];

void fail(const char *what)
{
	fprintf(stderr, "soak_load: %s: %s\n", what, strerror(errno));
	exit(2);
}

uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000U + (uint64_t)t.tv_nsec;
}

void counts_open(const char *path)
{
	size_t size = sizeof(uint64_t) * KINDS * COLUMNS;
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	if (fd < 0 || ftruncate(fd, (off_t)size) < 0)
		fail(path);
	counts = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (counts == MAP_FAILED)
		fail(path);
	close(fd);
}

bool told_to_stop(void)
{
	struct pollfd p = { .fd = 0, .events = POLLIN };

	return poll(&p, 1, 0) > 0;
}

static size_t tag_make(char *buf, size_t size, const struct tag *t)
{
	int n = snprintf(buf, size, "BHSK%02x%016llx%016llx", t->kind, (unsigned long long)t->sent,
			 (unsigned long long)t->number);

	if (n != TAG_SIZE)
		abort();
	return TAG_SIZE;
}

bool tag_find(const char *buf, size_t size, struct tag *ret)
{
	const char *at = memmem(buf, size, "BHSK", 4);
	char text[TAG_SIZE + 1];
	unsigned long long sent, number;

	if (!at || (size_t)(buf + size - at) < TAG_SIZE)
		return false;
	memcpy(text, at, TAG_SIZE);
	text[TAG_SIZE] = '\0';
	if (sscanf(text, "BHSK%2x%16llx%16llx", &ret->kind, &sent, &number) != 3 ||
	    ret->kind >= KINDS)
		return false;
	ret->sent = sent;
	ret->number = number;
	return true;
}

size_t request_make(char *buf, enum format f, const struct tag *t, bool last)
{
	char text[TAG_SIZE + 1];
	char letter = last ? 'L' : 'K';

	tag_make(text, sizeof(text), t);
	if (f == F_HTTP)
		return (size_t)snprintf(buf, 256, HTTP_REQ_HEAD "%s" HTTP_REQ_TAIL, text, letter);
	if (f == F_SSH)
		return (size_t)snprintf(buf, 256, SSH_HEAD "%s\r\n", text);
	memset(buf, '.', MSG_SIZE);
	memcpy(buf, text, TAG_SIZE);
	buf[MSG_SIZE - 2] = letter;
	buf[MSG_SIZE - 1] = '\n';
	return MSG_SIZE;
}

size_t request_size(enum format f)
{
	switch (f) {
	case F_HTTP:
		return strlen(HTTP_REQ_HEAD) + TAG_SIZE + strlen(HTTP_REQ_TAIL) - 1;
	case F_SSH:
		return strlen(SSH_HEAD) + TAG_SIZE + 2;
	case F_RAW:
		break;
	}
	return MSG_SIZE;
}

bool request_is_last(const char *req, enum format f)
{
	return req[request_size(f) - (f == F_HTTP ? 5 : 2)] == 'L';
}

size_t answer_size(enum format f)
{
	return f == F_HTTP ? strlen(HTTP_ANS_HEAD) + MSG_SIZE : MSG_SIZE;
}

size_t answer_make(char *buf, enum format f, const char *req)
{
	size_t head = answer_size(f) - MSG_SIZE;

	if (f == F_HTTP)
		memcpy(buf, HTTP_ANS_HEAD, head);
	memset(buf + head, '.', MSG_SIZE);
	memcpy(buf + head, req + (f == F_HTTP ? strlen(HTTP_REQ_HEAD) : 0), TAG_SIZE);
	buf[head + MSG_SIZE - 1] = '\n';
	return head + MSG_SIZE;
}

int main(int argc, char **argv)
{
	/* A line is one write, whatever becomes of this process afterwards. */
	setvbuf(stdout, NULL, _IOLBF, 1 << 16);
	if (argc > 3) {
		counts_open(argv[1]);
		if (strcmp(argv[2], "serve") == 0)
			return serve(argc - 3, argv + 3);
		if (strcmp(argv[2], "sniff") == 0)
			return sniff(argc - 3, argv + 3);
		if (strcmp(argv[2], "client") == 0 && argc > 6)
			return client(argc - 3, argv + 3);
	}
	fprintf(stderr, "usage: soak_load COUNTS serve PORT[h]... | sniff KIND:ADDRESS[p]... |\n"
			"                        client KIND HOW ADDRESS PORT [KEY=VALUE]...\n");
	return 2;
}
