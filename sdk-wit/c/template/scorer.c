// 1 / rank of the first hit that the user purchased.
//
// Undefined where the user purchased nothing: there is nothing to find. 0 where nothing of it was returned.

#include <string.h>

#include "rematch_scorer.h"

static const rematch_metric METRICS[] = {
    {.name = "{{name}}", .summary = "Undefined without a purchase.", .low = REMATCH_BOUND(0), .high = REMATCH_BOUND(1)},
};

static const rematch_description DESCRIPTION = {
    .name = "{{name}}",
    .version = "0.1.0",
    .summary = "1 / rank of the first hit that the user purchased.",
    .params_schema = "{\"type\": \"object\", \"properties\": {\"kind\": {\"type\": \"string\", \"default\": \"purchase\"}}}",
    // The host sends these columns and no others.
    .needs = REMATCH_HITS | REMATCH_INTERACTIONS,
    .metrics = METRICS,
    .metric_count = sizeof METRICS / sizeof *METRICS,
};

const rematch_description *rematch_describe(void) {
    return &DESCRIPTION;
}

// What the user must have done with an item.
static rematch_text kind;

void rematch_configure(rematch_params *params) {
    // Called before every batch, so that nothing is left of an earlier one.
    kind = (rematch_text){"purchase", 8};
    rematch_param_text(params, "kind", &kind);
}

static bool is_wanted(rematch_text done) {
    return done.len == kind.len && memcmp(done.bytes, kind.bytes, kind.len) == 0;
}

void rematch_score(const rematch_session *session, rematch_scores *out) {
    rematch_hits hits = rematch_session_hits(session);
    size_t first = hits.count;
    bool any = false;
    for (size_t i = 0; i < rematch_interaction_count(session); i++) {
        rematch_interaction act = rematch_interaction_at(session, i);
        if (!is_wanted(act.kind)) continue;
        any = true;
        for (size_t at = 0; at < first; at++) {
            if (hits.items[at] == act.item) first = at;
        }
    }
    if (any) rematch_set(out, 0, first < hits.count ? 1.0 / (double)(first + 1) : 0.0);
}
