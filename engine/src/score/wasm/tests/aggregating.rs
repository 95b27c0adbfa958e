//! Components that sum up runs themselves.

use super::super::{Kind, inspect, pack};
use super::guests::{Guest, in_full, load_bytes};
use crate::benchmark::Limits;
use crate::score::{ScoreError, Scorer};

/// A guest that exports `aggregate`. The arguments are the columns' pointer and length and those of the parameters; a
/// column has the pointers and lengths of its values and of its flags. The result at 4096 has its case, and at 4104
/// that of the option (or the text), and at 4112 the number.
fn summing(code: &str) -> Guest {
    let definitions = format!(
        r#"(func $aggregate (export "rematch:scoring/aggregation@0.1.0#aggregate")
             (param $columns i32) (param $count i32) (param $params i32) (param $length i32) (result i32)
             {code}
             (i32.const 4096))"#
    );
    Guest { definitions: Box::leak(definitions.into_boxed_str()), ..Guest::default() }
}

const SOME: &str = "(i32.store8 (i32.const 4104) (i32.const 1))";

fn aggregate(code: &str, metrics: &[Vec<Option<f64>>]) -> Result<Option<f64>, ScoreError> {
    let limits = Limits { fuel_base: 1_000_000, fuel_per_session: 1_000, ..Limits::default() };
    let scorer = summing(code).load_with(limits).unwrap();
    assert!(scorer.aggregates() && scorer.description().aggregates);
    scorer.aggregate(metrics)
}

#[test]
fn a_component_without_aggregate_leaves_the_mean() {
    let scorer = Guest::default().load().unwrap();
    assert!(!scorer.aggregates() && !scorer.description().aggregates);
    assert_eq!(scorer.aggregate(&[vec![Some(1.0), None, Some(2.0)]]).unwrap(), Some(1.5));
}

#[test]
fn aggregate_sees_every_metric_and_which_values_are_known() {
    // The second metric's first value, plus ten times the first metric's second flag, plus the number of sessions.
    let code = format!(
        "{SOME} (f64.store (i32.const 4112) (f64.add
           (f64.load (i32.load offset=16 (local.get $columns)))
           (f64.convert_i32_u (i32.add
             (i32.mul (i32.const 10) (i32.load8_u offset=1 (i32.load offset=8 (local.get $columns))))
             (i32.load offset=4 (local.get $columns))))))"
    );
    let known = vec![vec![None, Some(3.0), None], vec![Some(0.5), None, None]];
    assert_eq!(aggregate(&code, &known).unwrap(), Some(13.5));
    let unknown = vec![vec![Some(1.0), None], vec![None, None]];
    assert_eq!(aggregate(&code, &unknown).unwrap(), Some(2.0));
}

#[test]
fn no_number_is_an_undefined_score() {
    assert_eq!(aggregate("", &[vec![Some(1.0)]]).unwrap(), None);
}

#[test]
fn a_failure_names_the_plugin_and_what_happened() {
    for (code, told) in [
        (
            "unreachable".to_owned(),
            "`aggregate` failed: wasm trap: wasm `unreachable` instruction executed in `aggregate`",
        ),
        (
            "(loop $ever (br $ever))".to_owned(),
            "`aggregate` failed: fuel limit of 1001000 units reached in `aggregate`",
        ),
        (
            format!("{SOME} (f64.store (i32.const 4112) (f64.const nan))"),
            "`aggregate` returned NaN, expected a finite number, or none where the score is undefined",
        ),
        (
            // The text of the failure is at 136: "hits".
            "(i32.store8 (i32.const 4096) (i32.const 1)) (i32.store (i32.const 4104) (i32.const 136))
             (i32.store (i32.const 4108) (i32.const 4))"
                .to_owned(),
            "`aggregate` failed: hits",
        ),
    ] {
        let error = in_full(&aggregate(&code, &[vec![Some(1.0)]]).unwrap_err());
        assert_eq!(error, format!("scorer `test` failed: plugin `guest 1.0`: {told}"));
    }
}

#[test]
fn packing_chooses_the_world_by_the_export() {
    let packed = pack(&summing("").core()).unwrap();
    let exports = inspect(&packed).unwrap().exports;
    assert_eq!(exports, ["rematch:scoring/aggregation@0.1.0", "rematch:scoring/guest@0.1.0"]);
    assert_eq!(inspect(&pack(&Guest::default().core()).unwrap()).unwrap().exports, ["rematch:scoring/guest@0.1.0"]);
    let wrong = Guest {
        definitions: r#"(func (export "rematch:scoring/aggregation@0.1.0#aggregate") (result i32) (i32.const 0))"#,
        ..Guest::default()
    };
    let error = in_full(&pack(&wrong.core()).unwrap_err());
    assert!(error.starts_with("the module does not implement the world `aggregating-scorer`: "), "{error}");
}

#[test]
fn an_interface_of_that_name_without_the_function_does_not_fit() {
    let packed = inspect(&pack(&Guest::default().core()).unwrap()).unwrap();
    assert_eq!(packed.kind, Kind::Component);
    let text = r#"(component (instance $empty)
        (export "rematch:scoring/guest@0.1.0" (instance $empty))
        (export "rematch:scoring/aggregation@0.1.0" (instance $empty)))"#;
    let error = in_full(&load_bytes(&wat::parse_str(text).unwrap(), Limits::default()).unwrap_err());
    assert!(error.contains("it does not fit the world"), "{error}");
}
