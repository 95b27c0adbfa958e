//! The cache of compiled code, and compiling in a process that can be ended.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::super::{Compiler, HostSettings, PluginHost, compile_into_cache, pack};
use super::bombs;
use super::guests::{Guest, in_full, load_planned};
use crate::benchmark::Limits;
use crate::score::ScoreError;

/// Limits the child as a [`Compiler`] must, and has this test binary do the rest.
const CHILD: &str = r#"ulimit -t "$3" && ulimit -v $(($4 / 1024)) || exit 1
COMPONENT="$1" CACHE="$2" exec "$0" --exact --ignored --nocapture score::wasm::tests::compiling::compile_as_a_child"#;

fn compiler() -> Compiler {
    let this = std::env::current_exe().unwrap();
    Compiler { program: "/bin/sh".into(), arguments: vec!["-c".into(), CHILD.into(), this.into()] }
}

#[test]
#[ignore = "is what the child process of other tests does"]
fn compile_as_a_child() {
    let (Some(component), Some(cache)) = (std::env::var_os("COMPONENT"), std::env::var_os("CACHE")) else { return };
    if let Err(reason) = compile_into_cache(Path::new(&component), Path::new(&cache)) {
        eprintln!("{reason}");
        std::process::exit(1);
    }
    std::process::exit(0);
}

fn host_with(cache: &Path, compiler: Option<Compiler>) -> Arc<PluginHost> {
    let settings = HostSettings { cache: Some(cache.to_owned()), compiler, ..HostSettings::default() };
    Arc::new(PluginHost::new(settings).unwrap())
}

fn guest() -> Vec<u8> {
    pack(&Guest::default().core()).unwrap()
}

fn refusal(bytes: &[u8], host: &Arc<PluginHost>, limits: Limits) -> String {
    match load_planned(bytes, host, |plan| plan.limits = limits).unwrap_err() {
        ScoreError::Load { reason, .. } => reason,
        error => in_full(&error),
    }
}

fn refused_folder(folder: &Path) -> String {
    let settings = HostSettings { cache: Some(folder.to_owned()), ..HostSettings::default() };
    let error = in_full(&PluginHost::new(settings).unwrap_err());
    error.replace(&folder.display().to_string(), "FOLDER")
}

#[test]
fn a_second_host_finds_the_code_of_the_first() {
    let folder = TempDir::new().unwrap();
    let cache = folder.path().join("deep/cache");
    for (compiler, hits) in [(None, 0), (None, 1), (Some(compiler()), 1), (Some(compiler()), 1)] {
        let host = host_with(&cache, compiler);
        load_planned(&guest(), &host, |_| ()).unwrap();
        assert_eq!(host.cache.as_ref().unwrap().wasmtime().cache_hits(), hits);
    }
}

#[test]
fn a_child_compiles_once_and_leaves_the_code() {
    let folder = TempDir::new().unwrap();
    let cache = folder.path().join("cache");
    let host = host_with(&cache, Some(compiler()));
    load_planned(&guest(), &host, |_| ()).unwrap();
    let wasmtime = host.cache.as_ref().unwrap().wasmtime();
    assert_eq!((wasmtime.cache_hits(), wasmtime.cache_misses()), (1, 0), "the code comes from the child");
    // A compiler that cannot compile is not missed any more.
    let broken = Compiler { program: "/bin/false".into(), arguments: Vec::new() };
    let host = host_with(&cache, Some(broken));
    load_planned(&guest(), &host, |_| ()).unwrap();
    // Under tighter limits it would have to show again that it compiles.
    let limits = Limits { compile_seconds: 1, ..Limits::default() };
    let error = refusal(&guest(), &host, limits);
    assert_eq!(error, "the compiler ended with exit status: 1 and said nothing");
    let left: Vec<_> = std::fs::read_dir(&cache).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left.len(), 2, "nothing but `code` and `compiled` is left: {left:?}");
}

#[test]
fn a_compile_bomb_is_ended_at_its_limit() {
    let folder = TempDir::new().unwrap();
    let host = host_with(&folder.path().join("cache"), Some(compiler()));
    let limits = Limits { compile_seconds: 1, ..Limits::default() };
    let started = Instant::now();
    let bomb = bombs::many_locals(2_000, 100_000);
    assert_eq!(refusal(&bomb, &host, limits), "compiling took more than 1 s of CPU time");
    assert!(started.elapsed() < Duration::from_secs(100), "{:?}", started.elapsed());
    load_planned(&guest(), &host, |plan| plan.limits = Limits::default()).unwrap();
}

#[test]
fn a_component_that_fills_the_memory_is_ended() {
    let folder = TempDir::new().unwrap();
    let host = host_with(&folder.path().join("cache"), Some(compiler()));
    let limits = Limits { compile_memory_bytes: 256 << 20, ..Limits::default() };
    let error = refusal(&bombs::many_functions(100_000), &host, limits);
    assert_eq!(error, "compiling took more than 256 MiB of memory");
}

#[test]
fn other_bombs_are_refused_or_ended_and_never_take_the_host_along() {
    let folder = TempDir::new().unwrap();
    let host = host_with(&folder.path().join("cache"), Some(compiler()));
    let limits = Limits { compile_seconds: 1, compile_memory_bytes: 1 << 30, ..Limits::default() };
    for (name, bomb) in [
        ("a branch table", bombs::long_branch_table(1_000_000)),
        ("deep blocks", bombs::deep_blocks(500_000)),
        ("types", bombs::many_types(999_000)),
        ("exports", bombs::many_exports(900_000)),
        ("instances", bombs::many_instances(100_000)),
        ("components", bombs::nested_components(1_000)),
        ("functions", bombs::many_functions(50_000)),
    ] {
        let error = refusal(&bomb, &host, limits);
        let expected = ["compiling took more than", "it does not compile: ", "it exports nothing"];
        assert!(expected.iter().any(|start| error.starts_with(start)), "{name}: {error}");
    }
}

#[test]
fn what_the_child_says_is_the_error() {
    let folder = TempDir::new().unwrap();
    let host = host_with(&folder.path().join("cache"), Some(compiler()));
    let mut cut = guest();
    cut.truncate(cut.len() / 2);
    let error = refusal(&cut, &host, Limits::default());
    assert!(error.starts_with("it does not compile: ") && error.contains("unexpected"), "{error}");
}

#[test]
fn a_compiler_that_cannot_be_started_is_named() {
    let folder = TempDir::new().unwrap();
    let compiler = Compiler { program: "/nowhere/compiler".into(), arguments: Vec::new() };
    let error = refusal(&guest(), &host_with(&folder.path().join("cache"), Some(compiler)), Limits::default());
    assert!(error.starts_with("the compiler `/nowhere/compiler` cannot be started: "), "{error}");
}

#[test]
fn a_compiler_that_sleeps_is_ended_by_the_wall_clock() {
    let folder = TempDir::new().unwrap();
    let asleep = Compiler { program: "/bin/sh".into(), arguments: vec!["-c".into(), "exec sleep 1000".into()] };
    let host = host_with(&folder.path().join("cache"), Some(asleep));
    let error = refusal(&guest(), &host, Limits { compile_seconds: 1, ..Limits::default() });
    assert_eq!(error, "compiling took more than 1 s of CPU time");
}

#[test]
fn a_compiler_without_a_cache_is_refused() {
    let settings = HostSettings { compiler: Some(compiler()), ..HostSettings::default() };
    let error = in_full(&PluginHost::new(settings).unwrap_err());
    assert!(error.contains("a compiler is set without a cache"), "{error}");
}

#[cfg(unix)]
#[test]
fn a_folder_that_is_not_ours_alone_is_refused() {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};

    let folder = TempDir::new().unwrap();
    let ours = folder.path().join("ours");
    PluginHost::new(HostSettings { cache: Some(ours.clone()), ..HostSettings::default() }).unwrap();
    for made in [ours.clone(), ours.join("code"), ours.join("compiled")] {
        assert_eq!(made.metadata().unwrap().mode() & 0o777, 0o700, "{}", made.display());
    }
    let linked = folder.path().join("linked");
    symlink(&ours, &linked).unwrap();
    let why = "code from it is run as it lies there, so name one that is yours alone";
    let refused = |what: &str| format!("plugins cannot be run: the folder `FOLDER` for compiled plugins {what}; {why}");
    assert_eq!(refused_folder(&linked), refused("is a symbolic link"));
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    assert_eq!(refused_folder(&file), refused("is a file"));
    let open = folder.path().join("open");
    std::fs::create_dir(&open).unwrap();
    std::fs::set_permissions(&open, std::fs::Permissions::from_mode(0o770)).unwrap();
    assert_eq!(refused_folder(&open), refused("can be written by others (mode 770, expected 700)"));
}
