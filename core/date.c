/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "date.h"

#include <errno.h>
#include <string.h>

#define DAY 86400
#define YEAR_0 INT64_C(-62167219200)    /* 0000-01-01 00:00:00 */
#define YEAR_9999 INT64_C(253402300799) /* 9999-12-31 23:59:59 */

/* A moment of the proleptic Gregorian calendar. */
struct moment {
	int year;
	int month; /* 1 to 12 */
	int day;   /* 1 to 31 */
	int hour;
	int minute;
	int second;
};

static const char months[12][4] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun",
	                            "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };

/* From Thursday, the day of 1970-01-01. */
static const char weekdays[7][10] = { "Thursday", "Friday",  "Saturday", "Sunday",
	                              "Monday",   "Tuesday", "Wednesday" };

/* Days since 1970-01-01. Counts years from March, so that the leap day is the last, in eras of 400
 * years, which have 146097 days each. */
static int64_t days_from(int year, int month, int day)
{
	int64_t y = year - (month <= 2) + 400; /* not negative for year 0 */
	int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
	return 365 * y + y / 4 - y / 100 + y / 400 + day_of_year - 719468 - 146097;
}

static int64_t to_seconds(const struct moment *moment)
{
	return days_from(moment->year, moment->month, moment->day) * DAY + moment->hour * 3600 +
	       moment->minute * 60 + moment->second;
}

/* seconds within the years 0 to 9999. */
static void from_seconds(int64_t seconds, struct moment *moment)
{
	int64_t days = (seconds - YEAR_0) / DAY - 60; /* since 0000-03-01 */
	int rest = (int)((seconds - YEAR_0) % DAY);
	int64_t in_era = days + 146097;
	int64_t era = in_era / 146097;
	in_era %= 146097;
	int64_t year = (in_era - in_era / 1460 + in_era / 36524 - in_era / 146096) / 365;
	int day_of_year = (int)(in_era - (365 * year + year / 4 - year / 100));
	int month = (5 * day_of_year + 2) / 153; /* 0 is March */

	moment->day = day_of_year - (153 * month + 2) / 5 + 1;
	moment->month = month < 10 ? month + 3 : month - 9;
	moment->year = (int)(year + (era - 1) * 400) + (moment->month <= 2);
	moment->hour = rest / 3600;
	moment->minute = rest / 60 % 60;
	moment->second = rest % 60;
}

static int64_t clamp(int64_t seconds)
{
	if (seconds < YEAR_0)
		return YEAR_0;
	return seconds > YEAR_9999 ? YEAR_9999 : seconds;
}

static void put_two(char *out, int number)
{
	out[0] = (char)('0' + number / 10);
	out[1] = (char)('0' + number % 10);
}

void date_format(char out[DATE_LENGTH], int64_t seconds)
{
	struct moment moment;
	seconds = clamp(seconds);
	from_seconds(seconds, &moment);
	/* 1970-01-01, a Thursday, is day 719528: two days short of whole weeks. */
	int weekday = (int)(((seconds - YEAR_0) / DAY + 2) % 7);

	memcpy(out, "ddd, dd mmm yyyy hh:mm:ss GMT", DATE_LENGTH);
	memcpy(out, weekdays[weekday], 3);
	put_two(out + 5, moment.day);
	memcpy(out + 8, months[moment.month - 1], 3);
	put_two(out + 12, moment.year / 100);
	put_two(out + 14, moment.year % 100);
	put_two(out + 17, moment.hour);
	put_two(out + 20, moment.minute);
	put_two(out + 23, moment.second);
}

/* A number of exactly `digits` digits, or -1. */
static int read_number(const char *at, int digits)
{
	int number = 0;
	for (int i = 0; i < digits; i++) {
		if (at[i] < '0' || at[i] > '9')
			return -1;
		number = number * 10 + (at[i] - '0');
	}
	return number;
}

/* 1 to 12, or -1. */
static int read_month(const char *at)
{
	for (int i = 0; i < 12; i++) {
		if (memcmp(at, months[i], 3) == 0)
			return i + 1;
	}
	return -1;
}

/* Whether a weekday's name, or its first `length` bytes, stand there. */
static int read_weekday(const char *at, size_t length)
{
	for (int i = 0; i < 7; i++) {
		size_t whole = strlen(weekdays[i]);
		if (memcmp(at, weekdays[i], length) == 0 && (length == 3 || length == whole))
			return 0;
	}
	return -1;
}

/*
 * Reads text by a form in which a small letter is a field and anything else stands for itself:
 * w weekday of three letters, d day, e day with a space before one digit, m month, c year of four
 * digits, y of two, h hour, n minute, s second. Returns 0 or -EINVAL.
 */
static int read_form(struct moment *moment, const char *form, const char *at, const char *end)
{
	for (; *form != '\0'; form++) {
		int width = *form == 'w' || *form == 'm' ? 3 : *form == 'c' ? 4 : 2;
		int value = 0;
		if (*form < 'a' || *form > 'z')
			width = 1;
		if (end - at < width)
			return -EINVAL;
		if (*form == 'w')
			value = read_weekday(at, 3);
		else if (*form == 'm')
			value = moment->month = read_month(at);
		else if (*form == 'e' && at[0] == ' ')
			value = moment->day = read_number(at + 1, 1);
		else if (*form == 'd' || *form == 'e')
			value = moment->day = read_number(at, 2);
		else if (*form == 'c' || *form == 'y')
			value = moment->year = read_number(at, width);
		else if (*form == 'h')
			value = moment->hour = read_number(at, 2);
		else if (*form == 'n')
			value = moment->minute = read_number(at, 2);
		else if (*form == 's')
			value = moment->second = read_number(at, 2);
		else if (*at != *form)
			value = -1;
		if (value < 0)
			return -EINVAL;
		at += width;
	}
	return at == end ? 0 : -EINVAL;
}

static int is_valid(const struct moment *moment)
{
	static const char lengths[12] = { 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	int year = moment->year;
	int leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

	if (moment->day < 1 || moment->day > lengths[moment->month - 1])
		return 0;
	if (moment->month == 2 && moment->day == 29 && !leap)
		return 0;
	return moment->hour < 24 && moment->minute < 60 && moment->second <= 60;
}

/* RFC 9110 5.6.7: what appears to be more than 50 years in the future is of the last century that
 * fits. */
static void set_century(struct moment *moment, int64_t now)
{
	struct moment horizon;
	from_seconds(clamp(now), &horizon);
	horizon.year += 50;
	moment->year += horizon.year / 100 * 100;
	if (to_seconds(moment) > to_seconds(&horizon))
		moment->year -= 100;
}

int date_parse(struct lop_str text, int64_t now, int64_t *seconds)
{
	struct moment moment = { 0 };
	const char *at = text.data;
	const char *end = at + text.length;
	const char *comma;
	int result;

	if (text.length < 4)
		return -EINVAL;
	if (at[3] == ',') {
		result = read_form(&moment, "w, d m c h:n:s GMT", at, end);
	} else if (at[3] == ' ') {
		result = read_form(&moment, "w m e h:n:s c", at, end);
	} else {
		comma = memchr(at, ',', text.length);
		if (comma == NULL || comma - at > 9 || read_weekday(at, (size_t)(comma - at)) != 0)
			return -EINVAL;
		result = read_form(&moment, ", d-m-y h:n:s GMT", comma, end);
		if (result == 0)
			set_century(&moment, now);
	}
	if (result != 0 || !is_valid(&moment))
		return -EINVAL;
	*seconds = to_seconds(&moment);
	return 0;
}
