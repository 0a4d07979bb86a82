/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * In the place of secure.c where there is no OpenSSL: an https upstream is refused at start.
 */
#include "config.h"

#include "secure.h"

#include <errno.h>
#include <stdio.h>

int secure_new(const struct secure_settings *settings, struct secure **secure, char *error,
               size_t error_size)
{
	(void)settings;
	*secure = NULL;
	snprintf(error, error_size,
	         "this program was built without OpenSSL and cannot speak https: build it with "
	         "OpenSSL 3 or LibreSSL, or map to http://");
	return -EOPNOTSUPP;
}

void secure_free(struct secure **secure)
{
	*secure = NULL;
}

int secure_open(struct secure *secure, int descriptor, const struct upstream_url *url,
                struct secure_session *session, secure_session_f *learned, void *context,
                struct secure_stream **stream)
{
	(void)secure;
	(void)descriptor;
	(void)url;
	(void)session;
	(void)learned;
	(void)context;
	*stream = NULL;
	return -EOPNOTSUPP;
}

void secure_session_free(struct secure_session **session)
{
	*session = NULL;
}

int secure_handshake(struct secure_stream *stream)
{
	(void)stream;
	return -EOPNOTSUPP;
}

const char *secure_error(struct secure_stream *stream)
{
	(void)stream;
	return "no OpenSSL";
}

ssize_t secure_read(struct secure_stream *stream, void *buffer, size_t size)
{
	(void)stream;
	(void)buffer;
	(void)size;
	return -EOPNOTSUPP;
}

ssize_t secure_write(struct secure_stream *stream, const void *data, size_t length)
{
	(void)stream;
	(void)data;
	(void)length;
	return -EOPNOTSUPP;
}

void secure_shutdown(struct secure_stream *stream)
{
	(void)stream;
}

void secure_close(struct secure_stream **stream)
{
	*stream = NULL;
}
