/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The page for people: HTML that needs no script, in a browser, on a phone, in a terminal, read
 * aloud. End tags that HTML lets one leave out are left out, a huge folder has a row for each entry.
 */
#include "autoindex.h"

#include <string.h>

static const char style[] =
	":root{color-scheme:light dark}"
	"body{font:1rem/1.5 system-ui,sans-serif;max-width:60rem;margin:0 auto;padding:1rem}"
	"h1{font-size:1.25rem;overflow-wrap:anywhere}"
	"a{color:#0b57d0;text-decoration:none}a:hover{text-decoration:underline}"
	"a:focus-visible{outline:2px solid;outline-offset:2px}"
	"table{width:100%;border-collapse:collapse}"
	"th,td{text-align:left;padding:.3rem .5rem;vertical-align:top}"
	"tr{border-bottom:1px solid #8884}tbody tr:hover{background:#8882}"
	"td:first-child{overflow-wrap:anywhere}td a{white-space:pre-wrap}"
	"td+td,th+th{text-align:right;white-space:nowrap;font-variant-numeric:tabular-nums}"
	"pre{white-space:pre-wrap;overflow-wrap:anywhere}"
	"form{display:flex;gap:.5rem;margin:0 0 1rem}input[type=search]{flex:1;min-width:0;"
	"font:inherit;padding:.25rem .5rem}button{font:inherit}"
	"@media(prefers-color-scheme:dark){a{color:#8ab4f8}}"
	"@media(max-width:40rem){body{padding:.5rem}th,td{padding:.4rem .25rem}th span,time span{display:none}}";

static size_t depth_of(const struct listing *listing)
{
	size_t depth = 0;

	for (size_t i = 0; i < listing->path_length; i++)
		depth += listing->path[i] == '/';
	return depth;
}

/* The beginning of links to what is in this folder: they are relative to it, or to --base. */
static void put_here(const struct listing *listing, struct text *text)
{
	if (listing->autoindex->base != NULL)
		text_url(text, listing->path, listing->path_length);
}

/* A link to the folder that is `up` levels above this one, which has `depth`. */
static void put_above(const struct listing *listing, size_t depth, size_t up, struct text *text)
{
	size_t end = 0;

	if (listing->autoindex->base == NULL) {
		for (size_t i = 0; i < up; i++)
			text_puts(text, "../");
		if (up == 0)
			text_puts(text, "./");
		return;
	}
	for (size_t slashes = 0; slashes < depth - up; end++)
		slashes += listing->path[end] == '/';
	if (end == 0)
		text_puts(text, "./");
	text_url(text, listing->path, end);
}

static void put_icons(const struct listing *listing, struct text *text)
{
	const struct autoindex *autoindex = listing->autoindex;
	const size_t depth = depth_of(listing);

	text_puts(text, "td a{display:inline-block;padding-left:1.75em}td a::before{content:'';"
	                "display:inline-block;width:1.25em;height:1.25em;margin-left:-1.75em;"
	                "margin-right:.5em;vertical-align:-.25em;background:center/contain "
	                "no-repeat}");
	for (int kind = 0; kind < KIND_COUNT; kind++) {
		if (autoindex->icons[kind].memory == NULL)
			continue;
		text_puts(text, ".");
		text_puts(text, kind_names[kind]);
		text_puts(text, "::before{background-image:url(");
		put_above(listing, depth, depth, text);
		text_puts(text, ICONS_PATH);
		text_puts(text, kind_names[kind]);
		text_puts(text, ".svg)}");
	}
}

/* "/ a / b /", each but the last a link. */
static void put_path(const struct listing *listing, struct text *text)
{
	const size_t depth = depth_of(listing);
	const char *name = listing->path;

	text_puts(text, "<nav aria-label=\"Folder\"><h1><a href=\"");
	put_above(listing, depth, depth, text);
	text_puts(text, depth == 0 ? "\" aria-current=\"page\">root</a> /"
	                           : "\">root</a> /");
	for (size_t i = 1; i <= depth; i++) {
		size_t length = strcspn(name, "/");

		text_puts(text, " <a href=\"");
		put_above(listing, depth, depth - i, text);
		text_puts(text, i == depth ? "\" aria-current=\"page\">" : "\">");
		text_html(text, name, length);
		text_puts(text, "</a> /");
		name += length + 1;
	}
	text_puts(text, "</h1></nav>\n");
}

static void put_filter(const struct render *render, struct text *text)
{
	const struct query *query = &render->page->query;
	const struct listing *listing = render->page->listing;
	const size_t depth = depth_of(listing);

	text_puts(text, "<form role=\"search\" action=\"");
	put_above(listing, depth, 0, text);
	text_puts(text, "\"><input type=\"search\" name=\"q\" aria-label=\"Filter by name\" "
	                "placeholder=\"Filter by name\" value=\"");
	text_html(text, query->typed, query->filter_length);
	text_puts(text, "\">");
	if (query->sort != SORT_NAME) {
		text_puts(text, "<input type=\"hidden\" name=\"sort\" value=\"");
		text_puts(text, sort_names[query->sort]);
		text_puts(text, "\">");
	}
	if (query->descending)
		text_puts(text, "<input type=\"hidden\" name=\"order\" value=\"desc\">");
	text_puts(text, "<button>Filter</button></form>\n");
}

static void put_column(const struct render *render, enum sort_key key, const char *title,
                       struct text *text)
{
	const struct query *query = &render->page->query;
	const struct listing *listing = render->page->listing;
	const bool chosen = query->sort == key;

	text_puts(text, "<th scope=\"col\"");
	if (chosen)
		text_puts(text, query->descending ? " aria-sort=\"descending\""
		                                  : " aria-sort=\"ascending\"");
	text_puts(text, ">");
	if (render->fixed) {
		text_puts(text, title);
		return;
	}
	text_puts(text, "<a href=\"");
	put_here(listing, text);
	text_puts(text, "?sort=");
	text_puts(text, sort_names[key]);
	if (chosen && !query->descending)
		text_puts(text, "&amp;order=desc");
	if (query->filter_length > 0) {
		text_puts(text, "&amp;q=");
		text_url(text, query->typed, query->filter_length);
	}
	text_puts(text, "\">");
	text_puts(text, title);
	if (chosen)
		text_puts(text, query->descending ? " \xe2\x96\xbe" : " \xe2\x96\xb4");
	text_puts(text, "</a>");
}

static void put_note(const struct text *note, struct text *text)
{
	if (note->length == 0)
		return;
	text_puts(text, "<pre>\n");
	text_html_lines(text, note->data, note->length);
	text_puts(text, "</pre>\n");
}

static void html_head(const struct render *render, struct text *text)
{
	const struct listing *listing = render->page->listing;
	const struct autoindex *autoindex = listing->autoindex;

	text_puts(text, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
	if (autoindex->base != NULL) {
		text_puts(text, "<base href=\"");
		text_html(text, autoindex->base, strlen(autoindex->base));
		text_puts(text, "\">\n");
	}
	text_puts(text, "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n"
	                "<title>Index of /");
	text_html(text, listing->path, listing->path_length);
	text_puts(text, "</title>\n<style>");
	text_puts(text, style);
	if (autoindex->has_icons)
		put_icons(listing, text);
	text_puts(text, "</style>\n</head>\n<body>\n");
	put_path(listing, text);
	text_puts(text, "<main>\n");
	put_note(&listing->header, text);
	if (!render->fixed)
		put_filter(render, text);
	text_puts(text, "<table>\n<thead><tr>");
	put_column(render, SORT_NAME, "Name", text);
	put_column(render, SORT_SIZE, "Size", text);
	put_column(render, SORT_TIME, "Modified<span> (UTC)</span>", text);
	text_puts(text, "\n<tbody>\n");
	if (listing->path_length > 0) {
		text_puts(text, "<tr><td><a class=\"parent\" href=\"");
		put_above(listing, depth_of(listing), 1, text);
		text_puts(text, "\">Parent folder</a><td><td>\n");
	}
}

static void html_row(const struct render *render, size_t row, struct text *text)
{
	const struct listing *listing = render->page->listing;
	const struct entry *entry = page_entry(render->page, row);
	const bool folder = entry->kind == KIND_FOLDER;
	char stamp[STAMP_LENGTH];

	text_puts(text, "<tr><td><a class=\"");
	text_puts(text, kind_names[entry->kind]);
	text_puts(text, "\" href=\"");
	put_here(listing, text);
	text_url(text, entry->name, entry->length);
	text_puts(text, folder ? "/\">" : "\">");
	text_html(text, entry->name, entry->length);
	text_puts(text, folder ? "/</a><td>" : "</a><td");
	if (!folder && entry->size >= 0) {
		text_puts(text, " title=\"");
		text_number(text, (uint64_t)entry->size);
		text_puts(text, entry->size == 1 ? " byte\">" : " bytes\">");
		text_size(text, entry->size);
	} else if (!folder) {
		text_puts(text, ">");
	}
	text_puts(text, "<td><time datetime=\"");
	stamp_time(stamp, entry->modified);
	text_add(text, stamp, sizeof(stamp));
	text_puts(text, "\">");
	text_add(text, stamp, 10); /* the day */
	text_puts(text, "<span> ");
	text_add(text, stamp + 11, 5); /* hour and minute */
	text_puts(text, "</span></time>\n");
}

static void html_tail(const struct render *render, struct text *text)
{
	const struct listing *listing = render->page->listing;
	const size_t count = page_count(render->page);

	text_puts(text, "</table>\n<p>");
	text_number(text, count);
	text_puts(text, count == 1 ? " entry" : " entries");
	if (render->page->query.filter_length > 0) {
		text_puts(text, " of ");
		text_number(text, listing->count);
		text_puts(text, ", <a href=\"");
		put_above(listing, depth_of(listing), 0, text);
		text_puts(text, "\">show all</a>");
	}
	text_puts(text, "</p>\n");
	put_note(&listing->readme, text);
	text_puts(text, "</main>\n</body>\n</html>\n");
}

const struct format format_html = {
	.type = "text/html; charset=utf-8",
	.head = html_head,
	.row = html_row,
	.tail = html_tail,
};
