// Half-life utility (R-score): how much of a ranking's worth is left for a user who gives up at some point.
//
// Breese, Heckerman and Kadie, "Empirical Analysis of Predictive Algorithms for Collaborative Filtering" (UAI 1998),
// section 2.2. The user looks at rank r with probability 2^-((r - 1) / (h - 1)), where the half-life h is the rank that
// half of the users reach. An item is worth what its grade has above a neutral grade d:
//
//   utility  = sum over ranks r of max(grade(r) - d, 0) * 2^-((r - 1) / (h - 1))
//   score    = utility / utility of the best possible ranking, in [0, 1]
//
// Undefined where no item of the session has a grade above d: there is nothing to find.
//
// Parameters (JSON): {"half_life": 5, "neutral": 0}, both optional.

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "scorer.h"

struct params {
    double half_life; // rank, above 1
    double neutral;   // grade, at least 0
};

static const char SUMMARY[] =
    "The part of the best possible utility that a ranking gives to users who stop early, in [0, 1]. "
    "Undefined where no item has a grade above the neutral one.";

static const char PARAMS_SCHEMA[] =
    "{\"type\":\"object\",\"additionalProperties\":false,\"properties\":{"
    "\"half_life\":{\"type\":\"number\",\"exclusiveMinimum\":1,\"default\":5,"
    "\"description\":\"rank that half of the users reach\"},"
    "\"neutral\":{\"type\":\"number\",\"minimum\":0,\"default\":0,"
    "\"description\":\"grade up to which an item is worth nothing\"}}}";

void exports_guest_describe(exports_guest_description_t *ret) {
    scorer_string_dup(&ret->name, "half-life-utility");
    scorer_string_dup(&ret->version, "0.1.0");
    scorer_string_dup(&ret->summary, SUMMARY);
    scorer_string_dup(&ret->params_schema, PARAMS_SCHEMA);
    ret->needs = EXPORTS_GUEST_COLUMNS_JUDGED;
    ret->metrics.len = 1;
    ret->metrics.ptr = malloc(sizeof(scorer_string_t));
    scorer_string_dup(&ret->metrics.ptr[0], "half-life-utility");
}

// Parameters: a flat JSON object of numbers, read without a library. Returns NULL, or what is wrong.

static const char *skip_space(const char *at) {
    while (*at == ' ' || *at == '\t' || *at == '\n' || *at == '\r') at++;
    return at;
}

static bool read_key(const char **at, const char *key) {
    size_t len = strlen(key);
    if (**at != '"' || strncmp(*at + 1, key, len) != 0 || (*at)[len + 1] != '"') return false;
    *at = skip_space(*at + len + 2);
    return true;
}

// Reads a decimal number into `value` and moves `at` behind it. Up to 15 digits and powers of ten up to 22 give the
// nearest double exactly; anything beyond is refused, which saves the 25 kB of the C library's strtod.
static bool read_number(const char **at, double *value) {
    const char *here = *at;
    bool negative = *here == '-';
    if (negative) here++;
    if (*here == '.') return false;
    int digits = 0, scale = 0;
    double number = 0;
    for (bool fraction = false; (*here >= '0' && *here <= '9') || (*here == '.' && !fraction); here++) {
        if (*here == '.') {
            fraction = true;
            continue;
        }
        number = number * 10 + (*here - '0');
        if (number > 0) digits++;
        scale -= fraction;
    }
    if (here[-1] < '0' || here[-1] > '9' || digits > 15 || *here == 'e' || *here == 'E' || scale < -22) return false;
    double power = 1;
    while (scale++ < 0) power *= 10;
    *value = negative ? -(number / power) : number / power;
    *at = here;
    return true;
}

static const char *read_params(const char *text, struct params *params) {
    const char *at = skip_space(text);
    if (*at != '{') return "the parameters must be a JSON object";
    at = skip_space(at + 1);
    while (*at != '}') {
        double *value;
        if (read_key(&at, "half_life")) value = &params->half_life;
        else if (read_key(&at, "neutral")) value = &params->neutral;
        else return "unknown parameter; expected `half_life` or `neutral`";
        if (*at != ':') return "the parameters must be a JSON object";
        at = skip_space(at + 1);
        if (!read_number(&at, value)) return "`half_life` and `neutral` must be decimal numbers of at most 15 digits";
        at = skip_space(at);
        if (*at == ',') at = skip_space(at + 1);
        else if (*at != '}') return "the parameters must be a JSON object";
    }
    if (params->half_life <= 1) return "`half_life` must be a rank above 1";
    if (params->neutral < 0) return "`neutral` must be a grade of at least 0";
    return NULL;
}

static double utility(const struct params *params, uint32_t rank, double grade) {
    if (grade <= params->neutral) return 0;
    return (grade - params->neutral) * exp2(-((double)(rank - 1) / (params->half_life - 1)));
}

// Returns the score of session i, or a negative number where it is undefined.
static double session_score(const struct params *params, const exports_guest_batch_t *batch, uint32_t i) {
    double best = 0;
    const exports_guest_ideal_gains_t *ideal = &batch->ideal;
    for (uint32_t row = ideal->offsets.ptr[i]; row < ideal->offsets.ptr[i + 1]; row++) {
        best += utility(params, row - ideal->offsets.ptr[i] + 1, ideal->gains.ptr[row]);
    }
    if (best <= 0) return -1;
    double found = 0;
    const exports_guest_judged_hits_t *judged = &batch->judged;
    for (uint32_t row = judged->offsets.ptr[i]; row < judged->offsets.ptr[i + 1]; row++) {
        found += utility(params, judged->ranks.ptr[row], judged->grades.ptr[row]);
    }
    return found / best;
}

// Returns `count` zeroed elements. Writing through a null pointer is legal in WebAssembly, so running out of memory has
// to end the call here.
static void *allocate(size_t count, size_t size) {
    void *memory = calloc(count, size);
    if (memory == NULL && count > 0) abort();
    return memory;
}

bool exports_guest_score(exports_guest_batch_t *batch, scorer_string_t *params_text, exports_guest_scores_t *ret,
                         exports_guest_failure_t *err) {
    // The instance lives for one batch, so nothing needs to be freed.

    // The texts of the interface have a length and no end mark; read_params wants the mark.
    char *text = allocate(params_text->len + 1, 1);
    memcpy(text, params_text->ptr, params_text->len);
    struct params params = {.half_life = 5, .neutral = 0};
    const char *problem = read_params(text, &params);
    if (problem != NULL) {
        err->tag = EXPORTS_GUEST_FAILURE_INVALID_PARAMS;
        scorer_string_dup(&err->val.invalid_params, problem);
        return false;
    }

    memset(ret, 0, sizeof *ret);
    ret->values.len = batch->len;
    ret->values.ptr = allocate(batch->len, sizeof(double));
    ret->undefined.ptr = allocate(batch->len, sizeof(uint32_t));
    for (uint32_t i = 0; i < batch->len; i++) {
        double score = session_score(&params, batch, i);
        if (score < 0) ret->undefined.ptr[ret->undefined.len++] = i;
        else ret->values.ptr[i] = score;
    }
    return true;
}
