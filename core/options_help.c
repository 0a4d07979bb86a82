/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The options for people: --help, and the manual page's list.
 */
#include "config.h"

#include <string.h>

#include "core.h"
#include "options.h"

#define WIDTH 79
#define INDENT 31 /* where the explanations begin */

/* What core and modules know of an option. */
struct shown {
	int letter;
	const char *name;
	const char *argument;
	const char *help;
	const char *preset;
};

/* Prints text wrapped between INDENT and WIDTH; the cursor stands at column. */
static void print_wrapped(const char *text, size_t column, FILE *out)
{
	size_t used = WIDTH; /* the first word begins at INDENT, on a line of its own if need be */

	if (column < INDENT) {
		fprintf(out, "%*s", (int)(INDENT - column), "");
		used = INDENT;
	}
	while (*text != '\0') {
		size_t word = strcspn(text, " ");

		if (used + word + (used > INDENT) > WIDTH && used != INDENT) {
			fprintf(out, "\n%*s", INDENT, "");
			used = INDENT;
		} else if (used > INDENT) {
			fputc(' ', out);
			used++;
		}
		fprintf(out, "%.*s", (int)word, text);
		used += word;
		text += word + strspn(text + word, " ");
	}
	fputc('\n', out);
}

static void print_option(const struct shown *option, FILE *out)
{
	char text[512];
	int column;

	if (option->letter != 0)
		column = fprintf(out, "  -%c, --%s", option->letter, option->name);
	else
		column = fprintf(out, "      --%s", option->name);
	if (option->argument != NULL)
		column += fprintf(out, " %s", option->argument);
	if (option->preset != NULL)
		snprintf(text, sizeof(text), "%s; default %s", option->help, option->preset);
	else
		snprintf(text, sizeof(text), "%s", option->help);
	print_wrapped(text, (size_t)column + 1 > INDENT ? WIDTH : (size_t)column, out);
}

/* mdoc: a line that begins with a dot or a quote would be a request, and a backslash an escape. */
static void print_escaped(const char *text, FILE *out)
{
	if (*text == '.' || *text == '\'')
		fputs("\\&", out);
	for (; *text != '\0'; text++) {
		if (*text == '\\')
			fputs("\\e", out);
		else
			fputc(*text, out);
	}
}

static void print_item(const struct shown *option, FILE *out)
{
	fputs(".It", out);
	if (option->letter != 0)
		fprintf(out, " Fl %c ,", option->letter);
	fprintf(out, " Fl -%s", option->name);
	if (option->argument != NULL)
		fprintf(out, " Ar %s", option->argument);
	fputc('\n', out);
	print_escaped(option->help, out);
	if (option->preset != NULL) {
		fputs("; default ", out);
		print_escaped(option->preset, out);
	}
	fputs(".\n", out);
}

/* How a list of options looks. */
struct look {
	void (*begin)(const char *kind, const char *title, FILE *out);
	void (*option)(const struct shown *option, FILE *out);
	void (*end)(FILE *out);
};

static void print_group(const struct look *look, const struct option_group *group, FILE *out)
{
	look->begin("", group->title, out);
	for (const struct option *option = group->options; option->name != NULL; option++)
		look->option(&(struct shown){ option->letter, option->name, option->argument,
		                              option->help, option->preset },
		             out);
	look->end(out);
}

static void print_module(const struct look *look, const struct lop_module *module, FILE *out)
{
	const struct lop_option *option = module->options;

	if (option == NULL || option->size == 0)
		return;
	look->begin("Module ", module->name, out);
	for (; option->size != 0; option++)
		look->option(&(struct shown){ option->letter, option->name, option->argument,
		                              option->help, NULL },
		             out);
	look->end(out);
}

static void print_all(const struct look *look, const struct lop_core *core, FILE *out)
{
	for (const struct option_group *group = option_groups; group->title != NULL; group++)
		print_group(look, group, out);
	for (size_t i = 0; i < core->modules.count; i++)
		print_module(look, core->modules.items[i].module, out);
}

static void begin_help(const char *kind, const char *title, FILE *out)
{
	fprintf(out, "\n%s%s:\n", kind, title);
}

static void end_help(FILE *out)
{
	(void)out;
}

static void begin_mdoc(const char *kind, const char *title, FILE *out)
{
	fprintf(out, ".Ss %s%s\n.Bl -tag -width Ds\n", kind, title);
}

static void end_mdoc(FILE *out)
{
	fputs(".El\n", out);
}

void options_print_help(const struct lop_core *core, FILE *out)
{
	static const struct look look = { .begin = begin_help,
		                          .option = print_option,
		                          .end = end_help };

	fprintf(out,
	        "usage: %s [options]\n\n"
	        "Serves the files below a folder over HTTP. Sizes take k, m or g at their end;\n"
	        "times are seconds, or take ms, s, m or h. With -M NAME the options of that\n"
	        "module are shown as well.\n",
	        core->program);
	print_all(&look, core, out);
}

void options_print_mdoc(const struct lop_core *core, FILE *out)
{
	static const struct look look = { .begin = begin_mdoc,
		                          .option = print_item,
		                          .end = end_mdoc };

	print_all(&look, core, out);
}
