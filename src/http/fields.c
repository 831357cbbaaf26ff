/* SPDX-License-Identifier: MIT */
/*
 * fields.c - the field section (RFC 9112, 5), read once from left to right.
 *
 *     name ":" OWS value OWS CR LF  ...  CR LF
 *
 * Each byte is looked at once, and each line is checked to its end before the
 * next, so a bad line is refused as soon as it is there, whole head or not.
 * Where a text may stop is always asked before what stands there: a head that
 * is cut off anywhere says "more", and never anything else.
 *
 * What frames or routes the message is noted on the way: the length of the name
 * picks the candidate, so other fields cost one switch. What two or more of
 * them mean is for who knows the kind of message (head.c): here it is counted.
 */
#include "http/fields.h"

#include <errno.h>

#include "http/chars.h"

/* ---- values that are lists ---------------------------------------------- */

static mf_text trim(const char *at, const char *end)
{
    while (at < end && (*at == ' ' || *at == '\t'))
        at++;
    while (end > at && (end[-1] == ' ' || end[-1] == '\t'))
        end--;
    return (mf_text){at, (size_t)(end - at)};
}

/* The next element of *rest that is not empty; false at the end. */
static bool next_element(mf_text *rest, mf_text *ret)
{
    while (rest->len > 0) {
        const char *end = rest->at + rest->len;
        const char *comma = memchr(rest->at, ',', rest->len);

        *ret = trim(rest->at, comma != NULL ? comma : end);
        rest->at = comma != NULL ? comma + 1 : end;
        rest->len = (size_t)(end - rest->at);
        if (ret->len > 0)
            return true;
    }
    return false;
}

static void note_connection(mf_text value, struct framing *f)
{
    mf_text option;

    while (next_element(&value, &option)) {
        f->close |= TEXT_IS(option, "close");
        f->keep_alive |= TEXT_IS(option, "keep-alive");
        f->upgrade |= TEXT_IS(option, "upgrade");
    }
}

/* A quoted parameter with a comma in it is not a coding we know either way. */
static void note_codings(mf_text value, struct framing *f)
{
    mf_text coding;
    bool any = false;

    f->coded = true;
    while (next_element(&value, &coding)) {
        any = true;
        f->twice |= f->chunked;
        f->chunked = TEXT_IS(coding, "chunked");
        f->other |= !f->chunked;
    }
    f->other |= !any; /* an empty one says something, but not what */
}

/* Its q is not 0, however it is written: only zeros, and a dot. */
static bool is_wanted(mf_text parameters)
{
    const char *end = parameters.at + parameters.len;
    const char *q = memchr(parameters.at, '=', parameters.len);

    if (q == NULL)
        return true;
    for (q++; q < end; q++)
        if (*q != '0' && *q != '.' && *q != ' ' && *q != '\t')
            return true;
    return false;
}

static void note_accepted(mf_text value, struct framing *f)
{
    mf_text element;
    bool any = false, named = false, gzip = false;

    while (next_element(&value, &element)) {
        const char *end = element.at + element.len;
        const char *semi = memchr(element.at, ';', element.len);
        mf_text name = trim(element.at, semi != NULL ? semi : end);
        mf_text rest = trim(semi != NULL ? semi : end, end);

        if (TEXT_IS(name, "gzip") || TEXT_IS(name, "x-gzip")) {
            named = true;
            gzip |= is_wanted(rest);
        } else if (TEXT_IS(name, "*")) {
            any |= is_wanted(rest);
        }
    }
    f->gzip |= named ? gzip : any;
}

/* ---- values that are one thing ------------------------------------------ */

static bool to_length(mf_text value, uint64_t *ret)
{
    uint64_t n = 0;

    if (value.len == 0 || value.len > 19) /* 2^63 - 1 has 19 digits */
        return false;
    for (size_t i = 0; i < value.len; i++) {
        if (!char_is(value.at[i], CHAR_DIGIT))
            return false;
        n = n * 10 + (uint64_t)(value.at[i] - '0');
    }
    *ret = n;
    return n <= INT64_MAX;
}

/* Note what a field says. False, and refused, if it says it wrongly. */
static bool note(const mf_http_field *field, mf_http_head *head,
                 struct framing *f)
{
    mf_text name = field->name, value = field->value;

    switch (name.len) {
    case 4:
        if (TEXT_IS(name, "host")) {
            f->hosts = (uint8_t)(f->hosts + (f->hosts < 2));
            f->host = value;
        }
        break;
    case 6:
        if (TEXT_IS(name, "expect")) {
            bool known = TEXT_IS(value, "100-continue");

            f->continues |= known;
            f->expects |= !known;
        }
        break;
    case 7:
        f->upgrades |= TEXT_IS(name, "upgrade") && value.len > 0;
        break;
    case 10:
        if (TEXT_IS(name, "connection"))
            note_connection(value, f);
        break;
    case 14:
        if (TEXT_IS(name, "content-length")) {
            f->lengths = (uint8_t)(f->lengths + (f->lengths < 2));
            if (!to_length(value, &f->length)) {
                refuse(head, 400, "Content-Length is not a number");
                return false;
            }
        }
        break;
    case 15:
        if (TEXT_IS(name, "accept-encoding"))
            note_accepted(value, f);
        break;
    case 17:
        if (TEXT_IS(name, "transfer-encoding"))
            note_codings(value, f);
        break;
    }
    return true;
}

/* ---- the section -------------------------------------------------------- */

/* p is at a CR, or refused; then behind the LF. NULL as mfi_http_fields. */
static const char *line_end(const char *p, const char *end, mf_http_head *head,
                            const char *why)
{
    if (p == end)
        return NULL;
    if (*p != '\r')
        return refuse(head, 400, why);
    if (p + 1 == end)
        return NULL;
    return p[1] == '\n' ? p + 2 : refuse(head, 400, "a CR without its LF");
}

static const char *field_line(const char *p, const char *end,
                              mf_http_head *head, mf_http_field *ret)
{
    const char *name = p, *value, *last;

    p = chars_end(p, end, CHAR_TOKEN);
    if (p == end)
        return NULL;
    if (p == name)
        return refuse(head, 400,
                      *p == ' ' || *p == '\t' ? "a folded line"
                                              : "a field without a name");
    if (*p != ':')
        return refuse(head, 400, "the name of a field is not a token");
    ret->name = (mf_text){name, (size_t)(p - name)};
    value = p + 1;
    while (value < end && (*value == ' ' || *value == '\t'))
        value++;
    last = value_end(value, end);
    p = line_end(last, end, head, "a control character in a field");
    if (p == NULL)
        return NULL;
    while (last > value && (last[-1] == ' ' || last[-1] == '\t'))
        last--;
    ret->value = (mf_text){value, (size_t)(last - value)};
    return p;
}

const char *mfi_http_fields(const char *p, const char *end, mf_http_head *head,
                            struct framing *f)
{
    mf_http_field spare = {{NULL, 0}, {NULL, 0}}, *field;

    head->n_fields = 0;
    while (p < end && *p != '\r') {
        bool room = head->n_fields < head->cap_fields;

        field = room ? &head->fields[head->n_fields] : &spare;
        p = field_line(p, end, head, field);
        if (p == NULL)
            return NULL;
        if (!room)
            return refuse(head, 431, "too many fields");
        head->n_fields++;
        if (!note(field, head, f))
            return NULL;
    }
    return line_end(p, end, head, "a CR without its LF");
}

/* ---- asking ------------------------------------------------------------- */

mf_text mf_http_find(const mf_http_head *head, const char *name)
{
    size_t len = name != NULL ? strlen(name) : 0;

    for (int i = 0; head != NULL && len > 0 && i < head->n_fields; i++) {
        const mf_http_field *field = &head->fields[i];

        if (field->name.len == len &&
            strncasecmp(field->name.at, name, len) == 0)
            return field->value;
    }
    return (mf_text){NULL, 0};
}

int mf_http_list_has(mf_text value, const char *token)
{
    size_t len = token != NULL ? strlen(token) : 0;
    mf_text element;

    while (len > 0 && next_element(&value, &element))
        if (element.len == len && strncasecmp(element.at, token, len) == 0)
            return 1;
    return 0;
}

int mf_http_parse_trailers(const char *buf, size_t len, mf_http_head *head)
{
    struct framing f = {.length = 0};
    const char *end;

    if (buf == NULL || head == NULL || len > INT32_MAX ||
        head->cap_fields < 0 || (head->fields == NULL && head->cap_fields > 0))
        return -EINVAL;
    head->status = 0;
    head->why = NULL;
    end = mfi_http_fields(buf, buf + len, head, &f);
    if (end != NULL && (f.hosts > 0 || f.lengths > 0 || f.coded || f.close ||
                        f.keep_alive || f.upgrade || f.upgrades))
        end = refuse(head, 400, "a trailer that would frame the message");
    if (end == NULL)
        return head->status != 0 ? -EPROTO : 0;
    return (int)(end - buf);
}
