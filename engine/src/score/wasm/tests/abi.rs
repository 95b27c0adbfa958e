//! Guests that lie to the canonical ABI: about pointers, lengths, texts, cases and counts.

use super::guests::{Guest, Rows, culprit, in_full};
use crate::benchmark::Limits;
use crate::score::{ScoreError, ScoreOutcome, Scorer};
use crate::session::ScoreState;

/// A guest that does something after scoring a batch with a session of three hits.
fn lying(code: &'static str) -> Guest {
    let code = format!("(if (global.get $flag) (then {code}))");
    Guest { at_end: Box::leak(code.into_boxed_str()), ..Guest::default() }
}

fn refusal(guest: &Guest) -> String {
    match guest.load().unwrap_err() {
        ScoreError::Load { reason, .. } | ScoreError::Failed { reason, .. } => reason,
        error => in_full(&error),
    }
}

#[test]
fn a_lie_about_the_result_fails_one_session() {
    for (lie, told) in [
        // The list of values: its pointer is at 1028, its length at 1032.
        ("(i32.store (i32.const 1032) (i32.const 0x0fffffff))", "out of bounds"),
        ("(i32.store (i32.const 1032) (i32.const 0xffffffff))", "out of bounds"),
        ("(i32.store (i32.const 1028) (i32.const 0xfffffff8))", "out of bounds"),
        (
            "(i32.store (i32.const 1028) (i32.const 0x7ffffff8)) (i32.store (i32.const 1032) (i32.const 0x1fffffff))",
            "out of",
        ),
        ("(i32.store (i32.const 1028) (i32.const 2049))", "not aligned"),
        // The result itself: where it is, and which case of `result` it is.
        ("(return (i32.const -8))", "out of bounds"),
        ("(return (i32.const 131064))", "out of bounds"),
        ("(return (i32.const 1026))", "not aligned"),
        ("(i32.store (i32.const 1024) (i32.const 7))", "discriminant"),
        // A failure of a case that there is not, and one whose text is none.
        ("(i32.store (i32.const 1024) (i32.const 1)) (i32.store (i32.const 1028) (i32.const 9))", "discriminant"),
        (
            "(i32.store (i32.const 1024) (i32.const 1)) (i32.store (i32.const 1028) (i32.const 1))
             (i32.store (i32.const 1032) (i32.const 4096)) (i32.store (i32.const 1036) (i32.const 1))
             (i32.store8 (i32.const 4096) (i32.const 0xff))",
            "utf-8",
        ),
        // The text of a session's error.
        (
            "(i32.store (i32.const 1044) (i32.const 4096)) (i32.store (i32.const 1048) (i32.const 1))
             (i32.store (i32.const 4100) (i32.const -2)) (i32.store (i32.const 4104) (i32.const 8))",
            "out of bounds",
        ),
        // Offsets of outputs that run backwards, and beyond their bytes.
        (
            "(i32.store (i32.const 1052) (i32.const 4096)) (i32.store (i32.const 1056) (i32.const 2))
             (i32.store (i32.const 4100) (i32.const 9))",
            "returned the output 0..9 of a column of 0 bytes",
        ),
    ] {
        let reason = culprit(&lying(lie).load().unwrap());
        assert!(reason.starts_with("plugin `guest 1.0`, session `s3`: "), "{reason}");
        assert!(reason.contains(told), "{lie}: {reason}");
    }
}

#[test]
fn an_allocator_that_lies_is_found_at_loading() {
    for (lie, told) in [
        ("(return (i32.const -8))", "realloc return: beyond end of memory"),
        ("(return (i32.const 0x7fffff00))", "realloc return: beyond end of memory"),
        ("(return (i32.const 8193))", "realloc return: result not aligned"),
        ("unreachable", "unreachable"),
        ("(loop $ever (br $ever))", "fuel limit of 2000000000 units reached"),
    ] {
        let reason = refusal(&Guest { at_allocate: lie, ..Guest::default() });
        assert!(reason.starts_with("plugin `guest 1.0`: ") && reason.contains(told), "{lie}: {reason}");
    }
}

#[test]
fn an_allocator_that_gives_the_same_memory_twice_harms_only_the_guest() {
    // What it reads as its result is the text of its parameters.
    let reason = refusal(&Guest { at_allocate: "(return (i32.const 65536))", ..Guest::default() });
    assert_eq!(reason, "plugin `guest 1.0`: returned 32123 values for 0 sessions and 1 metrics, expected 0");
}

#[test]
fn a_lie_about_the_description_is_found_at_loading() {
    for (lie, told) in [
        // The metric at 264: its range begins with a case of `option` at 288.
        ("(i32.store8 (i32.const 288) (i32.const 7))", "discriminant"),
        ("(i32.store (i32.const 104) (i32.const 0x07ffffff))", "out of bounds"),
        ("(i32.store (i32.const 64) (i32.const -1))", "out of bounds"),
        ("(return (i32.const 66))", "not aligned"),
        ("(return (i32.const -4))", "out of bounds"),
    ] {
        let reason = refusal(&Guest { at_describe: lie, ..Guest::default() });
        assert!(reason.starts_with("`describe` failed: ") && reason.contains(told), "{lie}: {reason}");
    }
}

#[test]
fn a_description_of_endless_texts_meets_the_output_limit() {
    // A hundred thousand metrics, each with the same name of 60 kB.
    let guest = Guest {
        memory: "120",
        at_describe: "(local $at i32) (local.set $at (i32.const 131072))
          (loop $metric
            (i32.store (local.get $at) (i32.const 5800000)) (i32.store offset=4 (local.get $at) (i32.const 60000))
            (local.set $at (i32.add (local.get $at) (i32.const 56)))
            (br_if $metric (i32.lt_u (local.get $at) (i32.const 5731072))))
          (i32.store (i32.const 100) (i32.const 131072)) (i32.store (i32.const 104) (i32.const 100000))",
        ..Guest::default()
    };
    assert_eq!(refusal(&guest), "`describe` failed: output limit of 16777216 bytes reached");
}

#[test]
fn a_description_of_many_metrics_or_control_characters_is_refused() {
    let many = "(local $at i32) (local.set $at (i32.const 264))
      (loop $metric
        (i32.store (local.get $at) (i32.const 136)) (i32.store offset=4 (local.get $at) (i32.const 4))
        (local.set $at (i32.add (local.get $at) (i32.const 56)))
        (br_if $metric (i32.lt_u (local.get $at) (i32.const 7000))))
      (i32.store (i32.const 104) (i32.const 101))";
    let reason = refusal(&Guest { at_describe: many, ..Guest::default() });
    assert_eq!(reason, "`describe` names 101 metrics, expected at most 100");
    let escape = "(i32.store8 (i32.const 128) (i32.const 27))";
    let reason = refusal(&Guest { at_describe: escape, ..Guest::default() });
    assert!(reason.starts_with("`describe` gives it a name of 5 characters, expected"), "{reason}");
}

#[test]
fn an_endless_loop_after_the_answer_is_ended() {
    let guest = Guest {
        definitions: r#"(func $after (export "cabi_post_rematch:scoring/guest@0.1.0#score") (param i32)
            (if (global.get $flag) (then (loop $ever (br $ever)))))"#,
        ..Guest::default()
    };
    let limits = Limits { fuel_base: 1_000_000, fuel_per_session: 1_000, ..Limits::default() };
    let reason = culprit(&guest.load_with(limits).unwrap());
    assert_eq!(reason, "plugin `guest 1.0`, session `s3`: fuel limit of 1001000 units reached in `after`");
}

#[test]
fn values_at_the_edge_of_the_numbers_are_legal() {
    for (code, value) in [
        ("(local.set $value (f64.const -0))", -0.0),
        ("(local.set $value (f64.const 0x1p-1074))", f64::from_bits(1)),
        ("(local.set $value (f64.const -1e150))", -1e150),
    ] {
        let guest = Guest { at_three_hits: code, ..Guest::default() };
        let outcomes = guest.load().unwrap().score(&Rows::with_hits(&[1, 3]).cases()).unwrap();
        assert_eq!(outcomes[1].value.map(f64::to_bits), Some(value.to_bits()), "{code}");
    }
}

#[test]
fn a_value_whose_square_is_infinite_and_a_text_too_long_to_keep_fail_one_session() {
    let reason =
        culprit(&Guest { at_three_hits: "(local.set $value (f64.const 1e151))", ..Guest::default() }.load().unwrap());
    assert!(reason.ends_with("returned 1e151 for metric `hits`, expected a size of at most 1e150"), "{reason}");
    // One text of 70,000 bytes for a session of three hits, alone.
    let code = "(if (i32.and (global.get $flag) (i32.eq (local.get $len) (i32.const 1))) (then
        (i32.store (i32.const 2052) (i32.const 70000))
        (i32.store (i32.const 1052) (i32.const 2048)) (i32.store (i32.const 1056) (i32.const 2))
        (i32.store (i32.const 1060) (i32.const 50000)) (i32.store (i32.const 1064) (i32.const 70000))))
        (if (i32.and (global.get $flag) (i32.gt_u (local.get $len) (i32.const 1))) (then unreachable))";
    let reason = culprit(&Guest { at_end: code, ..Guest::default() }.load().unwrap());
    assert!(reason.ends_with("returned an output of 70000 bytes, more than 65536"), "{reason}");
}

#[test]
fn a_value_out_of_the_declared_range_fails_one_session() {
    // The metric at 264: its bounds are at 288 and 304, each a case of `option` and, 8 bytes later, a number.
    let described = "(i32.store8 (i32.const 288) (i32.const 1)) (f64.store (i32.const 296) (f64.const 0))
                     (i32.store8 (i32.const 304) (i32.const 1)) (f64.store (i32.const 312) (f64.const 5))";
    for (value, shown) in [("-1", "-1"), ("5.5", "5.5")] {
        let code = format!("(local.set $value (f64.const {value}))");
        let guest =
            Guest { at_describe: described, at_three_hits: Box::leak(code.into_boxed_str()), ..Guest::default() };
        let reason = culprit(&guest.load().unwrap());
        let expected = format!(
            "plugin `guest 1.0`, session `s3`: returned {shown} for metric `hits`, whose declared range is 0 to 5"
        );
        assert_eq!(reason, expected);
    }
}

#[test]
fn an_error_beats_the_value_and_the_undefined_position() {
    let code = "(local.set $value (f64.const nan))
                (i32.store (i32.const 2048) (local.get $i)) (i32.store (i32.const 2052) (i32.const 136))
                (i32.store (i32.const 2056) (i32.const 4)) (i32.store (i32.const 2064) (local.get $i))
                (i32.store (i32.const 1036) (i32.const 2064)) (i32.store (i32.const 1040) (i32.const 1))
                (i32.store (i32.const 1044) (i32.const 2048)) (i32.store (i32.const 1048) (i32.const 1))";
    let guest = Guest { at_three_hits: code, ..Guest::default() };
    let outcomes = guest.load().unwrap().score(&Rows::with_hits(&[3]).cases()).unwrap();
    let expected = ScoreOutcome::error("plugin `guest 1.0`, session `s0`: hits".to_owned());
    assert_eq!((outcomes[0].state, &outcomes[0]), (ScoreState::Error, &expected));
}
