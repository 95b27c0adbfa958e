//! What the documents say is what the program says: the README's console blocks, the help and error texts in `commands/`,
//! and the published JSON Schemas. A binary of its own, because it needs the project's root as its working directory.
//! `TRYCMD=overwrite REMATCH_BLESS=1 cargo test --test readme` copies the real output in.

#![expect(
    clippy::expect_used,
    reason = "a test file of another package's folder, so clippy does not see that it is one"
)]

use std::path::Path;
use std::process::Command;

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
        .case("README.md")
        .case("tests/commands/*.trycmd");
}

#[test]
fn published_schemas_are_what_the_types_say() {
    for name in ["benchmark", "report"] {
        let printed = Command::new(REMATCH).args(["schema", name]).output().expect("rematch runs").stdout;
        let path = root().join(format!("engine/schemas/{name}.schema.json"));
        if std::env::var_os("REMATCH_BLESS").is_some() {
            std::fs::write(&path, &printed).expect("the schema can be written");
        }
        let published = std::fs::read(&path).expect("the published schema");
        assert!(published == printed, "`{}` is out of date; REMATCH_BLESS=1 renews it", path.display());
    }
}
