/**
 * This session cannot be scored, though it should: the report counts it as an error, not as a low score.
 *
 * Where a score is merely undefined (there is nothing to find), return `null` instead.
 */
export class ScoreError extends Error {
}
