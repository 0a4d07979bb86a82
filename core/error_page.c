/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "error_page.h"
#include "memory.h"

/* RFC 9110 section 15; the second text is for the person who reads the page. */
static const struct {
	int status;
	const char *reason;
	const char *text;
} statuses[] = {
	{ 100, "Continue", NULL },
	{ 101, "Switching Protocols", NULL },
	{ 102, "Processing", NULL },
	{ 103, "Early Hints", NULL },
	{ 200, "OK", NULL },
	{ 201, "Created", NULL },
	{ 202, "Accepted", NULL },
	{ 203, "Non-Authoritative Information", NULL },
	{ 204, "No Content", NULL },
	{ 205, "Reset Content", NULL },
	{ 206, "Partial Content", NULL },
	{ 207, "Multi-Status", NULL },
	{ 226, "IM Used", NULL },
	{ 300, "Multiple Choices", "This is found in several places." },
	{ 301, "Moved Permanently", "This folder is found under its name with a slash at the end." },
	{ 302, "Found", "This is found elsewhere for now." },
	{ 303, "See Other", "The answer is found elsewhere." },
	{ 304, "Not Modified", NULL },
	{ 307, "Temporary Redirect", "This is found elsewhere for now." },
	{ 308, "Permanent Redirect", "This is found elsewhere." },
	{ 400, "Bad Request", "The server could not understand what it was asked." },
	{ 401, "Unauthorized", "This needs a name and a password." },
	{ 402, "Payment Required", "This has to be paid for." },
	{ 403, "Forbidden", "This may not be read." },
	{ 404, "Not Found", "There is nothing here under this name." },
	{ 405, "Method Not Allowed", "This can be read, not changed." },
	{ 406, "Not Acceptable", "This is not had in the wanted form." },
	{ 407, "Proxy Authentication Required", "This needs a name and a password." },
	{ 408, "Request Timeout", "The request did not arrive in time." },
	{ 409, "Conflict", "This does not fit what is already here." },
	{ 410, "Gone", "This is no longer here." },
	{ 411, "Length Required", "The request must say how long its body is." },
	{ 412, "Precondition Failed", "What is here is not what the request expected." },
	{ 413, "Content Too Large", "The request's body is too large." },
	{ 414, "URI Too Long", "The address is too long." },
	{ 415, "Unsupported Media Type", "This kind of content is not taken here." },
	{ 416, "Range Not Satisfiable", "The part that was asked for lies outside the file." },
	{ 417, "Expectation Failed", "The server cannot do what the request expects." },
	{ 421, "Misdirected Request", "This name is not served here." },
	{ 422, "Unprocessable Content", "The server could not use what it was sent." },
	{ 423, "Locked", "Somebody else is working on this." },
	{ 424, "Failed Dependency", "Something that this depends on has failed." },
	{ 425, "Too Early", "Please ask once more." },
	{ 426, "Upgrade Required", "This needs another protocol." },
	{ 428, "Precondition Required", "The request must say what it expects to find." },
	{ 429, "Too Many Requests", "Please wait a little before the next request." },
	{ 431, "Request Header Fields Too Large", "The request's header is too large." },
	{ 451, "Unavailable For Legal Reasons", "This may not be shown." },
	{ 499, "Client Closed Request", "Nobody was waiting for the answer any more." },
	{ 500, "Internal Server Error", "The server failed to answer this request." },
	{ 501, "Not Implemented", "The server does not know this method." },
	{ 502, "Bad Gateway", "The server behind this one gave no usable answer." },
	{ 503, "Service Unavailable", "The server is busy. Please try again in a moment." },
	{ 504, "Gateway Timeout", "The server behind this one gave no answer in time." },
	{ 505, "HTTP Version Not Supported", "The server speaks HTTP/1.0 and HTTP/1.1." },
	{ 507, "Insufficient Storage", "There is no room left." },
	{ 508, "Loop Detected", "The request came back to where it had been." },
	{ 511, "Network Authentication Required", "The network wants to know who you are." },
};

#define STATUSES (sizeof statuses / sizeof statuses[0])

static size_t find(int status)
{
	size_t i;

	for (i = 0; i < STATUSES; i++) {
		if (statuses[i].status == status)
			break;
	}
	return i;
}

const char *status_reason(int status)
{
	size_t i = find(status);

	return i < STATUSES ? statuses[i].reason : "Unknown";
}

static struct lop_memory *make(int status)
{
	static const char format[] =
		"<!DOCTYPE html>\n"
		"<html lang=\"en\">\n"
		"<meta charset=\"utf-8\">\n"
		"<meta name=\"viewport\" content=\"width=device-width\">\n"
		"<meta name=\"color-scheme\" content=\"light dark\">\n"
		"<title>%d %s</title>\n"
		"<style>body{font:1.1em/1.5 system-ui,sans-serif;margin:15vh auto;"
		"max-width:34em;padding:0 1em}h1{font-size:1.5em}</style>\n"
		"<h1>%d %s</h1>\n"
		"<p>%s</p>\n"
		"</html>\n";
	size_t i = find(status);
	const char *reason = status_reason(status);
	const char *text = i < STATUSES && statuses[i].text != NULL ? statuses[i].text : "";
	char page[1024];
	int length;
	struct lop_memory *memory;

	length = snprintf(page, sizeof page, format, status, reason, status, reason, text);
	if (length < 0 || (size_t)length >= sizeof page)
		return NULL;
	memory = lop_memory_new((size_t)length);
	if (memory != NULL)
		memcpy(memory->data, page, (size_t)length);
	return memory;
}

struct lop_memory *error_page(struct error_pages *pages, int status)
{
	if (status < 200 || status == 204 || status == 304)
		return NULL;
	for (unsigned i = 0; i < pages->count; i++) {
		if (pages->items[i].status == status)
			return pages->items[i].page;
	}

	struct lop_memory *page = make(status);

	if (page == NULL)
		return NULL;
	/* More kinds of errors than are kept: the last one makes room. */
	if (pages->count == ERROR_PAGES)
		memory_release(&pages->items[--pages->count].page);
	pages->items[pages->count].status = status;
	pages->items[pages->count].page = page;
	pages->count++;
	return page;
}

void error_pages_free(struct error_pages *pages)
{
	while (pages->count > 0)
		memory_release(&pages->items[--pages->count].page);
}
