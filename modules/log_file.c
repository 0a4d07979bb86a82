/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * log_file: the access log in a file, a pipe or on a terminal. Lines are collected and written
 * together, when a buffer is full and at the latest after a second. A thread writes to a file, one
 * writev for all that has come together meanwhile, so that a busy disk holds up no request
 * (log_queue.h).
 */
#include <errno.h>
#include <stdlib.h>

#include <lophttpd/log.h>

#include "log_buffer.h"
#include "log_thread.h"

#define BUFFER_DEFAULT (64 * LOG_KIB)
#define BUFFER_LEAST (2 * LOG_LINE_MOST)
#define BUFFER_MOST (64 * LOG_KIB * LOG_KIB)

/* What may wait for the disk, in bytes, and at least in buffers. */
#define QUEUE (16 * LOG_KIB * LOG_KIB)
#define PARTS_LEAST 4

struct settings {
	size_t buffer_size;
};

static int log_open(void *module, const struct lop_log_open *how, void **state)
{
	const struct settings *settings = module;
	size_t parts = QUEUE / settings->buffer_size;

	return log_queue_open(&log_thread, settings->buffer_size,
	                      parts < PARTS_LEAST ? PARTS_LEAST : parts, how, state);
}

static const struct lop_log_provider provider = {
	.size = sizeof(struct lop_log_provider),
	.flags = LOP_LOG_LINE_ONLY,
	.open = log_open,
	.write = log_queue_write,
	.message = log_queue_message,
	.flush = log_queue_flush,
	.reopen = log_queue_reopen,
	.close = log_queue_close,
	.lost = log_queue_lost,
};

/* The module */

static int set_buffer(void *state, const char *value, char *error, size_t error_size)
{
	struct settings *settings = state;
	size_t size;
	int result = log_parse_number(value, BUFFER_LEAST / LOG_KIB, BUFFER_MOST / LOG_KIB,
	                              "a size in KiB", &size, error, error_size);

	if (result == 0)
		settings->buffer_size = size * LOG_KIB;
	return result;
}

static const struct lop_option options[] = {
	LOP_OPTION(0, "log-buffer", "KIB", "access log lines kept before they are written (64)",
	           set_buffer),
	LOP_OPTION_END,
};

static int log_file_init(struct lop_core *core, void **state)
{
	struct settings *settings = malloc(sizeof(*settings));

	(void)core;
	if (settings == NULL)
		return -ENOMEM;
	settings->buffer_size = BUFFER_DEFAULT;
	*state = settings;
	return 0;
}

static void log_file_fini(void *state)
{
	free(state);
}

LOP_EXPORT_MODULE = {
	LOP_MODULE_HEADER("log_file", "1.0", "access log in a file, buffered",
	                  LOP_NEEDS_LOG_WRITE | LOP_NEEDS_THREADS),
	.options = options,
	.init = log_file_init,
	.fini = log_file_fini,
	.log = &provider,
};
