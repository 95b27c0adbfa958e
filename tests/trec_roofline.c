/* How fast can two TREC runs be compared at all? A lower bound for `compare_speed.py`, and no tool: one pass over mapped files,
 * topics in the same order everywhere, hits best first, no checks, nothing written but eight rows of numbers.
 *
 *   cc -O3 -march=native -o trec_roofline trec_roofline.c -lm && ./trec_roofline qrels.trec base.run cand.run
 */
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

enum { METRICS = 8, MOST_JUDGED = 64, MOST_RANKS = 1 << 20 };
static const char *NAMES[METRICS] = {"ndcg@5", "ndcg@10", "ndcg@20", "recall@5", "recall@10", "recall@20", "rr", "ap"};
static const int CUTOFFS[3] = {5, 10, 20};

typedef struct { const char *at, *end; } Text;
typedef struct { const char *at; size_t length; } Word;
typedef struct { Word item; double grade; } Judged;

static Text map(const char *path) {
    struct stat found;
    int file = open(path, O_RDONLY);
    if (file < 0 || fstat(file, &found) != 0) { perror(path); exit(2); }
    const char *text = mmap(NULL, found.st_size, PROT_READ, MAP_PRIVATE, file, 0);
    if (text == MAP_FAILED) { perror(path); exit(2); }
    madvise((void *)text, found.st_size, MADV_SEQUENTIAL);
    return (Text){text, text + found.st_size};
}

static inline Word word(Text *text) {
    const char *start = text->at;
    while (*text->at > ' ') text->at++;
    Word found = {start, text->at - start};
    text->at++;
    return found;
}

static inline double number(Text *text) {
    double value = 0, scale = 1;
    int negative = *text->at == '-';
    text->at += negative;
    for (; *text->at >= '0' && *text->at <= '9'; text->at++) value = value * 10 + (*text->at - '0');
    if (*text->at == '.')
        for (text->at++; *text->at >= '0' && *text->at <= '9'; text->at++) value = value * 10 + (*text->at - '0'), scale *= 10;
    text->at++;
    return (negative ? -value : value) / scale;
}

static inline void skip_line(Text *text) { text->at = (const char *)memchr(text->at, '\n', text->end - text->at) + 1; }

static inline int same(Word a, Word b) { return a.length == b.length && memcmp(a.at, b.at, a.length) == 0; }

static double discounts[MOST_RANKS];

static void evaluate(Text *run, Word topic, const Judged *judged, int count, double *values, double *checks) {
    double gains[3] = {0}, found[3] = {0}, reciprocal = 0, precisions = 0, relevant = 0;
    for (int rank = 0; run->at < run->end && rank < MOST_RANKS; rank++) {
        if (memcmp(run->at, topic.at, topic.length) != 0 || run->at[topic.length] > ' ') break;
        run->at += topic.length + 1;
        word(run);
        Word item = word(run);
        *checks += number(run) + number(run);
        skip_line(run);
        for (int j = 0; j < count; j++) {
            if (!same(item, judged[j].item) || judged[j].grade <= 0) continue;
            relevant++;
            if (reciprocal == 0) reciprocal = 1.0 / (rank + 1);
            precisions += relevant / (rank + 1);
            for (int k = 0; k < 3; k++)
                if (rank < CUTOFFS[k]) gains[k] += judged[j].grade * discounts[rank], found[k]++;
        }
    }
    double ideal[MOST_JUDGED], all = 0;
    int positive = 0;
    for (int j = 0; j < count; j++) {
        if (judged[j].grade <= 0) continue;
        int place = positive++;
        for (; place > 0 && ideal[place - 1] < judged[j].grade; place--) ideal[place] = ideal[place - 1];
        ideal[place] = judged[j].grade;
    }
    all = positive ? positive : 1;
    for (int k = 0; k < 3; k++) {
        double best = 0;
        for (int i = 0; i < positive && i < CUTOFFS[k]; i++) best += ideal[i] * discounts[i];
        values[k] = best > 0 ? gains[k] / best : 0;
        values[3 + k] = found[k] / all;
    }
    values[6] = reciprocal;
    values[7] = precisions / all;
}

int main(int count, char **paths) {
    if (count != 4) { fprintf(stderr, "usage: trec_roofline QRELS BASE CANDIDATE\n"); return 2; }
    Text qrels = map(paths[1]), base = map(paths[2]), candidate = map(paths[3]);
    for (int rank = 0; rank < MOST_RANKS; rank++) discounts[rank] = 1 / log2(rank + 2);
    double sums[2][METRICS] = {{0}}, deltas[METRICS] = {0}, squares[METRICS] = {0}, checks = 0;
    long topics = 0;
    while (qrels.at < qrels.end) {
        Judged judged[MOST_JUDGED];
        int some = 0;
        Word topic = {qrels.at, 0};
        while (qrels.at < qrels.end && some < MOST_JUDGED) {
            Text line = qrels;
            Word of = word(&line);
            if (topic.length && !same(of, topic)) break;
            topic = of;
            word(&line);
            judged[some].item = word(&line);
            judged[some++].grade = number(&line);
            qrels = line;
        }
        double values[2][METRICS];
        evaluate(&base, topic, judged, some, values[0], &checks);
        evaluate(&candidate, topic, judged, some, values[1], &checks);
        topics++;
        for (int m = 0; m < METRICS; m++) {
            double delta = values[1][m] - values[0][m];
            sums[0][m] += values[0][m], sums[1][m] += values[1][m], deltas[m] += delta, squares[m] += delta * delta;
        }
    }
    for (int m = 0; m < METRICS; m++) {
        double mean = deltas[m] / topics, variance = (squares[m] - topics * mean * mean) / (topics - 1);
        printf("%s %.6f %.6f t %.4f\n", NAMES[m], sums[0][m] / topics, sums[1][m] / topics, mean / sqrt(variance / topics));
    }
    return checks == 0;
}
