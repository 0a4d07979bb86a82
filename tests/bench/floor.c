/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The floor: a bare epoll server that gives one constant answer, whatever is asked.
 *
 * It does only what the kernel makes every HTTP server do: one epoll_wait for a batch of
 * events, one recv and one send a request, one accept4 and one close a connection. It parses
 * nothing; it counts the blank lines that end a request, so that pipelined requests are
 * answered in number. What a real server costs above this is the server's own.
 *
 * A body of a given size goes out with its head in one send; a file goes out with sendfile,
 * without a quantum. So it is a floor for cost, not an example of fairness.
 */

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>

enum {
	BATCH = 16,              /* answers that one send may hold */
	EVENTS = 256,            /* events that one epoll_wait may bring */
	INPUT = 16 * 1024,       /* bytes of one recv */
	TAIL = 3,                /* bytes of a terminator that may be cut off by a recv */
	CHUNK = 2 * 1024 * 1024, /* bytes of one sendfile */
	BACKLOG = 4096,
	DEFER_SECONDS = 5,
};

struct connection {
	int fd;
	unsigned owed;      /* answers not yet sent in full */
	size_t sent;        /* bytes of the answer that is being sent */
	unsigned tail_size; /* bytes seen since the last terminator, at most TAIL */
	char tail[TAIL];
};

struct floor_server {
	int epoll_fd;
	int listen_fd;
	int body_fd;     /* the file that is the body, else -1 */
	bool close_each; /* one answer a connection */
	char *answers;   /* BATCH whole answers; with a file: one head */
	size_t head_size;
	size_t answer_size;
};

struct settings {
	const char *address;
	const char *status;
	const char *file;
	unsigned port;
	size_t body_size;
	bool close_each;
};

static void fail(const char *what)
{
	fprintf(stderr, "floor: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void usage(void)
{
	fprintf(stderr, "usage: floor -p PORT [-l ADDRESS] [-s BODY_BYTES | -f FILE] "
	                "[-S \"200 OK\"] [-c]\n");
	exit(2);
}

static void parse_arguments(struct settings *set, int argc, char **argv)
{
	int option;

	while ((option = getopt(argc, argv, "cf:l:p:s:S:")) != -1) {
		switch (option) {
		case 'c':
			set->close_each = true;
			break;
		case 'f':
			set->file = optarg;
			break;
		case 'l':
			set->address = optarg;
			break;
		case 'p':
			set->port = (unsigned)strtoul(optarg, NULL, 10);
			break;
		case 's':
			set->body_size = strtoul(optarg, NULL, 10);
			break;
		case 'S':
			set->status = optarg;
			break;
		default:
			usage();
		}
	}
	if (optind != argc || set->port == 0 || set->port > 65535)
		usage();
}

/* The fields that a static server sends too, so that the bytes on the wire compare. */
static int render_head(char *head, size_t room, const struct settings *set)
{
	char date[64];
	time_t now = time(NULL);
	struct tm utc;
	bool bodiless = strncmp(set->status, "304", 3) == 0;
	char length[64] = "";

	gmtime_r(&now, &utc);
	strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S GMT", &utc);
	if (!bodiless)
		snprintf(length, sizeof(length), "Content-Length: %zu\r\n", set->body_size);
	return snprintf(head, room,
	                "HTTP/1.1 %s\r\n"
	                "Date: %s\r\n"
	                "Server: floor\r\n"
	                "Content-Type: text/html; charset=utf-8\r\n"
	                "%s"
	                "Last-Modified: %s\r\n"
	                "ETag: \"fd00-1a2b3c-400-18c5d3e9f1a2b3c4\"\r\n"
	                "Accept-Ranges: bytes\r\n"
	                "X-Content-Type-Options: nosniff\r\n"
	                "%s\r\n",
	                set->status, date, length, date,
	                set->close_each ? "Connection: close\r\n" : "");
}

/* Opens the file that is every answer's body. */
static int open_body(struct settings *set)
{
	struct stat info;
	int fd = open(set->file, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || fstat(fd, &info) != 0)
		fail(set->file);
	set->body_size = (size_t)info.st_size;
	return fd;
}

static void render_answers(struct floor_server *server, struct settings *set)
{
	char head[1024];
	int n;

	if (set->file)
		server->body_fd = open_body(set);
	n = render_head(head, sizeof(head), set);
	if (n < 0 || (size_t)n >= sizeof(head))
		usage();
	server->head_size = (size_t)n;
	server->answer_size = server->head_size + set->body_size;
	if (set->file) {
		server->answers = strdup(head);
		if (!server->answers)
			fail("strdup");
		return;
	}
	server->answers = malloc(BATCH * server->answer_size);
	if (!server->answers)
		fail("malloc");
	for (unsigned i = 0; i < BATCH; i++) {
		char *answer = server->answers + i * server->answer_size;

		memcpy(answer, head, server->head_size);
		memset(answer + server->head_size, 'x', set->body_size);
	}
}

static int listen_at(const struct settings *set)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
		                       .sin_port = htons((uint16_t)set->port) };
	int one = 1, defer = DEFER_SECONDS;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		fail("socket");
	if (inet_pton(AF_INET, set->address, &address.sin_addr) != 1)
		usage();
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	/* Inherited by every accepted socket: no setsockopt a connection. */
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (set->close_each)
		setsockopt(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, &defer, sizeof(defer));
	if (bind(fd, (const struct sockaddr *)&address, sizeof(address)) != 0)
		fail("bind");
	if (listen(fd, BACKLOG) != 0)
		fail("listen");
	return fd;
}

/* Counts the ends of requests in what was received; data has TAIL free bytes before it. */
static unsigned count_requests(struct connection *conn, char *data, size_t size)
{
	char *end = data + size;
	char *at = data - conn->tail_size;
	char *hit;
	unsigned count = 0;
	size_t rest;

	memcpy(at, conn->tail, conn->tail_size);
	while ((hit = memmem(at, (size_t)(end - at), "\r\n\r\n", 4)) != NULL) {
		count++;
		at = hit + 4;
	}
	rest = (size_t)(end - at);
	conn->tail_size = rest < TAIL ? (unsigned)rest : TAIL;
	memcpy(conn->tail, end - conn->tail_size, conn->tail_size);
	return count;
}

/* One system call of sending. Returns bytes taken, or -1 with errno; *asked: bytes offered. */
static ssize_t send_some(const struct floor_server *server, const struct connection *conn,
                         size_t *asked)
{
	unsigned count = conn->owed < BATCH ? conn->owed : BATCH;
	off_t offset;

	if (server->body_fd < 0) {
		*asked = count * server->answer_size - conn->sent;
		return send(conn->fd, server->answers + conn->sent, *asked, MSG_NOSIGNAL);
	}
	if (conn->sent < server->head_size) {
		*asked = server->head_size - conn->sent;
		return send(conn->fd, server->answers + conn->sent, *asked,
		            MSG_NOSIGNAL | MSG_MORE);
	}
	offset = (off_t)(conn->sent - server->head_size);
	*asked = server->answer_size - conn->sent;
	if (*asked > CHUNK)
		*asked = CHUNK;
	return sendfile(conn->fd, server->body_fd, &offset, *asked);
}

/*
 * Sends what is owed until the socket is full. Returns false when the connection is broken.
 * A short count has filled the socket: asking again at once would only send crumbs, while the
 * kernel reports room when a good part of the buffer is free.
 */
static bool flush_answers(const struct floor_server *server, struct connection *conn)
{
	while (conn->owed > 0) {
		size_t asked;
		ssize_t n = send_some(server, conn, &asked);

		if (n < 0)
			return errno == EAGAIN;
		conn->sent += (size_t)n;
		conn->owed -= (unsigned)(conn->sent / server->answer_size);
		conn->sent %= server->answer_size;
		if ((size_t)n < asked)
			return true;
	}
	return !server->close_each;
}

/* Receives until the socket is empty. A short recv has emptied it: no second call is needed. */
static bool receive_requests(const struct floor_server *server, struct connection *conn)
{
	char buffer[TAIL + INPUT];
	ssize_t n;

	do {
		unsigned count;

		n = recv(conn->fd, buffer + TAIL, INPUT, 0);
		if (n < 0)
			return errno == EAGAIN;
		if (n == 0)
			return false;
		count = count_requests(conn, buffer + TAIL, (size_t)n);
		conn->owed += count;
		if (count > 0 && !flush_answers(server, conn))
			return false;
	} while (n == INPUT);
	return true;
}

static void close_connection(struct connection **conn)
{
	close((*conn)->fd);
	free(*conn);
	*conn = NULL;
}

static void serve(const struct floor_server *server, struct connection *conn, uint32_t events)
{
	bool alive = true;

	if ((events & EPOLLOUT) && conn->owed > 0)
		alive = flush_answers(server, conn);
	if (alive && (events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
		alive = receive_requests(server, conn);
	if (!alive)
		close_connection(&conn);
}

/*
 * A deferred accept brings the request with it: answering at once and closing then needs no
 * epoll_ctl. Without it the connection is registered once, for reading and writing.
 */
static void accept_connection(const struct floor_server *server)
{
	int fd = accept4(server->listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	struct epoll_event event = { .events = EPOLLIN | EPOLLOUT | EPOLLET };
	struct connection *conn;

	if (fd < 0)
		return;
	conn = calloc(1, sizeof(*conn));
	if (!conn) {
		close(fd);
		return;
	}
	conn->fd = fd;
	if (server->close_each && !receive_requests(server, conn)) {
		close_connection(&conn);
		return;
	}
	event.data.ptr = conn;
	if (epoll_ctl(server->epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0)
		close_connection(&conn);
}

static void run(const struct floor_server *server)
{
	struct epoll_event events[EVENTS];

	for (;;) {
		int n = epoll_wait(server->epoll_fd, events, EVENTS, -1);

		if (n < 0 && errno != EINTR)
			fail("epoll_wait");
		for (int i = 0; i < n; i++) {
			if (events[i].data.ptr)
				serve(server, events[i].data.ptr, events[i].events);
			else
				accept_connection(server);
		}
	}
}

int main(int argc, char **argv)
{
	struct settings set = { .address = "127.0.0.1", .status = "200 OK", .body_size = 1024 };
	struct floor_server server = { .body_fd = -1 };
	struct epoll_event event = { .events = EPOLLIN };

	parse_arguments(&set, argc, argv);
	signal(SIGPIPE, SIG_IGN);
	server.close_each = set.close_each;
	render_answers(&server, &set);
	server.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (server.epoll_fd < 0)
		fail("epoll_create1");
	server.listen_fd = listen_at(&set);
	if (epoll_ctl(server.epoll_fd, EPOLL_CTL_ADD, server.listen_fd, &event) != 0)
		fail("epoll_ctl");
	run(&server);
	return 0;
}
