//! Components that want WASI: refused, or given stand-ins without effect.

use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

use super::super::{Provision, WIT, WasmScorer, inspect, pack};
use super::guests::{Guest, Rows, culprit, host, in_full, load_bytes, load_planned};
use crate::benchmark::Limits;
use crate::benchmark::spec::Wasi;
use crate::score::{ScoreError, Scorer};

/// The parts of WASI that the guests below import, as their documents declare them.
const WASI: &str = "
package test:guest;

package wasi:io@0.2.3 {
  interface error { resource error { to-debug-string: func() -> string; } }
  interface poll {
    resource pollable { ready: func() -> bool; block: func(); }
    poll: func(in: list<borrow<pollable>>) -> list<u32>;
  }
  interface streams {
    use error.{error};
    use poll.{pollable};
    variant stream-error { last-operation-failed(error), closed }
    resource input-stream {
      read: func(len: u64) -> result<list<u8>, stream-error>;
      subscribe: func() -> pollable;
    }
    resource output-stream {
      check-write: func() -> result<u64, stream-error>;
      write: func(contents: list<u8>) -> result<_, stream-error>;
      blocking-write-and-flush: func(contents: list<u8>) -> result<_, stream-error>;
    }
  }
}
package wasi:cli@0.2.3 {
  interface environment { get-environment: func() -> list<tuple<string, string>>; }
  interface exit { exit: func(status: result); }
  interface stdin { use wasi:io/streams@0.2.3.{input-stream}; get-stdin: func() -> input-stream; }
  interface stdout { use wasi:io/streams@0.2.3.{output-stream}; get-stdout: func() -> output-stream; }
}
package wasi:clocks@0.2.9 {
  interface wall-clock {
    record datetime { seconds: u64, nanoseconds: u32 }
    now: func() -> datetime;
  }
  interface monotonic-clock { now: func() -> u64; resolution: func() -> u64; }
}
package wasi:random@0.2.0 {
  interface random { get-random-bytes: func(len: u64) -> list<u8>; get-random-u64: func() -> u64; }
  interface insecure-seed { insecure-seed: func() -> tuple<u64, u64>; }
}
package wasi:filesystem@0.2.3 {
  interface types {
    enum error-code { access, would-block }
    resource descriptor { sync: func() -> result<_, error-code>; }
  }
  interface preopens {
    use types.{descriptor};
    get-directories: func() -> list<tuple<descriptor, string>>;
  }
}
package wasi:sockets@0.2.3 {
  interface network { resource network; enum error-code { unknown, access-denied } }
  interface instance-network { use network.{network}; instance-network: func() -> network; }
  interface tcp-create-socket {
    use network.{error-code};
    enum ip-address-family { ipv4, ipv6 }
    resource tcp-socket;
    create-tcp-socket: func(family: ip-address-family) -> result<tcp-socket, error-code>;
  }
}
";

/// Returns a component of a guest that imports `interfaces` of WASI too.
fn component(guest: &Guest, interfaces: &[&str]) -> Vec<u8> {
    let mut resolve = Resolve::default();
    resolve.push_str("scoring.wit", WIT).unwrap();
    let imports: String = interfaces.iter().map(|interface| format!("import {interface};\n")).collect();
    let world = format!("{WASI} world guest {{ include rematch:scoring/scorer@0.1.0; {imports} }}");
    let package = resolve.push_str("guest.wit", &world).unwrap();
    let world = resolve.select_world(&[package], Some("guest")).unwrap();
    let mut core = guest.core();
    embed_component_metadata(&mut core, &resolve, world, StringEncoding::UTF8).unwrap();
    ComponentEncoder::default().validate(true).module(&core).unwrap().encode().unwrap()
}

fn load(guest: &Guest, interfaces: &[&str]) -> Result<WasmScorer, ScoreError> {
    load_planned(&component(guest, interfaces), host(), |plan| plan.wasi = Wasi::Inert)
}

/// Returns the score of a session of three hits by a guest that does `code` there.
fn score(imports: &'static str, code: &'static str, interfaces: &[&str]) -> f64 {
    let guest = Guest { imports, at_three_hits: code, memory: "4", ..Guest::default() };
    let outcomes = load(&guest, interfaces).unwrap().score(&Rows::with_hits(&[3, 3]).cases()).unwrap();
    assert!(outcomes[0].value.is_some(), "{}", outcomes[0].output);
    outcomes[0].value.unwrap()
}

#[test]
fn wasi_is_refused_by_name_with_the_way_out() {
    let guest = Guest {
        imports: r#"(import "wasi:random/random@0.2.0" "get-random-u64" (func (result i64)))
                    (import "wasi:clocks/monotonic-clock@0.2.9" "now" (func (result i64)))"#,
        ..Guest::default()
    };
    let bytes = component(&guest, &["wasi:random/random@0.2.0", "wasi:clocks/monotonic-clock@0.2.9"]);
    let error = in_full(&load_bytes(&bytes, Limits::default()).unwrap_err());
    let told = "it imports `wasi:random/random@0.2.0`, `wasi:clocks/monotonic-clock@0.2.9`; build it without WASI, or \
                set `wasi = \"inert\"` on the plugin to give it stand-ins without effect";
    assert!(error.ends_with(told), "{error}");
    let imports = inspect(&bytes).unwrap().imports;
    assert!(imports.iter().all(|import| import.provision == Provision::InertWasi), "{imports:?}");
}

#[test]
fn what_is_not_wasi_of_today_is_refused_even_where_wasi_is_inert() {
    for import in [
        "wasi:http/types@0.2.3",
        "wasi:cli/environment@0.3.0",
        "wasi:keyvalue/store@0.2.0",
        "env",
        "wasi:threads/spawn",
    ] {
        let text = match import {
            "env" => r#"(component (import "env" (func)))"#.to_owned(),
            import => format!(r#"(component (import "{import}" (instance)))"#),
        };
        let bytes = wat::parse_str(&text).unwrap();
        let error = in_full(&load_planned(&bytes, host(), |plan| plan.wasi = Wasi::Inert).unwrap_err());
        assert!(error.contains(&format!("it imports `{import}`, but a plugin may import nothing but")), "{error}");
    }
}

#[test]
fn an_interface_that_is_more_than_functions_is_refused() {
    let text = r#"(component (import "wasi:cli/environment@0.2.0" (instance (export "m" (core module)))))"#;
    let bytes = wat::parse_str(text).unwrap();
    let error = in_full(&load_planned(&bytes, host(), |plan| plan.wasi = Wasi::Inert).unwrap_err());
    assert!(error.contains("it exports nothing") || error.contains("cannot be stood in for"), "{error}");
}

#[test]
fn clocks_stand_still() {
    let imports = r#"(import "wasi:clocks/monotonic-clock@0.2.9" "now" (func $now (result i64)))
        (import "wasi:clocks/wall-clock@0.2.9" "now" (func $date (param i32)))"#;
    let code = "(call $date (i32.const 4096))
        (local.set $value (f64.add
          (f64.convert_i64_u (i64.sub (call $now) (call $now)))
          (f64.convert_i64_u (i64.add (i64.load (i32.const 4096)) (i64.load32_u (i32.const 4104))))))";
    let interfaces = ["wasi:clocks/monotonic-clock@0.2.9", "wasi:clocks/wall-clock@0.2.9"];
    assert_eq!(score(imports, code, &interfaces), 1_700_000_000.0);
}

#[test]
fn random_numbers_are_the_same_in_every_call() {
    let imports = r#"(import "wasi:random/random@0.2.0" "get-random-u64" (func $number (result i64)))
        (import "wasi:random/random@0.2.0" "get-random-bytes" (func $bytes (param i64 i32)))
        (import "wasi:random/insecure-seed@0.2.0" "insecure-seed" (func $seed (param i32)))"#;
    let code = "(call $seed (i32.const 4096)) (call $bytes (i64.const 8) (i32.const 4112))
        (if (i32.ne (i32.load (i32.const 4116)) (i32.const 8)) (then unreachable))
        (if (i64.eq (i64.load (i32.const 4096)) (i64.load (i32.const 4104))) (then unreachable))
        (local.set $value (f64.convert_i64_u (i64.xor (call $number) (i64.load (i32.load (i32.const 4112))))))";
    let interfaces = ["wasi:random/random@0.2.0", "wasi:random/insecure-seed@0.2.0"];
    let guest = Guest {
        imports,
        at_three_hits: code,
        at_describe: "(i32.store8 (i32.const 108) (i32.const 1))",
        ..Guest::default()
    };
    let scorer = load(&guest, &interfaces).unwrap();
    let score = || scorer.score(&Rows::with_hits(&[3]).cases()).unwrap()[0].value.unwrap();
    let first = score();
    assert!(first > 1.0);
    assert_eq!((score(), score()), (first, first));
}

#[test]
fn a_request_for_endless_random_bytes_is_refused() {
    let guest = Guest {
        imports: r#"(import "wasi:random/random@0.2.0" "get-random-bytes" (func $bytes (param i64 i32)))"#,
        at_three_hits: "(call $bytes (i64.const -1) (i32.const 4096))",
        ..Guest::default()
    };
    let reason = culprit(&load(&guest, &["wasi:random/random@0.2.0"]).unwrap());
    let told = "limit of 65536 random bytes reached (18446744073709551615 asked for)";
    assert_eq!(reason, format!("plugin `guest 1.0`, session `s3`: {told}"));
}

#[test]
fn output_is_swallowed_input_has_ended_and_nothing_is_waited_for() {
    let imports = r#"
        (import "wasi:cli/stdout@0.2.3" "get-stdout" (func $stdout (result i32)))
        (import "wasi:cli/stdin@0.2.3" "get-stdin" (func $stdin (result i32)))
        (import "wasi:io/streams@0.2.3" "[method]output-stream.check-write" (func $room (param i32 i32)))
        (import "wasi:io/streams@0.2.3" "[method]output-stream.write" (func $write (param i32 i32 i32 i32)))
        (import "wasi:io/streams@0.2.3" "[method]input-stream.read" (func $read (param i32 i64 i32)))
        (import "wasi:io/streams@0.2.3" "[method]input-stream.subscribe" (func $subscribe (param i32) (result i32)))
        (import "wasi:io/streams@0.2.3" "[resource-drop]output-stream" (func $drop_output (param i32)))
        (import "wasi:io/poll@0.2.3" "poll" (func $poll (param i32 i32 i32)))
        (import "wasi:io/poll@0.2.3" "[method]pollable.ready" (func $ready (param i32) (result i32)))"#;
    // A sum of facts, each of them another digit.
    let code = "(local.set $hits (call $stdout))
        (call $room (local.get $hits) (i32.const 4096))
        (if (i32.load8_u (i32.const 4096)) (then unreachable))
        (if (i64.ne (i64.load (i32.const 4104)) (i64.const 65536)) (then unreachable))
        (call $write (local.get $hits) (i32.const 0) (i32.const 100) (i32.const 4096))
        (if (i32.load8_u (i32.const 4096)) (then unreachable))
        (call $drop_output (local.get $hits))
        (local.set $hits (call $stdin))
        (call $read (local.get $hits) (i64.const 10) (i32.const 4096))
        (if (i32.ne (i32.load8_u (i32.const 4096)) (i32.const 1)) (then unreachable))
        (if (i32.ne (i32.load8_u (i32.const 4100)) (i32.const 1)) (then unreachable))
        (i32.store (i32.const 4200) (call $subscribe (local.get $hits)))
        (i32.store (i32.const 4204) (call $subscribe (local.get $hits)))
        (if (i32.eqz (call $ready (i32.load (i32.const 4200)))) (then unreachable))
        (call $poll (i32.const 4200) (i32.const 2) (i32.const 4096))
        (local.set $value (f64.convert_i32_u (i32.load (i32.const 4100))))";
    let interfaces = ["wasi:cli/stdout@0.2.3", "wasi:cli/stdin@0.2.3", "wasi:io/streams@0.2.3", "wasi:io/poll@0.2.3"];
    assert_eq!(score(imports, code, &interfaces), 2.0);
}

#[test]
fn there_are_no_variables_no_files_and_no_sockets() {
    let imports = r#"
        (import "wasi:cli/environment@0.2.3" "get-environment" (func $variables (param i32)))
        (import "wasi:filesystem/preopens@0.2.3" "get-directories" (func $folders (param i32)))
        (import "wasi:sockets/instance-network@0.2.3" "instance-network" (func $network (result i32)))
        (import "wasi:sockets/tcp-create-socket@0.2.3" "create-tcp-socket" (func $socket (param i32 i32)))"#;
    let code = "(call $variables (i32.const 4096)) (call $folders (i32.const 4112))
        (drop (call $network)) (call $socket (i32.const 0) (i32.const 4128))
        (if (i32.load (i32.const 4100)) (then unreachable))
        (if (i32.load (i32.const 4116)) (then unreachable))
        (if (i32.ne (i32.load8_u (i32.const 4128)) (i32.const 1)) (then unreachable))
        (local.set $value (f64.convert_i32_u (i32.load8_u (i32.const 4132))))";
    let interfaces = [
        "wasi:cli/environment@0.2.3",
        "wasi:filesystem/preopens@0.2.3",
        "wasi:sockets/instance-network@0.2.3",
        "wasi:sockets/tcp-create-socket@0.2.3",
    ];
    assert_eq!(score(imports, code, &interfaces), 1.0, "the second case of the error is `access-denied`");
}

#[test]
fn leaving_by_exit_fails_one_session() {
    let guest = Guest {
        imports: r#"(import "wasi:cli/exit@0.2.3" "exit" (func $exit (param i32)))"#,
        at_three_hits: "(call $exit (i32.const 0))",
        ..Guest::default()
    };
    let reason = culprit(&load(&guest, &["wasi:cli/exit@0.2.3"]).unwrap());
    assert_eq!(reason, "plugin `guest 1.0`, session `s3`: the component called `exit` in `score`");
}

#[test]
fn handles_without_end_are_refused() {
    let guest = Guest {
        imports: r#"(import "wasi:cli/stdout@0.2.3" "get-stdout" (func $stdout (result i32)))"#,
        at_three_hits: "(loop $ever (drop (call $stdout)) (br $ever))",
        ..Guest::default()
    };
    let reason = culprit(&load(&guest, &["wasi:cli/stdout@0.2.3"]).unwrap());
    assert!(reason.contains("handle"), "{reason}");
}

#[test]
fn a_core_module_gets_stand_ins_when_it_is_packed() {
    let imports = r#"
        (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "clock_time_get" (func $now (param i32 i64 i32) (result i32)))
        (import "wasi_snapshot_preview1" "environ_sizes_get" (func $variables (param i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "fd_prestat_get" (func $folder (param i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "poll_oneoff" (func $poll (param i32 i32 i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))"#;
    let code = "(i32.store (i32.const 4096) (i32.const 0)) (i32.store (i32.const 4100) (i32.const 70))
        (if (call $write (i32.const 2) (i32.const 4096) (i32.const 1) (i32.const 4200)) (then unreachable))
        (if (i32.ne (i32.load (i32.const 4200)) (i32.const 70)) (then unreachable))
        (if (i32.ne (call $write (i32.const 3) (i32.const 4096) (i32.const 1) (i32.const 4200)) (i32.const 8))
          (then unreachable))
        (if (call $read (i32.const 0) (i32.const 4096) (i32.const 1) (i32.const 4200)) (then unreachable))
        (if (i32.load (i32.const 4200)) (then unreachable))
        (if (call $random (i32.const 4200) (i32.const 8)) (then unreachable))
        (if (i64.eqz (i64.load (i32.const 4200))) (then unreachable))
        (if (call $variables (i32.const 4200) (i32.const 4204)) (then unreachable))
        (if (i64.ne (i64.load (i32.const 4200)) (i64.const 0)) (then unreachable))
        (if (i32.ne (call $folder (i32.const 3) (i32.const 4200)) (i32.const 8)) (then unreachable))
        (i64.store (i32.const 4300) (i64.const 99))
        (if (call $poll (i32.const 4300) (i32.const 4400) (i32.const 1) (i32.const 4200)) (then unreachable))
        (if (i64.ne (i64.load (i32.const 4400)) (i64.const 99)) (then unreachable))
        (if (call $now (i32.const 0) (i64.const 1) (i32.const 4200)) (then unreachable))
        (local.set $value (f64.convert_i64_u (i64.load (i32.const 4200))))
        (if (i32.eq (local.get $len) (i32.const 2)) (then (call $exit (i32.const 0))))";
    let guest = Guest { imports, at_three_hits: code, ..Guest::default() };
    let packed = pack(&guest.core()).unwrap();
    assert_eq!(inspect(&packed).unwrap().imports, []);
    let scorer = load_bytes(&packed, Limits::default()).unwrap();
    let outcomes = scorer.score(&Rows::with_hits(&[3, 1, 1]).cases()).unwrap();
    assert_eq!(outcomes[0].value, Some(1.7e18), "{}", outcomes[0].output);
    let outcomes = scorer.score(&Rows::with_hits(&[3, 1]).cases()).unwrap();
    assert_eq!(outcomes[1].value, Some(1.0));
}
