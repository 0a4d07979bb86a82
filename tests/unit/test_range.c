/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "range.h"

#define COUNT(array) ((int)(sizeof(array) / sizeof((array)[0])))

static struct range ranges[RANGE_MAX];

/* The value lies in a buffer of exactly its size, for the sanitizers. */
static int parse(const char *value, int64_t size)
{
	size_t length = strlen(value);
	char *exact = malloc(length > 0 ? length : 1);
	ck_assert_ptr_nonnull(exact);
	memcpy(exact, value, length);
	int result = range_parse((struct lop_str){ exact, length }, size, ranges);
	free(exact);
	return result;
}

/* expected is "first-last first-last ...". */
static void assert_ranges(const char *value, int64_t size, const char *expected)
{
	char text[512] = "";
	int count = parse(value, size);
	for (int i = 0; i < count; i++) {
		size_t length = strlen(text);
		snprintf(text + length, sizeof(text) - length, "%s%lld-%lld", i > 0 ? " " : "",
		         (long long)ranges[i].first,
		         (long long)(ranges[i].first + ranges[i].length - 1));
	}
	ck_assert_msg(strcmp(text, expected) == 0, "%s of %lld: %d, '%s', not '%s'", value,
	              (long long)size, count, text, expected);
}

START_TEST(the_examples_of_rfc_9110_14_1_2)
{
	assert_ranges("bytes=0-499", 10000, "0-499");
	assert_ranges("bytes=500-999", 10000, "500-999");
	assert_ranges("bytes=-500", 10000, "9500-9999");
	assert_ranges("bytes=9500-", 10000, "9500-9999");
	assert_ranges("bytes=0-0,-1", 10000, "0-0 9999-9999");
	assert_ranges("bytes=0-999, 4500-5499, -1000", 10000, "0-999 4500-5499 9000-9999");
	assert_ranges("bytes=500-600,601-999", 10000, "500-999");
	assert_ranges("bytes=500-700,601-999", 10000, "500-999");
}
END_TEST

START_TEST(a_single_range_is_cut_to_the_size)
{
	assert_ranges("bytes=0-0", 1000, "0-0");
	assert_ranges("bytes=999-999", 1000, "999-999");
	assert_ranges("bytes=999-", 1000, "999-999");
	assert_ranges("bytes=999-1000", 1000, "999-999");
	assert_ranges("bytes=500-5000", 1000, "500-999");
	assert_ranges("bytes=-1", 1000, "999-999");
	assert_ranges("bytes=-999", 1000, "1-999");
	assert_ranges("bytes=007-0008", 1000, "7-8");
	assert_ranges("bytes=0-0", 1, "0-0");
}
END_TEST

START_TEST(one_range_may_be_the_whole)
{
	assert_ranges("bytes=0-", 1000, "0-999");
	assert_ranges("bytes=0-999", 1000, "0-999");
	assert_ranges("bytes=0-1000", 1000, "0-999");
	assert_ranges("bytes=-1000", 1000, "0-999");
	assert_ranges("bytes=-1001", 1000, "0-999");
	assert_ranges("bytes=0-,5-", 1000, "0-999");
	assert_ranges("bytes=0-499,500-", 1000, "0-999");
	assert_ranges("bytes=0-0,0-", 1, "0-0");
}
END_TEST

START_TEST(ranges_beyond_the_end_cannot_be_satisfied)
{
	ck_assert_int_eq(parse("bytes=1000-", 1000), -ERANGE);
	ck_assert_int_eq(parse("bytes=1000-1000", 1000), -ERANGE);
	ck_assert_int_eq(parse("bytes=5000-6000", 1000), -ERANGE);
	ck_assert_int_eq(parse("bytes=-0", 1000), -ERANGE);
	ck_assert_int_eq(parse("bytes=1000-,2000-3000,-0", 1000), -ERANGE);
}
END_TEST

START_TEST(only_the_satisfiable_ranges_count)
{
	assert_ranges("bytes=5000-6000,10-19", 1000, "10-19");
	assert_ranges("bytes=0-1,1000-,100-101,-0", 1000, "0-1 100-101");
	assert_ranges("bytes=1000-,0-", 1000, "0-999");
}
END_TEST

START_TEST(an_empty_representation_has_no_range)
{
	ck_assert_int_eq(parse("bytes=0-", 0), -ERANGE);
	ck_assert_int_eq(parse("bytes=0-0", 0), -ERANGE);
	ck_assert_int_eq(parse("bytes=-0", 0), -ERANGE);
	ck_assert_int_eq(parse("bytes=-5", 0), 0);
	ck_assert_int_eq(parse("bytes=0-,-5", 0), 0);
}
END_TEST

START_TEST(other_units_and_bad_syntax_are_ignored)
{
	static const char *const values[] = {
		"", "bytes", "bytes=", "bytes= ", "bytes=,", "bytes=, ,", "byte=0-1",
		"bytess=0-1", "items=0-1", "bytes:0-1", "0-1", "bytes=a-b", "bytes=5-2",
		"bytes=--1", "bytes=1-2-3", "bytes=-", "bytes=1", "bytes=0x1-5",
		"bytes=1-2;3-4", "bytes=+1-2", "bytes=1- 2", "bytes=1 -2", "bytes=1.5-3",
		"bytes=0-1,x", "bytes=0-1,5-2", "bytes =0-1", " bytes=0-1", "bytes=0-1 2-3",
		"bytes=- 5", "bytes=-+5", "bytes=1-+5", "bytes=-5-", "bytes=0-1,-",
		"bytes==0-1", "bytes=0-1\"", "bytes=0-a", "bytes=0-1\r", "bytes=\xc2\xb2-3",
		"bytes", "bytes=1-2/3", "bytes=*", "bytes 0-1/1000", "none",
		"bytes=0-1,bytes=3-4",
	};
	for (int i = 0; i < COUNT(values); i++)
		ck_assert_msg(parse(values[i], 1000) == 0, "%s", values[i]);
}
END_TEST

START_TEST(the_unit_is_known_in_any_case)
{
	assert_ranges("BYTES=0-4", 1000, "0-4");
	assert_ranges("Bytes=0-4", 1000, "0-4");
	ck_assert_int_eq(parse("bytes\x1d"
	                       "0-4",
	                       1000),
	                 0); /* '=' but for bit 5 */
}
END_TEST

START_TEST(the_list_may_hold_white_space_and_empty_elements)
{
	assert_ranges("bytes=0-1 , 100-101,, \t200-201", 1000, "0-1 100-101 200-201");
	assert_ranges("bytes=0-4,", 1000, "0-4");
	assert_ranges("bytes=,0-4", 1000, "0-4");
	assert_ranges("bytes= 0-4 ", 1000, "0-4");
}
END_TEST

START_TEST(the_order_asked_for_is_kept)
{
	assert_ranges("bytes=500-509,0-9,900-", 1000, "500-509 0-9 900-999");
	assert_ranges("bytes=-1,0-0", 1000, "999-999 0-0");
}
END_TEST

START_TEST(overlapping_and_adjoining_ranges_are_coalesced_into_the_first_place)
{
	static const struct {
		const char *value;
		const char *expected;
	} cases[] = {
		{ "bytes=0-9,5-14", "0-14" },
		{ "bytes=5-14,0-9", "0-14" },
		{ "bytes=0-99,10-19", "0-99" },
		{ "bytes=10-19,0-99", "0-99" },
		{ "bytes=10-19,10-19", "10-19" },
		{ "bytes=0-9,10-19", "0-19" },
		{ "bytes=10-19,0-9", "0-19" },
		{ "bytes=0-9,11-19", "0-9 11-19" },
		{ "bytes=11-19,0-9", "11-19 0-9" },
		{ "bytes=-10,-20", "980-999" },
		{ "bytes=0-9,100-109,105-120", "0-9 100-120" },
		{ "bytes=200-209,0-9,100-109,5-105", "200-209 0-109" },
		{ "bytes=100-109,500-509,0-9,5-105,300-301", "0-109 500-509 300-301" },
		{ "bytes=0-0,2-2,4-4,6-6,1-5", "0-6" },
		{ "bytes=500-,0-9,-1,400-499", "400-999 0-9" },
		{ "bytes=0-1,10-11,20-21,5-20", "0-1 5-21" },
		{ "bytes=50-60,30-35,10-20,40-45,15-42", "50-60 10-45" },
	};
	for (int i = 0; i < COUNT(cases); i++)
		assert_ranges(cases[i].value, 1000, cases[i].expected);
}
END_TEST

/* "bytes=0-0,2-2,..." of so many ranges that do not touch. */
static void write_apart(char *value, int count)
{
	strcpy(value, "bytes=");
	for (int i = 0; i < count; i++)
		sprintf(value + strlen(value), "%s%d-%d", i > 0 ? "," : "", 2 * i, 2 * i);
}

START_TEST(too_many_ranges_are_answered_with_the_whole)
{
	char value[4096];
	write_apart(value, RANGE_MAX);
	ck_assert_int_eq(parse(value, 1000), RANGE_MAX);
	write_apart(value, RANGE_MAX + 1);
	ck_assert_int_eq(parse(value, 1000), 0);
	strcat(value, ",1-40"); /* but when they become few */
	assert_ranges(value, 1000, "0-40");
}
END_TEST

START_TEST(too_many_specs_are_answered_with_the_whole)
{
	char value[4096] = "bytes=";
	for (int i = 0; i < 200; i++)
		strcat(value, "5-9,");
	assert_ranges(value, 1000, "5-9");
	strcat(value, "5-9");
	ck_assert_int_eq(parse(value, 1000), 0);
}
END_TEST

START_TEST(two_hundred_ranges_apart_are_counted_before_they_are_too_many)
{
	char value[4096];
	write_apart(value, 199);
	ck_assert_int_eq(parse(value, 1000), 0);
	strcat(value, ",0-");
	assert_ranges(value, 1000, "0-999");
}
END_TEST

START_TEST(numbers_beyond_64_bits_mean_to_the_end)
{
	static const char *const numbers[] = {
		"2147483648", "4294967296", "9223372036854775806", "9223372036854775807",
		"9223372036854775808", "18446744073709551615", "18446744073709551616",
		"18446744073709551621", "10000000000000000000000000000000000000000",
	};
	char value[128];
	for (int i = 0; i < COUNT(numbers); i++) {
		snprintf(value, sizeof(value), "bytes=0-%s", numbers[i]);
		assert_ranges(value, 1000, "0-999");
		snprintf(value, sizeof(value), "bytes=-%s", numbers[i]);
		assert_ranges(value, 1000, "0-999");
		snprintf(value, sizeof(value), "bytes=%s-", numbers[i]);
		ck_assert_int_eq(parse(value, 1000), -ERANGE);
		snprintf(value, sizeof(value), "bytes=%s-%s", numbers[i], numbers[i]);
		ck_assert_int_eq(parse(value, 1000), -ERANGE);
	}
}
END_TEST

START_TEST(the_largest_size_does_not_overflow)
{
	assert_ranges("bytes=0-", INT64_MAX, "0-9223372036854775806");
	assert_ranges("bytes=-1", INT64_MAX, "9223372036854775806-9223372036854775806");
	assert_ranges("bytes=9223372036854775806-9223372036854775807,0-5", INT64_MAX,
	              "9223372036854775806-9223372036854775806 0-5");
	ck_assert_int_eq(parse("bytes=9223372036854775807-", INT64_MAX), -ERANGE);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("range");
	TCase *test = tcase_create("range");
	SRunner *runner = srunner_create(suite);

	tcase_add_test(test, the_examples_of_rfc_9110_14_1_2);
	tcase_add_test(test, a_single_range_is_cut_to_the_size);
	tcase_add_test(test, one_range_may_be_the_whole);
	tcase_add_test(test, ranges_beyond_the_end_cannot_be_satisfied);
	tcase_add_test(test, only_the_satisfiable_ranges_count);
	tcase_add_test(test, an_empty_representation_has_no_range);
	tcase_add_test(test, other_units_and_bad_syntax_are_ignored);
	tcase_add_test(test, the_unit_is_known_in_any_case);
	tcase_add_test(test, the_list_may_hold_white_space_and_empty_elements);
	tcase_add_test(test, the_order_asked_for_is_kept);
	tcase_add_test(test, overlapping_and_adjoining_ranges_are_coalesced_into_the_first_place);
	tcase_add_test(test, too_many_ranges_are_answered_with_the_whole);
	tcase_add_test(test, too_many_specs_are_answered_with_the_whole);
	tcase_add_test(test, two_hundred_ranges_apart_are_counted_before_they_are_too_many);
	tcase_add_test(test, numbers_beyond_64_bits_mean_to_the_end);
	tcase_add_test(test, the_largest_size_does_not_overflow);
	suite_add_tcase(suite, test);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
