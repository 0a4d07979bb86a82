/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "message.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "access_log.h"
#include "core.h"
#include "log_escape.h"
#include "program.h"

#define TEXT_MAX 1024
#define LINE_MAX_BYTES (2 * TEXT_MAX)

/* To standard error, or from the background to syslog(3), whose levels ours are. A line is less
 * than PIPE_BUF, so that lines of several workers do not mix in a pipe. */
static void write_line(const struct lop_core *core, enum lop_log_level level, const char *text,
                       size_t length, bool wait)
{
	struct pollfd ready = { .fd = STDERR_FILENO, .events = POLLOUT };
	const char *program = core->program != NULL ? core->program->name : "lhttpd";
	char line[LINE_MAX_BYTES];
	char *start = line + snprintf(line, 64, "%.60s: ", program), *out;

	out = log_escape_message(start, line + sizeof(line) - 1, (struct lop_str){ text, length });
	if (!core->foreground) {
		syslog((int)level, "%.*s", (int)(out - start), start);
		return;
	}
	*out++ = '\n';
	if (!wait && poll(&ready, 1, 0) <= 0)
		return;
	while (write(STDERR_FILENO, line, (size_t)(out - line)) < 0 && errno == EINTR)
		;
}

static size_t format_text(char *text, size_t size, const char *format, va_list arguments)
{
	int length = vsnprintf(text, size, format, arguments);

	if (length < 0)
		length = snprintf(text, size, "%s", format);
	if ((size_t)length >= size) {
		memcpy(text + size - 4, "...", 4);
		return size - 1;
	}
	return (size_t)length;
}

void lop_core_message(struct lop_core *core, enum lop_log_level level, const char *format, ...)
{
	char text[TEXT_MAX];
	va_list arguments;
	size_t length;

	va_start(arguments, format);
	length = format_text(text, sizeof(text), format, arguments);
	va_end(arguments);
	write_line(core, level, text, length, true);
}

void message_write(struct lop_core *core, struct access_log *log, enum lop_log_level level,
                   const char *format, va_list arguments)
{
	char text[TEXT_MAX];
	size_t length = format_text(text, sizeof(text), format, arguments);
	bool taken = log != NULL && access_log_message(log, level, text, length);

	if (core->foreground || !taken)
		write_line(core, level, text, length, false);
}
