// Running a scorer on sample sessions, natively, without WebAssembly.
//
// Include it in the one file of the test, and compile that with the scorer and the SDK, but without the generated scorer.c
// and link.c, for which this stands:
//
//   cc -I sdk test.c scorer.c sdk/rematch_*.c -lm -o scorer-test && ./scorer-test
//
//   int main(void) {
//       const rematch_sample samples[] = {
//           {.id = "s1", .hits = REMATCH_ITEMS("a", "b"), .grades = REMATCH_GRADES({"b", 1})},
//       };
//       rematch_run run = REMATCH_RUN("{\"k\": 2}", samples);
//       REMATCH_EXPECT_VALUE(run, 0, 0, 0.5);
//       return rematch_test_result();
//   }
//
// A run makes the batch with exactly the columns that the scorer asks for, as the host does, and makes the very call that
// the component's export makes. It checks the contract, too: every value finite and in range, the same bits whatever a
// session's neighbours are. Memory is left to the end of the process.
#ifndef REMATCH_TEST_H
#define REMATCH_TEST_H

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rematch_scorer.h"

// ---- Sample sessions, all parts of which but the id are optional

// A judge's grade of an item.
typedef struct {
    const char *item;
    double grade;
} rematch_sample_grade;

// Something that the user did. Position 0 says that it is not known.
typedef struct {
    const char *kind, *item;
    rematch_number value;
    uint32_t position;
    const int64_t *time;
} rematch_sample_act;

// A session with one ranking. Lists end with an entry without an item; the macros below write them. A session without
// grades is graded by what the user did, with Rematch's default weights.
typedef struct {
    const char *id, *query, *inputs, *expected;
    // Milliseconds since the Unix epoch; NULL where it is not known.
    const int64_t *time;
    const char *const *taxonomy;
    // The ranking, best hit first, and the retriever's scores where there are any: as many as hits.
    const char *const *hits;
    const double *hit_scores;
    // What the user saw; without scores and propensities.
    const char *const *shown;
    const rematch_sample_grade *grades;
    const rematch_sample_act *acts;
} rematch_sample;

// A field of the items: `texts` has an item, its text, another item, its text, ... and ends with NULL.
typedef struct {
    const char *name;
    const char *const *texts;
} rematch_sample_field;

#define REMATCH_ITEMS(...) ((const char *const[]){__VA_ARGS__, NULL})
#define REMATCH_GRADES(...) ((const rematch_sample_grade[]){__VA_ARGS__, {NULL, 0}})
#define REMATCH_ACTS(...) ((const rematch_sample_act[]){__VA_ARGS__, {.kind = NULL}})
#define REMATCH_FIELDS(...) ((const rematch_sample_field[]){__VA_ARGS__, {NULL, NULL}})

// ---- What scorer.c does in a component

void scorer_string_dup(scorer_string_t *ret, const char *text) {
    ret->len = strlen(text);
    ret->ptr = rematch_allocate(ret->len, 1);
    memcpy(ret->ptr, text, ret->len);
}

void scorer_string_free(scorer_string_t *ptr) {
    (void)ptr;
}

void exports_guest_batch_free(exports_guest_batch_t *ptr) {
    (void)ptr;
}

void log_log(log_level_t level, scorer_string_t *message) {
    static const char *const LEVELS[] = {"debug", "info", "warn"};
    fprintf(stderr, "%s: %.*s\n", LEVELS[level], (int)message->len, (const char *)message->ptr);
}

// ---- From sessions to columns

// Adds an element to a list of the bindings. Lists grow one by one: samples are few.
#define REMATCH_PUSH(list, value)                                                           \
    do {                                                                                    \
        (list)->ptr = realloc((list)->ptr, ((list)->len + 1) * sizeof *(list)->ptr);        \
        if ((list)->ptr == NULL) abort();                                                   \
        (list)->ptr[(list)->len++] = (value);                                               \
    } while (0)

static inline void rematch_push_text(exports_guest_texts_t *texts, const char *text) {
    for (; text != NULL && *text != '\0'; text++) REMATCH_PUSH(&texts->bytes, (uint8_t)*text);
    REMATCH_PUSH(&texts->offsets, (uint32_t)texts->bytes.len);
}

static inline void rematch_push_number(exports_guest_optional_numbers_t *numbers, rematch_number number) {
    REMATCH_PUSH(&numbers->values, number.known ? number.value : 0);
    REMATCH_PUSH(&numbers->known, number.known);
}

static inline void rematch_push_time(exports_guest_optional_times_t *times, const int64_t *time) {
    REMATCH_PUSH(&times->values, time == NULL ? 0 : *time);
    REMATCH_PUSH(&times->known, time != NULL);
}

// Numbers for texts, in order of first appearance.
typedef struct {
    const char **ptr;
    size_t len;
} rematch_interner;

static inline uint32_t rematch_intern(rematch_interner *texts, const char *text) {
    for (size_t i = 0; i < texts->len; i++) {
        if (strcmp(texts->ptr[i], text) == 0) return (uint32_t)i;
    }
    REMATCH_PUSH(texts, text);
    return (uint32_t)texts->len - 1;
}

// The grades of a session, in order of the items' texts.
typedef struct {
    rematch_sample_grade *ptr;
    size_t len;
} rematch_sample_grades;

static inline int rematch_compare_items(const void *left, const void *right) {
    return strcmp(((const rematch_sample_grade *)left)->item, ((const rematch_sample_grade *)right)->item);
}

static inline int rematch_compare_gains(const void *left, const void *right) {
    double a = *(const double *)left, b = *(const double *)right;
    return (a < b) - (a > b);
}

static inline double rematch_weight(const char *kind) {
    static const char *const KINDS[] = {"impression", "view", "skip", "negative_feedback", "return_to_results",
                                        "bookmark", "wishlist", "share", "save", "add_to_cart", "purchase"};
    static const double WEIGHTS[] = {0, 0, 0, 0, 0, 1.5, 1.5, 1.5, 1.5, 2, 5};
    for (size_t i = 0; i < sizeof KINDS / sizeof *KINDS; i++) {
        if (strcmp(KINDS[i], kind) == 0) return WEIGHTS[i];
    }
    return 1;
}

static inline rematch_sample_grades rematch_sample_relevance(const rematch_sample *sample) {
    rematch_sample_grades grades = {NULL, 0};
    for (const rematch_sample_grade *grade = sample->grades; grade != NULL && grade->item != NULL; grade++) {
        REMATCH_PUSH(&grades, *grade);
    }
    bool judged = grades.len > 0;
    for (const rematch_sample_act *act = sample->acts; !judged && act != NULL && act->kind != NULL; act++) {
        rematch_sample_grade grade = {act->item, rematch_weight(act->kind)};
        size_t i = 0;
        while (i < grades.len && strcmp(grades.ptr[i].item, act->item) != 0) i++;
        if (i == grades.len) REMATCH_PUSH(&grades, grade);
        else if (grade.grade > grades.ptr[i].grade) grades.ptr[i] = grade;
    }
    if (grades.len > 0) qsort(grades.ptr, grades.len, sizeof *grades.ptr, rematch_compare_items);
    return grades;
}

static inline void rematch_fill_judged(exports_guest_batch_t *batch, const rematch_sample *sample) {
    rematch_sample_grades grades = rematch_sample_relevance(sample);
    uint32_t rank = 1;
    for (const char *const *hit = sample->hits; hit != NULL && *hit != NULL; hit++, rank++) {
        for (size_t i = 0; i < grades.len; i++) {
            if (strcmp(grades.ptr[i].item, *hit) != 0) continue;
            REMATCH_PUSH(&batch->judged.ranks, rank);
            REMATCH_PUSH(&batch->judged.grades, grades.ptr[i].grade);
        }
    }
    REMATCH_PUSH(&batch->judged.offsets, (uint32_t)batch->judged.ranks.len);
    size_t start = batch->ideal.gains.len;
    for (size_t i = 0; i < grades.len; i++) {
        if (grades.ptr[i].grade > 0) REMATCH_PUSH(&batch->ideal.gains, grades.ptr[i].grade);
    }
    size_t count = batch->ideal.gains.len - start;
    if (count > 0) qsort(batch->ideal.gains.ptr + start, count, sizeof(double), rematch_compare_gains);
    REMATCH_PUSH(&batch->ideal.offsets, (uint32_t)batch->ideal.gains.len);
}

static inline void rematch_fill_relevance(exports_guest_batch_t *batch, const rematch_sample *sample,
                                          rematch_interner *items) {
    rematch_sample_grades grades = rematch_sample_relevance(sample);
    for (size_t i = 0; i < grades.len; i++) {
        REMATCH_PUSH(&batch->relevance.items, rematch_intern(items, grades.ptr[i].item));
        REMATCH_PUSH(&batch->relevance.grades, grades.ptr[i].grade);
    }
    REMATCH_PUSH(&batch->relevance.offsets, (uint32_t)batch->relevance.items.len);
}

static inline void rematch_fill_hits(exports_guest_batch_t *batch, const rematch_sample *sample, bool scores,
                                     rematch_interner *items) {
    for (size_t i = 0; sample->hits != NULL && sample->hits[i] != NULL; i++) {
        REMATCH_PUSH(&batch->hits.items, rematch_intern(items, sample->hits[i]));
        rematch_number score = {.known = sample->hit_scores != NULL};
        if (score.known) score.value = sample->hit_scores[i];
        if (scores) rematch_push_number(&batch->hits.scores, score);
    }
    REMATCH_PUSH(&batch->hits.offsets, (uint32_t)batch->hits.items.len);
}

static inline void rematch_fill_shown(exports_guest_batch_t *batch, const rematch_sample *sample,
                                      rematch_interner *items) {
    for (const char *const *shown = sample->shown; shown != NULL && *shown != NULL; shown++) {
        REMATCH_PUSH(&batch->shown.items, rematch_intern(items, *shown));
        rematch_push_number(&batch->shown.scores, (rematch_number){.known = false});
        rematch_push_number(&batch->shown.propensities, (rematch_number){.known = false});
    }
    REMATCH_PUSH(&batch->shown.offsets, (uint32_t)batch->shown.items.len);
}

static inline void rematch_fill_acts(exports_guest_batch_t *batch, const rematch_sample *sample, bool details,
                                     rematch_interner *items, rematch_interner *kinds) {
    exports_guest_interaction_rows_t *rows = &batch->interactions;
    for (const rematch_sample_act *act = sample->acts; act != NULL && act->kind != NULL; act++) {
        REMATCH_PUSH(&rows->items, rematch_intern(items, act->item));
        REMATCH_PUSH(&rows->kinds, rematch_intern(kinds, act->kind));
        if (!details) continue;
        REMATCH_PUSH(&rows->positions, act->position);
        rematch_push_time(&rows->times, act->time);
        rematch_push_number(&rows->values, act->value);
    }
    REMATCH_PUSH(&rows->offsets, (uint32_t)rows->items.len);
}

static inline void rematch_fill_texts(exports_guest_batch_t *batch, const rematch_sample *sample, unsigned needs) {
    if (needs & REMATCH_SESSION_IDS) rematch_push_text(&batch->session_ids, sample->id);
    if (needs & REMATCH_TIMES) rematch_push_time(&batch->times, sample->time);
    if (needs & REMATCH_QUERIES) rematch_push_text(&batch->queries, sample->query);
    if (needs & REMATCH_INPUTS) rematch_push_text(&batch->inputs, sample->inputs);
    if (needs & REMATCH_EXPECTED) rematch_push_text(&batch->expected, sample->expected);
    // Samples have no query vectors.
    if (needs & REMATCH_QUERY_VECTORS) REMATCH_PUSH(&batch->query_vectors.offsets, 0);
    if (!(needs & REMATCH_TAXONOMY)) return;
    for (const char *const *path = sample->taxonomy; path != NULL && *path != NULL; path++) {
        rematch_push_text(&batch->taxonomy.paths, *path);
    }
    REMATCH_PUSH(&batch->taxonomy.offsets, (uint32_t)batch->taxonomy.paths.offsets.len - 1);
}

// Begins the columns that are asked for: with the leading 0 of their offsets.
static inline void rematch_begin(exports_guest_batch_t *batch, unsigned needs) {
    const struct {
        unsigned column;
        scorer_list_u32_t *offsets;
    } columns[] = {
        {REMATCH_JUDGED, &batch->judged.offsets},
        {REMATCH_JUDGED, &batch->ideal.offsets},
        {REMATCH_RELEVANCE, &batch->relevance.offsets},
        {REMATCH_HITS, &batch->hits.offsets},
        {REMATCH_SHOWN, &batch->shown.offsets},
        {REMATCH_INTERACTIONS, &batch->interactions.offsets},
        {REMATCH_INTERACTIONS, &batch->interactions.kind_names.offsets},
        {REMATCH_SESSION_IDS, &batch->session_ids.offsets},
        {REMATCH_QUERIES, &batch->queries.offsets},
        {REMATCH_QUERY_VECTORS, &batch->query_vectors.offsets},
        {REMATCH_INPUTS, &batch->inputs.offsets},
        {REMATCH_EXPECTED, &batch->expected.offsets},
        {REMATCH_TAXONOMY, &batch->taxonomy.offsets},
        {REMATCH_TAXONOMY, &batch->taxonomy.paths.offsets},
        {REMATCH_ITEM_IDS, &batch->item_ids.offsets},
    };
    for (size_t i = 0; i < sizeof columns / sizeof *columns; i++) {
        if (needs & columns[i].column) REMATCH_PUSH(columns[i].offsets, 0);
    }
}

static inline void rematch_fill_items(exports_guest_batch_t *batch, unsigned needs, const rematch_interner *items,
                                      const rematch_sample_field *fields) {
    for (size_t i = 0; needs & REMATCH_ITEM_IDS && i < items->len; i++) {
        rematch_push_text(&batch->item_ids, items->ptr[i]);
    }
    for (; needs & REMATCH_ITEM_FIELDS && fields != NULL && fields->name != NULL; fields++) {
        exports_guest_item_field_t field = {.name = {.len = 0}};
        scorer_string_dup(&field.name, fields->name);
        REMATCH_PUSH(&field.values.offsets, 0);
        for (size_t i = 0; i < items->len; i++) {
            const char *const *pair = fields->texts;
            while (*pair != NULL && strcmp(*pair, items->ptr[i]) != 0) pair += 2;
            rematch_push_text(&field.values, *pair == NULL ? "" : pair[1]);
        }
        REMATCH_PUSH(&batch->item_fields, field);
    }
}

// Returns the batch of `count` samples, in which the first one is `samples[first]` and the next one is `step` further.
static inline exports_guest_batch_t rematch_batch(const rematch_sample *samples, size_t count, ptrdiff_t first,
                                                  ptrdiff_t step, const rematch_sample_field *fields) {
    unsigned needs = rematch_describe()->needs;
    exports_guest_batch_t batch;
    memset(&batch, 0, sizeof batch);
    batch.len = (uint32_t)count;
    rematch_begin(&batch, needs);
    rematch_interner items = {NULL, 0}, kinds = {NULL, 0};
    for (size_t i = 0; i < count; i++) {
        const rematch_sample *sample = &samples[first + step * (ptrdiff_t)i];
        if (needs & REMATCH_JUDGED) rematch_fill_judged(&batch, sample);
        if (needs & REMATCH_RELEVANCE) rematch_fill_relevance(&batch, sample, &items);
        if (needs & REMATCH_HITS) rematch_fill_hits(&batch, sample, needs & REMATCH_HIT_SCORES, &items);
        if (needs & REMATCH_SHOWN) rematch_fill_shown(&batch, sample, &items);
        if (needs & REMATCH_INTERACTIONS) {
            rematch_fill_acts(&batch, sample, needs & REMATCH_INTERACTION_DETAILS, &items, &kinds);
        }
        rematch_fill_texts(&batch, sample, needs);
    }
    for (size_t i = 0; i < kinds.len; i++) rematch_push_text(&batch.interactions.kind_names, kinds.ptr[i]);
    rematch_fill_items(&batch, needs, &items, fields);
    return batch;
}

// ---- Runs

// What one session got from one metric.
typedef struct {
    bool known;
    double value;
    // Why the session cannot be scored; NULL where it can.
    const char *error;
    const char *output;
} rematch_outcome;

// What all sessions got: that of session s from metric m is `outcomes[m * sessions + s]`.
typedef struct {
    size_t sessions, metrics;
    rematch_outcome *outcomes;
    // Why the parameters are refused; NULL where they are not.
    const char *refusal;
} rematch_run;

static int rematch_checks, rematch_failures;

static inline void rematch_check(bool passes, const char *file, int line, const char *what) {
    rematch_checks++;
    if (passes) return;
    rematch_failures++;
    fprintf(stderr, "%s:%d: %s\n", file, line, what);
}

static inline const char *rematch_copy(const uint8_t *bytes, size_t len) {
    char *text = rematch_allocate(len + 1, 1);
    if (len > 0) memcpy(text, bytes, len);
    return text;
}

// Makes the component's call.
static inline rematch_run rematch_call(const char *params, exports_guest_batch_t batch) {
    const rematch_description *about = rematch_describe();
    rematch_run run = {.sessions = batch.len, .metrics = about->metric_count};
    scorer_string_t text;
    scorer_string_dup(&text, params);
    exports_guest_scores_t scores;
    exports_guest_failure_t failure;
    if (!exports_guest_score(&batch, &text, &scores, &failure)) {
        run.refusal = rematch_copy(failure.val.invalid_params.ptr, failure.val.invalid_params.len);
        return run;
    }
    size_t count = run.sessions * run.metrics;
    run.outcomes = rematch_allocate(count, sizeof *run.outcomes);
    for (size_t i = 0; i < count; i++) {
        size_t session = i % run.sessions;
        run.outcomes[i] = (rematch_outcome){.known = true, .value = scores.values.ptr[i], .output = ""};
        if (scores.outputs.offsets.len == 0) continue;
        const uint32_t *ends = scores.outputs.offsets.ptr + session;
        run.outcomes[i].output = rematch_copy(scores.outputs.bytes.ptr + ends[0], ends[1] - ends[0]);
    }
    for (size_t i = 0; i < scores.undefined.len; i++) run.outcomes[scores.undefined.ptr[i]].known = false;
    for (size_t i = 0; i < scores.errors.len; i++) {
        const exports_guest_session_error_t *error = &scores.errors.ptr[i];
        for (size_t metric = 0; metric < run.metrics; metric++) {
            rematch_outcome *outcome = &run.outcomes[metric * run.sessions + error->index];
            outcome->known = false;
            outcome->error = rematch_copy(error->message.ptr, error->message.len);
        }
    }
    return run;
}

static inline bool rematch_same(const rematch_outcome *one, const rematch_outcome *other) {
    bool values = one->known == other->known && (!one->known || memcmp(&one->value, &other->value, sizeof(double)) == 0);
    bool errors = one->error == NULL ? other->error == NULL : other->error != NULL && !strcmp(one->error, other->error);
    return values && errors && strcmp(one->output, other->output) == 0;
}

static inline rematch_run rematch_run_samples(const char *params, const rematch_sample *samples, size_t count,
                                              const rematch_sample_field *fields, const char *file, int line) {
    const rematch_description *about = rematch_describe();
    // As the host does, to check the parameters.
    rematch_run run = rematch_call(params, rematch_batch(samples, 0, 0, 1, fields));
    if (run.refusal != NULL) return run;
    run = rematch_call(params, rematch_batch(samples, count, 0, 1, fields));
    rematch_run reversed = rematch_call(params, rematch_batch(samples, count, (ptrdiff_t)count - 1, -1, fields));
    for (size_t session = 0; session < count; session++) {
        rematch_run alone = rematch_call(params, rematch_batch(samples, 1, (ptrdiff_t)session, 1, fields));
        for (size_t metric = 0; metric < run.metrics; metric++) {
            const rematch_outcome *outcome = &run.outcomes[metric * count + session];
            const rematch_outcome *other = &reversed.outcomes[metric * count + count - 1 - session];
            rematch_number low = about->metrics[metric].low, high = about->metrics[metric].high;
            bool legal = isfinite(outcome->value) && (!low.known || outcome->value >= low.value) &&
                         (!high.known || outcome->value <= high.value);
            rematch_check(!outcome->known || legal, file, line, "a value is not finite or out of range");
            bool alike = rematch_same(outcome, other) && rematch_same(outcome, &alone.outcomes[metric]);
            rematch_check(alike, file, line, "a session gets other scores among other sessions");
        }
    }
    return run;
}

// ---- Expectations

// Scores an array of samples in one batch, with item fields where they are given: REMATCH_RUN(params, samples),
// REMATCH_RUN_WITH(params, samples, REMATCH_FIELDS({"brand", REMATCH_ITEMS("a", "Acme")})).
#define REMATCH_RUN(params, samples) REMATCH_RUN_WITH(params, samples, NULL)
#define REMATCH_RUN_WITH(params, samples, fields) \
    rematch_run_samples(params, samples, sizeof(samples) / sizeof *(samples), fields, __FILE__, __LINE__)

static inline void rematch_expect(const rematch_run *run, size_t session, size_t metric, rematch_outcome expected,
                                  const char *file, int line) {
    char what[400];
    if (run->refusal != NULL) {
        snprintf(what, sizeof what, "the parameters are refused: %s", run->refusal);
        rematch_check(false, file, line, what);
        return;
    }
    const rematch_outcome *found = &run->outcomes[metric * run->sessions + session];
    bool passes = found->known == expected.known && (found->error == NULL) == (expected.error == NULL);
    if (expected.known) passes = passes && fabs(found->value - expected.value) <= 1e-12 * fmax(1, fabs(expected.value));
    if (expected.error != NULL && found->error != NULL) passes = passes && strcmp(found->error, expected.error) == 0;
    if (expected.output != NULL) passes = passes && strcmp(found->output, expected.output) == 0;
    const char *texts[] = {found->error, found->output};
    snprintf(what, sizeof what, "session %zu, metric %zu: found %s %.17g, error `%s`, output `%s`", session, metric,
             found->known ? "the value" : "no value,", found->value, texts[0] == NULL ? "" : texts[0], texts[1]);
    rematch_check(passes, file, line, what);
}

// Expects that a session gets this value from a metric, to 1e-12.
#define REMATCH_EXPECT_VALUE(run, session, metric, number) \
    rematch_expect(&(run), session, metric, (rematch_outcome){.known = true, .value = (number)}, __FILE__, __LINE__)

// Expects that a metric is undefined for a session.
#define REMATCH_EXPECT_UNDEFINED(run, session, metric) \
    rematch_expect(&(run), session, metric, (rematch_outcome){.known = false}, __FILE__, __LINE__)

// Expects that a session cannot be scored, for this reason.
#define REMATCH_EXPECT_ERROR(run, session, text) \
    rematch_expect(&(run), session, 0, (rematch_outcome){.known = false, .error = (text)}, __FILE__, __LINE__)

// Expects that this text goes with a session's score.
#define REMATCH_EXPECT_OUTPUT(run, session, text)                                                                 \
    rematch_check((run).outcomes != NULL && strcmp((run).outcomes[session].output, text) == 0, __FILE__, __LINE__, \
                  "another output text")

// Expects that the parameters are refused, for this reason.
#define REMATCH_EXPECT_REFUSED(run, text)                                                              \
    rematch_check((run).refusal != NULL && strcmp((run).refusal, text) == 0, __FILE__, __LINE__,       \
                  (run).refusal == NULL ? "the parameters are not refused" : (run).refusal)

// Says how many expectations failed, and returns what `main` should.
static inline int rematch_test_result(void) {
    fprintf(stderr, "%d checks, %d failed\n", rematch_checks, rematch_failures);
    return rematch_failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

#endif
