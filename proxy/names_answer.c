/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "names_answer.h"

#include <errno.h>
#include <string.h>

#define HEADER_SIZE 12
#define FLAG_RESPONSE 0x8000u
#define CODE_MASK 0x000fu
#define CODE_NO_NAME 3
#define CLASS_IN 1
#define TYPE_CNAME 5
#define TYPE_SOA 6
/* Aliases that are followed, and the jumps that one compressed name may take. */
#define CHAIN_MAX 8
#define JUMPS_MAX 64
/* More is an error of the sender (RFC 2181 8). */
#define TTL_MAX UINT32_C(0x7fffffff)

struct reader {
	const unsigned char *data;
	size_t length;
	size_t at;
	bool bad; /* read past the end, or nonsense; then everything is 0 */
};

struct record {
	char owner[DNS_NAME_SIZE];
	unsigned type;
	unsigned class;
	uint32_t ttl;
	size_t data; /* offset */
	size_t size;
};

/* ---- pieces --------------------------------------------------------------------------------- */

static unsigned read_8(struct reader *reader)
{
	if (reader->bad || reader->at >= reader->length) {
		reader->bad = true;
		return 0;
	}
	return reader->data[reader->at++];
}

static unsigned read_16(struct reader *reader)
{
	unsigned high = read_8(reader);

	return high << 8 | read_8(reader);
}

static uint32_t read_32(struct reader *reader)
{
	uint32_t high = read_16(reader);

	return high << 16 | read_16(reader);
}

/* Appends one label's byte in lower case; false: none that a name of a host or service has. */
static bool append(char *out, size_t *used, unsigned byte)
{
	if (byte >= 'A' && byte <= 'Z')
		byte += 'a' - 'A';
	if (*used + 1 >= DNS_NAME_SIZE ||
	    !((byte >= 'a' && byte <= 'z') || (byte >= '0' && byte <= '9') || byte == '-' ||
	      byte == '_'))
		return false;
	out[(*used)++] = (char)byte;
	return true;
}

/* Reads a name, compressed or not, and goes behind it. A name that is the root, or that has bytes
 * which no host has, becomes "" and so equals no name that is looked for. */
static void read_name(struct reader *reader, char out[DNS_NAME_SIZE])
{
	size_t used = 0, whole = 0, behind = 0;
	bool usable = true;

	for (unsigned jumps = 0; !reader->bad;) {
		size_t here = reader->at;
		unsigned length = read_8(reader);

		if (length == 0)
			break;
		if (length >= 0xc0) {
			size_t to = (size_t)(length & 0x3f) << 8 | read_8(reader);

			if (behind == 0)
				behind = reader->at;
			/* Only backwards: what is ahead may lead back here. */
			reader->bad = reader->bad || to >= here || ++jumps > JUMPS_MAX;
			reader->at = to;
			continue;
		}
		whole += length + 1;
		if (length > 63 || whole > DNS_NAME_SIZE)
			reader->bad = true;
		if (used > 0 && usable && used + 1 < DNS_NAME_SIZE)
			out[used++] = '.';
		for (unsigned i = 0; i < length && !reader->bad; i++)
			if (!append(out, &used, read_8(reader)))
				usable = false;
	}
	if (behind != 0)
		reader->at = behind;
	out[usable && !reader->bad ? used : 0] = '\0';
}

static void read_record(struct reader *reader, struct record *record)
{
	read_name(reader, record->owner);
	record->type = read_16(reader);
	record->class = read_16(reader);
	record->ttl = read_32(reader);
	if (record->ttl > TTL_MAX)
		record->ttl = 0;
	record->size = read_16(reader);
	record->data = reader->at;
	if (reader->bad || record->size > reader->length - reader->at)
		reader->bad = true;
	else
		reader->at += record->size;
}

/* A name within a record's data, `skip` bytes from its beginning. */
static bool name_in(const struct reader *message, const struct record *record, size_t skip,
                    char out[DNS_NAME_SIZE])
{
	struct reader reader = { message->data, message->length, record->data + skip, false };

	read_name(&reader, out);
	return !reader.bad && reader.at <= record->data + record->size;
}

/* ---- records -------------------------------------------------------------------------------- */

static void add_address(const struct reader *message, const struct record *record, bool v6,
                        struct dns_answer *answer)
{
	struct dns_address *address = &answer->records.addresses[answer->count];

	if (answer->count == NAMES_ADDRESSES_MAX || record->size != (v6 ? 16u : 4u))
		return;
	*address = (struct dns_address){ .v6 = v6 };
	memcpy(address->bytes, message->data + record->data, record->size);
	answer->count++;
}

static void add_service(const struct reader *message, const struct record *record,
                        struct dns_answer *answer)
{
	struct dns_service *service = &answer->records.services[answer->count];
	struct reader reader = { message->data, message->length, record->data, false };

	/* A target "." means that there is no such service (RFC 2782). */
	if (answer->count == NAMES_TARGETS_MAX || !name_in(message, record, 6, service->host) ||
	    service->host[0] == '\0')
		return;
	service->priority = (uint16_t)read_16(&reader);
	service->weight = (uint16_t)read_16(&reader);
	service->port = (uint16_t)read_16(&reader);
	if (service->port != 0)
		answer->count++;
}

/* One pass over the answer section for a name: its records of the type, else its alias. Returns
 * whether there is an alias to go on with. */
static bool collect(struct reader *message, unsigned records, enum dns_type type,
                    char name[DNS_NAME_SIZE], struct dns_answer *answer)
{
	char alias[DNS_NAME_SIZE] = "", seen[DNS_NAME_SIZE];
	uint32_t least = answer->ttl, alias_ttl = 0;

	for (unsigned i = 0; i < records && !message->bad; i++) {
		size_t before = answer->count;
		struct record record;

		read_record(message, &record);
		if (message->bad || record.class != CLASS_IN || name[0] == '\0' ||
		    strcmp(record.owner, name) != 0)
			continue;
		if (record.type == TYPE_CNAME && name_in(message, &record, 0, seen)) {
			memcpy(alias, seen, sizeof(alias));
			alias_ttl = record.ttl;
		} else if (record.type == (unsigned)type && type == DNS_SRV) {
			add_service(message, &record, answer);
		} else if (record.type == (unsigned)type) {
			add_address(message, &record, type == DNS_AAAA, answer);
		}
		if (answer->count > before && record.ttl < least)
			least = record.ttl;
	}
	if (answer->count == 0 && alias[0] != '\0' && alias_ttl < least)
		least = alias_ttl;
	answer->ttl = least;
	memcpy(name, alias, sizeof(alias));
	return answer->count == 0 && alias[0] != '\0';
}

/* How long it may be believed that there is nothing (RFC 2308 5): the SOA record's own time or its
 * last field, whichever is less; 0: there is none. */
static uint32_t negative_ttl(struct reader *message, unsigned records)
{
	for (unsigned i = 0; i < records && !message->bad; i++) {
		struct record record;

		read_record(message, &record);
		if (message->bad || record.type != TYPE_SOA || record.size < 22)
			continue;

		struct reader last = { message->data, message->length,
			               record.data + record.size - 4, false };
		uint32_t minimum = read_32(&last);

		return minimum < record.ttl ? minimum : record.ttl;
	}
	return 0;
}

int dns_answer_read(const unsigned char *message, size_t length, enum dns_type type,
                    struct dns_answer *answer)
{
	struct reader reader = { message, length, 2, false };
	unsigned flags = read_16(&reader), questions = read_16(&reader);
	unsigned records = read_16(&reader), authority = read_16(&reader);
	char name[DNS_NAME_SIZE];
	size_t first;

	answer->count = 0;
	answer->ttl = 0;
	if (length < HEADER_SIZE || !(flags & FLAG_RESPONSE) || questions != 1)
		return -EBADMSG;
	if ((flags & CODE_MASK) != 0 && (flags & CODE_MASK) != CODE_NO_NAME)
		return -EAGAIN;
	reader.at = HEADER_SIZE;
	read_name(&reader, name);
	if (read_16(&reader) != (unsigned)type || read_16(&reader) != CLASS_IN || reader.bad)
		return -EBADMSG;
	first = reader.at;
	answer->ttl = UINT32_MAX;
	for (unsigned i = 0; i < CHAIN_MAX; i++) {
		reader.at = first;
		if (!collect(&reader, records, type, name, answer) || reader.bad)
			break;
	}
	if (answer->count == 0 && !reader.bad)
		answer->ttl = negative_ttl(&reader, authority);
	if (reader.bad) {
		answer->count = 0;
		return -EBADMSG;
	}
	return (flags & CODE_MASK) == CODE_NO_NAME && answer->count == 0 ? -ENOENT : 0;
}
