/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "access_log.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "core.h"
#include "log_escape.h"
#include "message.h"

/* How long close waits for what takes the lines, in steps. */
#define CLOSE_STEPS 100
#define CLOSE_STEP_MS 10

static void say(struct access_log *log, enum lop_log_level level, const char *format, ...)
	LOP_PRINTF(3, 4);

static void say(struct access_log *log, enum lop_log_level level, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	message_write(log->core, log, level, format, arguments);
	va_end(arguments);
}

/* The file's path for messages and for the provider. */
static const char *path_of(const struct access_log *log, char path[PATH_MAX])
{
	log_target_path(&log->core->log, log->worker, path, PATH_MAX);
	return path;
}

static struct lop_log_open how_of(const struct access_log *log, int fd, char path[PATH_MAX])
{
	return (struct lop_log_open){
		.size = sizeof(struct lop_log_open),
		.worker = log->worker,
		.fd = fd,
		.path = path_of(log, path),
	};
}

/* What it is, while the descriptor is still ours; all zero for none. */
static struct stat look_at(int fd)
{
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		memset(&st, 0, sizeof(st));
	return st;
}

int access_log_open(struct access_log *log, struct lop_core *core, int worker, int fd)
{
	const struct loaded_module *loaded = modules_log(&core->modules);
	char path[PATH_MAX];
	struct lop_log_open how;
	struct stat st = look_at(fd);
	int result;

	*log = (struct access_log){ .core = core, .worker = worker, .format = core->log_format };
	if (loaded == NULL || core->settings.quiet || core->log_format == NULL) {
		if (fd >= 0)
			close(fd);
		return 0;
	}
	how = how_of(log, fd, path);
	log->line = malloc(LOG_LINE_MAX);
	result = log->line == NULL ? -ENOMEM
	                           : loaded->module->log->open(loaded->state, &how, &log->state);
	if (result < 0) {
		if (fd >= 0)
			close(fd);
		free(log->line);
		log->line = NULL;
		lop_core_message(core, LOP_LOG_ERROR, "log %s of module '%s' does not open: %s",
		                 path, loaded->module->name, strerror(-result));
		return result;
	}
	log->provider = loaded->module->log;
	log_target_note(&core->log, worker, &st);
	log->needs_local = (log->provider->flags & LOP_LOG_LINE_ONLY) == 0 ||
	                   log_format_needs_local(log->format);
	return 0;
}

/* Failure and recovery */

static void report_failure(struct access_log *log, int result)
{
	char path[PATH_MAX];

	/* What is told once more is why: a disk that is slow may turn out to be full. */
	if (log->failing && (log->reason != -EAGAIN || result == -EAGAIN))
		return;
	log->failing = true;
	log->reason = result;
	say(log, LOP_LOG_ERROR,
	    "access log %s: %s; lines are kept while there is room for them, then lost, until it "
	    "can be written again",
	    path_of(log, path), strerror(-result));
}

/* Says how many lines were lost since it was last said. */
static void report_lost(struct access_log *log, const char *how)
{
	char path[PATH_MAX];
	uint64_t lost = log->dropped - log->reported;

	log->reported = log->dropped;
	say(log, LOP_LOG_NOTICE, "access log %s%s: %llu %s lost", path_of(log, path), how,
	    (unsigned long long)lost, lost == 1 ? "line was" : "lines were");
}

/* Lines that the provider had taken and lost after all. */
static void count_lost(struct access_log *log)
{
	uint64_t lost = log->provider->lost == NULL ? 0 : log->provider->lost(log->state);

	log->dropped += lost;
	log->written -= lost;
}

/* The life of a log */

void access_log_write(struct access_log *log, const struct lop_log_record *record)
{
	int length, result;

	if (log->provider == NULL)
		return;
	length = log_format_render(log->format, record, &log->clock, log->worker, log->line,
	                           LOG_LINE_MAX);
	log->busy = true;
	result = length < 0 ? length
	                    : log->provider->write(log->state, record, log->line, (size_t)length);
	log->busy = false;
	log->dirty = true;
	if (result >= 0) {
		log->written++;
		return;
	}
	log->dropped++;
	report_failure(log, result);
}

/* Returns what the provider's flush returned. */
static int flush(struct access_log *log)
{
	int result = 0;

	log->busy = true;
	if (log->provider->flush != NULL)
		result = log->provider->flush(log->state);
	count_lost(log);
	log->busy = false;
	log->dirty = result != 0;
	return result;
}

void access_log_flush(struct access_log *log)
{
	bool recovered;
	int result;

	if (log->provider == NULL)
		return;
	result = flush(log);
	if (result < 0)
		report_failure(log, result);
	/* A provider that is always busy has recovered when it took all lines for a while. */
	recovered = result == 0 || (result > 0 && log->dropped == log->dropped_then &&
	                            log->written > log->written_then);
	log->dropped_then = log->dropped;
	log->written_then = log->written;
	if (!recovered || (!log->failing && log->dropped == log->reported))
		return;
	report_lost(log, log->failing ? " is written again" : "");
	log->failing = false;
}

void access_log_reopen(struct access_log *log, int fd)
{
	char path[PATH_MAX];
	struct lop_log_open how;
	struct stat st;
	int result;

	if (log->provider == NULL || log->provider->reopen == NULL ||
	    (fd < 0 && (log->provider->flags & LOP_LOG_NO_FILE) == 0)) {
		if (fd >= 0)
			close(fd);
		return;
	}
	st = look_at(fd);
	how = how_of(log, fd, path);
	log->busy = true;
	result = log->provider->reopen(log->state, &how);
	count_lost(log);
	log->busy = false;
	log->dirty = true;
	if (result >= 0) {
		log_target_note(&log->core->log, log->worker, &st);
		return;
	}
	if (fd >= 0)
		close(fd);
	say(log, LOP_LOG_ERROR, "access log %s does not reopen: %s; what was open is still in use",
	    path, strerror(-result));
}

bool access_log_message(struct access_log *log, enum lop_log_level level, const char *text,
                        size_t length)
{
	struct lop_log_message message = { .size = sizeof(message), .level = (int32_t)level };
	char escaped[LOG_LINE_MAX / 8];
	struct timespec now;

	if (log->provider == NULL || log->provider->message == NULL || log->busy ||
	    (log->core->foreground && strcmp(log->core->log.path, "-") == 0))
		return false; /* in the last case it is the same stream as standard error */
	clock_gettime(CLOCK_REALTIME, &now);
	message.time_ns = (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
	message.text.data = escaped;
	message.text.length = (size_t)(log_escape_message(escaped, escaped + sizeof(escaped),
	                                                  (struct lop_str){ text, length }) -
	                               escaped);
	message.line.data = log->line;
	message.line.length =
		(size_t)log_format_message(log->format, level, message.text, message.time_ns,
	                                   &log->clock, log->line, LOG_LINE_MAX);
	log->busy = true;
	log->provider->message(log->state, &message);
	log->busy = false;
	log->dirty = true;
	return true;
}

void access_log_close(struct access_log *log)
{
	char path[PATH_MAX];
	int result;

	if (log->provider == NULL)
		return;
	result = flush(log);
	for (int i = 0; i < CLOSE_STEPS && result > 0; i++) {
		(void)poll(NULL, 0, CLOSE_STEP_MS);
		result = flush(log);
	}
	if (log->dropped > log->reported)
		report_lost(log, "");
	if (result < 0)
		say(log, LOP_LOG_ERROR, "access log %s: %s; its last lines are lost",
		    path_of(log, path), strerror(-result));
	else if (result > 0)
		say(log, LOP_LOG_ERROR,
		    "access log %s: it does not take its last lines in time; what it does not take "
		    "now is lost",
		    path_of(log, path));
	log->busy = true;
	log->provider->close(log->state);
	log->busy = false;
	log->provider = NULL;
	log->dirty = false;
	free(log->line);
	log->line = NULL;
}
