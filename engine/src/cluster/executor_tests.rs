//! What the run of a stranger gets of an executor, and what it does not.

use std::net::Ipv4Addr;
use std::os::unix::fs::symlink;

use serde_json::{Value, json};

use super::super::shipping::ship;
use super::*;
use crate::benchmark::SpecSource;
use crate::outbound::Outbound;
use crate::score::wasm::HostSettings;
use crate::store::Manifest;

/// An executor in that folder, with a credential in its environment.
fn host(folder: &Path) -> Host {
    let plugins = || Arc::new(PluginHost::new(HostSettings::default()).unwrap());
    let secrets: crate::replay::remote::Secrets = Arc::new(|name| (name == "KEY").then(|| "the executor's".to_owned()));
    let settings = ExecutorSettings {
        scheduler: "df://10.0.0.1:50050".parse().unwrap(),
        listen: Ipv4Addr::LOCALHOST.into(),
        port: 1,
        cores: NonZeroUsize::MIN,
        work_folder: folder.to_owned(),
        connect_seconds: 1,
        only_in: None,
        workspace: Workspace { secrets, ..Workspace::default() },
        plugins: plugins(),
    };
    Host { settings: Arc::new(settings), unheard: plugins(), asked: Asked::default(), makers: Mutex::default() }
}

/// A run in that folder.
fn run_in(folder: &Path) -> RunDirectory {
    let manifest = json!({
        "layout_version": 2, "engine_version": "0", "run_id": "a", "name": "n", "seed": 1, "plan": {}, "inputs": []
    });
    let manifest: Manifest = serde_json::from_value(manifest).unwrap();
    RunDirectory::open(&folder.join("run"), &manifest).unwrap().0
}

/// A plan whose corpus lies there.
fn plan(corpus: &str) -> Plan {
    let text = json!({
        "name": "n", "baseline": "a", "candidates": ["b"], "sessions": { "path": "s.jsonl" },
        "corpus": { "c": { "path": corpus, "id": "id" } },
        "retriever": [
            { "id": "a", "stages": [{ "kind": "bm25", "corpus": "c", "fields": { "t": 1.0 } }] },
            { "id": "b", "stages": [{ "kind": "shown" }] },
        ],
    });
    Plan::resolve(&SpecSource::of(Path::new("/b.yaml"), &text.to_string(), &[]).unwrap()).unwrap()
}

fn shipped(plan: Plan, outbound: Outbound) -> Shipped {
    let (pipeline_hashes, component_hashes) = Default::default();
    Shipped { drive: "d".to_owned(), plan, pipeline_hashes, component_hashes, outbound }
}

fn strangers() -> Outbound {
    Outbound::public_and(vec!["10.0.0.0/8".parse().unwrap(), "10.0.0.1:50050".parse().unwrap()])
}

#[test]
fn a_strangers_run_gets_no_credentials_and_connects_to_whom_its_server_says_and_never_to_the_scheduler() {
    let folder = tempfile::tempdir().unwrap();
    let (host, run) = (host(folder.path()), run_in(folder.path()));
    let inside = run.path(layout::INPUTS).join("x/c.jsonl");
    std::fs::create_dir_all(inside.parent().unwrap()).unwrap();
    std::fs::write(&inside, "").unwrap();
    let plan = plan(&inside.to_string_lossy());

    let own = shipped(plan.clone(), Outbound::default());
    let (workspace, plugins) = host.surroundings(&own, &run, folder.path()).unwrap();
    assert_eq!((workspace.secrets)("KEY").as_deref(), Some("the executor's"));
    assert!(!workspace.outbound.is_restricted() && Arc::ptr_eq(plugins, &host.settings.plugins));

    let (workspace, plugins) = host.surroundings(&shipped(plan, strangers()), &run, folder.path()).unwrap();
    assert_eq!((workspace.secrets)("KEY"), None);
    assert!(workspace.rankings.is_none() && Arc::ptr_eq(plugins, &host.unheard));
    assert!(workspace.outbound.addresses("127.0.0.1", 9200).is_err(), "of this machine");
    assert!(workspace.outbound.addresses("10.0.0.7", 9200).is_ok(), "the server's operator allows it");
    assert!(workspace.outbound.addresses("10.0.0.1", 50050).is_err(), "the scheduler");
}

#[test]
fn a_strangers_run_reads_nothing_but_what_was_shipped_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let (host, run) = (host(folder.path()), run_in(folder.path()));
    let inputs = run.path(layout::INPUTS);
    std::fs::create_dir_all(inputs.join("x")).unwrap();
    std::fs::write(folder.path().join("secret.jsonl"), "").unwrap();
    symlink(folder.path().join("secret.jsonl"), inputs.join("x/link.jsonl")).unwrap();
    symlink(folder.path(), inputs.join("out")).unwrap();
    let inside = |path: &str| inputs.join(path).to_string_lossy().into_owned();
    for path in [
        "/etc/passwd",
        "https://search.example/c.jsonl",
        "s3://bucket/c.jsonl",
        "file:///etc/passwd",
        &folder.path().join("secret.jsonl").to_string_lossy(),
        &run.path("manifest.json").to_string_lossy(),
        &inside("../manifest.json"),
        &inside("x/../../manifest.json"),
        &inside("x/link.jsonl"),
        &inside("x/*.jsonl"),
        &inside("out/secret.jsonl"),
        &format!("{}-of-another/c.jsonl", inputs.display()),
    ] {
        let refused = host.surroundings(&shipped(plan(path), strangers()), &run, folder.path());
        let Err(refused) = refused else { panic!("`{path}` is read") };
        assert!(refused.to_string().contains("was not shipped"), "{path}: {refused}");
        assert!(host.surroundings(&shipped(plan(path), Outbound::default()), &run, folder.path()).is_ok(), "{path}");
    }
}

#[test]
fn an_executor_of_a_server_does_its_runs_and_no_others() {
    let folder = tempfile::tempdir().unwrap();
    let organisations = folder.path().join("organisations");
    std::fs::create_dir_all(organisations.join("one")).unwrap();
    symlink(folder.path(), organisations.join("out")).unwrap();
    let mut host = host(folder.path());
    let settings = Arc::get_mut(&mut host.settings).unwrap();
    settings.only_in = Some(organisations.clone());
    let check = |run: &Path| {
        let run = run.display().to_string();
        host.check_place(&Order { run, id: "a".to_owned(), drive: "d".to_owned() })
    };
    assert!(check(&organisations.join("one/jobs/1")).is_ok());
    for other in ["run", "organisations/../run", "organisations/out/run"] {
        assert!(check(&folder.path().join(other)).is_err(), "{other}");
    }
    for other in ["s3://bucket/run", "file:///etc", "https://host/run", "run"] {
        assert!(check(Path::new(other)).is_err(), "{other}");
    }
    let run = run_in(&organisations);
    let own = host.surroundings(&shipped(plan("/c.jsonl"), Outbound::default()), &run, folder.path());
    assert!(own.is_err_and(|error| error.to_string().contains("of a server only")));
}

#[test]
fn a_strangers_run_in_a_folder_takes_its_inputs_along_by_their_content() {
    let folder = tempfile::tempdir().unwrap();
    let (host, run) = (host(folder.path()), run_in(folder.path()));
    let corpus = folder.path().join("[1] c.jsonl");
    std::fs::write(&corpus, "{\"id\": \"a\", \"t\": \"lamp\"}\n").unwrap();
    let plan = plan(&corpus.to_string_lossy());
    let taken = |drive: &str, outbound: &Outbound| {
        ship(&run, drive, &plan, &[], &Default::default(), outbound).unwrap();
        let mut shipped = read_shipped(&run).unwrap();
        let place = shipped.plan.unit_inputs()[0].clone();
        (shipped, place)
    };
    assert_eq!(taken("own", &Outbound::default()).1, corpus, "executors see the same folders");

    let (mut shipped, place) = taken("stranger's", &strangers());
    assert!(place.starts_with(run.path(layout::INPUTS)) && shipped.outbound.is_restricted(), "{}", place.display());
    assert_eq!(std::fs::read(&place).unwrap(), std::fs::read(&corpus).unwrap());
    host.surroundings(&shipped, &run, folder.path()).unwrap();
    // The runs that lend rankings are read as well.
    let lender = json!({ "runs": [{ "path": "/other/run", "run_id": "b" }], "pipelines": [] });
    shipped.plan.borrowed = Some(serde_json::from_value(lender).unwrap());
    assert!(host.surroundings(&shipped, &run, folder.path()).is_err());

    // A run that does not say whose it is is nobody's.
    let mut written: Value = run.read_json(layout::SHIPPED).unwrap();
    written.as_object_mut().unwrap().remove("outbound").unwrap();
    run.write_json(layout::SHIPPED, &written).unwrap();
    assert!(read_shipped(&run).is_err());
}
