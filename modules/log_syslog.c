/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * log_syslog: the access log and messages to the system's log, as datagrams of RFC 5424 on a UNIX
 * socket, or by UDP (RFC 5426). What the socket does not take at once waits in a buffer; when that
 * is full lines are refused, and the core counts them and says how many there were. UDP takes
 * everything: what the network loses nobody counts.
 *
 * The socket is connected before the chroot. When the system's log is started anew its UNIX socket
 * is looked for again, on HUP and each second while there is something to send; in a chroot its
 * path must exist there for that: a descriptor that leads to the folder outside would lead
 * everybody out. (A socket that the service manager holds, as on systems with systemd, stays.) One
 * of UDP serves again by itself.
 */
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <lophttpd/log.h>
#include <lophttpd/loop.h>
#include <lophttpd/message.h>

#include "log_buffer.h"

#ifndef MSG_NOSIGNAL
#define MSG_NOSIGNAL 0 /* the process ignores SIGPIPE */
#endif

#define PATH_DEFAULT "/dev/log"
#define BUFFER (256 * LOG_KIB)
#define HEAD_MOST 512
#define NAME_MOST 255 /* of a host, RFC 5424 */
#define SEND_SIZE ((int)(256 * LOG_KIB))

struct syslog_module {
	struct lop_core *core;
	const char *target; /* the option's value or the default */
	char *target_set;
	struct sockaddr_storage address; /* of the target */
	socklen_t address_length;
	int facility;
	int fd; /* connected at the start; each worker goes on with its copy. -1: none */
	struct log *log;
	struct lop_worker *worker; /* NULL before the loop runs, and after */
	struct lop_watch *watch;   /* of fd, NULL: none */
	char host[NAME_MOST + 1];
};

struct log {
	struct syslog_module *module;
	int error;                /* of the last try; only a flush tries again */
	struct log_buffer buffer; /* whole datagrams, a newline behind each; its fd is not used */
	int64_t second;           /* of `time` */
	char time[24];            /* "2000-10-10T13:55:36" */
	size_t head_length;       /* of what follows the time */
	char head[HEAD_MOST];
};

/* The socket */

static bool is_path(const char *target)
{
	return target[0] == '/';
}

/* Splits HOST:PORT or [ADDRESS]:PORT. Returns whether it is one of them. */
static bool split(const char *target, char host[NAME_MOST + 1], const char **port)
{
	const char *colon = strrchr(target, ':');
	size_t length = colon == NULL ? 0 : (size_t)(colon - target);
	bool bracketed = length > 2 && target[0] == '[' && target[length - 1] == ']';
	char *end;
	unsigned long number;

	if (bracketed) {
		target++;
		length -= 2;
	}
	if (length == 0 || length > NAME_MOST || colon[1] < '0' || colon[1] > '9' ||
	    (!bracketed && memchr(target, ':', length) != NULL))
		return false;
	number = strtoul(colon + 1, &end, 10);
	memcpy(host, target, length);
	host[length] = '\0';
	*port = colon + 1;
	return *end == '\0' && number >= 1 && number <= 65535;
}

/* Finds the target's address. Returns NULL, or why there is none. */
static const char *find_address(struct syslog_module *syslog)
{
	const struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_DGRAM };
	struct sockaddr_un *path = (struct sockaddr_un *)&syslog->address;
	struct addrinfo *found;
	char host[NAME_MOST + 1];
	const char *port;
	int error;

	if (is_path(syslog->target)) {
		path->sun_family = AF_UNIX;
		strcpy(path->sun_path, syslog->target);
		syslog->address_length = sizeof(*path);
		return NULL;
	}
	if (!split(syslog->target, host, &port))
		return strerror(EINVAL);
	error = getaddrinfo(host, port, &hints, &found);
	if (error != 0)
		return gai_strerror(error);
	memcpy(&syslog->address, found->ai_addr, found->ai_addrlen);
	syslog->address_length = found->ai_addrlen;
	freeaddrinfo(found);
	return NULL;
}

static int connect_socket(const struct syslog_module *syslog)
{
	const struct sockaddr *address = (const struct sockaddr *)&syslog->address;
	int size = SEND_SIZE;
	int fd = socket(address->sa_family, SOCK_DGRAM, 0);
	int flags;

	if (fd < 0)
		return -errno;
	flags = fcntl(fd, F_GETFL);
	if (flags < 0 || fcntl(fd, F_SETFD, FD_CLOEXEC) < 0 ||
	    fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ||
	    connect(fd, address, syslog->address_length) < 0) {
		int result = -errno;

		close(fd);
		return result;
	}
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	return fd;
}

static void send_out(struct log *log);

/* There is room for more. */
static void socket_ready(void *context, unsigned events)
{
	struct syslog_module *syslog = context;

	if ((events & LOP_WRITABLE) != 0 && syslog->log != NULL && syslog->log->error == 0)
		send_out(syslog->log);
}

/* Without a watch the flush of each second still sends. */
static void watch_socket(struct syslog_module *syslog)
{
	if (syslog->watch != NULL)
		lop_watch_stop(&syslog->watch);
	if (syslog->worker != NULL && syslog->fd >= 0 &&
	    lop_watch_start(syslog->worker, syslog->fd, socket_ready, syslog, &syslog->watch) < 0)
		syslog->watch = NULL;
}

static void reconnect(struct log *log)
{
	struct syslog_module *syslog = log->module;
	int fd;

	if (!is_path(syslog->target))
		return; /* the same one serves when somebody listens again */
	fd = connect_socket(syslog);
	if (fd < 0) {
		log->error = fd;
		return;
	}
	if (syslog->watch != NULL)
		lop_watch_stop(&syslog->watch);
	if (syslog->fd >= 0)
		close(syslog->fd);
	syslog->fd = fd;
	log->error = 0;
	watch_socket(syslog);
}

/* Whether the other end has gone, so that another socket may help. */
static bool is_gone(int error)
{
	return error == -ECONNREFUSED || error == -ECONNRESET || error == -ENOTCONN ||
	       error == -EPIPE || error == -EBADF || error == -ENOENT || error == -EDESTADDRREQ;
}

/* Sending */

/* One datagram. A longer one than the socket takes is cut: half a line says more than none. */
static int send_one(struct log *log, const char *data, size_t length)
{
	for (;;) {
		ssize_t sent = log->module->fd < 0 ? -1
		                                   : send(log->module->fd, data, length,
		                                          MSG_DONTWAIT | MSG_NOSIGNAL);

		if (sent >= 0)
			return 0;
		if (log->module->fd < 0)
			return -ENOTCONN;
		if (errno == EMSGSIZE && length > HEAD_MOST)
			length /= 2;
		else if (errno == ENOBUFS)
			return -EAGAIN;
		else if (errno != EINTR)
			return -errno;
	}
}

/* Sends what the socket takes now. */
static void send_out(struct log *log)
{
	struct log_buffer *buffer = &log->buffer;
	size_t done = 0;

	log->error = 0;
	while (done < buffer->used) {
		const char *start = buffer->data + done;
		const char *newline = memchr(start, '\n', buffer->used - done);
		size_t length = (size_t)(newline - start);
		int result = send_one(log, start, length);

		if (result < 0) {
			log->error = result == -EAGAIN ? 0 : result;
			break;
		}
		done += length + 1;
	}
	buffer->used -= done;
	memmove(buffer->data, buffer->data + done, buffer->used);
}

/* The head of RFC 5424: <PRI>1 TIME HOST APP PID MSGID SD. Times are UTC, as the local zone's
 * offset is in the line itself. */
static size_t put_head(struct log *log, char head[HEAD_MOST], int level, int64_t time_ns,
                       const char *kind)
{
	const int64_t second = time_ns / 1000000000;
	int length;

	if (second != log->second) {
		const time_t time = (time_t)second;
		struct tm tm;

		if (gmtime_r(&time, &tm) == NULL)
			memset(&tm, 0, sizeof(tm));
		strftime(log->time, sizeof(log->time), "%Y-%m-%dT%H:%M:%S", &tm);
		log->second = second;
	}
	length = snprintf(head, HEAD_MOST, "<%d>1 %s.%06dZ %.*s %s - ",
	                  log->module->facility * 8 + level, log->time,
	                  (int)(time_ns % 1000000000 / 1000), (int)log->head_length, log->head,
	                  kind);
	return length < 0 ? 0 : (size_t)length;
}

/* text: without its newline. */
static int put(struct log *log, int level, int64_t time_ns, const char *kind, const char *text,
               size_t length)
{
	char head[HEAD_MOST];
	size_t head_length = put_head(log, head, level, time_ns, kind);
	struct log_buffer *buffer = &log->buffer;

	if (head_length + length + 1 > buffer->size - buffer->used && log->error == 0)
		send_out(log);
	if (head_length + length + 1 > buffer->size - buffer->used)
		return log->error != 0 ? log->error : -EAGAIN;
	(void)log_buffer_add(buffer, head, head_length);
	(void)log_buffer_add(buffer, text, length);
	(void)log_buffer_add(buffer, "\n", 1);
	if (log->error == 0)
		send_out(log);
	return 0;
}

static int log_write(void *state, const struct lop_log_record *record, const char *line,
                     size_t length)
{
	return put(state, LOP_LOG_INFO, record->time_ns, "access", line, length - 1);
}

static void log_message(void *state, const struct lop_log_message *message)
{
	(void)put(state, message->level, message->time_ns, "message", message->text.data,
	          message->text.length);
}

static int log_flush(void *state)
{
	struct log *log = state;

	send_out(log);
	if (is_gone(log->error)) {
		reconnect(log);
		if (log->error == 0)
			send_out(log);
	}
	return log->error != 0 ? log->error : log->buffer.used > 0;
}

/* Opening and closing */

static int log_open(void *module, const struct lop_log_open *how, void **state)
{
	struct syslog_module *syslog = module;
	struct log *log = calloc(1, sizeof(*log));
	int length;

	(void)how;
	if (log == NULL || log_buffer_init(&log->buffer, BUFFER) < 0) {
		free(log);
		return -ENOMEM;
	}
	log->module = syslog;
	syslog->log = log;
	log->second = -1;
	length = snprintf(log->head, sizeof(log->head), "%s lhttpd %ld", syslog->host,
	                  (long)getpid());
	log->head_length = (size_t)length;
	*state = log;
	return 0;
}

static int log_reopen(void *state, const struct lop_log_open *how)
{
	struct log *log = state;
	int error;

	(void)how;
	send_out(log);
	error = log->error;
	reconnect(log);
	if (log->error == 0) {
		send_out(log);
		return 0;
	}
	/* The socket of before serves, or not, as it did. */
	log->error = error;
	return error != 0 ? error : 0;
}

static void log_close(void *state)
{
	struct log *log = state;

	(void)log_flush(log);
	log->module->log = NULL;
	free(log->buffer.data);
	free(log);
}

static const struct lop_log_provider provider = {
	.size = sizeof(struct lop_log_provider),
	.flags = LOP_LOG_NO_FILE | LOP_LOG_LINE_ONLY,
	.open = log_open,
	.write = log_write,
	.message = log_message,
	.flush = log_flush,
	.reopen = log_reopen,
	.close = log_close,
};

/* The module */

static int set_target(void *state, const char *value, char *error, size_t error_size)
{
	struct syslog_module *syslog = state;
	struct sockaddr_un address;
	char host[NAME_MOST + 1];
	const char *port;

	if (is_path(value) ? strlen(value) >= sizeof(address.sun_path)
	                   : !split(value, host, &port)) {
		snprintf(error, error_size,
		         "'%.100s' is neither the absolute path of a socket, of at most %zu bytes, "
		         "nor HOST:PORT",
		         value, sizeof(address.sun_path) - 1);
		return -EINVAL;
	}
	free(syslog->target_set);
	syslog->target_set = strdup(value);
	return syslog->target_set == NULL ? -ENOMEM : 0;
}

static int set_facility(void *state, const char *value, char *error, size_t error_size)
{
	static const struct {
		const char *name;
		int number;
	} facilities[] = {
		{ "user", 1 },    { "daemon", 3 },  { "local0", 16 }, { "local1", 17 },
		{ "local2", 18 }, { "local3", 19 }, { "local4", 20 }, { "local5", 21 },
		{ "local6", 22 }, { "local7", 23 },
	};
	struct syslog_module *syslog = state;

	for (size_t i = 0; i < sizeof(facilities) / sizeof(facilities[0]); i++)
		if (strcmp(value, facilities[i].name) == 0) {
			syslog->facility = facilities[i].number;
			return 0;
		}
	snprintf(error, error_size, "'%.40s' is not a facility: user, daemon, or local0 to local7",
	         value);
	return -EINVAL;
}

static const struct lop_option options[] = {
	LOP_OPTION(0, "syslog-socket", "WHERE",
	           "the system log's UNIX datagram socket, or HOST:PORT; default " PATH_DEFAULT,
	           set_target),
	LOP_OPTION(0, "syslog-facility", "NAME",
	           "user, daemon, or local0 to local7; default daemon", set_facility),
	LOP_OPTION_END,
};

static int log_syslog_init(struct lop_core *core, void **state)
{
	struct syslog_module *syslog = calloc(1, sizeof(*syslog));

	if (syslog == NULL)
		return -ENOMEM;
	syslog->core = core;
	syslog->facility = 3;
	syslog->fd = -1;
	if (gethostname(syslog->host, NAME_MOST) < 0 || syslog->host[0] == '\0')
		strcpy(syslog->host, "-");
	*state = syslog;
	return 0;
}

static int log_syslog_stage(void *state, enum lop_stage stage, struct lop_worker *worker)
{
	struct syslog_module *syslog = state;
	const char *reason;
	int result = -EHOSTUNREACH;

	if (stage == LOP_STAGE_WORKER || stage == LOP_STAGE_EXIT) {
		syslog->worker = stage == LOP_STAGE_WORKER ? worker : NULL;
		watch_socket(syslog);
		return 0;
	}
	if (stage == LOP_STAGE_CONFIGURED)
		syslog->target = syslog->target_set == NULL ? PATH_DEFAULT : syslog->target_set;
	if (stage != LOP_STAGE_BOUND || lop_core_quiet(syslog->core))
		return 0;
	reason = find_address(syslog);
	if (reason == NULL) {
		syslog->fd = result = connect_socket(syslog);
		if (result >= 0)
			return 0;
		reason = strerror(-result);
	}
	lop_core_message(syslog->core, LOP_LOG_ERROR,
	                 "cannot reach the system's log at %s: %s; name its datagram socket with "
	                 "--syslog-socket, or choose another log with -L",
	                 syslog->target, reason);
	return result;
}

static void log_syslog_fini(void *state)
{
	struct syslog_module *syslog = state;

	if (syslog->fd >= 0)
		close(syslog->fd);
	free(syslog->target_set);
	free(syslog);
}

LOP_EXPORT_MODULE = {
	LOP_MODULE_HEADER("log_syslog", "1.0", "access log to the system's log (RFC 5424)",
	                  LOP_NEEDS_LOG_WRITE | LOP_NEEDS_CONNECT),
	.options = options,
	.init = log_syslog_init,
	.stage = log_syslog_stage,
	.fini = log_syslog_fini,
	.log = &provider,
};
