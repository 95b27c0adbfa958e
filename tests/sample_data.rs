//! The sample data in the repository is what its generator makes.

#[path = "../data/generator/mod.rs"]
mod generator;

#[test]
fn the_generator_writes_the_bytes_that_are_in_the_repository() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    generator::generate(folder.path()).expect("the data is written");
    for name in ["products.jsonl", "sessions.parquet"] {
        let made = std::fs::read(folder.path().join(name)).expect("a made file");
        let kept =
            std::fs::read(crate::rematch::workspace().join("data/shop").join(name)).expect("a file of data/shop");
        assert!(made == kept, "`data/shop/{name}` differs from what the generator makes");
    }
}
