/* SPDX-License-Identifier: MIT */
/*
 * date.c - HTTP dates (RFC 9110, 5.6.7), without the C library's: timegm knows
 * no end of years, strftime and strptime ask the locale.
 *
 * Days are counted in years that begin in March, so that the leap day is the
 * last one: 365 * y + y/4 - y/100 + y/400 days before year y, and the months
 * before m (March is 0) have (153 * m + 2) / 5 days.
 */
#include <mayfly/http_text.h>

#include <errno.h>
#include <string.h>

static const char days[7][10] = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                 "Thursday", "Friday", "Saturday"};
static const char months[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                   "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

enum { DAY = 86400, EPOCH = 719468 }; /* days from 0000-03-01 to 1970-01-01 */

static const int64_t first = -INT64_C(62135596800); /* 0001-01-01 */
static const int64_t last = INT64_C(253402300799);  /* 9999-12-31 23:59:59 */

static int64_t days_of(int64_t year, int month, int day)
{
    int64_t y = month <= 2 ? year - 1 : year;
    int m = month <= 2 ? month + 9 : month - 3;

    return 365 * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1 -
           EPOCH;
}

static void date_of(int64_t days_since, int *year, int *month, int *day)
{
    int64_t n = days_since + EPOCH, y = (10000 * n + 14780) / 3652425, left, m;

    left = n - (365 * y + y / 4 - y / 100 + y / 400);
    if (left < 0) {
        y--;
        left = n - (365 * y + y / 4 - y / 100 + y / 400);
    }
    m = (5 * left + 2) / 153;
    *day = (int)(left - (153 * m + 2) / 5) + 1;
    *month = (int)(m < 10 ? m + 3 : m - 9);
    *year = (int)(m < 10 ? y : y + 1);
}

static char *put3(char *at, const char *name)
{
    for (int i = 0; i < 3; i++)
        *at++ = name[i];
    return at;
}

static char *put2(char *at, int n, char behind)
{
    at[0] = (char)('0' + n / 10);
    at[1] = (char)('0' + n % 10);
    at[2] = behind;
    return at + 3;
}

int mf_http_date_print(int64_t seconds, char buf[MF_HTTP_DATE])
{
    int64_t shifted, day, in_day;
    int year, month, mday;
    char *at = buf;

    if (seconds < first || seconds > last)
        return -ERANGE;
    shifted = seconds - first;
    day = shifted / DAY;
    in_day = shifted % DAY;
    date_of(day + first / DAY, &year, &month, &mday);
    at = put3(at, days[(day + 1) % 7]); /* 0001-01-01 was a Monday */
    *at++ = ',';
    *at++ = ' ';
    at = put3(put2(at, mday, ' '), months[month - 1]);
    *at++ = ' ';
    put2(at, year / 100, ' ');
    at = put2(at + 2, year % 100, ' ');
    at = put2(at, (int)(in_day / 3600), ':');
    at = put2(at, (int)(in_day / 60 % 60), ':');
    at = put2(at, (int)(in_day % 60), ' ');
    memcpy(at, "GMT", 4);
    return MF_HTTP_DATE - 1;
}

/* ---- parsing: a cursor that stays at the first byte that does not fit --- */

struct cursor {
    const char *at, *end;
    int bad;
};

static void expect(struct cursor *c, const char *text)
{
    size_t len = strlen(text);

    if ((size_t)(c->end - c->at) < len || memcmp(c->at, text, len) != 0)
        c->bad = 1;
    else
        c->at += len;
}

static int digits(struct cursor *c, int n)
{
    int value = 0;

    for (; n > 0; n--, c->at++) {
        if (c->bad || c->at == c->end || *c->at < '0' || *c->at > '9') {
            c->bad = 1;
            return 0;
        }
        value = value * 10 + *c->at - '0';
    }
    return value;
}

static int month_at(struct cursor *c)
{
    int i;

    for (i = 0; i < 12 && c->end - c->at >= 3; i++) {
        if (memcmp(c->at, months[i], 3) != 0)
            continue;
        c->at += 3;
        return i + 1;
    }
    c->bad = 1;
    return 1;
}

static void day_name(struct cursor *c, int whole)
{
    int i;

    for (i = 0; i < 7; i++) {
        size_t len = whole ? strlen(days[i]) : 3;

        if ((size_t)(c->end - c->at) > len &&
            memcmp(c->at, days[i], len) == 0 &&
            (c->at[len] == ',' || c->at[len] == ' ')) {
            c->at += len;
            return;
        }
    }
    c->bad = 1;
}

struct moment {
    int year, month, day, hour, minute, second;
};

static void clock_at(struct cursor *c, struct moment *m)
{
    m->hour = digits(c, 2);
    expect(c, ":");
    m->minute = digits(c, 2);
    expect(c, ":");
    m->second = digits(c, 2);
}

/* Sun Nov  6 08:49:37 1994 */
static void asctime_at(struct cursor *c, struct moment *m)
{
    day_name(c, 0);
    expect(c, " ");
    m->month = month_at(c);
    expect(c, " ");
    if (c->at < c->end && *c->at == ' ') {
        c->at++;
        m->day = digits(c, 1);
    } else {
        m->day = digits(c, 2);
    }
    expect(c, " ");
    clock_at(c, m);
    expect(c, " ");
    m->year = digits(c, 4);
}

/* Sun, 06 Nov 1994 08:49:37 GMT; obsolete: Sunday, 06-Nov-94 08:49:37 GMT */
static void fixed_at(struct cursor *c, struct moment *m, int obsolete)
{
    day_name(c, obsolete);
    expect(c, ", ");
    m->day = digits(c, 2);
    expect(c, obsolete ? "-" : " ");
    m->month = month_at(c);
    expect(c, obsolete ? "-" : " ");
    m->year = digits(c, obsolete ? 2 : 4);
    expect(c, " ");
    clock_at(c, m);
    expect(c, " GMT");
}

/* A year of two digits: the latest that is at most 50 years ahead. */
static int full_year(int two, int64_t now)
{
    int year, month, day, full;

    if (now < first || now > last)
        now = 0;
    date_of((now - first) / DAY + first / DAY, &year, &month, &day);
    full = (year + 50) / 100 * 100 + two;
    return full > year + 50 ? full - 100 : full;
}

static int days_in(int year, int month)
{
    static const signed char of[12] = {31, 28, 31, 30, 31, 30,
                                       31, 31, 30, 31, 30, 31};
    int leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

    return month == 2 ? 28 + leap : of[month - 1];
}

int mf_http_date_parse(mf_text text, int64_t now, int64_t *ret_seconds)
{
    const char *comma;
    struct cursor c = {text.at, text.at + text.len, 0};
    struct moment m;

    if (text.len < 24 || text.len > 33) /* of the shortest and the longest */
        return -EINVAL;
    comma = memchr(text.at, ',', text.len);
    if (comma == NULL)
        asctime_at(&c, &m);
    else
        fixed_at(&c, &m, comma - text.at > 3);
    if (c.bad || c.at != c.end)
        return -EINVAL;
    if (comma != NULL && comma - text.at > 3)
        m.year = full_year(m.year, now);
    /* A leap second is taken as the one after it. */
    if (m.year < 1 || m.day < 1 || m.day > days_in(m.year, m.month) ||
        m.hour > 23 || m.minute > 59 || m.second > 60)
        return -EINVAL;
    *ret_seconds = days_of(m.year, m.month, m.day) * DAY +
                   INT64_C(3600) * m.hour + INT64_C(60) * m.minute + m.second;
    return 0;
}
