/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Stands in for libFuzzer: runs a fuzz target over the files and folders that are named, so that
 * each input that once broke something is tried by every `make check`, with any compiler. Arguments
 * that start with a dash are libFuzzer's and are passed over. The name of each input is printed
 * before it is tried: the last one is the one that crashed.
 */
#include "config.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The input lies in a buffer of exactly its size, so that a sanitizer sees one byte too far. */
static int replay_file(const char *path, size_t size)
{
	FILE *file = fopen(path, "rb");
	uint8_t *data = malloc(size != 0 ? size : 1);
	int result = -EIO;

	if (file == NULL || data == NULL || fread(data, 1, size, file) != size) {
		fprintf(stderr, "cannot read %s: %s\n", path, strerror(errno));
		goto out;
	}
	fprintf(stderr, "%s\n", path);
	LLVMFuzzerTestOneInput(data, size);
	result = 1;
out:
	free(data);
	if (file != NULL)
		fclose(file);
	return result;
}

/* Returns the number of inputs tried, or a negative errno. */
static int replay(const char *path)
{
	char name[PATH_MAX];
	struct dirent *entry;
	struct stat st;
	int count = 0;
	int result = 0;
	DIR *folder;

	if (stat(path, &st) == 0 && S_ISREG(st.st_mode))
		return replay_file(path, (size_t)st.st_size);
	folder = opendir(path);
	if (folder == NULL) {
		fprintf(stderr, "cannot read %s: %s\n", path, strerror(errno));
		return -errno;
	}
	while (result >= 0 && (entry = readdir(folder)) != NULL) {
		if (entry->d_name[0] == '.')
			continue;
		if (snprintf(name, sizeof(name), "%s/%s", path, entry->d_name) >= (int)sizeof(name))
			result = -ENAMETOOLONG;
		else
			result = replay(name);
		count += result;
	}
	closedir(folder);
	return result < 0 ? result : count;
}

int main(int argc, char **argv)
{
	int count = 0;
	int i;

	for (i = 1; i < argc; i++) {
		int result = argv[i][0] == '-' ? 0 : replay(argv[i]);

		if (result < 0)
			return 1;
		count += result;
	}
	LLVMFuzzerTestOneInput((const uint8_t *)"", 0);
	fprintf(stderr, "%d inputs\n", count);
	return 0;
}
