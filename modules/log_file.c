/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * log_file: the access log in a file, a pipe or on a terminal. Lines are collected in a buffer and
 * written together, when it is full and at the latest after a second (log_buffer.h).
 */
#include <errno.h>
#include <stdlib.h>

#include <lophttpd/log.h>

#include "log_buffer.h"

#define BUFFER_DEFAULT (64 * LOG_KIB)
#define BUFFER_LEAST (2 * LOG_LINE_MOST)
#define BUFFER_MOST (64 * LOG_KIB * LOG_KIB)

struct settings {
	size_t buffer_size;
};

/* The provider: its state is a struct log_buffer */

static int log_open(void *module, const struct lop_log_open *how, void **state)
{
	const struct settings *settings = module;
	struct log_buffer *log = malloc(sizeof(*log));

	if (log == NULL || log_buffer_init(log, settings->buffer_size) < 0) {
		free(log);
		return -ENOMEM;
	}
	log_buffer_use(log, how->fd);
	*state = log;
	return 0;
}

static int log_write(void *state, const struct lop_log_record *record, const char *line,
                     size_t length)
{
	(void)record;
	return log_buffer_write(state, line, length);
}

static void log_message(void *state, const struct lop_log_message *message)
{
	(void)log_buffer_write(state, message->line.data, message->line.length);
}

static int log_flush(void *state)
{
	return log_buffer_flush(state);
}

static int log_reopen(void *state, const struct lop_log_open *how)
{
	log_buffer_reopen(state, how->fd);
	return 0;
}

static uint64_t log_lost(void *state)
{
	return log_buffer_lost(state);
}

static void log_close(void *state)
{
	log_buffer_close(state);
	free(state);
}

static const struct lop_log_provider provider = {
	.size = sizeof(struct lop_log_provider),
	.flags = LOP_LOG_LINE_ONLY,
	.open = log_open,
	.write = log_write,
	.message = log_message,
	.flush = log_flush,
	.reopen = log_reopen,
	.close = log_close,
	.lost = log_lost,
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
	LOP_MODULE_HEADER("log_file", "1.0", "access log in a file, buffered", LOP_NEEDS_LOG_WRITE),
	.options = options,
	.init = log_file_init,
	.fini = log_file_fini,
	.log = &provider,
};
