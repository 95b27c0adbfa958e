// Scoring functions for Rematch in C: one session at a time, on top of the generated bindings in scorer.h.
//
// A scorer defines three functions, and is compiled together with rematch_scorer.c, scorer.c and link.c:
//
//   const rematch_description *rematch_describe(void);                        what it is, and which columns it reads
//   void rematch_configure(rematch_params *params);                           reads the parameters into static variables
//   void rematch_score(const rematch_session *session, rematch_scores *out);  scores one session
//
// Views point into the columns that the host sent; nothing is copied, and they hold until `rematch_score` returns. Each
// says which column it reads. Reading one that the description does not ask for ends the call as a trap, in the function
// `rematch_column_was_not_asked_for`: the host leaves such columns empty, and a score of nothing would be silently wrong.
//
// A score must depend on the session and the parameters only; keep nothing else in static variables, or say `stateful`.
#ifndef REMATCH_SCORER_H
#define REMATCH_SCORER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "scorer.h"

#ifdef __cplusplus
extern "C" {
#endif

// ---- What a component says of itself

// Columns that a scorer reads, combined by |.
enum {
    REMATCH_JUDGED = EXPORTS_GUEST_COLUMNS_JUDGED,
    REMATCH_RELEVANCE = EXPORTS_GUEST_COLUMNS_RELEVANCE,
    REMATCH_HITS = EXPORTS_GUEST_COLUMNS_HITS,
    REMATCH_HIT_SCORES = EXPORTS_GUEST_COLUMNS_HIT_SCORES,
    REMATCH_SHOWN = EXPORTS_GUEST_COLUMNS_SHOWN,
    REMATCH_INTERACTIONS = EXPORTS_GUEST_COLUMNS_INTERACTIONS,
    REMATCH_INTERACTION_DETAILS = EXPORTS_GUEST_COLUMNS_INTERACTION_DETAILS,
    REMATCH_SESSION_IDS = EXPORTS_GUEST_COLUMNS_SESSION_IDS,
    REMATCH_TIMES = EXPORTS_GUEST_COLUMNS_TIMES,
    REMATCH_QUERIES = EXPORTS_GUEST_COLUMNS_QUERIES,
    REMATCH_QUERY_VECTORS = EXPORTS_GUEST_COLUMNS_QUERY_VECTORS,
    REMATCH_INPUTS = EXPORTS_GUEST_COLUMNS_INPUTS,
    REMATCH_EXPECTED = EXPORTS_GUEST_COLUMNS_EXPECTED,
    REMATCH_TAXONOMY = EXPORTS_GUEST_COLUMNS_TAXONOMY,
    REMATCH_ITEM_IDS = EXPORTS_GUEST_COLUMNS_ITEM_IDS,
    REMATCH_ITEM_FIELDS = EXPORTS_GUEST_COLUMNS_ITEM_FIELDS,
};

// A number that may be missing; in a metric's bounds, one that may be absent.
typedef struct {
    bool known;
    double value;
} rematch_number;

// A bound of a metric: `.low = REMATCH_BOUND(0)`.
#define REMATCH_BOUND(number) {.known = true, .value = (number)}

// One number that a component gives to a session. Texts may be NULL, except for the name.
typedef struct {
    const char *name;
    const char *summary;
    bool lower_is_better;
    rematch_number low, high;
} rematch_metric;

// What a component says of itself. Texts may be NULL, except for the name. The first metric is the score, the others are
// sub-scores.
typedef struct {
    const char *name;
    const char *version;
    const char *summary;
    const char *params_schema;
    unsigned needs;
    const rematch_metric *metrics;
    size_t metric_count;
    // Whether the scorer keeps something from batch to batch: then every batch gets a fresh instance.
    bool stateful;
} rematch_description;

// ---- Texts

// A text of the batch: UTF-8, not ended by a zero byte.
typedef struct {
    const char *bytes;
    size_t len;
} rematch_text;

// Returns whether a text is that one.
bool rematch_text_is(rematch_text text, const char *other);

// ---- Parameters

// The parameters: a JSON object. The getters return whether `value` was set; it keeps what it had where the key is
// missing, which is also `true`. `false` says that the value is of another kind, for which the host gets an error that
// names the key. Keys that no getter asks for are refused as unknown, unless the scorer has refused something itself.
typedef struct rematch_params rematch_params;

// Reads a decimal number of at most 15 digits.
bool rematch_param_number(rematch_params *params, const char *key, double *value);

// Reads a whole number from 1 to 4294967295, such as a cutoff.
bool rematch_param_whole(rematch_params *params, const char *key, uint32_t *value);

// Reads `true` or `false`.
bool rematch_param_flag(rematch_params *params, const char *key, bool *value);

// Reads a text without escapes. It holds until the scores are returned.
bool rematch_param_text(rematch_params *params, const char *key, rematch_text *value);

// Returns whether there is a key that no getter has asked for.
bool rematch_params_unread(const rematch_params *params);

// Refuses the parameters: which one is wrong, what was found and what was expected. Replaces an error of the getters. The
// text is copied, and cut off where it is very long.
void rematch_params_refuse(rematch_params *params, const char *reason);

// ---- Sessions

// One session with the ranking that a retriever returned for it. `batch` has the columns themselves.
typedef struct {
    const exports_guest_batch_t *batch;
    uint32_t index;
} rematch_session;

// One hit. `rank` counts from 1, `item` is the item's number: equal numbers are equal items, within a batch.
typedef struct {
    uint32_t rank;
    uint32_t item;
} rematch_hit;

// The ranking, best hit first: `items[i]` has rank i + 1. Reads HITS.
typedef struct {
    size_t count;
    const uint32_t *items;
} rematch_hits;
rematch_hits rematch_session_hits(const rematch_session *session);

// Returns the retriever's score of the hit at a 1-based rank. Reads HIT_SCORES.
rematch_number rematch_hit_score(const rematch_session *session, uint32_t rank);

// The hits whose worth is known, by ascending rank. A grade may be negative. Reads JUDGED.
typedef struct {
    size_t count;
    const uint32_t *ranks;
    const double *grades;
} rematch_judged;
rematch_judged rematch_session_judged(const rematch_session *session);

// The positive grades of all items of the session, returned or not, largest first. Reads JUDGED.
typedef struct {
    size_t count;
    const double *gains;
} rematch_ideal;
rematch_ideal rematch_session_ideal(const rematch_session *session);

// Every item of known worth, returned or not. Reads RELEVANCE.
typedef struct {
    size_t count;
    const uint32_t *items;
    const double *grades;
} rematch_relevance;
rematch_relevance rematch_session_relevance(const rematch_session *session);

// Returns the grade of an item; not known where nobody judged it or acted on it. Reads RELEVANCE.
rematch_number rematch_grade(const rematch_session *session, uint32_t item);

// One thing that a user did. `kind` is `click`, `purchase`, ...
typedef struct {
    uint32_t item;
    rematch_text kind;
} rematch_interaction;

// Returns how many things the user did. Reads INTERACTIONS.
size_t rematch_interaction_count(const rematch_session *session);

// Returns one of them, from 0, in recorded order. Reads INTERACTIONS.
rematch_interaction rematch_interaction_at(const rematch_session *session, size_t index);

// Returns the number that goes with its kind: seconds of a dwell, price of a purchase. Reads INTERACTION_DETAILS.
rematch_number rematch_interaction_value(const rematch_session *session, size_t index);

// Returns the 1-based position at which its item was shown; 0 where it is not known. Reads INTERACTION_DETAILS.
uint32_t rematch_interaction_position(const rematch_session *session, size_t index);

// Returns whether it is known when it was done, and sets `time` to milliseconds since the Unix epoch, UTC, if so. Reads
// INTERACTION_DETAILS.
bool rematch_interaction_time(const rematch_session *session, size_t index, int64_t *time);

// One item of the list that the user saw.
typedef struct {
    uint32_t rank;
    uint32_t item;
    rematch_number score;
    rematch_number propensity;
} rematch_shown;

// Returns how many items the user saw. Reads SHOWN.
size_t rematch_shown_count(const rematch_session *session);

// Returns one of them, from 0, from the top of the list. Reads SHOWN.
rematch_shown rematch_shown_at(const rematch_session *session, size_t index);

// Return the text of the session that their name says; empty where it has none.
rematch_text rematch_session_id(const rematch_session *session);       // Reads SESSION_IDS.
rematch_text rematch_session_query(const rematch_session *session);    // Reads QUERIES.
rematch_text rematch_session_inputs(const rematch_session *session);   // Reads INPUTS: JSON text.
rematch_text rematch_session_expected(const rematch_session *session); // Reads EXPECTED: JSON text.

// The query as a vector; empty where there is none. Reads QUERY_VECTORS.
typedef struct {
    size_t count;
    const float *values;
} rematch_vector;
rematch_vector rematch_session_query_vector(const rematch_session *session);

// Returns whether it is known when the session took place, and sets `time` to milliseconds since the Unix epoch, UTC, if
// so. Reads TIMES.
bool rematch_session_time(const rematch_session *session, int64_t *time);

// Returns the number of taxonomy paths of the session, and one of them, from 0; the first is the primary one. Read
// TAXONOMY.
size_t rematch_taxonomy_count(const rematch_session *session);
rematch_text rematch_taxonomy_at(const rematch_session *session, size_t index);

// Returns the text of an item. Reads ITEM_IDS.
rematch_text rematch_item_id(const rematch_session *session, uint32_t item);

// Returns whether the benchmark gives the scorer that field of the items (`items = { corpus = ..., fields = [...] }`), and
// sets `text` to what the corpus says of the item, empty where it says nothing. Reads ITEM_FIELDS.
bool rematch_item_field(const rematch_session *session, const char *field, uint32_t item, rematch_text *text);

// ---- What sessions get

typedef struct rematch_scores rematch_scores;

// Sets a metric of the session, by its index in the description. A metric that is not set is undefined, as where there is
// nothing to find; neither 0 nor NaN says that.
void rematch_set(rematch_scores *scores, size_t metric, double value);

// Says why the session cannot be scored though it should. The text is copied.
void rematch_fail(rematch_scores *scores, const char *reason);

// Sets the text that the report shows with the session's score. The text is copied.
void rematch_output(rematch_scores *scores, const char *text, size_t len);

// ---- Kernels

// A sum with Neumaier's compensation, as the engine's metrics have it: the same terms in the same order give the same bits.
typedef struct {
    double total, lost;
} rematch_sum;
void rematch_sum_add(rematch_sum *sum, double term);
double rematch_sum_total(const rematch_sum *sum);

// Returns 1 / log2(rank + 1) of a 1-based rank, from a table for the upper ranks.
double rematch_discount(uint32_t rank);

// Returns nDCG@k with linear gain as Rematch's own metric has it; not known where no item has a positive grade. Reads
// JUDGED.
rematch_number rematch_ndcg(const rematch_session *session, uint32_t k);

// ---- The rest

// Shows a message to whoever runs the component. A component that never calls this imports nothing.
void rematch_log(log_level_t level, const char *message);

// Returns `count` zeroed elements, or ends the call where there is no memory: to write through a null pointer is legal in
// WebAssembly, and would go unnoticed.
void *rematch_allocate(size_t count, size_t size);

// What a scorer defines.
const rematch_description *rematch_describe(void);
void rematch_configure(rematch_params *params);
void rematch_score(const rematch_session *session, rematch_scores *out);

#ifdef __cplusplus
}
#endif

#endif
