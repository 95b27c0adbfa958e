//! Writes the project's sample data: `cargo run -p rematch-tests --example generate-data -- [OUT_DIR]`.

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

mod generator;

fn main() -> ExitCode {
    let out = std::env::args_os().nth(1).map_or_else(|| PathBuf::from("data/shop"), PathBuf::from);
    match generator::generate(&out) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            let mut cause = error.source();
            while let Some(source) = cause {
                eprintln!("  because: {source}");
                cause = source.source();
            }
            ExitCode::FAILURE
        }
    }
}
