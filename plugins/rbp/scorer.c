// Rank-biased precision, with its residual.
//
// Moffat and Zobel, "Rank-biased precision for measurement of retrieval effectiveness" (ACM TOIS 27(1), 2008). The user
// goes from each rank to the next one with probability p, the persistence:
//
//   rbp      = (1 - p) * sum over the ranks r of gain(r) * p^(r - 1)
//   residual = (1 - p) * sum of p^(r - 1) over the ranks r whose worth is not known, the ranks below the last hit included
//
// rbp is a lower bound of what a ranking is worth and rbp + residual an upper one: an item that nobody judged or acted on
// may be worth nothing or everything. The gain of an item is its grade over the parameter `max_grade`, between 0 and 1.
//
// Undefined where the session has no item of known worth: then nothing was measured.

#include <math.h>

#include "rematch_scorer.h"

static const rematch_metric METRICS[] = {
    {.name = "rbp",
     .summary = "Lower bound of rank-biased precision; undefined where the worth of no item is known.",
     .low = REMATCH_BOUND(0),
     .high = REMATCH_BOUND(1)},
    {.name = "rbp-residual",
     .summary = "What the unjudged ranks could add to rbp.",
     .lower_is_better = true,
     .low = REMATCH_BOUND(0),
     .high = REMATCH_BOUND(1)},
};

static const rematch_description DESCRIPTION = {
    .name = "rbp",
    .version = "0.1.0",
    .summary = "Rank-biased precision (Moffat and Zobel 2008) with its residual.",
    .params_schema = "{\"type\":\"object\",\"additionalProperties\":false,\"properties\":{"
                     "\"p\":{\"type\":\"number\",\"exclusiveMinimum\":0,\"exclusiveMaximum\":1,\"default\":0.8,"
                     "\"description\":\"probability that the user goes on to the next rank\"},"
                     "\"max_grade\":{\"type\":\"number\",\"exclusiveMinimum\":0,\"default\":1,"
                     "\"description\":\"grade from which on the gain of an item is 1\"}}}",
    .needs = REMATCH_JUDGED | REMATCH_RELEVANCE | REMATCH_HITS,
    .metrics = METRICS,
    .metric_count = sizeof METRICS / sizeof *METRICS,
};

const rematch_description *rematch_describe(void) {
    return &DESCRIPTION;
}

static double persistence; // in (0, 1)
static double max_grade;   // above 0

void rematch_configure(rematch_params *params) {
    persistence = 0.8;
    max_grade = 1;
    rematch_param_number(params, "p", &persistence);
    rematch_param_number(params, "max_grade", &max_grade);
    if (!(persistence > 0 && persistence < 1)) {
        rematch_params_refuse(params, "`p` must be a probability above 0 and below 1");
    } else if (!(max_grade > 0)) {
        rematch_params_refuse(params, "`max_grade` must be a grade above 0");
    }
}

void rematch_score(const rematch_session *session, rematch_scores *out) {
    if (rematch_session_relevance(session).count == 0) return;
    rematch_judged judged = rematch_session_judged(session);
    size_t depth = rematch_session_hits(session).count;
    rematch_sum found = {0}, unknown = {0};
    double viewed = 1 - persistence; // probability that rank r is the last one
    size_t next = 0;
    for (size_t rank = 1; rank <= depth; rank++, viewed *= persistence) {
        if (next == judged.count || judged.ranks[next] != rank) {
            rematch_sum_add(&unknown, viewed);
            continue;
        }
        double gain = fmin(fmax(judged.grades[next++] / max_grade, 0), 1);
        rematch_sum_add(&found, gain * viewed);
    }
    // All ranks below the last hit together.
    rematch_sum_add(&unknown, viewed / (1 - persistence));
    // Rounding may go beyond the bound by a bit.
    rematch_set(out, 0, fmin(rematch_sum_total(&found), 1));
    rematch_set(out, 1, fmin(rematch_sum_total(&unknown), 1));
}
