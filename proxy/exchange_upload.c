/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The body of a request on its way to the upstream. At most one piece is held: what the upstream
 * did not take; before that is gone nothing more is read, so the client feels how fast the upstream
 * is.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "exchange.h"

#define CHUNK_END 2 /* CRLF behind the data of a chunk */
#define GATHER_STEP ((size_t)16 * 1024)

static bool reserve(char **data, size_t *size, size_t wanted)
{
	char *grown;

	if (wanted <= *size)
		return true;
	if (wanted < 2 * *size)
		wanted = 2 * *size;
	grown = realloc(*data, wanted);
	if (grown == NULL)
		return false;
	*data = grown;
	*size = wanted;
	return true;
}

void upload_begin(struct exchange *exchange)
{
	struct upload *upload = &exchange->upload;
	struct lop_request *request = exchange->request;

	upload->length = lop_request_body_length(request);
	upload->ended = upload->done = upload->length == 0;
	upload->expecting = !upload->ended && lop_request_awaits_continue(request);
}

/* Gathering */

static bool has_trailers(struct lop_request *request)
{
	struct lop_str name;
	struct lop_str value;

	return lop_request_trailer_at(request, 0, &name, &value) == 1;
}

/* All of the body is here: its length is known, unless something has to come behind it. */
static void gathered_all(struct exchange *exchange)
{
	struct upload *upload = &exchange->upload;

	upload->gathered = upload->length >= 0 || !has_trailers(exchange->request);
	upload->ended = upload->gathered;
	if (upload->gathered)
		upload->length = (int64_t)upload->body_length;
	else
		upload->consumed = upload->body_length > 0;
}

/* How much to ask for. */
static size_t gather_room(const struct upload *upload, size_t bound)
{
	size_t room = GATHER_STEP;

	if (upload->length > 0 && upload->length <= (int64_t)bound)
		room = (size_t)upload->length - upload->body_length;
	if (room > bound - upload->body_length)
		room = bound - upload->body_length;
	return room > 0 ? room : 1;
}

int upload_gather(struct exchange *exchange)
{
	struct upload *upload = &exchange->upload;
	const size_t bound = (size_t)exchange->proxy->settings.buffer_requests;

	for (;;) {
		const size_t room = gather_room(upload, bound);
		ssize_t count;

		if (!reserve(&upload->body, &upload->body_size, upload->body_length + room))
			return -ENOMEM;
		count = lop_request_body_read(exchange->request, upload->body + upload->body_length,
		                              room);
		if (count < 0)
			return (int)count;
		if (count == 0) {
			gathered_all(exchange);
			return 0;
		}
		upload->body_length += (size_t)count;
		/* It is longer: this part goes first, and cannot be had again. */
		if (upload->body_length > bound ||
		    (upload->body_length == bound && upload->length > (int64_t)bound)) {
			upload->consumed = true;
			return 0;
		}
	}
}

void upload_restart(struct exchange *exchange)
{
	struct upload *upload = &exchange->upload;

	upload->stopped = false;
	upload->done = upload->length == 0;
	/* The end of a chunked body is sent when it is read, also the end of an empty one. */
	upload->ended = upload->gathered || upload->done;
	upload->unsent.begin = upload->unsent.end = 0;
	upload->body_sent = 0;
}

void upload_clear(struct exchange *exchange)
{
	struct upload *upload = &exchange->upload;

	splice_clear(exchange);
	free(upload->body);
	free(upload->unsent.data);
	upload->body = NULL;
	upload->body_length = upload->body_size = 0;
	memset(&upload->unsent, 0, sizeof upload->unsent);
}

/* What the upstream does not take at once */

static int stash(struct upload *upload, const void *data, size_t length)
{
	struct unsent *unsent = &upload->unsent;

	if (length == 0)
		return 0;
	if (!reserve(&unsent->data, &unsent->size, unsent->end + length))
		return -ENOMEM;
	memcpy(unsent->data + unsent->end, data, length);
	unsent->end += length;
	return 0;
}

static void moved(struct exchange *exchange)
{
	if (exchange->state < EXCHANGE_STREAM)
		exchange_deadline(exchange, exchange->proxy->settings.between_timeout);
}

/* Sends from a buffer of ours, of which *begin moves on. 0: all of it is gone. */
static int send_buffer(struct exchange *exchange, char *data, size_t *begin, size_t end)
{
	while (*begin < end) {
		const struct iovec piece = { data + *begin, end - *begin };
		ssize_t sent;

		if (!exchange->upstream->writable)
			return -EAGAIN;
		sent = upstream_send(exchange->upstream, &piece, 1);
		if (sent < 0)
			return (int)sent;
		exchange->sent = true;
		*begin += (size_t)sent;
		moved(exchange);
	}
	return 0;
}

/* Sends what is held. 0: all of it is gone. */
static int send_held(struct exchange *exchange)
{
	struct upload *upload = &exchange->upload;
	struct unsent *unsent = &upload->unsent;
	int result = send_buffer(exchange, unsent->data, &unsent->begin, unsent->end);

	if (result < 0)
		return result;
	unsent->begin = unsent->end = 0;
	if (upload->piped > 0) {
		result = splice_out(exchange);
		moved(exchange);
		return result;
	}
	if (!upload->gathered)
		return 0;
	return send_buffer(exchange, upload->body, &upload->body_sent, upload->body_length);
}

/* Sends the pieces, and keeps what does not go; with last_sent the last piece stays where it is. */
static int send_pieces(struct exchange *exchange, const struct iovec *pieces, int count,
                       size_t *last_sent)
{
	ssize_t sent = upstream_send(exchange->upstream, pieces, count);
	size_t left;

	if (sent < 0 && sent != -EAGAIN)
		return (int)sent;
	left = sent > 0 ? (size_t)sent : 0;
	exchange->sent |= left > 0;
	for (int i = 0; i < count; i++) {
		const size_t gone = left < pieces[i].iov_len ? left : pieces[i].iov_len;

		left -= gone;
		if (last_sent != NULL && i == count - 1)
			*last_sent = gone;
		else if (stash(&exchange->upload, (char *)pieces[i].iov_base + gone,
		               pieces[i].iov_len - gone) < 0)
			return -ENOMEM;
	}
	return 0;
}

/* Reading from the client */

/* The last chunk and the trailers, as far as there is room. */
static size_t write_end(struct exchange *exchange, char *out, size_t size)
{
	struct lop_str name;
	struct lop_str value;
	size_t length = 3;

	memcpy(out, "0\r\n", 3);
	for (size_t i = 0; lop_request_trailer_at(exchange->request, i, &name, &value) == 1; i++) {
		if (!field_may_trail(name) || name.length + value.length + 6 > size - length)
			continue;
		memcpy(out + length, name.data, name.length);
		length += name.length;
		memcpy(out + length, ": ", 2);
		length += 2;
		memcpy(out + length, value.data, value.length);
		length += value.length;
		memcpy(out + length, "\r\n", 2);
		length += 2;
	}
	memcpy(out + length, "\r\n", 2);
	return length + 2;
}

/* Takes note of bytes that came from the client; 0: its body has ended. */
static void took(struct upload *upload, ssize_t count)
{
	upload->consumed |= count > 0;
	upload->read += count;
	if (count == 0 || upload->read == upload->length)
		upload->ended = true;
}

/* Reads the next piece into the scratch memory behind the heads, framed. It is empty at the end of
 * a body that needs no mark there. 0, -EAGAIN, or the client's error, which is noted. */
static int read_piece(struct exchange *exchange, struct iovec *piece)
{
	struct upload *upload = &exchange->upload;
	char *data = exchange->proxy->scratch + SCRATCH_HEAD + CHUNKS_FRAME_MAX;
	const size_t size = SCRATCH_BODY - CHUNKS_FRAME_MAX - CHUNK_END;
	ssize_t count = lop_request_body_read(exchange->request, data, size);

	if (count < 0) {
		if (count != -EAGAIN)
			upload->error = (int)count;
		return (int)count;
	}
	*piece = (struct iovec){ data, (size_t)count };
	took(upload, count);
	if (upload->length >= 0)
		return 0;
	if (count == 0) {
		piece->iov_len = write_end(exchange, data, size);
		return 0;
	}
	piece->iov_base = chunks_frame(data, (size_t)count);
	memcpy(data + count, "\r\n", CHUNK_END);
	piece->iov_len = (size_t)(data + count + CHUNK_END - (char *)piece->iov_base);
	return 0;
}

/* Sending */

static void all_sent(struct exchange *exchange)
{
	exchange->upload.done = true;
	exchange->sent_at = lop_worker_now(exchange->proxy->worker);
	if (exchange->state < EXCHANGE_STREAM)
		exchange_deadline(exchange, exchange->proxy->settings.response_timeout);
}

/* The first part of a longer body was gathered: it goes behind its head. */
static int send_first_part(struct exchange *exchange, size_t head)
{
	struct upload *upload = &exchange->upload;
	char *scratch = exchange->proxy->scratch;
	char frame[CHUNKS_FRAME_MAX];
	const char *begin = chunks_frame(frame + sizeof frame, upload->body_length);
	int result = stash(upload, scratch, head);

	if (result == 0 && upload->length < 0)
		result = stash(upload, begin, (size_t)(frame + sizeof frame - begin));
	if (result == 0)
		result = stash(upload, upload->body, upload->body_length);
	if (result == 0 && upload->length < 0)
		result = stash(upload, "\r\n", CHUNK_END);
	upload->read += (int64_t)upload->body_length;
	free(upload->body);
	upload->body = NULL;
	upload->body_length = upload->body_size = 0;
	if (result == 0)
		result = send_held(exchange);
	return result == -EAGAIN ? 0 : result;
}

int upload_send_head(struct exchange *exchange, size_t length)
{
	struct upload *upload = &exchange->upload;
	struct iovec pieces[2] = { { exchange->proxy->scratch, length } };

	if (upload->body_length > 0 && !upload->gathered)
		return send_first_part(exchange, length);
	if (upload->body_length > 0) {
		pieces[1] = (struct iovec){ upload->body, upload->body_length };
		return send_pieces(exchange, pieces, 2, &upload->body_sent);
	}
	if (!upload->ended && !upload->expecting) {
		int result = read_piece(exchange, &pieces[1]);

		if (upload->error < 0)
			return 0;
		if (result == 0 && pieces[1].iov_len > 0)
			return send_pieces(exchange, pieces, 2, NULL);
	}
	return send_pieces(exchange, pieces, 1, NULL);
}

/* Moves the next piece on its way, copied or not. 0, -EAGAIN, or an error. */
static int move_piece(struct exchange *exchange)
{
	struct upload *upload = &exchange->upload;
	struct iovec piece;
	ssize_t count = splice_in(exchange);
	int result;

	if (count >= 0) {
		took(upload, count);
		return 0;
	}
	if (count != -EOPNOTSUPP) {
		if (count != -EAGAIN)
			upload->error = (int)count;
		return (int)count;
	}
	result = read_piece(exchange, &piece);
	if (result == 0 && piece.iov_len > 0)
		result = send_pieces(exchange, &piece, 1, NULL);
	return result;
}

int upload_run(struct exchange *exchange)
{
	struct upload *upload = &exchange->upload;

	if (upload->stopped || (upload->done && upload->unsent.end == 0))
		return 0;
	for (;;) {
		int result = send_held(exchange);

		if (result < 0)
			return result;
		if (upload->ended) {
			if (!upload->done)
				all_sent(exchange);
			return 0;
		}
		/* It may have had enough of waiting. */
		if (upload->expecting)
			upload->expecting = lop_request_awaits_continue(exchange->request);
		if (upload->expecting || !exchange->upstream->writable)
			return -EAGAIN;
		result = move_piece(exchange);
		if (result < 0)
			return result;
		moved(exchange);
	}
}
