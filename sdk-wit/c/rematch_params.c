// Parameters: a JSON object, read key by key without a library.

#include <stdlib.h>
#include <string.h>

#include "rematch_internal.h"

// Nesting that no parameters have; it keeps the recursion short.
#define DEEPEST 64

static const char NO_OBJECT[] = "the parameters must be a JSON object";

bool rematch_text_is(rematch_text text, const char *other) {
    return text.len == strlen(other) && memcmp(text.bytes, other, text.len) == 0;
}

// Adds to a text that is ended by a zero byte; what does not fit is left out, at the end of a character.
static void append(rematch_params *params, const char *bytes, size_t len) {
    size_t used = strlen(params->error), space = sizeof params->error - 1 - used;
    if (len > space) {
        for (len = space; len > 0 && ((unsigned char)bytes[len] & 0xc0) == 0x80;) len--;
    }
    memcpy(params->error + used, bytes, len);
    params->error[used + len] = '\0';
}

static void append_text(rematch_params *params, const char *text) {
    append(params, text, strlen(text));
}

void rematch_params_refuse(rematch_params *params, const char *reason) {
    params->error[0] = '\0';
    append_text(params, reason);
}

// ---- JSON

// What is left to read.
typedef struct {
    const char *at, *end;
} reader;

static void skip_space(reader *in) {
    while (in->at < in->end && (*in->at == ' ' || *in->at == '\t' || *in->at == '\n' || *in->at == '\r')) in->at++;
}

static bool takes(reader *in, char byte) {
    skip_space(in);
    if (in->at == in->end || *in->at != byte) return false;
    in->at++;
    return true;
}

// Reads a string, without its quotes and with its escapes as they are.
static bool read_string(reader *in, rematch_text *text) {
    if (!takes(in, '"')) return false;
    text->bytes = in->at;
    for (; in->at < in->end && *in->at != '"'; in->at++) {
        if ((unsigned char)*in->at < 0x20) return false;
        if (*in->at == '\\' && ++in->at == in->end) return false;
    }
    if (in->at == in->end) return false;
    text->len = (size_t)(in->at++ - text->bytes);
    return true;
}

static bool skip_value(reader *in, int depth);

// Reads over the rest of a list or an object, behind its opening bracket.
static bool skip_members(reader *in, char close, int depth) {
    if (takes(in, close)) return true;
    do {
        rematch_text key;
        if (close == '}' && !(read_string(in, &key) && takes(in, ':'))) return false;
        if (!skip_value(in, depth)) return false;
    } while (takes(in, ','));
    return takes(in, close);
}

static bool skip_value(reader *in, int depth) {
    static const char *const WORDS[] = {"true", "false", "null"};
    rematch_text text;
    if (depth > DEEPEST) return false;
    if (takes(in, '{')) return skip_members(in, '}', depth + 1);
    if (takes(in, '[')) return skip_members(in, ']', depth + 1);
    if (in->at < in->end && *in->at == '"') return read_string(in, &text);
    for (size_t i = 0; i < sizeof WORDS / sizeof *WORDS; i++) {
        size_t len = strlen(WORDS[i]);
        if ((size_t)(in->end - in->at) >= len && memcmp(in->at, WORDS[i], len) == 0) {
            in->at += len;
            return true;
        }
    }
    const char *start = in->at;
    while (in->at < in->end && *in->at != '\0' && strchr("+-.0123456789eE", *in->at) != NULL) in->at++;
    return in->at > start;
}

static bool read_entry(rematch_params *params, reader *in) {
    rematch_entry entry = {.read = false};
    if (!read_string(in, &entry.key) || !takes(in, ':')) return false;
    skip_space(in);
    entry.value.bytes = in->at;
    if (!skip_value(in, 1)) return false;
    entry.value.len = (size_t)(in->at - entry.value.bytes);
    if (params->count == params->capacity) {
        params->capacity = 2 * params->capacity + 8;
        params->entries = rematch_reallocate(params->entries, params->capacity, sizeof entry);
    }
    params->entries[params->count++] = entry;
    return true;
}

static bool read_object(rematch_params *params, reader *in) {
    if (!takes(in, '{')) return false;
    if (!takes(in, '}')) {
        do {
            if (!read_entry(params, in)) return false;
        } while (takes(in, ','));
        if (!takes(in, '}')) return false;
    }
    skip_space(in);
    return in->at == in->end;
}

void rematch_params_open(rematch_params *params, const char *text, size_t len) {
    memset(params, 0, sizeof *params);
    reader in = {.at = text, .end = text + len};
    if (!read_object(params, &in)) rematch_params_refuse(params, NO_OBJECT);
}

void rematch_params_close(rematch_params *params) {
    free(params->entries);
    free(params->asked);
}

// ---- Getters

bool rematch_params_unread(const rematch_params *params) {
    for (size_t i = 0; i < params->count; i++) {
        if (!params->entries[i].read) return true;
    }
    return false;
}

void rematch_params_finish(rematch_params *params) {
    if (params->error[0] != '\0') return;
    for (size_t i = 0; i < params->count; i++) {
        if (params->entries[i].read) continue;
        append_text(params, "unknown parameter `");
        append(params, params->entries[i].key.bytes, params->entries[i].key.len);
        append_text(params, "`; expected ");
        if (params->asked_count == 0) append_text(params, "none");
        for (size_t known = 0; known < params->asked_count; known++) {
            if (known > 0) append_text(params, known + 1 == params->asked_count ? " or " : ", ");
            append_text(params, "`");
            append_text(params, params->asked[known]);
            append_text(params, "`");
        }
        return;
    }
}

// Returns the value of a key, NULL where there is none. A key that stands twice is refused.
static const rematch_text *find(rematch_params *params, const char *key) {
    if (params->asked_count == params->asked_capacity) {
        params->asked_capacity = 2 * params->asked_capacity + 8;
        params->asked = rematch_reallocate(params->asked, params->asked_capacity, sizeof *params->asked);
    }
    params->asked[params->asked_count++] = key;
    const rematch_text *value = NULL;
    for (size_t i = 0; i < params->count; i++) {
        rematch_entry *entry = &params->entries[i];
        if (!rematch_text_is(entry->key, key)) continue;
        if (value != NULL && params->error[0] == '\0') {
            append_text(params, "`");
            append_text(params, key);
            append_text(params, "` stands there twice");
        }
        entry->read = true;
        value = &entry->value;
    }
    return value;
}

// Leaves an error, unless there is one already.
static bool refuse(rematch_params *params, const char *key, const char *expected, rematch_text found) {
    if (params->error[0] != '\0') return false;
    append_text(params, "`");
    append_text(params, key);
    append_text(params, "` must be ");
    append_text(params, expected);
    append_text(params, ", found `");
    append(params, found.bytes, found.len > 100 ? 100 : found.len);
    append_text(params, "`");
    return false;
}

// Up to 15 digits and powers of ten up to 22 give the nearest double exactly; anything beyond is refused, which saves
// the 25 kB of the C library's strtod.
static bool read_number(rematch_text text, double *value) {
    const char *at = text.bytes, *end = text.bytes + text.len;
    bool negative = at < end && *at == '-';
    at += negative;
    const char *first = at;
    int digits = 0, scale = 0;
    double number = 0;
    for (bool fraction = false; at < end && ((*at >= '0' && *at <= '9') || (*at == '.' && !fraction)); at++) {
        if (*at == '.') {
            fraction = true;
            continue;
        }
        number = number * 10 + (*at - '0');
        if (number > 0) digits++;
        scale -= fraction;
    }
    if (at == first || *first == '.' || at[-1] == '.' || digits > 15) return false;
    if (*first == '0' && at > first + 1 && first[1] != '.') return false;
    if (at < end && (*at == 'e' || *at == 'E')) {
        at++;
        bool down = at < end && *at == '-';
        if (at < end && (*at == '-' || *at == '+')) at++;
        int exponent = 0;
        const char *start = at;
        for (; at < end && *at >= '0' && *at <= '9' && exponent < 1000; at++) exponent = exponent * 10 + (*at - '0');
        if (at == start) return false;
        scale += down ? -exponent : exponent;
    }
    if (at != end || scale < -22 || scale > 22) return false;
    double power = 1;
    for (int i = scale < 0 ? -scale : scale; i > 0; i--) power *= 10;
    number = scale < 0 ? number / power : number * power;
    *value = negative ? -number : number;
    return true;
}

bool rematch_param_number(rematch_params *params, const char *key, double *value) {
    const rematch_text *found = find(params, key);
    if (found == NULL || read_number(*found, value)) return true;
    return refuse(params, key, "a decimal number of at most 15 digits", *found);
}

bool rematch_param_whole(rematch_params *params, const char *key, uint32_t *value) {
    const rematch_text *found = find(params, key);
    double number;
    if (found == NULL) return true;
    // In range, so that the conversion is defined.
    if (!read_number(*found, &number) || number < 1 || number > UINT32_MAX || number != (double)(uint32_t)number) {
        return refuse(params, key, "a whole number from 1 to 4294967295", *found);
    }
    *value = (uint32_t)number;
    return true;
}

bool rematch_param_flag(rematch_params *params, const char *key, bool *value) {
    const rematch_text *found = find(params, key);
    if (found == NULL) return true;
    if (!rematch_text_is(*found, "true") && !rematch_text_is(*found, "false")) {
        return refuse(params, key, "`true` or `false`", *found);
    }
    *value = rematch_text_is(*found, "true");
    return true;
}

bool rematch_param_text(rematch_params *params, const char *key, rematch_text *value) {
    const rematch_text *found = find(params, key);
    if (found == NULL) return true;
    if (found->bytes[0] != '"' || memchr(found->bytes, '\\', found->len) != NULL) {
        return refuse(params, key, "a text without escapes", *found);
    }
    *value = (rematch_text){.bytes = found->bytes + 1, .len = found->len - 2};
    return true;
}
