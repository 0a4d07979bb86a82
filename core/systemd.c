/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "systemd.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <lophttpd/message.h>

#include "core.h"
#include "os.h"

#define FIRST_DESCRIPTOR 3
#define DESCRIPTORS_MAX 4096

/* A decimal number in the environment, -1 when there is none. */
static long number_of(const char *variable)
{
	const char *text = getenv(variable);
	char *end;
	long number;

	if (text == NULL)
		return -1;
	errno = 0;
	number = strtol(text, &end, 10);
	return errno == 0 && end != text && *end == '\0' ? number : -1;
}

/* The sockets may be named after a transport (FileDescriptorName=). */
static int inherit(struct lop_core *core, long count)
{
	const char *names = getenv("LISTEN_FDNAMES");
	char name[64];
	int result = 0;

	for (long i = 0; i < count && result == 0; i++) {
		size_t length = names != NULL ? strcspn(names, ":") : 0;
		int descriptor = (int)(FIRST_DESCRIPTOR + i);

		snprintf(name, sizeof(name), "%.*s", (int)(length < 63 ? length : 63),
		         names != NULL ? names : "");
		if (names != NULL)
			names += length + (names[length] == ':');
		result = listeners_inherit(core, descriptor, name, true);
		if (result < 0)
			lop_core_message(core, LOP_LOG_ERROR,
			                 "descriptor %d from the service manager is no listening "
			                 "socket: %s; ListenStream= makes what the server takes",
			                 descriptor, strerror(-result));
	}
	return result;
}

static int connect_notify(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	size_t length = strlen(path);
	int descriptor;

	if ((path[0] != '/' && path[0] != '@') || length >= sizeof(address.sun_path))
		return -1;
	memcpy(address.sun_path, path, length);
	if (path[0] == '@')
		address.sun_path[0] = '\0';
	descriptor = socket(AF_UNIX, SOCK_DGRAM, 0);
	if (descriptor < 0)
		return -1;
	if (os_prepare(descriptor) < 0 ||
	    connect(descriptor, (struct sockaddr *)&address,
	            (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length)) < 0) {
		close(descriptor);
		return -1;
	}
	return descriptor;
}

int systemd_start(struct lop_core *core)
{
	const char *path = getenv("NOTIFY_SOCKET");
	long count = number_of("LISTEN_FDS");
	int result = 0;

	if (count > 0 && count <= DESCRIPTORS_MAX && number_of("LISTEN_PID") == (long)getpid())
		result = inherit(core, count);
	/* They are ours alone; NOTIFY_SOCKET stays for the binary of an upgrade. */
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDNAMES");
	if (path != NULL)
		core->notify = connect_notify(path);
	return result;
}

void systemd_notify(struct lop_core *core, const char *format, ...)
{
	char text[256];
	va_list arguments;
	int length;

	if (core->notify < 0)
		return;
	va_start(arguments, format);
	length = vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	/* When the manager does not listen there is nobody to tell. */
	if (length > 0 && length < (int)sizeof(text))
		(void)send(core->notify, text, (size_t)length, MSG_DONTWAIT);
}

void systemd_ready(struct lop_core *core)
{
	systemd_notify(core, "READY=1\nSTATUS=Serving\nMAINPID=%ld", (long)getpid());
}

void systemd_reloading(struct lop_core *core)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	systemd_notify(core, "RELOADING=1\nMONOTONIC_USEC=%" PRId64,
	               (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000);
}

void systemd_stopping(struct lop_core *core)
{
	if (core->upgrade.child > 0)
		systemd_notify(core, "MAINPID=%ld", (long)core->upgrade.child);
	else
		systemd_notify(core, "STOPPING=1\nSTATUS=Finishing what runs");
}
