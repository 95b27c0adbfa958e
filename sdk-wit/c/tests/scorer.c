// Writes down everything that it sees, to test the SDK.

#include <stdio.h>
#include <string.h>

#include "rematch_scorer.h"

static const rematch_metric METRICS[] = {{.name = "hits"}, {.name = "best", .lower_is_better = true}};

static const rematch_description DESCRIPTION = {
    .name = "witness",
    .needs = REMATCH_JUDGED | REMATCH_RELEVANCE | REMATCH_HITS | REMATCH_HIT_SCORES | REMATCH_SHOWN |
             REMATCH_INTERACTIONS | REMATCH_INTERACTION_DETAILS | REMATCH_SESSION_IDS | REMATCH_TIMES |
             REMATCH_QUERIES | REMATCH_QUERY_VECTORS | REMATCH_INPUTS | REMATCH_EXPECTED | REMATCH_TAXONOMY |
             REMATCH_ITEM_IDS | REMATCH_ITEM_FIELDS,
    .metrics = METRICS,
    .metric_count = 2,
};

const rematch_description *rematch_describe(void) {
    return &DESCRIPTION;
}

static double number;
static uint32_t whole;
static bool flag;
static rematch_text text;

void rematch_configure(rematch_params *params) {
    number = 0.5;
    whole = 3;
    flag = false;
    text = (rematch_text){"none", 4};
    rematch_param_number(params, "number", &number);
    rematch_param_whole(params, "whole", &whole);
    rematch_param_flag(params, "flag", &flag);
    rematch_param_text(params, "text", &text);
}

// What was seen.
static char seen[4000];

static void note(const char *what) {
    strncat(seen, what, sizeof seen - 1 - strlen(seen));
}

static void note_text(rematch_text what) {
    char copy[200];
    snprintf(copy, sizeof copy, " `%.*s`", (int)what.len, what.bytes);
    note(copy);
}

static void note_number(const char *name, rematch_number what) {
    char copy[200];
    if (what.known) snprintf(copy, sizeof copy, " %s %g", name, what.value);
    else snprintf(copy, sizeof copy, " no %s", name);
    note(copy);
}

static void note_count(const char *name, double count) {
    note_number(name, (rematch_number){.known = true, .value = count});
}

static void note_session(const rematch_session *session) {
    note_text(rematch_session_id(session));
    note_text(rematch_session_query(session));
    note_text(rematch_session_inputs(session));
    note_text(rematch_session_expected(session));
    int64_t time = 0;
    if (rematch_session_time(session, &time)) note_count("time", (double)time);
    for (size_t i = 0; i < rematch_taxonomy_count(session); i++) note_text(rematch_taxonomy_at(session, i));
    note_count("vector", (double)rematch_session_query_vector(session).count);
    note("\n");
}

static void note_items(const rematch_session *session) {
    rematch_hits hits = rematch_session_hits(session);
    for (uint32_t rank = 1; rank <= hits.count; rank++) {
        uint32_t item = hits.items[rank - 1];
        note("hit");
        note_text(rematch_item_id(session, item));
        note_number("score", rematch_hit_score(session, rank));
        note_number("grade", rematch_grade(session, item));
        rematch_text brand;
        if (rematch_item_field(session, "brand", item, &brand)) note_text(brand);
        note("\n");
    }
    for (size_t i = 0; i < rematch_interaction_count(session); i++) {
        rematch_interaction act = rematch_interaction_at(session, i);
        int64_t time = 0;
        note_text(act.kind);
        note_text(rematch_item_id(session, act.item));
        note_number("value", rematch_interaction_value(session, i));
        note_count("position", rematch_interaction_position(session, i));
        if (rematch_interaction_time(session, i, &time)) note_count("time", (double)time);
        note("\n");
    }
    for (size_t i = 0; i < rematch_shown_count(session); i++) {
        rematch_shown shown = rematch_shown_at(session, i);
        note("shown");
        note_text(rematch_item_id(session, shown.item));
        note_number("score", shown.score);
        note_number("propensity", shown.propensity);
        note("\n");
    }
}

void rematch_score(const rematch_session *session, rematch_scores *out) {
    seen[0] = '\0';
    rematch_hits hits = rematch_session_hits(session);
    if (flag && hits.count > 2) {
        rematch_fail(out, "too many hits");
        rematch_fail(out, "this is not the first reason");
        return;
    }
    rematch_set(out, 0, (double)hits.count);
    rematch_ideal ideal = rematch_session_ideal(session);
    if (ideal.count > 0) rematch_set(out, 1, ideal.gains[0]);
    if (hits.count == 0) return;
    note_session(session);
    note_items(session);
    note_number("number", (rematch_number){.known = true, .value = number});
    note_count("whole", whole);
    note_text(text);
    rematch_output(out, seen, strlen(seen));
}
