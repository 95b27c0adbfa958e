//! What the documents say is what the program says: the README's console blocks, the help and error texts in `commands/`,
//! and the published JSON Schemas. A binary of its own, because it needs the project's root as its working directory.
//! `TRYCMD=overwrite REMATCH_BLESS=1 cargo test --test readme` copies the real output in.

#![expect(
    clippy::expect_used,
    clippy::print_stderr,
    reason = "a test file of another package's folder, so clippy does not see that it is one"
)]

use std::path::Path;
use std::process::Command;
use std::time::Duration;

const REMATCH: &str = env!("CARGO_BIN_EXE_rematch");

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("the project's root")
}

#[test]
fn documents_show_what_the_program_prints() {
    std::env::set_current_dir(root()).expect("the project's root is there");
    for left_over in ["target/demo", "target/runs"] {
        if Path::new(left_over).exists() {
            std::fs::remove_dir_all(left_over).expect("the last demonstration can be removed");
        }
    }
    trycmd::TestCases::new()
        .register_bin("rematch", Path::new(REMATCH))
        // What is measured must not depend on the runs before.
        .env("REMATCH_CACHE_LIMIT", "0")
        .case("README.md")
        .case("tests/commands/*.trycmd")
        .run();
    guide_shows_what_the_program_prints();
}

/// The guide for authors of scorers builds one for real. `REMATCH_GUEST_TOOLCHAIN=1` runs it, in a folder of its own; it
/// follows the documents above, because both need a working directory.
fn guide_shows_what_the_program_prints() {
    if std::env::var("REMATCH_GUEST_TOOLCHAIN").as_deref() != Ok("1") {
        eprintln!("skipped: REMATCH_GUEST_TOOLCHAIN is not 1");
        return;
    }
    let folder = root().join("target/guide");
    if folder.exists() {
        std::fs::remove_dir_all(&folder).expect("the last demonstration can be removed");
    }
    std::fs::create_dir_all(&folder).expect("a folder");
    std::env::set_current_dir(&folder).expect("the folder is there");
    trycmd::TestCases::new()
        .register_bin("rematch", Path::new(REMATCH))
        .env("REMATCH_TOOLCHAINS", root().join("plugins/.toolchain").display().to_string())
        .timeout(Duration::from_secs(300))
        .case(root().join("sdk-wit/README.md"))
        .run();
}

#[test]
fn published_schemas_are_what_the_types_say() {
    for name in ["benchmark", "report", "gate", "plan"] {
        let printed = Command::new(REMATCH).args(["schema", name]).output().expect("rematch runs").stdout;
        let path = root().join(format!("engine/schemas/{name}.schema.json"));
        if std::env::var_os("REMATCH_BLESS").is_some() {
            std::fs::write(&path, &printed).expect("the schema can be written");
        }
        let published = std::fs::read(&path).expect("the published schema");
        assert!(published == printed, "`{}` is out of date; REMATCH_BLESS=1 renews it", path.display());
    }
}
