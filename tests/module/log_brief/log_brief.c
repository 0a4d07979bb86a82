/* SPDX-License-Identifier: BSD-2-Clause */
/* log_brief: one short line a request: its status, how long it took in microseconds, its target. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <lophttpd/log.h>

#define LINE_MAX_BYTES 256

/* One worker's log. */
struct brief {
	int fd;
	size_t used;
	char buffer[8192];
};

static int brief_open(void *module, const struct lop_log_open *how, void **state)
{
	struct brief *brief = calloc(1, sizeof(*brief));

	(void)module; /* what init made; this module has none */
	if (brief == NULL)
		return -ENOMEM;
	brief->fd = how->fd; /* ours from now on */
	*state = brief;
	return 0;
}

/* Called within a second after a write, and at the end: writes what was collected. */
static int brief_flush(void *state)
{
	struct brief *brief = state;
	ssize_t count = write(brief->fd, brief->buffer, brief->used);

	if (count < 0)
		return errno == EAGAIN || errno == EINTR ? 1 : -errno;
	brief->used -= (size_t)count;
	memmove(brief->buffer, brief->buffer + count, brief->used);
	return brief->used > 0; /* 1: call again */
}

/* Called for each request: collects a line, or refuses it. */
static int brief_write(void *state, const struct lop_log_record *record, const char *line,
                       size_t length)
{
	struct brief *brief = state;
	char *out;
	int size;

	(void)line; /* the line of --log-format, which this module has no use for */
	(void)length;
	if (sizeof(brief->buffer) - brief->used < LINE_MAX_BYTES)
		brief_flush(brief);
	if (sizeof(brief->buffer) - brief->used < LINE_MAX_BYTES)
		return -EAGAIN; /* lost: the core counts it and says so */
	out = brief->buffer + brief->used;
	size = snprintf(out, LINE_MAX_BYTES, "%u %lld ", record->status,
	                (long long)(record->duration_ns / 1000));
	for (size_t i = 0; i < record->target.length && size < LINE_MAX_BYTES - 1; i++) {
		unsigned char byte = (unsigned char)record->target.data[i];

		/* The client chose these bytes: none of them may end the line. */
		out[size++] = byte > 0x20 && byte < 0x7f ? (char)byte : '?';
	}
	out[size++] = '\n';
	brief->used += (size_t)size;
	return 0;
}

/* Called after HUP, when the file was renamed and a new one stands in its place. */
static int brief_reopen(void *state, const struct lop_log_open *how)
{
	struct brief *brief = state;

	brief_flush(brief);
	close(brief->fd);
	brief->fd = how->fd;
	return 0;
}

static void brief_close(void *state)
{
	struct brief *brief = state;

	brief_flush(brief);
	close(brief->fd);
	free(brief);
}

static const struct lop_log_provider provider = {
	.size = sizeof(struct lop_log_provider),
	.open = brief_open,
	.write = brief_write,
	.flush = brief_flush,
	.reopen = brief_reopen,
	.close = brief_close,
};

LOP_EXPORT_MODULE = {
	LOP_MODULE_HEADER("log_brief", "1.0", "status, time and target only", LOP_NEEDS_LOG_WRITE),
	.log = &provider,
};
