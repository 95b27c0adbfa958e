// Views into the columns of a batch, and the kernels of metrics of gains and ranks.

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rematch_internal.h"

// The rows of one session.
typedef struct {
    size_t start, count;
} rows;

// Its name is what a trap shows; the text is for native tests.
__attribute__((noinline, noreturn)) void rematch_column_was_not_asked_for(const char *column);
void rematch_column_was_not_asked_for(const char *column) {
#ifdef __wasm__
    (void)column;
#else
    fprintf(stderr, "the scorer reads a column that its description does not ask for: REMATCH_%s\n", column);
#endif
    abort();
}

static inline void needs(bool there, const char *column) {
    if (!there) rematch_column_was_not_asked_for(column);
}

static inline rows rows_of(const scorer_list_u32_t *offsets, uint32_t session, const char *column) {
    needs(offsets->len >= 2 && session < offsets->len - 1, column);
    uint32_t start = offsets->ptr[session];
    return (rows){.start = start, .count = offsets->ptr[session + 1] - start};
}

static rematch_text text_at(const exports_guest_texts_t *texts, size_t index, const char *column) {
    needs(texts->offsets.len >= 2 && index < texts->offsets.len - 1, column);
    uint32_t start = texts->offsets.ptr[index];
    return (rematch_text){.bytes = (const char *)texts->bytes.ptr + start, .len = texts->offsets.ptr[index + 1] - start};
}

static rematch_number number_at(const exports_guest_optional_numbers_t *numbers, size_t row, const char *column) {
    needs(row < numbers->known.len, column);
    return (rematch_number){.known = numbers->known.ptr[row], .value = numbers->values.ptr[row]};
}

static bool time_at(const exports_guest_optional_times_t *times, size_t row, const char *column, int64_t *time) {
    needs(row < times->known.len, column);
    if (times->known.ptr[row]) *time = times->values.ptr[row];
    return times->known.ptr[row];
}

rematch_hits rematch_session_hits(const rematch_session *session) {
    const exports_guest_hit_rows_t *hits = &session->batch->hits;
    rows at = rows_of(&hits->offsets, session->index, "HITS");
    return (rematch_hits){.count = at.count, .items = hits->items.ptr + at.start};
}

rematch_number rematch_hit_score(const rematch_session *session, uint32_t rank) {
    const exports_guest_hit_rows_t *hits = &session->batch->hits;
    rows at = rows_of(&hits->offsets, session->index, "HITS");
    if (rank < 1 || rank > at.count) return (rematch_number){.known = false};
    return number_at(&hits->scores, at.start + rank - 1, "HIT_SCORES");
}

rematch_judged rematch_session_judged(const rematch_session *session) {
    const exports_guest_judged_hits_t *judged = &session->batch->judged;
    rows at = rows_of(&judged->offsets, session->index, "JUDGED");
    return (rematch_judged){
        .count = at.count, .ranks = judged->ranks.ptr + at.start, .grades = judged->grades.ptr + at.start};
}

rematch_ideal rematch_session_ideal(const rematch_session *session) {
    const exports_guest_ideal_gains_t *ideal = &session->batch->ideal;
    rows at = rows_of(&ideal->offsets, session->index, "JUDGED");
    return (rematch_ideal){.count = at.count, .gains = ideal->gains.ptr + at.start};
}

rematch_relevance rematch_session_relevance(const rematch_session *session) {
    const exports_guest_relevance_rows_t *relevance = &session->batch->relevance;
    rows at = rows_of(&relevance->offsets, session->index, "RELEVANCE");
    return (rematch_relevance){
        .count = at.count, .items = relevance->items.ptr + at.start, .grades = relevance->grades.ptr + at.start};
}

rematch_number rematch_grade(const rematch_session *session, uint32_t item) {
    rematch_relevance relevance = rematch_session_relevance(session);
    for (size_t i = 0; i < relevance.count; i++) {
        if (relevance.items[i] == item) return (rematch_number){.known = true, .value = relevance.grades[i]};
    }
    return (rematch_number){.known = false};
}

// Returns the row of the session's interaction at an index, and ends the call where there is none.
static size_t interaction_row(const rematch_session *session, size_t index) {
    rows at = rows_of(&session->batch->interactions.offsets, session->index, "INTERACTIONS");
    if (index >= at.count) abort();
    return at.start + index;
}

size_t rematch_interaction_count(const rematch_session *session) {
    return rows_of(&session->batch->interactions.offsets, session->index, "INTERACTIONS").count;
}

rematch_interaction rematch_interaction_at(const rematch_session *session, size_t index) {
    const exports_guest_interaction_rows_t *acts = &session->batch->interactions;
    size_t row = interaction_row(session, index);
    rematch_text kind = text_at(&acts->kind_names, acts->kinds.ptr[row], "INTERACTIONS");
    return (rematch_interaction){.item = acts->items.ptr[row], .kind = kind};
}

rematch_number rematch_interaction_value(const rematch_session *session, size_t index) {
    const exports_guest_interaction_rows_t *acts = &session->batch->interactions;
    return number_at(&acts->values, interaction_row(session, index), "INTERACTION_DETAILS");
}

uint32_t rematch_interaction_position(const rematch_session *session, size_t index) {
    const exports_guest_interaction_rows_t *acts = &session->batch->interactions;
    size_t row = interaction_row(session, index);
    needs(row < acts->positions.len, "INTERACTION_DETAILS");
    return acts->positions.ptr[row];
}

bool rematch_interaction_time(const rematch_session *session, size_t index, int64_t *time) {
    const exports_guest_interaction_rows_t *acts = &session->batch->interactions;
    return time_at(&acts->times, interaction_row(session, index), "INTERACTION_DETAILS", time);
}

size_t rematch_shown_count(const rematch_session *session) {
    return rows_of(&session->batch->shown.offsets, session->index, "SHOWN").count;
}

rematch_shown rematch_shown_at(const rematch_session *session, size_t index) {
    const exports_guest_shown_rows_t *shown = &session->batch->shown;
    rows at = rows_of(&shown->offsets, session->index, "SHOWN");
    if (index >= at.count) abort();
    size_t row = at.start + index;
    return (rematch_shown){.rank = (uint32_t)index + 1,
                           .item = shown->items.ptr[row],
                           .score = number_at(&shown->scores, row, "SHOWN"),
                           .propensity = number_at(&shown->propensities, row, "SHOWN")};
}

rematch_text rematch_session_id(const rematch_session *session) {
    return text_at(&session->batch->session_ids, session->index, "SESSION_IDS");
}

rematch_text rematch_session_query(const rematch_session *session) {
    return text_at(&session->batch->queries, session->index, "QUERIES");
}

rematch_text rematch_session_inputs(const rematch_session *session) {
    return text_at(&session->batch->inputs, session->index, "INPUTS");
}

rematch_text rematch_session_expected(const rematch_session *session) {
    return text_at(&session->batch->expected, session->index, "EXPECTED");
}

rematch_vector rematch_session_query_vector(const rematch_session *session) {
    const exports_guest_vectors_t *vectors = &session->batch->query_vectors;
    rows at = rows_of(&vectors->offsets, session->index, "QUERY_VECTORS");
    return (rematch_vector){.count = at.count, .values = vectors->values.ptr + at.start};
}

bool rematch_session_time(const rematch_session *session, int64_t *time) {
    return time_at(&session->batch->times, session->index, "TIMES", time);
}

size_t rematch_taxonomy_count(const rematch_session *session) {
    return rows_of(&session->batch->taxonomy.offsets, session->index, "TAXONOMY").count;
}

rematch_text rematch_taxonomy_at(const rematch_session *session, size_t index) {
    rows at = rows_of(&session->batch->taxonomy.offsets, session->index, "TAXONOMY");
    if (index >= at.count) abort();
    return text_at(&session->batch->taxonomy.paths, at.start + index, "TAXONOMY");
}

rematch_text rematch_item_id(const rematch_session *session, uint32_t item) {
    return text_at(&session->batch->item_ids, item, "ITEM_IDS");
}

bool rematch_item_field(const rematch_session *session, const char *field, uint32_t item, rematch_text *text) {
    const exports_guest_list_item_field_t *fields = &session->batch->item_fields;
    for (size_t i = 0; i < fields->len; i++) {
        rematch_text name = {.bytes = (const char *)fields->ptr[i].name.ptr, .len = fields->ptr[i].name.len};
        if (!rematch_text_is(name, field)) continue;
        *text = text_at(&fields->ptr[i].values, item, "ITEM_FIELDS");
        return true;
    }
    return false;
}

// ---- Kernels

void rematch_sum_add(rematch_sum *sum, double term) {
    double next = sum->total + term;
    sum->lost += fabs(sum->total) >= fabs(term) ? (sum->total - next) + term : (term - next) + sum->total;
    sum->total = next;
}

double rematch_sum_total(const rematch_sum *sum) {
    return sum->total + sum->lost;
}

// 1 / log2(rank + 1), to the last bit: a logarithm is what costs most in a ranking metric.
static const double DISCOUNTS[] = {
    1.0, 0.6309297535714575, 0.5, 0.43067655807339306, 0.38685280723454163, 0.3562071871080222, 0.3333333333333333,
    0.31546487678572877, 0.3010299956639812, 0.2890648263178879, 0.27894294565112987, 0.27023815442731974,
    0.26264953503719357, 0.2559580248098155, 0.25, 0.24465054211822604, 0.23981246656813146, 0.23540891336663824,
    0.23137821315975915, 0.227670248696953, 0.22424382421757544, 0.22106472945750374, 0.21810429198553155,
    0.21533827903669653, 0.21274605355336318, 0.2103099178571525, 0.20801459767650948, 0.20584683246043448,
    0.2037950470905062, 0.20184908658209985, 0.2, 0.19823986317056053, 0.1965616322328226, 0.1949590218937863,
    0.19342640361727081, 0.19195872000656014, 0.1905514124267734, 0.18920035951687003, 0.18790182470910757,
    0.18665241123894338, 0.1854490234153689, 0.18428883314870617, 0.18316925091363362, 0.18208790046993825,
    0.1810425967800402, 0.18003132665669264, 0.17905223175104137, 0.1781035935540111, 0.17718382013555792,
    0.17629143438888212, 0.17542506358195453, 0.17458343004804494, 0.17376534287144002, 0.1729696904450771,
    0.17219543379409813, 0.17144160057391347, 0.17070727966372012, 0.16999161628691403, 0.16929380759878143,
    0.1686130986895011, 0.16794877895704194, 0.16730017881017412, 0.16666666666666666, 0.16604764621593782,
};

double rematch_discount(uint32_t rank) {
    if (rank >= 1 && rank <= sizeof DISCOUNTS / sizeof *DISCOUNTS) return DISCOUNTS[rank - 1];
    return 1 / log2((double)rank + 1);
}

rematch_number rematch_ndcg(const rematch_session *session, uint32_t k) {
    rematch_ideal ideal = rematch_session_ideal(session);
    rematch_sum best = {0};
    for (uint32_t i = 0; i < ideal.count && i < k; i++) rematch_sum_add(&best, ideal.gains[i] * rematch_discount(i + 1));
    double ideal_gain = rematch_sum_total(&best);
    if (!(ideal_gain > 0) || !isfinite(ideal_gain)) return (rematch_number){.known = false};

    rematch_judged judged = rematch_session_judged(session);
    rematch_sum found = {0};
    for (size_t i = 0; i < judged.count && judged.ranks[i] <= k; i++) {
        if (judged.grades[i] > 0) rematch_sum_add(&found, judged.grades[i] * rematch_discount(judged.ranks[i]));
    }
    return (rematch_number){.known = true, .value = rematch_sum_total(&found) / ideal_gain};
}
