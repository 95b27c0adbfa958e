//! What guests say, and how much of it is heard.

use std::sync::{Arc, Mutex};

use super::super::{HostSettings, LogLevel, LogMessage, PluginHost, pack};
use super::guests::{Guest, Rows, culprit, host, load_planned};
use crate::benchmark::Limits;

const IMPORT: &str = r#"(import "rematch:scoring/log@0.1.0" "log" (func $log (param i32 i32 i32)))"#;

/// Says "hits" (at 136) at every session of three hits.
fn talking() -> Guest {
    Guest {
        imports: IMPORT,
        at_three_hits: "(call $log (i32.const 2) (i32.const 136) (i32.const 4))",
        ..Guest::default()
    }
}

fn said() -> LogMessage {
    LogMessage { level: LogLevel::Warn, text: "hits".to_owned() }
}

#[test]
fn messages_reach_whoever_listens_and_the_measurement() {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let ear = Arc::clone(&heard);
    let log = move |scorer: &str, message: &LogMessage| ear.lock().unwrap().push((scorer.to_owned(), message.clone()));
    let settings = HostSettings { log: Some(Arc::new(log)), ..HostSettings::default() };
    let host = Arc::new(PluginHost::new(settings).unwrap());
    let guest = Guest { at_describe: "(call $log (i32.const 0) (i32.const 140) (i32.const 4))", ..talking() };
    let scorer = load_planned(&pack(&guest.core()).unwrap(), &host, |_| ()).unwrap();
    let described = LogMessage { level: LogLevel::Debug, text: "more".to_owned() };
    assert_eq!(std::mem::take(&mut *heard.lock().unwrap()), [("test".to_owned(), described)]);
    let measurement = scorer.measure(&Rows::with_hits(&[3, 1, 3]).cases()).unwrap();
    assert_eq!(measurement.log, [said(), said()]);
    assert_eq!(measurement.log_bytes_dropped, 0);
    assert_eq!(*heard.lock().unwrap(), [("test".to_owned(), said()), ("test".to_owned(), said())]);
}

#[test]
fn what_is_said_before_a_failure_is_heard_once() {
    let guest =
        Guest { at_three_hits: "(call $log (i32.const 2) (i32.const 136) (i32.const 4)) unreachable", ..talking() };
    let measurement = guest.load().unwrap().measure(&Rows::with_hits(&[1, 3]).cases()).unwrap();
    assert_eq!(measurement.log, [said()]);
}

#[test]
fn a_flood_of_messages_is_cut_and_counted() {
    let guest = Guest {
        at_three_hits: "(local.set $hits (i32.const 100000))
          (loop $again
            (call $log (i32.const 0) (i32.const 136) (i32.const 4))
            (br_if $again (local.tee $hits (i32.sub (local.get $hits) (i32.const 1)))))",
        ..talking()
    };
    let limits = Limits { log_bytes: 1_000, ..Limits::default() };
    let measurement = guest.load_with(limits).unwrap().measure(&Rows::with_hits(&[3]).cases()).unwrap();
    let weight = 4 + size_of::<LogMessage>();
    let kept = 1_000 / weight;
    assert_eq!(measurement.log.len(), kept);
    assert_eq!(measurement.log_bytes_dropped, ((100_000 - kept) * weight) as u64);
}

#[test]
fn long_messages_cost_fuel() {
    let guest = Guest {
        memory: "100",
        at_three_hits: "(loop $ever (call $log (i32.const 0) (i32.const 65536) (i32.const 1000000)) (br $ever))",
        ..talking()
    };
    let limits = Limits { fuel_base: 50_000_000, fuel_per_session: 1, ..Limits::default() };
    let reason = culprit(&guest.load_with(limits).unwrap());
    assert_eq!(reason, "plugin `guest 1.0`, session `s3`: fuel limit of 50000001 units reached in `score`");
}

#[test]
fn a_lie_about_a_message_fails_one_session() {
    for (lie, told) in [
        ("(call $log (i32.const 9) (i32.const 136) (i32.const 4))", "discriminant"),
        ("(call $log (i32.const 0) (i32.const -4) (i32.const 8))", "out of bounds"),
        ("(call $log (i32.const 0) (i32.const 136) (i32.const -1))", "out of bounds"),
        (
            "(i32.store8 (i32.const 136) (i32.const 0xff)) (call $log (i32.const 0) (i32.const 136) (i32.const 4))",
            "utf-8",
        ),
    ] {
        let reason = culprit(&Guest { at_three_hits: lie, ..talking() }.load().unwrap());
        assert!(reason.contains(told), "{lie}: {reason}");
    }
    let guest = Guest {
        memory: "300",
        at_three_hits: "(call $log (i32.const 0) (i32.const 65536) (i32.const 17000000))",
        ..talking()
    };
    let reason = culprit(&guest.load().unwrap());
    assert!(reason.contains("output limit of 16777216 bytes reached"), "{reason}");
}

#[test]
fn a_component_that_logs_needs_no_more_than_one_that_does_not() {
    let silent = load_planned(&pack(&Guest::default().core()).unwrap(), host(), |_| ()).unwrap();
    assert_eq!(silent.measure(&Rows::with_hits(&[1]).cases()).unwrap().log, []);
}
