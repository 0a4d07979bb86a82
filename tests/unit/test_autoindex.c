/* SPDX-License-Identifier: BSD-2-Clause */
/* The pure parts of the module autoindex. */
#include "config.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "../../modules/autoindex/query.h"
#include "../../modules/autoindex/sort.h"
#include "../../modules/autoindex/text.h"

#define COUNT(array) ((int)(sizeof(array) / sizeof((array)[0])))

static int compare(const char *a, const char *b)
{
	int result = natural_compare(a, strlen(a), b, strlen(b));

	return (result > 0) - (result < 0);
}

/* Names of a few letters that matter, different for each number. */
static size_t make_name(unsigned number, char *name)
{
	static const char letters[] = "aAbZ019.-/:\x7f\xff";
	size_t length = 0;

	for (; number > 0; number /= sizeof(letters) - 1)
		name[length++] = letters[number % (sizeof(letters) - 1)];
	return length;
}

START_TEST(keys_never_contradict_the_order_of_names)
{
	unsigned seed = 1, told = 0;
	char a[400], b[400];

	for (unsigned i = 0; i < 400000; i++) {
		size_t first = make_name(seed = seed * 1664525 + 1013904223, a);
		size_t second = make_name(seed = seed * 1664525 + 1013904223, b);
		const size_t shared = seed >> 28 & 3;
		uint64_t key, other;

		if (i % 3 == 0)
			second = make_name(seed ^ 0x80000000, b);
		memcpy(b, a, shared <= first && shared <= second ? shared : 0);
		key = natural_key(a, first);
		other = natural_key(b, second);
		if (key == other)
			continue;
		told++;
		ck_assert_msg((key < other) == (natural_compare(a, first, b, second) < 0),
		              "%.*s and %.*s", (int)first, a, (int)second, b);
	}
	ck_assert_uint_gt(told, 300000);
	memset(a, '7', sizeof(a));
	memset(b, '7', sizeof(b));
	for (size_t first = 1; first < sizeof(a); first += 7) {
		for (size_t second = 1; second < sizeof(b); second += 5) {
			if (natural_key(a, first) != natural_key(b, second))
				ck_assert((natural_key(a, first) < natural_key(b, second)) ==
				          (first < second));
		}
	}
	ck_assert_uint_lt(natural_key("file2", 5), natural_key("file10", 6));
	ck_assert_uint_eq(natural_key("007", 3), natural_key("7", 1));
}
END_TEST

START_TEST(names_are_in_natural_order)
{
	static const char *const names[] = {
		"", "!", "0", "1", "01", "2", "10", "a", "A1", "a2", "a2b", "a10", "a10b2", "a10b10",
		"B", "b1.9.1", "b1.10.0", "file2.txt", "file10.txt",
		"n99999999999999999999998", "n99999999999999999999999", "z\xff",
	};

	for (int i = 0; i < COUNT(names); i++) {
		for (int j = 0; j < COUNT(names); j++) {
			/* Only the bytes tell these apart. */
			if (i != j && atoi(names[i]) == 1 && atoi(names[j]) == 1)
				continue;
			ck_assert_msg(compare(names[i], names[j]) == (i > j) - (i < j),
			              "'%s' and '%s'", names[i], names[j]);
		}
	}
	ck_assert_int_ne(compare("1", "01"), 0);
	ck_assert_int_ne(compare("a", "A"), 0);
	ck_assert_int_eq(compare("a", "A"), -compare("A", "a"));
}
END_TEST

static int by_value(const void *context, uint32_t a, uint32_t b)
{
	const int *values = context;

	return (values[a] > values[b]) - (values[a] < values[b]);
}

START_TEST(slices_sort_like_a_whole)
{
	static int values[1000];

	for (size_t count = 0; count <= 1000; count = count * 3 / 2 + 1) {
		for (size_t moves = 1; moves < 5000; moves = moves * 7 + 3) {
			struct sort sort;

			for (size_t i = 0; i < count; i++)
				values[i] = (int)(i * 7919 % 101);
			ck_assert_int_eq(sort_begin(&sort, NULL, count), 0);
			while (!sort_step(&sort, by_value, values, moves))
				;
			for (size_t i = 1; i < count; i++) {
				uint32_t a = sort.order[i - 1], b = sort.order[i];

				/* Stable: equal ones stay in their order. */
				ck_assert(values[a] < values[b] ||
				          (values[a] == values[b] && a < b));
			}
			sort_free(&sort);
		}
	}
}
END_TEST

typedef void add_f(struct text *text, const char *data, size_t length);

static void assert_text(add_f *add, const char *name, const char *expected)
{
	struct text text = { .data = NULL };

	add(&text, name, strlen(name));
	ck_assert_msg(text.length == strlen(expected) &&
	                      memcmp(text.data, expected, text.length) == 0,
	              "'%s' is '%.*s', not '%s'", name, (int)text.length, text.data, expected);
	text_free(&text);
}

START_TEST(names_are_escaped)
{
	assert_text(text_html, "<a b=\"c\" d='e'>&amp;",
	            "&lt;a b=&#34;c&#34; d=&#39;e&#39;&gt;&amp;amp;");
	assert_text(text_html, "new\nline\x7f", "new\xe2\x90\x8aline\xe2\x90\xa1");
	assert_text(text_html, "\xc3\xa4\xff\xc3", "\xc3\xa4\xef\xbf\xbd\xef\xbf\xbd");
	assert_text(text_html, "\xc2\x85", "\xef\xbf\xbd");
	assert_text(text_html_lines, "a\r\n<b>\t", "a\n&lt;b&gt;\t");
	assert_text(text_json, "\"\\\n\x01", "\\\"\\\\\\u000a\\u0001");
	assert_text(text_json, "\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
	assert_text(text_url, "a b/%\xff:?#", "a%20b/%25%FF%3A%3F%23");
	assert_text(text_plain, "a\nb\\\xff", "a\\x0ab\\x5c\xff");
}
END_TEST

START_TEST(sizes_are_rounded)
{
	static const struct {
		int64_t size;
		const char *text;
	} cases[] = {
		{ 0, "0 B" }, { 1, "1 B" }, { 1023, "1023 B" }, { 1024, "1.0 KiB" },
		{ 1536, "1.5 KiB" }, { 10 * 1024, "10 KiB" }, { 1023 * 1024, "1023 KiB" },
		{ 1024 * 1024 - 1, "1.0 MiB" }, { INT64_C(5) << 40, "5.0 TiB" },
		{ INT64_MAX, "8.0 EiB" },
	};

	for (int i = 0; i < COUNT(cases); i++) {
		struct text text = { .data = NULL };

		text_size(&text, cases[i].size);
		ck_assert_msg(text.length == strlen(cases[i].text) &&
		                      memcmp(text.data, cases[i].text, text.length) == 0,
		              "%lld is %.*s, not %s", (long long)cases[i].size, (int)text.length,
		              text.data, cases[i].text);
		text_free(&text);
	}
}
END_TEST

START_TEST(times_are_iso)
{
	static const struct {
		int64_t seconds;
		const char *text;
	} cases[] = {
		{ 0, "1970-01-01T00:00:00Z" },
		{ -1, "1969-12-31T23:59:59Z" },
		{ 951825599, "2000-02-29T11:59:59Z" },
		{ 1709210096, "2024-02-29T12:34:56Z" },
		{ 1709251200, "2024-03-01T00:00:00Z" },
		{ INT64_C(4107542400), "2100-03-01T00:00:00Z" },
		{ INT64_MAX, "9999-12-31T23:59:59Z" },
		{ INT64_MIN, "0000-01-01T00:00:00Z" },
	};

	for (int i = 0; i < COUNT(cases); i++) {
		struct text text = { .data = NULL };

		text_time(&text, cases[i].seconds);
		ck_assert_msg(text.length == 20 && memcmp(text.data, cases[i].text, 20) == 0,
		              "%.*s, not %s", (int)text.length, text.data, cases[i].text);
		text_free(&text);
	}
}
END_TEST

static struct query parse(const char *text)
{
	struct query query;

	query_parse((struct lop_str){ text, strlen(text) }, &query);
	return query;
}

START_TEST(queries_are_understood)
{
	struct query query = parse("sort=size&order=desc&q=A%20b+C%2b&format=json");

	ck_assert_int_eq(query.sort, SORT_SIZE);
	ck_assert_int_eq(query.format, FORMAT_JSON);
	ck_assert(query.descending && query.format_given);
	ck_assert_str_eq(query.typed, "A b C+");
	ck_assert_str_eq(query.filter, "a b c+");
	ck_assert(query_matches(&query, "xA B c+y", 8));
	ck_assert(!query_matches(&query, "A B c", 5));
	query = parse("&&sort=&=&order&q=%&x=%zz&sort=nothing&format=pdf");
	ck_assert_int_eq(query.sort, SORT_NAME);
	ck_assert(!query.descending && !query.format_given);
	ck_assert_str_eq(query.typed, "%");
}
END_TEST

START_TEST(accept_chooses_a_format)
{
	static const struct {
		const char *accept;
		enum query_format format;
	} cases[] = {
		{ "", FORMAT_HTML },
		{ "*/*", FORMAT_HTML },
		{ "application/json", FORMAT_JSON },
		{ "APPLICATION/JSON;q=1.0", FORMAT_JSON },
		{ "application/*", FORMAT_JSON },
		{ "text/*", FORMAT_HTML },
		{ "text/plain", FORMAT_TEXT },
		{ "text/html;q=0.4, text/plain;q=0.5", FORMAT_TEXT },
		{ "application/json;q=0", FORMAT_HTML },
		{ "application/json, */*", FORMAT_JSON },
		{ ",;q=,,", FORMAT_HTML },
	};

	for (int i = 0; i < COUNT(cases); i++) {
		struct lop_str accept = { cases[i].accept, strlen(cases[i].accept) };

		ck_assert_msg(query_accept(accept) == cases[i].format, "%s", cases[i].accept);
	}
	ck_assert_int_eq(query_accept((struct lop_str){ NULL, 0 }), FORMAT_HTML);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("autoindex");
	SRunner *runner = srunner_create(suite);
	TCase *test = tcase_create("pure parts");

	tcase_add_test(test, names_are_in_natural_order);
	tcase_add_test(test, keys_never_contradict_the_order_of_names);
	tcase_add_test(test, slices_sort_like_a_whole);
	tcase_add_test(test, names_are_escaped);
	tcase_add_test(test, sizes_are_rounded);
	tcase_add_test(test, times_are_iso);
	tcase_add_test(test, queries_are_understood);
	tcase_add_test(test, accept_chooses_a_format);
	suite_add_tcase(suite, test);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
