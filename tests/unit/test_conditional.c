/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "conditional.h"

#define COUNT(array) ((int)(sizeof(array) / sizeof((array)[0])))
#define NOW INT64_C(1700000000)
#define MODIFIED INT64_C(784111777)
#define EXACT "Sun, 06 Nov 1994 08:49:37 GMT"
#define BEFORE "Sun, 06 Nov 1994 08:49:36 GMT"
#define AFTER "Sun, 06 Nov 1994 08:49:38 GMT"
#define ETAG "\"etag\""
#define OTHER "\"other\""

static struct validators current;

static void setup(void)
{
	current = (struct validators){
		.etag = { ETAG, strlen(ETAG) },
		.modified = MODIFIED,
		.modified_strong = true,
		.exists = true,
	};
}

/* A copy of exactly the text's size, for the sanitizers. */
static struct lop_str copy(const char *text)
{
	if (text == NULL)
		return (struct lop_str){ NULL, 0 };
	size_t length = strlen(text);
	char *exact = malloc(length > 0 ? length : 1);
	ck_assert_ptr_nonnull(exact);
	memcpy(exact, text, length);
	return (struct lop_str){ exact, length };
}

static void release(struct lop_str text)
{
	free((void *)(uintptr_t)text.data);
}

static int check(bool safe, const char *match, const char *unmodified, const char *none_match,
                 const char *modified)
{
	struct conditions conditions = {
		.if_match = copy(match),
		.if_unmodified_since = copy(unmodified),
		.if_none_match = copy(none_match),
		.if_modified_since = copy(modified),
	};
	int result = conditional_check(&conditions, &current, safe, NOW);
	release(conditions.if_match);
	release(conditions.if_unmodified_since);
	release(conditions.if_none_match);
	release(conditions.if_modified_since);
	return result;
}

static int if_match(const char *value)
{
	return check(true, value, NULL, NULL, NULL);
}

static int if_unmodified_since(const char *value)
{
	return check(true, NULL, value, NULL, NULL);
}

static int if_none_match(const char *value)
{
	return check(true, NULL, NULL, value, NULL);
}

static int if_modified_since(const char *value)
{
	return check(true, NULL, NULL, NULL, value);
}

static bool if_range(const char *value)
{
	struct conditions conditions = { .if_range = copy(value) };
	bool result = conditional_range(&conditions, &current, NOW);
	release(conditions.if_range);
	return result;
}

START_TEST(without_a_condition_all_goes_on)
{
	ck_assert_int_eq(check(true, NULL, NULL, NULL, NULL), 0);
	ck_assert_int_eq(check(false, NULL, NULL, NULL, NULL), 0);
	ck_assert(if_range(NULL));
}
END_TEST

START_TEST(if_match_compares_strongly)
{
	static const char *const good[] = {
		ETAG, "*", OTHER ", " ETAG, ETAG "," OTHER, "W/" ETAG ", " ETAG, " , ,\t" ETAG,
		OTHER ",," ETAG " ", "\"\", " ETAG, "\"a,b\"," ETAG,
	};
	static const char *const bad[] = {
		OTHER, "W/" ETAG, OTHER ", W/" ETAG, "etag", "\"etag", "etag\"", "\"eta\"",
		"\"etags\"", "\"Etag\"", "", ",", "**", "*, " ETAG, "\"*\"", OTHER " " ETAG,
		OTHER ";" ETAG, "x, " ETAG, "\"a b\", " ETAG, "w/" ETAG, "W/ " ETAG, "\"\"",
		"\"", "W/", "W", "\"" ETAG "\"", "\"et\x01g\"", "\"et\x7fg\", " ETAG,
	};
	for (int i = 0; i < COUNT(good); i++)
		ck_assert_msg(if_match(good[i]) == 0, "%s", good[i]);
	for (int i = 0; i < COUNT(bad); i++)
		ck_assert_msg(if_match(bad[i]) == 412, "%s", bad[i]);
}
END_TEST

START_TEST(if_none_match_compares_weakly)
{
	static const char *const same[] = {
		ETAG, "*", "W/" ETAG, OTHER ", W/" ETAG, ETAG "," OTHER,
		"\"a\" , W/" ETAG " ,\"b\"", "\"with,comma\", " ETAG,
	};
	static const char *const other[] = {
		OTHER, "W/" OTHER, "\"a\", \"b\"", "etag",         "\"etag",
		"",    "\"*\"",    "w/" ETAG,      "\"\"etag\"\"",
	};
	for (int i = 0; i < COUNT(same); i++) {
		ck_assert_msg(if_none_match(same[i]) == 304, "%s", same[i]);
		ck_assert_msg(check(false, NULL, NULL, same[i], NULL) == 412, "%s", same[i]);
	}
	for (int i = 0; i < COUNT(other); i++) {
		ck_assert_msg(if_none_match(other[i]) == 0, "%s", other[i]);
		ck_assert_msg(check(false, NULL, NULL, other[i], NULL) == 0, "%s", other[i]);
	}
}
END_TEST

START_TEST(bytes_above_ascii_may_stand_in_an_entity_tag)
{
	ck_assert_int_eq(if_none_match("\"\xc3\xbc!#\", " ETAG), 304);
}
END_TEST

START_TEST(what_does_not_exist_matches_nothing)
{
	current.exists = false;
	ck_assert_int_eq(if_match("*"), 412);
	ck_assert_int_eq(if_match(ETAG), 412);
	ck_assert_int_eq(if_none_match("*"), 0);
	ck_assert_int_eq(if_none_match(ETAG), 0);
	ck_assert_int_eq(if_modified_since(EXACT), 0);
	ck_assert_int_eq(if_unmodified_since(BEFORE), 0);
	ck_assert(!if_range(ETAG));
	ck_assert(!if_range(EXACT));
}
END_TEST

START_TEST(without_an_etag_only_the_star_matches)
{
	current.etag = (struct lop_str){ NULL, 0 };
	ck_assert_int_eq(if_match("*"), 0);
	ck_assert_int_eq(if_match(ETAG), 412);
	ck_assert_int_eq(if_none_match("*"), 304);
	ck_assert_int_eq(if_none_match(ETAG), 0);
	ck_assert(!if_range(ETAG));
}
END_TEST

START_TEST(if_modified_since_compares_with_the_date)
{
	ck_assert_int_eq(if_modified_since(EXACT), 304);
	ck_assert_int_eq(if_modified_since(AFTER), 304);
	ck_assert_int_eq(if_modified_since(BEFORE), 0);
	ck_assert_int_eq(if_modified_since("Sunday, 06-Nov-94 08:49:37 GMT"), 304);
	ck_assert_int_eq(if_modified_since("Sun Nov  6 08:49:37 1994"), 304);
	ck_assert_int_eq(if_modified_since("Sun Nov  6 08:49:36 1994"), 0);
}
END_TEST

START_TEST(if_modified_since_is_for_get_and_head_only)
{
	ck_assert_int_eq(check(false, NULL, NULL, NULL, EXACT), 0);
	ck_assert_int_eq(check(false, NULL, NULL, NULL, AFTER), 0);
}
END_TEST

START_TEST(if_unmodified_since_compares_with_the_date)
{
	ck_assert_int_eq(if_unmodified_since(EXACT), 0);
	ck_assert_int_eq(if_unmodified_since(AFTER), 0);
	ck_assert_int_eq(if_unmodified_since(BEFORE), 412);
	ck_assert_int_eq(check(false, NULL, BEFORE, NULL, NULL), 412);
}
END_TEST

START_TEST(a_date_that_is_none_is_ignored)
{
	static const char *const texts[] = { "",         "yesterday",     "0", "*", ETAG,
		                             EXACT " x", AFTER ", " AFTER };
	for (int i = 0; i < COUNT(texts); i++) {
		ck_assert_int_eq(if_modified_since(texts[i]), 0);
		ck_assert_int_eq(if_unmodified_since(texts[i]), 0);
	}
}
END_TEST

START_TEST(without_last_modified_dates_are_ignored)
{
	current.modified = INT64_MIN;
	ck_assert_int_eq(if_modified_since(AFTER), 0);
	ck_assert_int_eq(if_unmodified_since(BEFORE), 0);
	ck_assert(!if_range(EXACT));
}
END_TEST

/* Each combination of the four fields against RFC 9110 13.2.2, written down step by step. */
START_TEST(the_order_of_preconditions)
{
	static const char *const tags[] = { NULL, ETAG, OTHER };
	static const char *const dates[] = { NULL, EXACT, BEFORE };
	for (int i = 0; i < 3 * 3 * 3 * 3 * 2; i++) {
		int match = i % 3, unmodified = i / 3 % 3, none_match = i / 9 % 3,
		    modified = i / 27 % 3;
		bool safe = i / 81 == 0;
		int expected = 0;
		if (match == 2 || (match == 0 && unmodified == 2))
			expected = 412;
		else if (none_match == 1)
			expected = safe ? 304 : 412;
		else if (none_match == 0 && modified == 1 && safe)
			expected = 304;
		int result = check(safe, tags[match], dates[unmodified], tags[none_match],
		                   dates[modified]);
		ck_assert_msg(result == expected, "%d %d %d %d %d: %d, not %d", match, unmodified,
		              none_match, modified, safe, result, expected);
	}
}
END_TEST

START_TEST(if_range_compares_strongly)
{
	ck_assert(if_range(ETAG));
	ck_assert(!if_range(OTHER));
	ck_assert(!if_range("W/" ETAG));
	ck_assert(!if_range(ETAG ", " ETAG));
	ck_assert(!if_range(ETAG " "));
	ck_assert(!if_range("*"));
	ck_assert(!if_range(""));
	ck_assert(!if_range("etag"));
	ck_assert(!if_range("\"etag"));
	ck_assert(!if_range("\""));
}
END_TEST

START_TEST(if_range_with_a_date_must_be_exact)
{
	ck_assert(if_range(EXACT));
	ck_assert(if_range("Sunday, 06-Nov-94 08:49:37 GMT"));
	ck_assert(!if_range(BEFORE));
	ck_assert(!if_range(AFTER));
	ck_assert(!if_range(EXACT "x"));
}
END_TEST

START_TEST(if_range_with_a_date_needs_a_strong_last_modified)
{
	current.modified_strong = false;
	ck_assert(!if_range(EXACT));
	ck_assert(if_range(ETAG));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("conditional");
	TCase *test = tcase_create("conditional");
	SRunner *runner = srunner_create(suite);

	tcase_add_checked_fixture(test, setup, NULL);
	tcase_add_test(test, without_a_condition_all_goes_on);
	tcase_add_test(test, if_match_compares_strongly);
	tcase_add_test(test, if_none_match_compares_weakly);
	tcase_add_test(test, bytes_above_ascii_may_stand_in_an_entity_tag);
	tcase_add_test(test, what_does_not_exist_matches_nothing);
	tcase_add_test(test, without_an_etag_only_the_star_matches);
	tcase_add_test(test, if_modified_since_compares_with_the_date);
	tcase_add_test(test, if_modified_since_is_for_get_and_head_only);
	tcase_add_test(test, if_unmodified_since_compares_with_the_date);
	tcase_add_test(test, a_date_that_is_none_is_ignored);
	tcase_add_test(test, without_last_modified_dates_are_ignored);
	tcase_add_test(test, the_order_of_preconditions);
	tcase_add_test(test, if_range_compares_strongly);
	tcase_add_test(test, if_range_with_a_date_must_be_exact);
	tcase_add_test(test, if_range_with_a_date_needs_a_strong_last_modified);
	suite_add_tcase(suite, test);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
