// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * tests/fuzz/main.c - runs a fuzz target over files, where there is no libFuzzer
 *
 * Arguments are files or folders of files (not searched deeper). Every input is given as it is, then cut short
 * at some places, in memory of exactly its size, so that a tool that watches memory sees every byte too far.
 */
#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define INPUT_MAX (1U << 20)
#define CUTS      16U

static size_t runs;

static void run(const uint8_t *data, size_t size)
{
	uint8_t *copy = malloc(size ? size : 1);

	if (!copy)
		abort();
	memcpy(copy, data, size);
	(void)LLVMFuzzerTestOneInput(copy, size);
	free(copy);
	runs++;
}

static int run_file(const char *path)
{
	uint8_t *data = malloc(INPUT_MAX);
	FILE *in = fopen(path, "rb");
	size_t n, i;

	if (!in || !data) {
		(void)fprintf(stderr, "%s: %s\n", path, strerror(errno));
		free(data);
		return -1;
	}
	n = fread(data, 1, INPUT_MAX, in);
	(void)fclose(in);
	run(data, n);
	for (i = 0; i < CUTS; i++)
		run(data, n * i / CUTS);
	free(data);
	return 0;
}

static int run_folder(const char *path)
{
	DIR *d = opendir(path);
	struct dirent *e;
	int r = 0;

	if (!d) {
		(void)fprintf(stderr, "%s: %s\n", path, strerror(errno));
		return -1;
	}
	while ((e = readdir(d)) != NULL) {
		char name[4096];

		if (e->d_name[0] == '.')
			continue;
		(void)snprintf(name, sizeof(name), "%s/%s", path, e->d_name);
		if (run_file(name) < 0)
			r = -1;
	}
	(void)closedir(d);
	return r;
}

int main(int argc, char **argv)
{
	int i, r = 0;

	for (i = 1; i < argc; i++) {
		struct stat st;

		if (stat(argv[i], &st) < 0) {
			(void)fprintf(stderr, "%s: %s\n", argv[i], strerror(errno));
			r = -1;
		} else if ((S_ISDIR(st.st_mode) ? run_folder(argv[i]) : run_file(argv[i])) < 0) {
			r = -1;
		}
	}
	(void)printf("%zu inputs\n", runs);
	return r < 0 || runs == 0;
}
