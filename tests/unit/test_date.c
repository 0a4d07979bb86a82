/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "date.h"

#define COUNT(array) ((int)(sizeof(array) / sizeof((array)[0])))
#define NOW INT64_C(1700000000) /* Tue, 14 Nov 2023 22:13:20 GMT */
#define EXAMPLE INT64_C(784111777)

static int64_t seconds;

static int parse_at(const char *text, int64_t now)
{
	size_t length = strlen(text);
	char *exact = malloc(length > 0 ? length : 1);
	ck_assert_ptr_nonnull(exact);
	memcpy(exact, text, length);
	seconds = -1;
	int result = date_parse((struct lop_str){ exact, length }, now, &seconds);
	free(exact);
	return result;
}

static void assert_date(const char *text, int64_t expected)
{
	ck_assert_msg(parse_at(text, NOW) == 0, "%s is refused", text);
	ck_assert_msg(seconds == expected, "%s: %lld, not %lld", text, (long long)seconds,
	              (long long)expected);
}

static void assert_format(int64_t moment, const char *expected)
{
	char text[DATE_LENGTH + 1];
	text[DATE_LENGTH] = '~';
	date_format(text, moment);
	ck_assert_int_eq(text[DATE_LENGTH], '~');
	ck_assert_msg(memcmp(text, expected, DATE_LENGTH) == 0, "%.*s, not %s", DATE_LENGTH, text,
	              expected);
}

START_TEST(the_three_forms_of_rfc_9110_are_one_moment)
{
	assert_date("Sun, 06 Nov 1994 08:49:37 GMT", EXAMPLE);
	assert_date("Sunday, 06-Nov-94 08:49:37 GMT", EXAMPLE);
	assert_date("Sun Nov  6 08:49:37 1994", EXAMPLE);
}
END_TEST

START_TEST(moments_are_written_in_the_preferred_form)
{
	assert_format(EXAMPLE, "Sun, 06 Nov 1994 08:49:37 GMT");
	assert_format(0, "Thu, 01 Jan 1970 00:00:00 GMT");
	assert_format(-1, "Wed, 31 Dec 1969 23:59:59 GMT");
	assert_format(NOW, "Tue, 14 Nov 2023 22:13:20 GMT");
	assert_format(951782400, "Tue, 29 Feb 2000 00:00:00 GMT");
	assert_format(951868799, "Tue, 29 Feb 2000 23:59:59 GMT");
	assert_format(951868800, "Wed, 01 Mar 2000 00:00:00 GMT");
	assert_format(2147483648, "Tue, 19 Jan 2038 03:14:08 GMT");
	assert_format(4107542400, "Mon, 01 Mar 2100 00:00:00 GMT");
	assert_format(4107542399, "Sun, 28 Feb 2100 23:59:59 GMT");
	assert_format(-2208988800, "Mon, 01 Jan 1900 00:00:00 GMT");
	assert_format(-62135596800, "Mon, 01 Jan 0001 00:00:00 GMT");
}
END_TEST

START_TEST(moments_beyond_four_digits_of_a_year_are_clamped)
{
	assert_format(253402300799, "Fri, 31 Dec 9999 23:59:59 GMT");
	assert_format(253402300800, "Fri, 31 Dec 9999 23:59:59 GMT");
	assert_format(INT64_MAX, "Fri, 31 Dec 9999 23:59:59 GMT");
	assert_format(-62167219200, "Sat, 01 Jan 0000 00:00:00 GMT");
	assert_format(-62167219201, "Sat, 01 Jan 0000 00:00:00 GMT");
	assert_format(INT64_MIN, "Sat, 01 Jan 0000 00:00:00 GMT");
}
END_TEST

/* Writes and reads a moment; no assertion that holds is counted, as there are many moments. */
static void round_trip(int64_t moment, char text[DATE_LENGTH])
{
	date_format(text, moment);
	if (date_parse((struct lop_str){ text, DATE_LENGTH }, NOW, &seconds) != 0 ||
	    seconds != moment)
		ck_abort_msg("%.*s is read as %lld", DATE_LENGTH, text, (long long)seconds);
}

START_TEST(every_day_of_centuries_agrees_with_the_c_library)
{
	for (int64_t day = -100000; day < 100000; day++) {
		time_t moment = (time_t)(day * 86400 + (day * 7919 % 86400 + 86400) % 86400);
		char expected[64], text[DATE_LENGTH];
		struct tm tm;
		gmtime_r(&moment, &tm);
		strftime(expected, sizeof(expected), "%a, %d %b %Y %H:%M:%S GMT", &tm);
		round_trip(moment, text);
		if (memcmp(text, expected, DATE_LENGTH) != 0)
			ck_abort_msg("%.*s, not %s", DATE_LENGTH, text, expected);
	}
}
END_TEST

START_TEST(all_years_from_0_to_9999_survive_a_round_trip)
{
	char text[DATE_LENGTH];
	for (int64_t moment = -62167219200; moment <= 253402300799; moment += 15778463)
		round_trip(moment, text);
}
END_TEST

START_TEST(the_days_of_a_month_are_checked)
{
	assert_date("Mon, 31 Dec 2001 00:00:00 GMT", 1009756800);
	assert_date("Sat, 29 Feb 2020 00:00:00 GMT", 1582934400);
	assert_date("Tue, 29 Feb 2000 00:00:00 GMT", 951782400);
	ck_assert_int_eq(parse_at("Thu, 29 Feb 2019 00:00:00 GMT", NOW), -EINVAL);
	ck_assert_int_eq(parse_at("Thu, 29 Feb 2100 00:00:00 GMT", NOW), -EINVAL);
	ck_assert_int_eq(parse_at("Thu, 30 Feb 2020 00:00:00 GMT", NOW), -EINVAL);
	ck_assert_int_eq(parse_at("Thu, 31 Apr 2020 00:00:00 GMT", NOW), -EINVAL);
	ck_assert_int_eq(parse_at("Thu, 32 Jan 2020 00:00:00 GMT", NOW), -EINVAL);
	ck_assert_int_eq(parse_at("Thu, 00 Jan 2020 00:00:00 GMT", NOW), -EINVAL);
}
END_TEST

START_TEST(the_time_of_day_is_checked)
{
	assert_date("Sun, 06 Nov 1994 00:00:00 GMT", 784080000);
	assert_date("Sun, 06 Nov 1994 23:59:59 GMT", 784166399);
	assert_date("Sat, 31 Dec 2016 23:59:60 GMT", 1483228800); /* a leap second */
	ck_assert_int_eq(parse_at("Sun, 06 Nov 1994 24:00:00 GMT", NOW), -EINVAL);
	ck_assert_int_eq(parse_at("Sun, 06 Nov 1994 00:60:00 GMT", NOW), -EINVAL);
	ck_assert_int_eq(parse_at("Sun, 06 Nov 1994 00:00:61 GMT", NOW), -EINVAL);
}
END_TEST

START_TEST(the_weekday_must_be_one_but_need_not_fit)
{
	assert_date("Mon, 06 Nov 1994 08:49:37 GMT", EXAMPLE);
	assert_date("Wednesday, 06-Nov-94 08:49:37 GMT", EXAMPLE);
	ck_assert_int_eq(parse_at("Foo, 06 Nov 1994 08:49:37 GMT", NOW), -EINVAL);
	ck_assert_int_eq(parse_at("sun, 06 Nov 1994 08:49:37 GMT", NOW), -EINVAL);
	ck_assert_int_eq(parse_at("Sundays, 06-Nov-94 08:49:37 GMT", NOW), -EINVAL);
	ck_assert_int_eq(parse_at("Sunda, 06-Nov-94 08:49:37 GMT", NOW), -EINVAL);
	ck_assert_int_eq(parse_at("Wednesdays, 06-Nov-94 08:49:37 GMT", NOW), -EINVAL);
	ck_assert_int_eq(parse_at("Sun, 06-Nov-94 08:49:37 GMT", NOW), -EINVAL);
}
END_TEST

START_TEST(asctime_pads_the_day_with_a_space)
{
	assert_date("Wed Nov 16 08:49:37 1994", EXAMPLE + 10 * 86400);
	assert_date("Sun Nov 06 08:49:37 1994", EXAMPLE);
	ck_assert_int_eq(parse_at("Sun Nov 6 08:49:37 1994", NOW), -EINVAL);
	ck_assert_int_eq(parse_at("Sun Nov   08:49:37 1994", NOW), -EINVAL);
	ck_assert_int_eq(parse_at("Sun Nov  0 08:49:37 1994", NOW), -EINVAL);
	ck_assert_int_eq(parse_at("Sun Nov  6 08:49:37 1994 GMT", NOW), -EINVAL);
	ck_assert_int_eq(parse_at("Sun Nov  6 08:49:37 94", NOW), -EINVAL);
}
END_TEST

START_TEST(text_that_is_no_date_is_refused)
{
	static const char *const texts[] = {
		"", "S", "Sun", "Sun,", "Sun ", "yesterday", "0", "784111777", "*", "\"etag\"",
		"Sun, 6 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:37", "Sun, 06 Nov 1994",
		"Sun, 06 Nov 1994 08:49:37 UTC", "Sun, 06 Nov 1994 08:49:37 +0000",
		"Sun, 06 Nov 1994 08:49:37 GMT ", "Sun, 06 Nov 1994 08:49:37 GMTx",
		" Sun, 06 Nov 1994 08:49:37 GMT", "Sun,06 Nov 1994 08:49:37 GMT",
		"Sun, 06 nov 1994 08:49:37 GMT", "Sun, 06 Foo 1994 08:49:37 GMT",
		"Sun, 06 Nov 94 08:49:37 GMT", "Sun, 06 Nov 19940 08:49:37 GMT",
		"Sun, 06 Nov -994 08:49:37 GMT", "Sun, 06 Nov 1994 8:49:37 GMT",
		"Sun, 06 Nov 1994 08:49 GMT", "Sun, 06 Nov 1994 08.49.37 GMT",
		"Sun, +6 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:4a:37 GMT",
		"Sun, 06 Nov 1994 08:49:37 gmt", "Sun, 06  Nov 1994 08:49:37 GMT",
		"Sunday, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-1994 08:49:37 GMT",
		"Sunday, 06-Nov-94 08:49:37", "Sunday 06-Nov-94 08:49:37 GMT", "Sunday,",
		"Sunday, 06-Foo-94 08:49:37 GMT", "Sunday, 40-Nov-94 08:49:37 GMT",
		"1994-11-06T08:49:37Z",
		"Sun, 06 Nov 1994 08:49:37 GMT, Sun, 06 Nov 1994 08:49:37 GMT",
		"99999999999999999999999999999", "Sun\t06 Nov 1994 08:49:37 GMT",
		"Sun, 06 Nov 199: 08:49:37 GMT", "Sun, 0: Nov 1994 08:49:37 GMT",
		"Sun, 06 Nov 1994 08:4/:37 GMT", "Sunday, 06-Nov-9: 08:49:37 GMT",
		"Sun, 0\xb6 Nov 1994 08:49:37 GMT",
	};
	for (int i = 0; i < COUNT(texts); i++)
		ck_assert_msg(parse_at(texts[i], NOW) == -EINVAL, "%s", texts[i]);
}
END_TEST

START_TEST(a_date_cut_short_anywhere_is_refused)
{
	static const char *const texts[] = {
		"Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT",
		"Sun Nov  6 08:49:37 1994",
	};
	for (int i = 0; i < COUNT(texts); i++) {
		for (size_t length = 0; length < strlen(texts[i]); length++) {
			char part[64] = "";
			memcpy(part, texts[i], length);
			ck_assert_msg(parse_at(part, NOW) == -EINVAL, "%s", part);
		}
	}
}
END_TEST

static int year_of(const char *text, int64_t now)
{
	char date[DATE_LENGTH + 1] = "";
	ck_assert_int_eq(parse_at(text, now), 0);
	date_format(date, seconds);
	return atoi(date + 12);
}

START_TEST(two_digits_of_a_year_are_at_most_50_years_ahead)
{
	ck_assert_int_eq(year_of("Sunday, 06-Nov-94 08:49:37 GMT", NOW), 1994);
	ck_assert_int_eq(year_of("Sunday, 06-Nov-00 08:49:37 GMT", NOW), 2000);
	ck_assert_int_eq(year_of("Sunday, 06-Nov-23 08:49:37 GMT", NOW), 2023);
	ck_assert_int_eq(year_of("Sunday, 06-Nov-72 08:49:37 GMT", NOW), 2072);
	ck_assert_int_eq(year_of("Sunday, 06-Nov-73 08:49:37 GMT", NOW), 2073);
	ck_assert_int_eq(year_of("Sunday, 14-Nov-73 22:13:20 GMT", NOW), 2073);
	ck_assert_int_eq(year_of("Sunday, 14-Nov-73 22:13:21 GMT", NOW), 1973);
	ck_assert_int_eq(year_of("Sunday, 31-Dec-73 08:49:37 GMT", NOW), 1973);
	ck_assert_int_eq(year_of("Sunday, 06-Nov-74 08:49:37 GMT", NOW), 1974);
	ck_assert_int_eq(year_of("Sunday, 06-Nov-99 08:49:37 GMT", NOW), 1999);
	/* in 1994 and in 2060 */
	ck_assert_int_eq(year_of("Sunday, 06-Nov-43 08:49:37 GMT", EXAMPLE), 2043);
	ck_assert_int_eq(year_of("Sunday, 06-Nov-45 08:49:37 GMT", EXAMPLE), 1945);
	ck_assert_int_eq(year_of("Sunday, 06-Nov-94 08:49:37 GMT", 2840140800), 2094);
	ck_assert_int_eq(year_of("Sunday, 06-Nov-05 08:49:37 GMT", 2840140800), 2105);
	ck_assert_int_eq(year_of("Sunday, 06-Nov-15 08:49:37 GMT", 2840140800), 2015);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("date");
	TCase *test = tcase_create("date");
	SRunner *runner = srunner_create(suite);

	tcase_add_test(test, the_three_forms_of_rfc_9110_are_one_moment);
	tcase_add_test(test, moments_are_written_in_the_preferred_form);
	tcase_add_test(test, moments_beyond_four_digits_of_a_year_are_clamped);
	tcase_add_test(test, every_day_of_centuries_agrees_with_the_c_library);
	tcase_add_test(test, all_years_from_0_to_9999_survive_a_round_trip);
	tcase_add_test(test, the_days_of_a_month_are_checked);
	tcase_add_test(test, the_time_of_day_is_checked);
	tcase_add_test(test, the_weekday_must_be_one_but_need_not_fit);
	tcase_add_test(test, asctime_pads_the_day_with_a_space);
	tcase_add_test(test, text_that_is_no_date_is_refused);
	tcase_add_test(test, a_date_cut_short_anywhere_is_refused);
	tcase_add_test(test, two_digits_of_a_year_are_at_most_50_years_ahead);
	suite_add_tcase(suite, test);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
