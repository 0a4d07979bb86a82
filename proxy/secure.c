/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "secure.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "secure_compat.h"

struct secure {
	SSL_CTX *context;
	bool unverified;
};

struct secure_stream {
	SSL *ssl;
	secure_session_f *learned;
	void *context;
	bool failed; /* nothing more can be said, not even goodbye */
	char error[160];
};

static SSL_SESSION *session_in(struct secure_session *session)
{
	return (SSL_SESSION *)(void *)session;
}

/* Reading files, at start */

static const char *reason(void)
{
	const char *text = ERR_reason_error_string(ERR_peek_last_error());

	return text != NULL ? text : "no certificate in it";
}

static int complain(char *error, size_t error_size, const char *what, const char *file)
{
	snprintf(error, error_size, "cannot use %s %s: %s", what, file, reason());
	ERR_clear_error();
	return -EINVAL;
}

/* The system's authorities in a folder of files. OpenSSL would look into it when a certificate is
 * to be verified, and from a chroot it is out of reach. */
static unsigned load_folder(SSL_CTX *context, const char *folder)
{
	DIR *entries = opendir(folder);
	const struct dirent *entry;
	unsigned count = 0;

	if (entries == NULL)
		return 0;
	while ((entry = readdir(entries)) != NULL) {
		char path[PATH_MAX];
		int length = snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);

		if (entry->d_name[0] == '.' || length < 0 || (size_t)length >= sizeof path)
			continue;
		if (compat_trust_file(context, path) == 1)
			count++;
	}
	closedir(entries);
	ERR_clear_error();
	return count;
}

static const char *setting(const char *variable, const char *preset)
{
	const char *value = getenv(variable);

	return value != NULL ? value : preset;
}

static int load_system(SSL_CTX *context, char *error, size_t error_size)
{
	const char *file = setting(X509_get_default_cert_file_env(), X509_get_default_cert_file());
	const char *folder = setting(X509_get_default_cert_dir_env(), X509_get_default_cert_dir());

	if (compat_trust_file(context, file) == 1)
		return 0;
	ERR_clear_error();
	if (load_folder(context, folder) > 0)
		return 0;
	snprintf(error, error_size,
	         "no authorities to verify https upstreams with, neither in %s nor in %s: install "
	         "the system's certificates, or name a file with --upstream-ca",
	         file, folder);
	return -ENOENT;
}

static int load_certificate(SSL_CTX *context, const struct secure_settings *settings, char *error,
                            size_t error_size)
{
	const char *key = settings->key != NULL ? settings->key : settings->certificate;

	if (settings->certificate == NULL) {
		if (key == NULL)
			return 0;
		snprintf(error, error_size, "--upstream-key %s has no --upstream-cert", key);
		return -EINVAL;
	}
	if (SSL_CTX_use_certificate_chain_file(context, settings->certificate) != 1)
		return complain(error, error_size, "the certificate", settings->certificate);
	if (SSL_CTX_use_PrivateKey_file(context, key, SSL_FILETYPE_PEM) != 1 ||
	    SSL_CTX_check_private_key(context) != 1)
		return complain(error, error_size, "the key", key);
	return 0;
}

static int new_session(SSL *ssl, SSL_SESSION *session)
{
	const struct secure_stream *stream = SSL_get_app_data(ssl);

	if (stream->learned == NULL || !compat_is_resumable(session))
		return 0;
	stream->learned(stream->context, (struct secure_session *)(void *)session);
	return 1; /* the reference is theirs now */
}

static int configure(struct secure *secure, const struct secure_settings *settings, char *error,
                     size_t error_size)
{
	SSL_CTX *context = secure->context;
	int result = 0;

	SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
	SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_RELEASE_BUFFERS |
	                                  SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT |
	                                                SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(context, new_session);
	SSL_CTX_set_verify(context, settings->unverified ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, NULL);
	secure->unverified = settings->unverified;
	if (settings->authorities != NULL &&
	    compat_trust_file(context, settings->authorities) != 1)
		return complain(error, error_size, "the authorities in", settings->authorities);
	if (settings->authorities == NULL && !settings->unverified)
		result = load_system(context, error, error_size);
	return result < 0 ? result : load_certificate(context, settings, error, error_size);
}

int secure_new(const struct secure_settings *settings, struct secure **out, char *error,
               size_t error_size)
{
	struct secure *secure = calloc(1, sizeof *secure);
	int result;

	*out = NULL;
	if (secure != NULL)
		secure->context = SSL_CTX_new(TLS_client_method());
	if (secure == NULL || secure->context == NULL) {
		snprintf(error, error_size, "cannot set up TLS: %s", strerror(ENOMEM));
		free(secure);
		return -ENOMEM;
	}
	result = configure(secure, settings, error, error_size);
	if (result < 0)
		secure_free(&secure);
	else
		*out = secure;
	return result;
}

void secure_free(struct secure **pointer)
{
	struct secure *secure = *pointer;

	*pointer = NULL;
	if (secure == NULL)
		return;
	SSL_CTX_free(secure->context);
	free(secure);
}

/* Connections */

static bool is_address(const char *host)
{
	unsigned char address[16];

	return inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1;
}

/* What it is asked for as, and what its certificate must say. */
static int set_name(SSL *ssl, const char *host)
{
	if (is_address(host))
		return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host);
	/* What SSL_set_tlsext_host_name() is, without its cast. */
	return SSL_ctrl(ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
	                (void *)(uintptr_t)host) == 1 &&
	       SSL_set1_host(ssl, host) == 1;
}

int secure_open(struct secure *secure, int descriptor, const struct upstream_url *url,
                struct secure_session *session, secure_session_f *learned, void *context,
                struct secure_stream **out)
{
	struct secure_stream *stream = calloc(1, sizeof *stream);

	if (stream == NULL)
		return -ENOMEM;
	stream->learned = learned;
	stream->context = context;
	stream->ssl = SSL_new(secure->context);
	if (stream->ssl == NULL || SSL_set_fd(stream->ssl, descriptor) != 1 ||
	    !set_name(stream->ssl, url->host)) {
		secure_close(&stream);
		return -ENOMEM;
	}
	SSL_set_app_data(stream->ssl, stream);
	SSL_set_connect_state(stream->ssl);
	if (session != NULL)
		(void)SSL_set_session(stream->ssl, session_in(session));
	*out = stream;
	return 0;
}

void secure_session_free(struct secure_session **session)
{
	if (*session != NULL)
		SSL_SESSION_free(session_in(*session));
	*session = NULL;
}

/* Keeps why it failed, for the message. */
static int failure(struct secure_stream *stream, int error)
{
	const long verified = SSL_get_verify_result(stream->ssl);
	const char *why = ERR_reason_error_string(ERR_peek_error());

	stream->failed = true;
	if (error == -EACCES)
		why = X509_verify_cert_error_string(verified);
	snprintf(stream->error, sizeof stream->error, "%s",
	         why != NULL ? why : "the connection was closed");
	ERR_clear_error();
	return error;
}

/* What a call that did not succeed means. */
static int result_of(struct secure_stream *stream, int result)
{
	const int error = errno;

	switch (SSL_get_error(stream->ssl, result)) {
	case SSL_ERROR_WANT_READ:
	case SSL_ERROR_WANT_WRITE:
		return -EAGAIN;
	case SSL_ERROR_ZERO_RETURN:
		return 0;
	case SSL_ERROR_SYSCALL:
		return failure(stream, error != 0 && error != EAGAIN ? -error : -ECONNRESET);
	default:
		if (ERR_GET_REASON(ERR_peek_error()) == SSL_R_CERTIFICATE_VERIFY_FAILED)
			return failure(stream, -EACCES);
		/* An end without close_notify may be somebody else's. */
		if (compat_is_silent_end(ERR_peek_error()))
			return failure(stream, -ECONNRESET);
		return failure(stream, -EPROTO);
	}
}

int secure_handshake(struct secure_stream *stream)
{
	int result;

	ERR_clear_error();
	errno = 0;
	result = SSL_do_handshake(stream->ssl);
	if (result == 1)
		return 0;
	result = result_of(stream, result);
	return result == 0 ? -ECONNRESET : result;
}

const char *secure_error(struct secure_stream *stream)
{
	return stream->error;
}

ssize_t secure_read(struct secure_stream *stream, void *buffer, size_t size)
{
	size_t count;
	int result;

	ERR_clear_error();
	errno = 0;
	result = SSL_read_ex(stream->ssl, buffer, size, &count);
	return result == 1 ? (ssize_t)count : result_of(stream, result);
}

ssize_t secure_write(struct secure_stream *stream, const void *data, size_t length)
{
	size_t count;
	int result;

	ERR_clear_error();
	errno = 0;
	result = SSL_write_ex(stream->ssl, data, length, &count);
	if (result == 1)
		return (ssize_t)count;
	result = result_of(stream, result);
	return result == 0 ? -ECONNRESET : result;
}

void secure_shutdown(struct secure_stream *stream)
{
	if (stream->failed)
		return;
	ERR_clear_error();
	(void)SSL_shutdown(stream->ssl);
	ERR_clear_error();
}

void secure_close(struct secure_stream **pointer)
{
	struct secure_stream *stream = *pointer;

	*pointer = NULL;
	if (stream == NULL)
		return;
	/* Else its session would be taken for a bad one. */
	if (stream->ssl != NULL && !stream->failed)
		SSL_set_shutdown(stream->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
	SSL_free(stream->ssl);
	free(stream);
}
