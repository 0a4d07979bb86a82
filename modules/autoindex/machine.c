/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Listings for programs.
 *
 * JSON is an array of objects: "name" (where a byte is not UTF-8, U+FFFD stands), "url" (exact,
 * relative to the folder), "type" ("file" or "directory"), "size" in bytes (files only), "mtime".
 * Text is one name a line, that of a folder with a slash at its end; a backslash and control bytes
 * are written as \xHH.
 */
#include "autoindex.h"

static void json_head(const struct render *render, struct text *text)
{
	(void)render;
	text_puts(text, "[");
}

static void json_row(const struct render *render, size_t row, struct text *text)
{
	const struct entry *entry = page_entry(render->page, row);
	const bool folder = entry->kind == KIND_FOLDER;

	text_puts(text, row > 0 ? ",\n{\"name\":\"" : "\n{\"name\":\"");
	text_json(text, entry->name, entry->length);
	text_puts(text, "\",\"url\":\"");
	text_url(text, entry->name, entry->length);
	text_puts(text, folder ? "/\",\"type\":\"directory\"" : "\",\"type\":\"file\"");
	if (!folder && entry->size >= 0) {
		text_puts(text, ",\"size\":");
		text_number(text, (uint64_t)entry->size);
	}
	text_puts(text, ",\"mtime\":\"");
	text_time(text, entry->modified);
	text_puts(text, "\"}");
}

static void json_tail(const struct render *render, struct text *text)
{
	(void)render;
	text_puts(text, "\n]\n");
}

const struct format format_json = {
	.type = "application/json",
	.head = json_head,
	.row = json_row,
	.tail = json_tail,
};

static void text_nothing(const struct render *render, struct text *text)
{
	(void)render;
	(void)text;
}

static void text_row(const struct render *render, size_t row, struct text *text)
{
	const struct entry *entry = page_entry(render->page, row);

	text_plain(text, entry->name, entry->length);
	text_puts(text, entry->kind == KIND_FOLDER ? "/\n" : "\n");
}

const struct format format_text = {
	.type = "text/plain; charset=utf-8",
	.head = text_nothing,
	.row = text_row,
	.tail = text_nothing,
};
