/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "log_clock.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define ZONE "/etc/localtime"

/* Without a name for it the C library looks at the file anew whenever somebody, a module say, calls
 * localtime(3), and it is UTC for all of us where the file is out of reach. */
void log_clock_zone(void)
{
	if (access(ZONE, R_OK) == 0)
		(void)setenv("TZ", ":" ZONE, 0);
	tzset();
}

static char *put_number(char *out, int value, int digits)
{
	for (int i = digits - 1; i >= 0; i--) {
		out[i] = (char)('0' + value % 10);
		value /= 10;
	}
	return out + digits;
}

/* Days since 1970-01-01 of a date of the Gregorian calendar, month 0 to 11, years from 1. */
static int64_t days(int year, int month, int day)
{
	/* A year that begins in March has its leap day at its end. */
	int64_t y = month < 2 ? year - 1 : year;
	int64_t m = month < 2 ? month + 10 : month - 2;

	y += 400; /* divisions below round down */
	return y * 365 + y / 4 - y / 100 + y / 400 + (m * 153 + 2) / 5 + day - 1 - 719468 - 146097;
}

/* Offset from UTC in minutes; POSIX 2008 has no tm_gmtoff. */
static int offset(const struct tm *local, int64_t second)
{
	int64_t as_utc = days(local->tm_year + 1900, local->tm_mon, local->tm_mday) * 86400 +
	                 local->tm_hour * 3600 + local->tm_min * 60 + local->tm_sec;

	return (int)((as_utc - second) / 60);
}

void log_clock_set(struct log_clock *clock, int64_t second)
{
	static const char months[12][3] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun",
		                            "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
	const int64_t first = INT64_C(-62135510400); /* 0001-01-02 00:00 UTC */
	const int64_t last = INT64_C(253402214400);  /* 9999-12-31 00:00 UTC */
	struct tm tm;
	time_t time = (time_t)(second < first ? first : second > last ? last : second);
	int minutes = 0;
	char sign;
	char *out;

	if (localtime_r(&time, &tm) == NULL)
		memset(&tm, 0, sizeof(tm));
	else
		minutes = offset(&tm, time);
	sign = minutes < 0 ? '-' : '+';
	minutes = abs(minutes);

	out = put_number(clock->local, tm.tm_mday, 2);
	*out++ = '/';
	memcpy(out, months[tm.tm_mon], 3);
	out[3] = '/';
	out = put_number(out + 4, tm.tm_year + 1900, 4);
	*out++ = ':';
	out = put_number(out, tm.tm_hour, 2);
	*out++ = ':';
	out = put_number(out, tm.tm_min, 2);
	*out++ = ':';
	out = put_number(out, tm.tm_sec, 2);
	*out++ = ' ';
	*out++ = sign;
	out = put_number(out, minutes / 60, 2);
	out = put_number(out, minutes % 60, 2);
	*out = '\0';

	out = put_number(clock->iso, tm.tm_year + 1900, 4);
	*out++ = '-';
	out = put_number(out, tm.tm_mon + 1, 2);
	*out++ = '-';
	out = put_number(out, tm.tm_mday, 2);
	*out++ = 'T';
	memcpy(out, clock->local + 12, 8); /* hh:mm:ss */
	out += 8;
	*out++ = sign;
	out = put_number(out, minutes / 60, 2);
	*out++ = ':';
	out = put_number(out, minutes % 60, 2);
	*out = '\0';

	clock->second = second;
	clock->pid = (int32_t)getpid();
}
